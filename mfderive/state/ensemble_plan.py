"""The plan for the nodes of one measure axis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod


@dataclass(frozen=True)
class Ensemble:
    """The plan for one measure axis: its labels, how many numbers they have, rule and number of nodes.

    ``tensor`` has the nodes of each number for the rule gauss, in the order of the labels' numbers; ``exact``
    says which of them take two values, which two nodes sum exactly. ``driven``: fresh noise of every step
    tells the nodes apart, each on a path of its own, so that they are sampled whatever their labels are.
    """

    axis: str
    labels: tuple[str, ...]
    dimension: int
    rule: str
    nodes: int
    tensor: tuple[int, ...] = ()
    exact: tuple[bool, ...] = ()
    driven: bool = False

    def __str__(self) -> str:
        names = " and ".join(self.labels)
        return f"{self.axis}: {names} ({self.dimension} number{'s' * (self.dimension != 1)}), {self.words}"

    @property
    def is_sampled(self) -> bool:
        """Whether the nodes are points of a sample."""
        return self.rule != "gauss"

    def resized(self, size_of: Callable[[int], int]) -> Ensemble:
        """A tensor with other numbers of nodes, but for numbers of two values, which have their own."""
        sizes = zip(self.tensor, self.exact, strict=True)
        tensor = tuple(size if exact else size_of(size) for size, exact in sizes)
        return replace(self, nodes=prod(tensor), tensor=tensor)

    @property
    def words(self) -> str:
        """The rule in words."""
        kind = {"gauss": "Gauss nodes", "sobol": "scrambled Sobol points", "monte-carlo": "random draws"}
        return f"{self.nodes} {kind[self.rule]}"
