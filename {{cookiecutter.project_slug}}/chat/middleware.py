"""Refuses forms in any encoding but UTF-8 before they are read: with some of Python's, reading them fails.

https://docs.djangoproject.com/en/stable/topics/http/middleware/#asynchronous-support
"""

from collections.abc import Callable

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def utf8_only(get_response: Callable) -> Callable:
    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponse:
            check_charset(request)
            return await get_response(request)

    else:

        def middleware(request: HttpRequest) -> HttpResponse:
            check_charset(request)
            return get_response(request)

    return middleware


def check_charset(request: HttpRequest) -> None:
    if request.content_params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise BadRequest("A form is UTF-8.")
