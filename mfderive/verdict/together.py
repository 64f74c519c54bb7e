"""Independent solutions side by side: one thread per core, one BLAS thread each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ..solution.threads import single_threads

Given = TypeVar("Given")
Found = TypeVar("Found")


def together(function: Callable[[Given], Found], values: Iterable[Given]) -> list[Found]:
    """``[function(value) for value in values]``, on as many threads as there are cores.

    Compiled loops and products leave the interpreter free, so solutions that know nothing of each other
    share the cores better than the small products of one solution do. The result does not depend on the
    number of threads; what the first failing value raises is raised.
    """
    waiting = list(values)
    with single_threads(), ThreadPoolExecutor(max(1, min(len(waiting), os.cpu_count() or 1))) as pool:
        return list(pool.map(function, waiting))
