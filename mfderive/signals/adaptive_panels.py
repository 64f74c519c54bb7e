"""Adaptive Gauss-Kronrod integration of many integrals at once, each with its own ends and breaks.

All panels that are not yet good enough are halved together, so that an integrand is called a few times with
long arrays and not once per interval. The rule and its error estimate are QUADPACK's 10-21 pair (Piessens et
al. 1983).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any
# What is integrated: values at points [panel, node] of the integrals [panel], and errors of those values.
Integrand = Callable[[Array, Array], tuple[Array, Array]]

_KRONROD_NODES = (
    0.995657163025808080735527280689003,
    0.973906528517171720077964012084452,
    0.930157491355708226001207180059508,
    0.865063366688984510732096688423493,
    0.780817726586416897063717578345042,
    0.679409568299024406234327365114874,
    0.562757134668604683339000099272694,
    0.433395394129247190799265943165784,
    0.294392862701460198131126603103866,
    0.148874338981631210884826001129720,
)
_KRONROD_WEIGHTS = (
    0.011694638867371874278064396062192,
    0.032558162307964727478818972459390,
    0.054755896574351996031381300244580,
    0.075039674810919952767043140916190,
    0.093125454583697605535065465083366,
    0.109387158802297641899210590325805,
    0.123491976262065851077958109585166,
    0.134709217311473325928054001771707,
    0.142775938577060080797094273138717,
    0.147739104901338491374841515972068,
)
_MIDDLE_WEIGHT = 0.149445554002916905664936468389821
NODES = np.array([*(-node for node in _KRONROD_NODES), 0.0, *reversed(_KRONROD_NODES)])
WEIGHTS = np.array([*_KRONROD_WEIGHTS, _MIDDLE_WEIGHT, *reversed(_KRONROD_WEIGHTS)])
GAUSS_WEIGHTS = np.zeros(21)
GAUSS_WEIGHTS[1::2] = np.polynomial.legendre.leggauss(10)[1]

MOST_HALVINGS = 48
_ROUNDING = 4e-15
_MOST_PANELS = 1 << 20
_AT_ONCE = 1 << 14  # panels that are evaluated in one call


def integrate(
    function: Integrand, edges: Array, tolerance: float, scale: Array | float = 0.0
) -> tuple[Array, Array, Array]:
    """Integrals of ``function`` between the first and the last of its rising ``edges`` [integral, edge].

    Returns the values, the estimated errors and the integrals of the absolute value, each [integral]. A
    panel is done when its error is below a tenth of ``tolerance`` times the integral of the absolute value,
    or when its halves say nothing new because of rounding. ``function(points, which)`` gets points
    [panel, node] and the integral of each panel, and returns values and their errors. ``scale`` [integral]
    is put in place of smaller integrals of the absolute value: what counts is the error relative to it.
    """
    count, first_panels = edges.shape[0], edges.shape[1] - 1
    left, right = edges[:, :-1].ravel(), edges[:, 1:].ravel()
    which = np.repeat(np.arange(count), first_panels)
    held = right > left
    left, right, which = left[held], right[held], which[held]
    totals = np.zeros((3, count))
    size = np.zeros(count) + scale
    for halving in range(MOST_HALVINGS + 1):
        if not len(which):
            break
        value, error, inherited, absolute = _panels(function, left, right, which)
        if halving == 0:
            size = np.maximum(size, np.bincount(which, absolute, count))
        allowed = np.maximum(0.1 * tolerance * size[which], _ROUNDING * absolute)
        done = error <= np.maximum(allowed, 2 * inherited)
        if halving == MOST_HALVINGS or 2 * np.sum(~done) > _MOST_PANELS:
            done[:] = True
        for total, part in zip(totals, (value, error + inherited, absolute), strict=True):
            total += np.bincount(which[done], part[done], count)
        left, right, which = left[~done], right[~done], which[~done]
        middle = 0.5 * (left + right)
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        which = np.concatenate([which, which])
    return totals[0], totals[1], totals[2]


def _panels(function: Integrand, left: Array, right: Array, which: Array) -> tuple[Array, ...]:
    """Value, error, error of the integrand's values, and the integral of the absolute value, of panels."""
    parts = []
    for start in range(0, len(which), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        half = 0.5 * (right[some] - left[some])
        points = (0.5 * (right[some] + left[some]))[:, None] + half[:, None] * NODES
        values, errors = function(points, which[some])
        kronrod = values @ WEIGHTS
        spread = half * (np.abs(values - 0.5 * kronrod[:, None]) @ WEIGHTS)
        absolute = half * (np.abs(values) @ WEIGHTS)
        difference = half * np.abs(kronrod - values @ GAUSS_WEIGHTS)
        with np.errstate(divide="ignore", invalid="ignore"):
            sharper = spread * np.minimum(1.0, (200 * difference / spread) ** 1.5)
        error = np.where((spread > 0) & (difference > 0), sharper, difference)
        parts.append((half * kronrod, error, half * (errors @ WEIGHTS), absolute))
    return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))
