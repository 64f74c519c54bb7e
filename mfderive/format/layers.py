"""Layers, connections and the output: their expressions read, with every name checked."""

from __future__ import annotations

import re

import sympy as sp

from ..algebra.functions import FUNCTIONS, PUBLIC_FUNCTIONS, call
from ..algebra.parser import NEURONS, Names, constant_value
from ..errors import SpecError, nearest_function, quoted, shown
from ..errors.gathering import Faults
from ..forward.batch_statistics import BATCH, BATCH_REASON
from ..forward.kinds import STEPS
from ..network.names import BIAS, INPUT, MAIN, OUTPUT
from ..network.network import Connection, Layer, Output, WeightSpec
from ..network.place import Place
from .data_table import frozen
from .law_text import read_parameter, read_weight, with_vectors
from .outline import ConnectionOutline, LayerOutline, Outline

IDENTITY = "identity"  # what an activation is where none is written
_WEIGHT = sp.Symbol("w")
# Keys that name what an activation may use, or remove it where they are wrong.
_NAMING = frozenset({"parameters", "connections", "from", "into", "kind"})
_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def read_layer(layer: LayerOutline, outline: Outline) -> Layer:
    """One layer with everything in it. Raises its first fault, with the others that do not depend on it."""
    values, faults = layer.values, Faults()
    tried = faults.tried_in_doubt if outline.in_doubt(layer.name) else faults.tried
    bias = tried(read_parameter, values[BIAS], BIAS, layer, outline) if BIAS in values else None
    laws = {name: value for name, value in values.get("parameters", {}).items() if name in layer.parameters}
    parameters = [(name, tried(read_parameter, value, name, layer, outline)) for name, value in laws.items()]
    connections = [faults.tried(_connection, each, layer, outline) for each in layer.connections]
    activation = tried(_activation, layer, outline)
    faults.raise_any()
    return Layer(
        name=layer.name,
        connections=tuple(each for each in connections if each is not None),
        activation=activation,
        bias=bias,
        parameters=tuple((name, each) for name, each in parameters if each is not None),
        neurons=values.get("neurons"),
        width=float(values.get("width", 1.0)),
        size=values.get("size"),
        steps=layer.steps,
        table=layer.place.table,
        written=" ".join(values.get("activation", MAIN).split()),
    )


def read_output(output: LayerOutline, outline: Outline) -> Output:
    """The output with everything in it. Raises as :func:`read_layer`."""
    values, faults = output.values, Faults()
    connections = [faults.tried(_connection, each, output, outline) for each in output.connections]
    bias = faults.tried(read_parameter, values[BIAS], BIAS, output, outline) if BIAS in values else None
    faults.raise_any()
    return Output(
        connections=tuple(each for each in connections if each is not None),
        outputs=values.get("outputs"),
        bias=bias,
    )


def _activation(layer: LayerOutline, outline: Outline) -> sp.Expr:
    """The activation: h or f(h), with the bias added, or an expression."""
    place, values = layer.place, layer.values
    text = values.get("activation", IDENTITY).strip()
    plain = frozenset({*layer.preactivations, *layer.parameters})
    names_known = not layer.doubts & _NAMING
    is_identity = text == IDENTITY and IDENTITY not in plain
    if is_identity or text in PUBLIC_FUNCTIONS:
        if MAIN not in layer.preactivations and names_known:
            raise place.error(
                f"the activation acts on h, but every connection goes into another pre-activation "
                f"({', '.join(layer.preactivations)})",
                key="activation",
                remedy="Leave out 'into' in one of them, or write the activation as an expression",
            )
        argument = sp.Symbol(MAIN) + (sp.Symbol(BIAS) if BIAS in values else 0)
        expression = argument if is_identity else _function(text, argument, place)
    else:
        if _WORD.fullmatch(text) and text not in plain and names_known:
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
    if "activation" not in layer.doubts and names_known:
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


def _activation_names(layer: LayerOutline, plain: frozenset[str], outline: Outline) -> Names:
    unavailable = {
        "w": "weights belong to the operation of a connection",
        "u": "the activation acts on h; u is for the operation of a connection",
        "source": "the ends of a connection are for its operation",
        "target": "the layer's own parameters are written without 'target.'",
        BIAS: 'declare it: parameters.b = "0"',
    }
    unavailable |= {"data": BATCH_REASON} if "data" not in plain else {}
    axes = {"positions"}
    if layer.steps:
        axes.add(STEPS)
    else:
        unavailable[STEPS] = "the layer has no steps; give it the key steps = T"
    if outline.is_finite(layer.name):
        unavailable[NEURONS] = "the layer is finite, and averages over neurons are for populations"
    else:
        axes |= {NEURONS, BATCH}
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
    place, values, kind, faults = connection.place, connection.values, connection.kind, Faults()
    in_doubt = outline.in_doubt(layer.name, connection.source)
    tried = faults.tried_in_doubt if in_doubt else faults.tried
    weight = tried(read_weight, connection, layer, outline)
    is_sure = not (in_doubt or faults.found)
    own = {key: frozen(value) for key, value in values.items() if key in kind.keys}
    average = tuple(values.get("average", ()))
    faults.tried(_check_average, average, connection, outline if is_sure else None)
    operation = tried(_operation, connection, weight, layer, outline, is_sure)
    prepared = None if connection.doubts & kind.keys.keys() else faults.tried(kind.prepare, own, place)
    faults.raise_any()
    return Connection(
        source=connection.source,
        kind=kind.name,
        operation=operation[0] if operation else None,
        weight=weight,
        into=connection.into,
        options=tuple((key, frozen(value)) for key, value in (prepared or {}).items()),
        average=average,
        delay=connection.delay,
        reads=connection.reads,
        is_usual=bool(operation and operation[1]),
        table=place.table,
    )


def _check_average(average: tuple[str, ...], connection: ConnectionOutline, outline: Outline | None) -> None:
    """Axes are named once, and inputs only where there are some; ``outline``: None where that is in doubt."""
    place = connection.place
    if len(set(average)) < len(average):
        raise place.error("an axis is named twice", key="average", remedy="Name each axis once")
    if outline and "inputs" in average and not outline.is_finite(connection.source):
        raise place.error(
            f"'inputs' are those of x or of a finite layer, but '{connection.source}' is a population, over "
            "which every sum is divided already",
            key="average",
            remedy="Remove 'inputs'",
        )


def _operation(
    connection: ConnectionOutline,
    weight: WeightSpec | None,
    layer: LayerOutline,
    outline: Outline,
    is_sure: bool,
) -> tuple[sp.Expr, bool]:
    """The pointwise operation sigma* of a connection, and whether it is the usual one of its kind.

    Where it is not ``is_sure`` that the weight is known, nothing is said of its use.
    """
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
    if is_sure and used and weight is None:
        raise place.error(
            f"the operation {quoted(text)} needs a weight, but the key 'weight' is missing",
            key="weight",
            remedy='Give its law, for instance weight = "normal(1, 0.1)"',
        )
    if is_sure and weight is not None and not used:
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
