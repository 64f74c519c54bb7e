"""Steps of networks one by one, from any state and on any batch: what a coordinate check trains with.

The gradient is the witness's (automatic differentiation of the forward equations), compiled once for every
width; everything else is plain numpy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..algebra.system import ForwardSystem
from ..algebra.terms import Role
from ..errors import ArgumentError, StateError
from ..finite.finite_network import FiniteNetwork
from ..finite.namespace import NUMPY, jax_namespace, precision
from ..finite.network_fields import data_array, fields_of, parameter_arrays, shapes_of
from ..finite.rule_step import RuleStep
from ..network.network import Network
from ..runs.schedule import alphas, times
from ..state.draw import WEIGHTS, check_state, initial_state
from .network_sizes import preactivations, rms

Array = Any
Arrays = dict[str, Any]


class NetworkSteps:
    """The steps 1, ..., ``count`` of a network's learning rule, in float64 and without dropout."""

    def __init__(self, network: Network, finite: FiniteNetwork, count: int) -> None:
        import jax

        self.network, self.finite = network, finite
        self.alphas, self.times = alphas(network.training, count), times(network.training, count)
        self._gradient = jax.jit(jax.grad(self._loss))
        self._terms = tuple(_term_networks(finite.system, preactivations(network, finite.system)))

    def _loss(self, trained: Arrays, fixed: Arrays) -> Array:
        values = {**fixed, **trained}
        shapes = {p.name: values[p.name].shape for p in self.finite.system.parameters}
        sizes = self.finite.sizes(shapes, values["x"].shape[0])
        return self.finite.evaluate(values, sizes, jax_namespace())["loss"].mean()

    def trained(self, width: int, seed: int, count: int) -> tuple[Arrays, Arrays, Arrays]:
        """The states of a network of a width at the start, after one step and after all."""
        state: Arrays = {**initial_state(self.finite.system, width, seed)}
        size, kept = self.network.training.batch_size, {0: state}
        for number in range(1, count + 1):
            x, y = self.network.source.batch(number, size)
            state = kept[number] = self.after(state, x, y, number, seed)
        return kept[0], kept[1], kept[count]

    def powers(self, width: int, seed: int, names: Sequence[str]) -> dict[str, float]:
        """With which power of their gradients the first steps of some parameters grow, in a network.

        From steps of the rule on these gradients and on twice these, beside one on none at all.
        """
        state = initial_state(self.finite.system, width, seed)
        x, y = self.network.source.batch(1, self.network.training.batch_size)
        none, once, twice = (
            self.after(state, x, y, 1, seed, dict.fromkeys(names, factor)) for factor in (0.0, 1.0, 2.0)
        )
        moved = {name: (rms(once[name] - none[name]), rms(twice[name] - none[name])) for name in names}
        return {name: float(np.log2(two / one)) for name, (one, two) in moved.items() if one and two}

    def after(
        self,
        state: Arrays,
        x: Array,
        y: Array,
        number: int,
        seed: int,
        factors: Mapping[str, float] | None = None,
    ) -> Arrays:
        """The state after step ``number`` (counted from 1) on a batch; ``seed`` draws the step's noise.

        ``factors`` multiply the gradients of some parameters.
        """
        import jax

        arrays = {name: np.asarray(value) for name, value in state.items() if name != WEIGHTS}
        rule = RuleStep(self.finite.system, shapes_of(arrays))
        names = [parameter.name for parameter in rule.trained]
        with precision(jax, "float64"):
            given = {p.name: jax.numpy.asarray(arrays[p.name]) for p in self.finite.system.parameters}
            fixed = {name: array for name, array in given.items() if name not in names}
            fixed |= {"x": jax.numpy.asarray(x, np.float64), "y": jax.numpy.asarray(y, np.float64)}
            found = self._gradient({name: given[name] for name in names}, fixed)
            gradients = {name: np.asarray(g) * (factors or {}).get(name, 1.0) for name, g in found.items()}
        position = np.array([number - 1])
        row = rule.table(self.alphas[position], self.times[position], position + 1)[0]
        moved = rule.after(arrays, gradients, row, rule.draws(number, seed), NUMPY)
        return {**state, **{name: np.asarray(value) for name, value in moved.items()}}

    def expected(
        self, values: Mapping[str, Array], x: Any, y: Any
    ) -> tuple[dict[str, dict[str, Array]], Arrays]:
        """The terms of every field at given parameters, and the changes of these by a first step.

        Both are of one batch. Terms are by field, then by the parameter that stands in them ("": none).
        Raises ArgumentError where values, x or y do not have the shapes of the spec's network.
        """
        system = self.finite.system
        try:
            inputs, targets = (data_array(self.finite, name, given) for name, given in (("x", x), ("y", y)))
            parameters = parameter_arrays(self.finite, values)
            sizes = self.finite.sizes(shapes_of(parameters), len(inputs))
            widths = {axis.name: sizes[axis.name] for axis in system.populations}
            nodes = {name: np.full(size, 1 / size) for name, size in widths.items()}
            state = check_state(system, {**parameters, WEIGHTS: nodes})
        except StateError as problem:
            axes = "; ".join(f"{p.name} [{', '.join(p.axes)}]" for p in system.parameters)
            raise ArgumentError(
                f"train returned x and y, so that its start is compared entry by entry: {problem}. Give "
                f"arrays the axes of the spec ({axes}), in this order, or leave x and y out"
            ) from problem
        after = self.after(dict(state), inputs, targets, 1, 0)
        moving = [parameter.name for parameter in system.parameters if not parameter.is_frozen]
        changes = {name: after[name] - parameters[name] for name in moving}
        known = {**fields_of(self.finite, parameters, inputs), **parameters, "x": inputs}
        terms: dict[str, dict[str, Array]] = {}
        for field, parameter, network in self._terms:
            part = network.evaluate(known, sizes, NUMPY, only=[field])[field]
            own = terms.setdefault(field, {})
            own[parameter] = own[parameter] + part if parameter in own else part
        return terms, changes


def _term_networks(
    system: ForwardSystem, fields: tuple[str, ...]
) -> Iterator[tuple[str, str, FiniteNetwork]]:
    """For every term of some fields: the field, the term's parameter, and what evaluates it alone."""
    for equation in system.forward:
        for term in equation.terms if equation.field in fields else ():
            names = [a.field for _, a in term.accesses if system.field[a.field].role is Role.PARAMETER]
            names.sort(key=lambda name: -len(system.population_slots(name)))
            alone = replace(system, equations=(replace(equation, terms=(term,)),))
            yield equation.field, names[0] if names else "", FiniteNetwork(alone)


def ratio(found: Array, expected: Array) -> float:
    """How many times the expected values some values are, by least squares; nan where these are 0."""
    return ratios(found, {"": expected})[""]


def ratios(found: Array, terms: Mapping[str, Array]) -> dict[str, float]:
    """How many times each of some terms is in a sum of them, by least squares; nan of terms that are 0."""
    columns = {name: np.asarray(term, dtype=np.float64).ravel() for name, term in terms.items()}
    present = {name: column for name, column in columns.items() if column.any()}
    if not present:
        return dict.fromkeys(terms, float("nan"))
    scales = {name: float(np.linalg.norm(column)) for name, column in present.items()}
    matrix = np.stack([column / scales[name] for name, column in present.items()], axis=1)
    # Terms that are multiples of each other share what there is.
    solved = np.linalg.pinv(matrix) @ np.asarray(found, dtype=np.float64).ravel()
    own = {name: abs(float(value)) / scales[name] for name, value in zip(present, solved, strict=True)}
    return {name: own.get(name, float("nan")) for name in terms}
