"""The last state of a run that is finite, found by making its steps again from one that was kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .between import copy_state
from .trajectory import is_finite

Arrays = dict[str, Any]

# So many steps are made again at most: a message must not take as long as the run did.
MOST_STEPS = 2000


def last_finite(
    advance: Callable[[Arrays, int, int], Arrays], state: Mapping[str, Any], first: int, last: int
) -> tuple[int, Arrays] | None:
    """The number and the state of the last step after which all parameters are finite, by bisection.

    ``state`` is finite and stands after step ``first``; after step ``last`` something is not, and stays so.
    ``advance(state, first, last)`` makes steps, in place or not. None where that is too many steps.
    """
    if last - first > MOST_STEPS:
        return None
    number, best = first, copy_state(dict(state))
    while last - number > 1:
        middle = (number + last) // 2
        tried = advance(copy_state(best), number, middle)
        if is_finite(tried):
            number, best = middle, tried
        else:
            last = middle
    return number, best
