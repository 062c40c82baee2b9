"""What every endpoint asks of a request before its view sees it, and JSON for whatever goes wrong."""

import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError

from chat.errors import error_response
from claude.failures import Failure, Refused

logger = logging.getLogger("chat")


def endpoint(view: Callable) -> Callable:
    """POST only, signed-in users only, and JSON for every error: no script is redirected to the sign-in page."""

# % if cookiecutter.view_style == "async"
    @wraps(view)
    async def wrapped(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        try:
            require_post(request)
            request.user = await request.auser()
            require_sign_in(request)
            return await view(request, *args, **kwargs)
        except Exception as error:
            return response_to(request, error)

# % else
    @wraps(view)
    def wrapped(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        try:
            require_post(request)
            require_sign_in(request)
            return view(request, *args, **kwargs)
        except Exception as error:
            return response_to(request, error)

# % endif
    wrapped.answers_json = True  # type: ignore[attr-defined]  # for config/error_views.py
    return wrapped


def require_post(request: HttpRequest) -> None:
    if request.method != "POST":
        raise Refused(405, "This address answers to POST only.")


def require_sign_in(request: HttpRequest) -> None:
    if not request.user.is_authenticated:
        raise Refused(401, "Please sign in again, then ask once more.")


def response_to(request: HttpRequest, error: Exception) -> HttpResponse:
    """The response in place of the one that an error prevented."""
    if isinstance(error, BadRequest | MultiPartParserError | SuspiciousOperation):
        raise error  # for Django, which calls config.error_views.bad_request
    if not isinstance(error, Failure):
        logger.error("%s failed", request.path, exc_info=error)
        return error_response(Failure("unexpected"))
    if error.kind == "refused":
        logger.info("%s refused: %d %s", request.path, error.status, HTTPStatus(error.status).phrase)
    response = error_response(error)
    if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
        response["Allow"] = "POST"
    return response
