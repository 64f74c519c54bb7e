"""The warning about initial states that do not move, and what holds them there.

Every cause is tried before it is named: parameters are blamed only if other values of theirs wake something.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..algebra.system import LimitSystem
from ..analysis.constants import initial_constants, surely_still
from ..errors import MfError
from ..network.network import Network
from ..state.draw import initial_state
from ..state.ensembles import ensemble_state, plan_ensembles
from .case import Case, listed, verb
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


def unread(case: Case) -> Iterator[str]:
    """Trained parameters that the loss does not depend on."""
    names = _unread(case)
    if names:
        yield (
            f"{listed(names)}: trained, but the loss does not depend on it, so it never moves. "
            "Use it in an activation or operation, or set its rate to 0."
        )


def stationary(case: Case) -> Iterator[str]:
    """Parameters that never move (theory, end of F), or were not seen to."""
    idle = _unread(case)
    trained = [p.name for p in case.limit.parameters if not p.is_frozen and p.name not in idle]
    still = [name for name in trained if name in case.probe.still]
    unseen = [name for name in trained if name in case.probe.unseen]
    moving = [name for name in trained if name not in still and name not in unseen]
    if still:
        yield f"{_what(still, unseen, moving)} {_why(case, still)}"
    if unseen:
        yield (
            f"The initial state seems to be {'partly ' * bool(moving)}stationary: {listed(unseen)} did not "
            f"move on {case.probe.nodes} nodes of a population and {case.probe.samples} samples of the data. "
            f"Motion that is rarer than that cannot be excluded. {_why(case, unseen)}"
        )


def _unread(case: Case) -> list[str]:
    return [case.limit.field[e.field].of for e in case.limit.evolution if not e.terms]


def _what(still: list[str], unseen: list[str], moving: list[str]) -> str:
    if moving:
        start, end = "partly stationary", f"; only {listed(moving)} {verb(moving, 'do', 'does')}."
    else:
        start, end = "stationary", "." if unseen else ", so nothing is learned."
    return f"The initial state is {start}: {listed(still)} never {verb(still, 'move')} in the limit{end}"


def _why(case: Case, held: list[str]) -> str:
    cause = _cause(case, held)
    if cause is None:
        why = "every product in their evolution has a factor 0 (slopes that vanish, averages that cancel)"
        remedy = "change initial values or activations"
    else:
        centred = [name for name in cause.names if name in _centred(case)]
        rest = [name for name in cause.names if name not in centred]
        reasons = _starts(case, rest)
        if centred:
            start = f"{listed(centred)} {verb(centred, 'start')} with mean 0"
            reasons.insert(0, f"{start}, and in the limit only means are felt")
        why = f"{'; '.join(reasons)}. So every product in their evolution has a factor 0"
        whom = "all of them" if set(held) == set(cause.woken) else listed(list(cause.woken))
        remedy = f"{_remedy(case, cause)}, which moves {whom}"
    return f"Why: {why}{_zero(case, held)}. {_noise(case, held)}What to do: {remedy}."


def _starts(case: Case, names: list[str]) -> list[str]:
    """How parameters start, those alike together."""
    groups: dict[str, list[str]] = {}
    for name in names:
        parameter = case.limit.parameter[name]
        if parameter.law.is_deterministic:
            text = f"start at {parameter.law.mean}{' and stay frozen' * parameter.is_frozen}"
        else:
            text = "start with a symmetric law, so that averages over it cancel"
        groups.setdefault(text, []).append(name)
    return [
        f"{listed(group)} {text if len(group) > 1 else _singular(text)}" for text, group in groups.items()
    ]


def _singular(text: str) -> str:
    return text.replace("start ", "starts ", 1).replace("stay frozen", "stays frozen")


def _remedy(case: Case, cause: Cause) -> str:
    one = "one of " if cause.each and len(cause.names) > 1 else ""
    random = [name for name in cause.names if not case.limit.parameter[name].law.is_deterministic]
    rest = [name for name in cause.names if name not in random]
    parts = []
    if random:
        parts.append(f'give {one}{listed(random)} a mean, as in weight = "normal(1, 0.1)"')
    if rest:
        parts.append(f"start {one}{listed(rest)} elsewhere")
    return (", or " if one else " and ").join(parts)


def _zero(case: Case, held: list[str]) -> str:
    """The layers that start at 0 because averages cancel, where that is what holds parameters."""
    constants = initial_constants(case.reduced)
    if set(held) <= surely_still(case.reduced, case.probe.still, constants, ()):
        return ""
    values, magnitudes = case.probe.start
    statistics = case.statistics
    names = [
        name
        for layer in case.network.layers
        for name in case.own_fields(layer.name)
        if name not in statistics and magnitudes[name].any() and vanishes(values[name], magnitudes[name])
    ]
    if not names:
        return ""
    return f" ({listed(names)} {verb(names, 'are', 'is')} 0, because positive and negative values cancel)"


def _noise(case: Case, held: list[str]) -> str:
    """What leaves the state by chance: finite networks, and nodes that are sampled; each is tried."""
    text = ""
    moved = _woken_by_noise(case.network, case.limit, held)
    if moved:
        whom = "them" if set(moved) == set(held) else listed(moved)
        text = (
            "Wide networks leave this state through fluctuations of order 1/sqrt(width) alone, which move "
            f"{whom}. "
        )
    plans = plan_ensembles(case.reduced)
    if any(plan.rule != "gauss" for plan in plans.values()):
        rules = dict.fromkeys(plans, "monte-carlo")
        state = ensemble_state(case.reduced, plan_ensembles(case.reduced, nodes=NODES, rule=rules), SEED)
        found = follow(case.network, case.reduced, state, SAMPLES)
        if set(held) - found.still - found.unseen:
            text += "So do sampled nodes (sobol, monte-carlo), through their sampling error. "
    return text


# ---------------------------------------------------------------------------------------- causes


def _centred(case: Case) -> list[str]:
    """Random weights of which the limit feels nothing but a mean of 0."""
    parameters = [case.limit.parameter[name] for name in case.closed]
    return [p.name for p in parameters if p.law.mean == 0 and not p.law.is_deterministic]


def _cause(case: Case, held: list[str]) -> Cause | None:
    """The first group of parameters, the most telling ones first, whose initial values hold something."""
    constants = initial_constants(case.limit)
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
