"""Random numbers that belong to no neuron: every network draws them once, and no width averages them out.

An output's bias with a random law, or weights between finite layers. Networks of different seeds then have
different limits. What is predicted are deviations from one of these, that of the limit's own draw, so that
networks are held against it that start with the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..algebra.showing import words
from ..finite.network_fields import system_of
from ..finite.simulate import simulate
from ..network.network import Network
from ..runs.trajectory import Trajectory
from ..solution.options import resolve_options
from ..state.draw import common_draws


def common_words(network: Network) -> str:
    """What networks have in common with the limit, in a sentence; empty where they need nothing."""
    names = common_draws(system_of(network))
    if not names:
        return ""
    return (
        f"What belongs to no neuron ({', '.join(map(words, names))}) is drawn once in every network and "
        "never averages out, so that networks of other seeds have other limits"
    )


def trained(
    network: Network, width: int, count: int, changes: Mapping[str, Any], **options: Any
) -> Sequence[Trajectory]:
    """``count`` networks of a width, trained, that share with the limit what belongs to no neuron.

    ``changes``: the options of the limit, whose seed draws that; ``options`` as in :func:`mfderive.simulate`.
    """
    seed = resolve_options(network, None, **changes).seed
    return simulate(network, width, count, common_seed=seed, **options)
