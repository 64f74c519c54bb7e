"""The law of a network's deviation from the limit at any width, from its predicted fluctuations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..network.network import Network
from ..runs.evaluation import sample_losses
from .fluctuations import Fluctuations

Array = Any
DRAWS = 4000
# Networks that are to lie within the error.
SHARE = 0.95
_WIDEST = 10**9


@dataclass(frozen=True)
class Deviations:
    """Draws of what networks of one time deviate by.

    ``found`` has one time; ``y`` [point, output] are the targets of its points. The deviation of the outputs
    is the root mean square over points and outputs. That of the loss has the part linear in the deviation of
    the outputs, exact for the whole evaluation sample, and the even part, which is left where the linear one
    vanishes, on average over the points.
    """

    found: Fluctuations
    y: Array

    @cached_property
    def _normal(self) -> tuple[Array, Array]:
        """Draws of sqrt(n) times the deviation of outputs [draw, point, output] and of the loss [draw]."""
        rng = np.random.default_rng(0)
        outputs = np.zeros((DRAWS, *self.found.n_variance.shape[1:]))
        loss = np.zeros(DRAWS)
        for name, psi in self.found.influence.items():
            root = np.sqrt(self.found.weights[name] / self.found.widths[name])
            drawn = rng.standard_normal((DRAWS, len(root))) * root
            outputs += np.tensordot(drawn, psi[0], (1, -1))
            if name in self.found.loss_influence:
                loss += drawn @ self.found.loss_influence[name][0]
        return outputs, loss

    def outputs(self, width: float) -> Array:
        """Draws of the root mean square deviation of the outputs at a width [draw]."""
        return np.sqrt(np.mean(np.square(self._normal[0]) / width, axis=(1, 2)))

    def loss(self, width: float) -> Array:
        """Draws of the deviation of the loss at a width [draw]."""
        outputs, linear = self._normal
        yhat, network = self.found.yhat[0], self.found.network
        moved = outputs / np.sqrt(width)
        around = (_losses(network, yhat + moved, self.y) + _losses(network, yhat - moved, self.y)) / 2
        even = np.mean(around - _losses(network, yhat[None], self.y), axis=1)
        return linear / np.sqrt(width) + even

    def reach(self, at: str, width: float) -> float:
        """The error within which :data:`SHARE` of networks lie at a width."""
        drawn = self.loss(width) if at == "loss" else self.outputs(width)
        return float(np.quantile(np.abs(drawn), SHARE))

    def width_for(self, at: str, error: float) -> int:
        """The smallest width from which :data:`SHARE` of networks lie within an error (by bisection).

        Raises ArgumentError where it is beyond any that could be trained.
        """
        low, high = 0, 1
        while self.reach(at, high) > error and high < _WIDEST:
            low, high = high, 2 * high
        if self.reach(at, high) > error:
            raise ArgumentError(
                f"error is {error:g}: at width {high:.3g} networks still lie within no less than "
                f"{self.reach(at, high):.3g}. Ask for a larger error"
            )
        while high - low > max(1, high // 1000):
            middle = (low + high) // 2
            low, high = (middle, high) if self.reach(at, middle) > error else (low, middle)
        return high


def _losses(network: Network, yhat: Array, y: Array) -> Array:
    """Losses [draw, point] of outputs [draw, point, output]."""
    flat = yhat.reshape(-1, yhat.shape[-1])
    targets = np.broadcast_to(y, yhat.shape).reshape(flat.shape)
    return np.asarray(sample_losses(network.loss, flat, targets)).reshape(yhat.shape[:2])
