"""Names in a spec: which are free to give, what parameters are called, what a dotted name means."""

from __future__ import annotations

import re
from collections.abc import Sequence

import sympy as sp

from ..algebra.functions import FUNCTIONS
from .network import Layer, Network, Output

INPUT = "x"
OUTPUT = "output"
MAIN = "h"  # the pre-activation that connections add to unless `into` says otherwise
BIAS = "bias"
WEIGHT = "w"  # source.w, target.w: the layer's own weight

# Names with a meaning of their own in expressions, in states and as axes.
_EXPRESSIONS = ("h", "u", "w", "x", "y", "yhat", "t", "k", "d", "fan_in", "source", "target", "pi")
_REDUCTIONS = ("mean", "sum", "max", "softmax", "neurons", "steps")
_FIELDS = ("p", "data", "loss", "output", "weight", "bias", "out", "before")
_AXES = ("inputs", "channels", "positions", "outputs", "taps", "turns", "groups", "noise")
RESERVED = frozenset((*_EXPRESSIONS, *_REDUCTIONS, *_FIELDS, *_AXES))
# Statistics, helper fields, positions and taps get numbers.
_HELPERS = r"mean|sum|max|softmax|select|shift|total|inside|count|stack|step"
_NUMBERED = re.compile(rf"({_HELPERS}|positions|taps|turns|weight)\d+")


def is_reserved(name: str) -> bool:
    """Whether a layer, parameter, pre-activation or weight may not have this name."""
    return name in RESERVED or name in FUNCTIONS or bool(_NUMBERED.fullmatch(name))


def weight_names(layer: str, weights: Sequence[tuple[str, str, str | None] | None]) -> tuple[str | None, ...]:
    """Full names of a layer's weights, one entry per connection (None where it has no weight).

    ``weights`` are (source, into, own name). A weight is called by its own name; else ``h2.weight``; else,
    where the layer has several of these, ``h2.weight.h1``, with ``.g`` for one that goes into g where two
    come from one source, and a number where even that is not enough.
    """
    own = [weight for weight in weights if weight is not None and weight[2] is None]
    result: list[str | None] = []
    for weight in weights:
        if weight is None or weight[2] is not None:
            result.append(weight[2] if weight is not None else None)
            continue
        source, into, _ = weight
        base = f"{layer}.weight"
        if len(own) > 1:
            base += f".{source}"
            if into != MAIN and sum(each[0] == source for each in own) > 1:
                base += f".{into}"
        name, number = base, 2
        while name in result:
            name, number = f"{base}.{number}", number + 1
        result.append(name)
    return tuple(result)


def connection_weights(part: Layer | Output) -> tuple[str | None, ...]:
    """Full names of the weights of a layer's (or the output's) connections, in their order."""
    layer = part.name if isinstance(part, Layer) else OUTPUT
    return weight_names(
        layer,
        [
            (connection.source, connection.into, connection.weight.name) if connection.weight else None
            for connection in part.connections
        ],
    )


def parameter_rates(network: Network) -> dict[str, sp.Expr]:
    """The rate of every parameter by its full name: weights at their first mention, biases, parameters."""
    found: dict[str, sp.Expr] = {}
    for part in parts_of(network):
        layer = part.name if isinstance(part, Layer) else OUTPUT
        own = dict(part.parameters) if isinstance(part, Layer) else {}
        if part.bias is not None:
            own[BIAS] = part.bias
        found |= {f"{layer}.{name}": parameter.rate for name, parameter in own.items()}
        for name, connection in zip(connection_weights(part), part.connections, strict=True):
            if name is not None and connection.weight is not None:
                found.setdefault(name, connection.weight.rate)
    return found


def parts_of(network: Network) -> tuple[Layer | Output, ...]:
    """The layers in the order of evaluation, then the output."""
    return (*network.layers, network.output)


def population_of(network: Network, layer: str) -> str:
    """The layer that gives its name to the neurons of ``layer`` (follow ``neurons`` to its end)."""
    current = network.layer[layer]
    while current.neurons is not None:
        current = network.layer[current.neurons]
    return current.name


def is_finite(network: Network, source: str) -> bool:
    """Whether a source has a fixed number of neurons: x, or a layer with ``size``."""
    return source == INPUT or network.layer[population_of(network, source)].size is not None


def attributes(network: Network, layer: str) -> dict[str, str]:
    """What may follow ``source.`` or ``target.`` for a layer (or the output), with the parameter's full name.

    Declared parameters and ``bias``; weights from x or from a finite layer by their own name, and as ``w``
    where there is only one. A weight between two populations belongs to a pair, so it is not among them.
    """
    part = network.output if layer == OUTPUT else network.layer[layer]
    declared = part.parameters if isinstance(part, Layer) else ()
    found = {name: f"{layer}.{name}" for name, _ in declared}
    if part.bias is not None:
        found[BIAS] = f"{layer}.{BIAS}"
    labels = {
        name: connection.weight.name
        for name, connection in zip(connection_weights(part), part.connections, strict=True)
        if name is not None and connection.weight is not None and is_finite(network, connection.source)
    }
    found.update({own: name for name, own in labels.items() if own is not None})
    if len(labels) == 1:
        found[WEIGHT] = next(iter(labels))
    return found
