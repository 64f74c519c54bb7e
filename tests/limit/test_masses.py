"""Gradients by the masses of labels: differences of E[loss]; the curvature: a symmetric Hessian."""

from typing import Any

import numpy as np
import pytest

from mfderive.algebra.system import LimitSystem, draw_noise
from mfderive.limit.linearise import deviation_name
from mfderive.limit.masses import loss_curvature, loss_gradient, mass_name
from mfderive.tensor.interpreter import interpret
from tests.exact.comparison import Case, built
from tests.exact.strategies import seeded
from tests.field_names import velocity

# Five-point differences of step 1e-5: rounding of 1e-16/1e-5, and no kink within 2e-5 but by accident.
STEP, TOLERANCE = 1e-5, 1e-8
SEEDS = [8000, 8001, 8002, pytest.param(range(8003, 8103), marks=pytest.mark.study)]


def cases(seeds: Any) -> list[Case]:
    """The random specs of one seed or of many."""
    return [built(seeded(seed)) for seed in ([seeds] if isinstance(seeds, int) else seeds)]


def filled(system: LimitSystem, case: Case, directions: dict[str, Any] | None = None) -> dict[str, Any]:
    """A state of a gradient or a curvature: what the case lacks is given or 0."""
    sizes = {axis: len(weights) for axis, weights in case.state["p"].items()}
    sizes |= {axis.name: axis.size for axis in system.axes if axis.size is not None}
    state = dict(case.state)
    for variable in system.variables:
        if variable.name not in state:
            zeros = np.zeros([sizes[axis] for axis in variable.axes])
            state[variable.name] = (directions or {}).get(variable.name, zeros)
    return state


@pytest.mark.parametrize("seeds", SEEDS)
def test_masses_are_derivatives_of_the_loss(seeds: Any) -> None:
    """Along a random centred change of the weights of every population, one after the other."""
    for case in cases(seeds):
        base = draw_noise(case.limit)
        gradient = loss_gradient(base)
        values, _ = interpret(gradient, filled(gradient, case), case.x, case.y)
        rng = np.random.default_rng(1)
        for name, weights in case.state["p"].items():
            change = rng.standard_normal(len(weights))
            change -= weights @ change
            losses = []
            for step in (-2, -1, 1, 2):
                moved = case.state["p"] | {name: weights * (1 + step * STEP * change)}
                fields, _ = interpret(base, {**case.state, "p": moved}, case.x, case.y)
                losses.append(float(fields["loss"].mean()))
            slope = (losses[0] - 8 * losses[1] + 8 * losses[2] - losses[3]) / (12 * STEP)
            speed = values.get(velocity(mass_name(name)), np.zeros(len(weights)))
            assert abs(slope + speed @ (weights * change)) <= TOLERANCE * (1 + abs(losses[0]) + abs(slope))


def product(case: Case, base: LimitSystem, name: str, one: Any, other: Any) -> float:
    """The inner product in L2(P) of two arrays on the layout of a parameter."""
    values = one * other
    for axis in base.field[name].axes:
        weights = case.state["p"].get(axis)
        values = values.sum(0) if weights is None else np.tensordot(weights, values, 1)
    return float(values)


@pytest.mark.parametrize("seeds", SEEDS)
def test_the_hessian_is_symmetric(seeds: Any) -> None:
    """<v, H u> = <u, H v> in L2(P): the linearised evolution is its own transpose."""
    for case in cases(seeds):
        base = draw_noise(case.limit)
        curvature = loss_curvature(base)
        names = [p.name for p in base.parameters if not p.is_frozen]
        rng = np.random.default_rng(2)
        one, other = ({n: rng.standard_normal(np.shape(case.state[n])) for n in names} for _ in range(2))
        found = []
        for along, against in ((one, other), (other, one)):
            state = filled(curvature, case, {deviation_name(n): a for n, a in along.items()})
            values, sizes = interpret(curvature, state, case.x, case.y)
            moved = {n: curvature.velocity_of[deviation_name(n)] for n in names}
            found.append(sum(product(case, base, n, against[n], values[moved[n]]) for n in names))
            scale = sum(product(case, base, n, abs(against[n]), sizes[moved[n]]) for n in names)
        assert abs(found[0] - found[1]) <= 1e-12 * scale
