"""Recurrent cells: layers with steps that read themselves one step before, from 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from ..algebra.functions import call
from .layering import SKIP
from .operations import Operation
from .signal_values import Axis, Fixed, Leg, LegKind, Owns, Reads, Signal, Space
from .translate import Translator, Value, step

_PAST = (("delay", 1),)


@dataclass
class Cell:
    """A cell while it is built: the rows of its weights belong to its gates, one after the other."""

    translator: Translator
    source: str
    width: int
    gates: tuple[str, ...]
    weight: Fixed
    again: Fixed
    biases: tuple[Fixed, ...]
    hidden: str

    def part(self, values: Fixed, gate: str) -> Fixed:
        """The rows of one gate."""
        begin = self.gates.index(gate) * self.width
        return values.moved(lambda array: array[begin : begin + self.width])

    def symbol(self, atom: Reads | Owns) -> sp.Symbol:
        """A symbol that stands for what is read or owned."""
        return self.translator.layers.symbol(atom)

    def read(self, gate: str) -> sp.Expr:
        """What a gate reads of the source at this step."""
        weight = self.part(self.weight, gate)
        return self.symbol(Reads(self.source, "dense", weight, (), self.translator.hint))

    def reread(self, gate: str) -> sp.Expr:
        """What a gate reads of the hidden neurons one step before."""
        return self.symbol(
            Reads(self.hidden, "recurrent", self.part(self.again, gate), (), self.translator.hint)
        )

    def bias(self, gate: str, which: int) -> sp.Expr:
        """One of the biases of a gate, of which programs have up to two."""
        if which >= len(self.biases):
            return sp.Integer(0)
        return self.symbol(Owns(self.part(self.biases[which], gate), f"b_{gate}", self.translator.hint))

    def gate(self, gate: str) -> sp.Expr:
        """All that goes into a gate."""
        return self.read(gate) + self.reread(gate) + self.bias(gate, 0) + self.bias(gate, 1)

    def past(self, layer: str) -> sp.Expr:
        """A neuron's own value one step before."""
        return self.symbol(Reads(layer, SKIP, None, _PAST))


def _plain(cell: Cell, space: Space, function: str) -> None:
    layers = cell.translator.layers
    signal = Signal((), call(function, cell.gate("h")), space)
    layers.made[cell.hidden] = layers.layer(cell.hidden, signal)


def _long_short(cell: Cell, space: Space) -> None:
    """c = sigmoid(f) c_past + sigmoid(i) tanh(g), hidden = sigmoid(o) tanh(c)."""
    layers = cell.translator.layers
    inner = layers.free_name(f"{cell.hidden}_cell")
    kept = call("sigmoid", cell.gate("f")) * cell.past(inner)
    new = call("sigmoid", cell.gate("i")) * call("tanh", cell.gate("g"))
    layers.made[inner] = layers.layer(inner, Signal((), kept + new, space))
    value = call("tanh", cell.symbol(Reads(inner, SKIP)))
    hidden = Signal((), call("sigmoid", cell.gate("o")) * value, space)
    layers.made[cell.hidden] = layers.layer(cell.hidden, hidden)


def _gated(cell: Cell, space: Space) -> None:
    """hidden = z past + (1 - z) tanh(W x + b + r (R past + c)), as in PyTorch and cuDNN."""
    layers = cell.translator.layers
    kept = call("sigmoid", cell.gate("z"))
    again = call("sigmoid", cell.gate("r")) * (cell.reread("h") + cell.bias("h", 1))
    new = call("tanh", cell.read("h") + cell.bias("h", 0) + again)
    signal = Signal((), kept * cell.past(cell.hidden) + (1 - kept) * new, space)
    layers.made[cell.hidden] = layers.layer(cell.hidden, signal)


@step("recurrent")
def recurrent(translator: Translator, operation: Operation) -> tuple[Value, ...]:
    """All steps and the last one of a cell, in the layout of the model."""
    options = operation.options
    source = translator.settled(translator.signal(operation.inputs[0]))
    kinds = [[leg.kind for leg in axis] for axis in source.axes]
    wanted = (
        [[LegKind.BATCH], [LegKind.STEP]] if options["batch_first"] else [[LegKind.STEP], [LegKind.BATCH]]
    )
    if kinds != [*wanted, [LegKind.NEURONS]]:
        words = [" and ".join(kind.value for kind in axis) for axis in kinds]
        raise translator.refuse(
            f"a recurrent cell reads [{', '.join(words)}]", "It must be [steps, samples, features], from x on"
        )
    if options["cell"] == "gru" and not options.get("linear_before_reset", True):
        raise translator.refuse(
            "the reset gate stands in front of the weight (linear_before_reset = 0)",
            "Export it with linear_before_reset = 1, or write the layers by hand (docs/layers.md has them)",
        )
    cell, space = _cell(translator, operation, source)
    if options["cell"] == "rnn":
        _plain(cell, space, options["function"])
    else:
        {"lstm": _long_short, "gru": _gated}[options["cell"]](cell, space)
    return _results(translator, cell.hidden, space, source, options)


def _cell(translator: Translator, operation: Operation, source: Signal) -> tuple[Cell, Space]:
    """The parts of a cell: ONNX has a leading axis of directions, and both biases in one array."""
    layers, options = translator.layers, operation.options
    weight, again, *biases = (translator.fixed(name) for name in operation.inputs[1:])
    if options["directions"]:
        weight, again, *biases = (each.moved(lambda array: array[0]) for each in (weight, again, *biases))
        half = weight.array.shape[0]
        biases = [_rows(each, begin, begin + half) for each in biases for begin in (0, half)]
    width = again.array.shape[1]
    neurons = translator.fresh(width)
    name = layers.layer_of(source)
    assert name is not None
    hidden = layers.free_name(translator.hint)
    cell = Cell(translator, name, width, options["gates"], weight, again, tuple(biases), hidden)
    return cell, Space(neurons.number, (), source.space.steps)


def _rows(values: Fixed, begin: int, end: int) -> Fixed:
    return values.moved(lambda array: array[begin:end])


def _results(
    translator: Translator, hidden: str, space: Space, source: Signal, options: Any
) -> tuple[Value, ...]:
    symbol = translator.layers.symbol
    steps, batch = (Leg(LegKind.STEP, space.steps),), (Leg(LegKind.BATCH, 0),)
    neurons: Axis = (translator.neurons_leg(space),)
    extra: tuple[Axis, ...] = ((),) if options["directions"] else ()
    if options["batch_first"] and options["directions"]:
        every, last = (batch, steps, *extra, neurons), (batch, *extra, neurons)
    elif options["batch_first"]:
        every, last = (batch, steps, neurons), ((), batch, neurons)
    else:
        every, last = (steps, *extra, batch, neurons), ((), batch, neurons)
    at_end = Space(space.neurons)
    return (
        Signal(every, symbol(Reads(hidden, SKIP)), space),
        Signal(last, symbol(Reads(hidden, SKIP)), at_end),
    )
