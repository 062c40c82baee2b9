def read_prompts(request: HttpRequest) -> list[str | Refused]:
    """The questions, with a `Refused` in the place of each that cannot be asked."""
    sent = request.POST.getlist("prompt")
    if not sent:
        raise Refused(400, _("Please type a question first."))
    if len(sent) > settings.CHAT_MAX_PROMPTS:
        sentence = ngettext(
            "You sent %(sent)d question, and %(limit)d fit: send fewer.",
            "You sent %(sent)d questions, and %(limit)d fit: send fewer.",
            len(sent),
        )
        raise Refused(413, sentence % {"sent": len(sent), "limit": settings.CHAT_MAX_PROMPTS})

    def read(prompt: str) -> str | Refused:
        try:
            return read_prompt({"prompt": prompt})
        except Refused as refused:
            return refused

    return [read(prompt) for prompt in sent]
