"""How many threads matrix products get while a limit is solved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from math import prod

from threadpoolctl import ThreadpoolController

from ..algebra.system import LimitSystem
from ..algebra.terms import Affine, AxisKind, Term

# A product of fewer multiplications than this takes under two milliseconds on one thread. A second thread
# saves at most half of that; on a machine that does other work it waits for its turn, which costs tens of
# milliseconds at every product (measured on two cores at 1.3e7: 66 s instead of 9 s).
THREADED_PRODUCT = 5 * 10**7


def largest_product(system: LimitSystem, sizes: Mapping[str, int], samples: int) -> int:
    """Multiplications of the largest matrix product that a step on ``samples`` samples can have.

    ``sizes``: the nodes of populations and noise axes. A term that reduces nothing is no product, and one
    with affine slots (patches) is a product for each sample; solvers share out the samples themselves.
    """
    known = dict(sizes)
    for axis in system.axes:
        if axis.kind is AxisKind.DATA:
            known[axis.name] = samples
        elif axis.kind is AxisKind.FINITE:
            known[axis.name] = axis.size or 1
    single = known | {axis.name: 1 for axis in system.axes if axis.kind is AxisKind.DATA}
    return max(
        (
            prod((single if _has_patches(term) else known).get(index.axis, 1) for index in term.indices)
            for equation in system.equations
            for term in equation.terms
            if not term.is_pointwise
        ),
        default=0,
    )


def _has_patches(term: Term) -> bool:
    slots = [*term.target, *(slot for _, access in term.accesses for slot in access.slots)]
    return any(isinstance(slot, Affine) and slot.parts for slot in slots)


@contextmanager
def fitting_threads(products: int) -> Iterator[None]:
    """Run the body with one thread a matrix product if the largest one is small, else with all of them."""
    if products >= THREADED_PRODUCT:
        yield
        return
    with single_threads():
        yield


@contextmanager
def single_threads() -> Iterator[None]:
    """Run the body with one thread a matrix product."""
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    """The libraries that multiply matrices, found once: to look for them takes milliseconds.

    Those of numpy and scipy, which solvers call; what is loaded later is none of theirs.
    """
    import scipy.linalg  # noqa: F401 (its library is to be found)

    return ThreadpoolController()
