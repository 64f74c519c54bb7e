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

from ..algebra.system import ADJOINT_PREFIX, VELOCITY_PREFIX
from ..algebra.terms import Equation
from .alphabet import Alphabet, Manner, StateVariable
from .dependence import DependenceTracker, has_vectors
from .letters import Letter, name_of
from .measure_nodes import Apply, Inner, Integral
from .nodes import (
    ADJOINT_HEAD_PREFIX,
    DELTA_PREFIX,
    FIRST_MAXIMUM,
    GRADIENT_PREFIX,
    RESIDUAL,
    Activation,
    Mean,
    Sum,
    head,
    head_name,
)
from .sigma import SigmaWriter, UngroupedError
from .tree import TreeBuilder

Tree = Any
_Z = sp.Symbol("z")
DELTA_KEY = "derivative "


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
        self.vectors = {"i"} if has_vectors(self.system) else set()

    # ------------------------------------------------------------------ letters of variables

    def enter(
        self, scope: Scope, neuron: Tree, variables: tuple[StateVariable, ...], number: Letter | None = None
    ) -> list[Tree]:
        """Give letters to variables of one neuron; none is used twice in an equation.

        ``number``: the layer's number, where section 3.2 writes theta_l and f_l.
        """
        result = []
        for variable in variables:
            candidates = [name_of(letter) for letter in variable.letters]
            if variable.function and self.alphabet.manner is Manner.GROUPED:
                candidates = candidates[:1] if scope.neurons == 0 else candidates[1:]
            if number is not None and variable.letters[0] != Letter("w"):
                candidates = [name_of(Letter(variable.letters[0].base, (number,)))]
            free = [name for name in candidates if name not in scope.taken]
            name = free[0] if free else candidates[-1]
            while name in scope.taken:
                name += "'"
            scope.letters[neuron, variable.key] = sp.Symbol(name)
            result.append(sp.Symbol(name))
        scope.neurons += 1
        return result

    def scope(self, name: str, component: str | None = None) -> Scope:
        """The letters of the free neurons of a quantity, for its left side."""
        scope = Scope(component=component)
        for neuron in self.slots[name]:
            own = {key for symbol, key in self.known[name].own if symbol == neuron}
            state = self.alphabet.states[self.population(neuron) or ""]
            self.enter(scope, neuron, tuple(v for v in state if v.key in own))
        return scope

    # ------------------------------------------------------------------ rewriting

    def value(self, name: str, shown: str, neurons: Any, rest: Any, scope: Scope) -> Tree:
        """A quantity with its arguments: variables, other slots; x (and y); laws."""
        known = self.known[name]
        arguments: list[Tree] = []
        for place, neuron in zip(self.slots[name], neurons, strict=True):
            own = {key for symbol, key in known.own if symbol == place}
            state = self.alphabet.states[self.population(place) or ""]
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
            scope.letters[neuron, v.key] for v in self.alphabet.states[population] if v.letters[0].base == "θ"
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
        names = [index.name for index in node.indices]
        if len(names) == 1 and set(names) <= self.vectors and len(factors) == 2:
            ordered = sorted(factors, key=lambda factor: head_name(factor) == "x")
            return Inner(*[self.rewrite(factor, scope) for factor in ordered])
        return Sum(self.rewrite(node.body, scope), *node.indices)

    def _head(self, node: Tree, scope: Scope) -> Tree:
        name = head_name(node)
        neurons = self.neurons(node.args)
        rest = [a for a in node.args if a not in neurons and a != _Z and str(a) not in self.vectors]
        if name == RESIDUAL:
            yhat = self.value("yhat", self.alphabet.field("yhat"), (), (), scope)
            return head("∂_2 L", sp.Symbol("y"), yhat)
        if name in ("x", "y"):
            return head(name, *rest) if rest else sp.Symbol(name)
        if name in self.system.parameter:
            return self._parameter(name, neurons, rest, scope)
        for prefix, sign in ((DELTA_PREFIX, "Δ"), (ADJOINT_HEAD_PREFIX, "D")):
            if name.startswith(prefix):
                shown = self.alphabet.adjoint(name.removeprefix(prefix), sign)
                return self.value(name, shown, neurons, rest, scope)
        return self.value(name, self.alphabet.field(name), neurons, rest, scope)

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

    def visible(self, equations: tuple[Equation, ...], prefix: str = "") -> Iterator[tuple[str, Equation]]:
        """Equations of fields that are not written out elsewhere."""
        for equation in equations:
            name = equation.field.removeprefix(prefix)
            loss = name in self.builder.letters.loss_path
            if not loss and not self.builder.letters.is_hidden(self.system.field[name]):
                yield name, equation

    def forward(self) -> Iterator[tuple[str, Tree]]:
        """H, statistics and the output (Eq. 16, 39)."""
        for name, equation in self.visible(self.system.forward):
            tree = self.builder.equation(equation)
            self.learn(name, tree.lhs.args, tree.rhs)
            yield name, self._equation(name, self.alphabet.field(name), tree)

    def backward(self) -> Iterator[tuple[str, Tree]]:
        """Delta (or D) of every visible field (Eq. 18, 20)."""
        for name, equation in self.visible(getattr(self.system, "backward", ()), ADJOINT_PREFIX):
            tree = self.builder.equation(equation)
            if head_name(tree.lhs) == RESIDUAL:
                continue
            self.backward_trees[name] = tree
            key = head_name(tree.lhs)
            self.learn(key, tree.lhs.args, tree.rhs)
            sign = "Δ" if self.builder.outside else "D"
            yield name, self._equation(key, self.alphabet.adjoint(name, sign), tree)

    def _equation(self, key: str, shown: str, tree: Tree, component: str | None = None) -> Tree:
        scope = self.scope(key, component)
        rest = self._rest(key, tree.lhs.args)
        left = self.value(key, shown, self.slots[key], rest, scope)
        return sp.Eq(left, self.rewrite(tree.rhs, scope), evaluate=False)

    def _rest(self, key: str, slots: Any) -> tuple[Tree, ...]:
        """The slots that are neither neurons nor the data nor components of a vector."""
        return tuple(a for a in slots if a not in self.slots[key] and a != _Z and str(a) not in self.vectors)

    def evolved(self) -> Iterator[tuple[str, Tree]]:
        """Trained parameters with the display tree of their G."""
        for equation in getattr(self.system, "evolution", ()):
            yield equation.field.removeprefix(VELOCITY_PREFIX), self.builder.equation(equation)

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
        return sp.Eq(head(DELTA_KEY + parameter, *slots), sp.Add(*inside), evaluate=False)

    def gradient(self, parameter: str, tree: Tree) -> Tree:
        """G of a parameter: minus the average of the residual times Delta."""
        key = GRADIENT_PREFIX + parameter
        self.learn(key, tree.lhs.args, tree.rhs)
        self.rest[parameter] = self._rest(key, tree.lhs.args)
        derivative = self.derivative(parameter, tree)
        if derivative is None:
            return self._equation(key, self.alphabet.gradient(parameter), tree)
        scope = self.scope(key)
        rest = self.rest[parameter]
        left = self.value(key, self.alphabet.gradient(parameter), self.slots[key], rest, scope)
        delta = DELTA_KEY + parameter
        inner = self.value(delta, self.alphabet.delta(parameter), self.slots[delta], rest, scope)
        residual = self._head(head(RESIDUAL, _Z), scope)
        return sp.Eq(left, -Mean(residual * inner, _Z), evaluate=False)

    def delta(self, parameter: str, derivative: Tree) -> Tree:
        """The equation that defines Delta of a parameter; a part of theta gives the gradient in theta."""
        key = DELTA_KEY + parameter
        slots = self.system.population_slots(parameter)
        component = parameter if len(slots) == 1 and parameter in self.sigma.theta(slots[0]) else None
        if component is not None:
            derivative = derivative.func(
                derivative.lhs, self._written_out(derivative.rhs, slots[0]), evaluate=False
            )
        self.learn(key, derivative.lhs.args, derivative.rhs)
        return self._equation(key, self.alphabet.delta(parameter), derivative, component)

    def _written_out(self, tree: Tree, layer: str) -> Tree:
        """Delta of the layer's own pre-activation by its equation, to see the gradient in theta."""
        name = DELTA_PREFIX + layer
        for value in tree.atoms(AppliedUndef):
            if head_name(value) == name:
                known = self.backward_trees[layer]
                if value.args != known.lhs.args:
                    raise UngroupedError(layer)
                tree = tree.xreplace({value: known.rhs})
        return tree
