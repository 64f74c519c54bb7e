"""The scales of a random network: variances of weights and biases, and the moments of other parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import sympy as sp

from ..algebra.law_kinds import Standard
from ..algebra.laws import Law, LawKind
from ..algebra.system import ForwardSystem
from ..errors import SpecError, nearest
from ..network.network import Network
from .kernel_system import SIGMA_B2, SIGMA_W2
from .random_fields import UnderivableError

ALL = ""  # stands for every parameter without a value of its own


@dataclass
class Scales:
    """Symbols of variances by parameter. Parameters that ``own`` names have one of their own, one for each
    value.

    ``values`` are the numbers of these symbols. ``biases`` are parameters that are added to fields; the
    others keep the laws of the spec.
    """

    system: ForwardSystem
    biases: frozenset[str]
    own: Mapping[str, sp.Symbol] = field(default_factory=dict)
    values: Mapping[sp.Symbol, float] = field(default_factory=dict)
    used: dict[sp.Symbol, None] = field(default_factory=dict)

    @classmethod
    def of(cls, system: ForwardSystem, biases: frozenset[str], network: Network) -> Scales:
        """The scales that the table [signal] of a spec gives to single parameters.

        Parameters of equal value share a symbol, so that the copies of a block have equal equations. Raises
        SpecError for a name that is no parameter, or none of this kind.
        """
        own: dict[str, sp.Symbol] = {}
        values: dict[sp.Symbol, float] = {}
        for key, pairs in network.signal:
            known: dict[float, sp.Symbol] = {}
            allowed = [p.name for p in system.parameters if (p.name in biases) == (key == SIGMA_B2.name)]
            for name, value in pairs:
                if name == ALL:
                    continue
                if name not in allowed:
                    raise SpecError(
                        f"there is no parameter '{name}' that {key} is the variance of. "
                        f"{nearest(name, allowed)}",
                        file=network.where,
                        table="signal",
                        key=key,
                    )
                symbol = known.setdefault(value, sp.Symbol(f"{key} of {name}"))
                own[name] = symbol
                values[symbol] = value
        return cls(system, biases, own, values)

    def weight(self, name: str) -> sp.Expr:
        """The variance of a weight, times its fan-in."""
        return self._use(self.own.get(name, SIGMA_W2))

    def bias(self, name: str) -> sp.Expr:
        """The variance of a bias."""
        return self._use(self.own.get(name, SIGMA_B2))

    def _use(self, symbol: sp.Symbol) -> sp.Symbol:
        self.used[symbol] = None
        return symbol

    def mean(self, name: str) -> sp.Expr:
        """The mean of a parameter of neurons."""
        return sp.Integer(0) if name in self.biases else self.moment(name, 1)

    def second(self, name: str) -> sp.Expr:
        """The second moment of a parameter of neurons."""
        return self.bias(name) if name in self.biases else self.moment(name, 2)

    def moment(self, name: str, order: int) -> sp.Expr:
        """E[parameter^order], of orders 1 and 2 from mean and deviation. Raises UnderivableError for
        others."""
        if name in self.biases:
            return sp.Integer(0) if order % 2 else sp.factorial2(order - 1) * self.bias(name) ** (order // 2)
        law = self.system.variable[name].law
        if law.references or law.row.is_vector:
            return self._unknown(name, order)
        return law_moment(law, order)

    def deviation2(self, name: str) -> sp.Expr:
        """The variance of a parameter of neurons."""
        return self.second(name) - self.mean(name) ** 2

    def _unknown(self, name: str, order: int) -> sp.Expr:
        raise UnderivableError(
            f"the moment of order {order} of '{name}' is needed, and its law "
            f"{self.system.variable[name].law.text} "
            "gives none of one neuron alone. Needed is a law without references to other parameters"
        )


# Nodes of Gauss rules on a law's standard variable: exact for powers of what is linear in it.
_NODES = 32


def law_moment(law: Law, order: int) -> sp.Expr:
    """E[entry^order] of a law of one number, by the Gauss rule of its standard variable."""
    row = law.row
    if law.is_deterministic or order == 1:
        return sp.sympify(law.mean) ** order
    if law.kind == LawKind.NORMAL and order == 2:
        return law.arguments[0] ** 2 + law.arguments[1] ** 2
    arguments = tuple(np.asarray(float(a)) for a in law.arguments)
    if row.standard in (Standard.NORMAL, Standard.HALVES):
        nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        weights = weights / weights.sum()
    else:
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        nodes, weights = (nodes + 1) / 2, weights / 2
    if row.transform is None:
        raise UnderivableError(f"the moments of the law {law.text} are not known; use a normal law")
    return sp.Float(float(np.sum(weights * row.transform(arguments, nodes) ** order)), 17)
