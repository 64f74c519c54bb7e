"""The phase diagram over (sigma_w2, sigma_b2): fixed points and depth scales on a grid; the critical line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ..algebra.arguments import found, real_array
from ..algebra.showing import Shown, words
from ..errors import ArgumentError
from .activations import given_map
from .correlation_points import correlation_points
from .critical_lines import critical_line
from .depth_map import DepthMap
from .variance_points import NEUTRAL, variance_points

Array = Any
_LINE = np.geomspace(1e-6, 1e4, 2001)


@dataclass(frozen=True, eq=False, repr=False)
class PhaseDiagram(Shown):
    """Plain arrays: ``sigma_w2`` [w] and ``sigma_b2`` [b] are the axes, the others have the shape [b, w].

    ``q_star``: infinite where variances grow for ever; ``c_star``, ``chi_1``, ``chi_c`` = chi(c*),
    ``xi_q``, ``xi_c``: nan where there is none. ``line_w2``, ``line_b2`` [point]: the critical line inside
    of the grid.
    """

    title: str
    sigma_w2: Array
    sigma_b2: Array
    q_star: Array
    slope_q: Array
    chi_1: Array
    c_star: Array
    chi_c: Array
    line_w2: Array
    line_b2: Array

    @property
    def xi_q(self) -> Array:
        """Depth scales of the variance."""
        return _depths(self.slope_q)

    @property
    def xi_c(self) -> Array:
        """Depth scales of the correlation."""
        return _depths(self.chi_c)

    @property
    def chaotic(self) -> Array:
        """Whether gradients grow, chi_1 > 1."""
        return self.chi_1 > 1

    @property
    def data(self) -> dict[str, Any]:
        """Everything as plain lists; None where there is no number."""
        names = (
            "sigma_w2",
            "sigma_b2",
            "q_star",
            "slope_q",
            "chi_1",
            "c_star",
            "chi_c",
            "line_w2",
            "line_b2",
        )
        numbers = {name: getattr(self, name) for name in names} | {"xi_q": self.xi_q, "xi_c": self.xi_c}
        plain: dict[str, Any] = {name: _plain(value) for name, value in numbers.items()}
        return {"title": self.title, **plain}

    def _summary(self) -> Iterator[str]:
        yield f"PhaseDiagram of {words(self.title)}: {self.sigma_w2.size} x {self.sigma_b2.size} scales"
        known = ~np.isnan(self.chi_1)
        share = (
            f"on {100 * self.chaotic[known].mean():.0f} %" if known.any() else "unknown: no variance rests"
        )
        yield f"  chi_1 > 1 {share}; .q_star .c_star .chi_1 .xi_q .xi_c .line_w2 .line_b2"


def phase_diagram(what: Any, sigma_w2: Any, sigma_b2: Any, **noise: Any) -> PhaseDiagram:
    """The phase diagram of a repeated layer over axes ``sigma_w2`` [w] and ``sigma_b2`` [b].

    ``what`` and the noise as in :func:`mfderive.signal`. Raises ArgumentError for axes that are none and
    for maps of more than one kernel entry.
    """
    depth_map, title = given_map(what, **noise)
    if len(depth_map.names) > 1:
        raise ArgumentError(
            f"a block hands on {len(depth_map.names)} kernel entries; phase diagrams are of maps of one"
        )
    w, b = _axis("sigma_w2", sigma_w2, above=0.0), _axis("sigma_b2", sigma_b2)
    grid_w, grid_b = (each.ravel() for each in np.meshgrid(w, b))
    with threadpool_limits(limits=1, user_api="blas"):  # the products are small
        arrays = _on_grid(depth_map, grid_w, grid_b)
        line_w2, line_b2 = critical_line(depth_map, _LINE)
    inside = (line_w2 >= w.min()) & (line_w2 <= w.max())
    inside &= (line_b2 >= b.min()) & (line_b2 <= b.max())
    shaped = {name: value.reshape(len(b), len(w)) for name, value in arrays.items()}
    return PhaseDiagram(title, w, b, **shaped, line_w2=line_w2[inside], line_b2=line_b2[inside])


def _on_grid(depth_map: DepthMap, sigma_w2: Array, sigma_b2: Array) -> dict[str, Array]:
    scales = {"sigma_w2": sigma_w2, "sigma_b2": sigma_b2}
    variances = variance_points(depth_map, scales)
    q = np.where(variances.every, 1.0, variances.q_star)
    known = np.flatnonzero(np.isfinite(q))
    names = ("chi_1", "c_star", "chi_c")
    arrays = {name: np.full(q.shape, np.nan) for name in names}
    if len(known):
        own = {name: value[known] for name, value in scales.items()}
        arrays["chi_1"][known] = depth_map.gradient_factor(q[known][:, None], own)
        correlations = correlation_points(depth_map, q[known], own)
        arrays["c_star"][known] = correlations.c_star
        arrays["chi_c"][known] = correlations.slope_star
    return {"q_star": variances.q_star, "slope_q": variances.slope_star, **arrays}


def _plain(values: Array) -> Any:
    """Nested lists of numbers, None where there is none."""
    objects = np.array(values, dtype=object)
    objects[~np.isfinite(values)] = None
    return objects.tolist()


def _axis(name: str, values: Any, above: float | None = None) -> Array:
    axis = real_array(name, values)
    if axis.ndim != 1 or not axis.size:
        raise ArgumentError(f"{name} is {found(values)}; it must be a list of numbers")
    if np.any(axis < 0) or (above is not None and np.any(axis <= above)):
        allowed = "be positive" if above is not None else "not be negative"
        raise ArgumentError(f"{name} has {axis.min():g}; its values must {allowed}")
    return axis


def _depths(slope: Array) -> Array:
    """-1 / log |slope|, infinite where the slope is 1 (or -1) and 0 where it is 0."""
    size = np.abs(slope)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = -1 / np.log(size)
    return np.where(np.abs(size - 1) <= NEUTRAL, np.inf, np.where(size == 0, 0.0, depth))
