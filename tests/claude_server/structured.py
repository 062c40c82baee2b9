"""A value that fits the JSON schema of a structured answer; each free text in it says what was asked.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

from typing import Any

FORMATS = {
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


def example(schema: Any, text: str, definitions: dict[str, Any] | None = None) -> Any:
    """The value. Raises ValueError for a schema that the API refuses, saying why."""
    if not isinstance(schema, dict):
        raise ValueError("Input should be a valid dictionary")
    definitions = schema.get("$defs", definitions or {})
    match schema:
        case {"$ref": reference}:
            name = reference.removeprefix("#/$defs/")
            if name not in definitions:
                raise ValueError(f"Circular or unknown reference {reference}")
            # Without itself, so that what leads back to it is found.
            return example(definitions[name], text, {key: definitions[key] for key in definitions if key != name})
        case {"const": value} | {"enum": [value, *_]}:
            return value
        case {"anyOf": [first, *_]} | {"allOf": [first, *_]}:
            return example(first, text, definitions)
        case {"type": "object", "additionalProperties": False}:
            return {key: example(part, text, definitions) for key, part in schema.get("properties", {}).items()}
        case {"type": "object"}:
            raise ValueError("For 'object' type, 'additionalProperties' must be explicitly set to false")
        case {"type": "array"}:
            return [example(schema["items"], text, definitions)] if "items" in schema else []
        case {"type": "string"}:
            return FORMATS.get(schema.get("format", ""), text)
        case {"type": "integer" | "number" | "boolean" | "null" as kind}:
            return {"integer": 1, "number": 0.5, "boolean": True, "null": None}[kind]
    raise ValueError(f"Invalid type {schema.get('type')!r}")
