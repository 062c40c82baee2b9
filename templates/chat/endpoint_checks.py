def require_post(request: HttpRequest) -> None:
    if request.method != "POST":
        raise Refused(405, _("This address answers to POST only."))


def require_sign_in(request: HttpRequest) -> None:
    if not request.user.is_authenticated:
        raise Refused(401, _("Please sign in again, then ask once more."))


def response_to(request: HttpRequest, error: Exception) -> HttpResponse:
    """The response in place of the one that an error prevented."""
    if isinstance(error, BadRequest | MultiPartParserError | SuspiciousOperation):
        raise error  # for Django, which calls config.error_views.bad_request
    if isinstance(error, Error):  # even the session could not be read
        error = database_failure(error)
    if not isinstance(error, Failure):
        logger.error("%s failed", request.path, exc_info=error)
        return error_response(Failure("unexpected"))
    if error.kind == "refused":
        logger.info("%s refused: %d %s", request.path, error.status, responses.get(error.status, ""))
    response = error_response(error)
    if error.status == METHOD_NOT_ALLOWED:
        response["Allow"] = "POST"
    return response
