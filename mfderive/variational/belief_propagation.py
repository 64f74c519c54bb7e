"""The Bethe approximation of an Ising model: belief propagation, its fixed points and their free energy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import ArpackError, eigs
from scipy.special import xlogy

from ..algebra.showing import Shown
from .ising_model import IsingModel
from .sigmoid_roots import bethe_roots

Array = Any

_DENSE_MESSAGES = 400
_LARGE = 8.0  # where 1 - tanh begins to lose digits
SAME = 1e-4  # solutions that differ by less are one


@dataclass(frozen=True, eq=False)
class Messages:
    """The directed edges i -> j of a model: ``source``, ``target``, ``reverse`` (the edge j -> i),
    ``coupling``.

    They stand in the order of the sparse rows of J, so that the edges i -> j of one i are neighbours.
    """

    model: IsingModel
    source: Array
    target: Array
    reverse: Array
    coupling: Array

    @classmethod
    def of(cls, model: IsingModel) -> Messages:
        """The messages of a model."""
        j = model.couplings
        source = np.repeat(np.arange(model.size), model.degrees)
        numbered = csr_array((np.arange(1, len(source) + 1), j.indices, j.indptr), shape=j.shape)
        reverse = numbered.T.tocsr()
        reverse.sort_indices()
        return cls(model, source, j.indices.astype(int), reverse.data - 1, j.data)

    @cached_property
    def tangent(self) -> Array:
        """tanh(J_ij/T) of every edge."""
        return np.tanh(self.coupling / self.model.temperature)

    def arriving(self, cavity: Array) -> Array:
        """What the field u of i without j does to j: artanh(tanh(J_ij/T) tanh(u)), for every i -> j."""
        a = self.coupling / self.model.temperature
        if np.abs(a).max(initial=0.0) < _LARGE or np.abs(cavity).max(initial=0.0) < _LARGE:
            return np.arctanh(self.tangent * np.tanh(cavity))
        # The same as log(cosh(a + u)/cosh(a - u))/2, which is right where both are large as well.
        return (np.logaddexp(a + cavity, -a - cavity) - np.logaddexp(a - cavity, cavity - a)) / 2

    def fields(self, cavity: Array) -> Array:
        """The whole field of every spin in units of T (n); m = tanh of it."""
        sums = np.bincount(self.target, self.arriving(cavity), minlength=self.model.size)
        return self.model.fields / self.model.temperature + sums

    def updated(self, cavity: Array) -> Array:
        """u_{i->j} = B_i/T + sum over k of Nbr(i) without j of artanh(tanh(J_ki/T) tanh(u_{k->i}))."""
        return self.fields(cavity)[self.source] - self.arriving(cavity)[self.reverse]


@dataclass(frozen=True, eq=False, repr=False)
class BetheSolution(Shown):
    """A fixed point of belief propagation: ``cavity`` (directed edges) are fields in units of T."""

    messages: Messages
    cavity: Array

    def _summary(self) -> Iterator[str]:
        yield f"BetheSolution: {self.messages.model.size} spins, mean m = {self.mean:.9g}"
        yield f"F = {self.free_energy:.9g}, slope {self.slope:.6g} ({self.stability})"

    @cached_property
    def m(self) -> Array:
        """Means of the spins (n)."""
        return np.tanh(self.messages.fields(self.cavity))

    @property
    def mean(self) -> float:
        """The magnetisation: the mean of m over all spins."""
        return float(np.round(self.m.mean(), 14) + 0.0)

    @cached_property
    def beliefs(self) -> Array:
        """Laws of (sigma_i, sigma_j) (edges, 4: ++, +-, -+, --), for the edges of ``model.edges``."""
        kept = self.messages.source < self.messages.target
        u, v = self.cavity[kept], self.cavity[self.messages.reverse[kept]]
        a = self.messages.coupling[kept] / self.messages.model.temperature
        logs = np.stack([a + u + v, -a + u - v, -a - u + v, a - u - v], axis=1)
        logs -= logs.max(axis=1, keepdims=True)
        weights = np.exp(logs)
        return weights / weights.sum(axis=1, keepdims=True)

    @property
    def pairs(self) -> Array:
        """<sigma_i sigma_j> over the edges of ``model.edges``."""
        return self.beliefs @ np.array([1.0, -1.0, -1.0, 1.0])

    @cached_property
    def free_energy(self) -> float:
        """F = <H> - T (sum over edges of S_ij - sum over spins of (d_i - 1) S_i); exact on trees."""
        model = self.messages.model
        fields = self.messages.fields(self.cavity)
        logs = -np.logaddexp(0, -2 * np.stack([fields, -fields], axis=1))
        single = -(np.exp(logs) * logs).sum(axis=1)
        pair = -xlogy(self.beliefs, self.beliefs).sum()
        energy = -model.edges[2] @ self.pairs - model.fields @ self.m
        return float(energy - model.temperature * (pair - ((model.degrees - 1) * single).sum()))

    @cached_property
    def slope(self) -> float:
        """Spectral radius of the linearised iteration: the non-backtracking matrix, weighted."""
        return non_backtracking_radius(self.messages, self.cavity)

    @property
    def is_stable(self) -> bool:
        """Whether the (undamped) iteration comes back after a small change."""
        return self.slope < 1 - 1e-6

    @property
    def stability(self) -> str:
        """One word: stable, marginal or unstable under the iteration."""
        return "stable" if self.is_stable else "marginal" if abs(self.slope - 1) <= 1e-6 else "unstable"

    @cached_property
    def residual(self) -> float:
        """By how much the equations of the messages are missed at most, as means tanh(u)."""
        if not len(self.cavity):
            return 0.0
        return float(np.abs(np.tanh(self.messages.updated(self.cavity)) - np.tanh(self.cavity)).max())


def non_backtracking_radius(messages: Messages, cavity: Array | None = None) -> float:
    """Spectral radius of d u_{i->j} / d u_{k->i}, at given messages or where all are 0.

    Entry (i->j, k->i), k other than j, is t (1 - s^2)/(1 - t^2 s^2) with t = tanh(J_ki/T), s =
    tanh(u_{k->i}).
    """
    count = len(messages.source)
    if messages.model.is_forest:
        return 0.0  # no message comes back to where it was: the matrix is nilpotent
    cavity = np.zeros(count) if cavity is None else cavity
    a = messages.coupling / messages.model.temperature
    weight = (np.tanh(a + cavity) + np.tanh(a - cavity)) / 2  # the derivative of what arrives
    incoming = csr_array((np.ones(count), (messages.target, np.arange(count))))
    matrix = incoming[messages.source] @ _diagonal(weight)
    back = csr_array((weight[messages.reverse], (np.arange(count), messages.reverse)), shape=(count, count))
    matrix = matrix - back
    if count > _DENSE_MESSAGES:
        try:
            found = eigs(matrix, k=1, which="LM", v0=np.ones(count), return_eigenvectors=False, maxiter=5000)
            return float(np.abs(found).max())
        except ArpackError:
            pass  # a tree has no eigenvalue but 0, which this method does not find
    return float(np.abs(np.linalg.eigvals(matrix.toarray())).max())


def _diagonal(values: Array) -> Any:
    places = np.arange(len(values))
    return csr_array((values, (places, places)))


def propagate(messages: Messages, cavity: Array, damping: float, most: int) -> Array | None:
    """Damped iteration of the messages from given ones; None where it does not come to rest.

    ``damping``: which part of a message stays as it is in a step.
    """
    for _ in range(most):
        new = messages.updated(cavity)
        change = np.abs(np.tanh(new) - np.tanh(cavity)).max(initial=0.0)
        cavity = damping * cavity + (1 - damping) * new
        if change < 1e-13:
            return cavity
    return cavity if change < 1e-10 else None


def bethe_solutions(
    model: IsingModel, starts: int = 8, seed: int = 0, damping: float = 0.5, most: int = 2000
) -> tuple[tuple[BetheSolution, ...], int]:
    """Fixed points of belief propagation by ascending free energy, and how many starts did not come to rest.

    Where all spins have one degree, coupling and field, all fixed points with equal messages are found as
    roots of one equation. Others are what the damped iteration reaches from all +, all -, 0 and ``starts``
    random messages: unstable ones may be missing. Without a field the mirror image of each is one as well.
    """
    messages = Messages.of(model)
    count, random, lost = len(messages.source), np.random.default_rng(seed), 0
    found: list[BetheSolution] = []

    def keep(cavity: Array) -> None:
        solution = BetheSolution(messages, cavity)
        if solution.residual < 1e-9 and all(np.abs(solution.m - other.m).max() > SAME for other in found):
            found.append(solution)

    if model.regular is not None and len(np.unique(model.fields)) == 1:
        degree, coupling = model.regular
        for root in bethe_roots(degree, coupling, float(model.fields[0]), model.temperature):
            keep(np.full(count, root))
    size = np.abs(messages.coupling).max(initial=1.0) / model.temperature
    given = [np.full(count, size), np.full(count, -size), np.zeros(count)]
    for start in [*given, *(size * random.standard_normal((starts, count)))]:
        reached = propagate(messages, start, damping, most)
        if reached is None:
            lost += 1
            continue
        keep(reached)
        if model.has_no_field:
            keep(-reached)
    return tuple(sorted(found, key=lambda solution: (round(solution.free_energy, 10), -solution.mean))), lost
