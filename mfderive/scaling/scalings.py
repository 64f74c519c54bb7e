"""Scalings: for every parameter of a network its factors in three conventions, with their reasons."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..algebra.arguments import NETWORK, flag, instance
from ..algebra.showing import Shown, names, words
from ..algebra.system import LimitSystem
from ..algebra.update_rules import RULES
from ..limit.derive import derive
from ..network.network import Network
from ..reduction.reduce import reduce
from .factor_reasons import reasons
from .parameter_readings import bare_sums
from .parameter_scaling import ParameterScaling, parameter_scalings
from .regimes import regime
from .rule_degrees import RuleDegree, rule_degree
from .scaling_rows import ScalingRows
from .scaling_tables import latex, markdown, scalings_data, text
from .width_product import WidthProduct


@dataclass(frozen=True, eq=False, repr=False)
class Scalings(ScalingRows, Shown):
    """The factors of all parameters of a network, what they rest on, and ways to write them down."""

    @property
    def text(self) -> str:
        """Regime, table and reasons as plain text."""
        return text(self)

    @property
    def markdown(self) -> str:
        """Regime, tables and reasons as Markdown."""
        return markdown(self)

    @property
    def latex(self) -> str:
        """Regime, a tabular for each convention and reasons as LaTeX (packages amsmath and booktabs)."""
        return latex(self)

    @property
    def data(self) -> dict[str, Any]:
        """Everything as plain data, what JSON can hold."""
        return scalings_data(self)

    def to_json(self) -> str:
        """Everything as JSON text."""
        return json.dumps(self.data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def __str__(self) -> str:
        return self.text

    def _summary(self) -> Iterator[str]:
        yield f"Scalings of '{words(self.title)}': {self.regime.kind}"
        yield f"  parameters: {names(row.name for row in self.rows)}"
        yield f"  learning rules: {names(name for name, _ in self.rules)}"
        yield "  print(...) writes factors and reasons; .row['h2.weight'] is one of them"


def scalings(network: Network, *, plain: bool = False) -> Scalings:
    """The factors of every parameter of a network: forward, deviation, learning rates, decay.

    Three conventions side by side: mean field (this program's: sums divided by the width, entries of order
    1), muP and standard/NTK. A factor is a product of powers of the populations' widths, and multiplies the
    number that a spec or a configuration has: 0.01 with factor n_h1 is a rate of 0.01 n_h1 for the plain
    gradient of the mean loss. Rates are for every learning rule of the table, registered ones too (theory
    A.5; Yang et al., Tensor Programs V, Tables 3 and 8; Hajjar, Chizat and Giraud 2021).

    ``plain``: every factor in the parameters and none in front of sums, for code whose layers are plain sums;
    otherwise each convention has its customary form (mean field: in front of the sum; muP: in the parameter;
    NTK: 1/sqrt(n) in front, entries of order 1).

    Nothing is trained or generated. Raises ArgumentError for anything that is not a network, SpecError where
    sizes are not known.
    """
    instance(network, Network, "a network", NETWORK)
    flag("plain", plain)
    limit = derive(network)
    found = scalings_of(limit, reduce(limit).system, {name: rule_degree(row) for name, row in RULES.items()})
    if not plain:
        return found
    return replace(found, plain=True, rows=tuple(_with_reasons(row.plain) for row in found.rows))


def scalings_of(limit: LimitSystem, reduced: LimitSystem, rules: Mapping[str, RuleDegree]) -> Scalings:
    """The scalings of a limit; ``reduced`` is its reduction, ``rules`` the degrees of learning rules."""
    rows, refused = parameter_scalings(limit, rules)
    return Scalings(
        limit.title,
        tuple(map(_with_reasons, rows)),
        tuple((field, WidthProduct.of(populations, -1)) for field, populations in bare_sums(limit)),
        regime(limit, reduced, tuple(refused)),
        tuple(refused.items()),
        tuple(rules.items()),
    )


def _with_reasons(row: ParameterScaling) -> ParameterScaling:
    return replace(row, reasons=reasons(row))
