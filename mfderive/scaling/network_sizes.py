"""The sizes that a coordinate check looks at, of one network: root mean squares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from ..algebra.system import ForwardSystem
from ..algebra.terms import Role
from ..finite.finite_network import FiniteNetwork
from ..finite.namespace import NUMPY
from ..finite.network_fields import fields_of, shapes_of
from ..network.network import Network

Array = Any
Arrays = Mapping[str, Array]
OUTPUT = "yhat"


class Measure(StrEnum):
    """What a size is of. The part from the weights' change and that from the inputs' change add up."""

    VALUE = "value"  # a pre-activation at the start
    UPDATE = "update"  # its change after all steps
    FROM_WEIGHTS = "from weights"  # with the inputs after and the weights before, and after
    FROM_INPUTS = "from inputs"  # with the weights before and the inputs before, and after
    START = "start"  # a parameter at the start
    SPREAD = "spread"  # the deviation of its entries at the start
    FIRST = "first step"  # its change by the first step
    CHANGE = "change"  # its change after all steps
    RATE = "rate"  # its change by the first step over the one that its own gradient asks for
    SUM = "sum"  # a term of a pre-activation at the start over the one that its own parameters make


# Ratios within one network, which are 1 where nothing is wrong.
EXACT = (Measure.SUM, Measure.RATE)


@dataclass(frozen=True)
class Quantity:
    """One size that is followed over the widths: what of which field or parameter.

    ``term``: of a sum, the parameter whose term of it is meant.
    """

    measure: Measure
    name: str
    term: str = ""

    @property
    def text(self) -> str:
        """The field or the parameter, for people."""
        return f"{self.name} (term of {self.term})" if self.term else self.name


Sizes = dict[Quantity, float]


def preactivations(network: Network, system: ForwardSystem) -> tuple[str, ...]:
    """The pre-activations of all layers, at every step of layers with steps, and the output, in order."""
    into = {layer.name: {connection.into for connection in layer.connections} for layer in network.layers}
    found = []
    for equation in system.forward:
        field = system.field[equation.field]
        if field.role is Role.FORWARD and (field.part in into.get(field.owner, ()) or field.name == OUTPUT):
            found.append(field.name)
    return tuple(found)


def rms(values: Array) -> float:
    """The root of the mean square of all entries, in float64."""
    array = np.asarray(values, dtype=np.float64)
    return float(np.sqrt(np.mean(array**2))) if array.size else 0.0


def spread(values: Array) -> float:
    """The deviation of the entries about their mean (their size, where there is one entry only)."""
    array = np.asarray(values, dtype=np.float64)
    return float(np.std(array)) if array.size > 1 else rms(array)


def parameter_sizes(start: Array, first: Array, last: Array) -> dict[Measure, float]:
    """The sizes of one parameter, from its arrays at the start, after one step and after all."""
    start, first, last = (np.asarray(each, dtype=np.float64) for each in (start, first, last))
    return {
        Measure.START: rms(start),
        Measure.SPREAD: spread(start),
        Measure.FIRST: rms(first - start),
        Measure.CHANGE: rms(last - start),
    }


def network_sizes(
    network: Network, finite: FiniteNetwork, states: tuple[Arrays, Arrays, Arrays], x: Array
) -> Sizes:
    """All sizes of a network of this program, from its states at the start, after one step and after all."""
    sizes: Sizes = {}
    for parameter in finite.system.parameters:
        own = parameter_sizes(*(state[parameter.name] for state in states))
        sizes |= {Quantity(measure, parameter.name): value for measure, value in own.items()}
    before, after = (fields_of(finite, states[number], x) for number in (0, 2))
    parts = _Parts(finite, states[0], x)
    for name in preactivations(network, finite.system):
        mixed = parts.evaluated(name, after)
        sizes |= {
            Quantity(Measure.VALUE, name): rms(before[name]),
            Quantity(Measure.UPDATE, name): rms(after[name] - before[name]),
            Quantity(Measure.FROM_WEIGHTS, name): rms(after[name] - mixed),
            Quantity(Measure.FROM_INPUTS, name): rms(mixed - before[name]),
        }
    return sizes


class _Parts:
    """Evaluates one equation with the weights of the start and the inputs of another time."""

    def __init__(self, finite: FiniteNetwork, start: Arrays, x: Array) -> None:
        self.finite = finite
        self.given = {p.name: np.asarray(start[p.name]) for p in finite.system.parameters}
        self.given["x"] = np.asarray(x, dtype=np.float64)
        self.sizes = finite.sizes(
            shapes_of({name: a for name, a in self.given.items() if name != "x"}), len(self.given["x"])
        )

    def evaluated(self, name: str, fields: Arrays) -> Array:
        """A field from the parameters of the start and other fields as they are given."""
        values = {**fields, **self.given}
        return self.finite.evaluate(values, self.sizes, NUMPY, only=[name])[name]
