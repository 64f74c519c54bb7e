"""Prediction by the Gaussian process that a network at random weights is: the law of its output, given some
targets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..algebra.memory import check_memory
from ..algebra.showing import Shown
from ..errors import MfError

Array = Any
_DOUBLE = 8


@dataclass(frozen=True, repr=False)
class Prediction(Shown):
    """The outputs at new inputs, given noisy outputs at others: independent Gaussian laws, one per output.

    ``mean`` [M, outputs]; ``variance`` [M], that of the network's own output, which all outputs share (the
    noise of a new target is not in it). ``log_likelihood``: the natural logarithm of the density of the
    targets, of all outputs together. ``noise``: the variance of the noise of one target.
    """

    mean: Array
    variance: Array
    log_likelihood: float
    noise: float
    trained_on: int = field(default=0)

    @property
    def deviation(self) -> Array:
        """The standard deviation of an output [M]."""
        return np.sqrt(self.variance)

    def _summary(self) -> Iterator[str]:
        inputs, outputs = self.mean.shape
        yield f"Prediction of {outputs} output{'s' * (outputs != 1)} at {inputs} inputs"
        yield f"  from {self.trained_on} targets with noise of variance {self.noise:g}"
        yield f"  log likelihood of the targets: {self.log_likelihood:.6g}"
        yield "  .mean [input, output], .variance [input], .deviation"


def check_prediction_memory(trained_on: int, inputs: int, outputs: int) -> None:
    """Raise ResourceError unless memory holds what :func:`predicted` needs of arrays.

    These are the kernel of the training inputs, its factor and a copy of it, indices of pairs (two more of
    that size), and the kernel between both sets with its solution and its indices.
    """
    numbers = 5 * trained_on**2 + 5 * trained_on * inputs + 2 * outputs * (trained_on + inputs)
    what = f"a prediction at {inputs} inputs from {trained_on} training inputs"
    check_memory(numbers * _DOUBLE, what, "Use fewer training inputs, or predict at some inputs at a time")


def predicted(kernel: Array, targets: Array, cross: Array, variance: Array, noise: float) -> Prediction:
    """The Gaussian law of outputs, given targets.

    ``kernel`` K [N, N] of the training inputs, ``targets`` Y [N, outputs], ``cross`` k [M, N],
    ``variance`` [M] before anything is known, ``noise`` s² >= 0: mean = k (K + s²)^(-1) Y, variance =
    variance - diag(k (K + s²)^(-1) k'). Nothing is added to K. Raises MfError where K + s² is singular.
    """
    from scipy.linalg import cho_factor, cho_solve, solve_triangular

    count = len(kernel)
    noisy = kernel + noise * np.eye(count)
    try:
        factor = cho_factor(noisy, lower=True)
        # Pivots below the rounding of the entries say nothing: the matrix is singular as far as it is known.
        smallest = float(np.min(np.diag(factor[0])) ** 2)
    except np.linalg.LinAlgError:
        smallest = 0.0
    if smallest <= count * np.finfo(float).eps * float(np.max(np.diag(noisy), initial=0.0)):
        raise MfError(
            f"the covariance of {count} training inputs is singular to rounding at noise = {noise:g}, so "
            "that targets cannot be met exactly: inputs may be equal or nearly so, or the kernel has a "
            "smaller rank than there are inputs. Give noise, the variance of the noise of one target, or "
            "leave out inputs"
        )
    weights = cho_solve(factor, targets)
    halves = solve_triangular(factor[0], cross.T, lower=True)
    outputs = targets.shape[1]
    log_likelihood = -0.5 * float(np.sum(targets * weights)) - outputs * (
        float(np.sum(np.log(np.diag(factor[0])))) + 0.5 * count * np.log(2 * np.pi)
    )
    # A variance is not negative; differences of equal numbers may be, by rounding.
    left = np.maximum(variance - np.sum(halves**2, axis=0), 0.0)
    return Prediction(cross @ weights, left, log_likelihood, noise, count)
