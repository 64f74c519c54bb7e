"""Transition temperatures without a field: where the solution m = 0 becomes unstable."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigvalsh
from scipy.optimize import brentq
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import eigsh

from .ising_model import DENSE_NODES, IsingModel

# Below J/T of this size tanh(J/T) is 1 to rounding, and a transition cannot be told from none.
_COLDEST = 12.0
_PLACES = 48  # temperatures at which a sign is looked for


@dataclass(frozen=True)
class Transition:
    """A transition temperature (None: no transition at T > 0) and the closed form that it has, if any."""

    temperature: float | None
    is_closed: bool


def mean_field_transition(model: IsingModel) -> Transition:
    """The largest eigenvalue of J: above it F is convex, so that there is one solution, whatever the field.

    On a graph of equal degrees d and couplings J > 0 that is d J (2 d J on a lattice of d dimensions).
    Without a field m = 0 loses its stability there.
    """
    if model.regular is not None and model.regular[1] > 0:
        degree, coupling = model.regular
        return Transition(degree * coupling, True)
    largest = _largest_eigenvalue(model.couplings)
    return Transition(largest if largest > 0 else None, False)


def bethe_transition(model: IsingModel) -> Transition:
    """Where messages 0 lose their stability as T falls, at fields 0.

    On a graph of equal degrees d and couplings J > 0: (d - 1) tanh(J/T) = 1, T = J/artanh(1/(d-1)). Otherwise
    the highest temperature at which the Hessian of the Bethe free energy at m = 0,

        (1 + sum_k sinh(J_ik/T)^2) delta_ij - sinh(2 J_ij/T)/2,

    has the eigenvalue 0. By the formula of Ihara and Bass that is where the non-backtracking matrix with the
    weights tanh(J_ij/T) has the eigenvalue 1 (its spectral radius, where no coupling is negative).
    """
    if model.regular is not None and model.regular[1] > 0:
        degree, coupling = model.regular
        if degree < 3:
            return Transition(None, True)
        return Transition(coupling / math.atanh(1 / (degree - 1)), True)
    if model.is_forest:
        return Transition(None, True)  # messages die out at the ends: no eigenvalue but 0
    warmest = _largest_eigenvalue(abs(model.couplings))  # 1/T at which naive mean field has its own, at most
    if warmest <= 0:
        return Transition(None, False)
    coldest = np.abs(model.couplings.data).max() / _COLDEST
    places = np.geomspace(warmest, min(coldest, warmest / 2), _PLACES)
    above = places[0]
    for place in places:
        if _bethe_curvature(model, place) < -1e-9:
            root = brentq(lambda T: _bethe_curvature(model, T), place, above, xtol=1e-13, rtol=1e-13)
            return Transition(float(root), False)
        above = place
    return Transition(None, False)


def _bethe_curvature(model: IsingModel, temperature: float) -> float:
    """The smallest eigenvalue of the Hessian at m = 0, divided by its diagonal symmetrically."""
    j = model.couplings
    scaled = csr_array((j.data / temperature, j.indices, j.indptr), shape=j.shape)
    squares = scaled.copy()
    squares.data = np.sinh(scaled.data) ** 2
    root = 1 / np.sqrt(1 + squares.sum(axis=1))
    scaled.data = np.sinh(2 * scaled.data) / 2
    return 1 - _largest_eigenvalue(diags_array(root) @ scaled @ diags_array(root))


def _largest_eigenvalue(matrix: Any) -> float:
    """The largest eigenvalue of a symmetric sparse matrix."""
    size = matrix.shape[0]
    if size <= DENSE_NODES:
        return float(eigvalsh(matrix.toarray(), subset_by_index=(size - 1, size - 1))[0])
    # An eigenvalue is as exact as the square of what its vector is off by, divided by the gap. Those of long
    # chains are close together, which needs many vectors.
    found = eigsh(matrix, k=1, which="LA", v0=np.ones(size), tol=1e-10, ncv=80, return_eigenvectors=False)
    return float(found[0])
