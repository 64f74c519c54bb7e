"""The Eulerian form: d/dt of a neuron's variables, and the transport equations of the functions f.

Along its path a source neuron moves, so that the function f, read at a fixed argument, changes by the
learning of the weight minus transport (Eq. 23; theory A.6 with the corrections H1 to H5): rates stand in
the transport terms too, and in deeper layers the derivative of f acts on the Eulerian change of its
argument. Parameters that do not learn by SGD move by the flow of their rule (theory B), what it remembers
of them by that too, and where fresh noise drives a neuron its path is that of a diffusion.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy as sp

from ..algebra.terms import Role
from ..algebra.update_rules import CLOCK, NOW
from ..limit.apply_rule import CLIP_FIELD
from .alphabet import Manner, StateVariable
from .letters import Letter
from .measure import MeasureWriter, Scope
from .measure_nodes import DOT, Apply, Brownian, Change, Frechet, Gradient, Increment, Inner, Rate
from .nodes import Head, HeadKind, head
from .readable import readable
from .rule_printer import square_root

Tree = Any
_TARGET, _SOURCE = sp.Symbol("target"), sp.Symbol("source")


def _gradient_of(parameter: str) -> Head:
    return Head(parameter, HeadKind.GRADIENT)


class EulerianWriter:
    """Writes the evolution of one system; the gradients G must have been written before."""

    def __init__(self, writer: MeasureWriter) -> None:
        self.writer = writer
        self.alphabet = writer.alphabet
        self.system = writer.system
        self.rates: dict[str, sp.Expr] = {}

    def rate(self, parameter: str) -> Tree:
        """The learning rate xi: a letter, or 1 where it is 1."""
        rate = self.system.parameter[parameter].rate
        if rate == 1:
            return sp.Integer(1)
        name = self.alphabet.rate(parameter)
        self.rates[name] = rate
        return sp.Symbol(name)

    def trained(self, variable: StateVariable) -> bool:
        """Whether a variable moves."""
        return any(not self.system.variable[name].is_frozen for name in variable.parameters)

    def equations(self) -> Iterator[tuple[str, Tree]]:
        """All evolution equations, from below upwards."""
        for population in self.system.populations:
            for variable in self.alphabet.measured(population.name):
                if self.trained(variable) and not variable.function:
                    yield variable.key, self._label(population.name, variable)
                elif self.trained(variable):
                    yield from self._function(population.name, variable)
        for name in self.alphabet.variables:
            if not self.system.population_slots(name) and not self.system.variable[name].is_frozen:
                yield name, self._moving(name, sp.Symbol(self.alphabet.field(name)), (), Scope())

    def _gradient(self, parameter: str, neurons: tuple[Tree, ...], scope: Scope, whole: bool = False) -> Tree:
        """G at a position or tap; ``whole``: G as a vector over all of them."""
        rest = () if whole else self.writer.rest[parameter]
        return self.writer.value(
            _gradient_of(parameter), self.alphabet.gradient(parameter), neurons, rest, scope
        )

    def _component(self, name: str, symbol: Tree) -> Tree:
        rest = self.rest(name)
        return Apply(symbol, *rest) if rest else symbol

    def rest(self, name: str) -> tuple[Tree, ...]:
        """The positions and taps of a parameter, which what is remembered of it has too."""
        return self.writer.rest[self.system.parameter_of[name]]

    # ------------------------------------------------------------------ what moves a variable

    def speed(self, name: str, neurons: tuple[Tree, ...], scope: Scope, whole: bool = False) -> Tree:
        """The derivative of a parameter (or of what is remembered of it) in time, at its neurons."""
        if name not in self.system.flow_of:
            if name not in self.system.parameter:
                return sp.Integer(0)
            return self.rate(name) * self._gradient(name, neurons, scope, whole)
        (term,) = self.system.equation_of[self.system.flow_of[name]].terms
        shown = {symbol: head(access.field) for symbol, access in term.accesses}
        tree = readable(term.expression.xreplace(shown), self.writer.builder.given)
        values = {head(field): self._read(field, neurons, scope, whole) for field in self._fields(name)}
        return tree.xreplace(values)

    def _fields(self, name: str) -> list[str]:
        """The fields that the flow of a variable reads, if it has an equation of its own."""
        moved = self.system.flow_of.get(name)
        if moved is None:
            return [self.system.velocity_of[name]] if name in self.system.velocity_of else []
        (term,) = self.system.equation_of[moved].terms
        return [access.field for _, access in term.accesses]

    def _read(self, name: str, neurons: tuple[Tree, ...], scope: Scope, whole: bool) -> Tree:
        """The value of a field that a flow reads."""
        field = self.system.field[name]
        if field.role is Role.VELOCITY:
            return self._gradient(field.of, neurons, scope, whole)
        if name == CLIP_FIELD:
            return self.writer.value(Head(name), self.alphabet.field(name), (), (), scope)
        if field.role is Role.CLOCK:
            return self.rate(field.of) if name != CLOCK[NOW] else sp.Symbol("t")
        if not neurons:
            letter = sp.Symbol(self.alphabet.field(name))
            return letter if whole else self._component(name, letter)
        letter = scope.letters[neurons[0], self.alphabet.variable_of(name).key]
        arguments = []
        if len(neurons) == 2:
            source = self.writer.source(name)
            arguments = [scope.letters[neurons[1], v.key] for v in self.alphabet.states[source]]
        slots = (*arguments, *(() if whole else self.rest(name)))
        return Apply(letter, *slots) if slots else letter

    def diffusion(self, name: str) -> Tree:
        """T times the rate of a parameter that fresh noise drives, else 0 (theory B.3)."""
        temperature = dict(self.system.learning.noise).get(name, 0.0)
        if not temperature or self.system.parameter[name].is_frozen:
            return sp.Integer(0)
        return sp.Rational(repr(temperature)) * self.rate(name)

    def _moving(self, name: str, letter: Tree, neurons: tuple[Tree, ...], scope: Scope) -> Tree:
        """The equation of a variable of one neuron, or of the network: an increment where noise drives it."""
        moved = self._component(name, letter)
        value, diffusion = self.speed(name, neurons, scope), self.diffusion(name)
        if not diffusion:
            return sp.Eq(Rate(moved), value, evaluate=False)
        noise = square_root(2 * diffusion) * Brownian(moved)
        return sp.Eq(Increment(moved), value * Increment(sp.Symbol("t")) + noise, evaluate=False)

    # ------------------------------------------------------------------ equations

    def _number(self, population: str) -> Letter | None:
        return self.alphabet.number(population) if self.alphabet.manner is Manner.GROUPED else None

    def _label(self, population: str, variable: StateVariable) -> Tree:
        scope = Scope()
        self.writer.enter(scope, _TARGET, self.alphabet.states[population], self._number(population))
        letter = scope.letters[_TARGET, variable.key]
        return self._moving(variable.parameters[0], letter, (_TARGET,), scope)

    def _function(self, population: str, variable: StateVariable) -> Iterator[tuple[str, Tree]]:
        weight = variable.key
        source = self.writer.source(weight)
        own = self._own(weight, population)
        scope, value, arguments = self._ends(own, weight, source)
        learning = self.speed(weight, (_TARGET, _SOURCE), scope)
        transport = self._transport(source, _SOURCE, value, scope)
        if self.alphabet.manner is not Manner.GROUPED:
            yield weight, sp.Eq(Change(value) + sp.Add(*transport), learning, evaluate=False)
            return
        bar = self._bar(weight, scope, _TARGET, own, arguments)
        yield f"bar {weight}", sp.Eq(bar, learning - sp.Add(*transport), evaluate=False)
        scope, value, arguments = self._ends(own, weight, source, self._number(population))
        bar = self._bar(weight, scope, _TARGET, own, arguments)
        yield weight, sp.Eq(Change(value), bar, evaluate=False)

    def _ends(
        self, own: tuple[StateVariable, ...], weight: str, source: str, number: Letter | None = None
    ) -> tuple[Scope, Tree, list[Tree]]:
        """A scope with the target's and the source's variables, f at the source, and f's arguments."""
        scope = Scope()
        self.writer.enter(scope, _TARGET, own, number)
        arguments = self.writer.enter(scope, _SOURCE, self.alphabet.states[source])
        slots = (*arguments, *self.rest(weight))
        letter = scope.letters[_TARGET, weight]
        return scope, Apply(letter, *slots) if slots else letter, arguments

    def _own(self, weight: str, population: str) -> tuple[StateVariable, ...]:
        """The target's variables on which the change of f depends: those of its flow, and f itself."""
        keys = {weight}
        for name in self._fields(weight):
            field = self.system.field[name]
            if field.role is Role.VELOCITY:
                target = self.writer.slots[_gradient_of(field.of)][0]
                known = self.writer.known[_gradient_of(field.of)]
                keys |= {key for symbol, key in known.own if symbol == target}
            elif field.role in (Role.PARAMETER, Role.MEMORY):
                keys.add(self.alphabet.variable_of(name).key)
        return tuple(v for v in self.alphabet.states[population] if v.key in keys)

    def _transport(self, source: str, neuron: Tree, value: Tree, scope: Scope) -> list[Tree]:
        state = self.alphabet.states[source]
        terms = []
        for number, variable in enumerate(state, start=1):
            if not self.trained(variable):
                continue
            position = sp.Integer(number if len(state) > 1 else 0)
            if variable.function:
                terms.append(Frechet(value, position, self._direction(variable, source, neuron, scope)))
                continue
            terms += self._moved_by(variable.parameters[0], Gradient(value, position), neuron, scope)
        return terms

    def _moved_by(self, name: str, slope: Tree, neuron: Tree, scope: Scope) -> list[Tree]:
        """How f changes by the movement of a variable of its source."""
        if name in self.system.velocity_of and name not in self.system.flow_of:
            return [self.rate(name) * Inner(slope, self._gradient(name, (neuron,), scope, whole=True))]
        number, speed = self.speed(name, (neuron,), scope, whole=True).as_coeff_Mul()
        return [number * Inner(slope, speed)] if number else []

    def _direction(self, variable: StateVariable, population: str, neuron: Tree, scope: Scope) -> Tree:
        """The Eulerian change of the argument: a function whose own arguments are left open."""
        below = self.writer.source(variable.key)
        dots = [DOT] * len(self.alphabet.states[below])
        if self.alphabet.manner is not Manner.GROUPED:
            letter = scope.letters[neuron, variable.key]
            return Change(Apply(letter, *dots) if dots else letter)
        return self._bar(variable.key, scope, neuron, self._own(variable.key, population), dots)

    def _bar(
        self, weight: str, scope: Scope, neuron: Tree, own: tuple[StateVariable, ...], arguments: list[Tree]
    ) -> Tree:
        variables = [scope.letters[neuron, variable.key] for variable in own]
        measures = self.writer.measures(self._measures(weight))
        return head(self.alphabet.bar(weight), *variables, *arguments, *measures)

    def _measures(self, weight: str) -> frozenset[str]:
        """The laws that the change of f depends on: those of its G and of everything that moves it."""
        found = self._laws(weight)
        for variable in self.alphabet.states[self.writer.source(weight)]:
            if variable.function:
                found |= self._measures(variable.key)
            elif self.trained(variable):
                found |= self._laws(variable.parameters[0])
        return found

    def _laws(self, name: str) -> frozenset[str]:
        """The laws that the speed of a variable depends on."""
        found: frozenset[str] = frozenset()
        for read in self._fields(name):
            field = self.system.field[read]
            quantity = _gradient_of(field.of) if field.role is Role.VELOCITY else Head(read)
            if quantity in self.writer.known:
                found |= self.writer.known[quantity].measures
        return found
