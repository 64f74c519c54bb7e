"""The Eulerian form of the three-layer limit with unequal rates (theory.md A.6, erratum H1).

Particles: (w_t(c1), w2_t(c2, c1), beta_t(c2)), by the generated solver. Eulerian, here by hand: functions
f_t(w; c2) on a grid in w (d = 1), carried by

    d_t f + xi_1 <grad f, G_w> = xi_2 G_f,   dw/dt = xi_1 G_w,   d beta/dt = xi_0 G_beta,

where everything that acts on particles reads f at w_t. The paper prints the transport term without xi_1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from .common import Limit, State, document, fitted_order, limit_of

XI_1, XI_2, XI_0 = 3.0, 0.7, 1.5
HORIZON = 0.6
X = np.array([1.0, -0.7, 0.4])
Y = np.array([0.8, -0.6, 0.9])
SPEC = document(
    [
        {"name": "h1", "from": "x", "weight": {"law": "normal(0, 1)", "rate": XI_1}, "activation": "tanh"},
        {
            "name": "h2",
            "activation": "tanh",
            "connections": [{"from": "h1", "weight": {"law": "normal(1, 0)", "rate": XI_2}}],
        },
    ],
    {"from": "h2", "weight": {"law": "normal(1, 1)", "rate": XI_0}},
)
BETA = np.array([1.5, 0.4, -1.0])
P2 = np.array([0.5, 0.2, 0.3])
# The grid reaches to where tanh is flat on every sample, so that nothing is carried across its ends.
EDGE = 12.0


def initial_f(w: np.ndarray) -> np.ndarray:
    """f_0(w; c2) [c2, w]: smooth, not constant in w, constant towards the ends."""
    return np.array([[0.8], [1.2], [0.6]]) + np.array([[0.9], [-0.7], [0.5]]) * np.tanh(w)


@cache
def limit() -> Limit:
    return limit_of(SPEC, X[:, None], Y)


def particles() -> State:
    w = np.linspace(-1.6, 2.0, 9)
    p = np.exp(-(w**2) / 2)
    return {
        "h1.weight": w[:, None],
        "h2.weight": initial_f(w),
        "output.weight": BETA[None],
        "p": {"h1": p / p.sum(), "h2": P2},
    }


@dataclass(frozen=True)
class Eulerian:
    """f on a grid, and the law of w by its particles; ``transport`` is the factor of <grad f, G_w>."""

    grid: np.ndarray
    p: np.ndarray
    transport: float

    def at(self, f: np.ndarray, w: np.ndarray) -> np.ndarray:
        """f [c2, grid] at the places w: Lagrange interpolation through six points."""
        h = self.grid[1] - self.grid[0]
        first = np.clip(((w - self.grid[0]) // h).astype(int) - 2, 0, len(self.grid) - 6)
        u = (w - self.grid[first]) / h
        total = np.zeros((len(f), len(w)))
        for k in range(6):
            others = [m for m in range(6) if m != k]
            total += f[:, first + k] * np.prod([(u - m) / (k - m) for m in others], axis=0)
        return total

    def gradient(self, f: np.ndarray) -> np.ndarray:
        """df/dw [c2, grid], fourth order; the ends, where f is flat and nothing moves, are set to 0."""
        h = self.grid[1] - self.grid[0]
        slope = np.zeros_like(f)
        slope[:, 2:-2] = (f[:, :-4] - 8 * f[:, 1:-3] + 8 * f[:, 3:-1] - f[:, 4:]) / (12 * h)
        return slope

    def rates(
        self, f: np.ndarray, w: np.ndarray, beta: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The time derivatives of f, of the particles' w and of beta (loss (yhat - y)^2)."""
        sigma = np.tanh(np.outer(X, w))  # [z, particle]
        h2 = sigma * self.p @ self.at(f, w).T  # [z, c2]
        out = np.tanh(h2)
        residual = 2 * (out * P2 @ beta - Y)
        d2 = residual[:, None] * beta * (1 - out**2)  # [z, c2]

        def first_layer(places: np.ndarray, values: np.ndarray) -> np.ndarray:
            """G_w at places, where f has the given values [c2, place]."""
            d1 = (d2 * P2 @ values) * (1 - np.tanh(np.outer(X, places)) ** 2)
            return -(X @ d1) / len(X)

        g_f = -(d2.T @ np.tanh(np.outer(X, self.grid))) / len(X)
        carried = self.transport * self.gradient(f) * first_layer(self.grid, f)
        g_beta = -(residual @ out) / len(X)
        return XI_2 * g_f - carried, XI_1 * first_layer(w, self.at(f, w)), XI_0 * g_beta

    def solve(self, w: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """(w_T, f_T(w_T)) by RK4."""
        values, h = (initial_f(self.grid), w, BETA), HORIZON / steps
        for _ in range(steps):
            k1 = self.rates(*values)
            k2 = self.rates(*(v + h / 2 * k for v, k in zip(values, k1, strict=True)))
            k3 = self.rates(*(v + h / 2 * k for v, k in zip(values, k2, strict=True)))
            k4 = self.rates(*(v + h * k for v, k in zip(values, k3, strict=True)))
            slopes = zip(values, k1, k2, k3, k4, strict=True)
            values = tuple(v + h / 6 * (a + 2 * b + 2 * c + d) for v, a, b, c, d in slopes)
        return values[1], self.at(values[0], values[1])


@cache
def lagrangian() -> State:
    """The particle system at the horizon: RK4 of step 0.0015, error far below all grids (order 4)."""
    return limit().end(particles(), HORIZON, 400)


def errors(transport: float, points: int) -> tuple[float, float]:
    """(largest |f_T(w_T) - w2_T|, largest |w_T - particle|) on a grid with so many points."""
    start, end = particles(), lagrangian()
    eulerian = Eulerian(np.linspace(-EDGE, EDGE, points), start["p"]["h1"], transport)
    w, f = eulerian.solve(start["h1.weight"][:, 0], points)
    return float(np.max(np.abs(f - end["h2.weight"]))), float(np.max(np.abs(w - end["h1.weight"][:, 0])))


def test_corrected_form_agrees_with_particles() -> None:
    """With xi_1 in the transport f_t(w_t) converges to w2_t: order 4 of grid and time step (fitted, +-0.6).

    Fourth-order differences on grids of 121 to 481 points; the finest error is below 1e-5, and so is that of
    w itself, whose drift reads f.
    """
    grids = (121, 241, 481)
    found = [errors(XI_1, points) for points in grids]
    assert fitted_order(grids, [f for f, _ in found]) == pytest.approx(4, abs=0.6)
    assert max(found[-1]) < 1e-5


def test_printed_form_does_not() -> None:
    """As printed, without xi_1, it converges to something else: > 0.02, within 1 % over a factor 2."""
    coarse, fine = errors(1.0, 241)[0], errors(1.0, 481)[0]
    assert fine > 0.02
    assert coarse == pytest.approx(fine, rel=1e-2)
