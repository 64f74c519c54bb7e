"""The Eulerian form: d/dt of a neuron's variables, and the transport equations of the functions f.

Along its path a source neuron moves, so that the function f, read at a fixed argument, changes by the
learning of the weight minus transport (Eq. 23; theory A.6 with the corrections H1 to H5): rates stand in
the transport terms too, and in deeper layers the derivative of f acts on the Eulerian change of its
argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy as sp

from .alphabet import Manner, StateVariable
from .letters import Letter
from .measure import MeasureWriter, Scope
from .measure_nodes import DOT, Apply, Change, Frechet, Gradient, Inner, Rate
from .nodes import Head, HeadKind, head

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
        return any(not self.system.parameter[name].is_frozen for name in variable.parameters)

    def equations(self) -> Iterator[tuple[str, Tree]]:
        """All evolution equations, from below upwards."""
        for population in self.system.populations:
            for variable in self.alphabet.measured(population.name):
                if self.trained(variable) and not variable.function:
                    yield variable.key, self._label(population.name, variable)
                elif self.trained(variable):
                    yield from self._function(population.name, variable)
        for parameter in self.system.parameters:
            if not self.system.population_slots(parameter.name) and not parameter.is_frozen:
                symbol = sp.Symbol(self.alphabet.field(parameter.name))
                value = self._gradient(parameter.name, (), Scope())
                left = Rate(self._component(parameter.name, symbol))
                yield parameter.name, sp.Eq(left, self.rate(parameter.name) * value, evaluate=False)

    def _gradient(self, parameter: str, neurons: tuple[Tree, ...], scope: Scope, whole: bool = False) -> Tree:
        """G at a position or tap; ``whole``: G as a vector over all of them."""
        rest = () if whole else self.writer.rest[parameter]
        return self.writer.value(
            _gradient_of(parameter), self.alphabet.gradient(parameter), neurons, rest, scope
        )

    def _component(self, parameter: str, symbol: Tree) -> Tree:
        rest = self.writer.rest[parameter]
        return Apply(symbol, *rest) if rest else symbol

    def _number(self, population: str) -> Letter | None:
        return self.alphabet.number(population) if self.alphabet.manner is Manner.GROUPED else None

    def _label(self, population: str, variable: StateVariable) -> Tree:
        scope = Scope()
        self.writer.enter(scope, _TARGET, self.alphabet.states[population], self._number(population))
        parameter = variable.parameters[0]
        value = self.rate(parameter) * self._gradient(parameter, (_TARGET,), scope)
        left = self._component(parameter, scope.letters[_TARGET, variable.key])
        return sp.Eq(Rate(left), value, evaluate=False)

    def _function(self, population: str, variable: StateVariable) -> Iterator[tuple[str, Tree]]:
        weight = variable.key
        source = next(edge[1] for edge in self.alphabet.edges if edge[0] == weight)
        own = self._own(weight, population)
        scope, value, arguments = self._ends(own, weight, source)
        learning = self.rate(weight) * self._gradient(weight, (_TARGET, _SOURCE), scope)
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
        slots = (*arguments, *self.writer.rest[weight])
        letter = scope.letters[_TARGET, weight]
        return scope, Apply(letter, *slots) if slots else letter, arguments

    def _own(self, weight: str, population: str) -> tuple[StateVariable, ...]:
        """The target's variables on which the change of f depends: those of G, and f itself."""
        known = self.writer.known[_gradient_of(weight)]
        target = self.writer.slots[_gradient_of(weight)][0]
        keys = {key for symbol, key in known.own if symbol == target} | {weight}
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
            parameter = variable.parameters[0]
            gradient = self._gradient(parameter, (neuron,), scope, whole=True)
            terms.append(self.rate(parameter) * Inner(Gradient(value, position), gradient))
        return terms

    def _direction(self, variable: StateVariable, population: str, neuron: Tree, scope: Scope) -> Tree:
        """The Eulerian change of the argument: a function whose own arguments are left open."""
        below = next(edge[1] for edge in self.alphabet.edges if edge[0] == variable.key)
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
        found: frozenset[str] = self.writer.known[_gradient_of(weight)].measures
        source = next(edge[1] for edge in self.alphabet.edges if edge[0] == weight)
        for variable in self.alphabet.states[source]:
            if variable.function:
                found |= self._measures(variable.key)
            elif self.trained(variable):
                found |= self.writer.known[_gradient_of(variable.parameters[0])].measures
        return found
