"""What every endpoint asks of a request before its view sees it, and what a script is told otherwise."""

import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.views import csrf, defaults

from chat.responses import Refused, error_response
from claude.failures import Failure

logger = logging.getLogger("chat")


def endpoint(view: Callable) -> Callable:
    """POST only, signed in only, and JSON for whatever goes wrong: no script is sent to the sign-in page."""

# % if cookiecutter.view_style == "async"
    @wraps(view)
    async def wrapped(request: HttpRequest, *args, **kwargs) -> HttpResponse:
        try:
            require_post(request)
            request.user = await request.auser()
            require_reader(request)
            return await view(request, *args, **kwargs)
        except Exception as problem:
            return answer_to(request, problem)

# % else
    @wraps(view)
    def wrapped(request: HttpRequest, *args, **kwargs) -> HttpResponse:
        try:
            require_post(request)
            require_reader(request)
            return view(request, *args, **kwargs)
        except Exception as problem:
            return answer_to(request, problem)

# % endif
    return wrapped


def require_post(request: HttpRequest) -> None:
    if request.method != "POST":
        raise Refused(405, "This address answers to POST only.")


def require_reader(request: HttpRequest) -> None:
    if not request.user.is_authenticated:
        raise Refused(401, "Please sign in again, then ask once more.")


def answer_to(request: HttpRequest, problem: Exception) -> HttpResponse:
    """The answer in place of the one that a problem prevented."""
    if isinstance(problem, Failure | Refused):
        return refuse(request, problem)
    if isinstance(problem, BadRequest | MultiPartParserError | SuspiciousOperation):
        raise problem  # for Django, which answers with `bad_request`
    logger.error("%s failed", request.path, exc_info=problem)
    return error_response()


def refuse(request: HttpRequest, problem: Failure | Refused) -> HttpResponse:
    if isinstance(problem, Refused):
        logger.info("%s refused: %d %s", request.path, problem.status, HTTPStatus(problem.status).phrase)
    response = error_response(problem)
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        response["Allow"] = "POST"
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW."""
    if is_endpoint(request):
        return refuse(request, Refused(403, "Please reload the page, then ask once more."))
    return csrf.csrf_failure(request, reason)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: for a request that is too large, or that no view could read."""
    if is_endpoint(request):
        if isinstance(exception, RequestDataTooBig):
            return refuse(request, Refused(413, "Your question is too long: please shorten it."))
        return refuse(request, Refused(400, "Your question could not be read: please reload the page and ask again."))
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    if is_endpoint(request):
        return refuse(request, Refused(404, "There is nothing at this address."))
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: for what goes wrong outside a view, as when the database is gone."""
    if is_endpoint(request):
        return error_response()
    return defaults.server_error(request)


def is_endpoint(request: HttpRequest) -> bool:
    return request.path.startswith("/chat/")
