"""Resolutions chosen by what each of them contributes to the stated error of the loss curve.

A first solution is coarse. What each of its resolutions contributes to the error is measured as that of
every solution is (:mod:`mfderive.solution.loss_error`): by one in which this resolution alone is coarser.
The nodes of a tensor are one resolution for each label. Those that contribute more than their share are
refined, by as much as their order says but fourfold at most at a time (twofold for Gauss nodes, unless that
saves nothing), and the next solution is finer in all of them. What they then contribute is measured by one
solution in which all of them are coarser. What did not matter stays where it is and is not measured again. So
all solutions before the last cost a part of it, and those beside it, too.

A rule of two thirds of the Gauss nodes may say far too much: an odd number of nodes has one on a kink in the
centre of a law, whose weight is of order 1 / sqrt(n). Where functions have kinks and a number seems to need
more nodes, half of them, of the same parity, are asked as well: with a kink anywhere else, errors of order
1 / n have e' = 2 e of either sign and |d| >= |e|, those of two thirds |d| >= |e| / 2, so that 2 |d| covers e
by either, and the lesser of both is taken.

Sampled points have SCRAMBLES solutions of a quarter of the points beside them. Their scatter s (Student's t)
and the distance d of their mean are errors of a quarter of the points; with errors of order p, those of all
are 4^-p s and d / (4^p - 1). p = 1/2 for random draws; scrambled Sobol points are taken to have 3/4.

The evaluation is a resolution like the others: nodes of a law of up to three numbers
(:mod:`mfderive.samples.rule_pairs`), else points of a sample; or Gauss nodes where nothing bends and less is
said of their error on the states of the first solution.
Points of populations and data give way to Gauss nodes at the beginning, where few of these do
(:mod:`mfderive.solution.node_choice`). Steps and batches of SGD (euler) are part of
the problem, for the networks make the same ones; how far other batches would move the curve is reported
beside the estimate. A solution that would take more than LARGEST_WORK operations is not made, unless that is
less than MOST_TIMES those of the first: the tolerance is then not met, which is a warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil, log2
from typing import Any

import numpy as np

from ..errors import MfError, ResourceError
from ..runs.keeping import UNKEPT, Keeping
from ..runs.trajectory import Trajectory
from .against_steps import with_steps_beside
from .coarse_plans import with_few_nodes
from .coarser import TIME
from .flow import FlowRun
from .loss_error import Contribution, with_loss_error
from .node_choice import CHOSEN_DATA
from .refinement import EVALUATION, MOST_AT_ONCE, Measured, Refinement, Solved
from .stepping import Problem

Array = Any

# Doublings after which a resolution is given up.
DOUBLINGS = 8
# Operations of the largest solution that is made (about a minute), or so many times those of the first.
LARGEST_WORK, MOST_TIMES = 2e11, 64.0
# Operations below which solutions take the same milliseconds whatever their resolutions are.
LEAST_WORK = 3e7
# By which power of 2 the error falls when a resolution is doubled, at the least: steps in time are of second
# order where functions have kinks, and a doubling makes rtol four times smaller.
_ORDERS = {TIME: 2.0}


def refine(problem: Problem, tolerance: float, progress: bool, keep: Keeping = UNKEPT) -> Trajectory:
    """Solve a problem with resolutions so fine that the loss curve is within ``tolerance`` of its limit.

    The limit is that of ever more nodes, points of evaluation and, but for euler, smaller steps. What is part
    of the problem is not refined: the steps and batches of SGD for "euler", a fixed sample.
    ``notes["tolerance"]`` says what was asked and reached, and at which resolution: {"asked", "estimate",
    "met", "resolutions": {name: {"level", "estimate", "together"}}, "batches"}; an estimate is that of all
    the resolutions that were measured "together", and "batches" is how far other batches would move the
    curve (None where every step sees the same data). Warns where the tolerance is not met. ``keep``: where
    the solutions are kept, each in a part of its own.

    Raises MfError where a time step is to be refined although every step sees other data.
    """
    fixed = problem.options.data != "batches" or problem.network.training.batch_size == "all"
    if problem.options.method != "euler" and not fixed:
        raise MfError(
            f"a tolerance needs steps of {problem.options.method} that can be halved, but every step takes a "
            "batch of its own. Set data to quadrature, sobol or sample, or take the method euler"
        )
    work = Refinement(with_few_nodes(problem), progress, keep)
    solved, found, stopped = _refined(work, tolerance)
    path, total = solved.path, _total(found)
    if problem.options.stated_error:
        resolution = total - next(each.part for each in found if each.names == (EVALUATION,))
        path = with_loss_error(path, solved.run, Contribution(resolution, {"tolerance": tolerance}))
    if isinstance(solved.run, FlowRun):
        path = with_steps_beside(path, solved.run, path.checkpoints[0].state.arrays, 0.0)
    estimate = float(np.max(total))
    met = estimate <= tolerance
    parts = {
        name: {
            "level": work.words(name, solved),
            "estimate": _known(each.largest),
            "together": list(each.names),
        }
        for name in work.names()
        for each in found
        if name in each.names
    }
    batches = None if fixed else work.batch_scatter(dict.fromkeys(work.names(), 0))
    note: dict[str, Any] = {"asked": tolerance, "estimate": _known(estimate), "met": met}
    note |= {"resolutions": parts, "batches": batches, "solutions": work.made}
    if stopped is not None:
        note["stopped"] = stopped
    if not met:
        warnings.warn(_not_met(problem, tolerance, note), stacklevel=4)
    feed = solved.run.feed
    kept = {CHOSEN_DATA: feed.asked} if feed.rule == "quadrature" else {}
    return replace(path, notes={**path.notes, **kept, "tolerance": note})


def _total(found: Sequence[Measured]) -> Array:
    """What all resolutions contribute, [time]."""
    return np.sum([each.part for each in found], axis=0)


def _not_met(problem: Problem, tolerance: float, note: Mapping[str, Any]) -> str:
    """The warning of a tolerance that is out of reach."""
    parts = "; ".join(
        f"{name} ({part['level']}): {_figure(part['estimate'])}" for name, part in note["resolutions"].items()
    )
    curve = f"the loss curve of '{problem.network.title}'"
    said = f"{curve} is known to {_figure(note['estimate'])}, not to {tolerance:.2g}: {parts}"
    if "stopped" not in note:
        return said
    return (
        f"{said}. The next finer solution would take {note['stopped']:.2g} times as long and was not made; "
        "nodes, data_nodes and evaluation choose resolutions by hand"
    )


def _figure(value: float | None) -> str:
    return "an unknown error" if value is None else f"{value:.2g}"


def _known(value: float) -> float | None:
    """A number as a note has it; None where it is unknown."""
    return value if np.isfinite(value) else None


def _refined(work: Refinement, tolerance: float) -> tuple[Solved, list[Measured], float | None]:
    """The last solution, what its resolutions contribute, and how much more the next one would have taken.

    (None: nothing was to be done, or there is no memory for more.)
    """
    doublings = dict.fromkeys(work.names(), 0)
    kept: list[Measured] = []
    done: tuple[Solved, list[Measured]] | None = None
    least = 0.0
    while True:
        try:
            solved = work.solution(doublings)
        except ResourceError:
            if done is None:
                raise
            return (*done, None)
        present = work.work(doublings, solved)
        least = present if done is None else least
        if done is None and work.takes_gauss_nodes(solved, tolerance):
            solved = work.solution(doublings)
        found = _measured(work, solved, kept, done is not None, tolerance)
        done = solved, found
        most = {name: work.at_once(name) for name in doublings}
        bold = {name: max(times, MOST_AT_ONCE) for name, times in most.items()}
        kept, finer = refined(found, doublings, tolerance, bold)
        if work.work(finer, solved) > LEAST_WORK:
            kept, finer = refined(found, doublings, tolerance, most)
        if finer == doublings:
            return (*done, None)
        next_work = work.work(finer, solved)
        if next_work > max(LARGEST_WORK, MOST_TIMES * least):
            return (*done, next_work / present)
        doublings = finer


def _measured(
    work: Refinement, solved: Solved, kept: Sequence[Measured], again: bool, tolerance: float
) -> list[Measured]:
    """What the resolutions of a solution contribute; ``kept``: what is known and has not changed."""
    known = {name for each in kept for name in each.names}
    new = [name for name in solved.doublings if name not in known]
    found = [*kept, *(work.measured(names, solved) for names in _groups(work, new, again))]
    if any(len(each.names) > 1 for each in found) and not _is_within(found, tolerance):
        # Which of them matters is measured where that costs less than to refine them all.
        together = [each for each in found if len(each.names) > 1]
        found = [each for each in found if len(each.names) == 1]
        found += [work.measured((name,), solved) for each in together for name in each.names]
    if _is_within(found, tolerance):
        return found
    share = tolerance / len(found)
    return [
        each if each.names[0] in known or each.largest <= share else work.measured_again(each, solved)
        for each in found
    ]


def _groups(work: Refinement, names: Sequence[str], together: bool) -> list[tuple[str, ...]]:
    """Which resolutions are measured together: those that are not sampled, once each was measured alone."""
    alone = [n for n in names if not together or n == EVALUATION or work.sampled(n) is not None]
    rest = tuple(name for name in names if name not in alone)
    return [*([rest] if rest else []), *((name,) for name in alone)]


def _is_within(found: Sequence[Measured], tolerance: float) -> bool:
    """Whether all together are within a tolerance at every time."""
    return bool(np.all(_total(found) <= tolerance))


def refined(
    found: Sequence[Measured],
    doublings: Mapping[str, int],
    tolerance: float,
    most: Mapping[str, int],
) -> tuple[list[Measured], dict[str, int]]:
    """What needs not be measured again, and the next levels; the same levels where nothing is to be done.

    What some resolutions leave of their share goes to those that contribute more. Nothing is refined where
    all together, at every time, are within the tolerance. ``most``: doublings at a time.
    """
    if _is_within(found, tolerance):
        return list(found), dict(doublings)
    kept, finer, left = [], dict(doublings), tolerance
    order = sorted(found, key=lambda each: each.largest)
    for done, each in enumerate(order):
        share = left / (len(order) - done)
        if each.largest <= share:
            left -= each.largest
        can = {
            name: min(_doublings(name, each.largest / share), most[name], DOUBLINGS - doublings[name])
            for name in each.names
        }
        if each.largest <= share or not any(can.values()):
            kept.append(each)
        else:
            finer |= {name: doublings[name] + m for name, m in can.items()}
    return kept, finer


def _doublings(name: str, ratio: float) -> int:
    """How often a resolution is doubled for its error to fall by a ratio."""
    wanted = max(ceil(log2(ratio) / _ORDERS.get(name, 1.0)), 1) if 0 < ratio < float("inf") else 1
    return wanted + (name == EVALUATION)
