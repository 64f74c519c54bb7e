"""Functions made of exponentials in generated loops, beside one call of the C library for each number."""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from codegen.test_functions import build
from numba import njit

pytestmark = pytest.mark.benchmark

NUMBERS, ROUNDS = 30_000, 200


@njit(error_model="numpy")
def _sigmoid(x: float) -> float:
    return 1 / (1 + np.exp(-x)) if x >= 0 else np.exp(x) / (1 + np.exp(x))


@njit(error_model="numpy")
def _softplus(x: float) -> float:
    return max(x, 0.0) + np.log1p(np.exp(-abs(x)))


@njit(error_model="numpy")
def _gelu(x: float) -> float:
    return x * 0.5 * math.erfc(-x * 0.7071067811865476)


@njit(error_model="numpy")
def _erf(x: float) -> float:
    return math.erf(x)


@njit(error_model="numpy")
def _exp(x: float) -> float:
    return np.exp(x)


@njit(error_model="numpy")
def _tanh(x: float) -> float:
    return np.tanh(x)


CALLS = {"exp": _exp, "tanh": _tanh, "sigmoid": _sigmoid, "softplus": _softplus, "erf": _erf, "gelu": _gelu}


def _nanoseconds(function: Any) -> float:
    """The least time of a number in a loop over an array."""

    @njit(error_model="numpy", fastmath={"contract", "reassoc"})
    def loop(out: Any, values: Any) -> None:
        for i in range(values.shape[0]):
            out[i] = function(values[i])

    values = np.random.default_rng(1).standard_normal(NUMBERS)
    out = np.empty_like(values)
    loop(out, values)
    best = math.inf
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        loop(out, values)
        best = min(best, time.perf_counter() - begin)
    return best / NUMBERS * 1e9


@pytest.mark.parametrize("name", CALLS)
def test_several_numbers_at_once_take_a_part_of_the_time(name: str) -> None:
    """Asserts that the loop is faster: how much depends on how wide the registers of a processor are."""
    make: Callable[[Any], Any] = njit(error_model="numpy", fastmath={"contract"}, forceinline=True)
    own, calls = _nanoseconds(build(name, make)), _nanoseconds(CALLS[name])
    print(f"\n| {name} | {own:.1f} | {calls:.1f} | {calls / own:.1f} |")
    assert own < calls
