"""Eq. (4) of Nguyen (2019) with both sides known: two layers of cosines on the paper's isotropic Gaussians.

yhat(x) = (1/n) sum_i beta_i cos(<w_i, x>), |beta_i| <= B, y = +1 or -1, x | y ~ N(0, (1 + y D)^2 I). Averages
of products of cosines over Gaussians are exponentials, so that the population loss of every network is a
closed form. The loss is convex in rho, and the data are isotropic, so that some optimal rho is so too: what
is left is a law of (beta, |w|), a convex problem on a line, whose solution carries a bound of its own error.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import minimize, nnls
from scipy.special import gammaln, roots_jacobi, roots_legendre

Array = Any


@dataclass(frozen=True)
class Cosines:
    """The problem: dimension d, separation D and bound B of |beta|."""

    dimension: int = 32
    separation: float = 0.4
    bound: float = 2.0

    @property
    def deviations(self) -> tuple[tuple[float, float], ...]:
        """Label and standard deviation of one coordinate, of both classes."""
        return (1.0, 1 + self.separation), (-1.0, 1 - self.separation)

    # --- networks ---

    def loss(self, beta: Array, w: Array) -> tuple[float, Array, Array]:
        """E (y - yhat_n)^2 and its derivatives in beta [n] and w [n, d], exactly.

        For x ~ N(0, s^2 I): E cos(<w, x>) = exp(-s^2 |w|^2 / 2), and the product of two cosines is half the
        sum of those of w - w' and w + w'.
        """
        n, lengths = len(beta), (w * w).sum(1)
        total, by_beta, by_w = 1.0, np.zeros(n), np.zeros_like(w)
        products = w @ w.T
        for y, s in self.deviations:
            mean = np.exp(-s * s * lengths / 2)
            total -= y * (beta @ mean) / n
            by_beta -= y * mean / n
            by_w += (y * s * s * beta * mean / n)[:, None] * w
            common = np.exp(-s * s * (lengths[:, None] + lengths) / 2)
            growing, falling = np.exp(s * s * products), np.exp(-s * s * products)
            even, odd = common * (growing + falling) / 2, common * (growing - falling) / 2
            pulled = even @ beta
            total += (beta @ pulled) / (2 * n * n)
            by_beta += pulled / (n * n)
            # of exp(-s^2 (|w|^2 + |w'|^2) / 2) cosh(s^2 <w, w'>) in w
            by_w += (s * s * beta / (n * n))[:, None] * ((odd * beta) @ w - pulled[:, None] * w)
        return float(total), by_beta, by_w

    def best(self, beta: Array, w: Array, steps: int = 2000) -> float:
        """The loss at the local minimum over beta in [-B, B] and w that L-BFGS-B finds from a start."""
        n = len(beta)

        def value(flat: Array) -> tuple[float, Array]:
            loss, by_beta, by_w = self.loss(flat[:n], flat[n:].reshape(w.shape))
            return loss, np.concatenate([by_beta, by_w.ravel()])

        limits = [(-self.bound, self.bound)] * n + [(None, None)] * w.size
        start = np.concatenate([beta, w.ravel()])
        options = {"maxiter": steps, "maxfun": 2 * steps, "ftol": 1e-12, "gtol": 1e-8}
        return float(minimize(value, start, jac=True, method="L-BFGS-B", bounds=limits, options=options).fun)

    # --- laws ---

    @cached_property
    def data(self) -> tuple[Array, Array, Array]:
        """Lengths of x, labels and weights: Gauss-Legendre nodes of both chi laws."""
        d = self.dimension
        nodes, weights = roots_legendre(120)
        z = np.sqrt(d) + 7 * nodes  # the chi law is within 7 of sqrt(d) to less than 1e-11
        z, weights = z[z > 0], weights[z > 0]
        weights = weights * np.exp((d - 1) * np.log(z) - z * z / 2 - (d / 2 - 1) * np.log(2) - gammaln(d / 2))
        weights = weights / weights.sum()
        parts = [(s * z, np.full_like(z, y), weights / 2) for y, s in self.deviations]
        lengths, labels, odds = (np.concatenate(part) for part in zip(*parts, strict=True))
        return lengths, labels, odds

    def features(self, radii: Array) -> Array:
        """S(r, |x|) = E_u cos(r |x| u), u the cosine of a uniform angle: [node of the data, radius]."""
        power = (self.dimension - 3) / 2
        u, weights = roots_jacobi(60, power, power)
        phases = self.data[0][:, None, None] * radii[:, None] * u
        return np.cos(phases) @ (weights / weights.sum())

    @cached_property
    def optimum(self) -> tuple[float, float, Array, Array, Array]:
        """inf over rho: loss, a bound of its error, and the atoms (beta, radius, probability) of the law.

        Non-negative least squares on a grid of radii, with a heavy row for the sum of the probabilities. For
        a convex loss, loss(rho) - inf <= max over theta of <loss'(rho), rho - delta_theta> (Frank and Wolfe's
        gap), taken on a grid ten times as fine: that is the bound.
        """
        _, y, odds = self.data
        radii, roots = np.linspace(0, 3, 301), np.sqrt(odds)[:, None]
        columns = roots * self.features(radii) * self.bound
        atoms, heavy = np.hstack([columns, -columns]), 1e3
        system = np.vstack([atoms, np.full(atoms.shape[1], heavy)])
        p, _ = nnls(system, np.append(roots[:, 0] * y, heavy), maxiter=100_000)
        p = p / p.sum()
        residual = atoms @ p - roots[:, 0] * y
        fine = 2 * self.bound * (roots * self.features(np.linspace(0, 3, 3001))).T @ residual
        error = 2 * residual @ (atoms @ p) + np.abs(fine).max()
        beta = np.repeat([self.bound, -self.bound], len(radii))
        kept = p > 0
        return float(residual @ residual), float(error), beta[kept], np.tile(radii, 2)[kept], p[kept]

    def spread(self, n: int, random: np.random.Generator) -> tuple[Array, Array]:
        """A start for the search: atoms in proportion, directions orthogonal as far as there is room.

        The atom at w = 0 is rounded up: a cosine is flat there, so that no gradient leads to it or away.
        """
        _, _, beta, radii, p = self.optimum
        order = np.argsort(radii)
        ends = np.ceil(n * np.cumsum(p[order]) - 1e-9).astype(int)
        chosen = order[np.searchsorted(ends, np.arange(n), side="right").clip(max=len(p) - 1)]
        blocks = [
            np.linalg.qr(random.standard_normal((self.dimension, self.dimension)))[0]
            for _ in range(-(-n // self.dimension))
        ]
        return beta[chosen], np.concatenate(blocks)[:n] * radii[chosen][:, None]

    def draw(self, n: int, random: np.random.Generator) -> tuple[Array, Array]:
        """n independent neurons of the optimal law: beta [n], w [n, d] with uniform directions."""
        _, _, beta, radii, p = self.optimum
        chosen = random.choice(len(p), n, p=p)
        w = random.standard_normal((n, self.dimension))
        return beta[chosen], w * (radii[chosen] / np.linalg.norm(w, axis=1))[:, None]

    @cached_property
    def variance(self) -> float:
        """V = E_x Var_rho(beta cos(<w, x>)): drawn networks have a mean loss of inf + V/n, for every n."""
        _, _, beta, radii, p = self.optimum
        squares = sum(0.5 * np.exp(-2 * s * s * radii**2) + 0.5 for _, s in self.deviations) / 2
        _, _, odds = self.data
        return float(p @ (beta**2 * squares) - odds @ (self.features(radii) @ (p * beta)) ** 2)
