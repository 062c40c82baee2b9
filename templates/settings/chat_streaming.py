# After this many seconds without an event the stream sends a comment, so that no proxy closes it.
CHAT_KEEPALIVE = config("CHAT_KEEPALIVE", default=15.0, cast=float)
