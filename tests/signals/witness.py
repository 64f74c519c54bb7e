"""Random finite networks whose moments kernel equations are held against: forward equations and JAX, nothing
else.

Of the room ``signals`` nothing is used. Weights are drawn as N(0, sigma_w2 / fan-in), biases as N(0,
sigma_b2), and gradients are taken by the standard normal numbers behind them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from mfderive.algebra.terms import AxisKind
from mfderive.finite.finite_network import FiniteNetwork
from mfderive.finite.namespace import jax_namespace, precision
from mfderive.forward.equations import forward_system
from mfderive.state.draw import initial_state

Array = Any


def plain(net: Any) -> Any:
    """The network whose weighted sums over taps, positions and inputs are not divided."""

    def undivided(part: Any) -> Any:
        return replace(
            part,
            connections=tuple(
                c if c.weight is None else replace(c, average=tuple(a for a in c.average if a == "steps"))
                for c in part.connections
            ),
        )

    return replace(net, layers=tuple(map(undivided, net.layers)), output=undivided(net.output))


class Witness:
    """Networks of one width whose parameters are drawn anew for each seed."""

    def __init__(self, net: Any, width: int, sigma_w2: float, sigma_b2: float, biases: set[str]) -> None:
        self.system = forward_system(plain(net))
        self.finite = FiniteNetwork(self.system)
        axes = self.finite.system.axes
        self.sizes = {
            a.name: a.size or (2 if a.kind is AxisKind.DATA else round(width * a.width)) for a in axes
        }
        self.populations = {a.name: self.sizes[a.name] for a in axes if a.kind is AxisKind.POPULATION}
        self.factors = {}
        for variable in self.finite.system.parameters:
            kinds = {a: self.system.axis[a].kind for a in variable.axes}
            if variable.name in biases:
                self.factors[variable.name] = np.sqrt(sigma_b2)
            elif len(variable.axes) > 1:
                # A sum over a population is written as an average.
                summed = self._summed(variable.name)
                entries = np.prod([self.sizes[a] for a in summed if kinds[a] is AxisKind.FINITE])
                neurons = np.prod([self.sizes[a] for a in summed if kinds[a] is AxisKind.POPULATION])
                self.factors[variable.name] = np.sqrt(sigma_w2 / entries * neurons)

    def _summed(self, name: str) -> tuple[str, ...]:
        """The axes of a weight that the sums over it run over."""
        for equation in self.finite.system.forward:
            for term in equation.terms:
                for _, access in term.accesses:
                    if access.field == name:
                        return tuple(slot.axis for slot in access.slots if slot in term.reduced)
        raise AssertionError(name)

    def draw(self, seed: int) -> tuple[dict[str, Array], dict[str, Array]]:
        """Standard normal numbers behind weights and biases, and the other parameters by their laws."""
        rng = np.random.default_rng(seed)
        shapes = {v.name: tuple(self.sizes[a] for a in v.axes) for v in self.finite.system.parameters}
        normal = {name: rng.standard_normal(shape) for name, shape in shapes.items() if name in self.factors}
        if len(normal) == len(shapes):
            return normal, {}
        state = initial_state(self.system, self.populations, seed)
        return normal, {name: np.asarray(state[name], float) for name in shapes if name not in normal}

    def moments(self, seed: int, x: Array) -> dict[str, Array]:
        """Second moments of a network for two inputs x [2, ...]: of fields [2, 2, positions, positions'].

        Of parameters ("gradient of ..."): the products of the gradients of the first output, [2, 2].
        """
        import jax

        normal, others = self.draw(seed)
        found = {}
        with precision(jax, "float64"):
            values, slopes = self._compiled(normal, others, jax.numpy.asarray(x))
            for name, value in values.items():
                array = np.asarray(value)
                flat = array.reshape(*array.shape[:2], -1)
                product = np.einsum("sna,tnb->stab", flat, flat) / flat.shape[1]
                found[name] = product.reshape(2, 2, *array.shape[2:], *array.shape[2:])
            for name, value in slopes.items():
                flat = np.asarray(value).reshape(2, -1)
                found[f"gradient of {name}"] = flat @ flat.T
        return found

    @cached_property
    def _compiled(self) -> Any:
        """The values of all fields with neurons, and the gradients of the first output for both inputs."""
        import jax

        namespace = jax_namespace()
        shown = {
            f.name
            for f in self.system.fields
            if len(f.axes) > 1 and f.axes[0] == "data" and f.axes[1] in self.populations
        }

        def fields(normal: dict[str, Array], others: dict[str, Array], x: Array) -> dict[str, Array]:
            values = {name: self.factors[name] * value for name, value in normal.items()}
            return self.finite.evaluate({**others, **values, "x": x}, self.sizes, namespace, until="yhat")

        def both(normal: dict[str, Array], others: dict[str, Array], x: Array) -> tuple[Any, Any]:
            values = {name: value for name, value in fields(normal, others, x).items() if name in shown}
            return values, jax.jacrev(lambda w: fields(w, others, x)["yhat"][:, 0])(normal)

        return jax.jit(both)
