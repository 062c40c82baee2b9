# When the server ends what is still under way, on the monotonic clock, in seconds.
drain_at = math.inf


class Deadline:
    """When a call must have ended, or several together: in `seconds` from now, which are CLAUDE_DEADLINE unless given."""

    def __init__(self, seconds: float | None = None) -> None:
        self._own_end = time.monotonic() + (settings.CLAUDE_DEADLINE if seconds is None else seconds)

    @property
    def ends_at(self) -> float:
        """On the monotonic clock, in seconds. A server that drains pulls it in."""
        return min(self._own_end, drain_at)

    def left(self) -> float:
        return self.ends_at - time.monotonic()

    def timeout(self) -> httpx2.Timeout:
        """For one attempt: no longer than what is left. Raises `error()` when nothing is."""
        left = self.left()
        if left <= 0:
            raise self.error()
        return httpx2.Timeout(min(settings.CLAUDE_TIMEOUT, left), connect=min(5, left))

    def error(self) -> Exception:
        """What to raise when the time is up: of the call's own end and the server's, the earlier one is the reason.

        The clock would not tell which: a timer may ring a moment before it.
        """
        if drain_at < self._own_end:
            return failures.Failure("restarting", "the server is stopping")
        return TimeoutError()

    def forbids_retry(self, attempt: Any, cause: BaseException) -> bool:
        """Whether another attempt would not help after an error of the network.

        The pause before it would outlast the time, or Claude was at work on an answer in one piece, which is silent until
        it is whole: another would be paid for again, and take as long.
        """
        at_work = isinstance(cause, httpx2.ReadTimeout) and not attempt.stream
        return at_work or isinstance(cause, failures.Failure) or pause_after(attempt) >= self.left()

    def limit_retry(self, attempt: Any, response: httpx2.Response) -> None:
        """Forbids a retry that would wait for longer than CLAUDE_RETRY_AFTER_CAP, or past the end."""
        asked = failures.retry_after(response.headers) or 0
        if not asked:
            # What makes no sense, such as "inf", the SDK would sleep through.
            response.headers.pop("retry-after", None)
            response.headers.pop("retry-after-ms", None)
        if asked > settings.CLAUDE_RETRY_AFTER_CAP or (asked or pause_after(attempt)) > self.left():
            response.headers["x-should-retry"] = "false"


def pause_after(attempt: Any) -> float:
    """How long the SDK waits at most before it tries again, in seconds, when the API does not say how long."""
    return min(0.5 * 2**attempt.retries_taken, 8)


