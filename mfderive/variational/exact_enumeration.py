"""Exact means, correlations and partition functions of small Ising models, by all of their states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..algebra.showing import Shown
from ..errors import ArgumentError
from .ising_model import IsingModel

Array = Any

MOST_SPINS = 20
_ROWS = 1 << 15  # states at a time


@dataclass(frozen=True, eq=False, repr=False)
class ExactIsing(Shown):
    """What all states say: ``log_z``, ``m`` (n) = <sigma_i>, ``pairs`` (n, n) = <sigma_i sigma_j>.

    ``absolute`` is <|mean of the spins|>, which does not vanish by symmetry.
    """

    model: IsingModel
    log_z: float
    m: Array
    pairs: Array
    absolute: float

    @property
    def free_energy(self) -> float:
        """F = -T log Z."""
        return -self.model.temperature * self.log_z

    @cached_property
    def energy(self) -> float:
        """<H>."""
        return float(-(self.model.dense * self.pairs).sum() / 2 - self.model.fields @ self.m)

    def _summary(self) -> Iterator[str]:
        yield f"ExactIsing: {self.model.size} spins, T = {self.model.temperature:g}"
        yield f"F = {self.free_energy:.9g}, <H> = {self.energy:.9g}"
        yield f"mean m = {self.m.mean():.6g}, <|m|> = {self.absolute:.6g}"


def enumerate_states(model: IsingModel) -> ExactIsing:
    """The exact answer for at most 20 spins. Raises ArgumentError for more, with what to take instead."""
    n = model.size
    if n > MOST_SPINS:
        raise ArgumentError(
            f"{n} spins have 2^{n} states; at most {MOST_SPINS} spins are enumerated. Take samples instead: "
            ".gibbs()"
        )
    weights = np.concatenate([_energies(model, states) for states in _states(n)])
    weights /= -model.temperature
    largest = weights.max()
    weights = np.exp(weights - largest)
    total = weights.sum()
    m, pairs, absolute = np.zeros(n), np.zeros((n, n)), 0.0
    for number, states in enumerate(_states(n)):
        weight = weights[number * _ROWS : number * _ROWS + len(states)] / total
        m += weight @ states
        pairs += states.T @ (weight[:, None] * states)
        absolute += float(weight @ np.abs(states.mean(axis=1)))
    return ExactIsing(model, float(largest + np.log(total)), m, pairs, absolute)


def _states(n: int) -> Any:
    """All states as rows of +1 and -1, some at a time."""
    for first in range(0, 1 << n, _ROWS):
        numbers = np.arange(first, min(first + _ROWS, 1 << n))
        yield 1.0 - 2.0 * ((numbers[:, None] >> np.arange(n)) & 1)


def _energies(model: IsingModel, states: Array) -> Array:
    return -((states @ model.dense) * states).sum(axis=1) / 2 - states @ model.fields
