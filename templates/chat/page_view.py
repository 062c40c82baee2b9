@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """Where people ask. A POST is the question of a browser without JavaScript."""
    if request.method != "POST":
        return page_response(request)
    try:
        return page_response(request, answer(request))
    except Failure as failure:
        return page_response(request, failure=failure)


@endpoint
def ask(request: HttpRequest) -> HttpResponse:
    """The answer to `prompt` as JSON."""
    return JsonResponse(answer(request))


