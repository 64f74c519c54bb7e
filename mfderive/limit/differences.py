"""What differences between neurons of one type do: the pass for one neuron that is off its type.

Neurons with the same labels follow one path in the limit (theory C.1). Let a single neuron of a population
leave it by a little: no average feels that, so that only what belongs to the neuron moves,

    dif F(I) += Reduce_J [ de/dg * dif g(K) ]   where the neuron's slot of g is a slot of F,

and an access whose slot is averaged over adds nothing. It is the linearised evolution of a type that is split
into two halves with opposite deviations, for all populations and all nodes at once. A field with two
population slots has a difference for each of them: that of its row's neuron, and that of its column's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sympy as sp

from ..algebra.laws import Law, LawKind, Variable
from ..algebra.memo import once
from ..algebra.system import LimitSystem
from ..algebra.terms import Access, AxisKind, Equation, Field, Index, Role, Term
from .linearise import together, with_access

_GIVEN = frozenset({Role.INPUT, Role.CLOCK, Role.DRAW})
_ZERO = Law(LawKind.CONSTANT, (sp.Integer(0),), (), "0")


def difference_name(name: str, slot: int) -> str:
    """The name of the difference of a field for the neuron of one of its slots (counted from 0)."""
    return f"dif{slot} {name}"


@once
def neuron_differences(system: LimitSystem) -> LimitSystem:
    """The limit together with the evolution of the differences of single neurons.

    A state has one array more for every population slot of every variable, ``difference_name(v, slot)``, of
    the layout of v: how far the values that belong to one neuron, the node at that slot, are off those of its
    type. They start at 0 by their law. Frozen parameters have differences too, which stay as they are.
    """
    return _Differences(system).system()


class _Differences:
    """The pass over the equations of one system."""

    def __init__(self, system: LimitSystem) -> None:
        self.base = system
        self.found: dict[tuple[str, int], Field] = {}
        self.variables: list[Variable] = []

    def system(self) -> LimitSystem:
        """Differences of the variables first: the equations read them."""
        for variable in self.base.variables:
            for slot in self.slots(variable.name):
                self.variable(variable, slot)
        equations = [own for equation in self.base.equations for own in self.all(equation)]
        return replace(
            self.base,
            fields=(*self.base.fields, *self.found.values()),
            variables=(*self.base.variables, *self.variables),
            equations=tuple(equations),
            indexed=(
                *self.base.indexed,
                *(
                    (difference_name(name, slot), axes)
                    for name, axes in self.base.indexed
                    for slot in self.slots(name)
                ),
            ),
        )

    def slots(self, name: str) -> list[int]:
        """The population slots of a field."""
        axes = self.base.field[name].axes
        return [k for k, axis in enumerate(axes) if self.base.axis[axis].kind is AxisKind.POPULATION]

    def variable(self, variable: Variable, slot: int) -> None:
        """The difference of a variable, which starts at 0."""
        own = self.enter(variable.name, slot)
        of = difference_name(variable.of, slot) if variable.of else ""
        self.variables.append(replace(variable, name=own.name, law=_ZERO, of=of))

    def enter(self, name: str, slot: int) -> Field:
        """The field of a difference. What it is derived from differs before it."""
        field = self.base.field[name]
        of = name if field.role is Role.PARAMETER else field.of
        if field.role is not Role.PARAMETER and (field.of, slot) in self.found:
            of = difference_name(field.of, slot)
        own = replace(field, name=difference_name(name, slot), of=of, deviation=name, hidden=False)
        self.found[name, slot] = own
        return own

    def all(self, equation: Equation) -> Iterator[Equation]:
        """The equations of the differences of a field, and its own."""
        field = self.base.field[equation.field]
        moves = field.role in (Role.VELOCITY, Role.NEXT, Role.FLOW)
        for slot in self.slots(equation.field):
            terms = () if equation.selector else self.terms(equation, slot)
            if terms or moves:
                yield Equation(self.enter(equation.field, slot).name, equation.target, terms)
        yield equation

    def terms(self, equation: Equation, slot: int) -> tuple[Term, ...]:
        """What all terms add to the difference of a field for the neuron at one of its slots."""
        return tuple(
            own
            for term in equation.terms
            for own in together(term, list(self.of_term(term, term.target[slot])))
        )

    def of_term(self, term: Term, neuron: object) -> Iterator[Term]:
        """What one term adds: its accesses at the neuron itself."""
        for symbol, access in term.accesses:
            for slot, index in enumerate(access.slots):
                if not isinstance(index, Index) or index != neuron:
                    continue
                field = self.found.get((access.field, slot))
                slope = sp.diff(term.expression, symbol) if field is not None else sp.Integer(0)
                if field is not None and slope != 0:
                    own = sp.Symbol(difference_name(symbol.name, slot))
                    yield with_access(self.base, term, slope, own, Access(field.name, access.slots))
