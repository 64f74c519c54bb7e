"""What a model trains, and what of it the network trains: nothing may be lost, and nothing doubled."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from ..algebra.showing import names
from ..errors import ArgumentError
from .operations import Graph, ImportProblem
from .spec_of_layers import Place

_OWN = (
    "Parameters here are weights between layers and numbers that each neuron has of its own, as they stand "
    "and not as functions of other arrays"
)
_FREEZE = "or freeze it there: requires_grad_(False)"


def check_numbers(graph: Graph) -> None:
    """ArgumentError for arrays of a model that have complex numbers, or some that are not finite."""
    for name, array in graph.parameters.items():
        if np.iscomplexobj(array):
            raise ArgumentError(f"{graph.title}: '{name}' has complex numbers. Networks here are real")
        if not np.isfinite(np.asarray(array, dtype=float)).all():
            raise ArgumentError(
                f"{graph.title}: '{name}' has entries that are not finite (nan or inf). Import the model as "
                "it was before it diverged"
            )


def check_trained(graph: Graph, places: Mapping[str, Place]) -> Iterator[str]:
    """What is to be said of arrays that the network trains in another way than the model.

    Raises ImportProblem where it is known that the model trains an array, and the network does not, or in two
    copies. Of a file that does not say what is trained, this is a note.
    """
    live = read_by_outputs(graph)
    trained = {name for name in graph.parameters if name not in graph.frozen}
    placed = {place.parameter for place in places.values()}
    unread = sorted(trained - live)
    if unread:
        yield f"no output reads {names(unread)}: left out"
    lost = sorted((trained & live) - placed)
    if lost:
        sizes = [f"'{name}' (shape {list(np.shape(graph.parameters[name]))})" for name in lost]
        if graph.says_what_is_trained:
            raise ImportProblem(
                f"{graph.title} trains {names(sizes)}, which here would be a constant. {_OWN}: change the "
                "module so (nn.PReLU(n) has one slope for each of n neurons, nn.PReLU() one for all), "
                f"{_FREEZE}"
            )
        yield f"constants here, not trained: {names(sizes)}"
    for name, layers in _doubled(graph, places):
        if graph.says_what_is_trained and name not in graph.frozen:
            raise ImportProblem(
                f"{graph.title} trains one array '{name}', which here would be {names(layers)}, trained "
                "apart. Weights may be tied here, numbers of neurons may not: give each layer its own, leave "
                f"it out (bias=False), {_FREEZE}"
            )
        yield f"one array '{name}' of the model stands in {names(layers)}, where it is trained apart"


def read_by_outputs(graph: Graph) -> set[str]:
    """The names of values that the outputs are computed of."""
    live = {*graph.outputs}
    for operation in reversed(graph.operations):
        if live & {*operation.outputs}:
            live |= {*operation.inputs}
    return live


def _doubled(graph: Graph, places: Mapping[str, Place]) -> Iterator[tuple[str, list[str]]]:
    """Arrays of which an entry is in several parameters, with these."""
    for name, array in graph.parameters.items():
        found = {own: place for own, place in places.items() if place.parameter == name}
        counts = np.zeros(math.prod(np.shape(array)), int)
        for place in found.values():
            if place.index is not None:
                np.add.at(counts, place.index, 1)
        if counts.size and counts.max() > 1:
            yield name, sorted(found)
