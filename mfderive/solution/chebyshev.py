"""A stabilised explicit Runge-Kutta method: steps of many stages that stay stable far beyond those of a pair.

The method RKC of second order (Sommeijer, Shampine and Verwer 1998): s stages are stable for eigenvalues
from about -0.65 s^2 / h to 0, where s stages of a pair reach about -s / h. It needs the velocity alone, some
vectors of the state's size and no matrix, which scipy's solvers for stiff equations form with as many
velocities as the state has entries. It suits flows whose linearisation has real eigenvalues, as that of a
gradient flow has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from math import sqrt
from typing import Any

import numpy as np

Array = Any
Rate = Callable[[float, Array], Array]

_DAMPING = 2 / 13
_MOST_STAGES = 200  # their number squared multiplies rounding
# The spectral radius is found by iteration to about _CLOSE, taken larger by a part, and found again after so
# many steps. Kinks keep an iteration from settling; a radius that is too small shows in the errors of steps.
_ITERATIONS, _CLOSE, _SAFETY, _AGE = 15, 0.05, 1.2, 25
# An error of so many units speaks of an unstable step, not of one that is a little too long.
_UNSTABLE = 10.0
# The next step: this part of what the error estimate allows, and no smaller or larger than these multiples.
_CAUTION, _SHRINK, _GROW = 0.8, 0.1, 5.0
# The least step, in units of the last place of the time.
_LEAST = 10
# Factors of the error estimate (Sommeijer et al., equation 2.8).
_MOVED, _SLOPES = 0.8, 0.4


@cache
def coefficients(stages: int) -> tuple[float, tuple[tuple[float, float, float, float, float], ...]]:
    """The first stage's factor; mu, nu, mu~, gamma~ of every later stage, and the time of the one before."""
    s = stages
    w0 = 1 + _DAMPING / s**2
    value, slope, bend = [1.0, w0], [0.0, 1.0], [0.0, 0.0]
    for j in range(2, s + 1):
        value.append(2 * w0 * value[-1] - value[-2])
        slope.append(2 * value[j - 1] + 2 * w0 * slope[-1] - slope[-2])
        bend.append(4 * slope[j - 1] + 2 * w0 * bend[-1] - bend[-2])
    w1 = slope[s] / bend[s]
    b = [0.0, 0.0] + [bend[j] / slope[j] ** 2 for j in range(2, s + 1)]
    b[0] = b[1] = b[2]
    times = [0.0, b[1] * w1] + [w1 * bend[j] / slope[j] for j in range(2, s + 1)]
    rows = []
    for j in range(2, s + 1):
        slopes = 2 * b[j] * w1 / b[j - 1]
        first = -(1 - b[j - 1] * value[j - 1]) * slopes
        rows.append((2 * b[j] * w0 / b[j - 1], -b[j] / b[j - 2], slopes, first, times[j - 1]))
    return b[1] * w1, tuple(rows)


class Chebyshev:
    """Steps of y' = fun(t, y) with errors of root mean square at most 1, in the manner of scipy's solvers.

    ``t``, ``y``, ``f``, ``h_abs`` (the next step), ``nfev``, ``status``, :meth:`step`, :meth:`dense_output`
    as there; ``rejected`` counts steps that were made again shorter.
    """

    def __init__(
        self, fun: Rate, t0: float, y0: Array, t_bound: float, first_step: float | None = None
    ) -> None:
        self.fun, self.t, self.y, self.t_bound = fun, float(t0), y0, t_bound
        self.t_old: float | None = None
        self.nfev, self.rejected, self.status = 0, 0, "running"
        self.f = self._rate(self.t, y0)
        self.before: tuple[Array, Array] = (self.y, self.f)
        self.direction, self.radius, self.age = self.f, 0.0, _AGE
        self.h_abs = first_step or 0.0

    def step(self) -> None:
        """One step, as long as its error allows; ``status`` says where there is none."""
        if self.h_abs == 0.0:
            self._measure_radius()
            self.h_abs = self._first_step()
        grow = _GROW
        while self.status == "running":
            if self.age >= _AGE:
                self._measure_radius()
            most = ((_MOST_STAGES - 1) ** 2 - 1) / (1.54 * self.radius) if self.radius else np.inf
            h = min(self.h_abs, most)
            after = self.t + h
            # What would be left of a step that ends just before the bound is too short for another one.
            if after >= self.t_bound - _LEAST * np.spacing(self.t_bound):
                after = self.t_bound
            h = after - self.t
            if not h > _LEAST * np.spacing(self.t):
                self.status = "failed"
                return
            y, f, error = self._tried(h)
            factor = _CAUTION * error ** (-1 / 3) if error > 0 else _GROW
            if error <= 1:
                self.before, self.t_old = (self.y, self.f), self.t
                self.t, self.y, self.f = after, y, f
                self.h_abs = h * min(grow, max(_SHRINK, factor))
                self.age += 1
                self.status = "finished" if after == self.t_bound else "running"
                return
            self.rejected += 1
            grow = 1.0
            self.h_abs = h * (min(1.0, max(_SHRINK, factor)) if np.isfinite(error) else _SHRINK)
            if self.age and not error < _UNSTABLE:  # the radius has grown
                self.age = _AGE

    def dense_output(self) -> Callable[[float], Array]:
        """The last step as a cubic through its ends, of third order."""
        begins, h = self.t_old, self.t - (self.t_old or 0.0)
        (y0, f0), y1, f1 = self.before, self.y, self.f

        def at(t: float) -> Array:
            u = (t - (begins or 0.0)) / h
            ends = y0 * ((1 + 2 * u) * (1 - u) ** 2) + y1 * (u * u * (3 - 2 * u))
            return ends + f0 * (h * u * (1 - u) ** 2) + f1 * (h * u * u * (u - 1))

        return at

    @property
    def memory(self) -> dict[str, Array]:
        """What it remembers beside time, values and the next step."""
        return {"direction": self.direction, "radius": np.array([self.radius, self.age], np.float64)}

    def remember(self, memory: Mapping[str, Array]) -> None:
        """Go on with what another one remembered."""
        self.direction = memory["direction"]
        self.radius, self.age = float(memory["radius"][0]), int(memory["radius"][1])

    # ------------------------------------------------------------------ parts of a step

    def _tried(self, h: float) -> tuple[Array, Array, float]:
        """Values and velocity after a step of size h, and its error."""
        stages = max(2, 1 + int(sqrt(1 + 1.54 * h * self.radius)))
        first, rows = coefficients(stages)
        y0, f0 = self.y, self.f
        older, newer = y0, y0 + (first * h) * f0
        for mu, nu, slopes, start, time in rows:
            rate = self._rate(self.t + time * h, newer)
            rate *= slopes * h
            rate += (start * h) * f0
            rate += (1 - mu - nu) * y0
            rate += mu * newer
            rate += nu * older
            older, newer = newer, rate
        f1 = self._rate(self.t + h, newer)
        error = _MOVED * (y0 - newer) + (_SLOPES * h) * (f0 + f1)
        return newer, f1, _size(error)

    def _rate(self, t: float, y: Array) -> Array:
        self.nfev += 1
        return self.fun(t, y)

    def _measure_radius(self) -> None:
        """The spectral radius of the linearised flow, by iterating differences of the size of an error."""
        size = float(np.linalg.norm(self.direction))
        v = self.direction if size else np.ones_like(self.y)
        reach = sqrt(len(self.y))
        found = largest = 0.0
        for _ in range(_ITERATIONS):
            v = v * (reach / float(np.linalg.norm(v)))
            change = self._rate(self.t, self.y + v) - self.f
            before, found = found, float(np.linalg.norm(change)) / reach
            if not 0 < found < np.inf:
                break
            v, largest = change, max(largest, found)
            if abs(found - before) <= _CLOSE * found:
                break
        self.direction, self.age = v, 0
        self.radius = _SAFETY * largest

    def _first_step(self) -> float:
        """A first step by how much the velocity changes over a small one."""
        longest = self.t_bound - self.t
        h = min(longest, 1 / self.radius if self.radius else longest)
        change = h * _size(self._rate(self.t + h, self.y + h * self.f) - self.f)
        return float(min(longest, h if not change > 0.01 else max(0.1 * h / sqrt(change), 1e-3 * h)))


def _size(vector: Array) -> float:
    """Its root mean square."""
    return float(np.linalg.norm(vector)) / sqrt(len(vector))
