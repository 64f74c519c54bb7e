"""Numbers out of measure notation: every printed equation must hold for the particles of a weighted ensemble.

A letter of a neuron's state stands for one node of its population, an integral for the weighted sum over all
nodes, f(s) for the entry of the weight between two nodes. Equations are evaluated by brute force and compared
with what the plain interpreter computes.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from mfderive.algebra.functions import FUNCTIONS, ClosedFunction
from mfderive.algebra.system import draw_noise
from mfderive.algebra.terms import AxisKind
from mfderive.notation.alphabet import NameKind
from mfderive.notation.letters import Letter, Letters, name_of
from mfderive.notation.measure_nodes import LOSS_DERIVATIVE, Apply, Inner, Integral
from mfderive.notation.nodes import FIRST_MAXIMUM, Activation, Indicator, Maximum, Mean, Sum, head_name
from mfderive.notation.sigma import SigmaWriter

Z = sp.Symbol("z")
X = sp.Symbol("x")
_INDEX = Letters.index


class OutsideError(Exception):
    """A value was read at a position outside of its range: it counts as 0."""


def telling_names(letters, axis_name):
    """Stands for ``Letters.index``: an index over a finite axis carries the axis's name."""
    if letters.system.axis[axis_name].kind is AxisKind.FINITE and axis_name != "inputs":
        return Letter("e", (Letter(f"<{axis_name}>"),))
    return _INDEX(letters, axis_name)


class MeasureValues:
    """Evaluates the trees of a measure form (not of the grouped manner) on given arrays of all fields."""

    def __init__(self, form, values, weights, sizes):
        self.form, self.values, self.weights, self.sizes = form, values, weights, sizes
        self.alphabet = form.alphabet
        self.builder = form.alphabet.builder
        self.system = draw_noise(form.system)
        self.variables = {
            name_of(letter): (population, variable)
            for population, state in self.alphabet.states.items()
            for variable in state
            for letter in variable.letters
        }
        self.scalars = {
            self.alphabet.field(p.name): p.name
            for p in self.system.parameters
            if not self.system.population_slots(p.name)
        }
        self.arrays = dict(self._arrays())
        self.activations = dict(self._activations())
        self.defined = dict(form.equations)
        self.vectors = {"i"} if any(form_has_inner(tree) for _, tree in form.forward) else set()

    def _arrays(self):
        """Shown name of a quantity -> (its field, its array): fields, adjoints, gradients."""
        for equation in self.system.forward:
            yield self.alphabet.field(equation.field), (equation.field, self.values[equation.field])
        sign = "Δ" if self.builder.outside else "D"
        for equation in self.system.backward:
            name = self.system.field[equation.field].of
            array = self.values[equation.field]
            if self.builder.outside and name not in self.builder.letters.loss_path:
                residual = self.values[self.system.adjoint_of["yhat"]].reshape(-1)
                array = array / residual.reshape(-1, *[1] * (array.ndim - 1))
            yield self.alphabet.adjoint(name, sign), (name, array)
        for equation in self.system.evolution:
            name = self.system.field[equation.field].of
            yield self.alphabet.gradient(name), (name, self.values[equation.field])

    def _activations(self):
        sigma = SigmaWriter(self.alphabet)
        for name, shape in self.builder.activations.items():
            for derivative in range(2 if shape.function is not None else len(shape.symbols) + 1):
                node = Activation(sp.Symbol(name), derivative, *shape.symbols)
                yield sigma.name(node, None, False)[0], (shape, derivative)

    # ------------------------------------------------------------------ places

    def variable(self, symbol):
        """(population, variable) of a letter, primes aside."""
        return self.variables.get(symbol.name.rstrip("'"))

    def axes(self, name):
        """The axes of a field or parameter, without those of size 1."""
        return [a for a in self.system.field[name].axes if a not in self.builder.single]

    def finite(self, name):
        """The finite axes that stand in trees."""
        return [
            a
            for a in self.axes(name)
            if self.system.axis[a].kind is AxisKind.FINITE and not ("i" in self.vectors and a == "inputs")
        ]

    def rest(self, node):
        """The slots of an application that are neither neurons nor the data nor laws."""
        arguments = node.args[1:] if isinstance(node, Apply) else node.args
        return [
            a
            for a in arguments
            if not isinstance(a, sp.Symbol)
            or (
                self.variable(a) is None
                and a.name not in ("x", "y")
                and self.alphabet.kind_of(a.name) is not NameKind.LAW
            )
        ]

    def field_of(self, node):
        """The field whose finite axes the rest of an application's slots belong to, if there is one."""
        if isinstance(node, Apply):
            found = self.variable(node.args[0])
            return found[1].parameters[0] if found else self.scalars[node.args[0].name]
        name = head_name(node)
        if name in ("x", "y"):
            return name
        if name in self.arrays:
            return self.arrays[name][0]
        for parameter in self.system.parameters:
            if name == self.alphabet.delta(parameter.name):
                return parameter.name
        return None

    def size(self, symbol):
        """Over how many numbers an index runs (under :func:`telling_names`)."""
        name = symbol.name.rstrip("'")
        return self.sizes["inputs" if name == "i" else name.removeprefix("e_").strip("<>")]

    # ------------------------------------------------------------------ values

    def evaluate(self, node, place):
        """The value of a tree; ``place``: letter -> (population, node), index -> number, z -> sample."""
        if isinstance(node, sp.Number) or node is sp.pi:
            return float(node)
        if isinstance(node, sp.Symbol):
            return self.symbol(node, place)
        if isinstance(node, Integral | Mean | Sum | Maximum):
            return self.reduced(node, place)
        if isinstance(node, Indicator):
            left, right = (self.evaluate(argument, place) for argument in node.args)
            return float(left == right)
        if isinstance(node, Inner):
            first, second = (self.evaluate(argument, place) for argument in node.args)
            return np.dot(first, second)
        if isinstance(node, Apply | AppliedUndef):
            try:
                return self.application(node, place)
            except OutsideError:
                return 0.0
        values = [self.evaluate(argument, place) for argument in node.args]
        if isinstance(node, ClosedFunction):
            return float(FUNCTIONS[type(node).__name__].real(*values))
        if isinstance(node, sp.Add):
            return sum(values)
        if isinstance(node, sp.Mul):
            result = 1.0
            for value in values:
                result = result * value
            return result
        assert isinstance(node, sp.Pow), node
        return values[0] ** values[1]

    def symbol(self, node, place):
        if node == X:
            return self.read("x", self.values["x"], (), [place[Z]], ())
        if node in place and not isinstance(place[node], tuple):
            return place[node]
        return self.application(Apply(node), place)

    def application(self, node, place):
        """The value of a head or of a letter applied to a state."""
        if isinstance(node, Apply):
            field = self.field_of(node)
            nodes = dict([place[node.args[0]]]) if node.args[0] in place else {}
            assert nodes or node.args[0].name in self.scalars
            nodes |= self.source(field, node.args[1:], place)
            return self.read(field, self.values[field], self.indices(node, place), [], nodes)
        name = head_name(node)
        if name in self.activations:
            return self.activation(name, node, place)
        if name == LOSS_DERIVATIVE:
            return self.values[self.system.adjoint_of["yhat"]].reshape(-1)[place[Z]]
        if name == FIRST_MAXIMUM:
            return self.first_maximum(node, place)
        nodes = dict(place[a] for a in node.args if isinstance(a, sp.Symbol) and self.variable(a))
        data = [place[Z]] if X in node.args or sp.Symbol("y") in node.args or name in ("x", "y") else []
        if name in ("x", "y"):
            return self.read(name, self.values[name], self.indices(node, place), data, nodes)
        if name in self.arrays:
            return self.read(*self.arrays[name], self.indices(node, place), data, nodes)
        return self.expanded(self.defined[name], node, place)

    def source(self, field, arguments, place):
        """The node at which f is read: every variable of the source's state is given, all of one neuron."""
        letters = [a for a in arguments if isinstance(a, sp.Symbol) and self.variable(a)]
        if len(self.system.population_slots(field)) < 2:
            assert not letters
            return {}
        population = self.system.population_slots(field)[1]
        assert [self.variable(a)[1] for a in letters] == list(self.alphabet.states[population])
        nodes = {place[a] for a in letters}
        assert len(nodes) == 1 or not letters
        return dict(nodes)

    def indices(self, node, place):
        return [int(self.evaluate(slot, place)) for slot in self.rest(node)]

    def read(self, field, array, rest, data, nodes):
        """An entry; over an axis for which nothing is given all values must be the same."""
        waiting = list(rest)
        axes = self.system.field[field].axes
        place = []
        for axis, size in zip(axes, array.shape, strict=True):
            kind = self.system.axis[axis].kind
            if axis in self.builder.single:
                place.append(0)
            elif kind is AxisKind.DATA:
                place.append(data[0] if data else slice(None))
            elif kind is AxisKind.POPULATION:
                place.append(nodes.get(axis, slice(None)))
            elif axis == "inputs" and "i" in self.vectors:
                place.append(slice(None))
            else:
                place.append(waiting.pop(0))
                if not 0 <= place[-1] < size:
                    raise OutsideError(field)
        assert not waiting, field
        found = array[tuple(place)]
        for axis in [a for a, at in zip(axes, place, strict=True) if isinstance(at, slice)]:
            if axis == "inputs":
                continue
            assert np.allclose(found, found[:1], rtol=1e-9, atol=1e-9), f"{field} depends on {axis}"
            found = found[0] if found.size else 0.0
        return found

    def expanded(self, tree, node, place):
        """A quantity by its own equation (Delta of a parameter)."""
        inner = {Z: place[Z]} if Z in place else {}
        for left, right in zip(tree.lhs.args, node.args, strict=True):
            if isinstance(right, sp.Symbol) and self.variable(right):
                inner[left] = place[right]
            elif right in self.rest(node):
                inner[left] = int(self.evaluate(right, place))
        return self.evaluate(tree.rhs, inner)

    def reduced(self, node, place):
        if isinstance(node, Integral):
            population = self.variable(node.indices[0])[0] if node.indices else None
            weights = self.weights[population or self.population_of(node.measure)]
            total = 0.0
            for k, weight in enumerate(weights):
                bound = dict.fromkeys(node.indices, (population, k))
                total = total + weight * self.evaluate(node.body, {**place, **bound})
            return total
        if node.indices == (Z,):
            count = len(self.values["x"])
            return sum(self.evaluate(node.body, {**place, Z: k}) for k in range(count)) / count
        index, *others = node.indices
        assert not isinstance(node, Mean), node
        inner = node.func(node.body, *others)
        size = self.size(index)
        found = [self.evaluate(inner, {**place, index: k}) for k in range(size)]
        return max(found) if isinstance(node, Maximum) else sum(found)

    def population_of(self, measure):
        return next(p for p in self.alphabet.states if self.alphabet.measure(p) == measure.name)

    def first_maximum(self, node, place):
        body, *indices = node.args
        ranges = [range(self.size(index)) for index in indices]
        places = list(product(*ranges))
        found = [self.evaluate(body, {**place, **dict(zip(indices, at, strict=True))}) for at in places]
        here = tuple(int(place[index]) for index in indices)
        return float(places[int(np.argmax(found))] == here)

    def activation(self, name, node, place):
        """sigma or its derivative by the definition of its layer; 0 at a position out of range."""
        for value in sp.preorder_traversal(node):
            if isinstance(value, AppliedUndef) and head_name(value) in self.arrays:
                try:
                    self.application(value, place)
                except OutsideError:
                    return 0.0
                except KeyError:
                    continue  # an index that is bound further inside
        shape, derivative = self.activations[name]
        if shape.function is not None:
            symbols, expression = (sp.Symbol("s"),), FUNCTIONS[shape.function].symbol(sp.Symbol("s"))
        else:
            symbols, expression = shape.symbols, shape.term.expression
        if derivative:
            expression = sp.diff(expression, symbols[derivative - 1])
        values = [self.evaluate(argument, place) for argument in node.args]
        return self.evaluate(expression, dict(zip(symbols, values, strict=True)))

    # ------------------------------------------------------------------ equations

    def places(self, left):
        """Every place of a left side: a node for each neuron, a sample, a number for each other index."""
        letters = [a for a in left.args if isinstance(a, sp.Symbol) and self.variable(a)]
        populations = list(dict.fromkeys(self.variable(a)[0] for a in letters))
        field = self.field_of(left)
        indices = [a for a in self.rest(left) if isinstance(a, sp.Symbol)]
        axes = self.finite(field)
        sizes = [self.sizes[axis] for axis in axes]
        for at in product(
            range(len(self.values["x"])),
            *[range(len(self.weights[p])) for p in populations],
            *[range(size) for size in sizes],
        ):
            nodes = dict(zip(populations, at[1:], strict=False))
            place = {Z: at[0]}
            place.update({a: (self.variable(a)[0], nodes[self.variable(a)[0]]) for a in letters})
            place.update(zip(indices, at[1 + len(populations) :], strict=True))
            yield place


def form_has_inner(tree):
    """Whether w and x are written as vectors."""
    return bool(tree.atoms(Inner))
