def claim(request: HttpRequest) -> Question:
    """The question, ours to answer or with its answer. Raises `Refused` while another request is answering it.

    A request without a key gets a question that is not kept. No database connection is held afterwards: the user of an
    answer that was given before may be slow to read it.
    """
    try:
        return claim_in_database(request)
    except Error as error:
        raise database_failure(error) from None
    finally:
        release_connections()


def claim_in_database(request: HttpRequest) -> Question:
    try:
        key = read_key(request)
    except ValueError:
        raise Refused(400, "The idempotency_key is not a UUID: please reload the page and ask again.") from None
    if key is None:
        return Question()
    now = timezone.now()
    old = Question.objects.filter(asked_at__lt=now - timedelta(seconds=settings.CHAT_REMEMBER))
    old.exclude(keeper.under_way()).delete()
    asked = request.POST.getlist("prompt")
    # % if cookiecutter.view_style == "async"
    # The answers of ask-many are none for the other endpoints, which share theirs.
    asked = [str(getattr(request.resolver_match, "url_name", "") == "ask_many"), *asked]
    # % endif
    digest = salted_hmac("chat.question", "\0".join(asked), algorithm="sha256").hexdigest()
    user: Any = request.user  # signed in, or the view would not ask
    question, created = Question.objects.get_or_create(
        user=user, idempotency_key=key, defaults={"digest": digest, "asked_at": now}
    )
    if question.digest != digest:
        raise Refused(422, "This idempotency_key belongs to another question: please reload the page and ask again.")
    if question.answer is None:
        if not created:
            take_over(question, now)
        keeper.of_this_process().begin(question)
    return question


def read_key(request: HttpRequest) -> uuid.UUID | None:
    """The key in a form, also under its older name, `request_id`. Raises ValueError for what is no UUID."""
    sent = request.POST.get("idempotency_key") or request.POST.get("request_id")
    return uuid.UUID(sent) if sent else None


def take_over(question: Question, now: datetime) -> None:
    """Makes an unanswered question ours, when nobody is answering it. Raises `Refused` otherwise."""
    if question.state == Question.State.LOST:
        raise Refused(410, "This question was answered, but the answer could not be kept. Ask again for a new answer.")
    free = keeper.unchanged(question).exclude(keeper.under_way())
    if not free.update(state=Question.State.ASKED, asked_at=now, alive_at=Now()):
        silence = keeper.silence(question)
        if silence < 2 * keeper.RENEWAL:
            raise Refused(409, "This question is being answered already: please wait for its answer.")
        left = max(1, math.ceil(keeper.LEASE - silence))
        sentence = f"The server that was answering this question is silent: please try again in {left} seconds."
        raise Refused(409, sentence, retry_after=left)
    question.state, question.asked_at = Question.State.ASKED, now


def settle(question: Question) -> None:
    """Keeps the answer, or that there is none. The user, who has paid for it, does not wait for a broken database."""
    if question.pk is not None and question.state == Question.State.ASKED:
        keeper.of_this_process().end(question)
