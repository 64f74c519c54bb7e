"""Numbers of nodes."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .example import MEASURES, PARAMETERS


def node_counts(widths: int | Mapping[str, int]) -> dict[str, int]:
    """The number of nodes of every measure axis: given by name, or relative widths times a number."""
    if not isinstance(widths, Mapping):
        base = _whole(widths)
        widths = {axis: max(1, round(relative * base)) for axis, relative in MEASURES.items()}
    if set(widths) != set(MEASURES):
        raise ValueError(f"widths must be a number or name each of {list(MEASURES)}")
    return {axis: _whole(widths[axis]) for axis in MEASURES}


def _whole(width: Any) -> int:
    if isinstance(width, bool) or not isinstance(width, (int, np.integer)) or width < 1:
        raise ValueError(f"a width is {width!r}; expected a whole number of at least 1")
    return int(width)


def check_physical_memory(size: Mapping[str, int]) -> None:
    """Raise MemoryError if a state with these sizes is larger than the memory that the machine reports."""
    needed = 8 * sum(math.prod(size[axis] for axis in axes) for axes in PARAMETERS.values())
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if needed > physical:
            raise MemoryError(
                f"the state needs {needed / 1e9:.3g} GB, there are {physical / 1e9:.3g}; take smaller widths"
            )
