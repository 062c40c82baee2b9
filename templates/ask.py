Validate = Callable[[Answer], object]


def ask(
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
    with open_call() as call:
        answer = call.read(get_client().messages.create(**request))
    if not is_valid(answer, validate):
        with open_call() as call:
            answer = call.read(get_client().messages.create(**request))
            if not is_valid(answer, validate):
                raise Failure("unavailable", "two answers failed validation")
    return answer


@contextmanager
def stream(
    user_prompt: str,
    system_prompt: str | None = None,
    *,
    purpose: str = "",
    deadline: Deadline | None = None,
    **details: Unpack[Details],
) -> Iterator[TextStream]:
    """Claude's answer as it arrives. Leaving the block closes the call, so that no further token is paid for.

    `with stream("Why is the sky blue?") as text:` gives the pieces to a `for` loop, and then `text.answer`.
    """
    request = build_request(user_prompt, system_prompt, **details)
    with (
        calls.open(request, user=details.get("user"), purpose=purpose, deadline=deadline) as call,
        get_client().messages.with_streaming_response.create(**request, stream=True) as response,
    ):
        yield TextStream(call, response)


class TextStream:
    """The pieces of an answer. An empty piece says that Claude is at work and has no text yet.

    `answer` is the whole answer, once the pieces have come to their end.
    """

    def __init__(self, call: Call, response: Any) -> None:
        self._call = call
        self._response = response

    def __iter__(self) -> Iterator[str]:
        return calls.read_stream(self._call, self._response)

    @property
    def answer(self) -> Answer:
        return self._call.answer


# % include "validation.py"
