"""Conditions of the convergence theorems on the course of training, as far as the start decides them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..algebra.findings import Finding
from ..algebra.system import LimitSystem
from ..analysis.function_facts import Answer
from ..errors import MfError
from ..state.ensembles import ensemble_state, plan_ensembles
from ..tensor.interpreter import interpret
from .chain import Chain
from .condition_checks import Setting
from .condition_kinds import Condition, Ground, found

SAMPLES = 512
NODES = 64
SEEDS = range(4)
_ROUNDING = 1e-9  # of the losses: averages that cancel leave some of it


def output_stays(setting: Setting, chain: Chain) -> Iterator[Finding]:
    """Whether the output weights have a limit other than 0.

    The loss never grows along the flow, and with output weights 0 it is that of the output 0. So if it starts
    below, they do not vanish. (An output bias would move, and that loss with it.) ``loss``, ``of_zero``: the
    two losses, ``error``: half an interval around their difference, by nodes and samples.
    """
    weight = setting.limit.parameter[chain.output_weight]
    starts_at_0 = weight.law.is_deterministic and weight.law.mean == 0
    if starts_at_0 and (weight.is_frozen or weight.name in setting.still):
        yield found(Ground.STILL, False, weight.name)
        return
    if chain.output_bias is not None and chain.output_bias not in setting.nothing:
        yield found(Ground.START, Answer.OPEN, weight.name, reason="an output bias moves beside them")
        return
    try:
        with np.errstate(all="ignore"):
            loss, of_zero, error = _start(setting, chain)
    except MfError as problem:
        yield found(Ground.START, Answer.OPEN, chain.output_weight, reason=str(problem))
        return
    if not np.isfinite([loss, of_zero, error]).all():
        yield found(Ground.START, Answer.OPEN, weight.name, reason="the loss at the start is not finite")
        return
    below = True if of_zero - loss > error else None
    yield found(Ground.START, below, weight.name, loss=loss, of_zero=of_zero, error=error)


def _start(setting: Setting, chain: Chain) -> tuple[float, float, float]:
    """The loss at the start, that of output weights 0, and the error of their difference."""
    source = setting.network.source
    system = replace(setting.reduced, equations=tuple(setting.reduced.forward))
    x, y = source.evaluation(SAMPLES)
    parts = source.parts(SAMPLES)
    plans = plan_ensembles(system)
    nodes = {name: min(NODES, plan.nodes) for name, plan in plans.items()}
    plans = plan_ensembles(system, nodes=nodes)
    differences, losses, zeros = [], [], []
    for seed in SEEDS:
        state = ensemble_state(system, plans, seed)
        own = _losses(system, state, x, y)
        none = _losses(system, {**state, chain.output_weight: 0 * state[chain.output_weight]}, x, y)
        losses.append(float(own.mean()))
        zeros.append(float(none.mean()))
        differences.append(none - own)
    spread = float(np.ptp([each.mean() for each in differences]))
    half = parts.half_width(np.mean(differences, axis=0))
    rounding = _ROUNDING * (abs(float(np.mean(losses))) + abs(float(np.mean(zeros))))
    error = rounding + spread + (half if np.isfinite(half) else np.inf)
    return float(np.mean(losses)), float(np.mean(zeros)), error


def _losses(system: LimitSystem, state: Mapping[str, Any], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    values, _ = interpret(system, state, x, y)
    return np.asarray(values["loss"])


def convergence(setting: Setting, others: tuple[Condition, ...]) -> Iterator[Finding]:
    """The theorem assumes that all weights converge; ``others`` are the answers to everything else."""
    trained = [p.name for p in setting.limit.parameters if not p.is_frozen]
    if set(trained) <= setting.still:
        yield found(Ground.STILL, True, *trained)
    elif (
        setting.loss is not None
        and setting.loss.never_still
        and all(condition.answer is Answer.YES for condition in others)
    ):
        yield found(Ground.NO_MINIMUM, False)
    else:
        yield found(Ground.ASSUMED, Answer.OPEN)
