"""Measure notation: the paper's rho_l, f_l and integrals, generated from the equations of a system.

The display trees are rewritten: labels become the variables of a neuron's state, means over a population
become integrals over its law, a dense weight becomes a function on the states of its source. Which
arguments a quantity has is found by following what it depends on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from ..algebra.terms import Equation, Role
from .alphabet import Alphabet, Manner, NameKind, StateKind, StateVariable
from .dependence import DependenceTracker, has_vectors
from .letters import Letter, free_letter, name_of
from .measure_nodes import LOSS_DERIVATIVE, Apply, Inner, Integral, Square
from .nodes import FIRST_MAXIMUM, NORM, RESIDUAL, Activation, Head, HeadKind, Mean, Sum, head, head_name
from .sigma import SigmaWriter, UngroupedError
from .tree import TreeBuilder

Tree = Any
_Z = sp.Symbol("z")


@dataclass
class Scope:
    """The neurons in scope of an equation and the letters of their variables."""

    letters: dict[tuple[Tree, str], Tree] = field(default_factory=dict)
    neurons: int = 0
    # The parameter with respect to which the tree is a derivative (section 3.2's gradient in theta).
    component: str | None = None

    @property
    def taken(self) -> set[str]:
        """The names in use."""
        return {symbol.name for symbol in self.letters.values()}


class MeasureWriter(DependenceTracker):
    """Rewrites the display trees of one system in one manner of measure notation."""

    def __init__(self, builder: TreeBuilder, manner: Manner) -> None:
        super().__init__(Alphabet(builder, manner))
        self.sigma = SigmaWriter(self.alphabet)
        self.backward_trees: dict[str, Tree] = {}
        self.rest: dict[str, tuple[Tree, ...]] = {}
        # The index of the inputs where w and x are written as vectors without it.
        inputs = (
            {sp.Symbol(name_of(self.builder.letters.index("inputs")))} if has_vectors(self.system) else ()
        )
        self.vectors: frozenset[Tree] = frozenset(inputs)

    # ------------------------------------------------------------------ letters of variables

    def enter(
        self, scope: Scope, neuron: Tree, variables: tuple[StateVariable, ...], number: Letter | None = None
    ) -> list[Tree]:
        """Give letters to variables of one neuron; none is used twice in an equation.

        ``number``: the layer's number, where section 3.2 writes theta_l and f_l.
        """
        result = []
        for variable in variables:
            candidates = list(variable.letters)
            if variable.function and self.alphabet.manner is Manner.GROUPED:
                candidates = candidates[:1] if scope.neurons == 0 else candidates[1:]
            if number is not None and variable.kind is not StateKind.WEIGHT:
                candidates = [Letter(variable.letters[0].base, (number,))]
            free = [letter for letter in candidates if name_of(letter) not in scope.taken]
            letter = free_letter(free[0] if free else candidates[-1], scope.taken)
            symbol = sp.Symbol(self.alphabet.register(letter, NameKind.VARIABLE))
            scope.letters[neuron, variable.key] = symbol
            result.append(symbol)
        scope.neurons += 1
        return result

    def source(self, weight: str) -> str:
        """The population that a weight reads (or the one of which something is remembered)."""
        return next(source for name, source, _ in self.alphabet.edges if name == weight)

    def scope(self, quantity: Head, component: str | None = None) -> Scope:
        """The letters of the free neurons of a quantity, for its left side."""
        scope = Scope(component=component)
        for neuron in self.slots[quantity]:
            own = {key for symbol, key in self.known[quantity].own if symbol == neuron}
            state = self.alphabet.states[self.population(neuron) or ""]
            self.enter(scope, neuron, tuple(v for v in state if v.key in own))
        return scope

    # ------------------------------------------------------------------ rewriting

    def value(self, quantity: Head, shown: str, neurons: Any, rest: Any, scope: Scope) -> Tree:
        """A quantity with its arguments: variables, other slots; x (and y); laws."""
        known = self.known[quantity]
        arguments: list[Tree] = []
        for slot, neuron in zip(self.slots[quantity], neurons, strict=True):
            own = {key for symbol, key in known.own if symbol == slot}
            state = self.alphabet.states[self.population(slot) or ""]
            arguments += [scope.letters[neuron, v.key] for v in state if v.key in own]
        data = [sp.Symbol(letter) for letter in ("x", "y") if letter in known.data]
        return head(shown, *arguments, *rest, *data, *self.measures(known.measures))

    def measures(self, populations: frozenset[str]) -> list[Tree]:
        """The laws of populations, from below upwards; neurons without a state have none."""
        order = [axis.name for axis in self.system.populations if self.alphabet.states[axis.name]]
        return [sp.Symbol(self.alphabet.measure(name)) for name in order if name in populations]

    def rewrite(self, node: Tree, scope: Scope) -> Tree:
        """A display tree in measure notation."""
        if isinstance(node, Mean):
            return self._mean(node, scope)
        if isinstance(node, Sum):
            return self._sum(node, scope)
        if isinstance(node, sp.Mul):
            folded = self.sigma.fold(node, scope.component)
            if folded is not None:
                activation, others = folded
                shown = self._activation(activation, scope, folded=True)
                return sp.Mul(shown, *[self.rewrite(factor, scope) for factor in others])
        if isinstance(node, Activation):
            return self._activation(node, scope, folded=False)
        if isinstance(node, AppliedUndef) and head_name(node) != FIRST_MAXIMUM:
            return self._head(node, scope)
        if not node.args:
            return node
        return node.func(*[self.rewrite(argument, scope) for argument in node.args])

    def _activation(self, node: Activation, scope: Scope, folded: bool) -> Tree:
        shown, wanted = self.sigma.name(node, scope.component, folded)
        if wanted is None:
            return head(shown, *[self.rewrite(argument, scope) for argument in node.arguments])
        population, pre_activation = wanted
        neuron = next(iter(self.neurons(pre_activation.args)))
        arguments = [
            scope.letters[neuron, v.key]
            for v in self.alphabet.states[population]
            if v.kind is StateKind.THETA
        ]
        return head(shown, *arguments, self.rewrite(pre_activation, scope))

    def _mean(self, node: Mean, scope: Scope) -> Tree:
        neurons = self.neurons(node.indices)
        if not neurons:
            return Mean(self.rewrite(node.body, scope), *node.indices)
        inner = Scope(dict(scope.letters), scope.neurons, scope.component)
        bound = []
        for neuron in neurons:
            population = self.population(neuron) or ""
            self.enter(inner, neuron, self.alphabet.states[population])
            order = self.alphabet.measured(population)
            bound.append((population, [inner.letters[neuron, v.key] for v in order]))
        tree = self.rewrite(node.body, inner)
        for population, names in reversed(bound):
            if not names:
                continue  # neurons without any parameter are all the same
            tree = Integral(tree, *names, sp.Symbol(self.alphabet.measure(population)))
        return tree

    def _sum(self, node: Sum, scope: Scope) -> Tree:
        factors = sp.Mul.make_args(node.body)
        if len(node.indices) == 1 and set(node.indices) <= self.vectors and len(factors) == 2:
            ordered = sorted(factors, key=lambda factor: head_name(factor) == "x")
            return Inner(*[self.rewrite(factor, scope) for factor in ordered])
        if set(node.indices) & self.vectors and isinstance(node.body, sp.Pow | Square):
            squared = Square(self.rewrite(node.body.args[0], scope))
            return Sum(squared, *[index for index in node.indices if index not in self.vectors])
        return Sum(self.rewrite(node.body, scope), *node.indices)

    def _head(self, node: Tree, scope: Scope) -> Tree:
        name = head_name(node)
        neurons = self.neurons(node.args)
        rest = [a for a in node.args if a not in neurons and a != _Z and a not in self.vectors]
        if name == RESIDUAL:
            yhat = self.value(Head("yhat"), self.alphabet.field("yhat"), (), (), scope)
            return head(LOSS_DERIVATIVE, sp.Symbol("y"), yhat)
        if name == NORM:
            return head(NORM)
        if name in ("x", "y"):
            return head(name, *rest) if rest else sp.Symbol(name)
        if name in self.system.parameter:
            return self._parameter(name, neurons, rest, scope)
        stands = self.builder.heads[name]
        if stands.kind is HeadKind.VALUE:
            return self.value(stands, self.alphabet.field(name), neurons, rest, scope)
        if stands.kind is HeadKind.GRADIENT:
            return self.value(stands, self.alphabet.gradient(stands.field), neurons, rest, scope)
        return self.value(stands, self.alphabet.adjoint(stands.field, stands.kind), neurons, rest, scope)

    def _parameter(self, name: str, neurons: list[Tree], rest: list[Tree], scope: Scope) -> Tree:
        if not neurons:
            shown = sp.Symbol(self.alphabet.field(name))
            return Apply(shown, *rest) if rest else shown
        self.sigma.check_parameter(name)
        shown = scope.letters[neurons[0], self.alphabet.variable_of(name).key]
        if len(neurons) == 2:
            state = self.alphabet.states[self.population(neurons[1]) or ""]
            rest = [*(scope.letters[neurons[1], v.key] for v in state), *rest]
        return Apply(shown, *rest) if rest else shown

    # ------------------------------------------------------------------ equations

    def visible(self, equations: tuple[Equation, ...]) -> Iterator[tuple[str, Equation]]:
        """Field -> its equation (or its adjoint's), for fields that are not written out elsewhere."""
        for equation in equations:
            name = self.system.field[equation.field].of or equation.field
            loss = name in self.builder.letters.loss_path
            if not loss and not self.builder.letters.is_hidden(self.system.field[name]):
                yield name, equation

    def forward(self) -> Iterator[tuple[str, Tree]]:
        """H, statistics and the output (Eq. 16, 39)."""
        for name, equation in self.visible(self.system.forward):
            tree = self.builder.equation(equation)
            self.learn(Head(name), tree.lhs.args, tree.rhs)
            yield name, self._equation(Head(name), self.alphabet.field(name), tree)

    def backward(self) -> Iterator[tuple[str, Tree]]:
        """Delta (or D) of every visible field (Eq. 18, 20)."""
        for name, equation in self.visible(self.system.backward):
            tree = self.builder.equation(equation)
            if head_name(tree.lhs) == RESIDUAL:
                continue
            self.backward_trees[name] = tree
            quantity = self.builder.heads[head_name(tree.lhs)]
            self.learn(quantity, tree.lhs.args, tree.rhs)
            yield name, self._equation(quantity, self.alphabet.adjoint(name, quantity.kind), tree)

    def _equation(self, quantity: Head, shown: str, tree: Tree, component: str | None = None) -> Tree:
        scope = self.scope(quantity, component)
        rest = self._rest(quantity, tree.lhs.args)
        left = self.value(quantity, shown, self.slots[quantity], rest, scope)
        return sp.Eq(left, self.rewrite(tree.rhs, scope), evaluate=False)

    def _rest(self, quantity: Head, slots: Any) -> tuple[Tree, ...]:
        """The slots that are neither neurons nor the data nor components of a vector."""
        neurons = self.slots[quantity]
        return tuple(a for a in slots if a not in neurons and a != _Z and a not in self.vectors)

    def evolved(self) -> Iterator[tuple[str, Tree]]:
        """Trained parameters with the display tree of their G."""
        for equation in self.system.evolution:
            yield self.system.field[equation.field].of, self.builder.equation(equation)

    def derivative(self, parameter: str, tree: Tree) -> Tree | None:
        """Delta of a parameter (Eq. 17, 19, 21): the integrand of G without the residual."""
        if not self.builder.outside:
            return None
        residual = head(RESIDUAL, _Z)
        inside = []
        for term in sp.Add.make_args(tree.rhs):
            number, mean = term.as_coeff_Mul()
            if not isinstance(mean, Mean) or mean.indices != (_Z,) or not mean.body.has(residual):
                return None
            inside.append(-number * mean.body.xreplace({residual: sp.Integer(1)}))
        slots = (*tree.lhs.args, _Z)
        left = head(Head(parameter, HeadKind.DERIVATIVE), *slots)
        return sp.Eq(left, sp.Add(*inside), evaluate=False)

    def gradient(self, parameter: str, tree: Tree) -> Tree:
        """G of a parameter: minus the average of the residual times Delta."""
        gradient = Head(parameter, HeadKind.GRADIENT)
        self.learn(gradient, tree.lhs.args, tree.rhs)
        self.rest[parameter] = self._rest(gradient, tree.lhs.args)
        derivative = self.derivative(parameter, tree)
        if derivative is None:
            return self._equation(gradient, self.alphabet.gradient(parameter), tree)
        scope = self.scope(gradient)
        rest = self.rest[parameter]
        left = self.value(gradient, self.alphabet.gradient(parameter), self.slots[gradient], rest, scope)
        delta = Head(parameter, HeadKind.DERIVATIVE)
        inner = self.value(delta, self.alphabet.delta(parameter), self.slots[delta], rest, scope)
        residual = self._head(head(RESIDUAL, _Z), scope)
        return sp.Eq(left, -Mean(residual * inner, _Z), evaluate=False)

    def clipping(self) -> Iterator[Tree]:
        """The norm of all gradients and the factor of clipping, where the learning rule clips."""
        for equation in self.system.motion:
            if self.system.field[equation.field].role is not Role.MOTION:
                continue
            tree = self.builder.equation(equation)
            quantity = Head(NORM) if isinstance(tree.lhs, sp.Pow) else Head(equation.field)
            self.learn(quantity, (), tree.rhs)
            right = tree.rhs
            if self.alphabet.manner is Manner.GROUPED:  # the parameters of a theta have one G
                squares = {p: Square(p.base) for p in right.atoms(sp.Pow) if isinstance(p.base, AppliedUndef)}
                right = right.xreplace(squares)
            terms = dict.fromkeys(self.rewrite(term, Scope()) for term in sp.Add.make_args(right))
            left = tree.lhs
            if quantity.field == equation.field:
                left = self.value(quantity, self.alphabet.field(equation.field), (), (), Scope())
            yield sp.Eq(left, sp.Add(*terms), evaluate=False)

    def delta(self, parameter: str, derivative: Tree) -> Tree:
        """The equation that defines Delta of a parameter; a part of theta gives the gradient in theta."""
        quantity = Head(parameter, HeadKind.DERIVATIVE)
        slots = self.system.population_slots(parameter)
        component = parameter if len(slots) == 1 and parameter in self.sigma.theta(slots[0]) else None
        if component is not None:
            derivative = derivative.func(
                derivative.lhs, self._written_out(derivative.rhs, slots[0]), evaluate=False
            )
        self.learn(quantity, derivative.lhs.args, derivative.rhs)
        return self._equation(quantity, self.alphabet.delta(parameter), derivative, component)

    def _written_out(self, tree: Tree, layer: str) -> Tree:
        """Delta of the layer's own pre-activation by its equation, to see the gradient in theta."""
        field = self.builder.letters.preactivation(layer)
        for value in tree.atoms(AppliedUndef):
            if head_name(value) == Head(field, HeadKind.DELTA).name:
                known = self.backward_trees[field]
                if value.args != known.lhs.args:
                    raise UngroupedError(layer)
                tree = tree.xreplace({value: known.rhs})
        return tree
