"""Why each factor is what it is, as findings: what the equations show of a parameter."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from fractions import Fraction

from ..algebra.findings import Finding
from .factors import Factors
from .parameter_readings import ParameterReading
from .parameter_scaling import ParameterScaling
from .rule_degrees import RuleDegree
from .width_conventions import Convention
from .width_product import ONE, WidthProduct


class Reason(StrEnum):
    """The kinds of reasons. Subjects: the parameter; facts: listed with each kind."""

    PART = "part"  # parts, layers: what the parameter does, where
    SUM = "sum"  # populations, layer, factor, moved (what stands in the parameter, "")
    STAYS = "stays"  # populations, layer, factor, linear: no factor of this sum can stand in a parameter
    CARRIED = "carried"  # populations, layer, carrier: another parameter has the factor of this sum
    NO_SUM = "no-sum"  # nothing to divide
    ORDER_ONE = "order-one"  # deviation: mean field
    CANCELS = "cancels"  # forward, backward: populations; size; both (muP) or the forward sum alone
    BOUND = "bound"  # forward: populations; a backward pass without a sum
    SHARE = "share"  # entries, speed, gradient: the size of the gradient of an entry
    LINEAR = "linear"  # rules, rate, change: rules whose update is proportional to the gradient
    POWER = "power"  # rules, power, rate, change: rules whose update goes like another power of it
    CONSTANT = "constant"  # rules, constant, factor
    COUPLED = "coupled"  # rules, factor
    DECOUPLED = "decoupled"  # rules, factor
    UNEVEN = "uneven"  # rules: their update follows no power of the gradient
    FROZEN = "frozen"  # the parameter is not trained
    UNREAD = "unread"  # the loss does not depend on it


def reasons(row: ParameterScaling) -> tuple[Finding, ...]:
    """The reasons of all factors of a row; those of a convention say so by the fact ``convention``."""
    return tuple(_reasons(row))


def _reasons(row: ParameterScaling) -> Iterator[Finding]:
    layers = tuple(dict.fromkeys(reading.layer for reading in row.readings))
    parts = tuple(part.value for part in row.parts)
    yield Finding.of(
        Reason.PART, row.name, parts=parts, infinite=row.infinite, layers=layers, entries=row.multiplier.text
    )
    own = dict(row.own)
    for convention, shown in row.shown:
        plain = own[convention]
        if shown is None or plain is None:
            continue
        for finding in (
            *_forward(row, shown),
            _start(row, convention, plain, shown),
            *_training(row, plain, shown),
        ):
            yield Finding(
                finding.kind, finding.subjects, (("convention", convention.value), *finding.evidence)
            )


def _forward(row: ParameterScaling, shown: Factors) -> Iterator[Finding]:
    """Why a sum that reads the parameter has its factor."""
    told = set()
    for reading, factor in zip(row.readings, shown.forward, strict=True):
        key = (reading.averaged, reading.carrier, reading.own, factor)
        if key not in told:
            told.add(key)
            yield _factor_of(row, reading, factor)


def _factor_of(row: ParameterScaling, reading: ParameterReading, factor: WidthProduct) -> Finding:
    """Why the sum of one reading has its factor."""
    place = {"populations": reading.averaged, "layer": reading.layer, "factor": factor.text}
    if reading.carrier:
        return Finding.of(Reason.CARRIED, row.name, **place, carrier=reading.carrier)
    if not reading.averaged:
        return Finding.of(Reason.NO_SUM, row.name, layer=reading.layer, factor=factor.text)
    if not reading.own:
        return Finding.of(Reason.STAYS, row.name, **place, linear=reading.linear)
    moved = reading.factor / factor
    return Finding.of(Reason.SUM, row.name, **place, moved="" if moved == ONE else moved.text)


def _start(row: ParameterScaling, convention: Convention, own: Factors, shown: Factors) -> Finding:
    """Why the entries start as large as they do."""
    found = shown.deviation.text
    if convention is Convention.MEAN_FIELD:
        return Finding.of(Reason.ORDER_ONE, row.name, size=own.deviation.text, shown=found)
    summed = [reading for reading in row.readings if reading.own and reading.cancelling]
    if own.deviation.degree > 0:
        first = next(r for r in summed if WidthProduct.of(r.cancelling) == own.deviation**2 or r)
        return Finding.of(
            Reason.CANCELS,
            row.name,
            forward=first.cancelling,
            backward=_backward(first) if convention is Convention.MUP else (),
            size=own.deviation.text,
            shown=found,
        )
    if summed and convention is Convention.MUP:
        return Finding.of(
            Reason.BOUND, row.name, forward=summed[0].cancelling, layer=summed[0].layer, shown=found
        )
    return Finding.of(Reason.ORDER_ONE, row.name, size=own.deviation.text, shown=found)


def _backward(reading: ParameterReading) -> tuple[str, ...]:
    return tuple(dict.fromkeys(axis for populations in reading.backward for axis in populations))


def _training(row: ParameterScaling, own: Factors, shown: Factors) -> Iterator[Finding]:
    """Why rates, constants and decays have their factors."""
    if own.gradient is None or own.change is None or shown.gradient is None:
        yield Finding.of(Reason.FROZEN if row.frozen else Reason.UNREAD, row.name)
        return
    yield Finding.of(
        Reason.SHARE,
        row.name,
        entries=row.multiplier.text,
        infinite=row.infinite,
        speed=(own.change**-1).text,
        gradient=shown.gradient.text,
        moved=(shown.deviation / own.deviation).text,
    )
    change = own.change * shown.deviation / own.deviation
    for names, power in _groups(shown):
        rule = shown.rule[names[0]]
        if rule.rate is None or rule.coupled is None or rule.decoupled is None or power is None:
            yield Finding.of(Reason.UNEVEN, row.name, rules=names)
            continue
        kind = Reason.LINEAR if power == 1 else Reason.POWER
        yield Finding.of(
            kind,
            row.name,
            rules=names,
            power=str(power),
            rate=rule.rate.text,
            change=change.text,
            lazy=own.change.degree < 0,
        )
        for constant, factor in rule.constants:
            yield Finding.of(
                Reason.CONSTANT,
                row.name,
                rules=names,
                constant=constant,
                factor=factor.text,
                gradient=shown.gradient.text,
            )
        yield Finding.of(Reason.COUPLED, row.name, rules=names, factor=rule.coupled.text, linear=power == 1)
        yield Finding.of(Reason.DECOUPLED, row.name, rules=names, factor=rule.decoupled.text)


def _groups(shown: Factors) -> list[tuple[tuple[str, ...], Fraction | None]]:
    """Rules that have the same factors because their updates have the same degree."""
    found: dict[RuleDegree, list[str]] = {}
    for name, degree in shown.degrees:
        found.setdefault(degree, []).append(name)
    return [(tuple(names), degree.update) for degree, names in found.items()]
