def read_prompts(request: HttpRequest) -> list[str | Refused]:
    """The questions, with a `Refused` in the place of each that cannot be asked."""
    sent = request.POST.getlist("prompt")
    if not sent:
        raise Refused(400, "Please type a question first.")
    if len(sent) > settings.CHAT_MAX_PROMPTS:
        raise Refused(413, f"You sent {len(sent)} questions, and {settings.CHAT_MAX_PROMPTS} fit: send fewer.")

    def read(prompt: str) -> str | Refused:
        try:
            return read_prompt({"prompt": prompt})
        except Refused as refused:
            return refused

    return [read(prompt) for prompt in sent]
