"""From what was read or drawn to x and y as the network takes them: units, shape, labels, held-out rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..algebra.losses import Targets
from ..algebra.showing import Shown
from ..network.network import Loss
from .data_facts import Classes, Split
from .data_findings import uneven_columns
from .data_place import DataPlace, RowNames
from .labels import are_labels, asked_targets, find_classes, written_out
from .rows import Rows
from .scaling import Scaling, fit_scaling
from .sources import SPLIT, SampleSource, generator

Array = Any

_SUM_TOLERANCE = 1e-6  # of probabilities given as targets: they may have gone through float32 and text


@dataclass(frozen=True, repr=False)
class Preparation(Shown):
    """How x and y become what the network takes; one object for all rows, so that splits agree.

    ``natural`` is the natural range of x and ``range`` what it becomes (None: x stays); ``scale`` and
    ``target_scale`` scale columns; ``shape`` is the shape of one x (None: as read); ``copy``: y is x,
    flattened; ``classes``: what labels are written out for (None: y stays as it is); ``rows`` are the names
    of the rows in messages.
    """

    place: DataPlace
    loss: Loss
    natural: tuple[float, float] | None = None
    range: tuple[float, float] | None = None
    scale: Scaling | None = None
    target_scale: Scaling | None = None
    shape: tuple[int, ...] | None = None
    copy: bool = False
    classes: Classes | None = None
    rows: RowNames = field(default_factory=RowNames)

    def __call__(self, x: Array, y: Array | None) -> tuple[Array, Array]:
        """x float64 [sample, *shape] and y float64 [sample, outputs]."""
        inputs = x[:, None] if x.ndim == 1 else x
        if self.range is not None and self.natural is not None:
            (low, high), (start, end) = self.range, self.natural
            inputs = low + (inputs - start) * ((high - low) / (end - start))
        if self.scale is not None:
            inputs = self.scale.apply(_flat(inputs)).reshape(inputs.shape)
        own = None if self.copy or y is None else y[:, None] if y.ndim == 1 else y
        targets = _flat(inputs) if own is None else self._targets(own)
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
        if self.classes is not None:
            return written_out(y, self.classes, self.loss, self.place)
        numbers = y.astype(np.float64)
        return numbers if self.target_scale is None else self.target_scale.apply(numbers)

    def _check_targets(self, y: Array) -> None:
        asked = asked_targets(self.loss)
        if asked is Targets.SIGNS and not np.all(np.abs(y) == 1):
            row = int(np.argmax((np.abs(y) != 1).any(axis=1)))
            found = float(y[row][np.abs(y[row]) != 1][0])
            raise self.place.error(
                f"the target of {self.rows(row)} is {found:g}{self.rows.note}, but the {self.loss.kind} loss "
                "needs y = +1 or -1",
                None,
                "Change the labels (words and truth values are mapped to -1 and +1) or the loss "
                "(cross-entropy takes any labels)",
            )
        if asked is Targets.CLASSES:
            wrong = np.flatnonzero((y < 0).any(axis=1) | (np.abs(y.sum(axis=1) - 1) > _SUM_TOLERANCE))
            if len(wrong):
                raise self.place.error(
                    f"the target of {self.rows(wrong[0])} is {y[wrong[0]].tolist()[:8]}{self.rows.note}",
                    None,
                    f"{self.loss.kind.capitalize()} needs one label per sample, or probabilities that are "
                    "not negative and sum to 1",
                )


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
    labels: Array | None, training: int, tests: int, rows: int, seed: int
) -> tuple[Array | None, Array | None]:
    """Numbers of the training and of the test rows, chosen at random by the data seed, in their order.

    ``labels`` (int [row], or None): every class then has its share of the test rows. None for both where all
    rows are trained on.
    """
    if training == rows:
        return None, None
    order = generator(seed, SPLIT).permutation(rows)
    if labels is not None and tests:
        shares = _shares(np.bincount(labels), tests)
        rank = np.empty(rows, dtype=np.int64)  # of each row among those of its class, in random order
        for label in range(len(shares)):
            members = order[labels[order] == label]
            rank[members] = np.arange(len(members))
        held = rank < shares[labels]
        order = np.concatenate([order[held[order]], order[~held[order]]])
    return np.sort(order[tests : tests + training]), (np.sort(order[:tests]) if tests else None)


def _shares(counts: Array, tests: int) -> Array:
    """How many test rows each class has: in proportion, largest remainders first, int [class].

    A class keeps a training row as long as the numbers allow it.
    """
    wanted = tests * counts / counts.sum()
    shares = np.minimum(np.floor(wanted), np.maximum(counts - 1, 0)).astype(np.int64)
    for limit in (np.maximum(counts - 1, 0), counts):
        while shares.sum() < tests and np.any(shares < limit):
            short = np.where(shares < limit, wanted - shares, -np.inf)
            shares[int(np.argmax(short))] += 1
    return shares


def fixed_sample(
    rows: Rows, options: Mapping[str, Any], loss: Loss, outputs: int | None, seed: int, place: DataPlace
) -> SampleSource:
    """A fixed sample out of rows that were read, drawn or given: checked, split, scaled, shaped."""
    count, targets = len(rows.x), None if rows.y is None else len(rows.y)
    if not count or targets not in (None, count):
        found = f"{count} rows of x, but {targets} of y" if count else "no rows"
        raise place.error(f"there are {found}", None, "x and y must have one row per sample, at least one")
    copy = options.get("y") == "x" or rows.y is None
    classes, findings = _classes(rows, copy, loss, outputs, place)
    training, tests = held_out(count, options.get("test"), options.get("samples"), place)
    labels = _strata(rows, classes, loss) if not copy and rows.is_table else None
    first, second = split_rows(labels, training, tests, count, seed)
    prepare = Preparation(
        place,
        loss,
        natural=natural_range(rows.x, options, rows.scale, place),
        range=tuple(options["range"]) if "range" in options else None,
        shape=tuple(options["shape"]) if "shape" in options else None,
        copy=copy,
        classes=classes,
        rows=rows.names,
    )
    train = slice(None) if first is None else first
    prepare = _with_scales(prepare, rows, train, options)
    x, y = prepare(rows.x, rows.y)
    test = None if second is None else (x[second], y[second])
    if first is not None:
        x, y = x[first], y[first]
    if rows.test is not None:
        test = replace(prepare, rows=RowNames())(*rows.test)
    if rows.is_table and "range" not in options and prepare.scale is None:
        findings += uneven_columns(rows.x[train], rows.facts.inputs)
    held = 0 if test is None else len(test[0])
    facts = replace(
        rows.facts,
        pixels=rows.scale,
        classes=classes,
        scale=prepare.scale,
        target_scale=prepare.scale if copy else prepare.target_scale,
        split=Split(len(x), held, labels is not None and tests > 0) if held or len(x) < count else None,
        shape=tuple(int(n) for n in x.shape[1:]),
        findings=findings,
    )
    return SampleSource(x, y, seed, test, facts=facts)


def _classes(
    rows: Rows, copy: bool, loss: Loss, outputs: int | None, place: DataPlace
) -> tuple[Classes | None, tuple[Any, ...]]:
    """The classes that y has labels of (of separate test files too), and what is found about them."""
    if copy or rows.y is None or not are_labels(rows.y, loss, outputs, rows.classes):
        return None, ()
    every = rows.y if rows.test is None or rows.test[1] is None else np.concatenate([rows.y, rows.test[1]])
    classes, findings = find_classes(
        every, loss, outputs, rows.classes, rows.facts.targets, place, rows.names
    )
    return classes.named(rows.class_names), findings


def _strata(rows: Rows, classes: Classes | None, loss: Loss) -> Array | None:
    """The number of the class of each row, where y says it: int [row]."""
    assert rows.y is not None
    one = rows.y.ndim == 1 or rows.y.shape[1] == 1
    if not one or (classes is None and asked_targets(loss) is not Targets.SIGNS):
        return None
    return np.unique(
        rows.y.reshape(-1).astype(str if rows.y.dtype.kind == "O" else None), return_inverse=True
    )[1]


def _with_scales(prepare: Preparation, rows: Rows, train: Any, options: Mapping[str, Any]) -> Preparation:
    """The preparation with the scales that the spec asks for, found on the training rows."""
    if "scale" in options:
        inputs = rows.facts.inputs
        numbers = None if inputs is None else inputs.is_number
        flat = rows.x.reshape(len(rows.x), -1)[train]
        prepare = replace(prepare, scale=fit_scaling(options["scale"], flat, numbers))
    if "scale_y" not in options:
        return prepare
    if prepare.copy:
        raise prepare.place.error("the target is the input here", "scale_y", "'scale' scales both")
    asked = asked_targets(prepare.loss)
    if prepare.classes is not None or asked is not Targets.NUMBERS:
        raise prepare.place.error(
            f"the targets of the {prepare.loss.kind} loss are classes here, which have no scale"
            if asked is not Targets.NUMBERS
            else "the targets are classes here, which have no scale",
            "scale_y",
            "Leave out 'scale_y'; it is for targets that are numbers",
        )
    assert rows.y is not None
    values = rows.y.reshape(len(rows.y), -1).astype(np.float64)[train]
    return replace(prepare, target_scale=fit_scaling(options["scale_y"], values))


def law_preparation(
    options: Mapping[str, Any], loss: Loss, classes: Classes | None, place: DataPlace
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


def _flat(array: Array) -> Array:
    """[sample, all else]; of no samples, too (a component of a law of which no sample is drawn)."""
    return array.reshape(len(array), math.prod(array.shape[1:]))
