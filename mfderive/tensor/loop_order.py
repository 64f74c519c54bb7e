"""The order of the loops of a nest, and what it means for the array that the nest writes."""

from __future__ import annotations

from ..algebra.terms import Index, Slot, Term, slot_indices


def loop_order(term: Term) -> tuple[Index, ...]:
    """The order of loops, outermost first: the innermost runs through memory without jumps.

    An index scores for every access that it walks contiguously and loses for every one that it strides.
    """
    score: dict[Index, float] = {}
    walked: list[tuple[float, tuple[Slot, ...]]] = [(1.5, term.target)]
    walked += [(1.0, access.slots) for _, access in term.accesses]
    for index in term.indices:
        score[index] = 0.0
        for weight, slots in walked:
            for position, slot in enumerate(slots):
                if index in slot_indices((slot,)):
                    score[index] += weight if position == len(slots) - 1 else -weight
    if not score:
        return ()
    order = [i for i in term.indices if i not in term.reduced] + list(term.reduced)
    best = max(score.values())
    inner = [i for i in order if score[i] == best][-1]
    return (*(i for i in order if i != inner), inner)


def outer_loops(term: Term) -> int:
    """How many loops stand outside the innermost ones over reduced indices, which sum into one variable."""
    order = loop_order(term)
    count = len(order)
    while count > 0 and order[count - 1] in term.reduced:
        count -= 1
    return count


def accumulates(term: Term) -> bool:
    """Whether the nest adds to an entry of its target several times: a scatter, or a sum in outer loops."""
    if any(not isinstance(slot, Index) for slot in term.target):
        return True
    return any(index in term.reduced for index in loop_order(term)[: outer_loops(term)])
