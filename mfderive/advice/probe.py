"""How a reduced limit starts to move: a few small steps on few nodes, with the plain interpreter.

Nodes are random, so that nothing vanishes by chance, and symmetric where the laws are, so that averages
which cancel in the limit cancel on them. What seems to stand still is either shown to (a factor that is
identically 0, or cancels), or looked at again on many nodes and samples.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ..algebra.system import LimitSystem
from ..algebra.terms import AxisKind, Equation
from ..analysis.constants import initial_constants, surely_still
from ..network.network import Network
from ..reduction.cost import cost
from ..state.ensemble_plan import Ensemble
from ..state.ensembles import ensemble_state, labelled_state, plan_ensembles
from ..tensor.interpreter import interpret

Array = Any
State = dict[str, Any]

NODES = 4
SAMPLES = 8
SEED = 0
# Up to so many labels of a population are mirrored in all combinations, more of them together only.
MIRRORED = 4
# The second look takes as many nodes as this leaves, in operations of one evaluation (about half a second).
WORK = 20_000_000
MANY_NODES = (1024, 512, 256, 128, 64, 32, 16, 8)
MANY_SAMPLES = (32, 256)
# Largest change of any number in a step: large enough that what moves second is seen in the next step.
STEP = 0.05
# Relative to the sum of absolute values of all products in an equation: a zero of the equations themselves
# is exact or rounding, what is small by chance on random nodes is not that small.
ZERO = 1e-12
# What shifted parameters start at, and how far random ones are shifted: nothing in particular.
GENERIC = 0.7


@dataclass(frozen=True)
class Probe:
    """What the first steps show.

    ``still``: trained parameters that never move. ``unseen``: those that did not move on ``nodes`` nodes (of
    the largest population) and ``samples`` samples, without a proof. ``start``: the values and magnitudes
    of all fields at the start, ``later`` those after the last step.
    """

    still: frozenset[str]
    unseen: frozenset[str]
    nodes: int
    samples: int
    start: tuple[Mapping[str, Any], Mapping[str, Any]]
    later: tuple[Mapping[str, Any], Mapping[str, Any]]


def probe(network: Network, reduced: LimitSystem, shifted: Collection[str] = ()) -> Probe:
    """Follow the reduced limit for a few steps from its initial state, at rates of 1.

    ``shifted`` parameters start somewhere else, at nothing in particular: what moves then was held by them.
    Raises SpecError for laws that cannot be drawn.
    """
    quick = follow(network, reduced, small_state(reduced), SAMPLES, shifted)
    if not quick.unseen:
        return quick
    state, samples = _large_state(reduced)
    return follow(network, reduced, state, samples, shifted)


def follow(
    network: Network, system: LimitSystem, state: State, samples: int, shifted: Collection[str] = ()
) -> Probe:
    """Steps from ``state`` until one wakes no further parameter.

    Every step can wake parameters that depend on those that moved; when a step wakes none, the rest stands
    still for ever (up to coincidence in the data).
    """
    state = state | {name: _shifted(system, name, state[name]) for name in shifted}
    constants = {n: v for n, v in initial_constants(system).items() if n not in shifted}
    trained = [p.name for p in system.parameters if not p.is_frozen]
    moved: set[str] = set()
    still: frozenset[str] = frozenset()
    start = later = None
    for number in range(len(trained) + 1):
        x, y = network.source.batch(number + 1, samples)
        with np.errstate(all="ignore"):
            values, magnitudes = interpret(system, state, x, y)
        later = (values, magnitudes)
        start = start or later
        speed = {name: system.velocity_of[name] for name in trained}
        resting = {n for n in trained if vanishes(values[speed[n]], magnitudes[speed[n]])}
        still = _held(system, [n for n in trained if n not in moved], resting, constants, later)
        awake = {name for name in trained if name not in resting | still}
        if number and awake <= moved:
            break
        moved |= awake
        state = _stepped(state, {name: values[speed[name]] for name in awake})
    unseen = frozenset(trained) - moved - still
    nodes = max((len(weights) for weights in state["p"].values()), default=1)
    assert start is not None and later is not None
    return Probe(still, unseen, nodes, samples, start, later)


def _held(
    system: LimitSystem,
    candidates: list[str],
    resting: Collection[str],
    constants: Mapping[str, float],
    evaluated: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> frozenset[str]:
    """The candidates that are shown not to move from this state."""
    known = [e.field for e in system.equations if e.field in evaluated[0]]  # without those of a learning rule
    zero = [name for name in known if _cancels(evaluated, name)]
    fits = [e.field for e in system.equations if _reads(e, "y") and e.field in zero]
    if fits:
        # Targets that are met on these samples may be missed on others: nothing that feels them is shown.
        zero = [e.field for e in system.forward if e.field in zero and e.field not in fits]
    if not zero and not resting:
        return frozenset()
    return surely_still(system, candidates, constants, zero)


def _cancels(evaluated: tuple[Mapping[str, Any], Mapping[str, Any]], name: str) -> bool:
    values, magnitudes = evaluated
    return bool(np.any(magnitudes[name])) and vanishes(values[name], magnitudes[name])


def _reads(equation: Equation, name: str) -> bool:
    return any(access.field == name for term in equation.terms for _, access in term.accesses)


def vanishes(value: Any, magnitude: Any) -> bool:
    """Whether values are 0 beside what they are summed from (values that are not finite are not 0)."""
    size = float(np.max(magnitude, initial=0.0))
    return bool(np.max(np.abs(value), initial=0.0) <= ZERO * size)


def _shifted(system: LimitSystem, name: str, value: Array) -> Array:
    if system.parameter[name].law.is_deterministic:
        return np.full_like(value, GENERIC)
    return value + GENERIC


def _stepped(state: State, speeds: Mapping[str, Any]) -> State:
    largest = max((float(np.max(np.abs(speed), initial=0.0)) for speed in speeds.values()), default=0.0)
    factor = STEP / largest if np.isfinite(largest) and largest > 0 else 0.0
    return {name: value + factor * speeds[name] if name in speeds else value for name, value in state.items()}


# ---------------------------------------------------------------------------------------- nodes


def small_state(system: LimitSystem) -> State:
    """Few random nodes with all their mirror images, few Gauss nodes for noise where there are any."""
    default = plan_ensembles(system)
    rules = {
        axis.name: "gauss"
        if axis.kind is AxisKind.NOISE and default[axis.name].rule == "gauss"
        else "monte-carlo"
        for axis in system.axes
        if axis.name in default
    }
    nodes = {
        name: NODES if system.axis[name].kind is AxisKind.NOISE else max(1, NODES // len(_mirrors(system, p)))
        for name, p in default.items()
    }
    return _mirrored(system, plan_ensembles(system, nodes=nodes, rule=rules))


def _large_state(system: LimitSystem) -> tuple[State, int]:
    """The nodes on which the limit is solved by default, fewer where they cost too much, and samples."""
    default = plan_ensembles(system)
    least, most = MANY_SAMPLES
    for count in MANY_NODES:
        nodes = {n: max(1, min(count, p.nodes) // _copies(system, p)) for n, p in default.items()}
        plans = plan_ensembles(system, nodes=nodes)
        sizes = {name: plan.nodes * _copies(system, plan) for name, plan in plans.items()}
        samples = WORK // max(1, cost(system, sizes).work)
        if samples >= least:
            break
    return _mirrored(system, plans), int(np.clip(samples, SAMPLES, most))


def _copies(system: LimitSystem, plan: Ensemble) -> int:
    """How many mirror images of its nodes a plan needs: Gauss nodes are symmetric by themselves."""
    return 1 if plan.rule == "gauss" else len(_mirrors(system, plan))


def _mirrors(system: LimitSystem, plan: Ensemble) -> list[tuple[str, ...]]:
    """The sets of labels that are mirrored together; the first is empty.

    A mirrored label has the same law: all laws are symmetric about their mean. Labels whose laws name other
    labels are left alone.
    """
    if system.axis[plan.axis].kind is not AxisKind.POPULATION or not plan.labels:
        return [()]
    if any(system.parameter[label].law.references for label in plan.labels):
        return [()]
    if len(plan.labels) > MIRRORED:
        return [(), plan.labels]
    choices = product((False, True), repeat=len(plan.labels))
    return [
        tuple(label for label, chosen in zip(plan.labels, choice, strict=True) if chosen)
        for choice in choices
    ]


def _mirrored(system: LimitSystem, plans: Mapping[str, Ensemble]) -> State:
    """The initial state on planned nodes and their mirror images."""
    state: State = ensemble_state(system, plans, SEED)
    labels: dict[str, Array] = {}
    weights = dict(state["p"])
    for name, plan in plans.items():
        images = _mirrors(system, plan) if plan.rule != "gauss" else [()]
        for label in plan.labels if system.axis[name].kind is AxisKind.POPULATION else ():
            position = system.parameter[label].axes.index(name)
            value, law = state[label], system.parameter[label].law
            # A law that names no other label has a number for its mean.
            parts = [2 * float(law.mean) - value if label in image else value for image in images]
            labels[label] = np.concatenate(parts, axis=position)
        if name in weights:
            weights[name] = np.tile(weights[name], len(images)) / len(images)
    return {**labelled_state(system, plans, labels, SEED), "p": weights}
