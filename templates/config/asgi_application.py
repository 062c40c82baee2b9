if not settings.HTTPS:
    django_application = ASGIStaticFilesHandler(django_application)  # type: ignore[arg-type]  # any will do


# How long streams may go on when the server stops, in seconds: less than it waits for them (config/uvicorn.py).
GRACE = int(os.environ.get("WEB_GRACE", "30")) * 5 / 6


def stop_streams_on_sigterm() -> None:
    """When the server gets SIGTERM, it ends the streams that take too long with a sentence before it drops them."""
    from claude import deadline

    loop = asyncio.get_running_loop()
    stop = signal.getsignal(signal.SIGTERM)

    def stop_streams(*args: Any) -> None:
        loop.call_soon_threadsafe(deadline.drain, GRACE)
        if callable(stop):
            stop(*args)

    signal.signal(signal.SIGTERM, stop_streams)


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """Hands requests to Django, and has the streams end when the server stops."""
    if scope["type"] != "lifespan":
        await django_application(scope, receive, send)
        return
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            stop_streams_on_sigterm()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
