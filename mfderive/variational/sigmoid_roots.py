"""All fixed points of one number: u = f(u) for functions f that bend as tanh does."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from scipy.optimize import brentq

# Beyond it e^(-4J/T) is nothing beside 1.
_FAR = 15.0


def mean_field_roots(coupling: float, field: float, temperature: float) -> list[float]:
    """All u with T u = k tanh(u) + B, ascending; m = tanh(u) are all solutions of m = tanh((k m + B)/T).

    ``coupling`` is k, the sum of a spin's couplings (2 d J on a lattice of d dimensions), ``field`` is B.
    The right side minus the left has a derivative that vanishes at +-arcosh(sqrt(k/T)) and nowhere else, so
    that each of the (at most three) intervals between these places has at most one root.
    """
    ratio = coupling / temperature
    turn = math.acosh(math.sqrt(ratio)) if ratio > 1 else 0.0
    bound = (abs(coupling) + abs(field)) / temperature + 1.0
    return sigmoid_roots(lambda u: ratio * math.tanh(u) + field / temperature - u, turn, bound)


def bethe_roots(degree: int, coupling: float, field: float, temperature: float) -> list[float]:
    """All u with u = B/T + (d - 1) artanh(tanh(J/T) tanh(u)), ascending: cavity fields of a regular graph.

    u is the field in units of T that a spin feels when one of its neighbours is left out (Bethe 1935).
    """
    strength, others = coupling / temperature, degree - 1
    bound = (abs(field) + degree * abs(coupling)) / temperature + 1.0
    return sigmoid_roots(
        lambda u: field / temperature + others * _passed_on(strength, u) - u, _turn(strength, others), bound
    )


def _passed_on(strength: float, u: float) -> float:
    """artanh(tanh(J/T) tanh(u)), right where both are large: log of cosh(J/T + u)/cosh(J/T - u), halved."""
    return (_log_cosh(strength + u) - _log_cosh(strength - u)) / 2


def _log_cosh(x: float) -> float:
    return abs(x) + math.log1p(math.exp(-2 * abs(x)))


def _turn(strength: float, others: int) -> float:
    """Where the slope (d - 1) sinh(2J/T)/(cosh(2J/T) + cosh(2u)) is 1; 0 where it is less everywhere."""
    if others > 1 and strength > _FAR:
        return strength + math.log(others - 1) / 2
    height = others * math.sinh(2 * strength) - math.cosh(2 * strength) if abs(strength) <= _FAR else 0.0
    return math.acosh(height) / 2 if height > 1 else 0.0


def sigmoid_roots(difference: Callable[[float], float], turn: float, bound: float) -> list[float]:
    """All zeros in (-bound, bound) of a function that is monotone within -turn and turn, and outside."""
    places = np.unique([-bound, -turn, turn, bound]).tolist()
    values = [difference(place) for place in places]
    roots = [place for place, value in zip(places, values, strict=True) if value == 0]
    for (low, high), (before, after) in zip(pairwise(places), pairwise(values), strict=True):
        if before * after < 0:
            roots.append(brentq(difference, low, high, xtol=1e-15, rtol=8.9e-16))
    return sorted(root + 0.0 for root in roots)
