"""Times that are compared: all in one process, turn by turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def least_times(repetitions: int, *functions: Callable[[], Any]) -> list[float]:
    """Least seconds of each function; the repetitions alternate, so that all see the same machine."""
    best = [float("inf")] * len(functions)
    for _ in range(repetitions):
        for number, function in enumerate(functions):
            start = time.perf_counter()
            function()
            best[number] = min(best[number], time.perf_counter() - start)
    return best
