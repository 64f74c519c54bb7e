"""Functions of numbers, called inside compiled loops."""

from __future__ import annotations

import math

import numpy as np

from .compilation import Real, compiled


@compiled
def erf(x: Real) -> Real:
    """The error function."""
    return type(x)(math.erf(x))


@compiled
def gauss(x: Real) -> Real:
    """exp(-x^2) / sqrt(pi), half the slope of erf."""
    return type(x)(0.5641895835477563) * np.exp(-x * x)


@compiled
def sigmoid(x: Real) -> Real:
    """1 / (1 + exp(-x)) without overflow."""
    one = type(x)(1)
    if x >= 0:
        return one / (one + np.exp(-x))
    small = np.exp(x)
    return small / (one + small)


@compiled
def softplus(x: Real) -> Real:
    """log(1 + exp(x)) without overflow."""
    rest = np.log1p(np.exp(-abs(x)))
    return x + rest if x > 0 else rest


@compiled
def normal_cdf(x: Real) -> Real:
    """The standard normal distribution function."""
    real = type(x)
    return real(0.5) * real(math.erfc(-x * real(0.7071067811865476)))


@compiled
def normal_pdf(x: Real) -> Real:
    """The standard normal density."""
    real = type(x)
    return real(0.3989422804014327) * np.exp(-real(0.5) * x * x)


@compiled
def gelu(x: Real) -> Real:
    """x times the standard normal distribution function."""
    return x * normal_cdf(x)


@compiled
def silu(x: Real) -> Real:
    """x sigmoid(x)."""
    return x * sigmoid(x)


@compiled
def relu(x: Real) -> Real:
    """x where x > 0, else 0."""
    return type(x)(0) if x <= 0 else x


@compiled
def unit_step(x: Real) -> Real:
    """1 where x > 0, else 0: the slope of relu, 0 at 0."""
    return type(x)(1) if x > 0 else type(x)(0)


@compiled
def heaviside(x: Real) -> Real:
    """1 where x > 0, else 0."""
    return type(x)(1) if x > 0 else type(x)(0)


@compiled
def leaky_relu(x: Real) -> Real:
    """x where x > 0, else x / 100."""
    return x if x > 0 else type(x)(0.01) * x


@compiled
def elu(x: Real) -> Real:
    """x where x > 0, else exp(x) - 1."""
    return x if x > 0 else np.expm1(x)


@compiled
def elu_slope(x: Real) -> Real:
    """exp(min(x, 0)): the slope of elu on the left, 1 on the right."""
    return type(x)(1) if x > 0 else np.exp(x)


@compiled
def selu(x: Real) -> Real:
    """1.0507 x where x > 0, else 1.7581 (exp(x) - 1): the scale, and the scale times alpha."""
    return type(x)(1.0507009873554805) * x if x > 0 else type(x)(1.7580993408473768) * np.expm1(x)


@compiled
def selu_slope(x: Real) -> Real:
    """1.0507 where x > 0, else 1.7581 exp(x): at 0 the slope on the left."""
    return type(x)(1.0507009873554805) if x > 0 else type(x)(1.7580993408473768) * np.exp(x)


@compiled
def sign(x: Real) -> Real:
    """-1, 0 or 1."""
    if x > 0:
        return type(x)(1)
    return type(x)(-1) if x < 0 else x


@compiled
def larger(a: Real, b: Real) -> Real:
    """The larger; a tie gives a."""
    return a if a >= b else b


@compiled
def smaller(a: Real, b: Real) -> Real:
    """The smaller; a tie gives a."""
    return a if b >= a else b


@compiled
def not_less(a: Real, b: Real) -> Real:
    """1 where a >= b, else 0."""
    return type(a)(1) if a >= b else type(a)(0)


@compiled
def clip(r: Real, delta: Real) -> Real:
    """r cut to [-delta, delta]."""
    if r > delta:
        return delta
    return -delta if r < -delta else r


@compiled
def huber(r: Real, delta: Real) -> Real:
    """r^2 / 2 inside [-delta, delta], delta (|r| - delta / 2) outside."""
    half = type(r)(0.5)
    if abs(r) <= delta:
        return half * r * r
    return delta * (abs(r) - half * delta)
