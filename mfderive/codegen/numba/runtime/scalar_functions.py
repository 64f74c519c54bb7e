"""Functions of numbers, called inside compiled loops.

Those that are made of exponentials are written without branches and calls, in float64 for both precisions,
so that a loop does several numbers at once: ten times faster than the C library, one number after the other,
and within 3 units in the last place of float64.
"""

from __future__ import annotations

import math

import numpy as np

from .compilation import Real, compiled, compiled_in_order


@compiled_in_order
def nearest_power(t: Real) -> Real:
    """t / log 2, rounded: an integer k in the last bits of a number, to which 1.5 * 2^52 was added."""
    return t * 1.4426950408889634 + 6755399441055744.0


@compiled_in_order
def two_to(shifted: Real) -> Real:
    """2^k for :func:`nearest_power`, -1023 < k < 1024: k becomes the exponent of a float64."""
    return np.int64((np.float64(shifted).view(np.int64) + 1023) << 52).view(np.float64)


@compiled_in_order
def expm1_near(t: Real, k: Real) -> Real:
    """exp(t - k log 2) - 1 for |t - k log 2| <= log(2) / 2: the Taylor series, whose rest is below 4e-18."""
    # log 2 in two parts: k times the first is exact.
    r = (t - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10
    p = 1 / 6227020800
    p = p * r + 1 / 479001600
    p = p * r + 1 / 39916800
    p = p * r + 1 / 3628800
    p = p * r + 1 / 362880
    p = p * r + 1 / 40320
    p = p * r + 1 / 5040
    p = p * r + 1 / 720
    p = p * r + 1 / 120
    p = p * r + 1 / 24
    p = p * r + 1 / 6
    p = p * r + 0.5
    return r * r * p + r


@compiled_in_order
def exp(x: Real) -> Real:
    """e^x; 0 and inf where float64 has nothing nearer."""
    t = min(max(np.float64(x), -746.0), 710.0)
    shifted = nearest_power(t)
    k = shifted - 6755399441055744.0
    half = 0.5 * k + 6755399441055744.0
    rest = (k - (half - 6755399441055744.0)) + 6755399441055744.0
    # In two factors: 2^k itself is no float64 at either end.
    y = two_to(half) * (1.0 + expm1_near(t, k)) * two_to(rest)
    return x if x != x else type(x)(y)


@compiled_in_order
def expm1_left(x: Real) -> Real:
    """e^x - 1 for x <= 0."""
    t = min(max(np.float64(x), -40.0), 0.0)
    shifted = nearest_power(t)
    power = two_to(shifted)
    y = power * expm1_near(t, shifted - 6755399441055744.0) + (power - 1.0)
    return x if x != x else type(x)(y)


@compiled_in_order
def tanh(x: Real) -> Real:
    """The hyperbolic tangent: m / (m + 2) for m = e^(2 |x|) - 1, with the sign of x."""
    t = 2.0 * min(abs(np.float64(x)), 20.0)
    shifted = nearest_power(t)
    power = two_to(shifted)
    m = power * expm1_near(t, shifted - 6755399441055744.0) + (power - 1.0)
    y = np.copysign(m / (m + 2.0), np.float64(x))
    return x if x != x else type(x)(y)


@compiled_in_order
def log1p_unit(u: Real) -> Real:
    """log(1 + u) for 0 <= u <= 1: the series of 2 artanh(z) for z = u / (2 + u) <= 1/3, rest below 1e-18."""
    z = u / (2.0 + u)
    q = z * z
    p = 1 / 35
    p = p * q + 1 / 33
    p = p * q + 1 / 31
    p = p * q + 1 / 29
    p = p * q + 1 / 27
    p = p * q + 1 / 25
    p = p * q + 1 / 23
    p = p * q + 1 / 21
    p = p * q + 1 / 19
    p = p * q + 1 / 17
    p = p * q + 1 / 15
    p = p * q + 1 / 13
    p = p * q + 1 / 11
    p = p * q + 1 / 9
    p = p * q + 1 / 7
    p = p * q + 1 / 5
    p = p * q + 1 / 3
    return 2.0 * (z * q * p + z)


@compiled
def erf(x: Real) -> Real:
    """The error function."""
    return type(x)(math.erf(x))


@compiled_in_order
def gauss(x: Real) -> Real:
    """exp(-x^2) / sqrt(pi), half the slope of erf."""
    return type(x)(0.5641895835477563) * exp(-x * x)


@compiled_in_order
def sigmoid(x: Real) -> Real:
    """1 / (1 + exp(-x)) without overflow."""
    small = exp(-abs(np.float64(x)))
    return type(x)((1.0 if x >= 0 else small) / (1.0 + small))


@compiled_in_order
def softplus(x: Real) -> Real:
    """log(1 + exp(x)) without overflow."""
    rest = log1p_unit(exp(-abs(np.float64(x))))
    return type(x)(max(np.float64(x), 0.0) + rest)


@compiled
def normal_cdf(x: Real) -> Real:
    """The standard normal distribution function."""
    real = type(x)
    return real(0.5) * real(math.erfc(-x * real(0.7071067811865476)))


@compiled_in_order
def normal_pdf(x: Real) -> Real:
    """The standard normal density."""
    real = type(x)
    return real(0.3989422804014327) * exp(-real(0.5) * x * x)


@compiled
def gelu(x: Real) -> Real:
    """x times the standard normal distribution function."""
    return x * normal_cdf(x)


@compiled_in_order
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


@compiled_in_order
def elu(x: Real) -> Real:
    """x where x > 0, else exp(x) - 1."""
    return x if x > 0 else expm1_left(x)


@compiled_in_order
def elu_slope(x: Real) -> Real:
    """exp(min(x, 0)): the slope of elu on the left, 1 on the right."""
    return type(x)(1) if x > 0 else exp(x)


@compiled_in_order
def selu(x: Real) -> Real:
    """1.0507 x where x > 0, else 1.7581 (exp(x) - 1): the scale, and the scale times alpha."""
    return type(x)(1.0507009873554805) * x if x > 0 else type(x)(1.7580993408473768) * expm1_left(x)


@compiled_in_order
def selu_slope(x: Real) -> Real:
    """1.0507 where x > 0, else 1.7581 exp(x): at 0 the slope on the left."""
    return type(x)(1.0507009873554805) if x > 0 else type(x)(1.7580993408473768) * exp(x)


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
