"""What a user calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ...layout import Layout
from .compilation import THREADS, Array, Fields
from .example import (
    FIELDS,
    FROZEN,
    MEASURES,
    MEMORIES,
    PARAMETERS,
    POPULATIONS,
    SCRATCH,
    SIZES,
    TEMPORARIES,
    advance,
    compute_backward,
    compute_forward,
    compute_loss,
    evolve,
    flow,
    initial_values,
)
from .node_counts import check_physical_memory, node_counts
from .planned_calls import Plan, at_once
from .state_checks import check_target, give_batch, give_samples, give_targets, given_fields
from .workspace import WORKSPACE, fresh

layout = Layout(PARAMETERS, FROZEN, POPULATIONS, MEASURES, SIZES, FIELDS, MEMORIES)


def sample(
    widths: int | Mapping[str, int] = 64, seed: int = 0, edges: str = "draw", dtype: Any = np.float64
) -> dict[str, Any]:
    """A state drawn from the initial laws, with equal weights p = 1/n.

    ``widths``: a number (times each population's relative width) or a dictionary of numbers of nodes.
    ``edges="mean"``: weights between two populations start at their conditional mean.
    """
    if edges not in ("draw", "mean"):
        raise ValueError(f"edges is {edges!r}; allowed: 'draw', 'mean'")
    nodes = node_counts(widths)
    n = SIZES | nodes
    check_physical_memory(n)
    values = initial_values(n, seed, edges)
    state: dict[str, Any] = {name: np.asarray(values[name]).astype(dtype, copy=False) for name in PARAMETERS}
    state["p"] = {axis: np.full(size, 1 / size, dtype=dtype) for axis, size in nodes.items()}
    return state


def forward(state: Mapping[str, Any], x: Array) -> Fields:
    """Every forward field (and yhat) on x [sample, ...]: a dictionary of new arrays, axes as in FIELDS."""
    fields, nodes = given_fields(state, x)
    given = set(fields)
    compute_forward(fields, nodes, fresh(nodes), at_once)
    return {name: array for name, array in fields.items() if name not in given}


def predict(state: Mapping[str, Any], x: Array, piece: int | None = None) -> Array:
    """yhat [sample, outputs] on x, as a new array; the arrays of all other fields are used again.

    ``piece``: the number of samples at a time, which bounds the memory (default: all at once).
    """
    x = np.atleast_1d(x)
    size = min(piece or len(x), len(x))
    fields, nodes = given_fields(state, x[:size])
    make = WORKSPACE.maker(nodes)
    yhat = np.empty((len(x), SIZES["outputs"]), nodes.dtype)
    # The last piece has the size of the others, so that their arrays fit: it repeats some samples.
    for start in (*range(0, len(x) - size, size), len(x) - size):
        give_samples(fields, nodes.dtype, x[start : start + size])
        compute_forward(fields, nodes, make, at_once)
        yhat[start : start + size] = fields["yhat"]
    return yhat


def predictions(state: Mapping[str, Any], x: Array) -> Callable[[], Array]:
    """A function that gives ``predict``, on all of x at once, of what the arrays of ``state`` hold by then.

    They must be contiguous and of one precision; the next call writes into the same array. What stays the
    same is checked and looked up only once.
    """
    fields, nodes = given_fields(state, x)
    check_target(state, fields, nodes)
    plan = Plan(fields, nodes, WORKSPACE.maker(nodes), (compute_forward,), evolve)

    def outputs() -> Array:
        plan.sweep()
        return fields["yhat"]

    return outputs


def loss(state: Mapping[str, Any], x: Array, y: Array) -> float:
    """The mean loss of a batch; y is [sample, outputs] ([sample] where there is one output)."""
    fields, nodes = given_fields(state, x)
    give_targets(fields, nodes.dtype, y)
    make = WORKSPACE.maker(nodes)
    compute_forward(fields, nodes, make, at_once)
    compute_loss(fields, nodes, make, at_once)
    return float(np.mean(fields["loss"], dtype=np.float64))


def _plan(
    state: Mapping[str, Any], x: Array, y: Array, weights: Array | None, out: Mapping[str, Any] | None = None
) -> Plan:
    """The calls of a step on a batch; ``out``: arrays that will be changed in place."""
    fields, nodes = given_fields(state, x, weights)
    give_targets(fields, nodes.dtype, y)
    if out is not None:
        check_target(out, fields, nodes)
    return Plan(fields, nodes, WORKSPACE.maker(nodes), (compute_forward, compute_backward), evolve)


def velocity(
    state: Mapping[str, Any], x: Array, y: Array, t: float = 0.0, weights: Array | None = None
) -> Fields:
    """The derivative in time of every array of a state on a batch: rate(t) * G, or that of the learning rule.

    Zeros where nothing moves. ``weights``: those of the samples, which sum to 1 (default: equal). Raises
    ValueError where the learning rule has no known flow in time.
    """
    return _velocities(_plan(state, x, y, weights))(t)


def velocities(
    state: Mapping[str, Any], x: Array, y: Array, weights: Array | None = None
) -> Callable[[float], Fields]:
    """A function of t that gives the ``velocity`` of what the arrays of ``state`` hold by then.

    They must be contiguous and of one precision; the next call writes into the same arrays. What stays the
    same is checked and looked up only once.
    """
    return _velocities(_plan(state, x, y, weights, state))


def _velocities(plan: Plan) -> Callable[[float], Fields]:
    still, fields = {*FROZEN, *MEMORIES}, plan.fields
    speed = {
        name: np.zeros(fields[name].shape, plan.nodes.dtype) if name in still else np.empty_like(fields[name])
        for name in PARAMETERS
    }

    def velocity_at(t: float) -> Fields:
        plan.sweep()
        flow(plan, speed, t)
        return speed

    return velocity_at


def step(
    state: Mapping[str, Any],
    x: Array,
    y: Array,
    t: float,
    alpha: float,
    out: dict[str, Any] | None = None,
    weights: Array | None = None,
    k: int = 1,
    seed: int = 0,
) -> dict[str, Any]:
    """Step number k of size alpha at time t: what the learning rule makes of G on a batch.

    For SGD that is state + alpha * velocity(state, x, y, t, weights), to rounding. A new state, or ``out``
    with its arrays changed in place (``out=state`` moves the state itself; its arrays must be contiguous and
    of the state's precision). ``seed``: that of the noise of all steps, where the rule has noise.
    """
    plan = _plan(state, x, y, weights, out)
    fields = plan.fields
    plan.sweep()
    if out is None:
        out = {name: fields[name].copy() for name in PARAMETERS}
        out["p"] = dict(state["p"])
    else:
        for name in PARAMETERS:
            if out[name] is not fields[name]:
                np.copyto(out[name], fields[name])
    advance(plan, out, t, alpha, k, seed)
    return out


def march(
    state: dict[str, Any],
    moves: Iterable[tuple[Array, Array, float, float, Array | None, int]],
    seed: int = 0,
) -> dict[str, Any]:
    """Change ``state`` itself by a ``step`` for every (x, y, t, alpha, weights, k) of ``moves``; returns it.

    What stays the same is checked only once: do not change the state between two moves.
    """
    plan: Plan | None = None
    known: Array | None = None
    for x, y, t, alpha, weights, k in moves:
        if plan is None or weights is not known or len(x) != plan.nodes.size["data"]:
            plan, known = _plan(state, x, y, weights, state), weights
        else:
            give_batch(plan, x, y)
        plan.sweep()
        advance(plan, state, t, alpha, k, seed)
    return state


def memory(sizes: int | Mapping[str, int], batch: int, dtype: Any = np.float64, copies: int = 2) -> int:
    """Bytes that step and velocity hold at once: state and its copy or velocity, fields and temporaries.

    ``sizes``: numbers of nodes, as in ``sample``; ``copies``: of the parameters.
    """
    size = SIZES | node_counts(sizes) | {"data": batch}
    count = copies * sum(math.prod(size[axis] for axis in axes) for axes in PARAMETERS.values())
    count += sum(
        math.prod(size[axis] for axis in axes) for name, axes in FIELDS.items() if name not in PARAMETERS
    )
    count += sum(math.prod(size[axis] for axis in axes) for axes in TEMPORARIES)
    count += THREADS * sum(math.prod(size[axis] for axis in axes) for axes in SCRATCH)
    return int(count * np.dtype(dtype).itemsize)
