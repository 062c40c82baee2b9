"""The control of streams.py for a whole answer: a Django view with session and user that asks the SDK, and no more.

It stands in a rendered project, with its database and users, and with the middleware of `django-admin startproject`: no
idempotency, no ledger, no deadline, no log. `asgi` and `wsgi` are its two kinds.
"""

import os

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
settings.MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
settings.ROOT_URLCONF = __name__
django.setup()

from anthropic import Anthropic, AsyncAnthropic  # noqa: E402, here and below, once Django is set up
from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponseForbidden, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402

OPTIONS = {"api_key": settings.ANTHROPIC_API_KEY, "base_url": settings.ANTHROPIC_BASE_URL}
client, async_client = Anthropic(**OPTIONS), AsyncAnthropic(**OPTIONS)


def request_for(prompt):
    messages = [{"role": "user", "content": prompt}]
    return {"model": settings.ANTHROPIC_MODEL, "max_tokens": settings.CLAUDE_MAX_TOKENS, "messages": messages}


def ask(request):
    if not request.user.is_authenticated:
        return HttpResponseForbidden()
    message = client.messages.create(**request_for(request.POST["prompt"]))
    return JsonResponse({"answer": message.content[0].text})


async def aask(request):
    if not (await request.auser()).is_authenticated:
        return HttpResponseForbidden()
    message = await async_client.messages.create(**request_for(request.POST["prompt"]))
    return JsonResponse({"answer": message.content[0].text})


urlpatterns = [path("ask/", ask), path("aask/", aask)]
asgi, wsgi = get_asgi_application(), get_wsgi_application()
