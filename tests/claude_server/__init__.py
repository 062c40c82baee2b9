"""A stand-in for the Claude API, in its own process, that answers and fails as a test tells it to. See README.md."""

from .client import KEY, ClaudeServer, Lane, refused_url
from .record import Exchange, fingerprint

__all__ = ["KEY", "ClaudeServer", "Exchange", "Lane", "fingerprint", "refused_url"]
