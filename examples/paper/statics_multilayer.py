"""Appendix B of Nguyen (2019) where inf over rho is known: three layers of tanh that learn what they can.

The labels are outputs of the limit itself after some training, so that its law rho has loss 0: inf over rho
is 0 and is attained. W is drawn from rho as in B.2 (neurons independent, weights by the functions f of their
labels), which bounds inf over W from above, and is then trained, which bounds it more tightly. The law of the
data is that of a fixed sample; activations, first-layer weights, biases and output weights are bounded, as
(56) to (63) ask.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

import mfderive as mf

Array = Any
SPEC = Path(__file__).parent / "specs" / "statics.toml"


@dataclass(frozen=True)
class Realised:
    """The problem: a sample of x, and as labels the outputs of a trained limit, that of ``statics.toml``."""

    samples: int = 500
    nodes: int = 256  # of each layer's law: any law would do

    @cached_property
    def path(self) -> mf.Trajectory:
        """The limit that makes the labels, trained on isotropic Gaussians."""
        return mf.solve(mf.load(SPEC), nodes=self.nodes, stated_error=False)

    @cached_property
    def data(self) -> tuple[Array, Array]:
        """x [sample, d] and the limit's outputs [sample, 1]."""
        x, _ = self.path.network.source.evaluation(self.samples)
        return x, self.path.predict(x)

    @cached_property
    def network(self) -> mf.Network:
        """The same layers on these data, a fixed sample."""
        document = tomllib.loads(SPEC.read_text(encoding="utf-8"))
        return mf.load({**document, "data": {"kind": "arrays"}}, data=self.data)

    @cached_property
    def solver(self) -> Any:
        """The solver of the whole limit: on n nodes of equal weights it is the network of width n."""
        return mf.generate(mf.derive(self.network))

    def draw(self, n: int, seed: int) -> dict[str, Array]:
        """A network of width n drawn from the law of the limit, as in B.2."""
        return dict(self.path.sample(n, seed=seed))

    def loss(self, state: Mapping[str, Any]) -> float:
        """The loss of a network: squared distance of its outputs from the labels, averaged over the data."""
        x, y = self.data
        return float(np.mean((self.solver.forward(state, x)["yhat"] - y) ** 2))

    def witness(self, state: Mapping[str, Any]) -> float:
        """The loss of the same weights by the finite network's own code, in which no limit occurs."""
        options = {"steps": 1, "evaluation": self.samples, "precision": "float64"}
        return float(mf.simulate(self.network, None, 1, initial=state, **options)[0].loss[0])

    def best(self, state: Mapping[str, Any], steps: int = 300) -> float:
        """The loss that L-BFGS-B reaches from a network within ``steps`` steps.

        Variables are parameters over the square root of the widths that index them, in which the gradient
        is that of the mean-field flow.
        """
        x, y = self.data
        names = [name for name in state if name != "p"]
        axes = self.solver.layout.parameters
        roots = {
            name: np.sqrt(np.prod([len(state["p"][axis]) for axis in axes[name] if axis in state["p"]]))
            for name in names
        }
        ends = np.cumsum([np.size(state[name]) for name in names])[:-1]

        def value(flat: Array) -> tuple[float, Array]:
            parts = zip(names, np.split(flat, ends), strict=True)
            moved = {name: (part * roots[name]).reshape(np.shape(state[name])) for name, part in parts}
            moved["p"] = state["p"]
            velocity = self.solver.velocity(moved, x, y)
            slope = [-np.ravel(velocity[name]) / roots[name] for name in names]
            return self.loss(moved), np.concatenate(slope)

        start = np.concatenate([np.ravel(state[name]) / roots[name] for name in names])
        options = {"maxiter": steps, "maxfun": 2 * steps, "ftol": 1e-15, "gtol": 1e-12}
        return float(minimize(value, start, jac=True, method="L-BFGS-B", options=options).fun)
