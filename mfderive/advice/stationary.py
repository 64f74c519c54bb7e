"""Initial states that do not move, and what holds them there.

Every cause is tried before it is named: parameters are blamed only if other values of theirs wake something.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..algebra.findings import Finding, FindingKind
from ..algebra.system import LimitSystem
from ..analysis.constants import initial_constants, surely_still
from ..errors import MfError
from ..network.network import Network
from ..state.draw import initial_state
from ..state.ensembles import ensemble_state, plan_ensembles
from .case import Case
from .probe import NODES, SAMPLES, SEED, follow, small_state, vanishes

# Groups of more parameters are blamed together: each member costs some evaluations.
MOST = 12


@dataclass(frozen=True)
class Cause:
    """Parameters whose initial values hold others, and those that move if these are different.

    ``each``: any one of them alone wakes them.
    """

    names: tuple[str, ...]
    woken: tuple[str, ...]
    each: bool = False


def unread(case: Case) -> Iterator[Finding]:
    """Trained parameters that the loss does not depend on."""
    names = _unread(case)
    if names:
        yield Finding.of(FindingKind.UNREAD, *names)


def stationary(case: Case) -> Iterator[Finding]:
    """Parameters that never move (theory, end of F), or were not seen to.

    Both kinds say what is ``moving`` and, as far as it is known, what holds the others: ``cause`` (None: not
    known) with what it is made of, the layers that are ``zero`` because averages cancel, what
    ``fluctuations`` of a finite network move, and whether ``sampled`` nodes move something.
    """
    idle = _unread(case)
    trained = [p.name for p in case.limit.parameters if not p.is_frozen and p.name not in idle]
    still = [name for name in trained if name in case.probe.still]
    unseen = [name for name in trained if name in case.probe.unseen]
    moving = tuple(name for name in trained if name not in still and name not in unseen)
    if still:
        facts = {"moving": moving, "all_shown": not unseen, **_why(case, still)}
        yield Finding.of(FindingKind.STATIONARY, *still, **facts)
    if unseen:
        looked = {"nodes": case.probe.nodes, "samples": case.probe.samples}
        yield Finding.of(FindingKind.UNSEEN, *unseen, moving=moving, **looked, **_why(case, unseen))


def _unread(case: Case) -> list[str]:
    return [case.limit.field[e.field].of for e in case.limit.evolution if not e.terms]


def _why(case: Case, held: list[str]) -> dict[str, Any]:
    """What holds parameters, and what leaves that state by chance."""
    return {
        "cause": _cause_facts(case, _cause(case, held)),
        "zero": _zero(case, held),
        "fluctuations": tuple(_woken_by_noise(case.network, case.limit, held)),
        "sampled": _woken_by_samples(case, held),
    }


def _cause_facts(case: Case, cause: Cause | None) -> dict[str, Any] | None:
    """A cause as plain facts: names of parameters, and how those that are not centred start."""
    if cause is None:
        return None
    centred = tuple(name for name in cause.names if name in _centred(case))
    starts: dict[tuple[str, bool], list[str]] = {}
    for name in cause.names:
        parameter = case.limit.parameter[name]
        if name not in centred and parameter.law.is_deterministic:
            starts.setdefault((str(parameter.law.mean), parameter.is_frozen), []).append(name)
        elif name not in centred:
            starts.setdefault(("", False), []).append(name)
    random = tuple(name for name in cause.names if not case.limit.parameter[name].law.is_deterministic)
    return {
        "centred": centred,
        # How they start: a value and whether they stay there; no value: a symmetric law.
        "starts": tuple((value, frozen, tuple(names)) for (value, frozen), names in starts.items()),
        "random": random,
        "fixed": tuple(name for name in cause.names if name not in random),
        "woken": cause.woken,
        "each": cause.each,
    }


def _zero(case: Case, held: list[str]) -> tuple[str, ...]:
    """The layers that start at 0 because averages cancel, where that is what holds parameters."""
    constants = initial_constants(case.reduced)
    if set(held) <= surely_still(case.reduced, case.probe.still, constants, ()):
        return ()
    values, magnitudes = case.probe.start
    statistics = case.statistics
    return tuple(
        name
        for layer in case.network.layers
        for name in case.own_fields(layer.name)
        if name not in statistics and magnitudes[name].any() and vanishes(values[name], magnitudes[name])
    )


def _woken_by_samples(case: Case, held: list[str]) -> bool:
    """Whether nodes that are sampled move a held parameter, by their sampling error; it is tried."""
    plans = plan_ensembles(case.reduced)
    if all(plan.rule == "gauss" for plan in plans.values()):
        return False
    rules = dict.fromkeys(plans, "monte-carlo")
    state = ensemble_state(case.reduced, plan_ensembles(case.reduced, nodes=NODES, rule=rules), SEED)
    found = follow(case.network, case.reduced, state, SAMPLES)
    return bool(set(held) - found.still - found.unseen)


# ---------------------------------------------------------------------------------------- causes


def _centred(case: Case) -> list[str]:
    """Random weights of which the limit feels nothing but a mean of 0."""
    parameters = [case.limit.parameter[name] for name in case.closed]
    return [p.name for p in parameters if p.law.mean == 0 and not p.law.is_deterministic]


def _cause(case: Case, held: list[str]) -> Cause | None:
    """The first group of parameters, the most telling ones first, whose initial values hold something."""
    table = case.limit.parameter  # what a learning rule remembers is nobody's choice
    constants = {name: value for name, value in initial_constants(case.limit).items() if name in table}
    centred = _centred(case)
    zero = [name for name, value in constants.items() if value == 0]
    other = [name for name, value in constants.items() if value != 0]
    symmetric = [
        p.name for p in case.reduced.parameters if not p.law.is_deterministic and not p.law.references
    ]
    groups = [centred, zero, [*centred, *zero], other, [*centred, *zero, *other]]
    groups += [symmetric, [*centred, *symmetric]]
    for group in groups:
        woken = _woken(case, held, group)
        if woken:
            return _narrowed(case, held, group, woken)
    return None


def _woken(case: Case, held: list[str], group: list[str]) -> list[str]:
    """Which of the held parameters move where a group of parameters starts elsewhere."""
    if not group:
        return []
    found = follow(case.network, case.reduced, small_state(case.reduced), SAMPLES, group)
    return [name for name in held if name not in found.still | found.unseen]


def _narrowed(case: Case, held: list[str], group: list[str], woken: list[str]) -> Cause:
    """The members of a group that wake as much alone, else a smallest set of members that does together."""
    if not 1 < len(group) <= MOST:
        return Cause(tuple(group), tuple(woken))
    alone = [name for name in group if len(_woken(case, held, [name])) == len(woken)]
    if alone:
        return Cause(tuple(alone), tuple(woken), each=True)
    needed = list(group)
    for name in reversed(group):
        left = [other for other in needed if other != name]
        if len(_woken(case, held, left)) == len(woken):
            needed = left
    return Cause(tuple(needed), tuple(woken))


def _woken_by_noise(network: Network, limit: LimitSystem, held: list[str]) -> list[str]:
    """Which of the held parameters move in a small finite network, by its own random numbers."""
    try:
        state = initial_state(limit, NODES, SEED)
    except MfError:
        return []
    found = follow(network, limit, state, SAMPLES)
    return [name for name in held if name not in found.still | found.unseen]
