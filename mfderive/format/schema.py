"""The JSON Schema of spec files, made of the same tables that the reader checks with.

It states keys, types and which keys go together. Names, expressions and everything that needs two tables
at once are the reader's business, so a document that the schema accepts may still be refused.
"""

from __future__ import annotations

from typing import Any

from ..forward.kinds import DEFAULT_KIND, KINDS, ConnectionKind, connection_keys
from ..network.data_keys import DATA_KINDS, data_keys
from ..network.key_examples import examples_of
from ..network.signal_keys import SIGNAL
from ..network.tables import (
    CHECK,
    DOCUMENT,
    GROUP,
    LAW_SCHEMA,
    LAYER,
    LOSS_KINDS,
    OUTPUT,
    PARAMETER,
    REPEAT,
    SOLVER,
    TRAINING,
    WEIGHT_KEYS,
    inner_loss_keys,
)
from ..network.training_keys import plain_names, rule_schemas, schedule_schemas
from ..network.values import NOT_NEGATIVE, Key, Schema, Table

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a spec file, format 1."""
    top = _object(DOCUMENT)
    tables = ("data", "loss", "output", "training", "solver", "check", "signal")
    parts: dict[str, Any] = {name: {"$ref": f"#/$defs/{name}"} for name in tables}
    parts["layers"] = _LAYERS
    parts["losses"] = {"type": "array", "items": {"$ref": "#/$defs/inner-loss"}}
    for name, part in parts.items():
        top["properties"][name] = _described(DOCUMENT[name], part)
    return {
        "$schema": DIALECT,
        "title": "mfderive spec, format 1",
        **top,
        "$defs": {
            "data": _by_kind({kind: data_keys(kind) for kind in DATA_KINDS}, "data"),
            "loss": _by_kind(LOSS_KINDS, "loss"),
            "inner-loss": _by_kind({kind: inner_loss_keys(kind) for kind in LOSS_KINDS}, "loss"),
            "layer": _layer(),
            "group": _group(),
            "output": _output(),
            "connection": _connections(list(KINDS.values())),
            "output-connection": _connections([kind for kind in KINDS.values() if kind.into_output]),
            "law": LAW_SCHEMA,
            "parameter": _object(PARAMETER),
            "weight": _weight(),
            "training": _object(TRAINING),
            "optimizer": _named_or_table(rule_schemas(), "learning rule"),
            "schedule": _named_or_table(schedule_schemas(), "schedule"),
            "by-parameter": _BY_PARAMETER,
            "solver": _object(SOLVER),
            "check": _object(CHECK),
            "signal": _object(SIGNAL),
        },
    }


# Names of parameters have dots, which TOML reads as tables in tables where they stand without quotes.
_BY_PARAMETER: Schema = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {"anyOf": [NOT_NEGATIVE.schema, {"$ref": "#/$defs/by-parameter"}]},
}
_LAYERS: Schema = {
    "type": "array",
    "minItems": 1,
    "items": {
        "if": {"required": ["layers"]},
        "then": {"$ref": "#/$defs/group"},
        "else": {"$ref": "#/$defs/layer"},
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


def _described(key: Key, schema: Schema | None = None) -> Schema:
    """A key with its meaning and examples; ``schema``: that of its values, where it is not the type's own."""
    examples = examples_of(key)
    shown = {"examples": examples} if examples else {}
    return {"description": key.meaning, **(key.type.schema if schema is None else schema), **shown}


def _kind_of(what: str, kind: str) -> Schema:
    return {"description": f"the kind of {what}", "const": kind}


def _by_kind(kinds: dict[str, Table], what: str) -> Schema:
    """A table whose other keys depend on its ``kind``; ``what`` they are kinds of."""
    variants = []
    for kind, keys in kinds.items():
        variant = _object(keys)
        variant["properties"] = {"kind": _kind_of(what, kind), **variant["properties"]}
        variant["required"] = ["kind", *variant["required"]]
        variants.append(variant)
    return {"oneOf": variants}


def _named_or_table(kinds: dict[str, Table], what: str) -> Schema:
    """A kind by its name, where it needs nothing beside it, or a table with its kind."""
    return {"anyOf": [{"enum": plain_names(kinds)}, _by_kind(kinds, what)]}


def _weight() -> Schema:
    """A weight's table: a law with rate and perhaps a name, or only a name, perhaps transposed."""
    found = _object(WEIGHT_KEYS)
    found["anyOf"] = [
        {"required": ["law"], "properties": {"transpose": {"const": False}}},
        {"required": ["name"], "not": {"anyOf": [{"required": ["law"]}, {"required": ["rate"]}]}},
    ]
    return found


def _variants(keys: Table, item: str, kinds: list[ConnectionKind]) -> list[Schema]:
    """A layer or the output: in long form (connections), or in the short form of one kind."""
    long = _object(keys)
    items = {"type": "array", "minItems": 1, "items": {"$ref": f"#/$defs/{item}"}}
    long["properties"]["connections"] = _described(keys["connections"], items)
    long["required"].append("connections")
    own = {name: key for name, key in keys.items() if name != "connections"}
    return [long, *(_short(own, kind) for kind in kinds)]


def _short(keys: Table, kind: ConnectionKind) -> Schema:
    """The short form of one kind: the keys of its connection stand among the layer's own."""
    found = _object({**keys, **connection_keys(kind)})
    found["properties"]["kind"] = _kind_of("connection", kind.name)
    if kind.name != DEFAULT_KIND:
        found["required"].append("kind")
    return found


def _group() -> Schema:
    """A group of layers that is written several times."""
    found = _object(GROUP)
    found["properties"]["layers"] = _described(GROUP["layers"], _LAYERS)
    return found


def _output() -> Schema:
    kinds = [kind for kind in KINDS.values() if kind.into_output]
    return {"oneOf": _variants(OUTPUT, "output-connection", kinds)}


def _layer() -> Schema:
    long, *short = _variants(LAYER, "connection", list(KINDS.values()))
    for variant in short:
        variant["properties"][REPEAT.name] = _described(REPEAT)
    for kind, variant in zip(KINDS.values(), short, strict=True):
        # The default operation needs its weight.
        if kind.has_weight and "w" in kind.operation_reads:
            variant["anyOf"] = [{"required": ["weight"]}, {"required": ["operation"]}]
    for variant in (long, *short):
        laws = {
            "type": "object",
            "propertyNames": {"pattern": LAYER["name"].type.schema["pattern"]},
            "additionalProperties": LAYER["bias"].type.schema,
        }
        variant["properties"]["parameters"] = _described(LAYER["parameters"], laws)
        variant["not"] = {
            "anyOf": [
                {"required": ["size", "width"]},
                {"required": ["neurons", "size"]},
                {"required": ["neurons", "width"]},
            ]
        }
    return {"oneOf": [long, *short]}


def _connections(kinds: list[ConnectionKind]) -> Schema:
    """One variant per kind of connection; the default kind may be left out."""
    variants = []
    for kind in kinds:
        variant = _object(connection_keys(kind))
        variant["properties"]["kind"] = _kind_of("connection", kind.name)
        if kind.name != DEFAULT_KIND:
            variant["required"].append("kind")
        variants.append(variant)
    return {"oneOf": variants}
