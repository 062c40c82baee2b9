@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
async def page(request: HttpRequest) -> HttpResponse:
    """Where people ask. A POST is the question of a browser without JavaScript."""
    request.user = await request.auser()
    if request.method != "POST":
        return page_response(request)
    try:
        return page_response(request, await answer(request))
    except Failure as failure:
        return page_response(request, failure=failure)


@endpoint
async def ask(request: HttpRequest) -> HttpResponse:
    """The answer to `prompt` as JSON."""
    return JsonResponse(await answer(request))


@endpoint
async def stream(request: HttpRequest) -> HttpResponseBase:
    """The answer to `prompt` as server-sent events."""
    events = events_of(read_prompt(request.POST), request.user)
    return await sse.respond(idempotent_stream(request, events))


@endpoint
async def ask_many(request: HttpRequest) -> HttpResponse:
    """An answer or a failure for each `prompt`, in their order, as JSON."""
    return JsonResponse(await answers(request))


