"""Lazy training: the gradient flow of an infinitely wide network, whose tangent kernel stays as it was at the
start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algebra.arguments import found
from ..algebra.memory import check_memory
from ..algebra.showing import Shown
from ..errors import ArgumentError

Array = Any
_DOUBLE = 8


@dataclass(frozen=True, repr=False)
class LinearFlow:
    """The gradient flow of a model that is linear in its parameters, on the squared loss of N samples.

    The loss is the mean over samples of the sum over outputs of (f - y)², without 1/2, so that residuals at
    the training inputs move by dr/dt = -(2/N) Θ r, with ``kernel`` Θ [N, N]. ``values`` [N], ascending, and
    ``vectors`` are the eigenvalues and eigenvectors of Θ; ``rates`` = 2 ``values``/N per unit of time.
    Eigenvalues that are no larger than what rounding and inexact expectations leave (``floor``) count as 0:
    nothing moves in their directions.
    """

    values: Array
    vectors: Array
    floor: float
    samples: int

    @classmethod
    def of(cls, kernel: Array, samples: int) -> LinearFlow:
        """The flow of a symmetric kernel [N, N] on the mean over ``samples``: N, or fewer where outputs are
        no more independent and the kernel is over samples and outputs."""
        values, vectors = np.linalg.eigh(kernel)
        rounding = len(values) * np.finfo(float).eps * float(np.max(np.abs(values), initial=0.0))
        # A tangent kernel has no negative eigenvalues: those that are found show how inexact all are.
        floor = max(rounding, -2.0 * float(values[0]))
        return cls(np.where(values > floor, values, 0.0), vectors, floor, samples)

    @property
    def rates(self) -> Array:
        """The rate at which each direction of the residual decays, per unit of time [N]."""
        return 2.0 * self.values / self.samples

    def remaining(self, time: float) -> Array:
        """What is left of each direction of the residual: exp(-rate t) [N]; an infinite time is allowed."""
        return np.exp(-self._exponents(time))

    def gain(self, time: float) -> Array:
        """(1 - exp(-rate t))/value [N], 0 for directions that do not move: outputs at x change by
        -Θ(x, X) vectors gain vectors' r(0)."""
        moving = self.values > 0
        return np.where(moving, -np.expm1(-self._exponents(time)) / np.where(moving, self.values, 1.0), 0.0)

    def _exponents(self, time: float) -> Array:
        exponents = np.zeros(len(self.values))
        moving = self.values > 0
        exponents[moving] = self.rates[moving] * time
        return exponents


@dataclass(frozen=True, repr=False)
class LazyTraining(Shown):
    """Outputs of an infinitely wide network in the lazy scaling while gradient flow trains it, at ``times``.

    ``times`` [T]: sums of learning rates. ``mean`` [T, M, outputs] over initial networks, ``variance``
    [T, M] over them, of each output. ``loss`` [T]: the training loss, averaged over initial networks;
    ``loss_of_mean`` [T]: that of the mean output, which networks have that start at 0. ``rates`` [N]: decay
    of the residual per unit of time, 2/N times the eigenvalues of the tangent kernel; ``floor``: rates up to
    this one are 0 as far as the kernel is known.
    """

    times: Array
    mean: Array
    variance: Array
    loss: Array
    loss_of_mean: Array
    rates: Array
    floor: float

    @property
    def largest_learning_rate(self) -> float:
        """Full-batch gradient descent follows the kernel without growing up to this learning rate: 2 over
        the largest rate."""
        fastest = float(np.max(self.rates, initial=0.0))
        return 2.0 / fastest if fastest > 0 else float("inf")

    @property
    def data(self) -> dict[str, Any]:
        """Everything as plain data."""
        names = ("times", "mean", "variance", "loss", "loss_of_mean", "rates")
        return {**{name: getattr(self, name).tolist() for name in names}, "floor": self.floor}

    def _summary(self) -> Iterator[str]:
        count, moving = len(self.rates), int(np.sum(self.rates > 0))
        yield f"LazyTraining on {count} samples, t = {self.times[0]:g} to {self.times[-1]:g}"
        yield f"  mean loss: {self.loss[0]:.4g} -> {self.loss[-1]:.4g}"
        yield f"  rates: {moving} of {count} directions move, the fastest by {np.max(self.rates):.4g}"
        yield f"  gradient descent is stable up to a learning rate of {self.largest_learning_rate:.4g}"
        yield "  .mean [time, input, output], .variance [time, input], .loss [time]"


def check_times(times: Any) -> Array:
    """Times as an array [T]: in increasing order, not negative, the last may be infinite. Raises
    ArgumentError."""
    try:
        values = np.atleast_1d(np.asarray(times, dtype=float))
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if values.ndim != 1 or not values.size or not values[0] >= 0 or not np.all(values[1:] >= values[:-1]):
        raise ArgumentError(
            f"times is {found(times)}; it must be a list of numbers from 0 on in increasing order, which are "
            "sums of learning rates (infinity stands for the end of training)"
        )
    return values


def check_lazy_memory(trained_on: int, inputs: int, outputs: int, times: int) -> None:
    """Raise ResourceError unless memory holds what :func:`lazily_trained` needs of arrays.

    These are two kernels of the training inputs, eigenvectors with the workspace of their decomposition, the
    covariance in their basis, indices of pairs; two kernels between both sets with their products; and what
    is returned.
    """
    numbers = 9 * trained_on**2 + 7 * trained_on * inputs + times * (inputs * (outputs + 1) + 2)
    what = f"lazy training on {trained_on} samples at {inputs} inputs and {times} times"
    check_memory(numbers * _DOUBLE, what, "Use fewer training inputs, or other inputs some at a time")


def lazily_trained(
    tangent: tuple[Array, Array], covariance: tuple[Array, Array, Array], targets: Array, times: Array
) -> LazyTraining:
    """The linear dynamics of the tangent kernel from a Gaussian process (Lee et al. 2019, sections 2.2, 2.3).

    ``tangent``: Θ [N, N] of the training inputs X and Θ(x, X) [M, N]; ``covariance``: K(X, X), K(x, X) and
    the variances K(x, x) [M]; ``targets`` Y [N, outputs]. With S(t) = Θ(x, X) Θ^(-1) (1 - exp(-2 Θ t/N)):

        f_t(x) = f_0(x) - S (f_0(X) - Y),   mean S Y,   variance K(x, x) - 2 S K(X, x) + S K(X, X) S'

    and the loss is the mean over samples of |exp(-2 Θ t/N) (f_0(X) - Y)|².
    """
    flow = LinearFlow.of(tangent[0], len(targets))
    moved = tangent[1] @ flow.vectors
    crossed = covariance[1] @ flow.vectors
    basis = flow.vectors.T @ covariance[0] @ flow.vectors
    wanted = flow.vectors.T @ targets
    samples, outputs = targets.shape
    mean = np.empty((len(times), len(moved), outputs))
    variance = np.empty(mean.shape[:2])
    loss, loss_of_mean = np.empty(len(times)), np.empty(len(times))
    for place, time in enumerate(times):
        step, left = moved * flow.gain(time), flow.remaining(time)
        mean[place] = step @ wanted
        spread = covariance[2] - 2.0 * np.sum(step * crossed, axis=1) + np.sum((step @ basis) * step, axis=1)
        # A variance is not negative; differences of equal numbers may be, by rounding.
        variance[place] = np.maximum(spread, 0.0)
        loss_of_mean[place] = np.sum((left[:, None] * wanted) ** 2) / samples
        loss[place] = loss_of_mean[place] + outputs * np.sum(left**2 * np.diag(basis)) / samples
    floor = 2.0 * flow.floor / samples
    return LazyTraining(times, mean, variance, loss, loss_of_mean, flow.rates, floor)
