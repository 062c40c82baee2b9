"""What every template can use: the project's name, and whether the stand-in answers."""

from django.conf import settings
from django.http import HttpRequest


def project(request: HttpRequest) -> dict[str, object]:
    return {
        "project_name": settings.PROJECT_NAME,
        "offline": settings.CLAUDE_OFFLINE,
        "debug": settings.DEBUG,
    }
