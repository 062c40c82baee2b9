"""Puts a scripted server under the page. It stands for the network, never for code of ours."""

from scripted_server import PATIENCE, ScriptedServer, block

DONE = {"done": True, "stop_reason": "end_turn", "usage": {"input_tokens": 12, "output_tokens": 40}}
REFUSAL = "Claude <b>declined</b>: say what it is for."
REFUSED = {**DONE, "stop_reason": "refusal", "refusal": REFUSAL, "refusal_category": "cyber"}
THINKING = {"status": "thinking"}
RESTART = {"status": "restart"}

event = block


def respond(page, status, content, **options):
    """From now on, the questions of this page get this answer: JSON, or the text of a stream."""
    if isinstance(content, str):
        options = {"content_type": "text/event-stream", "body": content, **options}
    else:
        options = {"json": content, **options}
    page.unroute_all()
    page.route("**/chat/stream/", lambda route: route.fulfill(status=status, **options))


class Wire(ScriptedServer):
    """What a page asks comes here, and a test answers it."""

    def answer_for(self, page, path="**/chat/stream/"):
        """From now on, the questions of this page come here. The page sees no difference."""
        page.route(path, lambda route: route.continue_(url=self.url))

    def take(self, page):
        """The next question."""
        for _ in range(PATIENCE * 100):
            if not self.exchanges.empty():
                return self.exchanges.get()
            page.wait_for_timeout(10)  # Playwright hands the request on while it waits
        raise AssertionError(f"the page sent nothing for {PATIENCE} s")
