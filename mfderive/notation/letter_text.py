"""Expressions in plain letters, without fields: definitions of activations, rates in t."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sympy as sp

from ..algebra.functions import FUNCTIONS
from .letters import Letter, name_of
from .nodes import Activation
from .printer import Printer
from .styles import Style

Tree = Any


class LetterVocabulary:
    """Expressions in plain letters: definitions of activations, rates in t."""

    def __init__(self, letters: Iterable[Letter] = ()) -> None:
        self.letters = {name_of(letter): letter for letter in letters}

    def letter(self, symbol: Tree) -> Letter:
        """The letter of a symbol; t stands for itself."""
        return self.letters.get(symbol.name) or Letter(symbol.name)

    def value(self, node: Tree, printer: Printer) -> str:
        """There are no fields in such expressions."""
        raise TypeError(f"cannot print {node}")

    def activation(self, node: Activation, printer: Printer) -> str:
        """Nor activations by name."""
        raise TypeError(f"cannot print {node}")

    def other(self, node: Tree, printer: Printer) -> str:
        """Nor anything else."""
        raise TypeError(f"cannot print {type(node).__name__}")

    def rank(self, node: Tree) -> int:
        """Numbers, parameters, pre-activations, functions."""
        if isinstance(node, sp.Symbol):
            return 30 if self.letter(node).base in ("H", "h") else 20
        return 5 if node.is_number else 40 if type(node).__name__ in FUNCTIONS else 20


def letter_text(style: Style, expression: sp.Expr, letters: Mapping[sp.Symbol, Letter]) -> str:
    """An expression with a letter for each of its symbols; other symbols stand for themselves."""
    names = {symbol: sp.Symbol(name_of(letter)) for symbol, letter in letters.items()}
    return Printer(style, LetterVocabulary(letters.values())).text(expression.xreplace(names))
