"""LimitSystem -> Reduced: a short list of passes, each exact, with a log of what collapsed and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from ..algebra.arguments import LIMIT, instance
from ..algebra.memo import once
from ..algebra.reduced import PassResult, Reduced, StateMapping
from ..algebra.system import LimitSystem
from ..errors import MfError
from ..state.draw import check_state
from ..state.state import State, arrays_on
from .closure import close_noise, hold_means
from .closure_sentences import CLOSURE_SENTENCES
from .collapse_sentences import COLLAPSE_SENTENCES
from .exchangeability import collapse
from .log import log_of
from .pass_words import Sentences


@dataclass(frozen=True)
class Pass:
    """One pass of the reduction: what it is called in the log, what it does, and what its findings say."""

    name: str
    apply: Callable[[LimitSystem], PassResult]
    sentences: Sentences = field(default_factory=dict)


# Noise first: only when weights are their means can the neurons that they feed turn out to be equal.
PASSES = (
    Pass("closure", close_noise, CLOSURE_SENTENCES),
    Pass("exchangeability", collapse, COLLAPSE_SENTENCES),
)

# What stands for the limit of a network whose weights start at their conditional means (edges = "mean").
MEANS = Pass("means", hold_means)


def reduce(system: LimitSystem) -> Reduced:
    """The exact reduction of a limit (theory C.1, C.2, C.5), done once for each limit.

    ``log`` says in words, under the name of each pass, what it found and why, and what the system costs
    before and after: at 1000 nodes per population, and last on the nodes that ``solve`` takes unless
    ``[solver]``, arguments or flags say otherwise.
    Raises ArgumentError for anything that is not a limit.
    """
    return _reduce(instance(system, LimitSystem, "a limit", LIMIT))


@once
def _reduce(system: LimitSystem) -> Reduced:
    found = Reduced.identity(system)
    for each in PASSES:
        found = found.then(each.name, _applied(each, found.system))
    return replace(found, log=log_of(found, {each.name: each.sentences for each in PASSES}))


@once
def held_at_means(limit: LimitSystem) -> Reduced:
    """The whole limit, whose weights between populations stand for their conditional means."""
    return Reduced.identity(limit).then(MEANS.name, _applied(MEANS, limit))


def _applied(each: Pass, system: LimitSystem) -> PassResult:
    """What a pass makes of a system; a state that it is to restrict is held against the system first."""
    result = each.apply(system)
    return replace(result, restrict=partial(_restricted, system, result.restrict))


def _restricted(
    system: LimitSystem, restrict: Callable[[StateMapping], StateMapping], state: StateMapping
) -> StateMapping:
    """A state of ``system`` as one of what a pass made of it. Raises StateError for any other state."""
    if isinstance(state, State):
        return restrict(arrays_on(state, Reduced.identity(system)))
    return restrict(check_state(system, state))


def reduced_by(limit: LimitSystem, names: Iterable[str]) -> Reduced:
    """The limit after the passes of these names: what a run kept on disk lives on.

    Raises MfError for names that are not those of a reduction.
    """
    wanted = tuple(names)
    for known, make in (
        ((), Reduced.identity),
        (tuple(each.name for each in PASSES), reduce),
        ((MEANS.name,), held_at_means),
    ):
        if wanted == known:
            return make(limit)
    raise MfError(
        f"there is no reduction by the passes {list(wanted)}; known are {[each.name for each in PASSES]}, "
        f"[{MEANS.name!r}] and none"
    )
