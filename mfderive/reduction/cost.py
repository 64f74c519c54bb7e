"""What a system costs: numbers in its state, and work for each sample of a step, counted from its terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from ..algebra.system import LimitSystem
from ..algebra.terms import AxisKind, Term
from ..state.ensembles import Ensemble

# The number of nodes of every population at which systems are compared.
NODES = 1000


@dataclass(frozen=True)
class Cost:
    """``values``: numbers in the state; ``work``: floating-point operations a sample of a step."""

    values: int
    work: int

    def __str__(self) -> str:
        return f"{count_words(self.values)} state values and {count_words(self.work)} operations a sample"


def cost(system: LimitSystem, sizes: Mapping[str, int]) -> Cost:
    """The cost of a system with ``sizes`` nodes on its populations and on the noise that stays.

    Every term costs its operations and one addition for each combination of its indices, the data aside;
    numbers in front and signs are free. So a product of matrices counts 2, as usual. What a solver saves
    by common subexpressions, or loses in memory, is not counted. Noise that is drawn once per pair needs no
    nodes.
    """
    values = sum(_product(system, parameter.axes, sizes) for parameter in system.parameters)
    work = 0
    for equation in system.equations:
        for term in equation.terms:
            axes = tuple(index.axis for index in term.indices)
            work += (_operations(term.expression) + _additions(term)) * _product(system, axes, sizes)
    return Cost(values, work)


def compared_sizes(system: LimitSystem, plans: Mapping[str, Ensemble]) -> dict[str, int]:
    """``NODES`` nodes times the relative width on every population, the planned ones on noise that stays."""
    sizes = {}
    for axis in system.node_axes:
        if axis.kind is AxisKind.POPULATION:
            sizes[axis.name] = max(1, round(NODES * axis.width))
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


def _operations(expression: sp.Expr) -> int:
    """Operations of an expression: one a binary operation or function, none for numbers in front."""
    if expression.is_Atom:
        return 0
    inner = sum(_operations(argument) for argument in expression.args)
    if expression.is_Mul:
        return inner + sum(1 for argument in expression.args if not argument.is_Number) - 1
    if expression.is_Add:
        return inner + len(expression.args) - 1
    return inner + 1


def count_words(number: int) -> str:
    """A count for readers: 1,234 or 18.1 million."""
    for size, name in ((10**12, "trillion"), (10**9, "billion"), (10**6, "million")):
        if number >= size:
            return f"{number / size:.3g} {name}"
    return f"{number:,}"
