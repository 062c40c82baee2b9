"""Runs the server: `python -m claude_server`. Prints {"port": …} once it listens.

It ends on SIGTERM, SIGINT, or when its standard input ends, so that it never outlives the test that started it.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import threading

from .server import Server


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="claude_server", description="A stand-in for the Claude API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="default: any that is free")
    parser.add_argument("--stay", action="store_true", help="do not end with standard input")
    return parser.parse_args()


async def serve(host: str, port: int, stay: bool) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, stop.set)
    if not stay:
        threading.Thread(target=wait_for_end_of_input, args=(loop, stop), daemon=True).start()
    server = await Server().listen(host, port)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await stop.wait()
    server.close()


def wait_for_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(stop.set)


def main() -> None:
    options = arguments()
    asyncio.run(serve(options.host, options.port, options.stay))


if __name__ == "__main__":
    sys.exit(main())
