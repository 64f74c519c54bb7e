"""What predicted fluctuations do not count, in sentences: only what a network has of it is said."""

from __future__ import annotations

from collections.abc import Iterator

from ..network.network import Network
from .common_draws import common_words


def exclusions(network: Network) -> Iterator[str]:
    """What is left out of n Var for this network in particular, and in which units its outputs are."""
    common = common_words(network)
    if common:
        yield f"{common}; this is said of networks that start with the limit's own draw."
    if any(probability for _, probability in network.training.dropout):
        yield (
            "The masks of dropout are left out: in training they add to n Var a part proportional to the "
            "learning rate, and shift outputs by a bias of order 1/n."
        )
    if network.source.facts.target_scale is not None:
        yield "Outputs and losses are in the network's own units, in which the targets are scaled."
