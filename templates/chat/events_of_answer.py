def collect(pieces: list[str], event: Event) -> None:
    """Adds what an event says to the text so far, or takes all of it back."""
    if event.get("status") == "restart":
        pieces.clear()
    pieces.append(event.get("delta", ""))


def whole(pieces: list[str], last: Event) -> Json:
    """The answer that the events of a stream come to."""
    return {"answer": "".join(pieces), **{name: value for name, value in last.items() if name != "done"}}


def replayed(answer: Json | None) -> list[Event]:
    """The events of an answer that was given before, if it was."""
    return [] if answer is None else [*([{"delta": answer["answer"]}] if answer["answer"] else []), done(answer)]


