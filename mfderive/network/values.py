"""What a value in a spec may be: one check, its words for the error and its JSON Schema, in one place."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

# A schedule that is negative by less is 0: a rounding, as one that ends at 0 may have.
SCHEDULE_ROUNDING = 1e-12


@dataclass(frozen=True)
class ValueType:
    """A kind of value: ``words`` complete the sentence "must be ..."."""

    words: str
    accepts: Callable[[Any], bool]
    schema: Schema


@dataclass(frozen=True)
class Key:
    """One key of a table: its name, what its value may be, and what it means."""

    name: str
    type: ValueType
    meaning: str
    required: bool = False


Table = Mapping[str, Key]


def table(*keys: Key) -> dict[str, Key]:
    """Keys by name."""
    return {key.name: key for key in keys}


def is_number(value: Any) -> bool:
    """Whether a value is a finite number (True and False are not)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 10**300


def is_integer(value: Any) -> bool:
    """Whether a value is a whole number written as one (no decimal point)."""
    return isinstance(value, int) and not isinstance(value, bool)


def integer(low: int, words: str) -> ValueType:
    """A whole number of at least ``low``."""
    return ValueType(
        words,
        lambda value: is_integer(value) and low <= value < 2**63,
        {"type": "integer", "minimum": low},
    )


def one_of(*names: str) -> ValueType:
    """One of a few words."""
    words = " or ".join(f"'{name}'" for name in names)
    return ValueType(words, lambda value: isinstance(value, str) and value in names, {"enum": list(names)})


def list_of(item: ValueType, words: str, low: int = 1, high: int | None = None) -> ValueType:
    """A list of values of one type, with at least ``low`` and at most ``high`` of them."""

    def accepts(value: Any) -> bool:
        if not isinstance(value, list | tuple) or len(value) < low:
            return False
        return (high is None or len(value) <= high) and all(item.accepts(entry) for entry in value)

    schema: Schema = {"type": "array", "items": item.schema, "minItems": low}
    if high is not None:
        schema["maxItems"] = high
    return ValueType(words, accepts, schema)


def either(*types: ValueType) -> ValueType:
    """A value of any of several types."""
    return ValueType(
        " or ".join(each.words for each in types),
        lambda value: any(each.accepts(value) for each in types),
        {"anyOf": [each.schema for each in types]},
    )


def by_name(item: ValueType) -> ValueType:
    """One value for all, or a table with a value for each of some names."""
    named: Schema = {"type": "object", "additionalProperties": item.schema, "minProperties": 1}
    return ValueType(
        f"{item.words}, for all or as a table by name",
        lambda value: (
            bool(value) and all(item.accepts(each) for each in value.values())
            if isinstance(value, Mapping)
            else item.accepts(value)
        ),
        {"anyOf": [item.schema, named]},
    )


def each_once(items: ValueType) -> ValueType:
    """A list of which no entry comes twice."""
    return ValueType(
        f"{items.words}, each once",
        lambda value: items.accepts(value) and len(set(value)) == len(value),
        {**items.schema, "uniqueItems": True},
    )


TEXT = ValueType(
    "a string that is not empty",
    lambda value: isinstance(value, str) and bool(value.strip()),
    {"type": "string", "pattern": "\\S"},
)
LONGEST_NAME = 100
NAME = ValueType(
    f"a name (a letter, then letters, digits and underscores, at most {LONGEST_NAME})",
    lambda value: (
        isinstance(value, str)
        and len(value) <= LONGEST_NAME
        and value.isascii()
        and value.isidentifier()
        and not value.startswith("_")
    ),
    {"type": "string", "pattern": f"^[A-Za-z][A-Za-z0-9_]{{0,{LONGEST_NAME - 1}}}$"},
)
EXPRESSION = ValueType("an expression (a string)", TEXT.accepts, TEXT.schema)
FLAG = ValueType("true or false", lambda value: isinstance(value, bool), {"type": "boolean"})
NUMBER = ValueType("a finite number", is_number, {"type": "number"})
POSITIVE = ValueType(
    "a number greater than 0",
    lambda value: is_number(value) and value > 0,
    {"type": "number", "exclusiveMinimum": 0},
)
NOT_NEGATIVE = ValueType(
    "a number of at least 0",
    lambda value: is_number(value) and value >= 0,
    {"type": "number", "minimum": 0},
)
COUNT = integer(1, "a whole number of at least 1")
COUNTS = list_of(COUNT, "a list of whole numbers of at least 1")
WHOLE = integer(0, "a whole number of at least 0")
TABLE = ValueType("a table", lambda value: isinstance(value, Mapping), {"type": "object"})
TABLES = ValueType(
    "a list of tables ([[...]])",
    lambda value: isinstance(value, list | tuple) and all(isinstance(item, Mapping) for item in value),
    {"type": "array", "items": {"type": "object"}},
)
