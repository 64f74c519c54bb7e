"""What people give for a repeated layer: a name of an activation, an expression in h, a map of their own."""

from __future__ import annotations

from typing import Any

import sympy as sp

from ..algebra.arguments import found, number, optional, positive_number
from ..algebra.functions import FUNCTIONS, PUBLIC_FUNCTIONS, call
from ..algebra.parser import Names, parse_expression
from ..errors import ArgumentError
from ..network.network import Network
from .dense_map import DenseMap, endless_slope
from .depth_map import DepthMap
from .network_map import repeated_map

FIELD = "h"
_ALLOWED = (
    'Give the name of an activation ("tanh"), an expression in h ("h * sigmoid(1.7 * h)"), or a network '
    "(mfderive.load(path))"
)


def activation_expression(given: Any) -> tuple[sp.Expr, sp.Symbol]:
    """An activation and the symbol of its field: of a name, a text in h, or a sympy expression."""
    h = sp.Symbol(FIELD)
    if isinstance(given, str):
        if given in PUBLIC_FUNCTIONS and FUNCTIONS[given].arity == 1:
            return call(given, h), h
        expression = parse_expression("h" if given == "linear" else given, Names(plain=frozenset({FIELD})))
    elif isinstance(given, sp.Expr):
        expression = given
        if len(expression.free_symbols) > 1:
            names = ", ".join(sorted(map(str, expression.free_symbols)))
            raise ArgumentError(
                f"the activation {given} has the symbols {names}; it must have one. {_ALLOWED}"
            )
    else:
        raise ArgumentError(f"an activation is needed, found {found(given)}. {_ALLOWED}")
    symbols = expression.free_symbols
    if not symbols:
        raise ArgumentError(f"the activation {given} is constant: no signal passes it. {_ALLOWED}")
    return expression, next(iter(symbols))


def dense_map(given: Any, dropout_keep: Any = None, noise_variance: Any = None) -> DenseMap:
    """The map of a dense layer with an activation, and with dropout or Gaussian noise on every neuron.

    ``dropout_keep``: the probability p with which a neuron is kept (others are 0, kept ones divided by p);
    ``noise_variance``: the variance of noise of mean 1 that multiplies every neuron. Raises ArgumentError.
    """
    expression, symbol = activation_expression(given)
    keep = optional(positive_number, "dropout_keep", dropout_keep)
    variance = optional(number, "noise_variance", noise_variance)
    if keep is not None and keep > 1:
        raise ArgumentError(f"dropout_keep is {keep:g}; it is a probability, above 0 and at most 1")
    if variance is not None and variance < 0:
        raise ArgumentError(f"noise_variance is {variance:g}; a variance must not be negative")
    dense = DenseMap(expression, symbol, (1.0 if keep is None else 1 / keep) * (1 + (variance or 0.0)))
    where = endless_slope(dense)
    if where is not None:
        raise ArgumentError(
            f"the slope of the activation {given} is infinite at {symbol} = {where + 0.0:g}: gradients "
            "have no second moment to be sure of. Take an activation of finite slope"
        )
    return dense


def given_map(given: Any, **noise: Any) -> tuple[DepthMap, str]:
    """The depth map of what a caller gave, and what it is called. Raises ArgumentError, and MfError as
    kernels do."""
    if isinstance(given, Network):
        if any(value is not None for value in noise.values()):
            raise ArgumentError(
                f"{' and '.join(noise)} belong to activations; a network has [training] dropout"
            )
        return repeated_map(given), f"the repeated part of '{given.title}'"
    if not isinstance(given, str | sp.Expr) and isinstance(given, DepthMap):
        if any(value is not None for value in noise.values()):
            raise ArgumentError(f"{' and '.join(noise)} belong to activations; a map has its own noise")
        return given, " + ".join(given.names)
    return dense_map(given, **noise), f"dense layers with activation {given}"
