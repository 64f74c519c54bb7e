"""What the arrays of a solver are: the layout of states and fields."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """The axes of every array of a solver, in array order, and the sizes of the axes.

    ``parameters``: axes of each array of a state: parameters, and what a learning rule remembers of them
    (``memories``). ``frozen``: the parameters that are not trained. ``populations``: the population axes.
    ``measures``: the axes whose nodes have weights in ``state["p"]``, with their relative widths. ``sizes``:
    sizes of the finite axes. ``fields``: axes of every field, those of the data (x and y) and the parameters
    included.
    """

    parameters: dict[str, tuple[str, ...]]
    frozen: tuple[str, ...]
    populations: tuple[str, ...]
    measures: dict[str, float]
    sizes: dict[str, int]
    fields: dict[str, tuple[str, ...]]
    memories: tuple[str, ...] = ()
