"""What the exact cases share: spec documents, a limit in motion, fitted orders, bounds of rounding.

Losses of the theory are (y - yhat)^2 / 2, the program's squared loss has no 1/2: every closed form is
therefore read at time 2t.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Any

import numpy as np

import mfderive as mf
from mfderive.algebra.system import LimitSystem, draw_noise

Array = Any
State = dict[str, Any]

EPSILON = float(np.finfo(np.float64).eps)
# The factor between the squared loss of the program and that of the closed forms.
CLOCK = 2.0


def document(
    layers: Sequence[Mapping[str, Any]],
    output: Mapping[str, Any],
    loss: Mapping[str, Any] | None = None,
    **data: Any,
) -> dict[str, Any]:
    """A spec as plain data; x and y are given to :func:`limit_of` as arrays, every step sees all of them."""
    return {
        "format": 1,
        "title": "exact case",
        "data": {"kind": "arrays", **data},
        "loss": dict(loss or {"kind": "squared"}),
        "layers": [dict(layer) for layer in layers],
        "output": dict(output),
        "training": {"learning_rate": 0.01, "steps": 10, "batch_size": "all"},
    }


@dataclass(frozen=True)
class Limit:
    """A network, its limit and the generated solver, with the fixed sample that it is trained on."""

    network: Any
    system: LimitSystem
    solver: Any
    x: Array
    y: Array

    def velocity(self, state: State, t: float = 0.0) -> State:
        """d(parameter)/dt on the whole sample."""
        velocity: State = self.solver.velocity(state, self.x, self.y, t)
        return velocity

    def prediction(self, state: State) -> Array:
        """yhat [sample, outputs] on the whole sample."""
        return self.solver.forward(state, self.x)["yhat"]

    def path(
        self, state: State, horizon: float, steps: int, method: str = "rk4", checkpoints: int = 2
    ) -> Any:
        """``mf.solve`` from given arrays in equal steps on the whole sample."""
        step = horizon / steps
        training = replace(self.network.training, learning_rate=step, steps=steps)
        return mf.solve(
            replace(self.network, training=training),
            horizon=horizon,
            method=method,
            step=None if method == "euler" else step,
            initial=state,
            system=self.system,
            solver=self.solver,
            evaluation=len(self.x),
            checkpoints=checkpoints,
        )

    def end(self, state: State, horizon: float, steps: int, method: str = "rk4") -> State:
        """The state at the horizon."""
        reached: State = self.path(state, horizon, steps, method).at()
        return reached


def limit_of(spec: Mapping[str, Any], x: Array, y: Array, reduced: bool = False) -> Limit:
    """Load, derive (and reduce) and generate a document on a fixed sample."""
    network = mf.load(spec, data=(np.asarray(x, float), np.asarray(y, float)))
    system = mf.reduce(mf.derive(network)).system if reduced else mf.derive(network)
    return Limit(network, system, mf.generate(system), *network.source.batch(1, "all"))


# --- weighted ensembles ---------------------------------------------------------------------------------


def random_weights(rng: np.random.Generator, size: int) -> Array:
    """Unequal positive weights that sum to 1."""
    weights = rng.uniform(0.5, 2.0, size)
    return weights / weights.sum()


def parameter_axes(system: LimitSystem) -> dict[str, tuple[str, ...]]:
    """The layout of every parameter's array (noise drawn)."""
    return {parameter.name: parameter.axes for parameter in draw_noise(system).parameters}


def taken(system: LimitSystem, state: State, nodes: Mapping[str, Array], p: Mapping[str, Array]) -> State:
    """The state whose node i of a population is node ``nodes[population][i]`` of the given one; weights p.

    Copies, permutations and splittings are all of this form.
    """
    result: State = {}
    for name, axes in parameter_axes(system).items():
        array = np.asarray(state[name])
        for place, axis in enumerate(axes):
            if axis in nodes:
                array = np.take(array, nodes[axis], axis=place)
        result[name] = np.ascontiguousarray(array)
    return {**result, "p": {name: np.asarray(weights, float) for name, weights in p.items()}}


def gauss_hermite_sample(dimension: int, scale: float = 1.0) -> Array:
    """Equally weighted rows with all moments of N(0, scale^2 I) up to degree 5: 6^d rows.

    The three-point Gauss-Hermite rule has nodes 0 and +-sqrt(3) with weights 2/3 and 1/6: repeated rows.
    """
    nodes = np.sqrt(3.0) * np.array([-1.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    return scale * np.array(list(product(nodes, repeat=dimension)))


# --- judging --------------------------------------------------------------------------------------------


def fitted_order(steps: Iterable[int], errors: Iterable[float]) -> float:
    """The slope p of error ~ (1/steps)^p, by least squares on logarithms."""
    return -float(np.polyfit(np.log(np.array(list(steps))), np.log(np.array(list(errors))), 1)[0])


def flat(state: State, names: Iterable[str] | None = None) -> Array:
    """All parameters of a state as one vector."""
    chosen = [name for name in state if name != "p"] if names is None else list(names)
    return np.concatenate([np.ravel(state[name]) for name in chosen])


def distance(a: State, b: State) -> float:
    """The largest difference of any parameter entry of two states."""
    return max(float(np.max(np.abs(a[name] - b[name]), initial=0.0)) for name in a if name != "p")


def shifted(state: State, size: float, seed: int = 0) -> State:
    """Every entry plus ``size`` or minus ``size``, at random; exact zeros stay, as under rounding.

    (A pre-activation that is exactly 0 sits on its kink; rounding does not move it off, a shift would.)
    """
    rng = np.random.default_rng(seed)
    return {
        name: value if name == "p" else value + size * rng.choice([-1.0, 1.0], value.shape) * (value != 0)
        for name, value in state.items()
    }


def rounding_bound(
    run: Callable[[State], list[State]], state: State, terms: int, observe: Callable[[State], Array] = flat
) -> float:
    """How far rounding may carry what ``observe`` sees at the end of ``run`` from a state.

    ``run`` gives the states of all steps, the first included. A step commits one rounding of every entry
    (it is added to) and at most ``terms`` relative roundings of its change (the longest chain of sums in
    a velocity). So the whole run commits epsilon * (steps * largest entry + terms * longest way of an
    entry), anywhere. How a shift of the state grows until the end is measured with two random ones of size
    1e-8, far above rounding and far below curvature; the factor 4 is for directions that they do not show.
    """
    path = run(state)
    entries = max(float(np.max(np.abs(flat(point)))) for point in path)
    way = float(np.max(sum(np.abs(flat(b) - flat(a)) for a, b in pairwise(path))))
    committed = EPSILON * ((len(path) - 1) * entries + terms * way)
    end, size = observe(path[-1]), 1e-8
    ends = [observe(run(shifted(state, size, seed))[-1]) for seed in (0, 1)]
    growth = max(float(np.max(np.abs(other - end))) / size for other in ends)
    return 4 * committed * max(growth, 1.0)
