"""What was found in the data and done to it, as data; sentences are made of it at the end.

Every source has its :class:`DataFacts` (``network.source.facts``). They also hold the way from the units of
the data to those of the network and back, which ``predict`` takes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..algebra.findings import Finding
from ..algebra.showing import Shown
from ..errors import StateError, quoted
from .columns import Column, Inputs, plain_labels
from .data_place import few
from .delimited import TableFormat
from .scaling import Scaling

Array = Any


@dataclass(frozen=True, repr=False)
class Split(Shown):
    """Numbers of training and test rows; ``stratified``: every class has its share of both."""

    training: int
    test: int
    stratified: bool = False


@dataclass(frozen=True, repr=False)
class Classes(Shown):
    """The classes that labels stand for, in the order of the outputs.

    ``labels`` are as in the data: whole numbers, words, False and True. ``outputs`` is the number of columns
    of y: one per class (more where the spec asks for more), or 1 where two classes are -1 and +1. ``names``:
    what the file calls the classes whose labels are numbers (none: it does not say).
    """

    labels: tuple[Any, ...]
    outputs: int
    names: tuple[str, ...] = ()

    @property
    def renamed(self) -> bool:
        """Whether the labels are anything but 0, 1, 2, ..."""
        return any(isinstance(label, bool) or label != k for k, label in enumerate(self.labels))

    @property
    def called(self) -> tuple[Any, ...]:
        """What people call the classes: their names, else their labels."""
        return self.names or self.labels

    def named(self, names: Sequence[str]) -> Classes:
        """The same with names, where ``names[k]`` is that of label k and every label is such a number."""
        plain = all(isinstance(label, int) and not isinstance(label, bool) for label in self.labels)
        if not plain or not all(0 <= label < len(names) for label in self.labels):
            return self
        return replace(self, names=tuple(names[label] for label in self.labels))


@dataclass(frozen=True, repr=False)
class DataFacts(Shown):
    """What was found in the data and done to it.

    ``is_read``: the data were read or given, not drawn from a law. ``pixels``: the natural range of images.
    ``table``: how a text table was read. ``inputs``: the columns of x (None: an array without names),
    ``targets`` the names of those of y. ``dropped``: rows that were left out because something was missing;
    ``ignored`` names of files that are no images.
    ``unnamed``: columns without a heading that are empty or only number the rows, and were not taken.
    ``scale`` and ``target_scale`` were found on the training rows. ``shape`` is that of one x of the network.
    ``findings`` are what a person should know before training.
    """

    is_read: bool = True
    pixels: tuple[float, float] | None = None
    table: TableFormat | None = None
    inputs: Inputs | None = None
    targets: tuple[str, ...] = ()
    dropped: int = 0
    ignored: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()
    classes: Classes | None = None
    scale: Scaling | None = None
    target_scale: Scaling | None = None
    split: Split | None = None
    shape: tuple[int, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def has_one_hot(self) -> bool:
        """Whether columns of x were written out."""
        return self.inputs is not None and any(self.inputs.one_hot)

    def encode(self, x: Array) -> Array:
        """Inputs in the units of the data as the network takes them.

        x [sample, column of the data] (a frame too, whose columns are found by name) has its columns written
        out and scaled as the training rows were; without ``scale`` and ``one_hot`` in the spec it stays as
        it is. Raises StateError for columns that do not fit and for values that the data never showed.
        """
        if hasattr(x, "columns") and self.inputs is not None:
            x = _in_order(x, self.inputs.labels)
        if not self.has_one_hot and self.scale is None:
            return x
        values = np.asarray(x)
        if values.ndim < 2 or not len(values):
            raise StateError(f"x has shape {values.shape}; expected [sample, {', '.join(self._wanted())}]")
        flat = values.reshape(len(values), -1)
        flat = self._written(flat) if self.has_one_hot else _numbers(flat)
        if flat.shape[1] != math.prod(self.shape):
            raise StateError(f"x has shape {values.shape}; expected [sample, {', '.join(self._wanted())}]")
        if self.scale is not None:
            flat = self.scale.apply(flat)
        return flat.reshape(len(flat), *self.shape)

    def decode(self, yhat: Array) -> Array:
        """Outputs [sample, output] of the network in the units of the data's targets."""
        return yhat if self.target_scale is None else self.target_scale.invert(yhat)

    def _wanted(self) -> list[str]:
        if self.has_one_hot and self.inputs is not None:
            return [f"{len(self.inputs.labels)} columns"]
        return [str(size) for size in self.shape]

    def _written(self, flat: Array) -> Array:
        assert self.inputs is not None
        labels = self.inputs.labels
        if flat.shape[1] != len(labels):
            raise StateError(f"x has {flat.shape[1]} columns; expected {len(labels)}: {', '.join(labels)}")
        columns = []
        for number, hot in enumerate(self.inputs.one_hot):
            values = flat[:, number]
            if hot is None:
                columns.append(Column(number, labels[number], _numbers(values, labels[number])))
                continue
            if values.dtype.kind in "iufb":
                values = values.astype(np.float64)
            unknown = [value for value in plain_labels(values) if value not in hot.values]
            if unknown:
                allowed = ", ".join(repr(value) for value in hot.values[:12])
                raise StateError(f"{labels[number]} is {unknown[0]!r}, which the data never was: {allowed}")
            columns.append(Column(number, labels[number], values))
        return self.inputs.write(columns)


def _in_order(frame: Any, labels: tuple[str, ...]) -> Any:
    """The columns of a frame in the order of the network's, found by what they are called.

    Names that are only numbers 0, 1, 2, ... say nothing: such columns are taken in their order.
    """
    heads = [str(name) for name in frame.columns]
    values = np.asarray(frame.to_numpy())
    own = [Column(c, head, values[:, c], heads.count(head) > 1).label for c, head in enumerate(heads)]
    missing = [label for label in labels if label not in own]
    if not missing:
        return values[:, [own.index(label) for label in labels]]
    if len(own) == len(labels) and heads == [str(number) for number in range(len(own))]:
        return values
    raise StateError(
        f"x has no column {quoted(missing[0])}; its columns: {', '.join(map(few, heads[:12]))}. The network "
        f"was trained on: {', '.join(map(few, labels[:12]))}"
    )


def _numbers(values: Array, what: str = "x") -> Array:
    try:
        numbers = np.asarray(values).astype(np.float64)
    except (TypeError, ValueError):
        raise StateError(f"{what} has entries that are no numbers") from None
    if not np.isfinite(numbers).all():
        raise StateError(f"{what} has entries that are missing or not finite")
    return numbers
