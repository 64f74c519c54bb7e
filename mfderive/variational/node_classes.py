"""Classes of nodes that have equal neighbourhoods: on them the mean-field equations close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .ising_model import IsingModel

Array = Any

# Sums of couplings that agree to so many digits of the largest are taken for equal.
_DIGITS = 10


@dataclass(frozen=True)
class NodeClasses:
    """The coarsest equitable partition: in a class all have one field and one sum of couplings to each class.

    ``labels`` (n): the class of each node; ``couplings`` (k x k): entry (a, b) is the sum of J_ij over j in b
    for any i in a (not symmetric); ``fields`` (k); ``sizes`` (k). Values that are equal within each class
    solve m_i = tanh((sum_j J_ij m_j + B_i)/T) if and only if they solve the same equation of the k classes.
    """

    labels: Array
    couplings: Array
    fields: Array
    sizes: Array

    @property
    def count(self) -> int:
        """Number of classes."""
        return len(self.sizes)

    def lift(self, values: Array) -> Array:
        """Values of classes as values of nodes (last axis)."""
        return np.asarray(values)[..., self.labels]


def node_classes(model: IsingModel) -> NodeClasses:
    """The coarsest equitable partition of a model, by refinement from the fields (colour refinement)."""
    scale = max(np.abs(model.couplings.data).max(initial=0.0), 1e-300)
    field_scale = max(np.abs(model.fields).max(), 1e-300)
    labels = _relabelled(np.round(model.fields[:, None] / field_scale, _DIGITS))
    while True:
        sums = model.couplings @ np.eye(labels.max() + 1)[labels] / scale
        refined = _relabelled(np.column_stack([labels, np.round(sums, _DIGITS) + 0.0]))
        if refined.max() == labels.max():
            break
        labels = refined
    sizes = np.bincount(labels)
    members = np.eye(len(sizes))[labels]
    return NodeClasses(
        labels,
        (members.T @ (model.couplings @ members)) / sizes[:, None],
        (members.T @ model.fields) / sizes,
        sizes,
    )


def _relabelled(rows: Array) -> Array:
    """Equal rows as equal labels 0, 1, 2, ..."""
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
