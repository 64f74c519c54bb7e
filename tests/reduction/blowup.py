"""Blow-up: a full weighted network that must follow a reduced system exactly (theory A.7).

Every node of a reduced population becomes ``copies`` nodes of the full one, every population that is gone a
few nodes of its own, and every value is repeated. A kernel w(b, a, zeta) on equally weighted noise nodes
becomes a Latin square: the pair of copies (i, j) gets noise node i + j modulo ``copies``, so that every row
and every column averages over all of the noise.
"""

from typing import Any

import numpy as np

from mfderive.algebra.system import LimitSystem
from mfderive.algebra.terms import AxisKind
from mfderive.finite.velocity import rate_at
from mfderive.state.ensembles import ensemble_state, network_axes, plan_ensembles
from mfderive.tensor.clock import Moment
from mfderive.tensor.interpreter import interpret, interpret_step
from tests.field_names import velocity

State = dict[str, Any]
STEPS = 100


def small_state(reduced: LimitSystem, nodes: int, seed: int, noise: float = 0.3) -> State:
    """A reduced state on few nodes with unequal weights, everything shaken; noise nodes weigh the same."""
    plans = plan_ensembles(reduced, nodes=nodes, rule="monte-carlo")
    state = ensemble_state(reduced, plans, seed)
    rng = np.random.default_rng([seed, 7])
    for axis in reduced.populations:
        weights = rng.uniform(0.5, 1.5, len(state["p"][axis.name]))
        state["p"][axis.name] = weights / weights.sum()
    return {
        name: value if name == "p" else value + noise * rng.standard_normal(value.shape)
        for name, value in state.items()
    }


def noise_nodes(reduced: LimitSystem, state: State) -> int:
    """The number of nodes of the noise that is left, 0 without; all noise axes must have the same."""
    sizes = {len(state["p"][a.name]) for a in reduced.axes if a.kind is AxisKind.NOISE}
    assert len(sizes) <= 1
    return sizes.pop() if sizes else 0


def blown_up(full: LimitSystem, reduced: LimitSystem, state: State) -> State:
    """The state of the full system that repeats a reduced one."""
    count = noise_nodes(reduced, state)
    copies = count or 2
    kept = {axis.name for axis in reduced.populations}
    weights = {}
    for number, axis in enumerate(full.populations):
        types = state["p"][axis.name] if axis.name in kept else np.ones(1)
        # Copies weigh the same where a Latin square needs it, else as they like.
        shares = (
            np.full(copies, 1 / copies) if count else np.random.default_rng(number).dirichlet([2.0] * copies)
        )
        weights[axis.name] = np.outer(types, shares).ravel()
    blown: State = {
        p.name: _repeated(reduced, p, state[p.name], copies, {k: len(v) for k, v in weights.items()})
        for p in reduced.variables
        if p.name in full.variable
    }
    blown["p"] = weights
    return blown


def _repeated(reduced: LimitSystem, parameter: Any, values: Any, copies: int, sizes: dict[str, int]) -> Any:
    axes = network_axes(reduced, parameter)
    values = np.asarray(values)
    for place in parameter.dropped:
        values = np.expand_dims(values, place)
    ends = []
    for place, axis in enumerate(axes):
        if axis in sizes:
            single = place in parameter.dropped
            values = np.repeat(values, sizes[axis] if single else copies, axis=place)
            ends.append(np.arange(sizes[axis]) % copies)
    if parameter.noise is None:
        return values
    chosen = (ends[0][:, None] + ends[1][None, :]) % copies
    chosen = chosen.reshape(*chosen.shape, *(1,) * (values.ndim - 2))
    return np.take_along_axis(values, np.broadcast_to(chosen, (*values.shape[:-1], 1)), axis=-1)[..., 0]


def euler(system: LimitSystem, state: State, batches: list[Any], alpha: float) -> State:
    """Steps of the learning rule by the plain interpreter, step k on batch k."""
    for number, (x, y) in enumerate(batches):
        if system.motion:
            moment = Moment(number * alpha, alpha, number + 1)
            state = {**interpret_step(system, state, x, y, moment)[0], "p": state["p"]}
            continue
        with np.errstate(all="ignore"):
            values, _ = interpret(system, state, x, y)
        moved = {"p": state["p"]}
        for parameter in system.parameters:
            speed = 0.0 if parameter.is_frozen else values.get(velocity(parameter.name), 0.0)
            rate = 0.0 if parameter.is_frozen else rate_at(parameter, number * alpha)
            moved[parameter.name] = state[parameter.name] + alpha * rate * speed
        state = moved
    return state


def disagreement(
    full: LimitSystem, reduced: LimitSystem, state: State, batches: list[Any], alpha: float
) -> float:
    """The largest difference of full and reduced solutions after all batches, over each array's size."""
    start = blown_up(full, reduced, state)
    small = euler(reduced, state, batches, alpha)
    large, expected = euler(full, start, batches, alpha), blown_up(full, reduced, small)
    worst = 0.0
    for name, value in large.items():
        if name != "p":
            scale = max(np.abs(expected[name]).max(initial=0.0), np.abs(start[name]).max(initial=0.0), 1e-3)
            worst = max(worst, float(np.abs(value - expected[name]).max(initial=0.0) / scale))
    return worst


def rounding_grows_to(reduced: LimitSystem, state: State, batches: list[Any], alpha: float) -> float:
    """The largest difference of two reduced solutions whose starts differ by rounding, over each size."""
    rng = np.random.default_rng(3)
    near = {
        name: value if name == "p" else value * (1 + 1e-15 * rng.standard_normal(np.shape(value)))
        for name, value in state.items()
    }
    first, second = (euler(reduced, start, batches, alpha) for start in (state, near))
    with np.errstate(invalid="ignore"):
        return max(
            float(np.abs(value - second[name]).max(initial=0.0) / max(np.abs(value).max(initial=0.0), 1e-3))
            for name, value in first.items()
            if name != "p"
        )
