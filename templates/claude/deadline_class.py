# When the server ends what is still under way, on the monotonic clock, in seconds.
drain_at = math.inf
# How long the end of a response may take once its answer is whole, in seconds. If it comes by then, as it does from the
# API, the connection serves the next call, too: a new one costs more.
LINGER = 0.1
# In seconds: no clock takes any number.
MONTH = 30 * 24 * 60 * 60


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

    def check(self) -> float:
        """The seconds that are left. Raises `error()` when none are."""
        left = self.left()
        if not left > 0:
            raise self.error()
        return left

    def timeout(self) -> httpx2.Timeout:
        """For one attempt. Raises `error()` when no time is left."""
        connecting = min(5, self.check())
        return httpx2.Timeout(min(MONTH, settings.CLAUDE_TIMEOUT), connect=connecting, pool=connecting)

    def error(self) -> Exception:
        """What to raise when the time is up: of the call's own end and the server's, the earlier one is the reason.

        The clock would not tell which: a timer may ring a moment before it.
        """
        if drain_at < self._own_end:
            return failures.Failure("restarting", "the server is stopping")
        return TimeoutError()

    def instead_of_retry(self, attempt: Any, cause: BaseException) -> BaseException | None:
        """What to raise after an error of the network that another attempt would not help, as the pause before it would
        outlast the time."""
        if isinstance(cause, httpx2.TimeoutException) and self.left() < 0.1:
            return self.error()
        in_vain = isinstance(cause, failures.Failure) or pause_after(attempt) >= self.left()
        return cause if in_vain else None

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


