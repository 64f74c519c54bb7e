"""Derivatives of expressions of the closed table, without questions about what they are worth."""

from __future__ import annotations

import sympy as sp


def derivative(expression: sp.Expr, symbol: sp.Symbol) -> sp.Expr:
    """The derivative of an expression with respect to a symbol, as ``sympy.diff`` gives it.

    ``sympy.diff`` also asks whether the result vanishes by the assumptions about all of its parts, which
    takes a quarter of a whole derivation; nothing is assumed of the symbols here, so that the answer is never
    yes unless the result is the number 0.
    """
    return expression._eval_derivative(symbol)
