"""Layers, connections and the output: their expressions read, with every name checked."""

from __future__ import annotations

import re

import sympy as sp

from ..algebra.functions import FUNCTIONS, PUBLIC_FUNCTIONS, call
from ..algebra.parser import NEURONS, Names, constant_value
from ..errors import SpecError, nearest_function, quoted, shown
from ..forward.kinds import STEPS
from ..network.names import BIAS, INPUT, MAIN, OUTPUT
from ..network.network import Connection, Layer, Output, WeightSpec
from ..network.place import Place
from .data_table import frozen
from .law_text import read_parameter, read_weight, with_vectors
from .outline import ConnectionOutline, LayerOutline, Outline

IDENTITY = "identity"  # what an activation is where none is written
_WEIGHT = sp.Symbol("w")
_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def read_layer(layer: LayerOutline, outline: Outline) -> Layer:
    """One layer with everything in it."""
    values = layer.values
    bias = read_parameter(values[BIAS], BIAS, layer, outline) if BIAS in values else None
    parameters = tuple(
        (name, read_parameter(value, name, layer, outline))
        for name, value in values.get("parameters", {}).items()
    )
    return Layer(
        name=layer.name,
        connections=tuple(_connection(each, layer, outline) for each in layer.connections),
        activation=_activation(layer, outline),
        bias=bias,
        parameters=parameters,
        neurons=values.get("neurons"),
        width=float(values.get("width", 1.0)),
        size=values.get("size"),
        steps=layer.steps,
        table=layer.place.table,
        written=" ".join(values.get("activation", MAIN).split()),
    )


def read_output(output: LayerOutline, outline: Outline) -> Output:
    """The output with everything in it."""
    values = output.values
    return Output(
        connections=tuple(_connection(each, output, outline) for each in output.connections),
        outputs=values.get("outputs"),
        bias=read_parameter(values[BIAS], BIAS, output, outline) if BIAS in values else None,
    )


def _activation(layer: LayerOutline, outline: Outline) -> sp.Expr:
    """The activation: h or f(h), with the bias added, or an expression."""
    place, values = layer.place, layer.values
    text = values.get("activation", IDENTITY).strip()
    plain = frozenset({*layer.preactivations, *layer.parameters})
    is_identity = text == IDENTITY and IDENTITY not in plain
    if is_identity or text in PUBLIC_FUNCTIONS:
        if MAIN not in layer.preactivations:
            raise place.error(
                f"the activation acts on h, but every connection goes into another pre-activation "
                f"({', '.join(layer.preactivations)})",
                key="activation",
                remedy="Leave out 'into' in one of them, or write the activation as an expression",
            )
        argument = sp.Symbol(MAIN) + (sp.Symbol(BIAS) if BIAS in values else 0)
        expression = argument if is_identity else _function(text, argument, place)
    else:
        if _WORD.fullmatch(text) and text not in plain:
            raise place.error(
                f"unknown activation {quoted(text)}",
                key="activation",
                remedy=nearest_function(text, {*PUBLIC_FUNCTIONS, *plain, IDENTITY}),
            )
        if BIAS in values:
            raise place.error(
                f"'bias' stands beside the expression {shown(text)}",
                key=BIAS,
                remedy='Declare it: parameters.b = "0", and write h + b in the activation',
            )
        expression = place.expression(text, "activation", _activation_names(layer, plain, outline))
    _check_used(layer, expression)
    return expression


def _function(name: str, argument: sp.Expr, place: Place) -> sp.Expr:
    if FUNCTIONS[name].arity != 1:
        raise place.error(
            f"{name} takes {FUNCTIONS[name].arity} arguments",
            key="activation",
            remedy=f"Write it as an expression, for instance {name}(h, 0)",
        )
    return call(name, argument)


# Statistics over the batch, which make what the network says of one sample depend on the others.
_BATCH = (
    "the output of a sample would depend on the other samples, so that a prediction has no meaning of its "
    "own, and batches of every size have a limit of their own. Write mean(h), over the neurons of the layer, "
    "or mean(h, positions)"
)


def _activation_names(layer: LayerOutline, plain: frozenset[str], outline: Outline) -> Names:
    unavailable = {
        "w": "weights belong to the operation of a connection",
        "u": "the activation acts on h; u is for the operation of a connection",
        "source": "the ends of a connection are for its operation",
        "target": "the layer's own parameters are written without 'target.'",
        BIAS: 'declare it: parameters.b = "0"',
    }
    unavailable |= {name: _BATCH for name in ("data", "batch") if name not in plain}
    axes = {"positions"}
    if layer.steps:
        axes.add(STEPS)
    else:
        unavailable[STEPS] = "the layer has no steps; give it the key steps = T"
    if outline.is_finite(layer.name):
        unavailable[NEURONS] = "the layer is finite, and averages over neurons are for populations"
    else:
        axes.add(NEURONS)
    return Names(plain=plain, reductions=frozenset(axes), unavailable=unavailable)


def _check_used(layer: LayerOutline, expression: sp.Expr) -> None:
    for name in layer.preactivations:
        if sp.Symbol(name) not in expression.free_symbols:
            raise layer.place.error(
                f"connections go into {quoted(name)}, but the activation does not use it",
                key="activation",
                remedy=f"Use {name} in the activation, or change 'into'",
            )


def _connection(connection: ConnectionOutline, layer: LayerOutline, outline: Outline) -> Connection:
    place, values, kind = connection.place, connection.values, connection.kind
    weight = read_weight(connection, layer, outline)
    own = {key: frozen(value) for key, value in values.items() if key in kind.keys}
    average = tuple(values.get("average", ()))
    if len(set(average)) < len(average):
        raise place.error("an axis is named twice", key="average", remedy="Name each axis once")
    if "inputs" in average and not outline.is_finite(connection.source):
        raise place.error(
            f"'inputs' are those of x or of a finite layer, but '{connection.source}' is a population, over "
            "which every sum is divided already",
            key="average",
            remedy="Remove 'inputs'",
        )
    operation, is_usual = _operation(connection, weight, layer, outline)
    return Connection(
        source=connection.source,
        kind=kind.name,
        operation=operation,
        weight=weight,
        into=connection.into,
        options=tuple((key, frozen(value)) for key, value in kind.prepare(own, place).items()),
        average=average,
        delay=connection.delay,
        reads=connection.reads,
        is_usual=is_usual,
        table=place.table,
    )


def _operation(
    connection: ConnectionOutline, weight: WeightSpec | None, layer: LayerOutline, outline: Outline
) -> tuple[sp.Expr, bool]:
    """The pointwise operation sigma* of a connection, and whether it is the usual one of its kind."""
    place, kind = connection.place, connection.kind
    # Without a weight the source is read as it is (paper, Eq. (38): the last layer's activation is averaged).
    usual = "u" if weight is None and kind.has_weight else kind.operation
    unwritten = usual if layer.name == OUTPUT else kind.operation
    text = connection.values.get("operation", unwritten)
    plain = {"u", "h"} | ({"w"} if kind.has_weight else set())
    unavailable = {} if kind.has_weight else {"w": f"a {kind.name} has no weight"}
    dotted = {"target": outline.attributes(layer.name)}
    if connection.source == INPUT:
        unavailable["source"] = "the source is x, which has no parameters"
    else:
        dotted["source"] = outline.attributes(connection.source)
        if MAIN not in outline.layers[connection.source].preactivations:
            plain.remove("h")
            unavailable["h"] = f"nothing goes into h in {quoted(connection.source)}"
    names = Names(plain=frozenset(plain), dotted=dotted, unavailable=unavailable)
    names = with_vectors(names, layer, connection, outline)
    operation = place.expression(text, "operation", names)
    used = _WEIGHT in operation.free_symbols
    if used and weight is None:
        raise place.error(
            f"the operation {quoted(text)} needs a weight, but the key 'weight' is missing",
            key="weight",
            remedy='Give its law, for instance weight = "normal(1, 0.1)"',
        )
    if weight is not None and not used:
        raise place.error(
            f"the operation {quoted(text)} does not use its weight w",
            key="operation",
            remedy="Remove the weight, or write w into the operation",
        )
    value = constant_value(operation)
    if value is not None and value - value != 0:
        raise place.error(f"the operation {quoted(text)} is not a finite number", key="operation")
    return operation, text == usual or operation == _read(place, usual, names)


def _read(place: Place, text: str, names: Names) -> sp.Expr | None:
    """The expression of a text, None where it names what is not there."""
    try:
        return place.expression(text, "operation", names)
    except SpecError:
        return None
