"""Networks that a person trains: what the callable of a coordinate check returns, checked and measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..algebra.arguments import found
from ..algebra.system import LimitSystem
from ..errors import ArgumentError, nearest
from .network_sizes import Measure, Quantity, Sizes, parameter_sizes, rms
from .network_steps import NetworkSteps, ratio, ratios
from .width_product import WidthProduct

Array = Any
Train = Callable[[int, int, int], Mapping[str, Any]]
BATCH = ("x", "y")


class GivenNetworks:
    """Measures networks that ``train`` makes, brought to the form in which factors stand in front of sums.

    ``fields``: the names of pre-activations; ``inside``: by parameter the factor that stands in it (1: none).
    """

    def __init__(
        self,
        train: Train,
        limit: LimitSystem,
        fields: tuple[str, ...],
        inside: Mapping[str, WidthProduct],
        steps: int,
        training: NetworkSteps,
    ) -> None:
        self.training = training
        self.train, self.limit, self.fields = train, limit, fields
        self.inside, self.steps = inside, steps

    def sizes(self, width: int, seed: int) -> Sizes:
        """The sizes of the network of a width and a seed. Raises ArgumentError for what is no answer."""
        start, first, last = (self._arrays(width, seed, steps) for steps in (0, 1, self.steps))
        widths = {axis.name: width * axis.width for axis in self.limit.populations}
        sizes = self._ratios(start, first, widths)
        for name in start:
            if name in BATCH:
                continue
            self._same(name, start, first, last)
            if name in self.fields:
                sizes[Quantity(Measure.VALUE, name)] = rms(start[name])
                sizes[Quantity(Measure.UPDATE, name)] = rms(last[name] - start[name])
            else:
                factor = self.inside[name].value(widths)
                own = parameter_sizes(*(each[name] / factor for each in (start, first, last)))
                sizes |= {Quantity(measure, name): value for measure, value in own.items()}
        return sizes

    def _ratios(
        self, start: Mapping[str, Array], first: Mapping[str, Array], widths: Mapping[str, float]
    ) -> Sizes:
        """Values and first steps over what the network's own parameters ask for, where its batch is known."""
        if not all(name in start for name in (*BATCH, *self.limit.parameter)):
            return {}
        factors = {name: self.inside[name].value(widths) for name in self.limit.parameter}
        values = {name: start[name] / factor for name, factor in factors.items()}
        terms, changes = self.training.expected(values, *(start[name] for name in BATCH))
        found = {}
        for name in self.fields:
            if name in start:
                own = terms[name]
                values_there = _shaped(name, start[name], next(iter(own.values())))
                for parameter, value in ratios(values_there, own).items():
                    found[Quantity(Measure.SUM, name, parameter)] = value
        for name, wanted in changes.items():
            found[Quantity(Measure.RATE, name)] = ratio(first[name] / factors[name] - values[name], wanted)
        return {quantity: value for quantity, value in found.items() if not np.isnan(value)}

    def _arrays(self, width: int, seed: int, steps: int) -> dict[str, Array]:
        answer = self.train(width, seed, steps)
        call = f"train({width}, {seed}, {steps})"
        if not isinstance(answer, Mapping) or not answer:
            raise ArgumentError(
                f"{call} returned {found(answer)}; it must return a dictionary of arrays by the names of "
                "parameters and pre-activations of the spec"
            )
        known = (*self.limit.parameter, *self.fields)
        arrays = {}
        for name, value in answer.items():
            if name not in (*known, *BATCH):
                raise ArgumentError(
                    f"{call} returned an array '{name}', which is neither a parameter nor a pre-activation, "
                    "nor x or y. "
                    f"{nearest(str(name), known)}"
                )
            try:
                array = np.asarray(value, dtype=np.float64)
            except (TypeError, ValueError):
                raise ArgumentError(f"{call}: '{name}' is {found(value)}, no array of numbers") from None
            if not array.size:
                raise ArgumentError(f"{call}: '{name}' has no entries")
            arrays[name] = array
        return arrays

    def _same(self, name: str, *times: Mapping[str, Array]) -> None:
        shapes = [each[name].shape if name in each else None for each in times]
        if len(set(shapes)) > 1:
            raise ArgumentError(
                f"train returned '{name}' with shapes {shapes[0]}, {shapes[1]} and {shapes[2]} after 0, 1 "
                f"and {self.steps} steps; they must be the same array at three times"
            )


def _shaped(name: str, array: Array, wanted: Array) -> Array:
    """A pre-activation in the layout of the spec's field. Raises ArgumentError where it has another one."""
    if array.shape == wanted.shape:
        return array
    if array.size == wanted.size and array.ndim == wanted.ndim - 1 and wanted.shape[-1] == 1:
        return array.reshape(wanted.shape)
    raise ArgumentError(
        f"train returned '{name}' with shape {array.shape} beside x and y; at the inputs x it has the shape "
        f"{wanted.shape}, [sample, neuron, ...]. Evaluate it there, or leave x and y out"
    )
