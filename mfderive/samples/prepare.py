"""From what was read or drawn to x and y as the network takes them: range, shape, labels, held-out rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algebra.losses import LOSSES, Targets
from ..algebra.memory import check_memory
from ..network.network import Loss
from .data_place import DataPlace
from .files import Rows
from .sources import SPLIT, SampleSource, generator

Array = Any

_SUM_TOLERANCE = 1e-6  # of probabilities given as targets: they may have gone through float32 and text


@dataclass(frozen=True)
class Preparation:
    """How x and y become what the network takes; one object for all rows, so that splits agree.

    ``scale`` is the natural range of x and ``range`` what it becomes (None: x stays); ``shape`` the shape of
    one x (None: as read); ``copy``: y is x, flattened; ``classes``: the number of classes that integer
    labels are written out for (None: y stays as it is).
    """

    place: DataPlace
    loss: Loss
    scale: tuple[float, float] | None = None
    range: tuple[float, float] | None = None
    shape: tuple[int, ...] | None = None
    copy: bool = False
    classes: int | None = None

    def __call__(self, x: Array, y: Array | None) -> tuple[Array, Array]:
        """x float64 [sample, *shape] and y float64 [sample, outputs]."""
        inputs = x[:, None] if x.ndim == 1 else x
        if self.range is not None and self.scale is not None:
            (low, high), (start, end) = self.range, self.scale
            inputs = low + (inputs - start) * ((high - low) / (end - start))
        if self.copy or y is None:
            targets = inputs.reshape(len(inputs), -1)
        else:
            targets = self._targets(y[:, None] if y.ndim == 1 else y)
        if self.shape is not None:
            inputs = self._reshape(inputs)
        self._check_targets(targets)
        return np.ascontiguousarray(inputs), np.ascontiguousarray(targets)

    def _reshape(self, x: Array) -> Array:
        assert self.shape is not None
        size = math.prod(x.shape[1:])
        if math.prod(self.shape) != size:
            raise self.place.error(
                f"an input of shape {list(x.shape[1:])} has {size} numbers: not {list(self.shape)}",
                "shape",
                f"The product of the shape must be {size}",
            )
        return x.reshape(len(x), *self.shape)

    def _targets(self, y: Array) -> Array:
        if y.ndim != 2:
            raise self.place.error(f"y has shape {y.shape}", "y", "Expected [sample] or [sample, outputs]")
        if self.classes is None:
            return y
        labels = y[:, 0]
        bad = np.flatnonzero((labels != np.floor(labels)) | (labels < 0) | (labels >= self.classes))
        if len(bad):
            raise self.place.error(
                f"the label of row {bad[0]} is {labels[bad[0]]:g}",
                None,
                f"Labels must be whole numbers from 0 to {self.classes - 1} ({self.classes} classes)",
            )
        needed = 8 * len(y) * self.classes
        check_memory(needed, f"One column for each of {self.classes} classes", "Number the labels from 0 on")
        targets = np.zeros((len(y), self.classes))
        targets[np.arange(len(y)), labels.astype(np.int64)] = 1.0
        return 2 * targets - 1 if asked_targets(self.loss) is Targets.SIGNS else targets

    def _check_targets(self, y: Array) -> None:
        asked = asked_targets(self.loss)
        if asked is Targets.SIGNS and not np.all(np.abs(y) == 1):
            found = float(y[np.abs(y) != 1][0])
            raise self.place.error(
                f"a target is {found:g}, but the {self.loss.kind} loss needs y = +1 or -1",
                None,
                "Change the labels or the loss",
            )
        if asked is Targets.CLASSES:
            wrong = np.flatnonzero((y < 0).any(axis=1) | (np.abs(y.sum(axis=1) - 1) > _SUM_TOLERANCE))
            if len(wrong):
                raise self.place.error(
                    f"the target of row {wrong[0]} is {y[wrong[0]].tolist()[:8]}",
                    None,
                    f"{self.loss.kind.capitalize()} needs integer labels, or probabilities that are not "
                    "negative and sum to 1",
                )


def asked_targets(loss: Loss) -> Targets:
    """What the targets of a loss must be; any numbers for one that the spec writes down."""
    return LOSSES[loss.kind].targets if loss.kind in LOSSES else Targets.NUMBERS


def number_of_classes(y: Array | None, loss: Loss, outputs: int | None, given: bool) -> int | None:
    """How many classes integer labels stand for, or None where y is not a class number.

    ``given``: the data says that y holds class numbers (images with labels). Such labels are written out as
    one column per class (0 and 1; -1 and 1 where the loss asks for signs) unless the network has a single
    output and a loss that reads the number itself. Other data is labels only for a loss that asks for
    classes, where y has one column. ``outputs`` of the spec is the number of classes if it is set, else the
    largest label + 1.
    """
    if y is None or (y.ndim > 1 and y.shape[1] != 1):
        return None
    if asked_targets(loss) is not Targets.CLASSES and (not given or outputs == 1):
        return None
    return outputs if outputs is not None else max(int(np.max(y, initial=0)) + 1, 2)


def natural_range(
    x: Array, options: Mapping[str, Any], scale: tuple[float, float] | None, place: DataPlace
) -> Any:
    """The range that the key ``range`` maps from: the pixels', or from the smallest to the largest entry."""
    if "range" not in options:
        return None
    low, high = options["range"]
    if not low < high:
        raise place.error(f"[{low}, {high}] is no range", "range", "Give [low, high] with low below high")
    found = scale if scale is not None else (float(x.min()), float(x.max()))
    if not found[0] < found[1]:
        raise place.error(
            f"every entry of x is {found[0]:g}, which cannot be rescaled", "range", "Leave out 'range'"
        )
    return found


def held_out(rows: int, test: float | int | None, samples: int | None, place: DataPlace) -> tuple[int, int]:
    """Numbers of training and test rows: ``test`` is taken of all rows first, ``samples`` of the rest."""
    tests = 0
    if test is not None:
        tests = max(1, round(test * rows)) if isinstance(test, float) else test
        if tests >= rows:
            raise place.error(f"test = {test} leaves no training rows of {rows}", "test", "Hold out fewer")
    left = rows - tests
    if samples is not None and samples > left:
        held = f", of which {tests} are held out" if tests else ""
        raise place.error(
            f"samples = {samples}, but the data has {rows} rows{held}",
            "samples",
            f"At most {left} are possible",
        )
    return left if samples is None else samples, tests


def split_rows(
    x: Array, y: Array, test: float | int | None, samples: int | None, seed: int, place: DataPlace
) -> tuple[tuple[Array, Array], tuple[Array, Array] | None]:
    """Training rows and test rows (or None), chosen at random by the data seed, in the order of the file."""
    training, tests = held_out(len(x), test, samples, place)
    if training == len(x):
        return (x, y), None
    order = generator(seed, SPLIT).permutation(len(x))
    first, second = np.sort(order[tests : tests + training]), np.sort(order[:tests])
    return (x[first], y[first]), ((x[second], y[second]) if tests else None)


def fixed_sample(
    rows: Rows, options: Mapping[str, Any], loss: Loss, outputs: int | None, seed: int, place: DataPlace
) -> SampleSource:
    """A fixed sample out of rows that were read, drawn or given: checked, rescaled, shaped, split."""
    count, targets = len(rows.x), None if rows.y is None else len(rows.y)
    if not count or targets not in (None, count):
        found = f"{count} rows of x, but {targets} of y" if count else "no rows"
        raise place.error(f"there are {found}", None, "x and y must have one row a sample, at least one")
    copy = options.get("y") == "x" or rows.y is None
    every_y = rows.y if rows.test is None or rows.y is None else np.concatenate([rows.y, rows.test[1]])
    prepare = Preparation(
        place,
        loss,
        scale=natural_range(rows.x, options, rows.scale, place),
        range=tuple(options["range"]) if "range" in options else None,
        shape=tuple(options["shape"]) if "shape" in options else None,
        copy=copy,
        classes=None if copy else number_of_classes(every_y, loss, outputs, rows.classes),
    )
    x, y = prepare(rows.x, rows.y)
    (x, y), test = split_rows(x, y, options.get("test"), options.get("samples"), seed, place)
    if rows.test is not None:
        test = prepare(*rows.test)
    return SampleSource(x, y, seed, test)


def law_preparation(
    options: Mapping[str, Any], loss: Loss, classes: int | None, place: DataPlace
) -> Preparation:
    """How draws of a law are shaped, and how their labels are written out and checked."""
    copy = options.get("y") == "x"
    return Preparation(
        place,
        loss,
        shape=tuple(options["shape"]) if "shape" in options else None,
        copy=copy,
        classes=None if copy else classes,
    )
