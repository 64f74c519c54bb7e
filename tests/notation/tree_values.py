"""Numbers out of display trees, by brute force: the trees of every network must mean what is computed."""

from __future__ import annotations

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from mfderive.algebra.functions import FUNCTIONS, ClosedFunction
from mfderive.algebra.terms import AxisKind
from mfderive.notation.nodes import (
    RESIDUAL,
    Activation,
    HeadKind,
    Indicator,
    Maximum,
    Mean,
    Sum,
    head_name,
)


class OutsideError(Exception):
    """A value was read at a position outside of its range: it counts as 0."""


class TreeValues:
    """Evaluates display trees of a system (without noise axes) on given arrays of all fields."""

    def __init__(self, builder, values, sizes):
        self.builder, self.values, self.sizes = builder, values, sizes
        self.system = builder.system

    def axes(self, name):
        if name == RESIDUAL:
            return ("data",)
        field = self.builder.heads[name].field
        return tuple(a for a in self.system.field[field].axes if a not in self.builder.single)

    def axis_of(self, symbol, node):
        """The axis of an index: that of a slot where it stands alone."""
        for value in node.atoms(AppliedUndef):
            for axis, slot in zip(self.axes(head_name(value)), value.args, strict=True):
                if slot == symbol:
                    return axis
        raise AssertionError(f"{symbol} stands nowhere alone in {node}")

    def array(self, name):
        """The array of a head, without axes of size 1."""
        if name == RESIDUAL:
            return self.values[self.system.adjoint_of["yhat"]][:, 0]
        head = self.builder.heads[name]
        if head.kind is HeadKind.GRADIENT:
            stored = self.values[self.system.velocity_of[head.field]]
        elif head.kind in (HeadKind.DELTA, HeadKind.ADJOINT):
            stored = self.values[self.system.adjoint_of[head.field]]
            if head.kind is HeadKind.DELTA:
                residual = self.array(RESIDUAL)
                stored = stored / residual.reshape(-1, *[1] * (stored.ndim - 1))
        else:
            stored = self.values[head.field]
        axes = self.system.field[head.field].axes
        single = tuple(k for k, axis in enumerate(axes) if axis in self.builder.single)
        return stored.squeeze(single)

    def evaluate(self, node, place):
        """The value of a tree at a place: index symbol -> number."""
        if isinstance(node, sp.Number) or node is sp.pi:
            return float(node)
        if isinstance(node, sp.Symbol):
            return place[node]
        if isinstance(node, Mean | Sum | Maximum):
            return self.reduced(node, place)
        if isinstance(node, Indicator):
            left, right = (self.evaluate(argument, place) for argument in node.args)
            return float(left == right)
        if isinstance(node, Activation):
            return self.activation(node, place)
        if isinstance(node, AppliedUndef):
            try:
                return self.read(node, place)
            except OutsideError:
                return 0.0
        values = [self.evaluate(argument, place) for argument in node.args]
        if isinstance(node, ClosedFunction):
            return float(FUNCTIONS[type(node).__name__].real(*values))
        if isinstance(node, sp.Add):
            return sum(values)
        if isinstance(node, sp.Mul):
            return float(np.prod(values))
        assert isinstance(node, sp.Pow), node
        return values[0] ** values[1]

    def read(self, node, place):
        name = head_name(node)
        slots = [int(self.evaluate(argument, place)) for argument in node.args]
        array = self.array(name)
        if any(not 0 <= slot < size for slot, size in zip(slots, array.shape, strict=True)):
            raise OutsideError(name)
        return float(array[tuple(slots)])

    def reduced(self, node, place):
        index, *rest = node.indices
        inner = node.func(node.body, *rest)
        axis = self.axis_of(index, node.body)
        found = [self.evaluate(inner, {**place, index: k}) for k in range(self.sizes[axis])]
        if isinstance(node, Maximum):
            return max(found)
        return sum(found) / (len(found) if isinstance(node, Mean) else 1)

    def activation(self, node, place):
        """The function or its partial derivative, by complex steps through its own definition."""
        shape = self.builder.activations[node.field]
        for value in node.atoms(AppliedUndef):
            try:
                self.read(value, place)
            except OutsideError:
                return 0.0
            except KeyError:
                continue  # an index that is bound further inside
        if shape.function is not None:
            symbols, expression = (sp.Symbol("s"),), FUNCTIONS[shape.function].symbol(sp.Symbol("s"))
        else:
            symbols, expression = shape.symbols, shape.term.expression
        if node.derivative:
            expression = sp.diff(expression, symbols[node.derivative - 1])
        values = [self.evaluate(argument, place) for argument in node.arguments]
        return self.plain(expression, dict(zip(symbols, values, strict=True)))

    def plain(self, expression, values):
        return self.evaluate(expression, values)


def ranges(system, tree, values, sizes, builder):
    """Every place of an equation's left side."""
    tracker = TreeValues(builder, values, sizes)
    axes = tracker.axes(head_name(tree.lhs))
    kinds = {axis.name: axis.kind for axis in system.axes}
    assert AxisKind.NOISE not in {kinds[a] for a in axes}
    shape = tuple(sizes[a] for a in axes)
    for numbers in np.ndindex(shape):
        yield dict(zip(tree.lhs.args, numbers, strict=True))
