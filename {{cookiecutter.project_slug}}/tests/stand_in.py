"""The offline stand-in, asked through the real SDK without a project around it."""

import functools
from typing import Any

import anthropic

from claude.offline import StandIn

THINKS = "claude-opus-5-5"  # a model that always thinks


@functools.cache
def sdk() -> anthropic.Anthropic:
    http_client = anthropic.DefaultHttpxClient(transport=StandIn())
    return anthropic.Anthropic(api_key="offline", http_client=http_client, max_retries=0)


def ask(prompt: str, **more: Any) -> dict[str, Any]:
    return {"model": "claude-test-model", "max_tokens": 1024, "messages": [{"role": "user", "content": prompt}], **more}


def streamed(*, beta: bool = False, **request: Any) -> Any:
    messages: Any = sdk().beta.messages if beta else sdk().messages
    with messages.stream(**request) as stream:
        return stream.get_final_message()


def structured(schema: Any, **more: Any) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}, **more}}
