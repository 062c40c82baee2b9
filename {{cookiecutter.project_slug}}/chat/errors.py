"""A failure as JSON, for scripts."""

import math
from typing import Any

from django.http import JsonResponse

from claude.failures import Failure


def error_json(failure: Failure) -> dict[str, Any]:
    return {"error": failure.sentence, "status": failure.status}


def error_response(failure: Failure) -> JsonResponse:
    response = JsonResponse(error_json(failure), status=failure.status)
    if failure.retry_after is not None:
        response["Retry-After"] = math.ceil(failure.retry_after)
    return response
