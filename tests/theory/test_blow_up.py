"""Exact discretisation (theory.md A.7 and E8): a weighted ensemble is a network whose nodes are repeated.

Every shipped spec. A state with unequal weights p, and a second one made of the same nodes in another way:
each repeated so often that equal weights give p (a finite network), permuted, one node split in two with
p = p' + p'', a copy of weight 0 added. All four stay copies of the weighted state for ever, whatever the
batches and the step, so they are compared after 50 steps on common batches, to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mfderive as mf
from mfderive.solution.stepping import runge_kutta
from mfderive.tensor.interpreter import interpret

from .common import EPSILON, Array, State, distance, flat, rounding_bound, taken
from .kinks import has_kinks, sides

SPECS = {path.stem: path for path in sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))}
STEPS, BATCH = 50, 20
# How often each of four nodes stands in the network: weights 1/8, 3/8, 2/8, 2/8 of its 8 neurons.
COUNTS = np.array([1, 3, 2, 2])
# Roundings of one step: sums over at most 64 inputs, 20 samples or 8 neurons in at most 5 layers, both ways.
TERMS = 100


@dataclass(frozen=True)
class Case:
    """A shipped spec with its solver, a weighted state and the batches of 50 steps."""

    network: Any
    system: Any
    solver: Any
    state: State
    batches: tuple[tuple[Array, Array], ...]
    step: float

    def euler(self, state: State) -> State:
        """50 fused steps, in place on a copy."""
        state = {name: value if name == "p" else value.copy() for name, value in state.items()}
        for k, (x, y) in enumerate(self.batches):
            state = self.solver.step(state, x, y, k * self.step, self.step, out=state)
        return state

    def path(self, state: State) -> list[State]:
        """The states of the 50 steps, the first included."""
        states = [state]
        for k, (x, y) in enumerate(self.batches):
            states.append(self.solver.step(states[-1], x, y, k * self.step, self.step))
        return states

    def rk4(self, state: State) -> State:
        """50 Runge-Kutta steps, which use ``velocity``."""
        for k, (x, y) in enumerate(self.batches):
            state = runge_kutta(self.solver, state, (x, y, None), k * self.step, self.step, "rk4")
        return state


@cache
def case(spec: str) -> Case:
    network = mf.load(SPECS[spec])
    system = mf.derive(network)
    solver = mf.generate(system)
    sizes = {axis.name: len(COUNTS) for axis in system.populations}
    state: State = {
        **solver.sample(widths=sizes, seed=2),
        "p": {name: COUNTS / COUNTS.sum() for name in sizes},
    }
    batches = tuple(network.source.batch(k, BATCH) for k in range(1, STEPS + 1))
    return Case(network, system, solver, state, batches, network.training.learning_rate)


@cache
def bound(spec: str) -> float:
    """Rounding after 50 steps: what is committed in a step x measured growth (``rounding_bound``)."""
    known = case(spec)
    limit = rounding_bound(known.path, known.state, TERMS)
    assert limit < 1e-10, f"{spec}: rounding grows too fast for this test to mean anything"
    return limit


P = COUNTS / COUNTS.sum()
# Node numbers of the second state and its weights.
RELATIONS = {
    "blow-up": (np.repeat(np.arange(4), COUNTS), np.full(8, 1 / 8)),
    "permutation": (np.array([2, 0, 3, 1]), P[[2, 0, 3, 1]]),
    "splitting": (np.array([0, 1, 2, 3, 1]), np.array([P[0], 0.3 * P[1], P[2], P[3], 0.7 * P[1]])),
    "tracer": (np.array([0, 1, 2, 3, 2]), np.array([*P, 0.0])),
}


def related(known: Case, state: State, relation: str) -> State:
    """The second state of a relation (of the weighted state at any time)."""
    nodes, p = RELATIONS[relation]
    names = state["p"]
    return taken(known.system, state, dict.fromkeys(names, nodes), dict.fromkeys(names, p))


def smooth(spec: str) -> bool:
    return not has_kinks(case(spec).system)


def test_shipped_specs_are_of_both_sorts() -> None:
    """There are smooth specs and specs with kinks, so both tests below have work to do."""
    assert len({smooth(spec) for spec in sorted(SPECS)[-8:]}) == 2


# Patches and positions make a step long: by default one relation, of repeated nodes, in fused steps.
HEAVY = {"cnn_nguyen_table1", "attention_positions", "cnn_small", "cnn_digits", "cnn_grouped"}
# A network of eight layers of images, whose steps are tens of times as long: a study.
HEAVIEST = "cnn_nguyen_table1"
BUT_THE_HEAVIEST = [
    pytest.param(spec, marks=pytest.mark.study) if spec == HEAVIEST else spec for spec in SPECS
]
COPIES = [
    pytest.param(spec, relation, method, marks=pytest.mark.study)
    if spec == HEAVIEST or (spec in HEAVY and (relation, method) != ("blow-up", "euler"))
    else (spec, relation, method)
    for spec in SPECS
    for relation in RELATIONS
    for method in ("euler", "rk4")
]


def test_the_heavy_ones_are_shipped() -> None:
    assert set(SPECS) > HEAVY


@pytest.mark.parametrize(("spec", "relation", "method"), COPIES)
def test_copies_stay_copies(spec: str, relation: str, method: str) -> None:
    """Both step paths, 50 steps; tolerance ``bound``: roundings of 50 steps x measured growth."""
    known = case(spec)
    if has_kinks(known.system):
        return follow_until_sides_differ(spec, relation, method)
    run = getattr(known, method)
    end = run(known.state)
    assert distance(end, known.state) > 1e4 * bound(spec)  # the network did move
    assert distance(run(related(known, known.state, relation)), related(known, end, relation)) <= bound(spec)
    return None


def follow_until_sides_differ(spec: str, relation: str, method: str) -> None:
    """With kinks: as long as both states are on the same side of every kink on every batch.

    Only rounding can make them differ, where a pre-activation passes 0 within it: at least 25 steps.
    """
    known = case(spec)
    first, second = known.state, related(known, known.state, relation)
    nodes = RELATIONS[relation][0]
    agreed = 0
    for k, (x, y) in enumerate(known.batches):
        if not same_sides(known, first, second, nodes, x, y):
            break
        t, alpha = k * known.step, known.step
        if method == "euler":
            first, second = (known.solver.step(state, x, y, t, alpha) for state in (first, second))
        else:
            first, second = (
                runge_kutta(known.solver, state, (x, y, None), t, alpha, "rk4") for state in (first, second)
            )
        assert distance(second, related(known, first, relation)) <= bound(spec)
        agreed += 1
    assert agreed >= STEPS // 2
    assert distance(first, known.state) > 1e4 * bound(spec)


def same_sides(known: Case, first: State, second: State, nodes: Array, x: Array, y: Array) -> bool:
    """Whether every copy is on the side of every kink on which its original is."""
    patterns = []
    for state in (first, second):
        fields = {**state, "x": x, "y": y.reshape(len(x), -1), **known.solver.forward(state, x)}
        patterns.append(list(sides(known.system, fields)))
    for (axes, original), (_, copy) in zip(*patterns, strict=True):
        for place, axis in enumerate(axes):
            if axis in first["p"]:
                original = np.take(original, nodes, axis=place)
        if not np.array_equal(original, copy):
            return False
    return True


@pytest.mark.parametrize("spec", BUT_THE_HEAVIEST)
def test_a_tracer_moves_nothing(spec: str) -> None:
    """A node of weight 0 with values of its own is carried along; the others do not notice (rounding)."""
    known = case(spec)
    state = related(known, known.state, "tracer")
    rng = np.random.default_rng(60)
    names = {axis.name for axis in known.system.populations}
    for name, value in state.items():
        axes = () if name == "p" else known.solver.PARAMETERS[name]
        for place, axis in enumerate(axes):
            if axis in names:
                own = [slice(None)] * value.ndim
                own[place] = -1
                value[tuple(own)] += rng.normal(0, 0.3, value[tuple(own)].shape)
    end = known.euler(state)
    assert np.isfinite(flat(end)).all()
    others = dict.fromkeys(names, np.arange(len(COUNTS)))
    kept = taken(known.system, end, others, known.state["p"])
    assert distance(kept, known.euler(known.state)) <= bound(spec)


@pytest.mark.parametrize("spec", BUT_THE_HEAVIEST)
def test_weighted_system_against_the_witness(spec: str) -> None:
    """velocity of the weighted state = scaled gradient of the blown-up finite network, copy by copy.

    The chain solver (unequal p) -> blow-up -> finite network, at the start and after the 50 steps.
    Tolerance: 200 roundings of the same equations with every factor replaced by its absolute value.
    """
    known = case(spec)
    x, y = known.batches[0]
    x, y = x[:5], y[:5]
    for state, t in ((known.state, 0.0), (known.euler(known.state), STEPS * known.step)):
        blown = related(known, state, "blow-up")
        expected = mf.finite_velocity(known.network, blown, x, y, t=t)
        found = related(known, {**known.solver.velocity(state, x, y, t), "p": state["p"]}, "blow-up")
        sizes = interpret(known.system, blown, x, y)[1]
        for name, value in expected.items():
            scale = np.max(sizes.get(f"d {name}", np.zeros(1)), initial=0.0)
            error = np.max(np.abs(found[name] - value), initial=0.0)
            assert error <= 200 * EPSILON * max(1.0, known_rate(known, name, t)) * scale, name


def known_rate(known: Case, name: str, t: float) -> float:
    """The rate of a parameter at a time (0 where it is frozen)."""
    return float(known.solver.rates(t).get(name, 0.0))
