"""Prints measure notation: text and LaTeX of a :class:`MeasureForm`."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from ..algebra.functions import ClosedFunction
from .alphabet import Manner, NameKind
from .embedding import Embedding, Line
from .letter_text import letter_text
from .letters import Letter
from .measure_form import MeasureForm, Named
from .measure_nodes import (
    LOSS_DERIVATIVE,
    LOSS_VALUE,
    Apply,
    Brownian,
    Change,
    Divergence,
    Frechet,
    Gradient,
    Increment,
    Inner,
    Integral,
    Laplacian,
    Rate,
    Slope,
    Square,
    Transport,
)
from .nodes import NORM, Activation, head_name
from .printer import MULTIPLY, Printer
from .rule_printer import DecimalPrinter
from .sigma import SigmaWriter
from .styles import LATEX, Style

Tree = Any
_DATA = sp.symbols("x y")
_RANKS = {Inner: 61, Divergence: 93, Transport: 94, Laplacian: 94, Change: 95, Brownian: 98, Increment: 99}


class MeasureVocabulary:
    """How the nodes of measure notation look."""

    def __init__(self, form: MeasureForm) -> None:
        self.form = form
        self.alphabet = form.alphabet

    def letter(self, symbol: Tree) -> Letter:
        """The letter of a variable, a law, a rate or an index."""
        return self.alphabet.letter_of(symbol.name)

    def value(self, node: Tree, printer: Printer) -> str:
        """``H_2(f; x, ρ_1)``."""
        style = printer.style
        name = head_name(node)
        if name == NORM:
            return style.group("G", "‖‖")
        if name == LOSS_DERIVATIVE:
            return style.residual + style.group(", ".join(printer.text(a) for a in node.args))
        if name == LOSS_VALUE:
            return style.letter(Letter("L")) + style.group(", ".join(printer.text(a) for a in node.args))
        if name in ("x", "y"):
            return style.subscript(style.letter(Letter(name)), ",".join(printer.indices(node.args)))
        shown = self.alphabet.shown[name].text(style)
        before = [a for a in node.args if not self._comes_after(a)]
        after = [a for a in node.args if self._comes_after(a)]
        own, rest = self._slots(before, printer), self._after(after, printer)
        if not own:
            data = [shown for shown in rest if shown in ("x", "y")]
            own, rest = data, rest[len(data) :]
        return style.call(shown, own, after=rest)

    def _comes_after(self, argument: Tree) -> bool:
        return argument in _DATA or self._is_law(argument)

    def _is_law(self, argument: Tree) -> bool:
        return isinstance(argument, sp.Symbol) and self.alphabet.kind_of(argument.name) is NameKind.LAW

    def _slots(self, arguments: list[Tree], printer: Printer) -> list[str]:
        return [printer.slot(a) if isinstance(a, sp.Add) and a.is_polynomial() else printer.text(a)
                for a in arguments]  # fmt: skip

    def _after(self, arguments: list[Tree], printer: Printer) -> list[str]:
        """x, then the laws: all of them are ρ, and those of the first layers a family."""
        laws = [a for a in arguments if self._is_law(a)]
        shown = [printer.text(a) for a in arguments if a not in laws]
        populations = [axis.name for axis in self.form.system.populations]
        known = [sp.Symbol(self.alphabet.measure(name)) for name in populations]
        if self.alphabet.manner is Manner.GROUPED and laws == known and len(laws) > 1:
            return [*shown, printer.style.letter(Letter("ρ"))]
        if self.alphabet.manner is Manner.GROUPED and len(laws) > 1 and laws == known[: len(laws)]:
            style = printer.style
            family = style.group(style.letter(Letter("ρ", (Letter("i"),))), "{}")
            upper = style.superscript(style.subscript(family, "i=1"), str(len(laws)))
            return [*shown, upper]
        return shown + [printer.text(law) for law in laws]

    def activation(self, node: Activation, printer: Printer) -> str:
        """Activations have become named functions before."""
        raise TypeError(f"cannot print {node}")

    def other(self, node: Tree, printer: Printer) -> str:
        """Integrals, functions applied to states, inner products, derivatives."""
        style = printer.style
        arguments = node.args
        if isinstance(node, Integral):
            return self._integral(node, printer)
        if isinstance(node, Apply):
            return printer.text(arguments[0]) + style.group(
                ", ".join(self._slots(list(arguments[1:]), printer))
            )
        if isinstance(node, Inner):
            return style.group(", ".join(printer.text(a) for a in arguments), "⟨⟩")
        if isinstance(node, Gradient):
            sign = style.letter(self._operator("∇", arguments[1]))
            return sign + (" " if style is LATEX else "") + printer.text(arguments[0])
        if isinstance(node, Frechet):
            sign = style.letter(self._operator("D", arguments[1]))
            return (
                sign
                + style.times
                + printer.text(arguments[0])
                + style.group(printer.text(arguments[2]), "{}")
            )
        if isinstance(node, Rate):
            shown = printer.text(arguments[0])
            return rf"\frac{{d}}{{dt}} {shown}" if style is LATEX else f"d/dt {shown}"
        if isinstance(node, Change):
            return style.time_derivative + printer.text(arguments[0])
        return self._of_rule(node, printer)

    def _of_rule(self, node: Tree, printer: Printer) -> str:
        """What stands in the equations of learning rules alone."""
        style = printer.style
        shown = [printer.text(argument) for argument in node.args]
        if isinstance(node, Square):
            return style.power(style.group(shown[0], "||"), "2")
        if isinstance(node, Increment):
            return f"d{shown[0]}"
        if isinstance(node, Brownian):
            return style.subscript("dB", shown[0])
        if isinstance(node, Divergence):
            speed = printer.text(node.args[2], MULTIPLY)
            return style.subscript(style.divergence, shown[0]) + style.group(shown[1] + style.times + speed)
        gradient = style.subscript(style.letter(Letter("∇")), shown[0])
        if isinstance(node, Slope):
            return gradient + style.times + printer.text(node.args[1], MULTIPLY)
        if isinstance(node, Transport):
            return style.group(f"{shown[2]}, {gradient}{style.times}{shown[1]}", "⟨⟩")
        if isinstance(node, Laplacian):
            return style.power(gradient, "2") + style.times + shown[1]
        raise TypeError(f"cannot print {type(node).__name__}")

    def _operator(self, sign: str, position: Tree) -> Letter:
        return Letter(sign, (Letter(str(position)),) if position else ())

    def _integral(self, node: Integral, printer: Printer) -> str:
        style = printer.style
        differentials = ", ".join(f"d{printer.text(variable)}" for variable in node.indices)
        law = printer.text(node.measure) + style.group(differentials)
        sign = r"\int " if style is LATEX else "∫ "
        return sign + printer.text(node.body, MULTIPLY) + style.times + law

    def rank(self, node: Tree) -> int:
        """∂₂L, rates, weights and functions, Delta, sigma, integrals, x."""
        if isinstance(node, Integral):
            return 80
        if isinstance(node, Apply):
            return 20
        if type(node) in _RANKS:
            return _RANKS[type(node)]
        if isinstance(node, sp.Symbol):
            if node in _DATA:
                return 85 if node.name == "x" else 12
            return 10 if self.alphabet.kind_of(node.name) is NameKind.RATE else 20
        if isinstance(node, AppliedUndef):
            name = head_name(node)
            if name in ("x", "y"):
                return 85 if name == "x" else 12
            if name == self.alphabet.clip:
                return 11
            activation = self.alphabet.kind_of(name) is NameKind.ACTIVATION
            return 8 if name == LOSS_DERIVATIVE else 40 if activation else 30
        if isinstance(node, ClosedFunction):
            return 45
        return 5 if node.is_number else 60


class MeasurePage:
    """The printed equations of a measure form in one style."""

    def __init__(self, form: MeasureForm, style: Style) -> None:
        self.form = form
        self.style = style
        vocabulary = MeasureVocabulary(form)
        self.printer = Printer(style, vocabulary)
        self.evolution_printer = DecimalPrinter(style, vocabulary) if form.system.motion else self.printer

    def line(self, name: str, tree: Tree) -> Line:
        """One printed equation."""
        return self._line(name, tree, self.printer)

    def _line(self, name: str, tree: Tree, printer: Printer) -> Line:
        left, right = printer.text(tree.lhs), printer.text(tree.rhs)
        return Line(name, left, right, self.form.numbers.get(name), self.form.fields.get(name, ""))

    def sections(self) -> list[tuple[str, list[str], list[Line]]]:
        """Titled groups of equations, with the sentences that belong to them."""
        form, moving = self.form, self.evolution_printer
        groups: tuple[tuple[str, list[str], Named, Printer], ...] = (
            ("Forward", [], form.forward, self.printer),
            ("Backward", [], form.backward, self.printer),
            ("Gradients", [], form.gradients, moving),
            ("Evolution (Eulerian)", form.evolution_remarks(), form.evolution, moving),
            ("Laws", form.law_remarks(), form.laws, moving),
            ("Gradient flow", *form.flow_lines(), moving),
        )
        result = [
            (title, remarks, [self._line(*pair, printer) for pair in named])
            for title, remarks, named, printer in groups
        ]
        result.insert(1, ("Activations", [], self._activations()))
        result.append(("Learning rates", [], [self._rate(*pair) for pair in form.rates]))
        return [section for section in result if section[2]]

    def _activations(self) -> list[Line]:
        if self.form.alphabet.manner is not Manner.GROUPED:
            return Embedding(self.form.system, self.style).activations()
        return [*self._grouped_activations()]

    def _grouped_activations(self) -> list[Line]:
        lines = []
        alphabet = self.form.alphabet
        sigma = SigmaWriter(alphabet)
        for name, shape in alphabet.builder.activations.items():
            layer = alphabet.letters.owner(name)
            h = alphabet.letters.preactivation(layer)
            read = {s: shape.term.access_of[s].field for s in shape.symbols}
            letters = {s: Letter("h") if f == h else alphabet.letters.field(f) for s, f in read.items()}
            formula = shape.term.expression
            outer = sigma.outer(layer)
            if outer is not None:
                factor = sp.Dummy("outer")
                letters[factor] = alphabet.letters.field(outer)
                formula = factor * formula
            head_text = self.style.letter(Letter("σ", (alphabet.number(layer),)))
            theta = [self.style.letter(Letter("θ"))] if sigma.theta(layer) else []
            left = self.style.call(head_text, [*theta, "h"])
            lines.append(Line(name, left, letter_text(self.style, formula, letters)))
        return lines

    def _rate(self, name: str, rate: sp.Expr) -> Line:
        shown = self.form.alphabet.shown[name].text(self.style) + self.style.group("t")
        return Line(name, shown, letter_text(self.style, rate, {}))


def theta_lines(form: MeasureForm, style: Style) -> list[Line]:
    """What theta stands for in each layer."""
    if form.alphabet.manner is not Manner.GROUPED:
        return []
    sigma = SigmaWriter(form.alphabet)
    found = []
    for axis in form.system.populations:
        names = sigma.theta(axis.name)
        if names:
            inside = ", ".join(style.letter(form.alphabet.letters.field(name)) for name in names)
            theta = style.letter(Letter("θ", (form.alphabet.number(axis.name),)))
            found.append(Line(f"theta {axis.name}", theta, style.group(inside)))
    return found
