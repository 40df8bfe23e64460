"""A small value that fits a JSON schema: arguments for a tool, or a reply in a format asked for."""

from collections.abc import Mapping
from typing import Any

# Deeper than any schema people write; a recursive one ends here.
MAX_DEPTH = 8


def example_of(schema: Any, text: str) -> Any:
    """A value for `schema` whose strings are `text`. Reads type, properties, enum, const, anyOf, $ref.

    Bounds such as minLength or pattern are not kept. What it does not know becomes an empty object.
    """
    root = schema if isinstance(schema, Mapping) else {}
    return _example(root, root, text, MAX_DEPTH)


def _example(schema: Any, root: Mapping[str, Any], text: str, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth == 0:
        return None
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return _example(schema[choice][0], root, text, depth - 1)
    if "$ref" in schema:
        return _example(_follow(schema["$ref"], root), root, text, depth - 1)
    if schema.get("type") in ("object", None):
        properties = schema.get("properties") or {}
        return {name: _example(value, root, text, depth - 1) for name, value in properties.items()}
    return _scalar(schema["type"], text)


def _follow(reference: Any, root: Mapping[str, Any]) -> Any:
    """What a reference inside the same schema, like `#/$defs/Line`, points to; else None."""
    target: Any = root
    for name in str(reference).removeprefix("#").strip("/").split("/"):
        if name:
            target = target.get(name) if isinstance(target, Mapping) else None
    return target


def _scalar(kind: Any, text: str) -> Any:
    first = kind[0] if isinstance(kind, list) and kind else kind
    values = {"string": text, "integer": 7, "number": 7.5, "boolean": True, "array": [], "object": {}}
    return values.get(str(first))
