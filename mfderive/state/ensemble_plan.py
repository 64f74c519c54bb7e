"""The plan for the nodes of one measure axis."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from math import prod

# A tensor to compare with that needs more nodes than the one that it is compared with has at most so many.
_LARGEST_OTHER = 2048


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

    def resized(self, size_of: Callable[[int], int], numbers: Collection[int] | None = None) -> Ensemble:
        """A tensor with other nodes for some of its numbers (None: for all but those of two values)."""
        chosen = [k for k, exact in enumerate(self.exact) if not exact] if numbers is None else numbers
        tensor = tuple(size_of(size) if k in chosen else size for k, size in enumerate(self.tensor))
        return replace(self, nodes=prod(tensor), tensor=tensor)

    def other(self, fewer_of: Callable[[int], int], numbers: Collection[int] | None = None) -> Ensemble:
        """A tensor with another rule for ``numbers`` (None: all), to compare with: nodes by ``fewer_of``.

        Two have no fewer that see how wide a law is. Three take their place, in as many such numbers as a
        tensor of moderate size allows; without nodes where that are less than half of them.
        """
        changed = self.resized(lambda size: size if size == 2 else fewer_of(size), numbers)
        chosen = range(len(self.tensor)) if numbers is None else numbers
        two = [k for k in chosen if self.tensor[k] == 2 and not self.exact[k]]
        tensor, raised = list(changed.tensor), 0
        for number in two:
            if prod(tensor) * 3 // 2 <= _LARGEST_OTHER:
                tensor[number], raised = 3, raised + 1
        if 2 * raised < len(two):
            tensor[two[-1]] = 0
        return replace(changed, nodes=prod(tensor), tensor=tuple(tensor))

    @property
    def words(self) -> str:
        """The rule in words."""
        kind = {"gauss": "Gauss nodes", "sobol": "scrambled Sobol points", "monte-carlo": "random draws"}
        return f"{self.nodes} {kind[self.rule]}"
