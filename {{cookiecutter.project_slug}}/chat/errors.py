"""A failure as JSON, for scripts, and the failure that a broken database is."""

import logging
import math
from typing import Any

from django.db import Error
from django.http import JsonResponse
from django.utils.translation import gettext as _

from claude.failures import Failure, Refused

logger = logging.getLogger("chat")


def error_json(failure: Failure) -> dict[str, Any]:
    return {"error": failure.sentence, "status": failure.status}


def error_response(failure: Failure) -> JsonResponse:
    response = JsonResponse(error_json(failure), status=failure.status)
    if failure.retry_after is not None:
        response["Retry-After"] = math.ceil(failure.retry_after)
    return response


def database_failure(error: Error) -> Refused:
    """What the user gets in place of an answer while the database is locked, full or gone. Claude was not asked."""
    # Its own words may quote the question.
    logger.error("The database could not take a question: %s", type(error).__name__)
    return Refused(503, _("Your question could not be taken: please ask again in a moment."))
