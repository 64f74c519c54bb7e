"""The exact comparison: velocity of a solver = scaled gradient of the finite network, in float64.

Per parameter array, ``max |a - b|`` must be at most 1e-10 of the backward and evolution equations evaluated
with every factor replaced by its absolute value: sums of a few hundred products round to some 1e-15 of that
scale, and what functions amplify stays within the five digits that are left.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import mfderive as mf
from mfderive.algebra.system import ForwardSystem, LimitSystem, draw_noise
from mfderive.codegen.digest import digest
from mfderive.codegen.generate import SOLVER, load_solver
from mfderive.codegen.numba.module import solver_source
from mfderive.finite.finite_network import FiniteNetwork
from mfderive.finite.namespace import NUMPY
from mfderive.finite.velocity import rate_at
from mfderive.limit.derive import derive_system
from mfderive.state.draw import initial_state
from mfderive.tensor.interpreter import interpret
from tests.field_names import velocity

from .strategies import Specimen

TOLERANCE = 1e-10
LARGEST = 1e6
Array = Any
State = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A network with a state and a batch on which solver and witness are compared at time t."""

    network: Any
    system: ForwardSystem
    limit: LimitSystem
    state: State
    x: Array
    y: Array
    t: float


def built(specimen: Specimen) -> Case:
    """Load, derive and draw what a specimen describes."""
    network = mf.load(specimen.document, data=specimen.arrays)
    system = mf.forward_system(network)
    state = initial_state(system, specimen.base_width, specimen.seed)
    state = coarse_state(state, specimen.seed) if specimen.coarse else shaken_state(state, specimen.seed)
    return Case(network, system, derive_system(system), state, *specimen.batch, specimen.t)


def shaken_state(state: State, seed: int) -> State:
    """The state with a little of everything added: constants that are equal by their law tie otherwise."""
    rng = np.random.default_rng([seed, 1])
    return {
        name: value if name == "p" else value + 0.3 * rng.standard_normal(value.shape)
        for name, value in state.items()
    }


def coarse_state(state: State, seed: int) -> State:
    """Parameters from -1, -1/2, 0, 1/2, 1: short binary fractions, zeros and ties."""
    rng = np.random.default_rng([seed, 2])
    return {
        name: value if name == "p" else rng.integers(-2, 3, value.shape) / 2 for name, value in state.items()
    }


def witness_fields(case: Case) -> dict[str, Array]:
    """All forward fields of the finite network."""
    finite = FiniteNetwork(case.system)
    parameters = {parameter.name: case.state[parameter.name] for parameter in case.system.parameters}
    sizes = finite.sizes({name: value.shape for name, value in parameters.items()}, len(case.x))
    return finite.evaluate({**parameters, "x": case.x, "y": case.y}, sizes, NUMPY)


def is_sane(values: Mapping[str, Array]) -> bool:
    """Whether all values are finite and of a size in which 1e-10 means something."""
    return all(bool(np.all(np.abs(np.asarray(value)) <= LARGEST)) for value in values.values())


def interpreted(case: Case, limit: LimitSystem | None = None) -> tuple[dict[str, Array], dict[str, float]]:
    """d(parameter)/dt by the plain interpreter, and the scale of its rounding, both with the rate."""
    limit = limit or case.limit
    with np.errstate(all="ignore"):
        values, magnitudes = interpret(limit, case.state, case.x, case.y)
    speeds, scales = {}, {}
    for parameter in draw_noise(limit).parameters:
        name = parameter.name
        rate = 0.0 if parameter.is_frozen else rate_at(parameter, case.t)
        known = velocity(name) in values
        speeds[name] = rate * values[velocity(name)] if known else np.zeros(case.state[name].shape)
        scales[name] = abs(rate) * float(np.max(magnitudes[velocity(name)], initial=0.0)) if known else 0.0
    return speeds, scales


def disagreements(
    found: Mapping[str, Array], expected: Mapping[str, Array], scales: Mapping[str, float]
) -> dict[str, float]:
    """Parameters whose arrays differ by more than the tolerance, with the error over the scale."""
    assert set(found) == set(expected) == set(scales)
    result = {}
    for name, scale in scales.items():
        assert np.shape(found[name]) == np.shape(expected[name]), name
        error = float(np.max(np.abs(np.asarray(found[name], float) - expected[name]), initial=0.0))
        if not error <= TOLERANCE * scale:
            result[name] = error / scale if scale else float("inf")
    return result


def plain_solver(limit: LimitSystem, directory: Path) -> ModuleType:
    """The generated solver, run as plain Python: the source that is compiled otherwise."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / SOLVER).write_text(solver_source(draw_noise(limit), digest(limit)), encoding="utf-8")
    return load_solver(directory, compiled=False)


def verdict(case: Case, found: Mapping[str, Array]) -> dict[str, float]:
    """Where a velocity disagrees with the complex steps of the finite network; empty: it agrees."""
    expected = mf.finite_velocity(case.network, case.state, case.x, case.y, t=case.t)
    return disagreements(found, expected, interpreted(case)[1])


def shipped(path: Path, width: int = 4, samples: int = 4, t: float = 0.7) -> Case:
    """A spec file with a small state, equal weights p, and a batch of its own data."""
    network = mf.load(path)
    limit = mf.derive(network)
    state = shaken_state(initial_state(limit, width, seed=3), seed=3)
    x, y = network.source.batch(1, samples)
    return Case(network, mf.forward_system(network), limit, state, x, y, t)
