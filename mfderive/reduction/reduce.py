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
from .alignment import align
from .closure import close_noise, hold_means
from .closure_sentences import CLOSURE_SENTENCES
from .collapse_sentences import COLLAPSE_SENTENCES
from .exchangeability import collapse
from .log import log_of
from .orbit_pass import fold_orbits
from .orbit_sentences import ORBIT_SENTENCES
from .pass_words import Sentences
from .reflection import reflect
from .rotation import turn
from .rotation_sentences import ALIGNMENT_SENTENCES, REFLECTION_SENTENCES, ROTATION_SENTENCES


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

# What holds on average over the law of the data, and not on each batch by itself.
SYMMETRIES = (
    Pass("reflection", reflect, REFLECTION_SENTENCES),
    Pass("alignment", align, ALIGNMENT_SENTENCES),
    Pass("rotation", turn, ROTATION_SENTENCES),
    Pass("orbits", fold_orbits, ORBIT_SENTENCES),
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
    return _after(Reduced.identity(system), PASSES)


def _after(found: Reduced, passes: tuple[Pass, ...]) -> Reduced:
    """A limit after some passes more, with its log."""
    for each in passes:
        found = found.then(each.name, _applied(each, found.system))
    return replace(
        found, log=log_of(found, {each.name: each.sentences for each in (*PASSES, *SYMMETRIES, MEANS)})
    )


@once
def by_symmetry(limit: LimitSystem) -> Reduced:
    """The exact reduction of a limit with the symmetries that hold on average over the law of the data.

    They hold for steps that integrate that law, not for those that take a batch of it (theory C.4).
    Where the law has none, it is :func:`reduce`.
    """
    found = reduce(limit)
    law = limit.data_law
    return _after(found, SYMMETRIES) if law is not None and law.invariances else found


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
    """The limit after the passes of these names, in their order: what a run kept on disk lives on.

    Raises MfError for the name of no pass.
    """
    wanted = tuple(names)
    if not wanted:
        return Reduced.identity(limit)
    known = {each.name: each for each in (*PASSES, *SYMMETRIES, MEANS)}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise MfError(f"there is no pass {unknown[0]!r} of a reduction; known are {', '.join(known)}")
    if wanted == (MEANS.name,):
        return held_at_means(limit)
    usual = ((PASSES, reduce), ((*PASSES, *SYMMETRIES), by_symmetry))
    for passes, make in usual:  # what is there already is not made again
        if wanted == tuple(each.name for each in passes) == make(limit).names:
            return make(limit)
    return _after(Reduced.identity(limit), tuple(known[name] for name in wanted))
