"""The one visitor of expressions, and the memoised fold over sympy trees of the closed table.

A visitor says what a number, a symbol, a sum, a product, a power and a function of the closed table are
worth. A fold says it given what their arguments are worth; a visitor that is no fold chooses which arguments
it visits, and in which order. Common subexpressions are visited once, and a node that the table does not
know raises: nothing falls back silently.
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


class Visitor(ABC, Generic[T]):
    """A function of expressions that is stated by the kind of their outermost node; call it on an expression.

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
        if self.is_number(node):
            return self.number(node)
        if isinstance(node, sp.Symbol):
            return self.symbol(node)
        name = type(node).__name__
        if isinstance(node, ClosedFunction) and name in FUNCTIONS:
            return self.visit_function(node, name)
        if isinstance(node, sp.Pow):
            return self.visit_power(node)
        if isinstance(node, sp.Add):
            return self.visit_add(node)
        return self.visit_mul(node) if isinstance(node, sp.Mul) else self.other(node)

    def is_number(self, node: sp.Expr) -> bool:
        """Whether a node is taken for one number."""
        return isinstance(node, (sp.Number, sp.NumberSymbol))

    def other(self, node: sp.Expr) -> T:
        """A node that is not in the closed table. Raises UnknownNodeError."""
        raise UnknownNodeError(
            f"'{node}' ({type(node).__name__}) is not in the closed table of functions; known are sums, "
            f"products, powers, numbers, symbols and {', '.join(FUNCTIONS)}"
        )

    @abstractmethod
    def number(self, node: sp.Expr) -> T:
        """A number, or a constant such as pi."""

    def symbol(self, node: sp.Symbol) -> T:
        """A symbol that ``known`` did not give."""
        raise KeyError(node.name)

    @abstractmethod
    def visit_add(self, node: sp.Expr) -> T:
        """A sum, whose summands are still to be visited."""

    @abstractmethod
    def visit_mul(self, node: sp.Expr) -> T:
        """A product, whose factors are still to be visited."""

    @abstractmethod
    def visit_power(self, node: sp.Expr) -> T:
        """A power, whose base and exponent are still to be visited."""

    @abstractmethod
    def visit_function(self, node: sp.Expr, name: str) -> T:
        """A function of the closed table, by its name there; its arguments are still to be visited."""


class Fold(Visitor[T]):
    """A visitor that visits all arguments of a node first, in their order."""

    def visit_add(self, node: sp.Expr) -> T:
        """A sum of visited parts."""
        return self.add(node, self._parts(node))

    def visit_mul(self, node: sp.Expr) -> T:
        """A product of visited parts."""
        return self.mul(node, self._parts(node))

    def visit_power(self, node: sp.Expr) -> T:
        """A power of visited parts."""
        return self.power(node, *self._parts(node))

    def visit_function(self, node: sp.Expr, name: str) -> T:
        """A function of visited parts."""
        return self.function(node, name, self._parts(node))

    def _parts(self, node: sp.Expr) -> list[T]:
        return [self(argument) for argument in node.args]

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


class Rewriting(Fold[sp.Expr]):
    """The fold that builds an expression again out of its visited parts; override where something changes."""

    def number(self, node: sp.Expr) -> sp.Expr:
        """The number itself."""
        return node

    def symbol(self, node: sp.Symbol) -> sp.Expr:
        """The symbol itself."""
        return node

    def add(self, node: sp.Expr, parts: list[sp.Expr]) -> sp.Expr:
        """The sum of the parts."""
        return node.func(*parts)

    def mul(self, node: sp.Expr, parts: list[sp.Expr]) -> sp.Expr:
        """The product of the parts."""
        return node.func(*parts)

    def power(self, node: sp.Expr, base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
        """The power of the parts."""
        return node.func(base, exponent)

    def function(self, node: sp.Expr, name: str, parts: list[sp.Expr]) -> sp.Expr:
        """The function of the parts."""
        return node.func(*parts)
