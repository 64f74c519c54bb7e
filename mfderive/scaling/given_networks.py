"""Networks that a person trains: what the callable of a coordinate check returns, checked and measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ..algebra.arguments import found
from ..algebra.system import LimitSystem
from ..errors import ArgumentError, nearest
from ..state.draw import population_sizes
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
        # By parameter: a width, and how many times the product of its populations' sizes its entries are.
        self._shares: dict[str, tuple[int, Fraction]] = {}

    def sizes(self, width: int, seed: int) -> Sizes:
        """The sizes of the network of a width and a seed. Raises ArgumentError for what is no answer."""
        start, first, last = times = [self._arrays(width, seed, steps) for steps in (0, 1, self.steps)]
        self._consistent(width, times)
        widths = {axis.name: width * axis.width for axis in self.limit.populations}
        sizes = self._ratios(start, first, widths)
        for name in start:
            if name in BATCH:
                continue
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
        if BATCH[0] not in start:
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
        call = f"train({width}, {seed}, {steps})"
        try:
            answer = self.train(width, seed, steps)
        except Exception as problem:
            problem.add_note(f"raised by the function that was given as train, called as {call}")
            raise
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
                array = np.asarray(value)
                if np.iscomplexobj(array):
                    raise TypeError
                array = array.astype(np.float64)
            except (TypeError, ValueError):
                raise ArgumentError(f"{call}: '{name}' is {found(value)}, no array of real numbers") from None
            if not array.size:
                raise ArgumentError(f"{call}: '{name}' has no entries")
            arrays[name] = array
        return arrays

    def _consistent(self, width: int, times: Sequence[Mapping[str, Array]]) -> None:
        """Raises ArgumentError where the answers at three times are not those of one network of a width."""
        after = f"after 0, 1 and {self.steps} steps"
        names = sorted({name for arrays in times for name in arrays})
        for name in names:
            shapes = [arrays[name].shape if name in arrays else None for arrays in times]
            if len(set(shapes)) > 1:
                told = ", ".join("none" if shape is None else str(shape) for shape in shapes)
                raise ArgumentError(
                    f"train returned '{name}' with shapes {told} {after}; they must be the same array at "
                    "three times"
                )
        given = [name for name in BATCH if name in names]
        missing = [name for name in (*BATCH, *self.limit.parameter) if name not in names]
        if given and missing:
            raise ArgumentError(
                f"train returned {' and '.join(given)}, but not {', '.join(missing)}: the network's own "
                "gradient needs x, y and all parameters. Return these too, or leave x and y out"
            )
        for name in given:
            if any(not np.array_equal(times[0][name], arrays[name], equal_nan=True) for arrays in times[1:]):
                raise ArgumentError(
                    f"train returned different values of '{name}' {after}; they must be the batch of the "
                    "first step, and pre-activations those at its inputs, in every call"
                )
        if given:
            _one_length(times[0])
        self._follows_width(width, times[0])

    def _follows_width(self, width: int, arrays: Mapping[str, Array]) -> None:
        """Raises ArgumentError where the entries of a parameter are not as many as the width asks for."""
        sizes = population_sizes(self.limit, width)
        for name in self.limit.parameter:
            if name not in arrays:
                continue
            infinite, size = self.limit.scalings[name], arrays[name].size
            share = Fraction(size, math.prod(sizes[axis] for axis in infinite))
            other, first = self._shares.setdefault(name, (width, share))
            if share != first:
                raise ArgumentError(
                    f"train returned '{name}' with {size} entries at width {width}, which is not as many "
                    f"times the number of its neurons ({', '.join(infinite)}) as at width {other}. The "
                    "layers of the network must have the widths that train is called with"
                )


def _one_length(arrays: Mapping[str, Array]) -> None:
    """Raises ArgumentError where x and y do not have the same number of samples."""
    lengths = [arrays[name].shape[:1] for name in BATCH]
    if lengths[0] != lengths[1]:
        shapes = " and ".join(f"'{name}' with shape {arrays[name].shape}" for name in BATCH)
        raise ArgumentError(f"train returned {shapes}; they must have one row for each sample of one batch")


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
