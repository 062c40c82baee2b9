clients: dict[asyncio.AbstractEventLoop, anthropic.AsyncAnthropic] = {}
closing: set[asyncio.Task[None]] = set()


def aget_client() -> anthropic.AsyncAnthropic:
    """The one client of the running event loop, whose sockets belong to that loop.

    Raises `Failure` when key, address or environment cannot work. Ask questions inside `claude.calls.open`.
    """
    loop = asyncio.get_running_loop()
    if loop not in clients:
        import anthropic

        with failing_as_misconfigured():
            refuse_socks()
            http_client = anthropic.DefaultAioHttpClient(**http_options())
            clients[loop] = anthropic.AsyncAnthropic(http_client=http_client, **options())
        task = loop.create_task(close_at_the_end(clients[loop]))
        closing.add(task)
        task.add_done_callback(closing.discard)
    return clients[loop]


def refuse_socks() -> None:
    """aiohttp knows no SOCKS: it would speak HTTP to such a proxy."""
    proxies = {} if settings.CLAUDE_OFFLINE else urllib.request.getproxies()
    if any(proxies.get(scheme, "").lower().startswith("socks") for scheme in ("http", "https", "all")):
        raise ValueError


async def close_at_the_end(client: anthropic.AsyncAnthropic) -> None:
    """Closes the client's connections when the running loop ends, which cancels what still goes on in it.

    The loop of a server ends with the server, that of `async_to_sync` or `asyncio.run` with each call.
    """
    loop = asyncio.get_running_loop()
    try:
        await loop.create_future()
    finally:
        clients.pop(loop, None)
        await client.close()


