def pieces_of(turn: Turn) -> Generator[str]:
    """Asks Claude the question of a turn."""
    request = build_request(turn.prompt, **turn.details)
    with (
        calls.open(request, user=turn.user, purpose="chat", conversation=turn.conversation_id) as call,
        closing(calls.stream(call, get_client().messages.with_streaming_response.create)) as pieces,
    ):
        turn.call = call
        yield from pieces
    turn.end(call.answer)
