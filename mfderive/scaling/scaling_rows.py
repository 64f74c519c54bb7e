"""What the scalings of a network are made of, before anything is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ..algebra.findings import Finding
from .parameter_scaling import ParameterScaling
from .regimes import Regime
from .rule_degrees import RuleDegree
from .width_conventions import Convention
from .width_product import WidthProduct


@dataclass(frozen=True, eq=False, repr=False)
class ScalingRows:
    """The factors of all parameters of a network.

    ``rows``: one :class:`ParameterScaling` for each parameter. ``sums``: sums over populations in which no
    parameter stands that could carry their factor, (field, factor): these are divided in every convention.
    ``regime``: the one that the network is in. ``refused``: (convention, finding) for conventions that have
    no factors here, and why. ``rules``: (name, degree) of the learning rules that the columns are for.
    ``plain``: whether every factor stands in the parameters, as far as one may.
    """

    title: str
    rows: tuple[ParameterScaling, ...]
    sums: tuple[tuple[str, WidthProduct], ...]
    regime: Regime
    refused: tuple[tuple[Convention, Finding], ...]
    rules: tuple[tuple[str, RuleDegree], ...]
    plain: bool = False

    @cached_property
    def row(self) -> Mapping[str, ParameterScaling]:
        """The rows by the parameter's name."""
        return {row.name: row for row in self.rows}
