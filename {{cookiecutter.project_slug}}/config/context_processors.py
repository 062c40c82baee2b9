"""What every page knows: the project's name, and whether the answers are real."""

from django.conf import settings
from django.http import HttpRequest


def project(request: HttpRequest) -> dict[str, object]:
    return {
        "project_name": settings.PROJECT_NAME,
        "project_description": settings.PROJECT_DESCRIPTION,
        "offline": settings.CLAUDE_OFFLINE,
        "debug": settings.DEBUG,
    }
