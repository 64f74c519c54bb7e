"""How a learning rule is carried out: where each G goes, and what is done to every entry afterwards.

A next value of the shape c X + s G + (what reads neither), with numbers c and s of the step alone, needs no
array for G: the product that G is goes straight into X (BLAS has c as beta and s as alpha), and the rest is
added in the pass that follows. Any other G has an array of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

from ..algebra.laws import Variable
from ..algebra.system import LimitSystem
from ..algebra.terms import Access, Equation, Index, Role
from ..algebra.update_rules import ALPHA, CLOCK
from .contraction import plan_equation
from .instructions import Planned

ONE, ZERO = sp.Integer(1), sp.Integer(0)


@dataclass(frozen=True)
class Gradient:
    """``into = keep * into + scale * G`` of a parameter; ``into`` names a variable, or G itself.

    ``keep`` and ``scale`` are expressions in the fields that a step is given (symbols named after them).
    """

    parameter: str
    into: str
    scale: sp.Expr
    keep: sp.Expr


@dataclass(frozen=True)
class Assignments:
    """One pass over entries: each variable's new value, in order, after all old ones were read.

    ``values``: (variable, the field of its new value, expression). An expression may read new values that
    stand before it.
    """

    target: tuple[Index, ...]
    values: tuple[tuple[str, str, sp.Expr], ...]
    accesses: tuple[tuple[sp.Symbol, Access], ...]


@dataclass(frozen=True)
class LearningPlan:
    """What happens after the backward pass: gradients, numbers made of all of them, passes over entries."""

    gradients: tuple[Gradient, ...]
    scalars: tuple[Planned, ...]
    passes: tuple[Assignments, ...]


def plan_step(system: LimitSystem) -> LearningPlan:
    """The plan of one step."""
    return _Planner(system, Role.NEXT).plan()


def plan_flow(system: LimitSystem) -> LearningPlan:
    """The plan of the derivatives in time, whose values are written beside the state."""
    return _Planner(system, Role.FLOW).plan()


class _Planner:
    def __init__(self, system: LimitSystem, role: Role) -> None:
        self.system, self.role = system, role
        own = system.next_of if role is Role.NEXT else system.flow_of
        self.moved: dict[str, Equation] = {name: system.equation_of[field] for name, field in own.items()}
        self.scalars = tuple(e for e in system.motion if system.field[e.field].role is Role.MOTION)
        self.given = {sp.Symbol(f.name) for f in system.fields if f.role is Role.CLOCK}
        self.read_by_scalars = {field for e in self.scalars for field in e.reads}
        self.replaced: dict[str, sp.Expr] = {}

    def plan(self) -> LearningPlan:
        """Gradients first: they say what is left for the passes."""
        trained = [p for p in self.system.parameters if not p.is_frozen]
        gradients = tuple(map(self.gradient, trained))
        # Numbers of all gradients are computed where something reads them.
        wanted = {field for e in self.moved.values() for field in e.reads}
        wanted |= {field for e in self.scalars for field in e.reads}
        scalars = tuple(
            Planned(e, plan_equation(self.system, e, e.field)) for e in self.scalars if e.field in wanted
        )
        return LearningPlan(gradients, scalars, tuple(self.passes()))

    def gradient(self, parameter: Variable) -> Gradient:
        """Where G of a parameter goes."""
        name = self.system.velocity_of[parameter.name]
        if self.role is Role.FLOW:
            scale = ONE if self.uses(name) else self.rate(parameter)
            return Gradient(parameter.name, name if self.uses(name) else parameter.name, scale, ZERO)
        readers = [variable for variable, e in self.moved.items() if name in e.reads]
        if not readers and parameter.name not in self.moved and name not in self.read_by_scalars:
            alpha = sp.Symbol(CLOCK[ALPHA])
            return Gradient(parameter.name, parameter.name, alpha * self.rate(parameter), ONE)
        if len(readers) == 1 and name not in self.read_by_scalars:
            found = self.inside(parameter, readers[0], sp.Symbol(name))
            if found is not None:
                return found
        return Gradient(parameter.name, name, ONE, ZERO)

    def uses(self, velocity: str) -> bool:
        """Whether something reads the values of a G."""
        return velocity in self.read_by_scalars or any(velocity in e.reads for e in self.moved.values())

    def rate(self, parameter: Variable) -> sp.Expr:
        """The rate of a parameter, as a step is given it."""
        varies = bool(parameter.rate.free_symbols)
        return sp.Symbol(self.system.rate_field(parameter.name).name) if varies else parameter.rate

    def inside(self, parameter: Variable, variable: str, gradient: sp.Symbol) -> Gradient | None:
        """G added to the one variable whose next value is affine in it, if that is possible."""
        (term,) = self.moved[variable].terms
        own = sp.Symbol(variable)
        others = (e for name, e in self.moved.items() if name != variable)
        if any(variable in e.reads for e in others):
            return None
        expression = sp.expand(term.expression)
        scale, keep = sp.diff(expression, gradient), sp.diff(expression, own)
        rest = sp.expand(expression - scale * gradient - keep * own)
        if rest.has(gradient, own) or (scale.free_symbols | keep.free_symbols) - self.given:
            return None
        self.replaced[variable] = own + rest
        return Gradient(parameter.name, variable, scale, keep)

    def passes(self) -> Iterable[Assignments]:
        """What is left to do for every entry, the variables of one parameter on the same axes together."""
        groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for variable, equation in self.moved.items():
            if self.replaced.get(variable) != sp.Symbol(variable):
                axes = tuple(index.axis for index in equation.target)
                groups.setdefault((self.system.parameter_of[variable], axes), []).append(variable)
        order = [equation.field for equation in self.system.equations]
        for names in groups.values():
            names.sort(key=lambda name: order.index(self.moved[name].field))
            yield self.joined(names)

    def joined(self, names: list[str]) -> Assignments:
        """The pass of some variables. A new value that only a product made is the variable's own by now."""
        values, accesses = [], {}
        written = {self.moved[name].field for name in names}
        done = {
            sp.Symbol(e.field): sp.Symbol(name) for name, e in self.moved.items() if e.field not in written
        }
        for name in names:
            (term,) = self.moved[name].terms
            expression = self.replaced.get(name, term.expression)
            table = dict(term.accesses)
            for symbol in expression.free_symbols:
                access = table.get(symbol) or Access(name, self.moved[name].target)
                if symbol in done:
                    accesses[done[symbol]] = Access(done[symbol].name, access.slots)
                elif access.field not in written:
                    accesses[symbol] = access
            values.append((name, self.moved[name].field, expression.xreplace(done)))
        # In an order that is the same for every parameter, so that passes of one kind share their code.
        position = {field.name: number for number, field in enumerate(self.system.fields)}
        ordered = sorted(accesses.items(), key=lambda pair: position[pair[1].field])
        return Assignments(self.moved[names[0]].target, tuple(values), tuple(ordered))
