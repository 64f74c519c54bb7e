"""The closed table of functions in PyTorch, with the kink conventions of the whole program under autograd.

PyTorch's relu, leaky_relu, elu, selu, abs and sign have these conventions already; its maximum shares a tie
between both arguments, so that what has two is written with ``where``. Its softplus is cut off where the
difference falls below the precision of float64, not at 20. This module imports torch; it is imported only
where torch is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

Array = Any

_ROOT_PI = math.sqrt(math.pi)
_ROOT_TWO_PI = math.sqrt(2.0 * math.pi)
_ROOT_HALF = math.sqrt(0.5)
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848
# exp(-40) is less than half of the last digit of 40 in float64.
_SOFTPLUS_ENDS = 40.0


def _step(x: Array) -> Array:
    return (x > 0).to(x.dtype)


def _elu_slope(x: Array) -> Array:
    return torch.exp(torch.where(x > 0, 0.0, x))


def _selu_slope(x: Array) -> Array:
    return torch.where(x > 0, _SELU_SCALE, _SELU_SCALE * _SELU_ALPHA * _elu_slope(x))


def _pair(a: Array, b: Array) -> tuple[Array, Array]:
    """Two arguments of which one may be a number, as tensors of one precision."""
    kinds = [value.dtype for value in (a, b) if isinstance(value, torch.Tensor)] or [torch.float64]
    return torch.as_tensor(a, dtype=kinds[0]), torch.as_tensor(b, dtype=kinds[-1])


def _first_where(compare: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    """The first argument where it compares with the second, which a tie leaves alone."""

    def chosen(a: Array, b: Array) -> Array:
        first, second = _pair(a, b)
        return torch.where(compare(first, second), first, second)

    return chosen


def _not_less(a: Array, b: Array) -> Array:
    first, second = _pair(a, b)
    return (first >= second).to(torch.result_type(first, second))


def _huber(r: Array, delta: Array) -> Array:
    size = torch.abs(r)
    return torch.where(size <= delta, 0.5 * r * r, delta * (size - 0.5 * delta))


def _clip(r: Array, delta: Array) -> Array:
    return torch.where(torch.abs(r) <= delta, r, torch.sign(r) * delta)


def _of_tensors(function: Callable[..., Array]) -> Callable[..., Array]:
    """A function whose argument may be a number, which then keeps the precision of float64."""

    def of_tensor(x: Array) -> Array:
        return function(x if isinstance(x, torch.Tensor) else torch.tensor(float(x), dtype=torch.float64))

    return of_tensor


_ONE_ARGUMENT: dict[str, Callable[..., Array]] = {
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "gauss": lambda x: torch.exp(-x * x) / _ROOT_PI,
    "sigmoid": torch.sigmoid,
    "softplus": lambda x: functional.softplus(x, threshold=_SOFTPLUS_ENDS),
    "gelu": functional.gelu,
    "normal_cdf": lambda x: 0.5 * torch.special.erfc(-_ROOT_HALF * x),
    "normal_pdf": lambda x: torch.exp(-0.5 * x * x) / _ROOT_TWO_PI,
    "silu": functional.silu,
    "relu": torch.relu,
    "step": _step,
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.01),
    "elu": functional.elu,
    "elu_slope": _elu_slope,
    "selu": torch.selu,
    "selu_slope": _selu_slope,
    "abs": torch.abs,
    "sign": torch.sign,
    "heaviside": _step,
}

TORCH_FUNCTIONS: dict[str, Callable[..., Array]] = {
    **{name: _of_tensors(function) for name, function in _ONE_ARGUMENT.items()},
    "max": _first_where(torch.ge),
    "min": _first_where(torch.le),
    "not_less": _not_less,
    "huber": _huber,
    "clip": _clip,
    "power": torch.pow,
}
