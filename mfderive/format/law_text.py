"""Laws of initial values, rates, and the tables that hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sympy as sp

from ..algebra.law_kinds import LAWS, LawKind, LawRow
from ..algebra.parser import Names, constant_value, parse_call
from ..errors import SpecError, quoted, shown
from ..errors.gathering import Faults
from ..network.learning_rates import number_at_time
from ..network.names import BIAS, INPUT, OUTPUT, WEIGHT
from ..network.network import LawSpec, ParameterSpec, WeightSpec
from ..network.place import Place
from ..network.tables import PARAMETER
from .outline import ConnectionOutline, LayerOutline, Outline
from .training_table import is_schedule, read_schedule, refuse_word

# Names of laws in a spec with those of their arguments; anything else is an expression: a constant.
WRITTEN = {name: row.arguments for name, row in LAWS.items() if row.is_written}
_WORDS = {"deviation": "standard deviation"}
_TIME = Names(plain=frozenset({"t"}))


def read_law(text: str, place: Place, key: str, names: Names) -> LawSpec:
    """A law as written: one of the table, or an expression (a constant given its two ends)."""
    try:
        head, arguments = parse_call(text, WRITTEN, names)
        kind = LAWS[head].name if head else LawKind.CONSTANT
        _check_arguments(LAWS[kind], arguments, text)
    except SpecError as error:
        raise place.locate(error, key) from None
    return LawSpec(kind, arguments, " ".join(text.split()))


def _check_arguments(row: LawRow, arguments: tuple[sp.Expr, ...], text: str) -> None:
    values = [constant_value(argument) for argument in arguments]
    for value in values:
        if value is not None and not math.isfinite(value):
            raise SpecError(f"{quoted(text)} contains a constant that is not a finite number")
    how = f"{row.name}({', '.join(row.arguments)})"
    for name, value in zip(row.arguments, values, strict=True):
        if name in row.not_negative and value is not None and value < 0:
            raise SpecError(
                f"the {_WORDS.get(name, name)} in {quoted(text)} is negative ({value:g})",
                remedy=f"Give a {name} of at least 0: {how}",
            )
    low_end, high_end = values[0], values[-1]
    if row.ordered and low_end is not None and high_end is not None and low_end > high_end:
        low, high = row.arguments
        raise SpecError(
            f"{quoted(text)} has a {low} end above its {high} end", remedy=f"Write {how} with {low} <= {high}"
        )


def read_rate(values: Mapping[str, Any], place: Place, key: str, outline: Outline) -> sp.Expr:
    """The rate, an expression in t; 1 where nothing is written.

    A schedule of the table follows the time of the training (:func:`number_at_time`).
    """
    rate = values.get("rate", 1)
    training = outline.training
    if is_schedule(rate):
        if training is None:  # it could not be read itself, so that its time is open
            return sp.Integer(1)
        try:
            number = number_at_time(training)
        except SpecError as error:
            raise error.located(file=place.file) from None
        return read_schedule(rate, training.steps, number, place, key)
    if isinstance(rate, str):
        refuse_word(rate, place, key, "the time t")
    expression = place.expression(rate if isinstance(rate, str) else repr(rate), key, _TIME)
    value = constant_value(expression.subs(sp.Symbol("t"), 0))
    if value is not None and not math.isfinite(value):
        raise place.error(f"the rate {rate} is {value} at t = 0", key=key, remedy="It must be finite")
    if value is not None and value < 0:
        raise place.error(
            f"the rate {rate} is {value:g} at t = 0, which would climb the loss",
            key=key,
            remedy="It must be at least 0; 0 freezes",
        )
    return expression


def read_parameter(value: Any, attribute: str, layer: LayerOutline, outline: Outline) -> ParameterSpec:
    """A bias or a per-neuron parameter: a law, or a table with law and rate."""
    place, faults = layer.place, Faults()
    key = attribute if attribute == BIAS else f"parameters.{attribute}"
    if isinstance(value, Mapping):
        place.inside(key, key).check(value, PARAMETER)
        where, law, rate = (
            f"{key}.law",
            value["law"],
            faults.tried(read_rate, value, place, f"{key}.rate", outline),
        )
    elif isinstance(value, str) and value.strip():
        where, law, rate = key, value, sp.Integer(1)
    else:
        remedy = f'Give a law, for instance {attribute} = "0"'
        if isinstance(value, int | float) and not isinstance(value, bool):
            remedy = f'Write it in quotes: {attribute} = "{shown(value)}"'
        raise place.error(f"found {shown(value)}, but a law is a string or a table", key=key, remedy=remedy)
    names = _law_names(layer, None, outline, {attribute})
    with faults:
        read = read_law(law, place, where, names)
    return ParameterSpec(read, rate)


def read_weight(connection: ConnectionOutline, layer: LayerOutline, outline: Outline) -> WeightSpec | None:
    """The weight of a connection, or None. Whether a name is mentioned first is checked later."""
    place = connection.place
    value = connection.values.get("weight")
    if value is None:
        return None
    table: Mapping[str, Any] = {"law": value} if isinstance(value, str) else value
    name, transpose = table.get("name"), table.get("transpose", False)
    if "law" not in table:
        if name is None:
            raise place.error(
                "the weight has neither law nor name",
                key="weight",
                remedy='Give it a law, for instance { law = "normal(0, 1)" }',
            )
        if "rate" in table:
            raise place.error(
                f"'rate' belongs to the first mention of the weight {quoted(name)}",
                key="weight.rate",
                remedy="Write it there, and only the name here",
            )
        return WeightSpec(None, name=name, transpose=transpose)
    if transpose:
        raise place.error(
            "'transpose' stands beside a law",
            key="weight.transpose",
            remedy="The first mention of a name gives its law; later ones may be transposed",
        )
    own = {name} if name is not None else set()
    names = _law_names(layer, connection, outline, own)
    faults = Faults()
    law = faults.tried(_weight_law, table["law"], names, connection, layer, outline)
    with faults:
        rate = read_rate(table, place, "weight.rate", outline)
    return WeightSpec(law, rate, name)


def _weight_law(
    text: str, names: Names, connection: ConnectionOutline, layer: LayerOutline, outline: Outline
) -> LawSpec:
    key = "weight" if isinstance(connection.values["weight"], str) else "weight.law"
    law = read_law(text, connection.place, key, names)
    if outline.in_doubt(layer.name, connection.source):
        return law
    target_finite = layer.name == OUTPUT or outline.is_finite(layer.name)
    if LAWS[law.kind].is_vector and not target_finite and not outline.is_finite(connection.source):
        raise connection.place.error(
            f"{quoted(law.text)} for a weight between two populations: no neuron has a finite vector of them",
            key=key,
            remedy="Use normal, uniform or rademacher",
        )
    return law


def _law_names(
    layer: LayerOutline, connection: ConnectionOutline | None, outline: Outline, own: set[str]
) -> Names:
    """What the law of a parameter may name: initial values at its ends, d and fan_in."""
    plain, unavailable = {"d"}, {}
    if connection is not None and connection is _only_label(layer, outline):
        own = own | {WEIGHT}
    target = outline.attributes(layer.name) - own
    for name in own:
        unavailable[f"target.{name}"] = "a law does not name the values that it is the law of"
    dotted = {"target": target}
    if connection is None:
        unavailable["source"] = "a parameter of one neuron has no source"
        unavailable["fan_in"] = "only weights have a fan_in"
    elif connection.source == INPUT:
        unavailable["source"] = "the source is x, which has no parameters"
        plain.add("fan_in")
    else:
        dotted["source"] = outline.attributes(connection.source)
        if outline.is_finite(connection.source):
            plain.add("fan_in")
        else:
            unavailable["fan_in"] = (
                f"the source {quoted(connection.source)} is a population whose width grows without bound"
            )
    for word in ("w", "u", "h", "x"):
        unavailable[word] = "a law speaks of initial values only (numbers, d, fan_in, source.X, target.X)"
    names = Names(plain=frozenset(plain), dotted=dotted, unavailable=unavailable)
    return with_vectors(names, layer, connection, outline)


def with_vectors(
    names: Names, layer: LayerOutline, connection: ConnectionOutline | None, outline: Outline
) -> Names:
    """The names, with the weights among the dotted ones marked as vectors."""
    vectors = {f"target.{name}" for name in outline.weight_attributes(layer.name)}
    if connection is not None:
        vectors |= {f"source.{name}" for name in outline.weight_attributes(connection.source)}
    return replace(names, vectors=frozenset(vectors))


def _only_label(layer: LayerOutline, outline: Outline) -> ConnectionOutline | None:
    """The connection whose weight is ``target.w``, if there is just one."""
    found = [c for c in layer.connections if "weight" in c.values and outline.is_finite(c.source)]
    return found[0] if len(found) == 1 else None
