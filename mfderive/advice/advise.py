"""What a limit will not do, found before anything is solved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum

import numpy as np

from ..algebra.findings import Finding, FindingKind
from ..algebra.functions import FUNCTIONS
from ..algebra.losses import EXPRESSION, LOSSES
from ..algebra.reduced import Reduced, limit_of
from ..algebra.system import LimitSystem
from ..algebra.terms import AxisKind
from ..analysis.outputs import outputs_stay_equal
from ..errors import MfError
from ..forward.learning import shared_noise
from ..network.network import Network
from .case import Case
from .normalisation import vanishing_normalisation
from .probe import probe
from .stationary import stationary, unread

# Functions whose value or first derivative jumps.
KINKED = frozenset(name for name, row in FUNCTIONS.items() if row.public and row.has_kink)


def advise(network: Network, limit: LimitSystem, reduced: LimitSystem | Reduced) -> tuple[Finding, ...]:
    """What is to be known of a limit, as findings; empty if there is nothing to say.

    ``network`` is resolved, ``limit`` its derivation and ``reduced`` the reduction of that. The reduced
    system is evaluated on few nodes and samples (some milliseconds), and on many where something seems not
    to move. :func:`mfderive.advice.sentences.sentences` says what, why and what to do. Raises nothing: where
    the initial state cannot be evaluated, one finding says so.
    """
    system = limit_of(reduced)
    try:
        moves = probe(network, system)
    except MfError as error:
        return (Finding.of(FindingKind.UNEXAMINED, reason=str(error)),)
    case = Case(network, limit, system, moves)
    return tuple(finding for check in CHECKS for finding in check(case))


# ---------------------------------------------------------------------------------------- collapse


def collapsed_layers(case: Case) -> Iterator[Finding]:
    """Layers all of whose neurons are equal in the limit."""
    if case.collapsed:
        yield Finding.of(FindingKind.EQUAL_NEURONS, *case.collapsed)


def idle_deviations(case: Case) -> Iterator[Finding]:
    """Deviations of hidden weights that the limit does not feel (E9)."""
    names = [name for name in case.closed if not case.limit.parameter[name].law.is_deterministic]
    if names:
        yield Finding.of(FindingKind.IDLE_DEVIATION, *names)


def equal_outputs(case: Case) -> Iterator[Finding]:
    """Outputs that no equation ever tells apart; ``trained``: whether anything is."""
    if outputs_stay_equal(case.reduced):
        trained = not all(parameter.is_frozen for parameter in case.limit.parameters)
        yield Finding.of(FindingKind.EQUAL_OUTPUTS, trained=trained)


def random_limit(case: Case) -> Iterator[Finding]:
    """Fresh noise that all neurons feel alike: it is no average over anything (theory B.3)."""
    names = shared_noise(case.limit)
    if names:
        yield Finding.of(FindingKind.RANDOM_LIMIT, *names)


# ---------------------------------------------------------------------------------------- theorems


class Gap(StrEnum):
    """Assumptions of the published theorems (theory A.4)."""

    KINKS = "kinks"  # with the functions that have some
    OWN_LOSS = "own-loss"
    LOSS = "loss"  # with the loss's kind
    CHAIN = "chain"
    OUTPUTS = "outputs"
    STATISTICS = "statistics"
    AFFINE = "affine"


def theorems(case: Case) -> Iterator[Finding]:
    """Assumptions of the published theorems that the network does not meet.

    ``gaps``: pairs of a :class:`Gap` and the names that it is about.
    """
    gaps = (*_kinks(case), *_loss(case), *_structure(case))
    if gaps:
        yield Finding.of(FindingKind.NO_THEOREM, gaps=gaps)


def _kinks(case: Case) -> Iterator[tuple[Gap, tuple[str, ...]]]:
    found: dict[str, None] = {}
    for equation in case.limit.forward:
        if equation.field != "loss":
            for term in equation.terms:
                names = {type(node).__name__ for node in term.expression.atoms(*_CLASSES)}
                found.update(dict.fromkeys(sorted(names & KINKED)))
    if found:
        yield Gap.KINKS, tuple(found)


_CLASSES = tuple(entry.symbol for entry in FUNCTIONS.values())


def _loss(case: Case) -> Iterator[tuple[Gap, tuple[str, ...]]]:
    kind = case.network.loss.kind
    if kind == EXPRESSION:
        yield Gap.OWN_LOSS, ()
    elif not LOSSES[kind].is_bounded:
        yield Gap.LOSS, (kind,)


def _structure(case: Case) -> Iterator[tuple[Gap, tuple[str, ...]]]:
    if not _is_chain(case):
        yield Gap.CHAIN, ()
    outputs = [case.limit.axis[a].size or 1 for a in case.limit.field["yhat"].axes if a != "data"]
    if int(np.prod(outputs)) > 1:
        yield Gap.OUTPUTS, ()
    if case.statistics:
        yield Gap.STATISTICS, ()
    if any(axis.kind is AxisKind.NOISE for axis in case.reduced.axes):
        yield Gap.AFFINE, ()


def _is_chain(case: Case) -> bool:
    """Whether every layer is a population of plain neurons that reads the layer before it alone."""
    previous = "x"
    for layer in case.network.layers:
        sources = [connection.source for connection in layer.connections]
        field = case.limit.field.get(layer.name)
        if sources != [previous] or field is None or field.axes[1:] != (layer.name,):
            return False
        if not case.limit.population_slots(layer.name):
            return False
        previous = layer.name
    return [connection.source for connection in case.network.output.connections] == [previous]


# What changes the result first, what merely explains it last.
CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    unread,
    stationary,
    equal_outputs,
    vanishing_normalisation,
    collapsed_layers,
    idle_deviations,
    random_limit,
    theorems,
)
