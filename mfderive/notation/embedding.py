"""Embedding notation: every equation as functions of labels c (Nguyen and Pham), for every system."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import sympy as sp

from ..algebra.system import ForwardSystem, LimitSystem
from ..algebra.terms import ANGLES, COSINE_PART, Affine, AxisKind, Equation, Role
from .conventions import scalings
from .letter_text import letter_text
from .letters import Letter
from .nodes import NORM, RESIDUAL, Activation, Head, HeadKind, head, head_name, number_and_rest
from .paper_numbers import Notation, PaperNumbers, Quantity
from .printer import MULTIPLY, Printer
from .remarks import ANGLES_ACROSS, ANGLES_ALL, FOLLOWED, SECOND_ORDER, Remark
from .styles import TEXT, Style
from .tree import TreeBuilder

Tree = Any


# What stands for the sample in the arguments of a derived quantity.
_DATA_ARGUMENTS = {HeadKind.DELTA: ["x"], HeadKind.ADJOINT: ["x", "y"], HeadKind.GRADIENT: []}
# The size of a step and rates, the factor of clipping; memories; fresh noise, which stands last.
_RULE_RANKS = {Role.CLOCK: 6, Role.MOTION: 7, Role.MEMORY: 20, Role.DRAW: 65}
_PREVIOUS = "k-1"  # the step of training after which a step finds the variables


class EmbeddingVocabulary:
    """How values look in embedding notation: ``H_2(c_2; x)``, ``W_{h2,h1}(c_h2, c_h1)``."""

    def __init__(self, builder: TreeBuilder) -> None:
        self.builder = builder
        self.system = builder.system
        self.letters = builder.letters

    def letter(self, symbol: Tree) -> Letter:
        """The letter of an index variable."""
        return self.builder.letter_of(symbol)

    def value(self, node: Tree, printer: Printer) -> str:
        """The value of a field at its slots; the data slot is printed as x or (x, y)."""
        style = printer.style
        name = head_name(node)
        if name == RESIDUAL:
            return style.residual + style.group(f"y, {style.call(style.letter(Letter('ŷ')), ['x'])}")
        if name == NORM:
            return style.group("G", "‖‖")
        stands = self.builder.heads[name]
        if stands.kind is HeadKind.VALUE:
            return self._plain(name, node, printer)
        if stands.kind in (HeadKind.NEXT, HeadKind.FLOW):
            return self._moved(stands, node, printer)
        letter = self.letters.derived(str(stands.kind), stands.field)
        # After a reduction D may have slots that its field has lost.
        data, slots = self._slots(node, self._derived(stands))
        after = _DATA_ARGUMENTS[stands.kind] if data else ()
        return style.call(style.letter(letter), printer.indices(slots), after=after)

    def _derived(self, stands: Head) -> str:
        """The field whose slots a derived quantity has."""
        table = self.system.velocity_of if stands.kind is HeadKind.GRADIENT else self.system.adjoint_of
        return table[stands.field]

    def _moved(self, stands: Head, node: Tree, printer: Printer) -> str:
        """A variable after a step, and its derivative in time."""
        style = printer.style
        letter = self.letters.field(stands.field)
        shown = printer.indices(self._slots(node, stands.field)[1])
        if stands.kind is HeadKind.NEXT:
            return style.call(style.letter(replace(letter, time="k")), shown)
        return style.time_derivative + style.call(style.letter(letter), shown)

    def field_letter(self, name: str) -> Letter:
        """The letter of a value."""
        return self.letters.field(name)

    def _plain(self, name: str, node: Tree, printer: Printer) -> str:
        style = printer.style
        letter = self.field_letter(name)
        data, slots = self._slots(node, name)
        if name == "x":
            letter, slots = self._x_step(letter, slots)
        shown = printer.indices(slots)
        if name in ("x", "y"):
            return style.subscript(style.letter(letter), ",".join(shown)) if shown else style.letter(letter)
        if name == "yhat":
            if shown:
                letter = Letter(letter.base)
                return style.call(style.subscript(style.letter(letter), ",".join(shown)), ["x"])
            return style.call(style.letter(letter), ["x"])
        if name == "loss":
            return style.letter(letter) + style.group(f"y, {style.call(style.letter(Letter('ŷ')), ['x'])}")
        after = []
        if data:
            after = ["x", "y"] if self._reads_target(name) else ["x"]
        return style.call(style.letter(letter), shown, after=after)

    def _x_step(self, letter: Letter, slots: list[Tree]) -> tuple[Letter, list[Tree]]:
        """The input at a certain step carries it as everything else there does: x⁽¹⁾, not x_0."""
        axes = [a for a in self.system.field["x"].axes[1:] if a not in self.builder.single]
        if axes and self.system.axis[axes[0]].part == "steps" and slots[0].is_Integer:
            return replace(letter, step=str(int(slots[0]) + 1)), slots[1:]
        return letter, slots

    def _reads_target(self, name: str) -> bool:
        return name in self.letters.loss_path

    def _slots(self, node: Tree, field: str) -> tuple[bool, list[Tree]]:
        axes = [a for a in self.system.field[field].axes if a not in self.builder.single]
        data = any(self.system.axis[a].kind is AxisKind.DATA for a in axes)
        kept = [
            slot
            for axis, slot in zip(axes, node.args, strict=True)
            if self.system.axis[axis].kind is not AxisKind.DATA
        ]
        return data, kept

    @cached_property
    def one_activation(self) -> bool:
        """Whether every named activation is the same function of one argument: then it is called sigma."""
        functions = {shape.function for shape in self.builder.activations.values()}
        return len(functions) == 1 and None not in functions

    def activation_letter(self, field: str) -> Letter:
        """σ, or σ_ℓ where activations differ."""
        if self.one_activation:
            return Letter("σ")
        return Letter("σ", (self.letters.layer(self.letters.owner(field)),))

    def argument_letters(self, field: str) -> list[Letter]:
        """The letters of an activation's arguments, in order."""
        shape = self.builder.activations[field]
        access = shape.term.access_of
        return [replace(self.letters.field(access[s].field), step="") for s in shape.symbols]

    def activation(self, node: Activation, printer: Printer) -> str:
        """σ(H + b), σ'(H + b), σ_1(gain, b, H) or ∂_H σ_1(gain, b, H)."""
        style = printer.style
        sign = style.letter(self.activation_letter(node.field))
        arguments = [printer.text(a) for a in node.arguments]
        if node.derivative and self.builder.activations[node.field].function is not None:
            return style.call(style.prime(sign), arguments)
        if node.derivative:
            letter = self.argument_letters(node.field)[node.derivative - 1]
            sign = style.letter(Letter("∂", (letter,))) + style.times + sign
        return style.call(sign, arguments)

    def other(self, node: Tree, printer: Printer) -> str:
        """There is nothing else in embedding notation."""
        raise TypeError(f"cannot print {type(node).__name__}")

    def rank(self, node: Tree) -> int:
        """Residual, weights, adjoints, activations, values, x."""
        if isinstance(node, Activation):
            return 40
        if not hasattr(node.func, "__name__") or not isinstance(node, sp.core.function.AppliedUndef):
            return 5 if node.is_number else 60
        name = head_name(node)
        if name == RESIDUAL:
            return 10
        stands = self.builder.heads.get(name)
        if stands is not None and stands.kind in (HeadKind.DELTA, HeadKind.ADJOINT):
            return 30
        if name in ("x", "y"):
            return 70 if name == "x" else 12
        if stands is not None and stands.kind is HeadKind.VALUE and stands.field in self.system.field:
            role = self.system.field[stands.field].role
            if role in _RULE_RANKS:
                return _RULE_RANKS[role]
        return 20 if stands is not None and self._is_parameter(stands) else 50

    def _is_parameter(self, stands: Head) -> bool:
        return stands.kind is HeadKind.VALUE and self.system.field[stands.field].role is Role.PARAMETER


class StepVocabulary(EmbeddingVocabulary):
    """Values as a step of training finds them: ``wᵏ⁻¹``."""

    def field_letter(self, name: str) -> Letter:
        """Parameters and memories carry the step after which they are meant."""
        letter = self.letters.field(name)
        state = self.system.field[name].role in (Role.PARAMETER, Role.MEMORY)
        return replace(letter, time=_PREVIOUS) if state else letter


@dataclass(frozen=True)
class Line:
    """One printed equation: the key under which it can be looked up, its sides, its number in the paper.

    ``field`` is what it is about, where the key is not the name of a field.
    """

    key: str
    left: str
    right: str
    number: int | None = None
    field: str = ""


class Embedding:
    """The equations of one system in embedding notation and one style."""

    def __init__(self, system: ForwardSystem, style: Style = TEXT) -> None:
        self.system = system
        self.builder = TreeBuilder(system)
        self.vocabulary = EmbeddingVocabulary(self.builder)
        self.style = style
        self.printer = Printer(style, self.vocabulary)

    def line(self, equation: Equation) -> Line:
        """An equation as it is."""
        tree = self.builder.equation(equation)
        left, right = self.printer.text(tree.lhs), self.printer.text(tree.rhs)
        return Line(equation.field, left, right)

    def forward(self) -> list[Line]:
        """H, statistics, yhat and the loss; activations and the loss's helpers are written out."""
        return [
            self.line(equation)
            for equation in self.system.forward
            if not self.builder.letters.is_hidden(self.system.field[equation.field])
        ]

    def backward(self) -> list[Line]:
        """The derivative of the loss, then Delta (one output) or D (several) of every visible field."""
        hidden = self.builder.letters.is_hidden
        lines = []
        for equation in self.system.backward:
            name = self.system.field[equation.field].of
            if name != "loss" and not hidden(self.system.field[name]):
                lines.append(self.line(equation))
        return lines

    def evolution(self) -> list[Line]:
        """d(parameter)/dt = rate * G with G written out."""
        return [self.sgd(equation) for equation in self.system.evolution]

    def sgd(self, equation: Equation) -> Line:
        """d(parameter)/dt = rate * G of one parameter."""
        name = self.system.field[equation.field].of
        tree = self.builder.equation(equation)
        left = self.printer.text(head(Head(name), *tree.lhs.args))
        right = self._with_rate(name, tree.rhs)
        return Line(name, self.style.time_derivative + left, right, self._number(name))

    def rates(self) -> list[Line]:
        """What the letters ξ stand for: the rates that change in time, each written out once."""
        changing = [p for p in self.system.parameters if p.rate.free_symbols]
        return [
            Line(
                self.system.rate_field(p.name).name,
                self._rate(p.name) + self.style.group("t"),
                letter_text(self.style, p.rate, {}),
            )
            for p in changing
        ]

    def _rate(self, parameter: str) -> str:
        """The letter ξ of a rate; where a learning rule reads it, as the rule's equations print it."""
        field = self.system.rate_field(parameter).name
        letters = self.builder.letters
        known = field in self.system.field
        letter = letters.field(field) if known else Letter("ξ", (letters.field(parameter),))
        return self.style.letter(letter)

    def _number(self, parameter: str) -> int | None:
        """The paper's number of the evolution of a parameter."""
        if self._numbers is None:
            return None
        return self._numbers.of(Notation.EMBEDDING, Quantity.EVOLUTION, parameter)

    @cached_property
    def _numbers(self) -> PaperNumbers | None:
        return PaperNumbers(self.system) if isinstance(self.system, LimitSystem) else None

    def _with_rate(self, parameter: str, right: Tree) -> str:
        rate = self.system.parameter[parameter].rate
        if rate.is_number or right == 0:
            return self.printer.text(rate * right)
        number, rest = number_and_rest(right)
        sign = self.style.minus if number.is_negative else ""
        return (
            sign + self._rate(parameter) + self.style.times + self.printer.text(abs(number) * rest, MULTIPLY)
        )

    def scalings(self) -> list[tuple[str, str]]:
        """Parameter and the multiplier of its plain gradient in a network of finite widths."""
        rows = []
        multipliers = scalings(self.system)
        for parameter in self.system.parameters:
            if not self.system.field[parameter.name].owner or parameter.name not in multipliers:
                continue  # of a reduction, or a deviation: no network has it
            slots = multipliers[parameter.name]
            widths = [self.style.letter(Letter("n", (self.builder.letters.layer(axis),))) for axis in slots]
            shown = self.style.letter(self.builder.letters.field(parameter.name))
            rows.append((shown, self.style.times.join(widths) if widths else "1"))
        return rows

    def activations(self) -> list[Line]:
        """What the letters σ stand for."""
        lines: dict[str, Line] = {}
        for name, shape in self.builder.activations.items():
            sign = self.style.letter(self.vocabulary.activation_letter(name))
            if shape.function is not None:
                line = Line(name, self.style.call(sign, ["h"]), self.style.function(shape.function, ["h"]))
            else:
                letters = self.vocabulary.argument_letters(name)
                arguments = [self.style.letter(letter) for letter in letters]
                table = dict(zip(shape.symbols, letters, strict=True))
                right = letter_text(self.style, shape.term.expression, table)
                line = Line(name, self.style.call(sign, arguments), right)
            lines.setdefault(line.left, line)
        return list(lines.values())

    def remarks(self) -> list[str]:
        """Sentences that the equations need: what D or Delta means, what an affine slot reads outside."""
        averages = "E with labels under it averages over neurons; {E_P} averages over the data (x, y)."
        found: list[str] = [Remark(averages)]
        if getattr(self.system, "passes", ()):
            found.append(
                "After reduction a label c stands for the type of a neuron; what has no label of a layer "
                "is the same for all of its neurons."
            )
        noises = [axis.part == ANGLES for axis in self.system.axes if axis.kind is AxisKind.NOISE]
        if any(noises):
            found.append(Remark(ANGLES_ACROSS if any(f.block for f in self.system.fields) else ANGLES_ALL))
        if any(field.part == COSINE_PART and field.role is Role.FORWARD for field in self.system.fields):
            found.append(Remark(FOLLOWED))
        if not all(noises):
            noise = "{zeta} is the randomness of one weight entry once the labels of its two ends are given."
            found.append(Remark(noise))
        if any(field.step for field in self.system.fields):
            steps = "{H_s} and {x_s} belong to step s = 1, 2, ... of a sequence; parameters serve all steps."
            found.append(Remark(steps))
        if self.system.backward:
            found.append(self._adjoint_remark())
        if any(field.deviation for field in self.system.fields):
            found.append(Remark(SECOND_ORDER))
        if self._reads_outside():
            found.append(
                "What a connection reads at a position outside of its range counts as 0, "
                "bias and activation included."
            )
        return found

    def _adjoint_remark(self) -> str:
        if self.builder.outside:
            return Remark(
                "{Delta_F} is the derivative of the output {output} with respect to F; the residual "
                "{residual} stands outside, and {D_by_Delta} is the derivative of the loss of the sample."
            )
        return Remark(
            "{D_F} is the derivative of the loss of the sample with respect to F, the residual included."
        )

    def _reads_outside(self) -> bool:
        """Whether some affine slot can leave its range."""
        return any(
            self._leaves(axis, slot)
            for equation in self.system.forward
            for term in equation.terms
            for _, access in term.accesses
            for axis, slot in zip(self.system.field[access.field].axes, access.slots, strict=True)
            if isinstance(slot, Affine)
        )

    def _leaves(self, axis: str, slot: Affine) -> bool:
        size = self.system.axis[axis].size
        ends = [(c * ((self.system.axis[i.axis].size or 1) - 1)) for c, i in slot.parts]
        low = slot.constant + sum(end for end in ends if end < 0)
        high = slot.constant + sum(end for end in ends if end > 0)
        return low < 0 or size is None or high >= size


def equation_text(system: ForwardSystem, equation: Equation, *, inline: bool = False) -> str:
    """One short line for an equation, as a comment above the code that computes it.

    As computed: activation outputs have a letter of their own (a_1) and D carries the residual. With
    ``inline`` as displayed: hidden fields written out, Delta for one output.
    """
    builder = TreeBuilder(system, inline=inline, outside=None if inline else False)
    printer = Printer(TEXT, EmbeddingVocabulary(builder))
    tree = builder.equation(equation)
    return f"{printer.text(tree.lhs)} = {printer.text(tree.rhs)}"
