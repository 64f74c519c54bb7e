"""Class labels of any sort as classes 0, 1, 2, ...: numbers in their order, words in that of the alphabet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..algebra.findings import Finding, FindingKind
from ..algebra.losses import LOSSES, Targets
from ..errors import quoted
from ..network.network import Loss
from .columns import plain_labels, some_values
from .data_facts import Classes
from .data_place import DataPlace, RowNames, few

Array = Any

_LISTED = 12
# Whole numbers left out between labels are a gap up to so many for each label that is there.
_MOST_HOLES = 3
_FEW_CLASSES = 20  # so many need no warning, however few the rows
_LABEL_BYTES = 64  # that Python takes for a whole number and its place in a list


def asked_targets(loss: Loss) -> Targets:
    """What the targets of a loss must be; any numbers for one that the spec writes down."""
    return LOSSES[loss.kind].targets if loss.kind in LOSSES else Targets.NUMBERS


def are_labels(y: Array | None, loss: Loss, outputs: int | None, given: bool) -> bool:
    """Whether y holds one class label per sample.

    Words and truth values are labels, numbers are for a loss that asks for classes. ``given``: the data says
    that y holds class numbers (images with labels, a column that is written out); these are labels too unless
    the network has a single output and a loss that reads the number itself.
    """
    if y is None or (y.ndim > 1 and y.shape[1] != 1):
        return False
    asked = asked_targets(loss)
    if asked is Targets.CLASSES or (given and outputs != 1):
        return True
    return y.dtype.kind == "O" or (y.dtype.kind == "b" and asked is Targets.SIGNS)


def find_classes(
    y: Array,
    loss: Loss,
    outputs: int | None,
    given: bool,
    names: Sequence[str],
    place: DataPlace,
    rows: RowNames,
) -> tuple[Classes, tuple[Finding, ...]]:
    """The classes of labels y [sample] (or [sample, 1]), and what is to be said of them.

    ``outputs``: what the spec asks for (None: nothing). Whole numbers below it stay what they are; any other
    labels are numbered in order. Raises DataError for labels that are none, and where there are more classes
    than outputs.
    """
    values = y.reshape(-1)
    asked = asked_targets(loss)
    if values.dtype.kind == "O" and asked is Targets.NUMBERS and not given:
        column = f"column {quoted(names[0])} (y)" if names and names[0] != "y" else "y"
        key = f'"{few(names[0])}"' if names else '"y"'
        raise place.error(
            f"{column} has words ({some_values(values)}), but the {loss.kind} loss compares numbers",
            "y",
            'For classes write kind = "cross-entropy" in [loss]; to compare with 0 and 1 for each word write '
            f"one_hot = [{key}] in [data]",
        )
    if values.dtype.kind == "f":
        column = f" (column {quoted(names[0])})" if names and names[0] != "y" else ""
        _check_whole(values, outputs, column, place, rows)
    found = sorted(set(plain_labels(values)))
    if asked is Targets.SIGNS and not given and len(found) <= 2 and outputs in (None, 1):
        return Classes(tuple(found), 1), _single(found)
    check_classes(outputs, len(found), len(values), place)
    if values.dtype.kind == "f" and outputs is not None and found[0] >= 0 and found[-1] < outputs:
        classes = Classes(tuple(range(outputs)), outputs)
    else:
        if outputs is not None and len(found) > outputs:
            raise place.outputs_error(
                f"outputs = {outputs}, but the labels of y are of {len(found)} classes ({listed(found)})",
                f"Leave 'outputs' out, or write outputs = {len(found)}",
            )
        classes = Classes(tuple(found), outputs if outputs is not None else max(len(found), 2))
    return classes, (*_single(found), *_many(found, len(values), names), *_gaps(found, classes, outputs))


def check_classes(outputs: int | None, classes: int, rows: int, place: DataPlace) -> None:
    """Raise ResourceError where names of so many classes, and a column for each, are beyond memory.

    ``outputs``: how many the spec asks for, if it does; ``classes``: how many were found.
    """
    count = max(outputs or 0, classes)
    table, key = ("data", "y") if outputs is None else ("output", "outputs")
    place.check_memory(
        _LABEL_BYTES * count + 2 * 8 * rows * count,
        f"one column for each of {count} classes",
        key,
        "If the labels are numbers to be learned as they are, take a loss like squared",
        table=table,
    )


def _check_whole(values: Array, outputs: int | None, column: str, place: DataPlace, rows: RowNames) -> None:
    """Labels that are numbers must be whole; counted from 0, they must stay below ``outputs``."""
    bad = np.flatnonzero(values != np.floor(values))
    if len(bad):
        raise place.error(
            f"the label of {rows(bad[0])}{column} is {values[bad[0]]:g}{rows.note}",
            None,
            "Class labels must be whole numbers or words; for numbers of any size take a loss like squared",
        )
    bad = np.flatnonzero(values >= outputs) if outputs is not None and values.min() == 0 else bad
    if len(bad):
        assert outputs is not None
        raise place.outputs_error(
            f"outputs = {outputs}, but the label of {rows(bad[0])} is {values[bad[0]]:g}{rows.note}",
            f"Labels that begin at 0 run to outputs - 1 = {outputs - 1}. Leave 'outputs' out to number the "
            f"{len(np.unique(values))} classes in their order",
        )


def _single(found: Sequence[Any]) -> tuple[Finding, ...]:
    return (Finding.of(FindingKind.SINGLE_CLASS, label=found[0]),) if len(found) == 1 else ()


def _many(found: Sequence[Any], rows: int, names: Sequence[str]) -> tuple[Finding, ...]:
    """Labels of which most occur once: numbers to be learned, or names of rows."""
    if len(found) <= _FEW_CLASSES or 2 * len(found) <= rows:
        return ()
    return (Finding.of(FindingKind.MANY_CLASSES, *names[:1], classes=len(found), rows=rows),)


def _gaps(found: Sequence[Any], classes: Classes, outputs: int | None) -> tuple[Finding, ...]:
    """Outputs that no label stands for; whole numbers that are left out between the labels."""
    if outputs is not None and len(found) < classes.outputs:
        unused = [
            k for k in range(classes.outputs) if k >= len(classes.labels) or classes.labels[k] not in found
        ]
        return (
            Finding.of(
                FindingKind.IDLE_OUTPUTS,
                outputs=classes.outputs,
                labels=tuple(found),
                unused=tuple(unused),
            ),
        )
    if not all(isinstance(label, int) and not isinstance(label, bool) for label in found):
        return ()
    holes = found[-1] - found[0] + 1 - len(found)
    # Very far apart, or -1 and 1: names rather than numbers that were counted up.
    if not 0 < holes <= _MOST_HOLES * len(found) or list(found) == [-1, 1]:
        return ()
    left_out = tuple(sorted(set(range(found[0], found[-1] + 1)) - set(found)))
    return (Finding.of(FindingKind.LABEL_GAP, labels=tuple(found), left_out=left_out),)


def written_out(y: Array, classes: Classes, loss: Loss, place: DataPlace) -> Array:
    """Targets float64 [sample, outputs]: 0 and 1 per class, -1 and +1 where the loss asks for signs.

    Raises DataError for a label that is none of the classes (a law may draw any number).
    """
    index = {label: k for k, label in enumerate(classes.labels)}
    labels = plain_labels(y.reshape(-1))
    unknown = next((row for row, label in enumerate(labels) if label not in index), None)
    if unknown is not None:
        raise place.outputs_error(
            f"the label {few(str(labels[unknown]))} was drawn, which is none of the {len(classes.labels)} "
            f"classes ({listed(classes.labels)})",
            "Outputs stand for the labels 0, 1, 2, ...: raise 'outputs', change the labels in [data], or "
            "take a loss for such labels (logistic: -1 and +1)",
        )
    numbers = np.array([index[label] for label in labels], dtype=np.int64)
    if classes.outputs == 1:
        return np.where(numbers == len(classes.labels) - 1, 1.0, -1.0)[:, None]
    targets = np.zeros((len(numbers), classes.outputs))
    targets[np.arange(len(numbers)), numbers] = 1.0
    return 2 * targets - 1 if asked_targets(loss) is Targets.SIGNS else targets


def listed(labels: Sequence[Any]) -> str:
    """Labels as a sentence lists them, long lists cut."""
    some = [few(str(label)) for label in labels[:_LISTED]]
    return ", ".join([*some, *(["…"] if len(labels) > _LISTED else [])])
