"""What 'agrees' needs beside the tests: a limit that other nodes reproduce, and losses that stayed in reason.

The check solves the limit on scrambled points, whose scatter it can see; :func:`mfderive.solve` takes other
nodes by default. Where an expectation over the initial laws is infinite (exp(exp(h)) of a normal h), each
number of nodes gives another 'limit', and networks and points that miss the tails agree with one another.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import DivergenceError, ResourceError
from ..network.solve_options import SolveOptions
from ..runs.divergence import run_sentences
from ..runs.keeping import UNKEPT, Keeping
from ..runs.trajectory import Trajectory
from ..solution.options import resolve_options
from ..solution.solve import solve
from .judge import rms, scale_of
from .measurements import Measurements
from .observables import LOSS, OUTPUTS
from .verdict import Verdict

_TAILS = (
    "Points and networks may miss tails of the initial laws over which an expectation is infinite: look at "
    "what activations are at large arguments, or take smaller initial values"
)


def confirmed(verdict: Verdict, keep: Keeping = UNKEPT) -> Verdict:
    """The verdict, undecided where 'agrees' would rest on what the default nodes do not reproduce.

    A limit whose loss exploded agrees with nothing; where it and all of the widest networks exploded, they do
    not disagree either. ``keep``: where the solution on the default nodes is kept.
    """
    measured = verdict.measured
    sentences = run_sentences(measured.limit.findings)
    wild = [bool(path.findings) for path in (measured.paths[-1] if measured.paths else ())]
    if verdict.status == "agrees" and (sentences or any(wild)):
        told = sentences or run_sentences(next(p for p in measured.paths[-1] if p.findings).findings)
        return replace(verdict, status="undecided", reasons=tuple(told))
    if verdict.status == "disagrees" and sentences and all(wild):
        return replace(verdict, status="undecided", reasons=(*sentences, *verdict.reasons))
    if verdict.status == "agrees":
        reason = unlike_default(measured, keep)
        if reason is not None:
            return replace(verdict, status="undecided", reasons=(reason,))
    return verdict


def unlike_default(measured: Measurements, keep: Keeping = UNKEPT) -> str | None:
    """Why the limit on default nodes is another one than this check's, in words; None where it is not.

    They are held against each other in the outputs at the end and in the loss on the way, with the check's
    tolerance. Where the default nodes need more memory than there is, nothing is said.
    """
    try:
        path = default_solution(measured, keep)
    except ResourceError:
        return None
    except DivergenceError as error:
        return f"needs a limit that other nodes reproduce: on the nodes that solve takes, {error}. {_TAILS}"
    if path.findings:
        said = run_sentences(path.findings)[0]
        return f"needs a limit that other nodes reproduce: on the nodes that solve takes, {said}. {_TAILS}"
    x, _ = measured.network.source.evaluation(measured.settings.evaluation)
    gap = float(np.abs(path.loss - measured.limit.loss).max())
    ends = rms(path.fields(x)["yhat"].reshape(-1) - measured.ensembles[OUTPUTS].mean(axis=0))
    for observable, said, distance in ((LOSS, "the loss", gap), (OUTPUTS, "outputs", ends)):
        scale = scale_of(measured, observable)
        if not distance <= measured.settings.tolerance * scale:
            return (
                f"needs a limit that other nodes reproduce: {said} on the nodes that solve takes "
                f"({_nodes(path)}) and on this check's ({_nodes(measured.limit)}) are {distance:.2g} apart, "
                f"tolerance {measured.settings.tolerance * scale:.2g}. {_TAILS}"
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


def _nodes(path: Trajectory) -> str:
    return ", ".join(f"{name}: {count}" for name, count in path.notes["nodes"].items())
