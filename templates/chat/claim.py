def claim(request: HttpRequest) -> Question:
    """The question, ours to answer or with its answer. Raises `Refused` while another request is answering it.

    A request without a key gets a question that is not kept. No database connection is held afterwards: the user of an
    answer that was given before may be slow to read it.
    """
    try:
        return claim_in_database(request)
    finally:
        release_connections()


def claim_in_database(request: HttpRequest) -> Question:
    try:
        key = read_key(request)
    except ValueError:
        raise Refused(400, "The idempotency_key is not a UUID: please reload the page and ask again.") from None
    if key is None:
        return Question()
    user: Any = request.user  # signed in, or the view would not ask
    now = timezone.now()
    Question.objects.filter(asked_at__lt=now - timedelta(seconds=settings.CHAT_REMEMBER)).delete()
    asked = request.POST.getlist("prompt")
# % if cookiecutter.view_style == "async"
    # The answers of ask-many are none for the other endpoints, which share theirs.
    asked = [str(getattr(request.resolver_match, "url_name", "") == "ask_many"), *asked]
# % endif
    digest = salted_hmac("chat.question", "\0".join(asked), algorithm="sha256").hexdigest()
    try:
        with transaction.atomic():
            return Question.objects.create(user=user, idempotency_key=key, digest=digest, asked_at=now)
    except IntegrityError:
        question = Question.objects.get(user=user, idempotency_key=key)
    if question.digest != digest:
        raise Refused(422, "This idempotency_key belongs to another question: please reload the page and ask again.")
    if question.answer is None:
        take_over(question, now)
    return question


def read_key(request: HttpRequest) -> uuid.UUID | None:
    """The key in a form, also under its older name, `request_id`. Raises ValueError for what is no UUID."""
    sent = request.POST.get("idempotency_key") or request.POST.get("request_id")
    return uuid.UUID(sent) if sent else None


def take_over(question: Question, now: datetime) -> None:
    """Makes an unanswered question ours, when nobody is answering it. Raises `Refused` otherwise."""
    dead = now - timedelta(seconds=settings.CLAUDE_DEADLINE + GRACE)
    free = question.state == Question.State.FAILED or question.asked_at < dead
    if not (free and unchanged(question).update(state=Question.State.ASKED, asked_at=now)):
        raise Refused(409, "This question is being answered already: please wait for its answer.")
    question.state, question.asked_at = Question.State.ASKED, now


def unchanged(question: Question) -> QuerySet[Question]:
    """The row of a question, as long as no other request has changed it: of two that try to, one does."""
    return Question.objects.filter(pk=question.pk, state=question.state, asked_at=question.asked_at)


def settle(question: Question) -> None:
    """Keeps the answer, or that there is none, unless another request has taken the question over meanwhile.

    When the database fails the user still gets the answer, which has been paid for. No connection is held afterwards:
    the user may be slow to read.
    """
    if question.pk is None or question.state == Question.State.ANSWERED:
        return
    ours = unchanged(question)
    question.state = Question.State.FAILED if question.answer is None else Question.State.ANSWERED
    try:
        ours.update(state=question.state, answer=question.answer)
    except Error as error:
        # Its own words may quote the answer.
        logger.error("An answer could not be kept: %s", type(error).__name__)
    finally:
        release_connections()
