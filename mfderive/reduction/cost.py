"""What a system costs: numbers in its state, and work for each sample of a step, counted from its terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from ..algebra.system import LimitSystem
from ..algebra.terms import AxisKind, Term
from ..algebra.visitor import Fold
from ..state.ensemble_plan import Ensemble

# The number of nodes of every population at which systems are compared.
NODES = 1000


@dataclass(frozen=True)
class Cost:
    """``values``: numbers in the state; ``work``: floating-point operations per sample of a step."""

    values: int
    work: int

    def __str__(self) -> str:
        return f"{count_words(self.values)} state values and {count_words(self.work)} operations per sample"


def cost(system: LimitSystem, sizes: Mapping[str, int]) -> Cost:
    """The cost of a system with ``sizes`` nodes on its populations and on the noise that stays.

    Every term costs its operations and one addition for each combination of its indices, the data aside;
    numbers in front and signs are free. So a product of matrices counts 2, as usual. What a solver saves
    by common subexpressions, or loses in memory, is not counted. Noise that is drawn once per pair needs no
    nodes.
    """
    values = sum(_product(system, parameter.axes, sizes) for parameter in system.parameters)
    work, count = 0, _Operations()
    for equation in system.equations:
        for term in equation.terms:
            axes = tuple(index.axis for index in term.indices)
            work += (count(term.expression) + _additions(term)) * _product(system, axes, sizes)
    return Cost(values, work)


def compared_sizes(system: LimitSystem, plans: Mapping[str, Ensemble]) -> dict[str, int]:
    """``NODES`` nodes times the relative width on every population, the planned ones on noise that stays.

    Of nodes that are images of each other only one counts.
    """
    sizes = {}
    for axis in system.node_axes:
        if axis.kind is AxisKind.POPULATION:
            sizes[axis.name] = max(1, round(NODES * axis.width / axis.images))
        else:
            sizes[axis.name] = plans[axis.name].nodes
    return sizes


def _product(system: LimitSystem, axes: tuple[str, ...], sizes: Mapping[str, int]) -> int:
    total = 1
    for name in axes:
        axis = system.axis[name]
        if axis.kind is AxisKind.FINITE:
            total *= axis.size or 1
        elif axis.kind is AxisKind.POPULATION or not axis.drawn:
            total *= sizes.get(name, 1)
    return total


def _additions(term: Term) -> int:
    return 0 if term.is_pointwise else 1


class _Operations(Fold[int]):
    """See :func:`operations`."""

    def number(self, node: sp.Expr) -> int:
        """A number is there."""
        return 0

    def symbol(self, node: sp.Symbol) -> int:
        """A value is there."""
        return 0

    def add(self, node: sp.Expr, parts: list[int]) -> int:
        """One addition between every two summands."""
        return sum(parts) + len(parts) - 1

    def mul(self, node: sp.Expr, parts: list[int]) -> int:
        """One multiplication between every two factors; a number in front is free."""
        return sum(parts) + sum(1 for factor in node.args if not factor.is_Number) - 1

    def power(self, node: sp.Expr, base: int, exponent: int) -> int:
        """One operation."""
        return base + exponent + 1

    def function(self, node: sp.Expr, name: str, parts: list[int]) -> int:
        """One operation."""
        return sum(parts) + 1


def operations(expression: sp.Expr) -> int:
    """Operations of one expression: one per binary operation or function, none for numbers in front."""
    return _Operations()(expression)


def count_words(number: int) -> str:
    """A count for readers: 1,234 or 18.1 million."""
    for size, name in ((10**12, "trillion"), (10**9, "billion"), (10**6, "million")):
        if number >= size:
            return f"{number / size:.3g} {name}"
    return f"{number:,}"
