"""A learning rule as equations: what a step makes of G, and the derivatives in time of the flow.

The rule states what happens to one entry of a parameter (:mod:`mfderive.algebra.update_rules`). Here its
names become accesses of fields, so that reductions, printing and code meet equations like any other. What is
a step of SGD, parameter + alpha * rate * G, is not written: a variable without an equation moves by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp

from ..algebra.functions import call
from ..algebra.laws import Variable
from ..algebra.system import LimitSystem
from ..algebra.terms import Access, Equation, Field, Index, Role, Term
from ..algebra.update_rules import ALPHA, CLOCK, GRADIENT, NOW, STEP, THETA, XI, Program

NORM_FIELD, CLIP_FIELD = "gradient norm2", "clip factor"


def apply_rule(system: LimitSystem) -> LimitSystem:
    """The limit with the equations of its learning rule: next values and derivatives of its variables."""
    if system.learning.is_plain:
        return system
    return _Writer(system).system()


class _Writer:
    """Writes the equations of one system, and the fields that they need."""

    def __init__(self, system: LimitSystem) -> None:
        self.limit, self.learning = system, system.learning
        self.fields: dict[str, Field] = {}
        self.equations: list[Equation] = []
        self.trained = [p for p in system.parameters if not p.is_frozen]
        self.decay = dict(self.learning.decay)
        self.noise = dict(self.learning.noise)

    def system(self) -> LimitSystem:
        """The limit with everything that was written."""
        if self.learning.clip is not None:
            self.clip(self.learning.clip)
        for parameter in self.trained:
            self.step(parameter)
        for parameter in self.trained:
            self.flow(parameter)
        return replace(
            self.limit,
            fields=(*self.limit.fields, *self.fields.values()),
            equations=(*self.limit.equations, *self.equations),
        )

    # ------------------------------------------------------------------ parts

    def rate(self, parameter: Variable) -> sp.Expr:
        """The rate of a parameter: a number, or given at every step where it changes in time."""
        if not parameter.rate.free_symbols:
            return parameter.rate
        field = self.limit.rate_field(parameter.name)
        self.fields[field.name] = field
        return sp.Symbol(field.name)

    def clip(self, largest: float) -> None:
        """The factor min(1, C / |G|), |G| the norm of the whole gradient in L2(P) (theory B.7).

        It is written as C / max(|G|, C), which divides by no 0.
        """
        terms = []
        for parameter in self.trained:
            name, target = self.velocity(parameter)
            terms.append(Term((), target, sp.Symbol(name) ** 2, ((sp.Symbol(name), Access(name, target)),)))
        self.write(Field(NORM_FIELD, (), Role.MOTION), (), tuple(terms))
        bound = sp.Rational(repr(largest))
        factor = bound / call("max", call("sqrt", sp.Symbol(NORM_FIELD)), bound)
        self.write(Field(CLIP_FIELD, (), Role.MOTION), (), (self.pointwise((), factor),))

    def velocity(self, parameter: Variable) -> tuple[str, tuple[Index, ...]]:
        """The name of G of a parameter, and the indices under which it is written."""
        name = self.limit.velocity_of[parameter.name]
        return name, self.limit.equation_of[name].target

    def gradient(self, parameter: Variable) -> sp.Expr:
        """g: minus G, clipped, with coupled decay added."""
        gradient = -sp.Symbol(self.velocity(parameter)[0])
        if self.learning.clip is not None:
            gradient *= sp.Symbol(CLIP_FIELD)
        return gradient + self.coupled(parameter)

    def coupled(self, parameter: Variable) -> sp.Expr:
        """lambda theta where decay is added to the gradient."""
        return sp.Integer(0) if self.learning.decoupled else self.shrinking(parameter)

    def decoupled(self, parameter: Variable) -> sp.Expr:
        """lambda theta where decay stands beside the rule."""
        return self.shrinking(parameter) if self.learning.decoupled else sp.Integer(0)

    def shrinking(self, parameter: Variable) -> sp.Expr:
        return sp.Rational(repr(self.decay.get(parameter.name, 0.0))) * sp.Symbol(parameter.name)

    # ------------------------------------------------------------------ equations

    def step(self, parameter: Variable) -> None:
        """The values of a parameter and of its memories after a step."""
        alpha, rate = sp.Symbol(CLOCK[ALPHA]), self.rate(parameter)
        table = {**self.names(parameter), ALPHA: alpha, STEP: sp.Symbol(CLOCK[STEP]), XI: rate}
        memories = self.memories(parameter)
        for name, line in self.learning.program:
            value = line.xreplace(table)
            if sp.Symbol(name) == THETA:
                value += -alpha * rate * self.decoupled(parameter) + self.diffusion(parameter, alpha * rate)
                plain = sp.Symbol(parameter.name) + alpha * rate * sp.Symbol(self.velocity(parameter)[0])
                if sp.expand(value - plain) != 0:
                    self.move(parameter, parameter.name, Role.NEXT, value)
            elif name in memories:
                table[sp.Symbol(name)] = self.move(parameter, memories[name], Role.NEXT, value)
            else:
                table[sp.Symbol(name)] = value

    def flow(self, parameter: Variable) -> None:
        """The derivatives in time of a parameter and of its memories, where the rule has a flow."""
        lines: Program = self.learning.flow_program or ()
        rate = self.rate(parameter)
        table = {**self.names(parameter), XI: rate}
        memories = self.memories(parameter)
        for name, line in lines:
            value = line.xreplace(table)
            if sp.Symbol(name) != THETA:
                self.move(parameter, memories[name], Role.FLOW, value)
                continue
            value -= rate * self.decoupled(parameter)
            if sp.expand(value - rate * sp.Symbol(self.velocity(parameter)[0])) != 0:
                self.move(parameter, parameter.name, Role.FLOW, value)

    def names(self, parameter: Variable) -> dict[sp.Symbol, sp.Expr]:
        """What the names of a rule stand for: values before the step."""
        memories = {sp.Symbol(m): sp.Symbol(field) for m, field in self.memories(parameter).items()}
        return {
            THETA: sp.Symbol(parameter.name),
            GRADIENT: self.gradient(parameter),
            NOW: sp.Symbol(CLOCK[NOW]),
            **memories,
        }

    def memories(self, parameter: Variable) -> Mapping[str, str]:
        """The names of the memory fields of a parameter, by their names in the rule."""
        return {self.limit.field[v.name].part: v.name for v in self.limit.memories_of[parameter.name]}

    def diffusion(self, parameter: Variable, time: sp.Expr) -> sp.Expr:
        """sqrt(2 T alpha xi) times fresh standard normal numbers (theory B.3)."""
        temperature = self.noise.get(parameter.name, 0.0)
        if not temperature:
            return sp.Integer(0)
        draw = self.limit.field[parameter.name].derived(Role.DRAW)
        self.fields[draw.name] = draw
        # A schedule that ends at 0 may miss it by rounding, to either side.
        variance = 2 * sp.Rational(repr(temperature)) * call("max", time, sp.Integer(0))
        return call("sqrt", variance) * sp.Symbol(draw.name)

    def move(self, parameter: Variable, name: str, role: Role, value: sp.Expr) -> sp.Symbol:
        """Write the equation of a variable's next value or derivative; its symbol."""
        field = self.limit.field[name].derived(role)
        target = self.velocity(parameter)[1]
        self.write(field, target, (self.pointwise(target, value),))
        return sp.Symbol(field.name)

    def pointwise(self, target: tuple[Index, ...], value: sp.Expr) -> Term:
        """A term that reads every field entry by entry."""
        accesses = []
        for symbol in sorted(value.free_symbols, key=lambda s: str(s.name)):
            field = self.known(symbol.name)
            accesses.append((symbol, Access(field.name, target if field.axes else ())))
        return Term(target, (), value, tuple(accesses))

    def known(self, name: str) -> Field:
        """A field of the limit or of the rule; the scalars of a step enter when they are first read."""
        for symbol, field in CLOCK.items():
            if name == field:
                self.fields.setdefault(name, Field(name, (), Role.CLOCK, part=symbol.name))
        return self.limit.field.get(name) or self.fields[name]

    def write(self, field: Field, target: tuple[Index, ...], terms: tuple[Term, ...]) -> None:
        """Add an equation with its field."""
        self.fields[field.name] = field
        self.equations.append(Equation(field.name, target, terms))
