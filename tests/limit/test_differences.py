"""Differences of single neurons: the linearised evolution of a node that is split in two opposite halves."""

from typing import Any

import numpy as np
import pytest

from mfderive.algebra.system import LimitSystem, draw_noise
from mfderive.algebra.terms import AxisKind, Role
from mfderive.limit.differences import difference_name, neuron_differences
from mfderive.tensor.clock import clock_values
from mfderive.tensor.interpreter import interpret
from tests.exact.comparison import Case

from .linearised import MOMENT
from .test_linearise import cases

State = dict[str, Any]
# A central difference of step h is off by h^2/6 of the third derivative and by 1e-16/h: about 1e-9 of the
# sums' magnitudes, and a hundred times that where derivatives are large.
STEP = 1e-5
DIFFERENCE = 1e-7


def differing(system: LimitSystem, case: Case, population: str, deviation: State) -> State:
    """The state with differences of all neurons of one population, each by its own slot."""
    state = dict(case.state)
    for variable in draw_noise(case.limit).variables:
        for slot, axis in enumerate(variable.axes):
            if system.axis[axis].kind is AxisKind.POPULATION:
                own = deviation[variable.name] if axis == population else np.zeros_like(state[variable.name])
                state[difference_name(variable.name, slot)] = own
    return state


def split(base: LimitSystem, case: Case, population: str, change: State) -> State:
    """Every node of a population as two halves, off by ``change`` and by minus that.

    A weight whose two ends are both of the population is moved by the sum of the changes of its ends.
    """
    state = dict(case.state)
    weights = case.state["p"][population]
    state["p"] = {**case.state["p"], population: np.concatenate([weights, weights]) / 2}
    signs = np.repeat([1.0, -1.0], len(weights))
    for variable in base.variables:
        slots = [k for k, axis in enumerate(variable.axes) if axis == population]
        value, moved = case.state[variable.name], change[variable.name]
        for slot in slots:
            value, moved = np.concatenate([value] * 2, slot), np.concatenate([moved] * 2, slot)
        for slot in slots:
            shape = [1] * value.ndim
            shape[slot] = len(signs)
            value = value + moved * signs.reshape(shape)
        state[variable.name] = value
    return state


def error(case: Case, population: str) -> float:
    """The largest error of a difference of a velocity or a forward value, over the scale of its sums."""
    base = draw_noise(case.limit)
    system = neuron_differences(base)
    rng = np.random.default_rng(3)
    deviation = {v.name: rng.standard_normal(np.shape(case.state[v.name])) for v in base.variables}
    state = differing(system, case, population, deviation)
    found, scales = interpret(system, state, case.x, case.y, clock=clock_values(system, MOMENT, state))
    nodes = len(case.state["p"][population])
    sides = []
    for sign in (STEP, -STEP):
        own = split(base, case, population, {name: sign * value for name, value in deviation.items()})
        sides.append(interpret(base, own, case.x, case.y, clock=clock_values(base, MOMENT, own))[0])
    worst = 0.0
    for equation in base.equations:
        field = base.field[equation.field]
        slots = [k for k, axis in enumerate(field.axes) if axis == population]
        if equation.selector or field.role is Role.DRAW or not slots:
            continue
        # Both ends in the first half: the changes of the two ends add up.
        expected = (sides[0][field.name] - sides[1][field.name]) / (2 * STEP)
        for slot in slots:
            expected = np.take(expected, np.arange(nodes), slot)
        names = [difference_name(field.name, slot) for slot in slots]
        shift = sum(found.get(name, 0.0) for name in names)
        scale = max(np.max(scales.get(name, 0.0), initial=0.0) for name in names) + np.max(
            scales[field.name], initial=0.0
        )
        size = np.max(np.abs(shift - expected), initial=0.0)
        worst = max(worst, float(size / scale) if size else 0.0)
    return worst


@pytest.mark.parametrize("count", [8, pytest.param(100, id="study", marks=pytest.mark.study)])
def test_differences_are_those_of_split_nodes(count: int) -> None:
    """Every field of every population, with every learning rule, against central differences.

    A kink within 1e-5 of a value makes a difference wrong and not the derivative: once in fifty is allowed.
    """
    errors = []
    with np.errstate(all="ignore"):
        for case in cases(count):
            names = [axis.name for axis in case.limit.populations]
            errors += [error(case, name) for name in names if name in case.state["p"]]
    assert sum(not one < DIFFERENCE for one in errors) <= len(errors) // 50, sorted(errors)[-5:]
    assert len(errors) >= count
