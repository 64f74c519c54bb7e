"""The closed table of functions in JAX, with the kink conventions of the whole program under ``jax.grad``.

JAX disagrees with itself at kinks (relu'(0) = 0, maximum' = 1/2, abs'(0) = 1, its default gelu is the tanh
approximation), so every function with a kink is written with ``where``, safe on the branch not taken.
This module imports JAX; it is imported only where JAX is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Array = Any

_ROOT_PI = math.sqrt(math.pi)
_ROOT_TWO_PI = math.sqrt(2.0 * math.pi)
_ROOT_HALF = math.sqrt(0.5)
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848


def _softplus_value(x: Array) -> Array:
    return jnp.logaddexp(x, jnp.zeros_like(x))


def _softplus_derivative(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    return _softplus_value(x), jax.nn.sigmoid(x) * dx


# log(1 + exp(x)) without overflow, with the derivative sigmoid(x) everywhere.
_softplus: Any = jax.custom_jvp(_softplus_value)
_softplus.defjvp(_softplus_derivative)


def _normal_cdf(x: Array) -> Array:
    return 0.5 * jax.scipy.special.erfc(-_ROOT_HALF * x)


def _step(x: Array) -> Array:
    return jnp.where(x > 0, 1.0, 0.0).astype(jnp.result_type(x))


def _sign(x: Array) -> Array:
    return jax.lax.stop_gradient(jnp.sign(x))


def _abs(x: Array) -> Array:
    return _sign(x) * x


def _elu(x: Array) -> Array:
    positive = x > 0
    return jnp.where(positive, x, jnp.expm1(jnp.where(positive, 0.0, x)))


def _elu_slope(x: Array) -> Array:
    return jnp.exp(jnp.where(x > 0, 0.0, x))


def _selu(x: Array) -> Array:
    positive = x > 0
    return jnp.where(
        positive, _SELU_SCALE * x, _SELU_SCALE * _SELU_ALPHA * jnp.expm1(jnp.where(positive, 0.0, x))
    )


def _selu_slope(x: Array) -> Array:
    slope = jnp.where(x > 0, _SELU_SCALE, _SELU_SCALE * _SELU_ALPHA * jnp.exp(jnp.where(x > 0, 0.0, x)))
    return slope.astype(jnp.result_type(x))


def _not_less(a: Array, b: Array) -> Array:
    return jnp.where(jnp.asarray(a) >= b, 1.0, 0.0).astype(jnp.result_type(a, b))


def _huber(r: Array, delta: Array) -> Array:
    size = _abs(r)
    return jnp.where(size <= delta, 0.5 * r * r, delta * (size - 0.5 * delta))


def _clip(r: Array, delta: Array) -> Array:
    return jnp.where(jnp.abs(r) <= delta, r, _sign(r) * delta)


JAX_FUNCTIONS: dict[str, Callable[..., Array]] = {
    "exp": jnp.exp,
    "log": jnp.log,
    "sqrt": jnp.sqrt,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tanh": jnp.tanh,
    "erf": jax.scipy.special.erf,
    "gauss": lambda x: jnp.exp(-x * x) / _ROOT_PI,
    "sigmoid": jax.nn.sigmoid,
    "softplus": _softplus,
    "gelu": lambda x: x * _normal_cdf(x),
    "normal_cdf": _normal_cdf,
    "normal_pdf": lambda x: jnp.exp(-0.5 * x * x) / _ROOT_TWO_PI,
    "silu": lambda x: x * jax.nn.sigmoid(x),
    "relu": lambda x: jnp.where(x <= 0, 0.0, x),
    "step": _step,
    "leaky_relu": lambda x: jnp.where(x > 0, x, 0.01 * x),
    "elu": _elu,
    "elu_slope": _elu_slope,
    "selu": _selu,
    "selu_slope": _selu_slope,
    "abs": _abs,
    "sign": _sign,
    "heaviside": _step,
    "max": lambda a, b: jnp.where(jnp.asarray(a) >= b, a, b),
    "min": lambda a, b: jnp.where(jnp.asarray(b) >= a, a, b),
    "not_less": _not_less,
    "huber": _huber,
    "clip": _clip,
    "power": jnp.power,
}
