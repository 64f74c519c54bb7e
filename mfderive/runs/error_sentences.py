"""Sentences about the stated error of a loss curve, made of its notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

# The key of a trajectory's notes.
LOSS_ERROR = "loss_error"
# Why the part of the resolutions is unknown (``why``).
FEW_NODES, FEW_DATA, FEW_STEPS = "few-nodes", "few-data-nodes", "few-steps"
DIVERGED, MEMORY, STOPPED, RESUMED = "diverged", "memory", "stopped", "resumed"

_WHY = {
    FEW_NODES: "a population has so few nodes that a solution with fewer would say nothing",
    FEW_DATA: "the data have so few nodes that a solution with fewer would say nothing",
    FEW_STEPS: "a single step in time cannot be compared with a longer one",
    DIVERGED: "the coarser solution that it is compared with diverged",
    MEMORY: "the coarser solution that it is compared with does not fit into the memory",
    STOPPED: "the coarser solution that it is compared with could not be followed",
    RESUMED: "it goes on from another solution, whose nodes it has",
}


def known_to(path: Any) -> str:
    """How well the loss curve of a trajectory is known, as the end of a line; nothing where it is not."""
    stated = list(zip(path.times.tolist(), path.loss_error.tolist(), strict=True))
    known = [(time, value) for time, value in stated if isfinite(value)]
    if not known:
        return ""
    until = f" until t = {known[-1][0]:.4g}" if len(known) < len(stated) else ""
    return f", known to within {max(value for _, value in known):.2g}{until} (.loss_error)"


def error_sentences(notes: Mapping[str, Any]) -> list[str]:
    """Sentences about how well the loss curve of a solution is known; none where that was not asked."""
    note = notes.get(LOSS_ERROR)
    return [] if note is None else list(_sentences(note))


def _sentences(note: Mapping[str, Any]) -> Iterator[str]:
    why = note.get("why")
    if "largest" not in note:
        if why is not None:
            yield f"How far the limit's loss is off is not known: {_WHY.get(why, why)}."
        else:
            yield "How far the limit's loss is off is not known: a single point of evaluation says nothing."
        return
    evaluation, resolution = note["there"]
    yield (
        f"The limit's loss is known to within {note['largest']:.2g} (at t = {note['time']:.4g}, where it is "
        f"known worst): {evaluation:.2g} {_evaluation(note)}, {resolution:.2g} {_resolution(note)}."
    )
    if why is not None:
        yield f"After t = {note['until']:.4g} that is not known: {_WHY.get(why, why)}."


def _evaluation(note: Mapping[str, Any]) -> str:
    if not note["missing"]:
        return "from its evaluation, which is the mean over all points of the data"
    points = note["points"]
    if "nested" in note:
        return f"from its evaluation on {points} equally spaced points (by parts of them)"
    if "fewer" in note:
        return f"from its evaluation on {points - note['fewer']} nodes (by a rule of {note['fewer']} others)"
    parts = note["parts"]
    by = "by their scatter" if parts == points else f"by the scatter of {parts} independent blocks"
    return f"from its evaluation on {points} points ({note['confidence']:.0%}, {by})"


def _resolution(note: Mapping[str, Any]) -> str:
    if "tolerance" in note:
        return "from nodes, data and steps in time, by the refinement that a tolerance asked for"
    if "coarser" not in note:
        return "from nodes, data and steps in time, which are exact or part of the problem"
    changed = note["coarser"]
    parts = [f"{name} {count}" for name, count in changed.get("nodes", {}).items()]
    nodes = f"nodes {', '.join(parts)}" if parts else ""
    widths = changed.get("widths")
    if isinstance(widths, Mapping):
        widths = ", ".join(f"{name} {width}" for name, width in widths.items())
    told = [
        nodes,
        f"{widths} nodes per population" if widths else "",
        f"{changed['samples']} samples of the data" if "samples" in changed else "",
        f"{changed['steps']} steps" if "steps" in changed else "",
        f"rtol {changed['rtol']:.2g}" if "rtol" in changed else "",
    ]
    listed = ", ".join(filter(None, told))
    times = "" if note["factor"] == 1 else f"{note['factor']:g} times "
    return f"from its resolution ({times}the distance from a coarser solution: {listed})"
