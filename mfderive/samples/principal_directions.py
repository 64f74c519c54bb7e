"""Directions along which the inputs of a problem are larger than isotropic inputs are by chance."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..algebra.memo import once

Array = Any

# Samples that are looked at, and by how much a second moment must exceed what isotropic ones reach by chance.
_SAMPLES = 1024
_MARGIN = 1.1


@once
def principal_directions(source: Any) -> Array:
    """Orthonormal directions [number of an input, direction] along which inputs are largest, largest first.

    They are eigenvectors of the second moment E x x^T of some samples of a data source. Those stay whose
    eigenvalue exceeds what m isotropic samples in d dimensions of the same mean square show by chance,
    (1 + sqrt(d/m))^2 of it (the edge of Marchenko and Pastur's law). None are left of isotropic inputs.
    """
    x = np.asarray(source.evaluation(_SAMPLES)[0], dtype=np.float64)  # rows of a data set once each
    x = x.reshape(len(x), -1)
    samples, dimension = x.shape
    if dimension < 2 or not np.isfinite(x).all():
        return np.zeros((dimension, 0))
    sizes, directions = np.linalg.svd(x, full_matrices=False)[1:]
    edge = _MARGIN * (1 + np.sqrt(dimension / samples)) ** 2 * (sizes**2).sum() / dimension
    return np.ascontiguousarray(directions[sizes**2 > edge].T)
