"""What a learning rule makes of a gradient that is c times as large: its update is c^p times as large.

SGD and momentum have p = 1, Adam p = 0. It is found in the lines of the rule, so that a rule of a person's
own has its factors, too. Constants that are added to what grows with the gradient grow with it, such as
Adam's epsilon.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from ..algebra.memo import once
from ..algebra.update_rules import ALPHA, GRADIENT, NOW, STEP, THETA, XI, UpdateRule
from ..algebra.visitor import Fold
from ..errors import MfError

# The degree of an expression in the size of the gradient; None: a number that takes any.
Degree = Fraction | None


@dataclass(frozen=True)
class RuleDegree:
    """``update``: the degree p of a rule's update in the size of the gradient; None: it has none.

    ``constants``: (name, degree) of the constants that must follow the size of the gradient.
    """

    update: Fraction | None
    constants: tuple[tuple[str, Fraction], ...] = ()


class UnevenError(MfError):
    """The parts of a sum grow differently with the gradient, and none of them is a constant of the rule."""


class _Degrees(Fold[Degree]):
    """The degree of one line of a rule; ``bound`` collects constants that a sum ties to a degree.

    ``waiting``: memories of which nothing is known yet; they take the degree of what they are added to.
    """

    def __init__(
        self,
        known: dict[sp.Expr, Degree],
        constants: frozenset[sp.Symbol],
        waiting: frozenset[sp.Symbol],
    ) -> None:
        super().__init__(known)
        self.constants, self.waiting = constants, waiting
        self.bound: dict[str, Fraction] = {}

    def number(self, node: sp.Expr) -> Degree:
        return None

    def add(self, node: sp.Expr, parts: list[Degree]) -> Degree:
        degrees = {part for part in parts if part is not None}
        if len(degrees) > 1:
            raise UnevenError(f"'{node}'")
        if not degrees:
            return None
        (degree,) = degrees
        for argument, part in zip(node.args, parts, strict=True):
            if part is None and degree:
                self._tie(argument, degree)
        return degree

    def _tie(self, argument: sp.Expr, degree: Fraction) -> None:
        factors = sp.Mul.make_args(argument)
        if any(factor in self.waiting for factor in factors):
            return
        named = [factor for factor in factors if factor in self.constants]
        if len(named) != 1:
            raise UnevenError(f"'{argument}' beside what grows with the gradient")
        self.bound[named[0].name] = degree

    def mul(self, node: sp.Expr, parts: list[Degree]) -> Degree:
        known = [part for part in parts if part is not None]
        return sum(known, Fraction(0)) if known else None

    def power(self, node: sp.Expr, base: Degree, exponent: Degree) -> Degree:
        number = node.args[1]
        if base is None and exponent is None:
            return None
        if exponent is not None or not number.is_Rational:
            raise UnevenError(f"'{node}'")
        return None if base is None else base * Fraction(int(number.p), int(number.q))

    def function(self, node: sp.Expr, name: str, parts: list[Degree]) -> Degree:
        known = {part for part in parts if part is not None}
        if not known:
            return None
        if name == "sign":
            return Fraction(0)
        if name in ("max", "min") and len(known) == 1 and None not in parts:
            return known.pop()
        if len(parts) == 1:
            (degree,) = known
            if name == "sqrt":
                return degree / 2
            if name in ("abs", "relu") or degree == 0:
                return degree
        if known == {Fraction(0)}:
            return Fraction(0)
        raise UnevenError(f"'{node}'")


def rule_degree(rule: UpdateRule) -> RuleDegree:
    """How a rule's update grows with the gradient; its ``update`` is None where it follows no power."""
    return _rule_degree(rule)


@once
def _rule_degree(rule: UpdateRule) -> RuleDegree:
    constants = frozenset(sp.Symbol(constant.name) for constant in rule.constants)
    free: dict[sp.Expr, Degree] = dict.fromkeys((ALPHA, XI, NOW, STEP, *constants), None)
    free[THETA] = Fraction(0)
    # Memories start at a number, and grow as what is added to them does.
    free |= {sp.Symbol(name): None for name, _ in rule.memories}
    try:
        for _ in range(len(rule.memories) + 1):
            found, bound = _through(rule, free, constants)
            update = found.pop(THETA)
            free |= found
    except UnevenError:
        return RuleDegree(None)
    return RuleDegree(Fraction(0) if update is None else update, tuple(sorted(bound.items())))


def _through(
    rule: UpdateRule, free: dict[sp.Expr, Degree], constants: frozenset[sp.Symbol]
) -> tuple[dict[sp.Expr, Degree], dict[str, Fraction]]:
    """One pass through the lines: degrees of what they assign, and constants that are tied to one."""
    known: dict[sp.Expr, Degree] = {**free, GRADIENT: Fraction(1)}
    bound: dict[str, Fraction] = {}
    found: dict[sp.Expr, Degree] = {}
    for name, line in rule.program:
        symbol = sp.Symbol(name)
        if symbol == THETA:
            line = sp.expand(line - THETA)
        memories = (sp.Symbol(memory) for memory, _ in rule.memories)
        waiting = frozenset(memory for memory in memories if known[memory] is None)
        visit = _Degrees(dict(known), constants, waiting)
        found[symbol] = known[symbol] = visit(line)
        bound |= visit.bound
    return found, bound
