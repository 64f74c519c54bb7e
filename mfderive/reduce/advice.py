"""Warnings that teach: what a limit will not do, why, and what to change. Said before anything is solved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..algebra.functions import FUNCTIONS
from ..algebra.system import LimitSystem
from ..algebra.terms import AxisKind
from ..errors import MfError
from ..spec.network import Network
from .outputs import outputs_stay_equal
from .probe import Probe, probe

# Functions whose first derivative jumps.
KINKED = frozenset({"relu", "leaky_relu", "abs", "sign", "heaviside", "max", "min"})
BOUNDED_LOSSES = frozenset({"logistic", "cross-entropy", "huber"})


@dataclass(frozen=True)
class Case:
    """What the warnings look at: the network, its limit, the reduced limit, and how that starts to move."""

    network: Network
    limit: LimitSystem
    reduced: LimitSystem
    probe: Probe


def advise(network: Network, limit: LimitSystem, reduced: LimitSystem) -> tuple[str, ...]:
    """Warnings about a limit, each with what, why and what to do; empty if there is nothing to say.

    ``network`` is resolved, ``limit`` its derivation and ``reduced`` the reduction of that. The reduced
    system is evaluated on few nodes and samples (some milliseconds). Raises nothing: where the initial state
    cannot be evaluated, one warning says so.
    """
    try:
        moves = probe(network, reduced)
    except MfError as error:
        return (f"The initial state could not be examined: {error}",)
    case = Case(network, limit, reduced, moves)
    return tuple(warning for check in CHECKS for warning in check(case))


# ---------------------------------------------------------------------------------------- no motion


def stationary(case: Case) -> Iterator[str]:
    """Parameters that never move (theory, end of F)."""
    unread = [e.field.removeprefix("d ") for e in case.limit.evolution if not e.terms]
    if unread:
        yield (
            f"{_listed(unread)}: trained, but the loss does not depend on it, so it never moves. "
            "Use it in an activation or operation, or set its rate to 0."
        )
    trained = [p.name for p in case.limit.parameters if not p.is_frozen and p.name not in unread]
    still = [name for name in trained if name in case.probe.still]
    if not still:
        return
    moving = [name for name in trained if name not in still]
    start = (
        f"The initial state is stationary: {_listed(still)} never move{'s' * (len(still) == 1)} in the limit"
        + (
            f"; only {_listed(moving)} do{'es' * (len(moving) == 1)}. "
            if moving
            else ", so nothing is learned. "
        )
    )
    centred = [name for name in _closed(case) if case.limit.parameter[name].law.mean == 0]
    if centred:
        yield start + (
            f"Why: {_listed(centred)} start{'s' * (len(centred) == 1)} with mean 0, and in the limit only "
            "means are felt: every product in the evolution has a factor 0. Wide networks leave this "
            "state through fluctuations of order 1/sqrt(width) alone. What to do: give these weights a "
            'mean, as in weight = "normal(1, 0.1)".'
        )
    else:
        yield start + (
            "Why: every product in the evolution has a factor 0 on a batch of the data (weights or "
            "activations that start at 0, slopes that vanish). What to do: change initial values or "
            "activations."
        )


# ---------------------------------------------------------------------------------------- collapse


def collapsed_layers(case: Case) -> Iterator[str]:
    """Layers all of whose neurons are equal in the limit."""
    names = _collapsed(case)
    if names:
        yield (
            f"{_listed(names)}: in the limit all neurons of "
            f"{'this layer' if len(names) == 1 else 'such a layer'} are equal, so it computes what one "
            "neuron computes, however wide it is. Why: initial values are independent, and averages over "
            "neurons forget them (Nguyen & Pham 2020). What to do if neurons should differ: a "
            'random bias (bias = "normal(0, 0.5)"), or initial weights that depend on the neurons at '
            'their ends (weight = "normal(1 + target.b, 0.1)").'
        )


def _collapsed(case: Case) -> list[str]:
    found = []
    for layer in case.network.layers:
        names = [name for name in _own_fields(case, layer.name) if case.limit.population_slots(name)]
        if names and not any(case.reduced.population_slots(name) for name in names):
            found.append(layer.name)
    return found


def _own_fields(case: Case, layer: str) -> list[str]:
    """The visible forward fields of a layer, at all of its steps."""
    return [
        equation.field
        for equation in case.limit.forward
        if equation.field.split(".")[0] == layer and not case.limit.field[equation.field].hidden
    ]


def idle_deviations(case: Case) -> Iterator[str]:
    """Deviations of hidden weights that the limit does not feel (E9)."""
    names = [name for name in _closed(case) if not case.limit.parameter[name].law.is_deterministic]
    if names:
        yield (
            f"{_listed(names)}: the deviation of the initial weights does not matter in the limit, only "
            "their mean does. Why: every equation is affine in them, so their noise averages out. "
            "It shows in finite networks only, and fades as they grow wider. Laws of first-layer "
            "weights, biases and output weights do matter."
        )


def _closed(case: Case) -> list[str]:
    """The weights between populations of which only the mean is left."""
    return [p.name for p in case.limit.parameters if p.noise and not case.reduced.parameter[p.name].noise]


def equal_outputs(case: Case) -> Iterator[str]:
    """Outputs that no equation ever tells apart."""
    if outputs_stay_equal(case.reduced):
        yield (
            "All outputs stay equal for ever in the limit. Why: nothing that is trained differs from "
            "output to output, and averages of independent output weights do not either. What to do: "
            "train the output weights (rate other than 0), or give the output a trained bias."
        )


def vanishing_normalisation(case: Case) -> Iterator[str]:
    """Statistics over neurons that are all equal: their variance is 0."""
    names = [name for name in _statistics(case) if name.split(".")[0] in _collapsed(case)]
    names += [name for name in _statistics(case) if name in case.probe.zero and name not in names]
    layers = list(dict.fromkeys(name.split(".")[0] for name in names))
    if layers:
        yield (
            f"{_listed(layers)}: normalises over neurons that are all equal in the limit, so the variance "
            "is 0 there. Why: a layer norm divides by the deviation over neurons, which for wide networks "
            "is of order 1/sqrt(width) noise; finite networks will not approach this limit. What to do: "
            'make the neurons differ (bias = "normal(0, 0.5)" on the layer that is normalised), or leave '
            "the normalisation out."
        )


def _statistics(case: Case) -> list[str]:
    """Forward fields that average over their own layer's neurons."""
    found = []
    for layer in case.network.layers:
        own = {axis for name in _own_fields(case, layer.name) for axis in case.limit.population_slots(name)}
        for equation in case.limit.forward:
            if equation.field.split(".")[0] != layer.name or case.limit.population_slots(equation.field):
                continue
            averaged = {index.axis for term in equation.terms for index in term.reduced}
            reads = {access.field.split(".")[0] for term in equation.terms for _, access in term.accesses}
            if own & averaged and reads == {layer.name}:
                found.append(equation.field)
    return found


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
        yield f"the derivative{'s' * (len(found) > 1)} of {_listed(list(found))} must be Lipschitz"


_CLASSES = tuple(entry.symbol for entry in FUNCTIONS.values())


def _loss(case: Case) -> Iterator[str]:
    kind = case.network.loss.kind
    if kind == "expression":
        yield "the loss's derivative must be bounded, which a loss of your own may not have"
    elif kind not in BOUNDED_LOSSES:
        yield f"the derivative of the {kind} loss must be bounded (it grows with the residual)"


def _structure(case: Case) -> Iterator[str]:
    if not _is_chain(case):
        yield "layers must form a fully connected chain"
    outputs = [case.limit.axis[a].size or 1 for a in case.limit.field["yhat"].axes if a != "data"]
    if int(np.prod(outputs)) > 1:
        yield "one output (this network has several)"
    if _statistics(case):
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


def _listed(parts: list[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


# What changes the result first, what merely explains it last.
CHECKS: tuple[Callable[[Case], Iterator[str]], ...] = (
    stationary,
    equal_outputs,
    vanishing_normalisation,
    collapsed_layers,
    idle_deviations,
    theorems,
)
