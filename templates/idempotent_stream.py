def idempotent_stream(request: HttpRequest, events: Generator[Event]) -> Generator[Event]:
    """The events of an answer, under the key of their request. The answer is kept before the last event is given."""
    try:
        with claimed(request) as question:
            rest = replayed(question.answer)
            pieces: list[str] = []
            while not rest:
                event = next(events)
                if "done" in event:
                    question.answer = whole(pieces, event)
                    rest = [event]
                else:
                    pieces.append(event.get("delta", ""))
                    yield event
        yield from rest
    finally:
        events.close()


# % include "events_of_answer.py"
