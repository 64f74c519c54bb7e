"""What 'agrees' needs beside the tests: a limit that other nodes reproduce, and losses that stayed in reason.

The check solves the limit on scrambled points, whose scatter it can see; :func:`mfderive.solve` takes other
nodes by default. Where an expectation over the initial laws is infinite (exp(exp(h)) of a normal h), each
number of nodes gives another 'limit', and networks and points that miss the tails agree with one another.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..algebra.findings import Finding, FindingKind
from ..errors import DivergenceError, ResourceError
from ..network.solve_options import SolveOptions
from ..runs.keeping import UNKEPT, Keeping
from ..runs.trajectory import Trajectory
from ..solution.options import resolve_options
from ..solution.solve import solve
from .judge import rms, scale_of
from .measurements import Measurements
from .observables import LOSS, OUTPUTS
from .verdict import Verdict


def confirmed(verdict: Verdict, keep: Keeping = UNKEPT) -> Verdict:
    """The verdict, undecided where 'agrees' would rest on what the default nodes do not reproduce.

    A limit whose loss exploded agrees with nothing; where it and all of the widest networks exploded, they do
    not disagree either. ``keep``: where the solution on the default nodes is kept.
    """
    measured = verdict.measured
    found = tuple(measured.limit.findings)
    wild = [bool(path.findings) for path in (measured.paths[-1] if measured.paths else ())]
    if verdict.status == "agrees" and (found or any(wild)):
        told = found or next(path for path in measured.paths[-1] if path.findings).findings
        return replace(verdict, status="undecided", findings=tuple(told))
    if verdict.status == "disagrees" and found and all(wild):
        return replace(verdict, status="undecided", findings=(*found, *verdict.findings))
    if verdict.status == "agrees":
        unlike = unlike_default(measured, keep)
        if unlike is not None:
            return replace(verdict, status="undecided", findings=(unlike,))
    return verdict


def unlike_default(measured: Measurements, keep: Keeping = UNKEPT) -> Finding | None:
    """Why the limit on default nodes is another one than this check's; None where it is not.

    They are held against each other in the outputs at the end and in the loss on the way, with the check's
    tolerance. Where the default nodes need more memory than there is, nothing is said. Facts of
    "other-nodes": loss (whether the loss is apart, else the outputs), distance, tolerance, and the numbers of
    nodes, default and own, by name; of "wild-nodes": run, the finding about the solution.
    """
    try:
        path = default_solution(measured, keep)
    except ResourceError:
        return None
    except DivergenceError as error:
        return Finding.of(FindingKind.WILD_NODES, run=Finding.of(FindingKind.NOT_FINITE, reason=str(error)))
    if path.findings:
        return Finding.of(FindingKind.WILD_NODES, run=path.findings[0])
    x, _ = measured.network.source.evaluation(measured.settings.evaluation)
    gap = float(np.abs(path.loss - measured.limit.loss).max())
    ends = rms(path.fields(x)["yhat"].reshape(-1) - measured.ensembles[OUTPUTS].mean(axis=0))
    for observable, distance in ((LOSS, gap), (OUTPUTS, ends)):
        tolerance = measured.settings.tolerance * scale_of(measured, observable)
        if not distance <= tolerance:
            return Finding.of(
                FindingKind.OTHER_NODES,
                loss=observable == LOSS,
                distance=distance,
                tolerance=tolerance,
                default=_nodes(path),
                own=_nodes(measured.limit),
            )
    return None


def default_solution(measured: Measurements, keep: Keeping = UNKEPT) -> Trajectory:
    """The limit by SGD's steps on the nodes that solve takes, observed when the check's was."""
    given = resolve_options(measured.network)
    options = SolveOptions(
        steps=measured.steps,
        evaluation=measured.settings.evaluation,
        checkpoints=2,
        nodes=given.nodes if given.reduce else None,
        rule=given.rule if given.reduce else None,
        seed=given.seed,
        stated_error=False,
    )
    part = keep.part("default-nodes")
    return solve(measured.network, options, system=measured.limit.reduced, keep=part)


def _nodes(path: Trajectory) -> tuple[tuple[str, int], ...]:
    return tuple(path.notes["nodes"].items())
