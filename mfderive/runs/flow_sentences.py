"""Sentences about a flow, or SGD's steps many at a time, made of their notes: how they were followed, what
ended them, how far SGD departs from a flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# Keys of a trajectory's notes: how a flow was integrated, and how far SGD's steps lead from it.
FLOW, AGAINST_STEPS = "flow", "flow_against_steps"

_REACHED = {
    "until_loss": ("where the loss had fallen to {bound:.6g} (until_loss)", "The loss did not fall to"),
    "until_speed": ("where the speed had fallen to {bound:.6g} (until_speed)", "The speed did not fall to"),
}


def flow_sentences(notes: Mapping[str, Any]) -> list[str]:
    """Sentences about a solution by a method that chooses its steps; none for any other run."""
    return list(_sentences(notes)) if FLOW in notes else []


def _sentences(notes: Mapping[str, Any]) -> Iterator[str]:
    flow, against = notes[FLOW], notes.get(AGAINST_STEPS)
    samples = _counted(notes["samples_per_step"], "sample")
    method = f"(method {notes['method']}, rtol {flow['rtol']:.2g})"
    if "sgd_steps" in flow:
        steps = _counted(flow["sgd_steps"], "step")
        what = f"The limit makes {steps} of SGD on the law of the data, many at a time {method}"
        own = _counted(flow["steps"], "stride")
    else:
        what = f"The limit is the flow, integrated by {flow['integrator']} {method}"
        own = _counted(flow["steps"], "step")
    yield (
        f"{what}: {own}, {_rejected(flow['rejected'])}, {_counted(flow['evaluations'], 'velocity')}, "
        f"each averaged over the same {samples} (data = {notes['data']})."
    )
    ended, bounds = flow["ended"], flow["until"]
    if ended["by"] in bounds:
        reached = _REACHED[ended["by"]][0].format(bound=bounds[ended["by"]])
        yield f"It ended at t = {ended['time']:.6g}, {reached}."
    else:
        for name, bound in bounds.items():
            yield f"{_REACHED[name][1]} {bound:.6g} by t = {ended['time']:.6g} ({name})."
    if against is not None:
        yield _against(against, float(ended["time"]))


def _rejected(count: int) -> str:
    """How many steps were made again shorter: "none rejected", "2 more rejected"."""
    return f"{count} more rejected" if count else "none rejected"


def _counted(count: int, thing: str) -> str:
    """So many things: "1 step", "2 velocities"."""
    many = f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}s"
    return f"{count} {thing if count == 1 else many}"


def _against(against: Mapping[str, Any], end: float) -> str:
    """How far SGD's steps lead from the flow, or why that is not known."""
    if "why" in against:
        return f"How far SGD's steps at their rate lead from the flow is not estimated: {against['why']}."
    until = against["until"]
    covered = "its end" if until >= end * (1 - 1e-9) else f"t = {until:.4g}, as far as was estimated"
    return (
        "SGD's steps at their rate lead away from the flow: to first order in the rate, and without the "
        f"scatter of batches, they change the loss by {against['largest']:+.2g} at most (at t = "
        f"{against['time']:.4g}) and by {against['end']:+.2g} at {covered}."
    )
