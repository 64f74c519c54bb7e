"""Whether a network is a chain of fully connected layers, and what each of them is made of.

The equations say it, from the output back to x: every pre-activation is one average (of x: one sum) of
weight times value, every value a function of the neuron's own pre-activation and parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import sympy as sp

from ..algebra.system import LimitSystem
from ..algebra.terms import Access, AxisKind, Equation, Index, Role, Term


class Fork(StrEnum):
    """Why a network is no chain."""

    SOURCES = "sources"  # a layer reads several things
    OPERATION = "operation"  # a connection is not weight times value
    AXES = "axes"  # a value has positions, or belongs to no infinitely wide layer
    STATISTICS = "statistics"  # an activation averages over neurons or positions, or reads other layers
    SHARED = "shared"  # a weight is used more than once
    LOSSES = "losses"  # a loss on an inner layer


@dataclass(frozen=True)
class Link:
    """One hidden layer: its name, the weight into it, and its activation, an expression in ``pre``.

    ``shifts``: parameters of the neuron that are added to the pre-activation; ``others``: those that the
    activation reads in another way.
    """

    name: str
    field: str
    weight: str
    activation: sp.Expr
    pre: sp.Symbol
    shifts: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chain:
    """The hidden layers, from x to the output, and the output's parameters."""

    links: tuple[Link, ...]
    output_weight: str
    output_bias: str | None = None


@dataclass(frozen=True)
class NoChain:
    """Where a network is no chain: the field that shows it, and how."""

    field: str
    why: Fork


class _ForkError(Exception):
    """Where the walk along the chain ends."""

    def __init__(self, field: str, why: Fork) -> None:
        super().__init__(field)
        self.found = NoChain(field, why)


def chain_of(system: LimitSystem) -> Chain | NoChain:
    """The chain that the forward equations of a limit (not reduced) form, or why they form none."""
    try:
        return _chain(system)
    except _ForkError as fork:
        return fork.found


def _chain(system: LimitSystem) -> Chain:
    loss_reads = {n for e in system.forward if system.field[e.field].owner == "loss" for n in e.reads}
    if any(system.field[n].owner not in ("loss", "output", "x", "y") for n in loss_reads):
        raise _ForkError("loss", Fork.LOSSES)
    weight, source, bias = _sum(system, "yhat")
    used, links = [weight], list[Link]()
    while source != "x":
        link, source = _link(system, source)
        links.insert(0, link)
        used.append(link.weight)
    repeated = [name for name in used if used.count(name) > 1]
    if repeated:
        raise _ForkError(repeated[0], Fork.SHARED)
    if not links:
        raise _ForkError("yhat", Fork.AXES)
    return Chain(tuple(links), weight, bias)


def _sum(system: LimitSystem, name: str) -> tuple[str, str, str | None]:
    """The weight, the value and the bias of which a sum is made; ``x`` for the inputs."""
    bias, products = None, []
    for term in system.equation_of[name].terms:
        table = term.access_of
        lone = table.get(term.expression)
        if lone is not None and lone.field in system.parameter and not term.reduced and bias is None:
            bias = lone.field
        else:
            products.append(term)
    if len(products) != 1:
        raise _ForkError(name, Fork.SOURCES)
    weight, value = _product(system, name, products[0])
    return weight.field, value.field, bias


def _product(system: LimitSystem, name: str, term: Term) -> tuple[Access, Access]:
    """The two factors of a term: a weight, and a value that is averaged over its neurons."""
    factors = [term.access_of.get(factor) for factor in sp.Mul.make_args(term.expression)]
    if len(factors) != 2 or None in factors:
        raise _ForkError(name, Fork.OPERATION)
    weights = [access for access in factors if access is not None and access.field in system.parameter]
    values = [access for access in factors if access is not None and access.field not in system.parameter]
    if len(weights) != 1 or len(values) != 1:
        raise _ForkError(name, Fork.OPERATION)
    weight, value = weights[0], values[0]
    kinds = [system.axis[axis].kind for axis in system.field[value.field].axes]
    read = AxisKind.FINITE if system.field[value.field].role is Role.INPUT else AxisKind.POPULATION
    summed = [slot for slot in value.slots if slot in term.reduced]
    if kinds != [AxisKind.DATA, read]:
        raise _ForkError(name, Fork.AXES)
    if len(summed) != 1 or summed[0] not in weight.slots:
        raise _ForkError(name, Fork.OPERATION)
    return weight, value


def _link(system: LimitSystem, value: str) -> tuple[Link, str]:
    """The layer whose value this is, and what it reads."""
    equation = system.equation_of[value]
    if _is_sum(equation):
        pre = sp.Symbol("h")
        weight, source, bias = _sum(system, value)
        link = Link(system.field[value].owner, value, weight, pre, pre, () if bias is None else (bias,))
        return _checked(system, link, value), source
    expression, own = equation.terms[0].expression, equation.terms[0].access_of
    neuron = [slot for slot in equation.target if isinstance(slot, Index)]
    read = {symbol: access for symbol, access in own.items() if access.field not in system.parameter}
    if len(equation.terms) != 1 or len(read) != 1 or equation.selector:
        raise _ForkError(value, Fork.STATISTICS)
    (pre, access), *_ = read.items()
    for other in own.values():
        if other.field in system.parameter and not (len(other.slots) == 1 and other.slots[0] in neuron):
            raise _ForkError(value, Fork.STATISTICS)
    weight, source, bias = _sum(system, access.field)
    names = {symbol: other.field for symbol, other in own.items() if symbol != pre}
    moved = sp.expand(expression.xreplace({pre: pre - sp.Add(*names)})) if names else expression
    shifts = {s: n for s, n in names.items() if not moved.has(s)}
    others = {s: n for s, n in names.items() if s not in shifts}
    if others:  # only what is added exactly counts as a shift
        moved = expression.xreplace({pre: pre - sp.Add(*shifts)})
    added = (*shifts.values(), *(() if bias is None else (bias,)))
    link = Link(
        system.field[value].owner, access.field, weight, moved, pre, tuple(added), tuple(others.values())
    )
    return _checked(system, link, access.field), source


def _checked(system: LimitSystem, link: Link, field: str) -> Link:
    kinds = [system.axis[axis].kind for axis in system.field[field].axes]
    if kinds != [AxisKind.DATA, AxisKind.POPULATION]:
        raise _ForkError(field, Fork.AXES)
    return link


def _is_sum(equation: Equation) -> bool:
    return any(term.reduced for term in equation.terms)
