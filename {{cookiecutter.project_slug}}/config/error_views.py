"""What Django answers when no view does: JSON to scripts, a page to people.

https://docs.djangoproject.com/en/stable/topics/http/views/#customizing-error-views
"""

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _
from django.views import csrf, defaults

from chat.decorators import response_to
from claude.failures import Failure, Refused


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW."""
    if wants_json(request):
        return response_to(request, Refused(403, _("Please reload the page, then ask once more.")))
    return csrf.csrf_failure(request, reason)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: for a body that is too large, or that no view could read."""
    status, sentence = 400, _("Your question could not be read: please reload the page and ask again.")
    if isinstance(exception, RequestDataTooBig):
        status, sentence = 413, _("Your question is too long: please shorten it.")
    if wants_json(request):
        return response_to(request, Refused(status, sentence))
    response = defaults.bad_request(request, exception)
    response.status_code = status
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404."""
    if wants_json(request):
        return response_to(request, Refused(404, _("There is nothing at this address.")))
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: for what goes wrong outside a view, as when the database is gone."""
    if wants_json(request):
        return response_to(request, Failure("unexpected"))
    return defaults.server_error(request)


def wants_json(request: HttpRequest) -> bool:
    """Whether the request is for an endpoint (chat.decorators.endpoint), or prefers JSON to a page."""
    try:
        view = resolve(request.path_info).func
    except Resolver404:
        view = None
    prefers = request.get_preferred_type(["text/html", "application/json"])
    return getattr(view, "answers_json", False) or prefers != "text/html"
