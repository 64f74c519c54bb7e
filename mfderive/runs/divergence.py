"""When a loss grew beyond reason: the rule, its numbers, and what is said (docs/runs.md).

A loss is held against R, the larger of the loss at the start and the loss of outputs that are all 0: who
predicts nothing does no worse than that. Only observed losses are looked at.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..algebra.findings import Finding, FindingKind, sentence_of
from ..errors import DivergenceWarning, MfError
from ..network.network import Network
from ..samples.data_findings import size_keys
from .evaluation import evaluate_loss_error

Array = Any

# The key of a trajectory's notes under which its findings stand.
NOTE = "findings"
# A loss that ends at so many times R has learned nothing, and no rise of a healthy run is as high: edges of
# stability and catapults of a large learning rate reach tens.
FAR = 100.0
# It is still growing where its end is at least this part of its largest value.
STILL = 0.5
# A loss that was so many times R on the way, and came back, was thrown somewhere by steps that were too
# large: what is left is the curve of another start.
EXPLODED = 1000.0


def divergence(network: Network, times: Array, loss: Array, y: Array, precision: str) -> tuple[Finding, ...]:
    """At most one finding about the loss curve of a run: "loss-diverged" or "loss-exploded".

    ``times``, ``loss``: float64 [T]; ``y`` [sample, outputs] are the targets of the evaluation sample, and
    ``precision`` that of the state. The facts: start, reference (R), peak and peak_time, end and end_time,
    limit (the square root of the precision's largest number, where the loss went beyond it, else None),
    size_keys (keys of [data] that state or change the size of inputs and targets).
    """
    losses = np.asarray(loss, np.float64)
    if len(losses) < 2:
        return ()
    reference = reference_loss(network, float(losses[0]), y)
    top = int(losses.argmax())
    peak, end = float(losses[top]), float(losses[-1])
    # Squares of such values are infinite; a loss that is so large in its own units has not grown.
    root = float(np.sqrt(np.finfo(precision).max))
    near = peak > root and peak > 2 * reference
    far, growing = end > FAR * reference > 0, end >= STILL * peak
    if not (near or (far and growing) or peak > EXPLODED * reference > 0):
        return ()
    kind = FindingKind.LOSS_DIVERGED if far or growing else FindingKind.LOSS_EXPLODED
    facts = {
        "start": float(losses[0]),
        "reference": reference,
        "peak": peak,
        "peak_time": float(times[top]),
        "end": end,
        "end_time": float(times[-1]),
        "limit": root if near else None,
        "size_keys": size_keys(network),
    }
    return (Finding.of(kind, **facts),)


def reference_loss(network: Network, start: float, y: Array) -> float:
    """R: the larger of the loss at the start and of outputs that are all 0 (where these have one)."""
    try:
        nothing, _ = evaluate_loss_error(network, np.zeros_like(np.asarray(y, np.float64)), y)
    except MfError:
        return abs(start)
    return max(abs(start), abs(nothing) if np.isfinite(nothing) else 0.0)


def not_finite(reason: str, time: float, step: int) -> Finding:
    """The finding about a run that ends before its last step, because values left the finite numbers."""
    return Finding.of(FindingKind.NOT_FINITE, reason=reason, time=time, step=step)


def noted(findings: Iterable[Finding]) -> dict[str, Any]:
    """The entry of a trajectory's notes for findings; empty where there are none."""
    entries = [
        {"kind": str(each.kind), "subjects": list(each.subjects), "facts": dict(each.facts)}
        for each in findings
    ]
    return {NOTE: entries} if entries else {}


def finding_of(entry: Mapping[str, Any]) -> Finding:
    """A finding from the plain data of a note."""
    facts = {name: tuple(each) if isinstance(each, list) else each for name, each in entry["facts"].items()}
    return Finding.of(str(entry["kind"]), *entry["subjects"], **facts)


def run_sentences(findings: Iterable[Finding]) -> list[str]:
    """One sentence for each finding about a run: what happened, and what to do."""
    return [sentence_of(SENTENCES, each, "runs/divergence.py")(each.facts) for each in findings]


def warn_of(title: str, findings: Sequence[Finding], stacklevel: int = 3) -> None:
    """Warn (DivergenceWarning) where a run has findings; ``title``: which run it is."""
    for sentence in run_sentences(findings):
        warnings.warn(f"{title}: {sentence}", DivergenceWarning, stacklevel=stacklevel)


# How the keys of [data] that bring data to size 1 are written, where one value is right for most.
_WRITTEN = {
    "scale": 'scale = "standardize"',
    "scale_y": 'scale_y = "standardize"',
    "range": "range = [-1, 1]",
}


def _remedy(facts: Mapping[str, Any]) -> str:
    keys = [_WRITTEN.get(key, key) for key in facts.get("size_keys", ())]
    size = f"inputs and targets of size 1 ({', '.join(keys)} in [data]), " if keys else ""
    return (
        "Steps this large follow no gradient. What to do: a smaller learning rate, "
        f"{size}or smaller initial values"
    )


def _diverged(facts: Mapping[str, Any]) -> str:
    growing = "still growing" if facts["end"] >= STILL * facts["peak"] else _peak(facts)
    return (
        f"the loss diverged: it began at {facts['start']:.4g} and ends at {facts['end']:.4g} "
        f"(t = {facts['end_time']:.4g}), {growing}{_near(facts)}. {_remedy(facts)}"
    )


def _exploded(facts: Mapping[str, Any]) -> str:
    return (
        f"the loss exploded on the way: it began at {facts['start']:.4g}, {_peak(facts)}{_near(facts)} and "
        f"ends at {facts['end']:.4g} (t = {facts['end_time']:.4g}). What came back is not what was trained. "
        f"{_remedy(facts)}"
    )


def _peak(facts: Mapping[str, Any]) -> str:
    return f"was {facts['peak']:.4g} at t = {facts['peak_time']:.4g}"


def _near(facts: Mapping[str, Any]) -> str:
    limit = facts["limit"]
    return "" if limit is None else f" (beyond {limit:.2g}, above which squares are infinite)"


def _not_finite(facts: Mapping[str, Any]) -> str:
    return str(facts["reason"])


SENTENCES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    FindingKind.LOSS_DIVERGED: _diverged,
    FindingKind.LOSS_EXPLODED: _exploded,
    FindingKind.NOT_FINITE: _not_finite,
}
