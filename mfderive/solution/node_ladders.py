"""How few nodes of a number do: by trying, from a moderate number of them, what each is off by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .transplant import off

# Nodes that a number can have (one would not see how wide a law is; a single number has at least three, which
# have two beside them for comparison), and how many it has while another one is looked at, by how many there
# are.
LADDER, SINGLE = (2, 3, 4, 5, 6, 8, 12, 16, 20), 3
BASE = {2: 5, 3: 3, 4: 3}
# The most of one number of many that is looked at, and where the search begins for a single one.
TOP, FIRST = 5, 8
# Outputs and velocities may be off by this part of them, by all numbers of an axis together.
OFF = 3e-4


def shared(rungs: Mapping[int, Mapping[int, float]], allowed: float) -> dict[int, int]:
    """The nodes of every number, few where that does little, so that all are off by what is allowed together.

    Those with more than were looked at are left out.
    """
    steps = {
        k: sorted(n for n in own if all(own[m] <= OFF for m in own if m >= n)) for k, own in rungs.items()
    }
    found = {k: own.pop(0) for k, own in steps.items() if own}
    while found and sum(rungs[k][n] for k, n in found.items()) > allowed:
        largest = max(found, key=lambda k: rungs[k][found[k]])
        del found[largest]
        if steps[largest]:
            found[largest] = steps[largest].pop(0)
    return found


def rungs_of(
    measured: Callable[[Sequence[int]], Any], base: Sequence[int], number: int, limit: int, whole: Any
) -> dict[int, float]:
    """Nodes of a number -> what they are off by; from many to few, until that is more than is allowed.

    The other numbers have those of ``base``. ``whole``: what is exact where there are no others.
    """
    if whole is None:
        ladder = [n for n in LADDER if n < limit and n <= max(TOP, *base)]
        whole = measured([ladder[-1] if k == number else size for k, size in enumerate(base)])
    else:
        ladder = [n for n in LADDER if SINGLE <= n < limit]

    def error(nodes: int) -> float:
        return off(measured([nodes if k == number else size for k, size in enumerate(base)]), whole)

    # Of a single number only the fewest nodes are wanted; several share what is allowed, and need to choose.
    return fewest(ladder, error) if len(base) == 1 else descended(ladder, error)


def fewest(ladder: Sequence[int], error: Callable[[int], float]) -> dict[int, float]:
    """Numbers of nodes -> what they are off by: by halves, from a moderate one, to the fewest allowed.

    Where the moderate one is off by too much, among those above it, if the largest is not.
    """
    found: dict[int, float] = {}
    low, above = ([n for n in ladder if (n <= FIRST) is few] for few in (True, False))
    for part in (low, above):
        if not part:
            continue
        found[part[-1]] = error(part[-1])
        if found[part[-1]] <= OFF:
            fails, holds = -1, len(part) - 1
            while holds - fails > 1:
                middle = (holds + fails) // 2
                found[part[middle]] = error(part[middle])
                fails, holds = (fails, middle) if found[part[middle]] <= OFF else (middle, holds)
            break
    return found


def descended(ladder: Sequence[int], error: Callable[[int], float]) -> dict[int, float]:
    """Numbers of nodes -> what they are off by: from a moderate one down, while that is allowed.

    Where the first is off by too much, one above that is not, if the largest is not.
    """
    found: dict[int, float] = {}
    first = max((n for n in ladder if n <= FIRST), default=0)
    for nodes in (n for n in reversed(ladder) if n <= first):
        found[nodes] = error(nodes)
        if found[nodes] > OFF:
            break
    above = [n for n in ladder if n > first]
    if above and found.get(first, 0.0) > OFF:
        found[above[-1]] = error(above[-1])
        for nodes in above[:-1] if found[above[-1]] <= OFF else ():
            found[nodes] = error(nodes)
            if found[nodes] <= OFF:
                break
    return found
