"""Deviations of trained networks in units of the predicted ones: normal with variance 1 if theory D holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..finite.simulate import simulate
from ..limit.derive import derive
from ..network.network import Network
from ..reduction.cost import cost
from ..runs.trajectory import Trajectory
from ..state.draw import population_sizes
from .fluctuations import Fluctuations

Array = Any
NETWORKS = 40
# Narrower networks have corrections of order 1/n that are no small part of a deviation.
LEAST_WIDTH = 100
# Operations that training these networks may take: a few seconds.
WORK = 5e10


@dataclass(frozen=True)
class Standardised:
    """sqrt(n) (yhat_n - yhat) / sqrt(n Var) of networks at fixed inputs.

    ``scores`` [time, series, network]: a series is an output at a point whose predicted deviation is not 0;
    ``times`` and ``steps``: of training; ``width``: the base width of all networks.
    """

    width: int
    times: Array
    steps: Array
    scores: Array

    @property
    def ratio(self) -> Array:
        """Root mean square of the scores [time]: the measured deviation over the predicted one."""
        return np.sqrt(np.mean(np.square(self.scores), axis=(1, 2)))


def standardised(
    network: Network, limit: Trajectory, found: Fluctuations, widths: Sequence[int]
) -> Standardised | None:
    """Train networks and standardise their deviations from ``limit`` at the points of ``found``.

    The width is the smallest of ``widths`` from :data:`LEAST_WIDTH` on (else the largest); the times are the
    start and the last one of ``found`` up to which training does not take too long. Networks make the steps
    of SGD on its batches: where ``limit`` does not, the start alone is compared. None where no output has a
    predicted deviation.
    """
    width = min((n for n in widths if n >= LEAST_WIDTH), default=max(widths))
    each = cost(derive(network), population_sizes(derive(network), width)).work
    batch = network.training.batch_size
    samples = (network.source.rows or 1) if isinstance(batch, str) else int(batch)
    follows = limit.notes.get("method") == "euler" and limit.notes.get("data") == "batches"
    most = WORK / (each * samples * NETWORKS) if follows else 0
    last = max(number for number, step in enumerate(found.steps) if step <= most or number == 0)
    numbers = sorted({0, last})
    moving = found.n_variance[numbers].min(0) > 1e-12 * found.n_variance.max()
    if not moving.any():
        return None
    count = max(1, int(found.steps[last]))
    seed = limit.seed
    paths = simulate(network, width, NETWORKS, steps=count, evaluation=1, checkpoints=2, common_seed=seed)
    scores = []
    for number in numbers:
        time = float(found.times[number]) if number else 0.0
        yhat = limit.fields(found.x, time)["yhat"]
        own = np.array([path.fields(found.x, None if number else 0.0)["yhat"] for path in paths])
        scores.append(((own - yhat) / found.deviation(width)[number])[:, moving].T)
    return Standardised(width, found.times[numbers], found.steps[numbers], np.array(scores))
