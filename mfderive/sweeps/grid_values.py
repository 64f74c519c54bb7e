"""Grids and their values in texts: ``normal(1, {tau})`` with tau = 0.1 is ``normal(1, 0.1)``."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from ..algebra.arguments import found
from ..errors import ArgumentError, nearest, quoted, shown

Value = float | int | str | bool
Values = Mapping[str, Value]
Grid = dict[str, tuple[Value, ...]]

LONGEST_VARIABLE = 40
# The columns of a sweep's table beside those of its variables.
COLUMNS = ("state", "loss", "loss_low", "loss_high", "error", "t", "steps", "seconds", "note", "folder")
_VARIABLE = re.compile(rf"[A-Za-z]\w{{0,{LONGEST_VARIABLE - 1}}}", re.ASCII)
_PLACE = re.compile(r"\{([A-Za-z_]\w*)\}", re.ASCII)
_LONGEST_NAME = 100  # characters of the name of a setting
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.=,+-]")


def checked_grid(grid: Any) -> Grid:
    """A grid as plain data: values by variable. Raises ArgumentError for what no grid can be."""
    if not isinstance(grid, Mapping) or not grid:
        has = f"grid is {found(grid)}; a sweep" if grid else "a sweep"
        raise ArgumentError(
            f'{has} needs at least one variable with its values, for instance grid={{"tau": [0.1, 1, 3]}} '
            "(on the command line --grid tau=0.1,1,3)"
        )
    return {_variable(name): _values(name, values) for name, values in grid.items()}


def _variable(name: Any) -> str:
    if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
        raise ArgumentError(
            f"grid: {shown(name)} cannot be the name of a variable; it must be a letter, then letters, "
            f"digits and underscores, at most {LONGEST_VARIABLE}"
        )
    if name in COLUMNS:
        raise ArgumentError(
            f"grid: '{name}' is a column of the table of every sweep ({', '.join(COLUMNS)}); give the "
            "variable another name"
        )
    return name


def _values(name: str, values: Any) -> tuple[Value, ...]:
    if callable(getattr(values, "tolist", None)):  # arrays
        values = values.tolist()
    if not isinstance(values, list | tuple | range):
        raise ArgumentError(f"grid: {name} is {found(values)}; give a list of values, such as [0.1, 1, 3]")
    if not values:
        raise ArgumentError(f"grid: {name} has no values; give at least one")
    checked = tuple(_value(name, value) for value in values)
    for position, value in enumerate(checked):
        if any(_same(value, other) for other in checked[:position]):
            raise ArgumentError(f"grid: {name} has the value {shown(value)} twice; give it once")
    return checked


def _value(name: str, value: Any) -> Value:
    if callable(getattr(value, "item", None)):  # numbers of numpy
        value = value.item()
    plain = isinstance(value, bool | int | float) or (isinstance(value, str) and value.strip())
    if not plain or (isinstance(value, float) and not math.isfinite(value)):
        raise ArgumentError(
            f"grid: {name} has the value {shown(value)}; a value is a finite number, a text that is not "
            "empty, True or False"
        )
    return value  # type: ignore[no-any-return]


def _same(one: Value, other: Value) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def combinations(grid: Grid) -> Iterator[dict[str, Value]]:
    """Every setting of a grid, the last variable changing fastest."""
    for values in product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def variables_in(value: Any) -> Iterator[str]:
    """The names of the variables that a text reads, or those in a list or a table."""
    if isinstance(value, str):
        yield from _PLACE.findall(value)
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from variables_in(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from variables_in(entry)


def check_variables(texts: Mapping[str, Any], grid: Grid) -> None:
    """Raise ArgumentError for a variable without values, and for values that nothing reads."""
    read = set()
    for key, value in texts.items():
        for name in variables_in(value):
            if name not in grid:
                raise ArgumentError(
                    f"set {quoted(key)} reads {{{name}}}, but the grid has no variable {quoted(name)}. "
                    f"{nearest(name, grid)}"
                )
            read.add(name)
    for name in grid:
        if name not in read:
            raise ArgumentError(
                f"the grid has the variable '{name}', but nothing that is set reads {{{name}}}: every value "
                f"would give the same run. Write {{{name}}} into a value of set, or leave the variable out"
            )


def filled(value: Any, values: Values) -> Any:
    """A value with ``{name}`` replaced; a text that is ``{name}`` alone becomes the value itself."""
    if isinstance(value, Mapping):
        return {key: filled(entry, values) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [filled(entry, values) for entry in value]
    if not isinstance(value, str):
        return value
    alone = _PLACE.fullmatch(value.strip())
    if alone:
        return values[alone[1]]
    return _PLACE.sub(lambda place: written(values[place[1]]), value)


def written(value: Value) -> str:
    """A value inside a text; a negative number in parentheses, so that ``{a}**2`` means its square."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    return f"({value!r})" if value < 0 else repr(value)


def setting_name(values: Values) -> str:
    """What a setting is called, also as a folder: ``tau=0.1,mu=0.9``.

    Texts may hold what no file name can, or differ by nothing else: such names end with a digest.
    """
    text = ",".join(f"{name}={value}" for name, value in values.items())
    name = _NOT_IN_NAMES.sub("_", text)[:_LONGEST_NAME]
    if name == text and not any(isinstance(value, str) for value in values.values()):
        return name
    return f"{name}-{hashlib.sha256(json.dumps(dict(values)).encode()).hexdigest()[:8]}"
