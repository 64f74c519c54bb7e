"""What is known of an activation: the order of its arguments, and whether it is one function of their sum."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from ..algebra.functions import ClosedFunction
from ..algebra.system import ForwardSystem
from ..algebra.terms import Affine, Equation, Role, Term
from ..analysis.affinity import entangled


@dataclass(frozen=True)
class Shape:
    """What is known of an activation: the order of its arguments, and whether it is ``f(sum of them)``."""

    equation: Equation
    symbols: tuple[sp.Symbol, ...]
    function: str | None

    @property
    def term(self) -> Term:
        """The one pointwise term that defines the activation."""
        return self.equation.terms[0]

    @property
    def argument(self) -> sp.Expr:
        """The single argument of a unary activation."""
        return self.term.expression.args[0]


def shape_of(system: ForwardSystem, equation: Equation) -> Shape | None:
    """The shape of a pointwise field; None where it is written out: an identity with a shift."""
    term = equation.terms[0]
    expression = term.expression
    order = {Role.PARAMETER: 0, Role.FORWARD: 2}
    position = {name: k for k, name in enumerate(p.name for p in system.parameters)}
    symbols = tuple(
        s
        for s, a in sorted(
            term.accesses,
            key=lambda pair: (
                order.get(system.field[pair[1].field].role, 1),
                position.get(pair[1].field, 0),
            ),
        )
    )
    affine = not entangled(sp.expand(expression), set(symbols))
    if affine and not expression.has(ClosedFunction) and not _windowed(system, equation.field):
        return None  # the identity with a shift is written out
    if isinstance(expression, ClosedFunction) and len(expression.args) == 1:
        inner = expression.args[0]
        if sp.Add(*symbols) == inner:
            return Shape(equation, symbols, type(expression).__name__)
    return Shape(equation, symbols, None)


def _windowed(system: ForwardSystem, name: str) -> bool:
    """Whether a field is read through affine slots: outside it counts as 0, its shift included."""
    return any(
        access.field == name and any(isinstance(slot, Affine) and slot.parts for slot in access.slots)
        for equation in system.forward
        for term in equation.terms
        for _, access in term.accesses
    )
