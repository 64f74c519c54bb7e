"""The sizes that the limit predicts: of networks that are drawn from its solution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..finite.finite_network import FiniteNetwork
from ..network.network import Network
from ..runs.trajectory import Trajectory
from .network_sizes import Quantity, Sizes, network_sizes

Array = Any

# Networks that are drawn of a width, the first of their seeds, and the least width of the wide ones.
DRAWS, FIRST_DRAW, WIDE = 8, 10_000, 512
# By how much the narrow draws, which show powers of the width, are narrower than the wide ones at least.
APART = 16
# Half of the band, in deviations of a single network.
DEVIATIONS = 2.0


@dataclass(frozen=True)
class Prediction:
    """What the limit says of one size: its ``line`` and its ``band`` (low, high), one number a width.

    The line is level at ``size``, the root mean square over wide networks that are drawn from the limit;
    where narrow draws show that the limit is 0 and the size a fluctuation (``vanishes``), it falls like the
    ``power`` of the width that draws of two widths show, a multiple of 1/2, through that size at the width
    ``wide``. Networks scatter about it by c/sqrt(n) with one c for all widths; the band is two of these
    deviations to either side, ``scatter`` is c, as networks of this program have it. (Draws scatter less:
    their steps are the limit's, and feed no fluctuations back.) ``hidden``: the limit is so small that most
    of what networks have is fluctuation, even at the largest width; of which power is not known.
    ``overtaken``: steps that a rule makes of fluctuations are as large as any
    (:mod:`mfderive.scaling.blown_up`), so that nothing is expected at these widths.
    """

    widths: tuple[int, ...]
    size: float
    wide: int
    vanishes: bool
    scatter: float
    hidden: bool = False
    overtaken: bool = False
    power: float = 0.5

    @property
    def exponent(self) -> float | None:
        """The exponent that is expected: 0, or that of fluctuations where the limit is 0.

        None: nothing is expected, or a size of 0.
        """
        if self.overtaken or not self.size or (self.hidden and not self.vanishes):
            return None
        return -self.power if self.vanishes else 0.0

    @property
    def line(self) -> Array:
        """The expected size at every width."""
        n = np.asarray(self.widths, dtype=np.float64)
        return self.size * (self.wide / n) ** (self.power if self.vanishes else 0.0)

    @property
    def band(self) -> tuple[Array, Array]:
        """The lowest and the highest size of a network at every width."""
        half = DEVIATIONS * self.scatter / np.sqrt(np.asarray(self.widths, dtype=np.float64))
        return np.maximum(self.line - half, 0.0), self.line + half


def limit_sizes(
    network: Network,
    finite: FiniteNetwork,
    path: Trajectory,
    widths: Sequence[int],
    times: tuple[float, float, float],
    x: Array,
    own: Mapping[Quantity, Array],
) -> dict[Quantity, Prediction]:
    """The predictions of a solution for all sizes of networks; ``times``: of the start, one step and all.

    ``own``: the sizes [width, seed] of networks of this program, for their scatter. A network that is drawn
    keeps its neurons at all times (:meth:`Trajectory.sample`): its changes are those of the limit's neurons.
    """

    def drawn(width: int, first_seed: int) -> dict[Quantity, float]:
        found: list[Sizes] = []
        for seed in range(first_seed, first_seed + DRAWS):
            start, first, last = (path.sample(width, t, seed=seed).arrays for t in times)
            found.append(network_sizes(network, finite, (start, first, last), x))
        return {q: float(np.sqrt(np.mean([sizes[q] ** 2 for sizes in found]))) for q in found[0]}

    wide = max(WIDE, widths[-1])
    narrow = min(widths[0], wide // APART)
    small, large = drawn(narrow, FIRST_DRAW), drawn(wide, FIRST_DRAW + DRAWS)
    n = np.asarray(widths, dtype=np.float64)
    return {
        quantity: Prediction(
            tuple(widths),
            size,
            wide,
            # Half of the least exponent of a fluctuation.
            bool(size <= small[quantity] * (wide / narrow) ** -0.25),
            float(np.sqrt(np.mean(n * own[quantity].var(axis=1, ddof=1)))),
            bool(2 * size < own[quantity][-1].mean()),
            power=_power(small[quantity], size, wide / narrow),
        )
        for quantity, size in large.items()
    }


def _power(narrow: float, wide: float, ratio: float) -> float:
    """The power with which sizes fall over a ratio of widths: a multiple of 1/2, at least that."""
    if not (narrow and wide):
        return 0.5
    return max(1, round(2 * float(np.log(narrow / wide) / np.log(ratio)))) / 2
