Event = dict[str, Any]
# An event without content: a comment tells the browser, and every proxy on the way, that the answer is still coming.
KEEPALIVE: Event = {}

HEADERS = {
    # Nothing keeps an answer, and nothing compresses one: that would hold its pieces back.
    "Cache-Control": "no-cache, no-transform",
    "Content-Encoding": "identity",
    # https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
    "X-Accel-Buffering": "no",
}


def event_of(piece: str) -> Event:
    """The event for a piece of an answer, or for a sign of `claude.reader` in place of one."""
    if isinstance(piece, Sign):
        return KEEPALIVE if piece is WAITING else {"status": piece.meaning}
    return {"delta": piece} if piece else KEEPALIVE


def done(answer: Mapping[str, Any]) -> Event:
    """The last event of an answer: all that its JSON says but the text."""
    return {"done": True, **{name: value for name, value in answer.items() if name != "answer"}}


def frame(event: Event | Failure) -> bytes:
    """An event on the wire."""
    if event == KEEPALIVE:
        return b": keepalive\n\n"
    if isinstance(event, Failure):
        # No header can say it any more.
        wait = {} if event.retry_after is None else {"retry_after": event.retry_after}
        event = error_json(event) | wait
    return f"data: {json.dumps(event)}\n\n".encode()


