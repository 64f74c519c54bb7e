"""The JSON Schema of spec files, made of the same tables that the reader checks with.

It states keys, types and which keys go together. Names, expressions and everything that needs two tables
at once are the reader's business, so a document that the schema accepts may still be refused.
"""

from __future__ import annotations

from typing import Any

from .kinds import DEFAULT_KIND, KINDS, ConnectionKind, connection_keys
from .tables import (
    CHECK,
    DATA_KINDS,
    DOCUMENT,
    LAYER,
    LOSS_KINDS,
    OUTPUT,
    PARAMETER,
    SOLVER,
    TRAINING,
    WEIGHT_KEYS,
    data_keys,
)
from .values import Key, Schema, Table

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a spec file, format 1."""
    top = _object(DOCUMENT)
    tables = ("data", "loss", "output", "training", "solver", "check")
    parts: dict[str, Any] = {name: {"$ref": f"#/$defs/{name}"} for name in tables}
    parts["layers"] = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/layer"}}
    for name, part in parts.items():
        top["properties"][name] = {"description": DOCUMENT[name].meaning, **part}
    return {
        "$schema": DIALECT,
        "title": "mfderive spec, format 1",
        **top,
        "$defs": {
            "data": _by_kind({kind: data_keys(kind) for kind in DATA_KINDS}),
            "loss": _by_kind(LOSS_KINDS),
            "layer": _layer(),
            "output": _with_connections(OUTPUT, "output connection"),
            "connection": _connections(list(KINDS.values())),
            "output connection": _connections([kind for kind in KINDS.values() if kind.into_output]),
            "parameter": _object(PARAMETER),
            "weight": _weight(),
            "training": _object(TRAINING),
            "solver": _object(SOLVER),
            "check": _object(CHECK),
        },
    }


def _object(keys: Table) -> Schema:
    """A table with these keys and no others."""
    return {
        "type": "object",
        "properties": {name: _described(key) for name, key in keys.items()},
        "required": [name for name, key in keys.items() if key.required],
        "additionalProperties": False,
    }


def _described(key: Key) -> Schema:
    return {"description": key.meaning, **key.type.schema}


def _by_kind(kinds: dict[str, Table]) -> Schema:
    """A table whose other keys depend on its ``kind``."""
    variants = []
    for kind, keys in kinds.items():
        variant = _object(keys)
        variant["properties"] = {"kind": {"const": kind}, **variant["properties"]}
        variant["required"] = ["kind", *variant["required"]]
        variants.append(variant)
    return {"oneOf": variants}


def _weight() -> Schema:
    """A weight's table: a law with rate and perhaps a name, or only a name, perhaps transposed."""
    found = _object(WEIGHT_KEYS)
    found["anyOf"] = [
        {"required": ["law"], "properties": {"transpose": {"const": False}}},
        {"required": ["name"], "not": {"anyOf": [{"required": ["law"]}, {"required": ["rate"]}]}},
    ]
    return found


def _with_connections(keys: Table, item: str) -> Schema:
    """A layer or the output: the short form (from, weight) or the long one (connections)."""
    found = _object(keys)
    found["properties"]["connections"] = {
        "description": keys["connections"].meaning,
        "type": "array",
        "minItems": 1,
        "items": {"$ref": f"#/$defs/{item}"},
    }
    short = {"required": ["from"], "not": {"required": ["connections"]}}
    long = {
        "required": ["connections"],
        "not": {"anyOf": [{"required": ["from"]}, {"required": ["weight"]}]},
    }
    found["oneOf"] = [short, long]
    return found


def _layer() -> Schema:
    found = _with_connections(LAYER, "connection")
    found["properties"]["parameters"] = {
        "description": LAYER["parameters"].meaning,
        "type": "object",
        "propertyNames": {"pattern": LAYER["name"].type.schema["pattern"]},
        "additionalProperties": LAYER["bias"].type.schema,
    }
    found["not"] = {
        "anyOf": [
            {"required": ["size", "width"]},
            {"required": ["neurons", "size"]},
            {"required": ["neurons", "width"]},
        ]
    }
    # In the short form a connection is dense with its default operation, which needs a weight.
    found["dependentRequired"] = {"from": ["weight"]}
    return found


def _connections(kinds: list[ConnectionKind]) -> Schema:
    """One variant a kind of connection; the default kind may be left out."""
    variants = []
    for kind in kinds:
        variant = _object(connection_keys(kind))
        variant["properties"]["kind"] = {"const": kind.name}
        if kind.name != DEFAULT_KIND:
            variant["required"].append("kind")
        variants.append(variant)
    return {"oneOf": variants}
