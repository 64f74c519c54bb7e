"""Rows of x and y as they were read or given, before labels, units and shape are seen to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..algebra.showing import Shown
from .columns import Chosen, Column, inputs_of, some_values
from .data_facts import DataFacts
from .data_place import DROP, DataPlace, RowNames

Array = Any


@dataclass(frozen=True, repr=False)
class Rows(Shown):
    """What was read: x [n, ...] and y [n] or [n, outputs] (None where the target is the input).

    y is float64, or labels [n]: bool, or text (object). ``scale`` is the natural range of x for the key
    ``range``; ``classes``: y holds class numbers 0, 1, ...; ``test`` has the arrays of separate test files.
    ``is_table``: a table or arrays, no images: rows that are held out are taken from every class, and columns
    have names and units. ``facts`` is what reading found,
    ``names`` is how messages call the rows; ``class_names[k]`` what the data calls the class with label k.
    """

    x: Array
    y: Array | None
    scale: tuple[float, float] | None = None
    classes: bool = False
    test: tuple[Array, Array | None] | None = None
    is_table: bool = False
    facts: DataFacts = field(default_factory=DataFacts)
    names: RowNames = field(default_factory=RowNames)
    class_names: tuple[str, ...] = ()


def rows_of_columns(chosen: Chosen, options: Mapping[str, Any], place: DataPlace, facts: DataFacts) -> Rows:
    """Rows out of chosen columns: missing values, columns that are written out, words.

    Raises DataError for words where numbers are needed and for missing values that are not to be dropped.
    """
    kept, dropped = chosen.without_missing(options.get("missing") == DROP, place)
    asked = options.get("one_hot", ())
    inputs = inputs_of(kept, asked, place)
    y = kept.y
    targets = () if y is None else tuple(column.label for column in y)
    facts = replace(facts, inputs=inputs, targets=targets, dropped=dropped)
    x = inputs.write(kept.x)
    if y is None:
        return Rows(x, None, is_table=True, facts=facts, names=kept.rows)
    if len(y) == 1:
        written = any(y[0].is_called(name) for name in asked)
        return Rows(x, y[0].values, classes=written, is_table=True, facts=facts, names=kept.rows)
    return Rows(x, _target_columns(y, asked, place), is_table=True, facts=facts, names=kept.rows)


def _target_columns(columns: tuple[Column, ...], asked: Any, place: DataPlace) -> Array:
    for column in columns:
        if column.is_words or any(column.is_called(name) for name in asked):
            words = f" ({some_values(column.values)})" if column.is_words else ""
            raise place.error(
                f"{column} of y holds classes{words}, but y has {len(columns)} columns",
                "y",
                "Name one column of classes, or several of numbers",
            )
    return np.stack([column.values.astype(np.float64) for column in columns], axis=1)


def drop_missing(rows: Rows, options: Mapping[str, Any], place: DataPlace) -> Rows:
    """Arrays without the rows in which a number is nan, where the spec says so (else nothing is nan)."""
    if options.get("missing") != DROP:
        return rows
    bad = np.isnan(rows.x).reshape(len(rows.x), -1).any(axis=1)
    y = rows.y
    if y is not None and len(y) == len(bad):
        if y.dtype.kind == "f":
            bad |= np.isnan(y).reshape(len(y), -1).any(axis=1)
        elif y.dtype.kind == "O":
            bad |= np.array([value is None for value in y], dtype=bool)
    elif y is not None:
        return rows  # their lengths are refused where both are looked at
    if len(bad) and bad.all():
        raise place.error("every row has a missing value, so that dropping them leaves nothing", "missing")
    kept = np.flatnonzero(~bad)
    facts = replace(rows.facts, dropped=rows.facts.dropped + int(bad.sum()))
    return replace(rows, x=rows.x[kept], y=None if y is None else y[kept], facts=facts)
