"""Columns of a table, from a file or from Python: numbers or words, missing cells, one-hot columns.

Messages count lines, rows and columns from 1, as editors do, and name the heading. The keys ``x``, ``y`` and
``one_hot`` of a spec name a column by its heading or by its number from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from ..algebra.showing import Shown
from ..errors import quoted, shown
from .data_place import DataPlace, RowNames, few

Array = Any


@dataclass(frozen=True, eq=False, repr=False)
class Column(Shown):
    """One column: ``values`` [row] are float64 (nan: missing), bool, or text (object; None: missing).

    ``number`` counts from 0 (below 0: it is of y, which was given apart from x, and has a name); ``name`` is
    its heading (None: it has none), ``shared`` whether another column has it too.
    """

    number: int
    name: str | None
    values: Array
    shared: bool = False

    @property
    def is_words(self) -> bool:
        """Whether the column holds words."""
        return bool(self.values.dtype.kind == "O")

    @property
    def missing(self) -> Array:
        """Where nothing is known, bool [row]."""
        if self.is_words:
            return np.array([value is None for value in self.values], dtype=bool)
        return np.isnan(self.values) if self.values.dtype.kind == "f" else np.zeros(len(self.values), bool)

    def __str__(self) -> str:
        """How a message names it."""
        counted = f"column {self.number + 1}" if self.number >= 0 else "y"
        return f"{counted} ({quoted(self.name)})" if self.name not in (None, counted) else counted

    @property
    def label(self) -> str:
        """Its name where several are listed, unlike that of every other column."""
        own = f"column {self.number + 1}" if self.number >= 0 else f"column {-self.number} of y"
        if not self.name:
            return own
        return f"{self.name} ({own})" if self.shared else self.name

    @property
    def key(self) -> str:
        """What a spec writes to name it."""
        return f'"{few(self.name)}"' if self.name and not self.shared else str(self.number)

    def is_called(self, name: Any) -> bool:
        """Whether a key of the spec means this column: by its heading, or by its number from 0."""
        if isinstance(name, int):
            return name == self.number
        return bool(name == self.name) and not self.shared

    def rows(self, chosen: Array) -> Column:
        """The column with some of its rows."""
        return replace(self, values=self.values[chosen])


@dataclass(frozen=True, repr=False)
class OneHot(Shown):
    """A column that became one column of 0 and 1 for each of its values, in this order."""

    column: str
    values: tuple[Any, ...]

    @property
    def names(self) -> list[str]:
        """The names of the new columns."""
        return [f"{self.column} = {value}" for value in self.values]

    def write(self, values: Array) -> Array:
        """The new columns, float64 [row, value]; raises KeyError with a value that is not among them."""
        index = {value: number for number, value in enumerate(self.values)}
        written = np.zeros((len(values), len(self.values)))
        written[np.arange(len(values)), [index[value] for value in plain_labels(values)]] = 1.0
        return written


@dataclass(frozen=True, repr=False)
class Inputs(Shown):
    """The columns of x one after the other: each as it is, or written out as one-hot columns."""

    labels: tuple[str, ...]
    one_hot: tuple[OneHot | None, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that the network gets."""
        pairs = zip(self.labels, self.one_hot, strict=True)
        return tuple(name for label, hot in pairs for name in (hot.names if hot else [label]))

    @property
    def is_number(self) -> Array:
        """For each column that the network gets, whether it holds numbers as they are; bool."""
        return np.array([hot is None for hot in self.one_hot for _ in (hot.values if hot else (0,))], bool)

    def write(self, columns: Sequence[Column]) -> Array:
        """x [row, column of the network], float64."""
        parts = [
            column.values.astype(np.float64)[:, None] if hot is None else hot.write(column.values)
            for column, hot in zip(columns, self.one_hot, strict=True)
        ]
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True, eq=False, repr=False)
class Chosen(Shown):
    """The columns of a data set that are used: ``y`` None where the target is the input.

    ``rows`` are the names of the rows in messages, ``where`` what they are rows of.
    """

    x: tuple[Column, ...]
    y: tuple[Column, ...] | None
    rows: RowNames
    where: str

    def without_missing(self, drop: bool, place: DataPlace) -> tuple[Chosen, int]:
        """The same without the rows in which something is missing, and how many these were.

        Raises DataError where there are such rows and nobody asked to leave them out.
        """
        used = (*self.x, *(self.y or ()))  # of two tables the numbers may be the same
        missing = np.stack([column.missing for column in used], axis=1)
        bad: Array = missing.any(axis=1)
        count = int(bad.sum())
        if not count:
            return self, 0
        if not drop:
            row = int(np.argmax(bad))
            column = used[int(np.argmax(missing[row]))]
            where = "x and y" if column.number < 0 else self.where
            ways = ["Fill them in", "use other columns"]
            if count < len(bad):
                ways.append('leave these rows out: missing = "drop" in [data]')
            raise place.error(
                f"{count} of {len(bad)} rows of {where} {'has' if count == 1 else 'have'} missing "
                f"values in the columns that are used, first in {self.rows(row)}, {column}"
                f"{self.rows.note}",
                "missing",
                f"{', '.join(ways[:-1])}, or {ways[-1]}",
            )
        if count == len(bad):
            raise place.error(
                f"every row of {self.where} has a missing value, so that dropping them leaves nothing",
                "missing",
                "Use only columns that are filled (name them with x and y)",
            )
        kept = np.flatnonzero(~bad)
        y = None if self.y is None else tuple(column.rows(kept) for column in self.y)
        x = tuple(column.rows(kept) for column in self.x)
        return Chosen(x, y, self.rows.kept(kept), self.where), count


def inputs_of(chosen: Chosen, one_hot: Sequence[Any], place: DataPlace) -> Inputs:
    """Which columns of x are written out; DataError where a column has words and is not.

    Every name of ``one_hot`` must be one of the columns (of x, or the one of y).
    """
    known = (*chosen.x, *(chosen.y or ()))
    for name in one_hot:
        if not any(column.is_called(name) for column in known):
            near = get_close_matches(str(name)[:60], [column.name or "" for column in known], n=1)
            raise place.error(
                f"there is no column {shown(name)} among those that are used",
                "one_hot",
                f"{f'Did you mean {quoted(near[0])}? ' if near else ''}Used: {listed_columns(known)}",
            )
    hot = []
    for column in chosen.x:
        asked = any(column.is_called(name) for name in one_hot)
        if column.is_words and not asked:
            raise place.error(
                f"{column} of {chosen.where} has words ({some_values(column.values)}) where real numbers are "
                "needed",
                "x",
                f"Write it out as one column of 0 and 1 for each word: one_hot = [{column.key}], or leave it "
                "out: name the columns that are inputs with x = [...]",
            )
        hot.append(_one_hot(column, chosen, place) if asked else None)
    return Inputs(tuple(column.label for column in chosen.x), tuple(hot))


def _one_hot(column: Column, chosen: Chosen, place: DataPlace) -> OneHot:
    values = column.values
    if values.dtype.kind == "f" and not np.all(values == np.floor(values)):
        row = int(np.argmax(values != np.floor(values)))
        raise place.error(
            f"{column} of {chosen.where} has fractions ({values[row]:g} in {chosen.rows(row)})",
            "one_hot",
            "Only columns of words or whole numbers can be written out as one column for each value",
        )
    found = tuple(sorted(set(plain_labels(values))))
    needed = 3 * 8 * len(values) * len(found)
    what = f"one column for each of {len(found)} values of {column}"
    place.check_memory(needed, what, "one_hot", "Leave the column out")
    return OneHot(column.label, found)


def plain_labels(values: Array) -> list[Any]:
    """Labels as plain values: int for whole numbers, bool, str; other numbers stay float."""
    if values.dtype.kind == "f":
        return [int(value) if value == np.floor(value) else value for value in values.tolist()]
    return list(values.tolist())


def some_values(values: Array, most: int = 3) -> str:
    """The first few different values, in quotes."""
    seen = dict.fromkeys(value for value in values.tolist() if value is not None)
    some = [quoted(str(value)) for value in list(seen)[:most]]
    return ", ".join([*some, *(["…"] if len(seen) > most else [])])


def listed_columns(columns: Sequence[Column], most: int = 12) -> str:
    """Names of columns as a message lists them, long lists cut."""
    names = [few(column.label) for column in columns[:most]]
    return ", ".join([*names, *([f"… ({len(columns)} columns)"] if len(columns) > most else [])])
