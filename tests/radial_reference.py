"""The five-layer networks on isotropic Gaussians, reduced by hand to lengths and angles (theory C.3 and C.4).

Written from the theory alone, without the program. Angle integrals are split at the kink of relu, in the
angle itself, where the density cos^(d-2) is smooth in every dimension. Output weights have equally spaced
nodes, which see the kinks that they have.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, roots_legendre


@dataclass(frozen=True)
class Radial:
    """The network of specs/five_layer_gaussians.toml, at some resolution.

    ``deviation``: that of the output weights; ``smooth``: tanh in place of relu.
    """

    dimension: int = 32
    separation: float = 0.4
    mean: float = 1.0
    deviation: float = 0.1
    first: float = np.sqrt(2)
    types: int = 20
    angles: int = 16
    lengths: int = 120
    last: int = 24
    smooth: bool = False

    def chi(self, count):
        """Nodes and weights of the length of a standard normal vector."""
        d = self.dimension
        low, high = max(0.0, np.sqrt(d) - 6.5), np.sqrt(d) + 6.5
        nodes, weights = roots_legendre(count)
        r = low + (high - low) * (nodes + 1) / 2
        weights = weights * np.exp((d - 1) * np.log(r) - r * r / 2 - (d / 2 - 1) * np.log(2) - gammaln(d / 2))
        return r, weights / weights.sum()

    def activation(self, h):
        """Values of the activation, and its derivative."""
        if self.smooth:
            value = np.tanh(h)
            return value, 1 - value * value
        return np.maximum(h, 0), (h > 0).astype(float)

    def normal(self):
        """Nodes and weights of a normal number."""
        z = np.linspace(-6, 6, self.last)
        weights = np.exp(-z * z / 2)
        return z, weights / weights.sum()

    def data(self):
        """Lengths of x, labels, weights."""
        r, w = self.chi(self.lengths)
        both = np.concatenate([(1 + self.separation) * r, (1 - self.separation) * r])
        return both, np.repeat([1.0, -1.0], len(r)), np.concatenate([w, w]) / 2

    def start(self):
        """R, b1, v2 by type; b2, v3, b3; v4, b4, beta by type; b5."""
        r, _ = self.chi(self.types)
        beta = self.mean + self.deviation * self.normal()[0]
        one, zero = np.ones_like, np.zeros_like
        mean = self.mean
        return [
            self.first / np.sqrt(self.dimension) * r, zero(r), mean * one(r), 0.0, mean, 0.0,
            mean * one(beta), zero(beta), beta, 0.0,
        ]  # fmt: skip

    def cosines(self, slope, offset):
        """Cosines and their weights [sample, type, node], on both sides of the kink of relu(slope u + b)."""
        d = self.dimension
        end = np.pi / 2 if d < 8 else np.arccos(10 ** (-16 / (d - 2)))
        nodes, weights = roots_legendre(self.angles)
        kink = np.clip(-offset / slope, -np.sin(end), np.sin(end))
        kink = np.arcsin(kink)[..., None]
        below = (kink + end) / 2 * (nodes + 1) - end
        above = (end - kink) / 2 * (nodes + 1) + kink
        theta = np.concatenate([below, above], axis=-1)
        share = np.concatenate([(kink + end) / 2 * weights, (end - kink) / 2 * weights], axis=-1)
        density = np.exp(gammaln(d / 2) - gammaln((d - 1) / 2)) / np.sqrt(np.pi)
        return np.sin(theta), share * density * np.cos(theta) ** (d - 2)

    def pass_through(self, state):
        """Loss, and the velocity of everything (rates 1, loss (yhat - y)^2)."""
        (x, y, p), (_, pr) = self.data(), self.chi(self.types)
        pb = self.normal()[1]
        R, b1, v2, b2, v3, b3, v4, b4, beta, b5 = state
        slope = x[:, None] * R
        u, share = self.cosines(slope, b1)
        h1 = slope[..., None] * u + b1[:, None]
        a1, on = self.activation(h1)
        on = share * on
        s1 = (share * a1).sum(axis=-1)
        h2 = s1 @ (pr * v2) + b2
        a2, on2 = self.activation(h2)
        h3 = v3 * a2 + b3
        a3, on3 = self.activation(h3)
        h4 = np.outer(a3, v4) + b4
        a4, on4 = self.activation(h4)
        yhat = a4 @ (pb * beta) + b5
        loss = p @ (yhat - y) ** 2
        r = 2 * p * (yhat - y)
        d4 = r[:, None] * beta * on4
        d3 = d4 @ (pb * v4) * on3
        d2 = d3 * v3 * on2
        q = d2[:, None] * v2
        return loss, [
            -(q * x[:, None] * (on * u).sum(axis=-1)).sum(axis=0),
            -(q * on.sum(axis=-1)).sum(axis=0),
            -(d2[:, None] * s1).sum(axis=0),
            -d2.sum(), -(d3 @ a2), -d3.sum(), -(a3 @ d4), -d4.sum(axis=0), -(r @ a4), -r.sum(),
        ]  # fmt: skip

    def losses(self, horizon, step, every, method="rk4"):
        """The loss at 0, ``every`` steps, 2 * ``every`` steps, ..., by RK4 or Euler steps."""
        state, found = self.start(), []
        for number in range(round(horizon / step) + 1):
            if number % every == 0:
                found.append(self.pass_through(state)[0])
            state = self.stepped(state, step, method)
        return np.array(found)

    def stepped(self, state, step, method="rk4"):
        """The state after one step of RK4 or Euler."""
        _, one = self.pass_through(state)
        if method == "euler":
            return _moved(state, one, step)
        _, two = self.pass_through(_moved(state, one, step / 2))
        _, three = self.pass_through(_moved(state, two, step / 2))
        _, four = self.pass_through(_moved(state, three, step))
        slopes = [(a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(one, two, three, four, strict=True)]
        return _moved(state, slopes, step)


def _moved(state, slope, step):
    return [value + step * rate for value, rate in zip(state, slope, strict=True)]
