"""Classes of nodes that have equal neighbourhoods: on them the mean-field equations close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from .ising_model import IsingModel

Array = Any

# Sums of couplings that agree to so many digits of the largest are taken for equal.
_DIGITS = 10
# Random numbers that stand for each class: different sums of couplings differ in one of them.
_MARKS = 3
# Where there are more classes than this nobody asks for them, and a row of n spins would have n/2.
MOST_CLASSES = 100


@dataclass(frozen=True)
class NodeClasses:
    """An equitable partition: in a class all have one field and one sum of couplings to each class.

    ``labels`` (n): the class of each node; ``couplings`` (k x k, sparse): entry (a, b) is the sum of J_ij
    over j in b for any i in a (not symmetric); ``fields`` (k); ``sizes`` (k). Values that are equal within
    each class solve m_i = tanh((sum_j J_ij m_j + B_i)/T) if and only if they solve the same equation of the
    k classes.
    ``is_coarsest``: no two classes could be one. Beyond ``MOST_CLASSES`` every node is a class of its own.
    """

    labels: Array
    couplings: Any
    fields: Array
    sizes: Array
    is_coarsest: bool

    @property
    def count(self) -> int:
        """Number of classes."""
        return len(self.sizes)

    def lift(self, values: Array) -> Array:
        """Values of classes as values of nodes (last axis)."""
        return np.asarray(values)[..., self.labels]


def node_classes(model: IsingModel) -> NodeClasses:
    """The coarsest equitable partition of a model, by refinement from the fields (colour refinement).

    Each round takes the time of a product with J. Beyond ``MOST_CLASSES`` it ends, with every node by itself.
    """
    scale = max(np.abs(model.couplings.data).max(initial=0.0), 1e-300)
    field_scale = max(np.abs(model.fields).max(), 1e-300)
    random = np.random.default_rng(0)
    labels = _relabelled(np.round(model.fields[:, None] / field_scale, _DIGITS))
    while labels.max() < MOST_CLASSES:
        marks = random.uniform(1, 2, (labels.max() + 1, _MARKS))
        sums = model.couplings @ marks[labels] / scale
        refined = _relabelled(np.column_stack([labels, np.round(sums, _DIGITS) + 0.0]))
        if refined.max() == labels.max():
            return _partition(model, labels, True)
        labels = refined
    return _partition(model, np.arange(model.size), False)


def _partition(model: IsingModel, labels: Array, is_coarsest: bool) -> NodeClasses:
    sizes = np.bincount(labels)
    nodes = np.arange(model.size)
    members = csr_array((np.ones(model.size), (nodes, labels)), shape=(model.size, len(sizes)))
    average = members.T / sizes[:, None]
    return NodeClasses(
        labels, csr_array(average @ model.couplings @ members), average @ model.fields, sizes, is_coarsest
    )


def _relabelled(rows: Array) -> Array:
    """Equal rows as equal labels 0, 1, 2, ..."""
    order = np.lexsort(rows.T)
    changes = (rows[order[1:]] != rows[order[:-1]]).any(axis=1)
    labels = np.empty(len(rows), dtype=int)
    labels[order] = np.concatenate([[0], np.cumsum(changes)])
    return labels
