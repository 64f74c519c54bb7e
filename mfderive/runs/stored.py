"""The parts of a trajectory as a file has them, checked: digests, types, shapes, times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MfError, quoted
from ..errors.unreadable import UnreadableError
from .archive import Archive, damaged, nested, read_run

Array = Any

# The key of a trajectory's notes for what differs from what was written, in words.
EDITED = "edited"
CURVES = ("times", "steps", "loss", "error", "loss_error")
# Curves of which an entry may be unknown (nan); of these, what a file of an earlier version does not have.
_UNKNOWN, _LATER = ("error", "loss_error"), ("loss_error",)
_MOST_NAMED = 3  # parts that a message names one by one


@dataclass(frozen=True)
class Stored:
    """A trajectory as its ``file`` has it: arguments of Trajectory, and the ``record`` of its network."""

    file: Path
    parts: Mapping[str, Any]
    record: Mapping[str, Any]


def read_stored(file: Path, edited: bool) -> Stored:
    """Read and check a file of a trajectory; ``edited``: also one that was changed after it was written.

    Raises MfError that names what differs from what was written, or what cannot be a trajectory: numbers that
    are none, curves of different lengths, times that do not increase, states of different shapes, values that
    are not finite (where these were not asked for by ``edited``).
    """
    archive = read_run(file)
    try:
        states, words = _states(archive)
        facts = {name: archive.document[name] for name in ("kind", "width", "seed")}
        notes = dict(archive.document["notes"])
        curves = _curves(archive)
        passes = tuple(archive.document["reduction"])
        digest = str(archive.document.get("system", ""))  # a file may be older than this entry
        record = {name: archive.document[name] for name in ("spec", "file", "folder", "data")}
        record["changed"] = archive.document.get("changed", [])  # this one too
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        raise damaged(file, error) from error
    differing = [words.get(name, name) for name in archive.edited]
    if differing and not edited:
        raise MfError(
            f"{file}: this file was edited after it was written: {some_of(differing)} "
            f"{'differ' if len(differing) > 1 else 'differs'} from what was written. Run the spec again, "
            "or read it as it is: Trajectory.load(path, edited=True), which marks it as edited"
        )
    _check_curves(file, curves, finite=not edited)
    _check_states(file, states, finite=not edited)
    points = tuple((time, step, nested(leaves.items())) for time, step, leaves in states)
    if differing:
        notes[EDITED] = differing
    parts = {**facts, **curves, "notes": notes, "checkpoints": points, "passes": passes, "digest": digest}
    return Stored(file, parts, record)


def read_curves(file: Path) -> dict[str, Array]:
    """The curves of a file, float64 [T]. Raises MfError where they were edited."""
    archive = read_run(file)
    try:
        curves = _curves(archive)
    except KeyError as error:
        raise damaged(file, error) from error
    differing = [name for name in archive.edited if name in CURVES]
    if differing:
        raise _not_a_run(file, f"{some_of(differing)} of this file were edited after it was written")
    _check_curves(file, curves, finite=False)
    return {name: np.asarray(array, np.float64) for name, array in curves.items()}


def _curves(archive: Archive) -> dict[str, Array]:
    """The curves of a file; what was not there when it was written is unknown."""
    unknown = np.full(np.shape(archive.arrays["times"]), np.nan)
    found = {name: archive.arrays.get(name, unknown) for name in _LATER}
    return {name: found[name] if name in found else archive.arrays[name] for name in CURVES}


Leaves = dict[tuple[str, ...], Array]
State = tuple[float, int, Leaves]


def _states(archive: Archive) -> tuple[list[State], dict[str, str]]:
    """Time, step and arrays of every checkpoint; and what each array of the file is, in words."""
    words = {"document": "the document (all that is no array)"}
    found: list[State] = []
    for count, entry in enumerate(archive.document["checkpoints"]):
        leaves = {}
        for position, keys in enumerate(entry["keys"]):
            name = f"c{count}.{position}"
            path = tuple(map(str, keys))
            words[name] = f"{quoted('.'.join(path))} at t = {float(entry['time']):.4g}"
            if name not in archive.arrays:
                raise UnreadableError(f"it lacks {words[name]}")
            leaves[path] = archive.arrays[name]
        found.append((float(entry["time"]), int(entry["step"]), leaves))
    return found, words


def _check_curves(file: Path, curves: Mapping[str, Array], finite: bool) -> None:
    length = np.shape(curves["times"])
    for name, array in curves.items():
        if not _is_numeric(array):
            raise _not_a_run(file, f"{name} holds {_kind(array)}, not numbers")
        if array.shape != length or array.ndim != 1:
            raise _not_a_run(file, f"{name} has shape {array.shape}, times has {length}; both must be [T]")
        if finite and name not in _UNKNOWN and not np.isfinite(array).all():
            raise _not_a_run(file, f"{name} holds values that are not finite")
    for name in ("times", "steps"):
        # A learning rate of 0 lets time stand still.
        if not all(a <= b for a, b in pairwise(curves[name].tolist())):
            raise _not_a_run(file, f"{name} do not increase from one entry to the next")


def _check_states(file: Path, states: list[State], finite: bool) -> None:
    """Every checkpoint holds the same arrays in the same shapes, and their times increase."""
    if not all(a[0] <= b[0] for a, b in pairwise(states)):
        raise _not_a_run(file, "the times of its checkpoints do not increase")
    for time, _, leaves in states:
        first = states[0][2]
        if leaves.keys() != first.keys():
            raise _not_a_run(file, f"the state at t = {time:.4g} has other arrays than the first one")
        for path, array in leaves.items():
            what = f"{quoted('.'.join(path))} at t = {time:.4g}"
            if not _is_numeric(array):
                raise _not_a_run(file, f"{what} holds {_kind(array)}, not numbers")
            if array.shape != first[path].shape:
                raise _not_a_run(
                    file, f"{what} has shape {array.shape}, and {first[path].shape} at t = {states[0][0]:.4g}"
                )
            if finite and not np.isfinite(array).all():
                raise _not_a_run(file, f"{what} holds values that are not finite")


def _is_numeric(array: Array) -> bool:
    return array.dtype.kind in "fiu"


def _kind(array: Array) -> str:
    return {"U": "words", "S": "words", "O": "Python objects", "b": "true and false"}.get(
        array.dtype.kind, f"values of type {array.dtype}"
    )


def _not_a_run(file: Path, problem: str) -> MfError:
    return MfError(
        f"{file}: {problem}. This is not what a run writes. Run the spec again, or take the file from a "
        "backup"
    )


def some_of(parts: Sequence[str]) -> str:
    """The first of some parts of a file, and how many more there are."""
    if len(parts) <= _MOST_NAMED:
        return ", ".join(parts)
    return f"{', '.join(parts[:_MOST_NAMED])} and {len(parts) - _MOST_NAMED} more"
