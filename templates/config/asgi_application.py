if not settings.HTTPS:
    django_application = ASGIStaticFilesHandler(django_application)  # type: ignore[arg-type]  # any will do


# How long calls may go on when the server stops, in seconds: less than it waits for them (config/uvicorn.py).
GRACE = settings.WEB_GRACE * 5 / 6


def stop_calls_on_sigterm() -> None:
    """When the server gets SIGTERM, it ends the calls that take too long with a sentence before it drops them."""
    from claude import deadline

    stop = signal.getsignal(signal.SIGTERM)

    def stop_calls(*args: Any) -> None:
        deadline.drain(GRACE)
        if callable(stop):
            stop(*args)

    signal.signal(signal.SIGTERM, stop_calls)


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """Hands requests to Django, and has the calls end when the server stops."""
    if scope["type"] != "lifespan":
        await django_application(scope, receive, send)
        return
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            from config.warm_up import warm_up  # which needs the models

            stop_calls_on_sigterm()
            warm_up()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await sync_to_async(background.flush)()  # a server that ends by the signal itself runs nothing after this
            await send({"type": "lifespan.shutdown.complete"})
            return
