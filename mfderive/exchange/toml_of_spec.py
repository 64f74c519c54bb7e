"""A spec document as a TOML file with comments: for a person to edit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any


def toml_value(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {toml_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(each) for each in value) + "]"
    return repr(value)


def _key(key: str) -> str:
    is_bare = bool(key) and all(c.isascii() and (c.isalnum() or c in "_-") for c in key)
    return key if is_bare else json.dumps(key)


def _lines(table: Mapping[str, Any]) -> list[str]:
    lines = []
    for key, value in table.items():
        if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
            rows = ",\n    ".join(toml_value(each) for each in value)
            lines.append(f"{_key(key)} = [\n    {rows},\n]")
        else:
            lines.append(f"{_key(key)} = {toml_value(value)}")
    return lines


def toml_text(
    document: Mapping[str, Any], heading: Iterable[str], comments: Mapping[str, Iterable[str]]
) -> str:
    """The file: ``heading`` in front, ``comments`` by the name of a layer or of a table."""
    lines = [f"# {line}" for line in heading]
    lines += _lines({key: value for key, value in document.items() if not isinstance(value, (Mapping, list))})
    for name, table in document.items():
        tables = table if isinstance(table, list) else [table] if isinstance(table, Mapping) else []
        for each in tables:
            about = comments.get(str(each["name"]) if "name" in each else name, ())
            lines += [
                "",
                *(f"# {line}" for line in about),
                f"[[{name}]]" if isinstance(table, list) else f"[{name}]",
            ]
            lines += _lines(each)
    return "\n".join(lines) + "\n"
