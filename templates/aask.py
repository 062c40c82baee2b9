Validate = Callable[[Answer], object]


async def aask(
    user_prompt: str,
    system_prompt: str | None = None,
    *,
    validate: Validate | None = None,
    purpose: str = "",
    deadline: Deadline | None = None,
    **details: Unpack[Details],
) -> Answer:
    """Claude's whole answer.

    `claude.messages.build_request` says what the details are: `history`, `max_tokens`, `idempotency_key`, `user`;
    `claude.calls.open` what `purpose` and `deadline` are. `validate` raises ValueError for an answer that will not do, as
    `json.loads` does; Claude is then asked once more, under the same idempotency key. A second such answer raises
    `Failure`.
    """
    request = build_request(user_prompt, system_prompt, **details)
    open_call = partial(calls.open, request, user=details.get("user"), purpose=purpose, deadline=deadline or Deadline())
    async with open_call() as call:
        answer = call.read(await aget_client().messages.create(**request))
    if not is_valid(answer, validate):
        async with open_call() as call:
            answer = call.read(await aget_client().messages.create(**request))
            if not is_valid(answer, validate):
                raise Failure("unavailable", "two answers failed validation")
    return answer


# For code without an event loop, such as a command or a task of Celery. Each call has a client and a loop of its own.
ask = async_to_sync(aask)


@asynccontextmanager
async def astream(
    user_prompt: str,
    system_prompt: str | None = None,
    *,
    purpose: str = "",
    deadline: Deadline | None = None,
    **details: Unpack[Details],
) -> AsyncIterator[TextStream]:
    """Claude's answer as it arrives. Leaving the block closes the call, so that no further token is paid for.

    `async with astream("Why is the sky blue?") as text:` gives the pieces to an `async for` loop, and then `text.answer`.
    """
    request = build_request(user_prompt, system_prompt, **details)
    async with (
        calls.open(request, user=details.get("user"), purpose=purpose, deadline=deadline) as call,
        aget_client().messages.with_streaming_response.create(**request, stream=True) as response,
    ):
        yield TextStream(call, response)


class TextStream:
    """The pieces of an answer. An empty piece says that Claude is at work and has no text yet.

    `answer` is the whole answer, once the pieces have come to their end.
    """

    def __init__(self, call: Call, response: Any) -> None:
        self._call = call
        self._response = response

    def __aiter__(self) -> AsyncIterator[str]:
        return calls.read_stream(self._call, self._response)

    @property
    def answer(self) -> Answer:
        return self._call.answer


async def aask_many(
    prompts: Iterable[str], system_prompt: str | None = None, *, purpose: str = "", **details: Unpack[Details]
) -> list[Answer | Failure]:
    """An answer or a `Failure` for each prompt, in their order, all within one CLAUDE_DEADLINE.

    At most CLAUDE_FAN_OUT are asked at once. Each gets an `idempotency_key` of its own, made of the one that is given.
    """
    details["history"] = list(details.get("history", ()))
    key = details.pop("idempotency_key", None)
    room = asyncio.Semaphore(settings.CLAUDE_FAN_OUT)
    deadline = Deadline()

    async def ask_one(number: int, prompt: str) -> Answer | Failure:
        details_of_one: Details = {**details, "idempotency_key": key and f"{key}-{number}"}
        async with room:
            try:
                return await aask(prompt, system_prompt, purpose=purpose, deadline=deadline, **details_of_one)
            except Failure as failure:
                return failure

    return await asyncio.gather(*(ask_one(number, prompt) for number, prompt in enumerate(prompts)))


# % include "validation.py"
