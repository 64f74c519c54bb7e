"""Warnings that teach: what a limit will not do, why, and what to change. Said before anything is solved."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..algebra.functions import FUNCTIONS
from ..algebra.losses import EXPRESSION, LOSSES
from ..algebra.system import LimitSystem
from ..algebra.terms import AxisKind
from ..analysis.outputs import outputs_stay_equal
from ..errors import MfError
from ..network.network import Network
from .case import Case, listed
from .normalisation import vanishing_normalisation
from .probe import probe
from .stationary import stationary, unread

# Functions whose first derivative jumps.
KINKED = frozenset({"relu", "leaky_relu", "abs", "sign", "heaviside", "max", "min"})


def advise(network: Network, limit: LimitSystem, reduced: LimitSystem) -> tuple[str, ...]:
    """Warnings about a limit, each with what, why and what to do; empty if there is nothing to say.

    ``network`` is resolved, ``limit`` its derivation and ``reduced`` the reduction of that. The reduced
    system is evaluated on few nodes and samples (some milliseconds), and on many where something seems not
    to move. Raises nothing: where the initial state cannot be evaluated, one warning says so.
    """
    try:
        moves = probe(network, reduced)
    except MfError as error:
        return (f"The initial state could not be examined: {error}",)
    case = Case(network, limit, reduced, moves)
    return tuple(warning for check in CHECKS for warning in check(case))


# ---------------------------------------------------------------------------------------- collapse


def collapsed_layers(case: Case) -> Iterator[str]:
    """Layers all of whose neurons are equal in the limit."""
    names = case.collapsed
    if names:
        yield (
            f"{listed(names)}: in the limit all neurons of "
            f"{'this layer' if len(names) == 1 else 'such a layer'} are equal, so it computes what one "
            "neuron computes, however wide it is. Why: initial values are independent, and averages over "
            "neurons forget them (Nguyen & Pham 2020). What to do if neurons should differ: a "
            'random bias (bias = "normal(0, 0.5)"), or initial weights that depend on the neurons at '
            'their ends (weight = "normal(1 + target.b, 0.1)").'
        )


def idle_deviations(case: Case) -> Iterator[str]:
    """Deviations of hidden weights that the limit does not feel (E9)."""
    names = [name for name in case.closed if not case.limit.parameter[name].law.is_deterministic]
    if names:
        yield (
            f"{listed(names)}: the deviation of the initial weights does not matter in the limit, only "
            "their mean does. Why: every equation is affine in them, so their noise averages out. "
            "It shows in finite networks only, and fades as they grow wider. Laws of first-layer "
            "weights, biases and output weights do matter."
        )


def equal_outputs(case: Case) -> Iterator[str]:
    """Outputs that no equation ever tells apart."""
    if not outputs_stay_equal(case.reduced):
        return
    if all(parameter.is_frozen for parameter in case.limit.parameters):
        yield (
            "All outputs are equal in the limit, and nothing is trained. Why: every parameter has rate 0, "
            "and averages of independent output weights do not differ from output to output. What to do: "
            "train the output weights (rate other than 0), or give the output a trained bias."
        )
    else:
        yield (
            "All outputs stay equal for ever in the limit. Why: nothing that is trained differs from "
            "output to output, and averages of independent output weights do not either. What to do: "
            "train the output weights (rate other than 0), or give the output a trained bias."
        )


# ---------------------------------------------------------------------------------------- theorems


def theorems(case: Case) -> Iterator[str]:
    """Assumptions of the published theorems that the network does not meet (theory A.4)."""
    gaps = [*_kinks(case), *_loss(case), *_structure(case)]
    if gaps:
        yield (
            "No published theorem covers this network word for word; the equations are formal, and "
            f"`check` tests them. Not met: {'; '.join(gaps)}. Nguyen & Pham 2020 (arXiv:2001.11443, "
            "Theorems 7 and 15) assume a fully connected chain with one output, smooth activations and a "
            "bounded loss derivative; Pham & Nguyen 2021 (ICLR, Theorem 3) the same with two hidden "
            "layers."
        )


def _kinks(case: Case) -> Iterator[str]:
    found: dict[str, None] = {}
    for equation in case.limit.forward:
        if equation.field != "loss":
            for term in equation.terms:
                names = {type(node).__name__ for node in term.expression.atoms(*_CLASSES)}
                found.update(dict.fromkeys(sorted(names & KINKED)))
    if found:
        yield f"the derivative{'s' * (len(found) > 1)} of {listed(list(found))} must be Lipschitz"


_CLASSES = tuple(entry.symbol for entry in FUNCTIONS.values())


def _loss(case: Case) -> Iterator[str]:
    kind = case.network.loss.kind
    if kind == EXPRESSION:
        yield "the loss's derivative must be bounded, which a loss of your own may not have"
    elif not LOSSES[kind].is_bounded:
        yield f"the derivative of the {kind} loss must be bounded (it grows with the residual)"


def _structure(case: Case) -> Iterator[str]:
    if not _is_chain(case):
        yield "layers must form a fully connected chain"
    outputs = [case.limit.axis[a].size or 1 for a in case.limit.field["yhat"].axes if a != "data"]
    if int(np.prod(outputs)) > 1:
        yield "one output (this network has several)"
    if case.statistics:
        yield "no statistics over neurons inside activations"
    if any(axis.kind is AxisKind.NOISE for axis in case.reduced.axes):
        yield "weights enter affinely"


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
CHECKS: tuple[Callable[[Case], Iterator[str]], ...] = (
    unread,
    stationary,
    equal_outputs,
    vanishing_normalisation,
    collapsed_layers,
    idle_deviations,
    theorems,
)
