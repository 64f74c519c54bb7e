"""The stated error of a loss curve: its evaluation, and what nodes, data and steps in time contribute.

At every observed time it is the sum of two parts.

Evaluation. The loss is a mean over points that stand for the law of the data
(:mod:`mfderive.samples.independent_parts`): the half-width of the interval that holds the mean over the law
with 99 %, by the scatter of independent blocks of points. A data set is its own law: 0.

Resolution. One coarser solution has fewer nodes, fewer samples of the data and longer steps in time, all at
once (:mod:`mfderive.solution.coarser`), the same batches and the same times, and is evaluated on one of the
blocks of points. With e the error of the curve and e' that of the coarser one, their difference d = e' - e
is known. The part at t is the largest |d| from t / 2 to the next observed time, for d may cross 0, times the
factor of what was made coarser:

* sampled points (Sobol, draws), a quarter of them with a scramble of their own: 4. Independent errors of
  order N^(-1/2) have |e| <= 4 |d| in 94 % of all cases at any one time, those of order 1/N in 96 % (normal
  e, e' with deviations 1 : 2 and 1 : 4); the largest |d| over a while is seldom small.
* Gauss nodes, two thirds of them for each number: 2. Errors of order 1/n (a kink) have e' = 1.5 e and
  |d| = |e| / 2; a kink in the centre even has e' = -1.5 e, because the parity of the number changes; smooth
  integrands have |e| far below |d|.
* steps in time, twice as long or with a tolerance eight times larger: 1. Errors of first order (the least
  that kinks leave of a Runge-Kutta method) have e' = 2 e and |d| = |e|; all others less.

Errors of several kinds add in d with their own factors of e, so that the largest factor covers their sum,
unless they cancel at all times. Steps and batches of SGD are part of the problem, for the networks make the
same ones; so is a state that was given. What cannot be compared is unknown (nan), never 0. Rounding is not
in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import DivergenceError, MfError, ResourceError
from ..runs.error_sentences import DIVERGED, LOSS_ERROR, MEMORY, RESUMED, STOPPED
from ..runs.keeping import Keeping
from ..runs.trajectory import Trajectory
from ..samples.independent_parts import CONFIDENCE
from .coarser import FinestError, coarser
from .march import Run
from .observed_rows import Row

Array = Any


@dataclass(frozen=True)
class Contribution:
    """What resolutions contribute, [time] (nan: unknown), and the facts that a sentence is made of."""

    part: Array
    facts: Mapping[str, Any]


def with_loss_error(path: Trajectory, run: Run, resolution: Contribution, resume: Any = None) -> Trajectory:
    """A solution with the stated error of its loss curve, and how it came about in its notes.

    ``run`` made it, after ``resume``, whose own stated error stays.
    """
    evaluation = np.array([row.loss_width for row in run.rows])
    error_widths = np.array([row.error_width for row in run.rows])
    total = evaluation + resolution.part
    parts = run.law_parts
    note: dict[str, Any] = {
        "confidence": CONFIDENCE,
        "points": len(run.x),
        **parts.facts,
        "evaluation": _largest(evaluation),
        "resolution": _largest(resolution.part),
        "error": _largest(error_widths),
        **resolution.facts,
    }
    if np.isfinite(total).any():
        at = int(np.nanargmax(total))
        note |= {"largest": float(total[at]), "time": run.rows[at].time}
        note |= {"there": [float(evaluation[at]), float(resolution.part[at])]}
        note["until"] = run.rows[int(np.flatnonzero(np.isfinite(total))[-1])].time
    whole = total if resume is None else np.append(resume.loss_error, total)
    return replace(path, loss_error=whole, notes={**path.notes, LOSS_ERROR: note})


def _largest(values: Array) -> float | None:
    """The largest of some numbers; None where one is unknown."""
    found = float(np.max(values, initial=0.0))
    return found if np.isfinite(found) else None


def resolution_of(
    run: Run,
    initial: Mapping[str, Any] | None,
    resume: Trajectory | None,
    progress: bool,
    keep: Keeping,
) -> Contribution:
    """What resolutions contribute to the error of a run that is done, by a coarser solution.

    ``keep``: where the coarser solution is kept on its way.
    """
    unknown = np.full(len(run.rows), np.nan)
    try:
        made = coarser(run, initial if resume is None else resume.at())
        if resume is not None and not (made.is_exact and _has_exact_nodes(run)):
            return Contribution(unknown, {"why": RESUMED})
        if made.is_exact:
            return Contribution(np.zeros(len(run.rows)), {})
        other = made.run(run)
    except FinestError as error:
        return Contribution(unknown, {"why": str(error)})
    except ResourceError:
        return Contribution(unknown, {"why": MEMORY})
    facts = {"coarser": made.facts, "factor": made.factor}
    try:
        other.trajectory(made.state, 0, None, progress, keep)
    except ResourceError:
        facts["why"] = MEMORY
    except DivergenceError:
        facts["why"] = DIVERGED
    except MfError:
        facts["why"] = STOPPED
    return Contribution(made.factor * differences(run.rows, other.rows), facts)


def _has_exact_nodes(run: Run) -> bool:
    """Whether the populations of a run need no nodes but single types and values that are all there."""
    try:
        return run.options.reduce and coarser(run, None).is_exact
    except FinestError:
        return False


def differences(rows: Sequence[Row], others: Sequence[Row]) -> Array:
    """The largest difference of two loss curves from t / 2 to the time after t, for every time t, [time].

    ``others`` may have fewer times than ``rows``; nan beyond the last of them.
    """
    known = {row.time: row.loss for row in others}
    compared = [row for row in rows if row.time in known]
    gaps = np.array([abs(row.compared - known[row.time]) for row in compared])
    return around(rows, [row.time for row in compared], gaps)


def around(rows: Sequence[Row], times: Sequence[float], values: Array) -> Array:
    """The largest of ``values``, known at ``times``, from t / 2 to the time after t, for the time t of a row.

    nan beyond the last of the times.
    """
    found = []
    for row in rows:
        first, end = np.searchsorted(times, [row.time / 2, row.time])
        found.append(values[first : end + 2].max() if end < len(times) else np.nan)
    return np.array(found)
