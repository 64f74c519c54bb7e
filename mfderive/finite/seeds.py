"""The seeds of networks, as a caller gives them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..algebra.arguments import found, whole_number
from ..algebra.memory import check_memory
from ..errors import ArgumentError

_SEED_BYTES = 40  # of one entry of a list of seeds


def seed_list(seeds: int | Sequence[int], first_seed: int) -> list[int]:
    """``seeds`` themselves, or so many counted from ``first_seed``. Raises ArgumentError, ResourceError."""
    first = whole_number("first_seed", first_seed, 0)
    if isinstance(seeds, (list, tuple, range, np.ndarray)):
        labels = [whole_number(f"seeds[{position}]", seed, 0) for position, seed in enumerate(seeds)]
        if not labels:
            raise ArgumentError(f"seeds is {found(seeds)}; give at least one seed")
        return labels
    count = whole_number("seeds", seeds)
    check_memory(_SEED_BYTES * count, f"A list of {count} seeds", "Take fewer seeds")
    return list(range(first, first + count))
