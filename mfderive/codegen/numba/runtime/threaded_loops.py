"""Compiled loops shared between threads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import Any

from .compilation import COMPILED, THREADS, Maker
from .compiled_gemm import GEMM
from .node_weights import Nodes
from .workspace import WORKSPACE

Task = Callable[[Maker, Any], None]  # (make, dtype)
Scratch = tuple[tuple[str, tuple[int, ...]], ...]  # names and shapes of arrays

# Each loop is cut into this many tasks, so that one thread that is held up delays the others little.
PIECES = 4 * THREADS
WORTH = 5e-4  # seconds of remaining work from which other threads are asked to help
POOLS: dict[
    int, ThreadPoolExecutor
] = {}  # helping threads by process: a forked copy has none of its parent's


class Tasks(list[Task]):
    """Tasks that write to different arrays; ``are_long``: other threads were worth asking last time."""

    are_long = False


def pieces(function: Callable[..., Any], count: int, scratch: Scratch, *arguments: Any) -> Tasks:
    """A loop as tasks for several threads; each task makes the arrays of ``scratch`` for itself."""
    ends = pairwise(k * count // PIECES for k in range(PIECES + 1))
    return Tasks(task(function, first, last, scratch, arguments) for first, last in ends if first < last)


def whole(function: Callable[..., Any], count: int, scratch: Scratch, *arguments: Any) -> Task:
    """A loop as one task, because all of its iterations add to the same array."""
    return task(function, 0, count, scratch, arguments)


def task(
    function: Callable[..., Any], first: int, last: int, scratch: Scratch, arguments: tuple[Any, ...]
) -> Task:
    """One call of a compiled loop; the thread that runs it makes its own scratch arrays.

    Arguments that are functions are numbers, which are asked for when the task runs.
    """

    def run(make: Maker, dtype: Any) -> None:
        own = (make(name, shape) for name, shape in scratch)
        given = (argument() if callable(argument) else argument for argument in arguments)
        function(GEMM[dtype], first, last, *own, *given)

    return run


def together(tasks: Tasks, nodes: Nodes, make: Maker) -> None:
    """Run tasks; other threads help if the first one took long, at once if it did so last time."""
    left = iter(tasks)
    first = next(left)
    helpers = _helpers(left, tasks, nodes) if tasks.are_long else []
    try:
        begin = time.perf_counter()
        first(make, nodes.dtype)
        remaining = (time.perf_counter() - begin) * (len(tasks) - 1)
        tasks.are_long = COMPILED and THREADS > 1 and remaining > WORTH
        if tasks.are_long and not helpers:
            helpers = _helpers(left, tasks, nodes)
        for run in left:
            run(make, nodes.dtype)
    finally:
        for helper in helpers:
            if not helper.cancel():  # a helper that has not started yet is not waited for
                helper.result()


def _helpers(left: Iterator[Task], tasks: Tasks, nodes: Nodes) -> list[Future[None]]:
    """Other threads that have been asked to help."""
    pool = POOLS.get(os.getpid())
    if pool is None:
        pool = POOLS[os.getpid()] = ThreadPoolExecutor(THREADS - 1, thread_name_prefix="solver")
    return [pool.submit(_help, left, nodes) for _ in range(min(THREADS, len(tasks)) - 1)]


def _help(left: Iterator[Task], nodes: Nodes) -> None:
    make = WORKSPACE.maker(nodes)
    for run in left:
        run(make, nodes.dtype)
