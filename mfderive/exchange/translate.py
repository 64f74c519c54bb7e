"""From the graph of a model to layers: every operation is carried out on signals instead of numbers.

Pointwise operations only grow an expression. A layer is made where something reads its neurons with a
weight, a window or a softmax, and where a value is used more than once and one of the uses is of that kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp

from ..algebra.evaluate import evaluate_expression
from ..network.names import INPUT
from .layering import SKIP, Layers
from .operations import Graph, Operation, entering, own_word, refuse
from .pointwise import number, tidied
from .signal_values import Axis, Fixed, Leg, LegKind, Owns, Reads, Scores, Signal, Space, axis_size

Value = Fixed | Signal | Scores

# Operations that need layers to read, and those that only look at a value in another way.
STRUCTURAL = frozenset(("matmul", "convolution", "pool", "softmax", "recurrent"))
VIEWS = frozenset(("identity", "reshape", "transpose", "select"))


@dataclass
class Translator:
    """The values of a graph so far.

    ``inputs`` is the population number of x, ``input_neurons`` its axis without the batch; ``with_steps``:
    whether x comes step by step; ``apart``: values that are layers whoever reads them.
    """

    graph: Graph
    layers: Layers
    values: dict[str, Value]
    inputs: int
    input_neurons: int = 0
    with_steps: bool = False
    operation: Operation | None = None
    apart: frozenset[str] = frozenset()

    def refuse(self, problem: str, remedy: str) -> Exception:
        """The error at the operation that is being translated."""
        return refuse(self.operation, problem, remedy)

    def signal(self, name: str) -> Signal:
        """A value that must depend on the input."""
        value = self.values[name]
        if isinstance(value, Scores):
            raise self.refuse("scores of attention are read by something else than a softmax", "Read them so")
        if not isinstance(value, Signal):
            raise self.refuse(
                f"'{name}' does not depend on the input", "Fold constants in the exporting program"
            )
        return value

    def fixed(self, name: str) -> Fixed:
        """A value that must not depend on the input."""
        value = self.values[name]
        if not isinstance(value, Fixed):
            raise self.refuse(
                f"'{name}' must be a weight, but it depends on the input",
                "Products of two signals are not read here",
            )
        return value

    def settled(self, signal: Signal, hint: str = "") -> Signal:
        """The signal as the values of a layer."""
        return self.layers.settle(signal, hint or self.hint)

    @property
    def hint(self) -> str:
        """What a layer that is made now may be called."""
        return "layer" if self.operation is None else self.operation.name

    # ------------------------------------------------------------------ populations and positions

    def fresh(self, size: int) -> Leg:
        """An axis of new neurons."""
        return Leg(LegKind.NEURONS, size, self.layers.populations.new(size))

    def neurons_leg(self, space: Space) -> Leg:
        """The axis of the neurons of a space."""
        return Leg(LegKind.NEURONS, self.layers.populations.sizes[space.neurons], space.neurons)

    def joined(self, signals: Iterable[Signal]) -> tuple[Space, list[Signal]]:
        """Signals on one population and the same positions: those without positions become layers first."""
        signals = list(signals)
        widest = max((s.space for s in signals), key=lambda space: (len(space.positions), space.steps))
        result = []
        for signal in signals:
            if signal.space.positions != widest.positions or signal.space.steps != widest.steps:
                if signal.space.positions or signal.space.steps:
                    raise self.refuse(
                        f"values with positions {list(signal.space.positions)} meet positions "
                        f"{list(widest.positions)}",
                        "Neurons meet one by one only at the same positions",
                    )
                signal = self.settled(signal)
            self.layers.populations.join(signal.space.neurons, widest.neurons)
            result.append(signal)
        return widest, result

    # ------------------------------------------------------------------ pointwise

    def apply(self, function: Callable[..., sp.Expr], names: Iterable[str]) -> Value:
        """A pointwise function of values."""
        values = [self.values[name] for name in names]
        signals = [value for value in values if isinstance(value, Signal)]
        if any(isinstance(value, Scores) for value in values):
            return self.scaled(function, values)
        if not signals:
            return self.folded(function, [value for value in values if isinstance(value, Fixed)])
        space, moved = self.joined(signals)
        queue = iter(moved)
        values = [next(queue) if isinstance(value, Signal) else value for value in values]
        axes = self.broadcast([value for value in values if isinstance(value, Signal)])
        axes = self.with_neurons(axes, [value for value in values if isinstance(value, Fixed)], space)
        word = self.operation.options.get("word", "p") if self.operation else "p"
        arguments = [
            value.expression if isinstance(value, Signal) else self.owned(value, axes, word)
            for value in values
            if not isinstance(value, Scores)
        ]
        return Signal(axes, self.layers.averaged(tidied(function(*arguments))), space)

    def scaled(self, function: Callable[..., sp.Expr], values: list[Value]) -> Value:
        """Scores times a number, or divided by one."""
        score = sp.Symbol("score", positive=True)
        scores = [value for value in values if isinstance(value, Scores)]
        numbers = [value for value in values if isinstance(value, Fixed) and value.array.size == 1]
        if len(scores) == 1 and len(scores) + len(numbers) == len(values) and not scores[0].shared:
            given = [number(float(v.array.reshape(()))) if isinstance(v, Fixed) else score for v in values]
            factor = function(*given) / score
            if factor.is_number and factor > 0:
                return replace(scores[0], scale=scores[0].scale * float(factor))
        raise self.refuse(
            "scores of attention meet something else than a positive number (a mask, a bias, a function)",
            "Attention here is a softmax of scaled products over all positions",
        )

    def folded(self, function: Callable[..., sp.Expr], values: list[Fixed]) -> Fixed:
        """A function of constants, as numbers."""
        symbols = [sp.Symbol(f"c{k}") for k in range(len(values))]
        found = evaluate_expression(
            function(*symbols), dict(zip(symbols, (v.array for v in values), strict=True))
        )
        return Fixed(np.asarray(found))

    def broadcast(self, signals: list[Signal]) -> tuple[Axis, ...]:
        """The axes of a pointwise result, as arrays broadcast: aligned at the last one."""
        depth = max(len(signal.axes) for signal in signals)
        padded = [((),) * (depth - len(signal.axes)) + signal.axes for signal in signals]
        result: list[Axis] = []
        for places in zip(*padded, strict=True):
            present = [axis for axis in places if axis]
            shapes = {tuple((leg.kind, leg.size, self.place(leg)) for leg in axis) for axis in present}
            if len(shapes) > 1:
                raise self.refuse(
                    f"values meet whose axes run over different things ({', '.join(map(str, places))})",
                    "Entries must meet as neurons with neurons and positions with the same positions",
                )
            result.append(present[0] if present else ())
        return tuple(result)

    def with_neurons(self, axes: tuple[Axis, ...], fixed: list[Fixed], space: Space) -> tuple[Axis, ...]:
        """The axes with the layer's neurons where a statistic over these meets one number of each."""
        neurons = self.neurons_leg(space)
        if any(leg.kind is LegKind.NEURONS for axis in axes for leg in axis):
            return axes
        for value in fixed:
            shape = np.shape(value.array)
            large = [place for place, size in enumerate(shape, len(axes) - len(shape)) if size > 1]
            if (
                len(large) == 1
                and axes[large[0] : large[0] + 1] == ((),)
                and value.array.size == neurons.size
            ):
                return (*axes[: large[0]], (neurons,), *axes[large[0] + 1 :])
        return axes

    def place(self, leg: Leg) -> int:
        """What must agree of two legs beside kind and size."""
        return self.layers.populations.root(leg.number) if leg.kind is LegKind.NEURONS else leg.number

    def owned(self, value: Fixed, axes: tuple[Axis, ...], word: str) -> sp.Expr:
        """An array that meets a signal: a number, or a parameter of each neuron, called ``word``."""
        axis = None if self.operation is None else self.operation.options.get("axis")
        if axis is not None and value.array.ndim == 1:
            # One number for each entry of an axis that is not the last one, as in batch normalisation.
            value = value.moved(lambda array: array.reshape(-1, *([1] * (len(axes) - 1 - axis))))
        array = np.asarray(value.array)
        if array.size == 1 and not self.is_of_one_neuron(value, axes):
            return number(float(array.reshape(())))
        if array.ndim > len(axes):
            raise self.refuse(
                f"an array of shape {array.shape} adds axes to a signal", "Reshape it in the model"
            )
        meets = axes[len(axes) - array.ndim :]
        ones = [any(leg.kind is not LegKind.BATCH for leg in axis) for axis in meets]
        large = [k for k, size in enumerate(array.shape) if size > 1 or (array.size == 1 and ones[k])]
        if len(large) != 1 or [leg.kind for leg in meets[large[0]]] != [LegKind.NEURONS]:
            raise self.refuse(
                f"an array of shape {array.shape} meets axes of "
                f"{[[leg.kind.value for leg in axis] or ['size 1'] for axis in meets]}",
                "Numbers that neurons own are one for each neuron, the same at all positions; what differs "
                "from "
                "position to position (a position embedding) must come with the input",
            )
        if array.size != meets[large[0]][0].size:
            raise self.refuse(
                f"an array of shape {array.shape} does not fit {axis_size(meets[large[0]])} neurons", ""
            )
        return self.layers.symbol(Owns(value.moved(np.ravel), own_word(value.parameter) or word, self.hint))

    def is_of_one_neuron(self, value: Fixed, axes: tuple[Axis, ...]) -> bool:
        """Whether a trained array of one entry belongs to the only neuron of its population."""
        shape = np.shape(value.array)
        if value.parameter is None or not 0 < len(shape) <= len(axes):
            return False
        met = [leg for axis in axes[len(axes) - len(shape) :] for leg in axis]
        legs = [leg for leg in met if leg.kind is not LegKind.BATCH]
        return [(leg.kind, leg.size) for leg in legs] == [(LegKind.NEURONS, 1)]

    # ------------------------------------------------------------------ the way through

    def run(self) -> None:
        """Carry out every operation in order."""
        readers = self.graph.readers()
        for operation in self.graph.operations:
            self.operation = operation
            results = STEPS[operation.kind](self, operation)
            for name, value in zip(operation.outputs, results, strict=False):
                is_layer = name in self.apart or self.is_read_as_layer(name, readers)
                if isinstance(value, Signal) and is_layer:
                    value = self.settled(value)
                self.values[name] = value

    def is_read_as_layer(self, name: str, readers: Mapping[str, list[Operation]]) -> bool:
        """Whether an operation that needs layers reads a value, perhaps in another shape."""
        return any(
            reader.kind in STRUCTURAL
            or (reader.kind in VIEWS and any(self.is_read_as_layer(out, readers) for out in reader.outputs))
            for reader in readers.get(name, [])
        )


Step = Callable[[Translator, Operation], tuple[Value, ...]]
STEPS: dict[str, Step] = {}
# Enters what carries out a kind of operation.
step = entering(STEPS)


def start(graph: Graph) -> Translator:
    """A translator that knows the input and the arrays of a model."""
    layers = Layers()
    values: dict[str, Value] = {name: Fixed.of(name, array) for name, array in graph.parameters.items()}
    values |= {name: Fixed(np.asarray(array)) for name, array in graph.constants.items()}
    with_steps = any(operation.kind == "recurrent" for operation in graph.operations)
    legs = input_legs(graph, layers, with_steps)
    neurons = next(leg for leg in legs if leg.kind is LegKind.NEURONS)
    positions = tuple(leg.size for leg in legs if leg.kind is LegKind.POSITION)
    steps = sum(leg.size for leg in legs if leg.kind is LegKind.STEP)
    axes: list[Axis] = [(leg,) for leg in legs]
    axes.insert(graph.batch_axis, (Leg(LegKind.BATCH, 0),))
    space = Space(neurons.number, positions, steps)
    values[graph.input] = Signal(tuple(axes), layers.symbol(Reads(INPUT, SKIP)), space)
    return Translator(graph, layers, values, neurons.number, legs.index(neurons), with_steps)


def input_legs(graph: Graph, layers: Layers, with_steps: bool) -> list[Leg]:
    """What the axes of x run over: [steps, features] of recurrent models; else channels and positions.

    Channels come last where a matrix reads the last axis of x as it stands, and else first.
    """
    shape = graph.shape
    if not shape:
        raise refuse(None, "the input has no axes beside the batch", "Export the model with its batch axis")
    if with_steps:
        if len(shape) != 2:
            raise refuse(
                None, f"a recurrent model reads [steps, features], but x is {list(shape)}", "Reshape x"
            )
        return [Leg(LegKind.STEP, shape[0]), Leg(LegKind.NEURONS, shape[1], layers.populations.new(shape[1]))]
    channel = 0 if not reads_features_last(graph) else len(shape) - 1
    legs, position = [], 0
    for axis, size in enumerate(shape):
        if axis == channel:
            legs.append(Leg(LegKind.NEURONS, size, layers.populations.new(size)))
        else:
            legs.append(Leg(LegKind.POSITION, size, position))
            position += 1
    return legs


def reads_features_last(graph: Graph) -> bool:
    """Whether x, as it stands, is multiplied by a matrix before anything moves its axes."""
    readers = graph.readers()
    waiting, seen = [graph.input], set()
    while waiting:
        for reader in readers.get(waiting.pop(), []):
            if reader.kind in ("matmul", "normalise"):
                return True
            if reader.kind in ("identity", "function"):
                waiting += [name for name in reader.outputs if name not in seen]
                seen |= {*reader.outputs}
    return False


def total(legs: Iterable[Leg]) -> int:
    """The product of sizes."""
    return math.prod(leg.size for leg in legs)
