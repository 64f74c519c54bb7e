"""Samples of Ising models by the heat bath, with errors from the scatter of batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algebra.arguments import whole_number
from ..algebra.showing import Shown
from .compiled_sweeps import heat_bath
from .ising_model import IsingModel

Array = Any

_BATCHES = 32
_MOST_NUMBERS = 1 << 22  # random numbers at a time


@dataclass(frozen=True, eq=False, repr=False)
class GibbsIsing(Shown):
    """Means over samples with standard errors: ``m`` (n), ``pairs`` (edges, as ``model.edges``), |m|, energy.

    The errors come from the scatter of means over 32 batches of sweeps, which are taken for independent.
    """

    model: IsingModel
    m: Array
    m_error: Array
    pairs: Array
    pairs_error: Array
    absolute: float
    absolute_error: float
    energy: float
    energy_error: float
    sweeps: int

    def _summary(self) -> Iterator[str]:
        yield f"GibbsIsing: {self.model.size} spins, T = {self.model.temperature:g}, {self.sweeps} sweeps"
        yield f"<H> = {self.energy:.6g} (standard error {self.energy_error:.2g})"
        yield f"<|m|> = {self.absolute:.6g} (standard error {self.absolute_error:.2g})"


def gibbs(model: IsingModel, sweeps: int = 4096, seed: int = 0, warm_up: int | None = None) -> GibbsIsing:
    """Sweeps of the heat bath over all spins, from a random state, after ``warm_up`` (a quarter) sweeps.

    The same seed gives the same numbers. Below a transition a chain stays near one of the states for longer
    than any run: compare |m|. Raises ArgumentError where sweeps are fewer than one for each of the 32
    batches.
    """
    sweeps = whole_number("sweeps", sweeps, _BATCHES)
    warm_up = max(1, sweeps // 4) if warm_up is None else whole_number("warm_up", warm_up)
    random = np.random.default_rng(whole_number("seed", seed, 0))
    spins = random.choice([-1.0, 1.0], model.size)
    _swept(model, spins, random, warm_up)
    length = sweeps // _BATCHES
    batches = [_swept(model, spins, random, length) for _ in range(_BATCHES)]
    m, pairs, absolute = (np.array(column) for column in zip(*batches, strict=True))
    coo = model.couplings.tocoo()
    kept = coo.row < coo.col
    energy = -pairs[:, kept] @ coo.data[kept] - m @ model.fields
    return GibbsIsing(
        model,
        m.mean(axis=0),
        _error(m),
        pairs[:, kept].mean(axis=0),
        _error(pairs[:, kept]),
        float(absolute.mean()),
        float(_error(absolute)),
        float(energy.mean()),
        float(_error(energy)),
        length * _BATCHES,
    )


def _swept(model: IsingModel, spins: Array, random: Any, sweeps: int) -> tuple[Array, Array, float]:
    """Means over some sweeps, with random numbers for some of them at a time."""
    part = max(1, _MOST_NUMBERS // model.size)
    means: list[tuple[Array, Array, float]] = []
    counts = [min(part, sweeps - first) for first in range(0, sweeps, part)]
    for count in counts:
        means.append(heat_bath(model, spins, random.random((count, model.size))))
    share = np.array(counts) / sweeps
    m, pairs, absolute = (sum(s * mean[k] for s, mean in zip(share, means, strict=True)) for k in range(3))
    return m, pairs, float(absolute)


def _error(batches: Array) -> Any:
    """The standard error of the mean over independent batches (first axis)."""
    return batches.std(axis=0, ddof=1) / np.sqrt(len(batches))
