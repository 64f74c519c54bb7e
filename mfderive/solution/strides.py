"""Steps of SGD on the law of the data, many at a time: strides that lead where as many steps do.

SGD at the rates alpha_k iterates the map y -> y + alpha_k f(t_k, y), which is near to the identity. What N
steps of it do is a smooth function of the time h that they take, as what a flow does is. A multirevolution
method (Calvo, Jay, Montijano and Randez 2004) has the stages of a Runge-Kutta method, and weights by which
its expansion is that of the N steps. With s_k the time from the first step to step k, they make, to third
order in h,

    y + h f + a f' f + (b / 2) f''(f, f) + d f' f' f,
    a = sum of alpha_k s_k,  b = sum of alpha_k s_k^2,  d = sum over j < k of alpha_k alpha_j s_j;

of a flow a, b and d are h^2 / 2, h^3 / 3 and h^3 / 6. The stages are those of Bogacki and Shampine; weights
and one coupling follow from a, b and d. Where rates are equal the coupling is theirs for every N, and as N
grows the pair becomes scipy's RK23.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

Array = Any
Rate = Callable[[float, Array], Array]

# Times of the second and third stage in strides, and what couples these two where rates are equal; rates that
# change within a stride may change it by so much.
_SECOND, _THIRD, _COUPLING, _FAR = 1 / 2, 3 / 4, 3 / 4, 1 / 2
# Stages of a stride. Fewer steps take as few velocities one by one.
_STAGES = 3
# Weights of the velocities of a stride, its end among them, that leave h^3 and more of what it makes.
_ERROR = (5 / 72, -1 / 12, -1 / 9, 1 / 8)
# The next stride: this part of what its error allows, and no smaller or larger than these multiples.
_CAUTION, _SHRINK, _GROW = 0.9, 0.2, 10.0
# Times are the same within such a part of a stride.
_CLOSE = 1e-9
# Where strides fail, so many single steps are made before the next one is tried, at most.
_PATIENCE = 64


@dataclass(frozen=True)
class Moments:
    """What some steps add up to: their length h, and a / h^2, b / h^3 and d / h^3 of the module's formula."""

    length: float
    first: float
    second: float
    nested: float

    @classmethod
    def of(cls, rates: Array, length: float) -> Moments:
        """Those of steps at these rates, with powers of ``length`` in place of their own."""
        begins = np.concatenate([[0.0], np.cumsum(rates)])
        inner = np.concatenate([[0.0], np.cumsum(rates * begins[:-1])])
        return cls(
            float(begins[-1]),
            float(inner[-1]) / length**2,
            float(rates @ begins[:-1] ** 2) / length**3,
            float(rates @ inner[:-1]) / length**3,
        )


@dataclass(frozen=True)
class Stride:
    """A stride from the time ``begins`` and ``values`` to ``ends``, at these rates.

    ``slopes``: the velocities of its stages, the last one that at its end; of a single step those at both.
    """

    begins: float
    values: Array
    rates: Array
    moments: Moments
    ends: Array
    slopes: tuple[Array, ...]

    def at(self, t: float) -> Array:
        """The values at a time of it: those of as many steps, and of a part of the next one."""
        h, first = self.moments.length, self.slopes[0]
        if len(self.rates) == 1:
            return self.values + (t - self.begins) * first
        ends = np.cumsum(self.rates)
        whole = int(np.searchsorted(ends, t - self.begins, "right"))
        done = float(ends[whole - 1]) if whole else 0.0
        part = Moments.of(np.append(self.rates[:whole], t - self.begins - done), h)
        # The velocity after the stride is a stage, too, at time 1: its own moment is that of the stride.
        matrix = [
            [_SECOND, _THIRD, 1.0],
            [_SECOND**2, _THIRD**2, 1.0],
            [0.0, coupling_of(self.moments) * _SECOND, self.moments.first],
        ]
        weights = np.linalg.solve(matrix, [part.first, part.second, part.nested])
        found = self.values + (t - self.begins - h * float(weights.sum())) * first
        for weight, slope in zip(weights.tolist(), self.slopes[1:], strict=True):
            found += (h * weight) * slope
        return found


def weights_of(moments: Moments) -> tuple[float, float, float]:
    """The weights of the three stages of a stride."""
    third = (moments.second - _SECOND * moments.first) / (_THIRD * (_THIRD - _SECOND))
    second = (moments.first - _THIRD * third) / _SECOND
    return 1 - second - third, second, third


def coupling_of(moments: Moments) -> float:
    """What couples the third stage with the second; not finite where the stage has no weight."""
    third = weights_of(moments)[2]
    return moments.nested / (third * _SECOND) if third else float("nan")


class Strides:
    """Strides along y_(k+1) = y_k + alpha_k fun(t_k, y_k), with errors of root mean square at most 1.

    ``times``: t_0, t_1, ... of all steps, with differences alpha_k. In the manner of scipy's solvers: ``t``,
    ``y``, ``f``, ``h_abs`` (the next stride, in time), ``nfev``, ``status``, :meth:`step`,
    :meth:`dense_output`; ``rejected`` counts strides that were made again shorter. Times of other steps than
    the last are not reached by :meth:`step`, and each stride ends at one of them.
    """

    def __init__(
        self, fun: Rate, times: Array, t0: float, y0: Array, t_bound: float, first_step: float | None = None
    ) -> None:
        self.fun, self.y, self.t = fun, y0, float(t0)
        self.times = np.unique(times)  # steps at a rate of 0 do nothing
        self.number, self.last = (int(np.abs(self.times - t).argmin()) for t in (t0, t_bound))
        self.t_old: float | None = None
        self.nfev, self.rejected = 0, 0
        self.status = "running" if self.number < self.last else "finished"
        self.f = self._rate(self.t, y0)
        self.h_abs = first_step or 0.0
        self.made: Stride | None = None
        # Single steps that are to be made before the next stride, and after the next one that fails.
        self.waiting, self.patience = 0, 1

    def step(self) -> None:
        """One stride, as long as its error allows, or a single step of SGD."""
        while self.status == "running":
            rates = np.diff(self.times[self.number : self.number + self._count() + 1])
            stride = self._single(rates) if len(rates) == 1 else self._tried(rates)
            if stride is None:
                continue
            self.made, self.t_old = stride, self.t
            self.number += len(rates)
            self.t, self.y, self.f = float(self.times[self.number]), stride.ends, stride.slopes[-1]
            if not np.isfinite(self.f).all():
                self.status = "failed"
            elif self.number == self.last:
                self.status = "finished"
            return

    def dense_output(self) -> Callable[[float], Array]:
        """Values at any time of the last stride."""
        assert self.made is not None
        return self.made.at

    @property
    def memory(self) -> dict[str, Array]:
        """What it remembers beside time, values and the next stride."""
        return {"waiting": np.array([self.waiting, self.patience], np.int64)}

    def remember(self, memory: Mapping[str, Array]) -> None:
        """Go on with what another one remembered."""
        self.waiting, self.patience = memory["waiting"].tolist()

    # ------------------------------------------------------------------ parts of a stride

    def _count(self) -> int:
        """Of how many steps the next stride is; 1 where it would be of fewer than it has stages."""
        reached = int(np.searchsorted(self.times, self.t + self.h_abs * (1 + _CLOSE), "right")) - 1
        count = min(reached, self.last) - self.number
        return 1 if self.waiting or count < _STAGES else count

    def _single(self, rates: Array) -> Stride:
        """A step of SGD."""
        moments = Moments.of(rates, float(rates[0]))
        ends = self.y + moments.length * self.f
        after = self._rate(self.t + moments.length, ends)
        self.waiting = max(0, self.waiting - 1)
        after_it = self.times[self.number + 1 : self.number + _STAGES + 2]
        self.h_abs = max(self.h_abs, float(after_it[-1] - after_it[0]))
        return Stride(self.t, self.y, rates, moments, ends, (self.f, after))

    def _tried(self, rates: Array) -> Stride | None:
        """A stride at these rates, with the next one's length; None where it is wrong, and shortened."""
        h, first = float(rates.sum()), self.f
        moments = Moments.of(rates, h)
        coupling = coupling_of(moments)
        if not abs(coupling - _COUPLING) <= _FAR:
            self._shorten(h, _SHRINK)
            return None
        weights = weights_of(moments)
        second = self._rate(self.t + _SECOND * h, self.y + (_SECOND * h) * first)
        inner = self.y + h * ((_THIRD - coupling) * first + coupling * second)
        third = self._rate(self.t + _THIRD * h, inner)
        ends = self.y + h * (weights[0] * first + weights[1] * second + weights[2] * third)
        slopes = first, second, third, self._rate(self.t + h, ends)
        # Few steps have smaller terms of third order than a flow, and two steps have none.
        scale = 6 * moments.nested * h
        wrong = scale * sum(weight * slope for weight, slope in zip(_ERROR, slopes, strict=True))
        error = float(np.linalg.norm(wrong)) / sqrt(len(ends))
        if not np.isfinite(error):
            self._shorten(h, _SHRINK)
            return None
        factor = max(_SHRINK, _CAUTION * error ** (-1 / 3)) if error > 0 else _GROW
        if error > 1:
            self._shorten(h, min(1.0, factor))
            return None
        self.h_abs, self.patience = h * min(_GROW, factor), 1
        return Stride(self.t, self.y, rates, moments, ends, slopes)

    def _shorten(self, length: float, factor: float) -> None:
        """The next stride is a part of one that failed, or steps one by one for a while."""
        self.rejected += 1
        self.h_abs = length * factor
        if self._count() == 1:
            self.waiting, self.patience = self.patience, min(2 * self.patience, _PATIENCE)

    def _rate(self, t: float, y: Array) -> Array:
        self.nfev += 1
        return self.fun(t, y)
