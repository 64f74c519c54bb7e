"""The repeated part of a network as a map of kernels: what fixed points and critical lines are found of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

Array = Any
# sigma_w2, sigma_b2 and whatever else a map reads, by name: numbers or arrays that broadcast.
Scales = Mapping[str, Any]


@runtime_checkable
class DepthMap(Protocol):
    """One block of a repeated part of a network, as a map of the kernel entries that it hands on.

    ``names``: what the m entries are. Kernels of one input and of a pair are arrays [..., m].
    Everything is vectorised over the leading axes, with which the scales broadcast.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The m kernel entries that a block hands on."""
        ...

    def advance(self, q: Array, scales: Scales) -> Array:
        """The kernels [..., m] of one input after a block, from those before it."""
        ...

    def advance_pair(self, k12: Array, q1: Array, q2: Array, scales: Scales) -> Array:
        """The kernels [..., m] of a pair of inputs after a block, from theirs and each input's before it."""
        ...

    def jacobian(self, q: Array, scales: Scales) -> Array:
        """d advance_i / d q_j [..., i, j], exact."""
        ...

    def jacobian_pair(self, k12: Array, q1: Array, q2: Array, scales: Scales) -> Array:
        """d advance_pair_i / d k12_j [..., i, j] at constant q1 and q2, exact."""
        ...

    def gradient_factor(self, q: Array, scales: Scales) -> Array:
        """By what a block multiplies the second moments of backward fields [...]; chi_1 for a dense layer."""
        ...
