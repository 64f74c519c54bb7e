"""The one visitor of expressions: a memoised fold over sympy trees of the closed table.

A fold says what a number, a symbol, a sum, a product, a power and a function of the closed table are worth,
given what their arguments are worth. Common subexpressions are visited once, and a node that the table does
not know raises: nothing falls back silently.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar

import sympy as sp

from ..errors import MfError
from .functions import FUNCTIONS, ClosedFunction

T = TypeVar("T")


class UnknownNodeError(MfError, TypeError):
    """An expression holds a node that the closed table does not know: a fault of whoever built it."""


class Fold(ABC, Generic[T]):
    """A function of expressions that is stated node by node; call it on an expression.

    ``known`` gives values of nodes (symbols mostly) before anything is visited.
    """

    def __init__(self, known: Mapping[sp.Expr, T] | None = None) -> None:
        self.known: dict[sp.Expr, T] = dict(known or {})

    def __call__(self, expression: sp.Expr) -> T:
        """The value of an expression, each distinct node of which is visited once."""
        if expression not in self.known:
            self.known[expression] = self._visit(expression)
        return self.known[expression]

    def _visit(self, node: sp.Expr) -> T:
        if isinstance(node, sp.Symbol):
            return self.symbol(node)
        if isinstance(node, (sp.Number, sp.NumberSymbol)):
            return self.number(node)
        name = type(node).__name__
        is_function = isinstance(node, ClosedFunction) and name in FUNCTIONS
        if not is_function and not isinstance(node, (sp.Add, sp.Mul, sp.Pow)):
            raise UnknownNodeError(f"'{node}' ({name}) is not in the closed table of functions")
        parts = [self(argument) for argument in node.args]
        if is_function:
            return self.function(node, name, parts)
        if isinstance(node, sp.Pow):
            return self.power(node, *parts)
        return self.add(node, parts) if isinstance(node, sp.Add) else self.mul(node, parts)

    @abstractmethod
    def number(self, node: sp.Expr) -> T:
        """A number, or a constant such as pi."""

    def symbol(self, node: sp.Symbol) -> T:
        """A symbol that ``known`` did not give."""
        raise KeyError(node.name)

    @abstractmethod
    def add(self, node: sp.Expr, parts: list[T]) -> T:
        """A sum of visited parts."""

    @abstractmethod
    def mul(self, node: sp.Expr, parts: list[T]) -> T:
        """A product of visited parts."""

    @abstractmethod
    def power(self, node: sp.Expr, base: T, exponent: T) -> T:
        """A power."""

    @abstractmethod
    def function(self, node: sp.Expr, name: str, parts: list[T]) -> T:
        """A function of the closed table, by its name there."""
