"""Numbers out of Eulerian equations: printed transport terms on explicit functions f of a neuron's state.

Every weight between two populations is given as a function of the state of its source,

    f_e(s; r) = a_e[r] + sum over variables v of s of tanh(s_v . M_{e,v})[r]

(r: the target neuron and further slots; a variable that is itself a function g is read at fixed places, which
are the states of the nodes below). Along the path of a node s the printed equation must give back the
velocity of the weight: d/dt f_e(s_t) = (d_t f_e)(s) + D f_e(s){ds/dt} = rate * G_e, where the labels in
ds/dt move by their velocity and a function g, read at fixed places, by its own Eulerian change (theory.md
A.6).
"""

from __future__ import annotations

import numpy as np
import sympy as sp

from mfderive.algebra.system import draw_noise
from mfderive.notation.letters import name_of
from mfderive.notation.measure_nodes import Apply, Change, Frechet, Gradient, Inner
from mfderive.notation.nodes import head_name
from mfderive.tensor.interpreter import interpret


class EulerianValues:
    """Evaluates the evolution equations of a measure form (not of the grouped manner)."""

    def __init__(self, form, state, t, seed=0):
        self.form, self.alphabet, self.t = form, form.alphabet, t
        self.system = draw_noise(form.system)
        self.rng = np.random.default_rng(seed)
        self.state = dict(state)
        self.rates = {name: float(rate.subs("t", t)) for name, rate in form.rates}
        self.source = {weight: source for weight, source, _ in self.alphabet.edges}
        self.target = {weight: target for weight, _, target in self.alphabet.edges}
        self.matrices, self.constants = {}, {}
        for weight in self.upwards():
            shape = self.by_node(weight, self.source[weight], self.state[weight]).shape
            self.constants[weight] = self.rng.normal(size=shape[1])
            for variable in self.alphabet.states[self.source[weight]]:
                width = self.read(variable, self.state).shape[1]
                scale = 1 / np.sqrt(width)
                self.matrices[weight, variable.key] = self.rng.normal(0, scale, (width, shape[1]))
            self.state[weight] = self.from_node(weight, self.value(weight, self.state))

    def upwards(self):
        """The weights between populations, those into lower populations first."""
        order = [axis.name for axis in self.system.populations]
        below = dict.fromkeys(order, 0)
        for _ in order:
            for weight, source in self.source.items():
                below[self.target[weight]] = max(below[self.target[weight]], below[source] + 1)
        return sorted(self.source, key=lambda weight: below[self.target[weight]])

    # ------------------------------------------------------------------ arrays [node, everything else]

    def by_node(self, name, population, array):
        """A parameter's array with the axis of one population in front and all others in one."""
        place = self.system.field[name].axes.index(population)
        return np.moveaxis(array, place, 0).reshape(array.shape[place], -1)

    def from_node(self, weight, array):
        """The parameter's own layout of an array [source node, everything else]."""
        place = self.system.field[weight].axes.index(self.source[weight])
        old = np.moveaxis(self.state[weight], place, 0).shape
        return np.moveaxis(array.reshape(old), 0, place)

    def read(self, variable, arrays):
        """A variable of the states of all nodes of its population: labels, or g at the nodes below."""
        name = variable.parameters[0]
        population = self.target[name] if variable.function else self.system.population_slots(name)[0]
        return self.by_node(name, population, arrays[name])

    def value(self, weight, arrays):
        """f_e at the nodes of its source [source node, everything else]."""
        variables = self.alphabet.states[self.source[weight]]
        nodes = self.by_node(weight, self.source[weight], self.state[weight]).shape[0]
        terms = [np.tanh(self.read(v, arrays) @ self.matrices[weight, v.key]) for v in variables]
        return np.repeat(self.constants[weight][None], nodes, axis=0) + sum(terms)

    # ------------------------------------------------------------------ the printed equations

    def velocities(self, x, y):
        """G of every parameter, without the rate."""
        values, _ = interpret(self.form.system, self.state, x, y)
        return {name: values[velocity] for name, velocity in self.system.velocity_of.items()}

    def changes(self, speeds):
        """d_t f_e in the parameter's layout, for every trained weight, from its printed equation."""
        found = {name: np.zeros_like(self.state[name]) for name in self.source}
        trees = dict(self.form.evolution)
        for weight in self.upwards():
            tree = trees.get(self.key(weight))
            if tree is None:
                assert self.system.parameter[weight].is_frozen
                continue
            right = self.learning(weight, tree.rhs, speeds)
            for term in sp.Add.make_args(tree.lhs):
                if not isinstance(term, Change):
                    right = right - self.transport(weight, term, speeds, found)
            found[weight] = self.from_node(weight, right)
        return found

    def key(self, weight):
        """The name of the equation of a weight's function."""
        return f"d {name_of(self.alphabet.variable_of(weight).letters[0])}"

    def factor(self, term):
        """(the product of the rates in a term, its other factor)."""
        factors = sp.Mul.make_args(term)
        rates = [self.rates[f.name] for f in factors if isinstance(f, sp.Symbol)]
        (other,) = [f for f in factors if not isinstance(f, sp.Symbol)]
        return float(np.prod(rates)), other

    def learning(self, weight, term, speeds):
        """rate * G [source node, everything else]."""
        rate, gradient = self.factor(term)
        assert head_name(gradient) == self.alphabet.gradient(weight)
        return rate * self.by_node(weight, self.source[weight], speeds[weight])

    def transport(self, weight, term, speeds, changes):
        """One printed transport term on the explicit function f_e [source node, everything else]."""
        rate, node = self.factor(term)
        state = self.alphabet.states[self.source[weight]]
        if isinstance(node, Inner):
            gradient, direction = node.args
            assert isinstance(gradient, Gradient)
            variable = state[max(int(gradient.args[1]) - 1, 0)]
            assert head_name(direction) == self.alphabet.gradient(variable.parameters[0])
            moved = self.read(variable, speeds)
        else:
            assert isinstance(node, Frechet) and isinstance(node.args[2], Change)
            variable = state[max(int(node.args[1]) - 1, 0)]
            inner = node.args[2].args[0]
            letter = inner.args[0] if isinstance(inner, Apply) else inner
            assert f"d {letter}" == self.key(variable.key)
            moved = self.read(variable, changes)
        matrix = self.matrices[weight, variable.key]
        slope = 1 - np.tanh(self.read(variable, self.state) @ matrix) ** 2
        return rate * slope * (moved @ matrix)

    # ------------------------------------------------------------------ along the path

    def errors(self, x, y, transport=True):
        """Weight -> (largest |d/dt f(s_t) - rate G|, largest |rate G|): by a complex step."""
        speeds = self.velocities(x, y)
        changes = self.changes(speeds)
        moving = {}
        for parameter in self.system.parameters:
            name = parameter.name
            rate = 0.0 if parameter.is_frozen else float(sp.sympify(parameter.rate).subs("t", self.t))
            if name in changes:
                moving[name] = changes[name]
            elif name in speeds:
                moving[name] = rate * speeds[name]
        step = 1e-30
        ahead = {**self.state, **{name: self.state[name] + 1j * step * v for name, v in moving.items()}}
        found = {}
        for weight in self.source:
            parameter = self.system.parameter[weight]
            if parameter.is_frozen:
                continue
            along = self.from_node(weight, self.value(weight, ahead).imag / step) if transport else 0.0
            wanted = float(sp.sympify(parameter.rate).subs("t", self.t)) * speeds[weight]
            error = float(np.max(np.abs(changes[weight] + along - wanted)))
            found[weight] = (error, float(np.max(np.abs(wanted))))
        return found
