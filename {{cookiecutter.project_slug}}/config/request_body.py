"""Django middleware that refuses a body before it is read: one that is too large, or a form that is not UTF-8.

With some of Python's other encodings, reading a form fails.
https://docs.djangoproject.com/en/stable/topics/http/middleware/
"""

from collections.abc import Callable

from django.conf import settings
# % if cookiecutter.view_style == "async"
from django.core.exceptions import BadRequest, RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import async_only_middleware


@async_only_middleware
def check_body(get_response: Callable) -> Callable:
    async def middleware(request: HttpRequest) -> HttpResponse:
        check(request)
        return await get_response(request)

    return middleware


# % else
from django.core.exceptions import BadRequest, RequestDataTooBig
from django.http import HttpRequest, HttpResponse


def check_body(get_response: Callable) -> Callable:
    def middleware(request: HttpRequest) -> HttpResponse:
        check(request)
        return get_response(request)

    return middleware


# % endif
def check(request: HttpRequest) -> None:
    is_too_large = int(request.META.get("CONTENT_LENGTH") or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE
# % if cookiecutter.view_style == "async"
    # A body without a length has been counted by config/middleware.py.
    is_too_large = is_too_large or getattr(request, "scope", {}).get("body_is_too_large", False)
# % endif
    if is_too_large:
        raise RequestDataTooBig("The body is larger than DATA_UPLOAD_MAX_MEMORY_SIZE.")
    if (request.content_params or {}).get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        request.csrf_processing_done = True  # the page that says so reads no form
        raise BadRequest("A form is UTF-8.")
