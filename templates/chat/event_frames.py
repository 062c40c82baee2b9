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


class HtmlAnswer:
    """What a page that asks for `format=html` gets in addition: the HTML of an answer, as far as it has come.

    `blocks` are the updates of `chat.live`, and `tail` is the text after them, which grows by each `delta`.
    """

    def __init__(self) -> None:
        self._live = Live()

    def add_to(self, event: Event) -> Event:
        if "delta" in event:
            grown = len(self._live.tail) + len(event["delta"])
            blocks = self._live.feed(event["delta"])
            return event if len(self._live.tail) == grown else {**event, "blocks": blocks, "tail": self._live.tail}
        if event.get("status") == RESTART.meaning:
            self._live = Live()
        return event | self.end() if "done" in event else event

    def work(self, event: Event) -> int:
        """About how many characters `add_to` would parse."""
        is_line = "done" in event or "\n" in event.get("delta", "")
        return self._live.unfinished + len(event.get("delta", "")) if is_line else 0

    def end(self) -> Event:
        return {"blocks": self._live.end(), "tail": ""}


def frame(event: Event | Failure) -> bytes:
    """An event on the wire."""
    if event == KEEPALIVE:
        return b": keepalive\n\n"
    if isinstance(event, Failure):
        # No header can say it any more.
        wait = {} if event.retry_after is None else {"retry_after": event.retry_after}
        event = error_json(event) | wait
    return f"data: {json.dumps(event)}\n\n".encode()


