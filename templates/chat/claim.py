def claim(question: Question) -> Turn:
    """The turn of a question, ours to answer or with its answer. Raises `Refused` while another request is answering it.

    A question that has no key and stands alone gets a turn that is not kept. Afterwards the database connection is given
    back, as the user of an answer that was given before may be slow to read it; `calls.open` does so for the others.
    """
    turn = None
    try:
        turn = claim_in_database(question)
        return turn
    except Error as error:
        raise database_failure(error) from None
    finally:
        if turn is None or turn.is_over:
            release_connections()


def claim_in_database(question: Question) -> Turn:
    if not (question.idempotency_key or question.conversation or question.replaces):
        turn = Turn(user=question.user, prompt=question.prompt)
        turn.details = history.details_of(turn)
        return turn
    now = timezone.now()
    digest = salted_hmac("chat.question", f"{question.conversation}\0{question.prompt}", algorithm="sha256").hexdigest()
    turn, created = turn_of(question, digest, now)
    if turn.digest != digest:
        raise Refused(422, _("This idempotency_key belongs to another question: please reload the page and ask again."))
    if not turn.is_over:
        if not created:
            take_over(turn, now)
        turn.user, turn.prompt, turn.is_ours = question.user, question.prompt, True
        turn.details = history.details_of(turn)
        keeper.Keeper.of_this_process().begin(turn)
    return turn


def turn_of(question: Question, digest: str, now: datetime, *, is_last_try: bool = False) -> tuple[Turn, bool]:
    """The turn of a question, and whether it was made now.

    That is tried first, and most often done: a look before it would be a further wait for the database.
    """
    key = question.idempotency_key or uuid.uuid4()
    there = Turn.objects.filter(user=question.user.pk, idempotency_key=key)
    if question.replaces and (turn := there.first()):  # what it takes the place of may be gone since
        return turn, False
    try:
        with transaction.atomic():
            conversation_id, is_first = conversation_of(question, now)
            turn = Turn.objects.create(
                user=question.user,
                idempotency_key=key,
                digest=digest,
                asked_at=now,
                prompt=question.prompt if conversation_id else "",
                conversation_id=conversation_id,
                replaces=first_replaced(question),
            )
    except IntegrityError:
        if turn := there.first():
            return turn, False
        of_others = Conversation.objects.exclude(user=question.user.pk)
        if question.conversation and of_others.filter(pk=question.conversation).exists():
            raise Refused(404, _("There is no such conversation.")) from None
        if is_last_try:
            raise
        return turn_of(question, digest, now, is_last_try=True)  # another question has just started the conversation
    turn.is_first = is_first
    return turn, True


def conversation_of(question: Question, now: datetime) -> tuple[uuid.UUID | None, bool]:
    """The id of the conversation that a question continues or starts, and whether it starts it.

    Of questions in one conversation at the same time, each waits here for the other.
    """
    if question.conversation is None:
        return None, False
    if Conversation.objects.filter(pk=question.conversation, user=question.user.pk).update(updated_at=now):
        return question.conversation, False
    title = " ".join(question.prompt.split())[:80]
    Conversation.objects.create(pk=question.conversation, user=question.user, title=title)
    return question.conversation, True


def first_replaced(question: Question) -> int | None:
    """The first of the turns that a question takes the place of. Raises `Refused` when others came after them."""
    if question.replaces is None:
        return None
    turns = Turn.objects.filter(conversation=question.conversation)
    last = turns.filter(idempotency_key=question.replaces).first() if question.conversation else None
    if last is not None:
        first = last.replaces or last.pk
        if not turns.filter(Q(replaces=None) | Q(replaces__gt=first), pk__gt=last.pk).exists():
            return first
    raise Refused(422, _("Only the last question of a conversation can be asked again: please reload the page."))


def take_over(turn: Turn, now: datetime) -> None:
    """Makes an unanswered turn ours, when nobody is answering it. Raises `Refused` otherwise."""
    if turn.state == Turn.State.LOST:
        sentence = _("This question was answered, but the answer could not be kept. Ask again for a new answer.")
        raise Refused(410, sentence)
    free = keeper.unchanged(turn).exclude(keeper.under_way())
    if not free.update(state=Turn.State.ASKED, asked_at=now, alive_at=Now()):
        silence = keeper.silence(turn)
        if silence < 2 * keeper.RENEWAL:
            raise Refused(409, _("This question is being answered already: please wait for its answer."))
        left = max(1, math.ceil(keeper.LEASE - silence))
        sentence = ngettext(
            "The server that was answering this question is silent: please try again in %(left)d second.",
            "The server that was answering this question is silent: please try again in %(left)d seconds.",
            left,
        )
        raise Refused(409, sentence % {"left": left}, retry_after=left)
    turn.state, turn.asked_at = Turn.State.ASKED, now


def broken_off(turn: Turn, error: BaseException) -> None:
    """Says why the answer of a turn is not whole."""
    if isinstance(error, Exception):
        failure = error if isinstance(error, Failure) else Failure("unexpected")
        turn.break_off(Turn.State.FAILED, error_json(failure))
    else:
        turn.break_off(Turn.State.STOPPED)
        logger.info("The user left before the answer ended: the call to Claude is closed.")


def settle(turn: Turn) -> None:
    """Stores how a turn ended. The user, who has paid for the answer, does not wait for a broken database."""
    if turn.is_ours:
        turn.break_off(Turn.State.FAILED)  # if it has not come to an end
        keeper.Keeper.of_this_process().end(turn)
