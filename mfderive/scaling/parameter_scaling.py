"""The row of one parameter: its axes, what it does, its factors in every convention, the reasons of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from ..algebra.findings import Finding
from ..algebra.system import LimitSystem
from .factors import Factors, factors
from .field_sizes import GrowsError, field_sizes
from .parameter_readings import ParameterReading, Part, parameter_readings
from .rule_degrees import RuleDegree
from .width_conventions import Convention, agreed, customary, deviation, movable
from .width_product import WidthProduct


class Refusal(StrEnum):
    """Why a convention has no factors for a network."""

    TORN = "torn"  # tied weights whose readings ask for different factors
    GROWS = "grows"  # a function that is not linear would be given values that grow: ``what``


# Factors by convention; None where a convention has none.
ByConvention = tuple[tuple[Convention, Factors | None], ...]


@dataclass(frozen=True)
class ParameterScaling:
    """Everything that widths have to do with one parameter.

    ``infinite``: the populations that index it. ``parts``: what it does, several for a tied weight. ``law``:
    its law at the start as the spec has it. ``multiplier``: the derived factor of its gradient (theory A.5).
    ``own``: its factors by convention, all of them standing in the forward pass; ``shown`` the same in the
    form that is asked for. ``reasons``: findings, of which sentences are made.
    """

    name: str
    infinite: tuple[str, ...]
    parts: tuple[Part, ...]
    frozen: bool
    law: str
    multiplier: WidthProduct
    readings: tuple[ParameterReading, ...]
    own: ByConvention
    shown: ByConvention
    reasons: tuple[Finding, ...] = ()

    @cached_property
    def factors(self) -> Mapping[Convention, Factors | None]:
        """The factors in the form that was asked for, by convention."""
        return dict(self.shown)

    @property
    def plain(self) -> ParameterScaling:
        """The row with every factor in the parameter itself, as far as one may stand there."""
        factor = movable(self.readings)
        moved = tuple((convention, each and each.moved(factor)) for convention, each in self.own)
        return replace(self, shown=moved)


def parameter_scalings(
    system: LimitSystem, rules: Mapping[str, RuleDegree]
) -> tuple[tuple[ParameterScaling, ...], Mapping[Convention, Finding]]:
    """The rows of all parameters without their reasons, and why a convention has no factors here.

    ``rules``: the degrees of the learning rules that are asked for, by their names.
    """
    readings = parameter_readings(system)
    speeds: dict[Convention, dict[str, WidthProduct | None]] = {}
    refused: dict[Convention, Finding] = {}
    for convention in Convention:
        torn = [name for name, read in readings.items() if not agreed(convention, read)]
        if torn:
            refused[convention] = Finding.of(Refusal.TORN, *torn)
            continue
        try:
            speeds[convention] = _speeds(system, convention)
        except GrowsError as problem:
            refused[convention] = Finding.of(Refusal.GROWS, what=str(problem))
    rows = []
    for parameter in system.parameters:
        own = tuple(
            (convention, _factors(system, parameter.name, convention, speeds.get(convention), rules))
            for convention in Convention
        )
        found = readings[parameter.name]
        shown = tuple((c, each and each.moved(customary(c, found))) for c, each in own)
        infinite = system.scalings[parameter.name]
        parts = tuple(dict.fromkeys(reading.part for reading in found))
        rows.append(
            ParameterScaling(
                parameter.name,
                infinite,
                parts or (Part.FINITE if not infinite else Part.BIAS,),
                parameter.is_frozen,
                parameter.law.text,
                WidthProduct.of(infinite),
                found,
                own,
                shown,
            )
        )
    return tuple(rows), refused


def _speeds(system: LimitSystem, convention: Convention) -> dict[str, WidthProduct | None]:
    """The size of every parameter's evolution G in a convention; None of those that do not move."""
    readings = parameter_readings(system)
    sizes = field_sizes(system, {name: deviation(convention, read) for name, read in readings.items()})
    found: dict[str, WidthProduct | None] = {}
    for parameter in system.parameters:
        velocity = system.velocity_of.get(parameter.name)
        moves = velocity is not None and bool(system.equation_of[velocity].terms)
        found[parameter.name] = sizes[velocity].widths if moves and velocity is not None else None
    return found


def _factors(
    system: LimitSystem,
    name: str,
    convention: Convention,
    speeds: Mapping[str, WidthProduct | None] | None,
    rules: Mapping[str, RuleDegree],
) -> Factors | None:
    if speeds is None:
        return None
    readings = parameter_readings(system)[name]
    return factors(
        (reading.factor for reading in readings),
        deviation(convention, readings),
        WidthProduct.of(system.scalings[name]),
        speeds[name],
        rules.items(),
    )
