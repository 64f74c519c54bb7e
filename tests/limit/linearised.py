"""A linearised limit held against finite differences of the plain interpreter, and against its solver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mfderive.algebra.system import LimitSystem, draw_noise
from mfderive.limit.linearise import deviation_name, linearise, source_name
from mfderive.tensor.clock import Moment, clock_values
from mfderive.tensor.interpreter import interpret, interpret_step
from tests.exact.comparison import Case

MOMENT = Moment(t=0.7, alpha=0.3, k=5, seed=11)
# A five-point difference of step h is off by h^4/30 of the fifth derivative and by about 1e-16/h: 1e-11.
STEP = 3e-5
_FIVE_POINTS = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))
State = dict[str, Any]


def deviating(case: Case, seed: int = 0) -> tuple[LimitSystem, State]:
    """The linearised limit, and the case's state with deviations of everything and centred sources."""
    system = linearise(draw_noise(case.limit))
    rng = np.random.default_rng([seed, 5])
    state = dict(case.state)
    for variable in system.variables:
        origin = system.field[variable.name].deviation
        if origin:
            state[variable.name] = rng.standard_normal(np.shape(case.state[origin]))
        elif variable.name not in state:
            weights = state["p"][variable.axes[0]]
            drawn = rng.standard_normal(len(weights))
            state[variable.name] = drawn - weights @ drawn
    return system, state


def moved(system: LimitSystem, state: Mapping[str, Any], step: float) -> State:
    """The state with its values and weights moved by ``step`` times their deviations."""
    found = dict(state)
    found["p"] = {
        name: weights * (1 + step * state[source_name(name)]) if source_name(name) in state else weights
        for name, weights in state["p"].items()
    }
    for variable in system.variables:
        origin = system.field[variable.name].deviation
        if origin:
            found[origin] = state[origin] + step * state[variable.name]
    return found


def largest_error(case: Case, seed: int = 0) -> float:
    """The largest difference of a deviation to five-point differences, over the scale of what is summed.

    The scale has the field's own magnitude times 1e-3 in it, which is what a difference of step 3e-5 rounds
    by, 1e-16/3e-5 of it, divided by the tolerance of 1e-8.
    """
    system, state = deviating(case, seed)
    base = draw_noise(case.limit)

    def values(at: State) -> tuple[State, State]:
        return interpret(base, at, case.x, case.y, clock=clock_values(base, MOMENT, at))

    clock = clock_values(system, MOMENT, state)
    found, scales = interpret(system, state, case.x, case.y, clock=clock)
    own = values(state)[1]
    points = {k: values(moved(system, state, k * STEP))[0] for k, _ in _FIVE_POINTS}
    worst = 0.0
    for equation in base.equations:
        name, deviation = equation.field, deviation_name(equation.field)
        if equation.selector:
            continue
        expected = sum(weight * points[k][name] for k, weight in _FIVE_POINTS) / STEP
        shift = found.get(deviation, np.zeros_like(expected))
        scale = np.max(scales.get(deviation, 0.0), initial=0.0) + 1e-3 * np.max(own[name], initial=0.0)
        error = np.max(np.abs(shift - expected), initial=0.0)
        worst = max(worst, float(error / scale) if error else 0.0)
    return worst


def solver_errors(case: Case, solver: Any, tolerance: float, seed: int = 0) -> list[str]:
    """The arrays of a step of the generated solver that are not the interpreter's to rounding."""
    system, state = deviating(case, seed)
    expected, scales = interpret_step(system, state, case.x, case.y, MOMENT)
    after = solver.step(state, case.x, case.y, MOMENT.t, MOMENT.alpha, k=MOMENT.k, seed=MOMENT.seed)
    return [
        name
        for name in solver.layout.parameters
        if not np.max(np.abs(after[name] - expected[name]), initial=0.0)
        <= tolerance * max(np.max(scales[name], initial=0.0), 1e-300)
    ]
