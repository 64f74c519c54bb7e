"""The naive mean-field equations of an Ising model: their free energy, stability and Newton's method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import eigvalsh
from scipy.sparse import diags_array
from scipy.sparse.linalg import eigsh
from scipy.special import xlogy

from ..algebra.showing import Shown
from .ising_model import DENSE_NODES, IsingModel

Array = Any

# An eigenvalue that differs from 1 by less says neither stable nor unstable.
MARGINAL = 1e-6


def local_field(model: IsingModel, m: Array) -> Array:
    """u_i = (sum_j J_ij m_j + B_i)/T, for m of shape (..., n)."""
    return ((model.couplings @ np.asarray(m).T).T + model.fields) / model.temperature


def response(model: IsingModel, m: Array) -> Array:
    """The right side of m_i = tanh((sum_j J_ij m_j + B_i)/T)."""
    return np.tanh(local_field(model, m))


def spin_entropy(m: Array) -> Array:
    """Entropy of a spin of mean m: -(1+m)/2 log((1+m)/2) - (1-m)/2 log((1-m)/2)."""
    up, down = (1 + np.asarray(m)) / 2, (1 - np.asarray(m)) / 2
    return -xlogy(up, up) - xlogy(down, down)


def free_energy(model: IsingModel, m: Array) -> float:
    """F = -1/2 sum_ij J_ij m_i m_j - sum_i B_i m_i - T sum_i H((1 + m_i)/2), an upper bound of -T log Z.

    -F/T is the evidence lower bound (ELBO) of the product of independent spins of means m (n).
    """
    m = np.asarray(m, dtype=float)
    energy = -m @ (model.couplings @ m) / 2 - model.fields @ m
    return float(energy - model.temperature * spin_entropy(m).sum())


def largest_slope(model: IsingModel, m: Array) -> float:
    """The largest eigenvalue of sqrt(1-m_i^2) J_ij sqrt(1-m_j^2)/T.

    The Hessian of F is T/(1-m^2) - J: it is positive definite exactly where this is less than 1.
    """
    root = 1 / np.cosh(local_field(model, m))
    if model.size <= DENSE_NODES:
        scaled = root[:, None] * model.dense * root / model.temperature
        return float(eigvalsh(scaled, subset_by_index=(model.size - 1, model.size - 1))[0])
    scaled = diags_array(root) @ model.couplings @ diags_array(root) / model.temperature
    start = np.ones(model.size)
    return float(eigsh(scaled, k=1, which="LA", v0=start, return_eigenvectors=False)[0])


@dataclass(frozen=True, eq=False, repr=False)
class Magnetisation(Shown):
    """One solution of the mean-field equations of a model: ``m`` (n), means of the spins."""

    model: IsingModel
    m: Array

    def _summary(self) -> Iterator[str]:
        yield f"Magnetisation: {self.model.size} spins, mean m = {self.mean:.9g}"
        yield f"F = {self.free_energy:.9g}, slope {self.slope:.6g} ({self.stability})"

    @cached_property
    def free_energy(self) -> float:
        """F of the solution, in the units of J."""
        return free_energy(self.model, self.m)

    @cached_property
    def slope(self) -> float:
        """The largest eigenvalue of the linearised equations (1: bifurcation)."""
        return largest_slope(self.model, self.m)

    @property
    def is_stable(self) -> bool:
        """Whether the solution is a strict minimum of the free energy."""
        return self.slope < 1 - MARGINAL

    @property
    def is_marginal(self) -> bool:
        """Whether the second derivative of F vanishes in a direction, as at a transition."""
        return abs(self.slope - 1) <= MARGINAL

    @property
    def stability(self) -> str:
        """One word: stable (a minimum of F), marginal or unstable (a saddle or maximum)."""
        return "stable" if self.is_stable else "marginal" if self.is_marginal else "unstable"

    @property
    def mean(self) -> float:
        """The magnetisation: the mean of m over all spins."""
        return float(np.round(self.m.mean(), 14) + 0.0)

    @cached_property
    def residual(self) -> float:
        """By how much the equations are missed at most."""
        return float(np.abs(response(self.model, self.m) - self.m).max())


def newton(model: IsingModel, m: Array, known: Array | None = None, most: int = 40) -> Array | None:
    """Newton's method for the equations from m (n); None where it does not converge.

    ``known`` (rows, n): solutions to stay away from: the residual is multiplied by prod (1/|m - r|^2 + 1),
    which has no zero at them (deflation; Farrell, Birkisson and Funke 2015). Dense: for models of few nodes.
    """
    identity = np.eye(model.size)
    for _ in range(most):
        value = response(model, m)
        jacobian = identity - (1 - value**2)[:, None] * model.dense / model.temperature
        try:
            step = np.linalg.solve(jacobian, value - m)
        except np.linalg.LinAlgError:
            return None
        if known is not None and len(known):
            away = m - known
            squares = (away**2).sum(axis=1)
            if squares.min() == 0:
                return None
            # The step of the deflated system is the plain one, stretched (Sherman and Morrison).
            gradient = (-2 * away / (squares * (1 + squares))[:, None]).sum(axis=0)
            shrink = 1 - gradient @ step
            if shrink == 0:
                return None
            step = step / shrink
        length = np.abs(step).max()
        m = m + step * min(1.0, 0.5 / length if length > 0 else 1.0)
        if np.abs(m).max() > 3:
            return None
        if length < 1e-13:
            break
    polished = response(model, m)
    return m if np.abs(polished - m).max() < 1e-11 else None
