"""Outputs and velocities of one state after another on the same points: what stays is looked up once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..state.draw import WEIGHTS

Array = Any
Arrays = dict[str, Any]


class _Prepared:
    """Calls of a solver on arrays of their own, into which the values of every state are copied."""

    def __init__(self, prepare: Callable[[Arrays], Callable[..., Any]] | None) -> None:
        self.prepare = prepare
        self.weights: Mapping[str, Array] | None = None
        self.own: Arrays = {}
        self.call: Callable[..., Any] | None = None

    def at(self, state: Mapping[str, Any], names: Any) -> Callable[..., Any]:
        """The call, with the values of a state in place; prepared anew where it has other nodes."""
        assert self.prepare is not None
        if self.call is None or state[WEIGHTS] is not self.weights:
            self.own = {name: np.array(state[name], order="C") for name in names}
            self.weights = state[WEIGHTS]
            self.call = self.prepare(self.own | {WEIGHTS: self.weights})
        for name, array in self.own.items():
            np.copyto(array, state[name])
        return self.call


class Outputs:
    """yhat [sample, outputs] of states on points ``x``, all at once.

    Of solvers that have ``predictions`` these are asked, else ``predict``. The next call may write into the
    same array.
    """

    def __init__(self, module: Any, x: Array) -> None:
        self.module, self.x = module, x
        ready = getattr(module, "predictions", None)
        self.prepared = _Prepared(ready and (lambda state: ready(state, x)))

    def __call__(self, state: Mapping[str, Any]) -> Array:
        """Those of a state."""
        if self.prepared.prepare is None:
            return self.module.predict(state, self.x)
        return self.prepared.at(state, self.module.layout.parameters)()


class Velocities:
    """The derivatives in time of states on ``samples`` (x, y, weights).

    Of solvers that have ``velocities`` these are asked, else ``velocity``. The next call may write into the
    same arrays.
    """

    def __init__(self, module: Any, samples: tuple[Array, Array, Array | None]) -> None:
        self.module, self.samples = module, samples
        ready, (x, y, weights) = getattr(module, "velocities", None), samples
        self.prepared = _Prepared(ready and (lambda state: ready(state, x, y, weights)))

    def __call__(self, t: float, state: Mapping[str, Any]) -> Arrays:
        """Those of a state at a time."""
        if self.prepared.prepare is None:
            x, y, weights = self.samples
            return dict(self.module.velocity(state, x, y, np.float64(t), weights))
        return dict(self.prepared.at(state, self.module.layout.parameters)(np.float64(t)))
