# The most questions in one fan-out.
CHAT_MAX_PROMPTS = config("CHAT_MAX_PROMPTS", default=20, cast=int)
# After this many seconds without an event the stream sends a comment, so that no proxy closes it.
CHAT_KEEPALIVE = config("CHAT_KEEPALIVE", default=15.0, cast=float)
# How many calls one fan-out makes at once.
CLAUDE_FAN_OUT = config("CLAUDE_FAN_OUT", default=4, cast=int)
