"""Has the server of an async project say when a step in its event loop takes long: all users would wait for that.

asyncio's own debug mode measures time that passes, which says little on a busy machine: here it is processor time.
"""

from production import change_line

BLOCKED = "The event loop was blocked"
LIMIT = 0.05
"""Seconds of the processor."""

WATCH = f'''
import asyncio
import logging
import time

_run = asyncio.Handle._run


def run(self):
    before = time.thread_time()
    try:
        _run(self)
    finally:
        seconds = time.thread_time() - before
        if seconds > {LIMIT}:
            task = getattr(self._callback, "__self__", None)
            logging.getLogger("claude").warning("{BLOCKED} for %.3f s: %s", seconds, repr(task or self)[:1000])


asyncio.Handle._run = run


def block():
    end = time.thread_time() + {2 * LIMIT}
    while time.thread_time() < end:
        pass
'''
BLOCK = """        if request.path_info == "/block":
            import watch

            watch.block()
"""


def watched(project):
    """Changes a project: its loop is that of Python, which can be watched, and who gets `/block` blocks it."""
    (project / "watch.py").write_text(WATCH, encoding="utf-8")
    server = project / "config/uvicorn.py"
    change_line(server, '    "server_header": False,\n', '    "server_header": False,\n    "loop": "asyncio",\n')
    change_line(server, 'if __name__ == "__main__":\n', 'if __name__ == "__main__":\n    import watch\n\n')
    health = project / "config/health.py"
    first = '        if request.path_info == "/healthz":\n'
    change_line(health, first, BLOCK + first)
