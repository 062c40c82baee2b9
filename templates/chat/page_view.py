@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def page(request: HttpRequest, pk: uuid.UUID | None = None) -> HttpResponse:
    """Where people ask, in a new conversation or in one of theirs. A POST is the question of a browser without JavaScript."""
    if request.method != "POST":
        return page_response(request, pk)
    try:
        question = read_question(request)
        question.conversation = pk or question.conversation or question.idempotency_key or uuid.uuid4()
        return redirect_after(question, answer(question, pieces_of))
    except Failure as failure:
        return page_response(request, pk, failure)


@endpoint
def ask(request: HttpRequest) -> HttpResponse:
    """The answer to `prompt` as JSON, and as HTML where the page's script asks for that."""
    given = answer(read_question(request), pieces_of)
    if request.POST.get("format") == "html":
        given["html"] = render(given["answer"])
    return JsonResponse(given)


