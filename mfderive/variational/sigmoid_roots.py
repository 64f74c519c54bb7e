"""All fixed points of one number: u = f(u) for functions f that bend as tanh does."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from scipy.optimize import brentq


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
    t, others = math.tanh(coupling / temperature), degree - 1
    slope = others * t  # of the right side at u = 0
    turn = math.atanh(math.sqrt((slope - 1) / (slope - t * t))) if slope > 1 and t < 1 else 0.0
    bound = (abs(field) + degree * abs(coupling)) / temperature + 1.0
    return sigmoid_roots(
        lambda u: field / temperature + others * math.atanh(t * math.tanh(u)) - u, turn, bound
    )


def sigmoid_roots(difference: Callable[[float], float], turn: float, bound: float) -> list[float]:
    """All zeros in (-bound, bound) of a function that is monotone within -turn and turn, and outside."""
    places = np.unique([-bound, -turn, turn, bound]).tolist()
    values = [difference(place) for place in places]
    roots = [place for place, value in zip(places, values, strict=True) if value == 0]
    for (low, high), (before, after) in zip(pairwise(places), pairwise(values), strict=True):
        if before * after < 0:
            roots.append(brentq(difference, low, high, xtol=1e-15, rtol=8.9e-16))
    return sorted(root + 0.0 for root in roots)
