"""The nodes of trees in measure notation: integrals, functions on states, gradients, Frechet derivatives."""

from __future__ import annotations

from typing import Any

import sympy as sp

from .nodes import Binder

DOT = sp.Symbol("·")
# The name of the loss's derivative, applied to the target y and the output.
LOSS_DERIVATIVE = "∂_2 L"
# The name of the loss itself, applied to the same.
LOSS_VALUE = "loss L"


class Integral(Binder):
    """``Integral(body, variable, ..., measure)``: ``body`` integrated over ``measure(d variable, ...)``."""

    latex_operator = r"\int"

    @property
    def measure(self) -> Any:
        """The measure, a symbol such as rho_1; it is not bound."""
        return self.args[-1]

    @property
    def indices(self) -> tuple[Any, ...]:
        """The variables of integration."""
        return tuple(self.args[1:-1])

    @property
    def free_symbols(self) -> set[Any]:
        """The free symbols of the body, and the measure."""
        return (set(self.body.free_symbols) - set(self.indices)) | {self.measure}

    def _eval_subs(self, old: Any, new: Any) -> Any:
        clash = set(self.indices) & ({old} | set(sp.sympify(new).free_symbols))
        fresh = {index: sp.Dummy(index.name) for index in clash}
        body = self.body.xreplace(fresh).subs(old, new)
        names = [fresh.get(index, index) for index in self.indices]
        return self.func(body, *names, new if self.measure == old else self.measure)


class _Node(sp.Expr):
    is_commutative = True

    def __new__(cls, *arguments: Any) -> Any:
        """An inert node over its arguments."""
        return sp.Expr.__new__(cls, *map(sp.sympify, arguments))


class Apply(_Node):
    """``Apply(f, argument, ...)``: the value of a function that is itself a variable."""


class Inner(_Node):
    """``Inner(a, b)``: an inner product, finite-dimensional or between functions."""


class Square(_Node):
    """``Square(a)``: the square of the length of a vector."""


class Gradient(_Node):
    """``Gradient(Apply(f, ...), k)``: the gradient in the k-th argument (k = 0: the only one)."""


class Frechet(_Node):
    """``Frechet(Apply(f, ...), k, direction)``: the derivative in the k-th argument along a function."""


class Rate(_Node):
    """``Rate(variable)``: the time derivative of a neuron's variable along its path."""


class Change(_Node):
    """``Change(Apply(f, ...))``: the partial time derivative at a fixed argument (Eulerian)."""


class Increment(_Node):
    """``Increment(variable)``: the increment of a variable along its path, or of the time."""


class Brownian(_Node):
    """``Brownian(variable)``: the increment of the Brownian motion that drives a variable of one neuron."""


class Divergence(_Node):
    """``Divergence(variable, law, speed)``: the divergence in a variable of a law that moves at a speed."""


class Slope(_Node):
    """``Slope(variable, function)``: the gradient of a function of a neuron's state in a variable."""


class Transport(_Node):
    """``Transport(variable, law, speed)``: the same where the speed is another variable of the state."""


class Laplacian(_Node):
    """``Laplacian(variable, law)``: the second derivatives of a law in a variable, which diffusion adds."""
