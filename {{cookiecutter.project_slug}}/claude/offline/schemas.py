"""A small value that fits the JSON schema of a structured answer.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

import re
from typing import Any

STRINGS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "duration": "P1D",
    "email": "user@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "12:00:00Z",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
VALUES = {"string": "text", "integer": 1, "number": 0.5, "boolean": True, "null": None}
# The SDK moves a bound that the API does not enforce into the description, where Claude reads it.
BOUND = re.compile(r"\b(?:minimum|minItems): (\d+)")


def example(schema: Any, definitions: dict[str, Any] | None = None) -> Any:
    """The value. Raises ValueError, with the API's words, for a schema that the API does not take."""
    if not isinstance(schema, dict):
        raise ValueError("Input should be a valid dictionary")
    definitions = schema.get("$defs", definitions or {})
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        if name not in definitions:
            raise ValueError("Circular or unknown reference " + schema["$ref"])
        # What a definition is made of may not lead back to it.
        rest = {other: definitions[other] for other in definitions if other != name}
        return example(definitions[name], rest)
    if "const" in schema:
        return schema["const"]
    for name in ("enum", "anyOf", "allOf"):
        if schema.get(name):
            return schema[name][0] if name == "enum" else example(schema[name][0], definitions)
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            raise ValueError("For 'object' type, 'additionalProperties' must be explicitly set to false")
        return {name: example(part, definitions) for name, part in schema.get("properties", {}).items()}
    bound = BOUND.search(schema.get("description", ""))
    if schema.get("type") == "array":
        return [example(schema["items"], definitions)] * (int(bound[1]) if bound else 1) if "items" in schema else []
    if schema.get("type") in ("integer", "number") and bound:
        return int(bound[1])
    if schema.get("type") not in VALUES:
        raise ValueError(f"Invalid type {schema.get('type')!r}")
    return STRINGS.get(schema.get("format", ""), VALUES[schema["type"]])
