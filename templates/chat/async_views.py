@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
async def page(request: HttpRequest, pk: uuid.UUID | None = None) -> HttpResponse:
    """Where people ask, in a new conversation or in one of theirs. A POST is the question of a browser without JavaScript."""
    request.user = await request.auser()
    respond = sync_to_async(page_response)
    if request.method != "POST":
        return await respond(request, pk)
    try:
        question = read_question(request)
        question.conversation = pk or question.conversation or question.idempotency_key or uuid.uuid4()
        return redirect_after(question, await answer(question, pieces_of))
    except Failure as failure:
        return await respond(request, pk, failure)


@endpoint
async def ask(request: HttpRequest) -> HttpResponse:
    """The answer to `prompt` as JSON, and as HTML where the page's script asks for that."""
    given = await answer(read_question(request), pieces_of)
    if request.POST.get("format") == "html":
        given["html"] = await asyncio.to_thread(render, given["answer"])
    return JsonResponse(given)


@endpoint
async def stream(request: HttpRequest) -> HttpResponseBase:
    """The answer to `prompt` as server-sent events."""
    return await sse.respond(request, sse.events_of(read_question(request), pieces_of))


@endpoint
async def ask_many(request: HttpRequest) -> HttpResponse:
    """An answer or a failure for each `prompt`, in their order, as JSON."""
    prompts = read_prompts(request)
    # Its answers are none for the other endpoints, which share theirs.
    asked = "\0".join(["ask-many", *request.POST.getlist("prompt")])
    question = Question(request.user, asked, read_idempotency_key(request.POST))
    return JsonResponse(await answers(question, partial(ask_all, prompts, request.user)))


