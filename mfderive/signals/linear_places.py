"""Places in the space of Gaussian variables as hyperplanes: where an integrand bends, and where it is steep.

A hyperplane is a linear form of the variables with an offset, whose coefficients are expressions in the
parameters. What bends where a function of one linear form vanishes bends on parallel hyperplanes, found once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import sympy as sp
from scipy.optimize import brentq

from ..algebra.derivative import derivative
from ..algebra.evaluate import evaluate_expression
from ..algebra.functions import ClosedFunction
from ..errors import MfError
from .singular_places import singular_places

Array = Any
# How far on both sides of its middle a smooth function of the table changes, in units of its argument.
STEEP = 6.0
# How many places one factor of an integrand may bend at.
MOST_PLACES = 64


@dataclass(frozen=True)
class LinearPlace:
    """sum_i ``slopes[i]`` u_i + ``offset`` = 0. ``bends``: the integrand is not smooth there.

    A place that does not bend is the middle of a smooth function, whose argument the linear form is.
    """

    slopes: tuple[sp.Expr, ...]
    offset: sp.Expr
    bends: bool

    def numbers(self, parameters: Mapping[sp.Symbol, Array], count: int) -> tuple[Array, Array]:
        """Slopes [element, variable] and offsets [element]."""
        rows = [evaluate_expression(each, parameters) for each in (*self.slopes, self.offset)]
        table = np.stack([np.broadcast_to(np.asarray(row, float), (count,)) for row in rows], axis=1)
        return table[:, :-1], table[:, -1]


def linear_form(
    expression: sp.Expr, variables: Sequence[sp.Symbol]
) -> tuple[tuple[sp.Expr, ...], sp.Expr] | None:
    """Slopes and offset of an expression that is linear in the variables, None for any other.

    Slopes alone do not show it: that of sign(u) is 0.
    """
    if any(atom.has(*variables) for atom in expression.atoms(ClosedFunction)):
        return None
    slopes = tuple(derivative(expression, variable) for variable in variables)
    if any(slope.has(*variables) for slope in slopes):
        return None
    return slopes, expression.subs(dict.fromkeys(variables, 0))


def linear_places(
    integrand: sp.Expr, variables: tuple[sp.Symbol, ...]
) -> tuple[tuple[LinearPlace, ...], bool]:
    """The hyperplanes where an integrand bends or is steep, and whether it bends nowhere else."""
    found: dict[tuple[Any, sp.Expr], bool] = {}
    complete = True
    for place in singular_places(integrand):
        if not place.zero.has(*variables):
            continue
        forms = _hyperplanes(place.zero, variables)
        complete = complete and forms is not None
        found |= dict.fromkeys(forms or (), True)
    for atom in sp.ordered(integrand.atoms(ClosedFunction)):
        for argument in atom.args:
            form = linear_form(argument, variables)
            if form is not None and any(form[0]) and form not in found:
                found[form] = False
    return tuple(LinearPlace(slopes, offset, bends) for (slopes, offset), bends in found.items()), complete


def _hyperplanes(
    zero: sp.Expr, variables: tuple[sp.Symbol, ...]
) -> list[tuple[tuple[sp.Expr, ...], sp.Expr]] | None:
    """Where an expression vanishes, as hyperplanes; None where it is not known to be one."""
    form = linear_form(zero, variables)
    if form is not None:
        return [form]
    direction = _direction(zero, variables)
    if direction is None:
        return None
    t = sp.Dummy("t")
    square = sum(part**2 for part in direction)
    along = zero.subs({u: part * t / square for u, part in zip(variables, direction, strict=True)})
    slopes = tuple(map(sp.Float, direction))
    roots = list(islice(_roots(along, t), MOST_PLACES + 1))
    if len(roots) > MOST_PLACES:
        raise MfError(
            f"a function bends or jumps wherever {zero} = 0, at more than {MOST_PLACES} places, and each is "
            "integrated apart. Take a function with fewer kinks, or a smooth one"
        )
    return [(slopes, sp.Float(-root)) for root in roots]


def _direction(zero: sp.Expr, variables: tuple[sp.Symbol, ...]) -> tuple[float, ...] | None:
    """The direction along which alone an expression changes, found from its gradients at a few points."""
    if zero.free_symbols - set(variables):
        return None
    points = np.random.default_rng(0).normal(size=(len(variables), 7))
    values = dict(zip(variables, points, strict=True))
    slopes = [np.broadcast_to(evaluate_expression(derivative(zero, u), values), (7,)) for u in variables]
    gradients = np.stack(slopes, axis=1)
    lengths = np.linalg.norm(gradients, axis=1)
    if not np.all(np.isfinite(lengths)) or not np.any(lengths > 0):
        return None
    first = gradients[np.argmax(lengths)] / lengths.max()
    across = gradients - np.outer(gradients @ first, first)
    return tuple(first.tolist()) if np.all(np.abs(across) <= 1e-9 * lengths.max()) else None


def _roots(expression: sp.Expr, t: sp.Symbol) -> Iterator[float]:
    """The zeros of a function of one number where it changes its sign, between -1e4 and 1e4."""

    def value(point: Array) -> Array:
        with np.errstate(all="ignore"):
            return evaluate_expression(expression, {t: point})

    half = np.sinh(np.linspace(0, np.arcsinh(1e4), 4001)[1:])
    # A grid that avoids round numbers, where zeros like to lie.
    grid = np.concatenate([-half[::-1], [1.1e-7], half * (1 + 1e-7)])
    values = np.broadcast_to(value(grid), grid.shape)
    for k in np.flatnonzero(np.signbit(values[:-1]) != np.signbit(values[1:])):
        if np.isfinite(values[k : k + 2]).all():
            yield float(
                brentq(lambda point: float(value(np.float64(point))), grid[k], grid[k + 1], xtol=1e-15)
            )
