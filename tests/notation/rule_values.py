"""Numbers out of the equations of learning rules: steps and flows as trees, and the Eulerian form under them.

Everything is held against the interpreter, which evaluates the equations of the system and knows no letters.
"""

from __future__ import annotations

import operator
from functools import reduce

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from mfderive.algebra.functions import FUNCTIONS, ClosedFunction
from mfderive.algebra.system import draw_noise
from mfderive.algebra.terms import Role
from mfderive.limit.apply_rule import CLIP_FIELD, NORM_FIELD
from mfderive.notation.measure_nodes import Apply, Frechet, Gradient, Inner, Square
from mfderive.notation.nodes import NORM, HeadKind, head_name
from mfderive.tensor.clock import Moment, clock_values, rate_at
from mfderive.tensor.interpreter import interpret

from .eulerian_values import EulerianValues
from .measure_values import MeasureValues
from .tree_values import TreeValues

MOMENT = Moment(t=0.5, alpha=0.25, k=3, seed=11)


def drawn(system, seed=7):
    """Random arrays for every variable (v holds means of squares: positive), a batch, and all sizes."""
    rng = np.random.default_rng(seed)
    plain = draw_noise(system)
    sizes = {axis.name: axis.size or 2 + number % 2 for number, axis in enumerate(plain.axes)}
    state = {v.name: rng.normal(size=[sizes[a] for a in v.axes]) for v in plain.variables}
    state = {n: abs(a) if plain.field[n].part == "v" else a for n, a in state.items()}
    state["p"] = {axis.name: np.full(sizes[axis.name], 1 / sizes[axis.name]) for axis in plain.populations}
    x, y = (rng.normal(size=[sizes[a] for a in plain.field[name].axes]) for name in "xy")
    return state, x, y, sizes


def interpreted(system, state, x, y, moment=MOMENT, **draws):
    """The values of all fields; ``draws`` replaces the fresh noise of every parameter by a number."""
    clock = clock_values(draw_noise(system), moment, state)
    if draws:
        fresh = {f.name for f in system.fields if f.role is Role.DRAW}
        clock = {n: np.full_like(v, draws["every"]) if n in fresh else v for n, v in clock.items()}
    return interpret(system, state, x, y, clock=clock)[0]


def speeds(system, values, t):
    """The derivative of every variable in time."""
    found = {}
    for variable in system.variables:
        name = variable.name
        if name in system.flow_of:
            found[name] = values[system.flow_of[name]]
        elif name in system.velocity_of:
            found[name] = rate_at(variable, t) * values[system.velocity_of[name]]
        else:
            found[name] = np.zeros_like(values[name])
    return found


class RuleTreeValues(TreeValues):
    """Evaluates display trees of steps and flows too."""

    def axes(self, name):
        return () if name == NORM else super().axes(name)

    def array(self, name):
        if name == NORM:
            return np.sqrt(self.values[NORM_FIELD])
        stands = self.builder.heads.get(name)
        tables = {HeadKind.NEXT: self.system.next_of, HeadKind.FLOW: self.system.flow_of}
        if stands is None or stands.kind not in tables:
            return super().array(name)
        axes = self.system.field[stands.field].axes
        single = tuple(k for k, axis in enumerate(axes) if axis in self.builder.single)
        return self.values[tables[stands.kind][stands.field]].squeeze(single)

    def places(self, left):
        """Every place of the left side of a step or a flow."""
        if isinstance(left, sp.Pow):
            return [{}]
        shape = [self.sizes[axis] for axis in self.axes(head_name(left))]
        return [dict(zip(left.args, numbers, strict=True)) for numbers in np.ndindex(*shape)]


class RuleEulerianValues(EulerianValues):
    """Evaluates the evolution equations of a measure form whose variables move by the flow of a rule."""

    def __init__(self, form, state, x, y, seed=0):
        super().__init__(form, state, MOMENT.t, seed)
        self.values = interpreted(form.system, self.state, x, y)
        self.speeds = speeds(self.system, self.values, self.t)
        states = [variable for state in self.alphabet.states.values() for variable in state]
        letters = {self.alphabet.register(letter): v for v in states for letter in v.letters}
        self.named = {name: variable.parameters[0] for name, variable in letters.items()}
        shared = [n for n in self.alphabet.variables if not self.system.population_slots(n)]
        self.named |= {self.alphabet.field(name): name for name in shared}

    def evaluate(self, tree, name):
        """An expression pointwise in one variable, its memories and its G, in the variable's own layout."""
        if isinstance(tree, Apply | AppliedUndef | sp.Symbol) and not isinstance(tree, ClosedFunction):
            return self.leaf(tree, name)
        if isinstance(tree, sp.Number):
            return float(tree)
        values = [self.evaluate(argument, name) for argument in tree.args]
        if isinstance(tree, ClosedFunction):
            return FUNCTIONS[type(tree).__name__].real(*values)
        if isinstance(tree, sp.Pow):
            return values[0] ** values[1]
        assert isinstance(tree, sp.Add | sp.Mul), tree
        return reduce(operator.add if isinstance(tree, sp.Add) else operator.mul, values)

    def leaf(self, tree, name):
        parameter = self.system.parameter_of[name]
        shown = (
            head_name(tree) if isinstance(tree, AppliedUndef) else str(tree.args[0] if tree.args else tree)
        )
        if shown == self.alphabet.gradient(parameter):
            return self.values[self.system.velocity_of[parameter]]
        if shown == self.alphabet.clip:
            return self.values[CLIP_FIELD]
        if shown in self.rates:
            return self.rates[shown]
        found = self.named[shown.rstrip("'")]
        assert self.system.parameter_of[found] == parameter
        return self.values[found]

    def learning(self, weight, term, speeds):
        return self.by_node(weight, self.source[weight], self.evaluate(term, weight))

    def transport(self, weight, term, speeds, changes):
        """One printed transport term on the explicit function f_e [source node, everything else]."""
        (node,) = [f for f in sp.Mul.make_args(term) if isinstance(f, Inner | Frechet)]
        scale = self.evaluate(term / node, weight)
        state = self.alphabet.states[self.source[weight]]
        place = node.args[0].args[1] if isinstance(node, Inner) else node.args[1]
        variable = state[max(int(place) - 1, 0)]
        if isinstance(node, Inner):
            assert isinstance(node.args[0], Gradient)
            moved = self.read(variable, {variable.key: self.evaluate(node.args[1], variable.key)})
        else:
            moved = self.read(variable, changes)
        matrix = self.matrices[weight, variable.key]
        slope = 1 - np.tanh(self.read(variable, self.state) @ matrix) ** 2
        return scale * slope * (moved @ matrix)

    def along(self, carried=True):
        """Function -> (largest |d/dt f(s_t) - its speed|, largest |speed|), by a complex step."""
        changes = self.changes(self.speeds)
        moving = {**self.speeds, **changes}
        step = 1e-30
        ahead = {n: a + 1j * step * moving[n] for n, a in self.state.items() if n in moving}
        found = {}
        for weight in self.source:
            along = self.from_node(weight, self.value(weight, ahead).imag / step) if carried else 0.0
            error = changes[weight] + along - self.speeds[weight]
            found[weight] = (float(np.max(np.abs(error))), float(np.max(np.abs(self.speeds[weight]))))
        return found

    def value(self, weight, arrays):
        return super().value(weight, {**self.state, **arrays})


class RuleMeasureValues(MeasureValues):
    """Evaluates the norm of all gradients and the factor of clipping too."""

    def evaluate(self, node, place):
        if isinstance(node, Square):
            return float(np.sum(np.square(self.evaluate(node.args[0], place))))
        if isinstance(node, AppliedUndef) and head_name(node) == NORM:
            return float(np.sqrt(self.values[NORM_FIELD]))
        if isinstance(node, AppliedUndef) and head_name(node) == self.alphabet.clip:
            return float(self.values[CLIP_FIELD])
        return super().evaluate(node, place)

    def places(self, left):
        """The norm and the factor of clipping have no arguments but laws."""
        scalar = isinstance(left, sp.Pow) or head_name(left) == self.alphabet.clip
        return [{}] if scalar else super().places(left)
