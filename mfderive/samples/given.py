"""Arrays and frames that are handed over in Python: any numbers, booleans, words, column names kept.

A frame is anything with ``columns`` and ``to_numpy`` (pandas, polars), a series anything with ``name`` and
``to_numpy``; neither library is needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from ..errors import quoted
from .columns import Chosen, Column
from .data_facts import DataFacts
from .data_place import DROP, DataPlace, RowNames, few
from .rows import Rows, drop_missing, rows_of_columns

Array = Any


def given_rows(data: Any, options: Mapping[str, Any], place: DataPlace) -> Rows:
    """Rows of a pair (x, y); y may be None where the target is the input.

    x is [sample, ...] numbers, or a frame; y [sample] or [sample, output] numbers, or [sample] labels.
    Raises DataError for anything else.
    """
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise place.error(
            "data was not given as a pair", None, "Give data=(x, y); y may be None where y = 'x'"
        )
    if data[0] is None:
        raise place.error("x is None", None, "Give data=(x, y) with x as [sample, inputs]")
    if data[1] is None and options.get("y") != "x":
        raise place.error("y is None", "y", 'Give targets, or write y = "x" where the target is the input')
    _check_order(data[0], data[1], place)
    missing = options.get("missing")
    inputs = _plain_array(data[0], "x", place)
    if inputs.ndim == 0:
        raise place.error("x is a single number", None, "Expected [sample, inputs]")
    if 0 in inputs.shape[1:]:
        raise place.error(f"x has shape {inputs.shape}: no columns", None, "Expected [sample, inputs]")
    targets = None if data[1] is None else _plain_array(data[1], "y", place)
    if targets is not None and targets.ndim == 0:
        raise place.error("y is a single number", None, "Expected [sample] or [sample, outputs]")
    names = _names(data[0])
    plain = names is None and "one_hot" not in options and inputs.dtype.kind in "iufb"
    if plain or (targets is not None and len(targets) != len(inputs)):
        x = place.numbers(inputs, "x", None, missing)
        y = None if targets is None else target_values(targets, "y", None, place, missing)
        facts = DataFacts(targets=() if y is None else _target_names(data[1], y))
        return drop_missing(Rows(x, y, is_table=True, facts=facts), options, place)
    if inputs.ndim > 2:
        raise place.error(
            f"x has shape {inputs.shape}", "one_hot", "Only columns of [sample, column] have values"
        )
    table = inputs[:, None] if inputs.ndim == 1 else inputs
    if table.dtype.kind not in "iufbOUS":
        place.numbers(table, "x", None)  # refuses complex numbers, dates and the like
    columns = tuple(
        Column(
            c,
            names[c] if names else None,
            column_values(table[:, c], _called(names, c), None, place),
            names is not None and names.count(names[c]) > 1,
        )
        for c in range(table.shape[1])
    )
    chosen = Chosen(columns, _targets(data[1], targets, place, missing), RowNames(), "x")
    return rows_of_columns(chosen, options, place, DataFacts())


def _check_order(x: Any, y: Any, place: DataPlace) -> None:
    """Refuse x and y that name their rows alike and have them in another order (an ``index``, as in pandas).

    Rows belong together by their place. Names of rows that differ altogether (one of the two was numbered
    anew) say nothing about the order.
    """
    first, second = getattr(x, "index", None), getattr(y, "index", None)
    if callable(first) or callable(second) or first is None or second is None or len(first) != len(second):
        return
    names, others = list(first), list(second)
    if names != others and set(names) == set(others):
        row = next(row for row, (one, other) in enumerate(zip(names, others, strict=True)) if one != other)
        raise place.error(
            f"the rows of x and y are in different orders: row {row} (counted from 0) is "
            f"{quoted(str(names[row]))} in the index of x, {quoted(str(others[row]))} in that of y",
            None,
            "Bring them into one order, y = y.loc[x.index], or take the indices off: x.to_numpy()",
        )


def _targets(given: Any, y: Array | None, place: DataPlace, missing: str | None) -> tuple[Column, ...] | None:
    if y is None:
        return None
    if y.ndim > 2:
        raise place.error(f"y has shape {y.shape}", "y", "Expected [sample] or [sample, outputs]")
    table = y[:, None] if y.ndim == 1 else y
    names = _target_names(given, y) or tuple(f"y {c + 1}" for c in range(table.shape[1]))
    return tuple(
        Column(-1 - c, names[c], column_values(table[:, c], "y", None, place), names.count(names[c]) > 1)
        for c in range(table.shape[1])
    )


def _names(values: Any) -> list[str] | None:
    """The names of a frame's columns, of a series; None for an array."""
    if not hasattr(values, "to_numpy"):
        return None
    if hasattr(values, "columns"):
        return [str(name) for name in values.columns]
    name = getattr(values, "name", None)
    return None if name is None else [str(name)]


def _target_names(given: Any, y: Array) -> tuple[str, ...]:
    """What the columns of y are called; "y" for a single one without a name."""
    names = _names(given)
    if names is not None:
        return tuple(names)
    return ("y",) if y.ndim == 1 or y.shape[1:] == (1,) else ()


def _called(names: list[str] | None, column: int) -> str:
    return (
        f"column {column + 1} of x"
        if names is None
        else f"column {column + 1} ({quoted(names[column])}) of x"
    )


def _plain_array(values: Any, what: str, place: DataPlace) -> Array:
    """A numpy array of what was given."""
    if hasattr(values, "toarray"):
        raise place.error(f"{what} is a sparse matrix", None, f"Give it as an array: {what}.toarray()")
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(np.float64), np.nan)
    try:
        array = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    except (TypeError, ValueError):
        raise place.error(f"{what} has rows of unequal length", None, "Give one array") from None
    return array


def target_values(
    y: Array, what: str, key: str | None, place: DataPlace, missing: str | None = None
) -> Array:
    """Targets as float64 [sample] or [sample, output], or labels [sample]: bool, or text (object)."""
    one = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 and y.dtype.kind not in "iuf" else y
    if one.ndim != 1 or one.dtype.kind in "iuf":
        return place.numbers(y, what, key, missing)
    values = column_values(one, what, key, place)
    if missing != DROP:
        gaps = Column(0, None, values).missing
        if gaps.any():
            raise place.error(
                f"{int(gaps.sum())} of {len(values)} entries of {what} are missing, first entry "
                f"{int(np.argmax(gaps))} (counted from 0)",
                key,
                'Fill them in, or leave these rows out: missing = "drop" in [data]',
            )
    return values


def column_values(values: Array, what: str, key: str | None, place: DataPlace) -> Array:
    """One column [row] as float64 (nan: missing), bool, or text (object; None: missing)."""
    kind = values.dtype.kind
    if kind == "b":
        return values
    if kind in "iufcmMV":  # complex numbers, dates, times and records are refused there
        return place.numbers(values, what, key, DROP)
    if kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    entries = [None if _is_gap(entry) else entry for entry in values.tolist()]
    known = [entry for entry in entries if entry is not None]
    if all(isinstance(entry, bool) for entry in known) and known and len(known) == len(entries):
        return np.array(entries, dtype=bool)
    if all(isinstance(entry, Real) for entry in known):
        numbers = np.array([np.nan if entry is None else float(entry) for entry in entries])
        return place.numbers(numbers, what, key, DROP)
    found = np.empty(len(entries), dtype=object)
    found[:] = entries
    if all(isinstance(entry, str) for entry in known):
        return found
    other = next(entry for entry in known if not isinstance(entry, str))
    words = next((entry for entry in known if isinstance(entry, str)), None)
    beside = f"the word {quoted(words)} beside " if words is not None else ""
    raise place.error(
        f"{what} holds {beside}{few(str(other))} ({type(other).__name__}), where numbers or words are needed",
        key,
        "Convert the whole column to numbers, or to words (.astype(str))",
    )


def _is_gap(entry: Any) -> bool:
    """None, nan, an empty word, and the libraries' own words for a missing value."""
    if entry is None or (isinstance(entry, str) and not entry.strip()):
        return True
    if type(entry).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(entry, float) and entry != entry


def data_digest(data: Any) -> str:
    """A digest of a pair (x, y) as a caller gave it: values, shapes, names of columns.

    Numbers enter as float64, so that the precision in which they come does not matter.
    """
    digest = hashlib.sha256()
    for what, values in zip("xy", data, strict=True):
        if values is None:
            continue
        array = _plain_array(values, what, DataPlace())
        digest.update(str(array.shape).encode())
        if array.dtype.kind in "iufb":
            digest.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
        else:
            digest.update("\0".join(map(str, array.reshape(-1).tolist())).encode())
        names = _names(values)
        digest.update("\0".join(names).encode() if names and hasattr(values, "columns") else b"")
    return digest.hexdigest()
