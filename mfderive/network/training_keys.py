"""Keys of ``[training]`` that have tables of their own: the learning rule, schedules, values by parameter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..algebra.update_rules import RULES, RuleConstant, UpdateRule
from .schedules import SCHEDULES
from .values import EXPRESSION, NOT_NEGATIVE, TABLE, Key, Table, ValueType, either, is_number, table

KIND = "kind"
DEFAULT = "default"  # the name that stands for every parameter without a value of its own

OPTIMIZER = ValueType(
    "the name of a learning rule, or a table with its 'kind' and its constants",
    lambda value: (isinstance(value, str) and any(map(str.isalpha, value))) or TABLE.accepts(value),
    {"$ref": "#/$defs/optimizer"},
)
SCHEDULE = ValueType(
    "an expression in k (a string), the name of a schedule, or a table with its 'kind' and its numbers",
    either(EXPRESSION, TABLE).accepts,
    {"anyOf": [EXPRESSION.schema, {"$ref": "#/$defs/schedule"}]},
)
RATE = ValueType(
    "a number of at least 0, an expression in t (a string), or a schedule (its name, or a table with 'kind')",
    either(NOT_NEGATIVE, EXPRESSION, TABLE).accepts,
    {"anyOf": [NOT_NEGATIVE.schema, EXPRESSION.schema, {"$ref": "#/$defs/schedule"}]},
)
BY_PARAMETER = ValueType(
    "a number of at least 0 for all parameters, or a table by parameter with 'default' for the others",
    lambda value: _all_accepted(value) if isinstance(value, Mapping) else NOT_NEGATIVE.accepts(value),
    {"anyOf": [NOT_NEGATIVE.schema, {"$ref": "#/$defs/by-parameter"}]},
)
PROBABILITY = ValueType(
    "a probability q with 0 <= q < 1",
    lambda value: is_number(value) and 0 <= value < 1,
    {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
)


def _all_accepted(values: Mapping[str, Any]) -> bool:
    numbers = [number for _, number in by_parameter(values)]
    return bool(numbers) and all(map(NOT_NEGATIVE.accepts, numbers))


def by_parameter(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names of parameters with their values: ``h2.weight = 1`` in TOML is ``{"h2": {"weight": 1}}``."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{rest}", each) for rest, each in by_parameter(value))
        else:
            yield name, value


def rule_keys(row: UpdateRule) -> Table:
    """The constants of a learning rule as keys beside ``kind``."""
    return table(
        *(
            Key(each.name, _number(each), _meaning(each), required=each.default is None)
            for each in row.constants
        )
    )


def _number(constant: RuleConstant) -> ValueType:
    schema: dict[str, Any] = {"type": "number"}
    for bound, side, word in ((constant.low, "low", "inimum"), (constant.high, "high", "aximum")):
        if abs(bound) != float("inf"):
            is_open = constant.open in (side, "both")
            schema[f"exclusiveM{word}" if is_open else f"m{word}"] = bound
    words = "a finite number" if constant.allowed == "any number" else f"a number, {constant.allowed}"
    return ValueType(words, lambda value: is_number(value) and constant.allows(value), schema)


def _meaning(constant: RuleConstant) -> str:
    default = "" if constant.default is None else f"; default {constant.default:g}"
    return f"{constant.meaning}{default}"


def rule_schemas() -> dict[str, Table]:
    """The keys of every learning rule by its name, those of your own among them."""
    return {name: rule_keys(row) for name, row in RULES.items()}


def schedule_schemas() -> dict[str, Table]:
    """The keys of every schedule by its name."""
    return {name: row.keys for name, row in SCHEDULES.items()}


def plain_names(kinds: Mapping[str, Table]) -> list[str]:
    """The kinds that are complete as a word: no key of theirs must be given."""
    return [name for name, keys in kinds.items() if not any(key.required for key in keys.values())]
