@idempotent
def answer(request: HttpRequest) -> dict[str, Any]:
# % if cookiecutter.client_wrapper
    return client.ask(read_prompt(request.POST), user=request.user, purpose="chat").as_dict()
# % else
    request_to_claude = build_request(read_prompt(request.POST), user=request.user)
    with calls.open(request_to_claude, user=request.user, purpose="chat") as call:
        return call.read(get_client().messages.create(**request_to_claude)).as_dict()
# % endif
