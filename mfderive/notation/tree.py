"""Display trees: an equation of a system as one sympy tree with named, inert Mean and Sum nodes.

Hidden fields (activation outputs, helpers of the loss) and their adjoints are written out where they are
read, and a derivative of an activation is recognised and shown as such: the reverse pass replaces
``tanh'`` by ``1 - out**2``, the tree shows ``Activation(h1.out, 1, ...)``. Index variables are fresh dummies
until the very end, so nothing can be captured.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import sympy as sp

from ..algebra.system import ForwardSystem
from ..algebra.terms import Access, AxisKind, Equation, Index, Role, Slot, Term, slot_indices
from ..limit.apply_rule import NORM_FIELD
from .conventions import residual_divides, single_axes
from .letters import Letter, Letters, free_letter, name_of
from .nodes import (
    FIRST_MAXIMUM,
    NORM,
    RESIDUAL,
    Activation,
    Binder,
    Head,
    HeadKind,
    Indicator,
    Maximum,
    Mean,
    Sum,
    head,
    number_and_rest,
    outside,
)
from .readable import readable
from .shapes import Shape, shape_of

Tree = Any

# Roles of fields that stand in trees as something derived from another field.
_DERIVED = {
    Role.VELOCITY: HeadKind.GRADIENT,
    Role.NEXT: HeadKind.NEXT,
    Role.FLOW: HeadKind.FLOW,
}


class TreeBuilder:
    """Builds display trees of one system.

    ``inline``: write hidden fields out. ``outside``: for one output, take the residual out of the adjoints
    (the paper's Delta); otherwise D with the residual inside.
    """

    def __init__(self, system: ForwardSystem, *, inline: bool = True, outside: bool | None = None) -> None:
        self.system = system
        self.letters = Letters(system)
        self.inline = inline
        self.outside = outside is not False and residual_divides(system, self.letters)
        # The letters of the index variables in the trees that were built, by their names there.
        self.index_letters: dict[str, Letter] = {}

    # ------------------------------------------------------------------ conventions

    def _is_velocity(self, name: str) -> bool:
        return self.system.field[name].role is Role.VELOCITY

    @cached_property
    def heads(self) -> dict[str, Head]:
        """What the applications in trees stand for, by the name of the applied function."""
        names = [f.name for f in self.system.fields if f.role not in (Role.ADJOINT, *_DERIVED)]
        found = [Head(name) for name in names]
        found += [Head(f.of, _DERIVED[f.role]) for f in self.system.fields if f.role in _DERIVED]
        for kind in (HeadKind.DELTA, HeadKind.ADJOINT):
            found += [Head(name, kind) for name in self.system.adjoint_of]
        found += [Head(name, HeadKind.DERIVATIVE) for name in self.system.velocity_of]
        return {each.name: each for each in found}

    def letter_of(self, symbol: Tree) -> Letter:
        """The letter of an index variable of a tree."""
        return self.index_letters.get(symbol.name) or Letter(symbol.name)

    @cached_property
    def single(self) -> frozenset[str]:
        """Finite axes of size 1 that are only ever read at plain slots: they need no index."""
        return single_axes(self.system)

    @cached_property
    def activations(self) -> dict[str, Shape]:
        """The hidden pointwise fields that are shown as named activations."""
        found = {}
        for equation in self.system.forward:
            field = self.system.field[equation.field]
            if field.hidden and len(equation.terms) == 1 and equation.terms[0].is_pointwise:
                shape = shape_of(self.system, equation)
                if shape is not None:
                    found[equation.field] = shape
        return found

    @cached_property
    def given(self) -> frozenset[str]:
        """The names of what every step is given: its size, number and time, and rates."""
        return frozenset(field.name for field in self.system.fields if field.role is Role.CLOCK)

    # ------------------------------------------------------------------ trees

    def equation(self, equation: Equation) -> Tree:
        """``Eq(left side, display tree)``, with readable index names."""
        targets = tuple(self._fresh(index) for index in equation.target)
        left = self.left(equation.field, targets)
        right = self.body(equation, targets)
        if self.system.field[equation.field].role in (Role.MOTION, Role.NEXT, Role.FLOW):
            right = readable(right, self.given)
        names: dict[Tree, Tree] = {}
        for target in targets:
            if isinstance(target, sp.Dummy):
                names[target] = self._named(target, set(names.values()))
        return sp.Eq(self._renamed(left, names), self._renamed(right, names), evaluate=False)

    def left(self, name: str, slots: tuple[Tree, ...]) -> Tree:
        """The left side of a field's equation."""
        if self.system.field[name].role is Role.ADJOINT:
            return self._adjoint_head(name, slots)
        return self._plain_value(name, slots)

    def _plain_value(self, name: str, slots: tuple[Tree, ...]) -> Tree:
        """A field by its own head, or by that of what it is derived from."""
        field = self.system.field[name]
        if name == NORM_FIELD:
            return head(NORM) ** 2
        kind = _DERIVED.get(field.role)
        return self._head(name, Head(field.of, kind) if kind else Head(name), slots)

    def body(self, equation: Equation, targets: tuple[Tree, ...]) -> Tree:
        """The right side at the given target slots."""
        if equation.selector:
            values = sp.Add(*[self.term(term, targets, equation) for term in equation.terms])
            positions = [position for position in targets[-equation.selector :] if not position.is_number]
            return head(FIRST_MAXIMUM, values, *positions) if positions else sp.Integer(1)
        return sp.Add(*[self.term(term, targets, equation) for term in equation.terms])

    def term(self, term: Term, targets: tuple[Tree, ...], equation: Equation) -> Tree:
        """One term of an equation at the given target slots."""
        mapping: dict[Index, Tree] = {}
        conditions = []
        for axis, slot, value in zip(
            self.system.field[equation.field].axes, term.target, targets, strict=True
        ):
            index = self._plain(slot, axis)
            if index is not None and index not in mapping:
                mapping[index] = value
            else:
                conditions.append((slot, value))
        bound = [i for i in (*slot_indices(term.target), *term.reduced) if i not in mapping]
        mapping.update({index: self._fresh(index) for index in dict.fromkeys(bound)})
        indices = [i for i in dict.fromkeys(bound) if isinstance(mapping[i], sp.Dummy)]
        maximum = self._maximum(term, mapping, indices)
        if maximum is not None:
            return maximum
        body = self._expression(term, mapping, equation)
        for slot, value in conditions:
            position = self._slot(slot, mapping)
            body = body if position == value else body * Indicator(value, position)
        return self._reduce(body, [mapping[i] for i in indices])

    def _reduce(self, body: Tree, bound: list[Tree]) -> Tree:
        """Sum, mean over neurons, mean over the data, from inside to outside; numbers stand before all."""
        coefficient, rest = number_and_rest(body)
        by_kind: dict[AxisKind, list[Tree]] = {kind: [] for kind in AxisKind}
        for index in bound:
            size = self.system.axis[self._axis[index]].size
            if self._kind[index] is AxisKind.DATA or index in rest.free_symbols:
                by_kind[self._kind[index]].append(index)
            elif self._kind[index] is AxisKind.FINITE and size is not None:
                coefficient *= size  # a sum of equal terms; the mean of a constant is the constant
            elif self._kind[index] is AxisKind.FINITE:
                by_kind[AxisKind.FINITE].append(index)
        rest = outside(Sum, rest, by_kind[AxisKind.FINITE])
        rest = outside(Mean, rest, by_kind[AxisKind.POPULATION] + by_kind[AxisKind.NOISE])
        return coefficient * Mean(rest, *by_kind[AxisKind.DATA])

    def _plain(self, slot: Slot, axis: str) -> Index | None:
        """The index that a slot of an equation's left side names: itself, or 1 * index + 0 in equal range."""
        if isinstance(slot, Index):
            return slot
        parts = [part for part in slot.parts if self.system.axis[part[1].axis].size != 1]
        if slot.constant == 0 and len(parts) == 1 and parts[0][0] == 1:
            index = parts[0][1]
            size = self.system.axis[axis].size
            return index if size is not None and size == self.system.axis[index.axis].size else None
        return None

    def _maximum(self, term: Term, mapping: dict[Index, Tree], indices: list[Index]) -> Tree | None:
        """``Sum selector * value`` where the selector belongs to the same value is a maximum."""
        for symbol, access in term.accesses:
            selector = self.letters.equation_of(access.field)
            if selector is None or not selector.selector or not indices or len(selector.terms) != 1:
                continue
            slots = dict(zip(selector.target, (self._slot(s, mapping) for s in access.slots), strict=True))
            chosen = selector.terms[0]
            inner = self._raw(chosen.expression, chosen, slots)
            value = self._raw(term.expression / symbol, term, mapping)
            if sp.expand(inner - value) == 0:
                shown = self._expression(chosen, slots, selector)
                return Maximum(shown, *[mapping[i] for i in indices])
        return None

    def _expression(self, term: Term, mapping: dict[Index, Tree], equation: Equation) -> Tree:
        recognised = self._recognised(term, mapping, equation) if self.inline else None
        if recognised is not None:
            return recognised
        top = self._is_velocity(equation.field)
        values = {s: self.value(a.field, self._slots(a.slots, mapping), top) for s, a in term.accesses}
        return term.expression.xreplace(values)

    # ------------------------------------------------------------------ values of fields

    def value(self, name: str, slots: tuple[Tree, ...], top: bool = False) -> Tree:
        """What stands for an access: a head, or a hidden field written out.

        ``top``: read by an evolution equation, where the residual stands outside of Delta.
        """
        field = self.system.field[name]
        if field.role is Role.ADJOINT:
            shown = self._adjoint_value(name, slots)
            return self._residual(name, slots) * shown if top and self.outside else shown
        if not self.inline or not self.letters.is_hidden(field):
            return self._plain_value(name, slots)
        if (field.owner, field.part) == ("loss", "shift"):
            return sp.Integer(0)  # subtracted and added again: it guards against overflow only
        if name in self.activations:
            return self._activation(name, slots, 0)
        equation = self.letters.equation_of(name)
        if equation is None or equation.selector:
            return self._head(name, Head(name), slots)
        return self.body(equation, slots)

    def _adjoint_value(self, name: str, slots: tuple[Tree, ...]) -> Tree:
        original = self.system.field[name].of
        if self.outside and original == "yhat":
            return sp.Integer(1)
        equation = self.letters.equation_of(name)
        if original == "loss" and equation is None:
            return sp.Integer(1)
        if self.inline and equation is not None and self.letters.is_hidden(self.system.field[original]):
            return self.body(equation, slots)
        return self._adjoint_head(name, slots)

    def _adjoint_head(self, name: str, slots: tuple[Tree, ...]) -> Tree:
        original = self.system.field[name].of
        if self.outside and original == "yhat":
            return self._residual(name, slots)
        delta = self.outside and original not in self.letters.loss_path
        return self._head(name, Head(original, HeadKind.DELTA if delta else HeadKind.ADJOINT), slots)

    def _residual(self, name: str, slots: tuple[Tree, ...]) -> Tree:
        axes = self.system.field[name].axes
        return head(RESIDUAL, *[s for a, s in zip(axes, slots, strict=True) if self._is_data(a)])

    def _is_data(self, axis: str) -> bool:
        return self.system.axis[axis].kind is AxisKind.DATA

    def _head(self, name: str, shown: Head, slots: tuple[Tree, ...]) -> Tree:
        axes = self.system.field[name].axes
        return head(shown, *[s for a, s in zip(axes, slots, strict=True) if a not in self.single])

    def _activation(self, name: str, slots: tuple[Tree, ...], derivative: int) -> Tree:
        shape = self.activations[name]
        mapping = dict(zip(shape.equation.target, slots, strict=True))
        values = {s: self.value(a.field, self._slots(a.slots, mapping)) for s, a in shape.term.accesses}
        if shape.function is not None:
            return Activation(sp.Symbol(name), min(derivative, 1), shape.argument.xreplace(values))
        return Activation(sp.Symbol(name), derivative, *[values[s] for s in shape.symbols])

    # ------------------------------------------------------------------ derivatives of activations

    def _recognised(self, term: Term, mapping: dict[Index, Tree], equation: Equation) -> Tree | None:
        """``adj out * d(out)/d(argument)`` with the derivative shown as sigma'; None if it is none."""
        adjoints = [(s, a) for s, a in term.accesses if self.system.field[a.field].role is Role.ADJOINT]
        if len(adjoints) != 1:
            return None
        symbol, access = adjoints[0]
        name = self.system.field[access.field].of
        factor = sp.diff(term.expression, symbol)
        if name not in self.activations or factor.has(symbol):
            return None
        slots = self._slots(access.slots, mapping)
        top = self._is_velocity(equation.field)
        wanted = self.system.field[equation.field].of
        shape = self.activations[name]
        own = self._own_slots(name, access, term, mapping)
        if own is None:
            return None
        inner = dict(zip(shape.equation.target, own, strict=True))
        shown = self._raw(factor, term, mapping, name, own)
        for number, argument in enumerate(shape.symbols, start=1):
            if shape.term.access_of[argument].field != wanted:
                continue
            derivative = self._raw(sp.diff(shape.term.expression, argument), shape.term, inner)
            for sign in (1, -1):
                if sp.expand(shown - sign * derivative) == 0:
                    upstream = self.value(access.field, slots, top)
                    return sign * upstream * self._activation(name, own, number)
        return None

    def _own_slots(
        self, name: str, access: Access, term: Term, mapping: dict[Index, Tree]
    ) -> tuple[Tree, ...] | None:
        """The slots of an activation where its adjoint is read: a reduction may leave either with fewer."""
        found = {slot.axis: mapping[slot] for slot in term.target if isinstance(slot, Index)}
        axes = self.system.field[access.field].axes
        found.update(zip(axes, self._slots(access.slots, mapping), strict=True))
        wanted = self.system.field[name].axes
        return tuple(found[axis] for axis in wanted) if all(axis in found for axis in wanted) else None

    def _raw(
        self,
        expression: sp.Expr,
        term: Term,
        mapping: dict[Index, Tree],
        expand: str | None = None,
        at: tuple[Tree, ...] = (),
    ) -> Tree:
        """The expression with plain heads; the field ``expand`` at the slots ``at`` by its own expression."""
        values = {}
        for symbol, access in term.accesses:
            slots = self._slots(access.slots, mapping)
            if access.field == expand and slots == at:
                shape = self.activations[expand]
                inner = dict(zip(shape.equation.target, slots, strict=True))
                values[symbol] = self._raw(shape.term.expression, shape.term, inner)
            else:
                values[symbol] = head(access.field, *slots)
        return expression.xreplace(values)

    # ------------------------------------------------------------------ indices

    @cached_property
    def _axis(self) -> dict[Tree, str]:
        return {}

    @cached_property
    def _kind(self) -> dict[Tree, AxisKind]:
        return {}

    def _fresh(self, index: Index) -> Tree:
        if index.axis in self.single:
            return sp.Integer(0)
        dummy = sp.Dummy(index.name)
        self._axis[dummy] = index.axis
        self._kind[dummy] = self.system.axis[index.axis].kind
        return dummy

    def _slot(self, slot: Slot, mapping: dict[Index, Tree]) -> Tree:
        if isinstance(slot, Index):
            return mapping[slot]
        return sp.Add(*[c * mapping[i] for c, i in slot.parts], sp.Integer(slot.constant))

    def _slots(self, slots: tuple[Slot, ...], mapping: dict[Index, Tree]) -> tuple[Tree, ...]:
        return tuple(self._slot(slot, mapping) for slot in slots)

    def _named(self, dummy: Tree, taken: set[Tree]) -> Tree:
        letter = free_letter(self.letters.index(self._axis[dummy]), {symbol.name for symbol in taken})
        self.index_letters[name_of(letter)] = letter
        return sp.Symbol(name_of(letter))

    def _renamed(self, node: Tree, names: dict[Tree, Tree]) -> Tree:
        """Dummies -> readable names that are unique among the names in scope."""
        if isinstance(node, sp.Dummy):
            return names[node]
        if not node.args:
            return node
        if isinstance(node, Binder):
            inner = dict(names)
            for index in node.indices:
                inner[index] = self._named(index, set(inner.values()))
            return node.func(self._renamed(node.body, inner), *[inner[i] for i in node.indices])
        return node.func(*[self._renamed(argument, names) for argument in node.args])


def display_equation(
    system: ForwardSystem, equation: Equation, *, inline: bool = True, outside: bool | None = None
) -> Tree:
    """``Eq(left side, right side)`` of an equation as display trees."""
    return TreeBuilder(system, inline=inline, outside=outside).equation(equation)


def display_tree(system: ForwardSystem, equation: Equation) -> Tree:
    """The right side of an equation as a display tree: H2 is Mean(w2*Activation(H1), c_1) (Eq. 16)."""
    return display_equation(system, equation).rhs
