"""A model of another program as a network: the spec, the network, and the model's weights as its state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..algebra.showing import Shown, names
from ..errors import ArgumentError, SpecError
from ..finite.network_fields import network_fields
from ..network.network import Network
from ..samples.loading import load
from . import layer_steps, recurrent_steps, shape_steps  # noqa: F401  (they enter the operations)
from .estimated_laws import EstimatedLaw
from .import_wishes import Wishes, check_sizes
from .layering import Layers
from .one_hot import one_hot, with_one_hot_inputs
from .operations import Graph, ImportProblem
from .repeated_operations import without_repetitions
from .shared_values import shared_values
from .spec_of_layers import Ends, Place, SpecParts, SpecWriter, ends_of
from .toml_of_spec import toml_text
from .trained_arrays import check_numbers, check_trained
from .translate import Translator, start
from .two_models import check_ends, differences
from .width_growth import growths

Array = Any

_LOSS = {"kind": "squared"}
_TRAINING = {"learning_rate": 0.01, "batch_size": 100, "steps": 1000}


@dataclass(frozen=True, repr=False)
class Imported(Shown):
    """A model of another program.

    ``document`` is the spec as plain data, ``toml`` the same as a file to edit; ``network`` is what
    :func:`mfderive.load` makes of it. ``state`` has the model's own weights, each times the width that it is
    summed over (sums over populations are divided by it here), so that the finite network of this state
    computes what the model computes. ``places``: where each of these comes from; ``laws``: laws of initial
    values with the reason; ``notes``: what was assumed.
    """

    network: Network
    document: Mapping[str, Any]
    toml: str
    places: Mapping[str, Place]
    laws: Mapping[str, EstimatedLaw]
    notes: tuple[str, ...]
    widths: Mapping[str, int]
    heads: tuple[str, ...] = ()
    axes: tuple[int, ...] = field(default=(), repr=False)
    vocabulary: int = 0

    @property
    def state(self) -> dict[str, Array]:
        """The parameters of the network by name, in float64."""
        return {name: place.state for name, place in self.places.items()}

    def inputs(self, x: Array) -> Array:
        """Inputs of the model as the network takes them: samples, steps, neurons, positions.

        Numbers of words become one-hot vectors. Raises ArgumentError for another number of axes, and for
        numbers that are no words.
        """
        array = one_hot(x, self.vocabulary) if self.vocabulary else np.asarray(x)
        more = bool(self.vocabulary)
        if array.ndim != len(self.axes):
            raise ArgumentError(
                f"x has {array.ndim - more} axes, and the model's input has {len(self.axes) - more}"
            )
        return array.transpose(self.axes)

    def predict(self, x: Array) -> Array:
        """The outputs [sample, outputs] of the network with the weights of the model, for its inputs."""
        return network_fields(self.network, self.state, self.inputs(x))["yhat"]

    def head(self, name: str, x: Array) -> Array:
        """The values [sample, outputs] of a head beside the output (one of ``heads``)."""
        if name not in self.heads:
            raise ArgumentError(f"there is no head '{name}'. Heads are: {names(self.heads) or 'none'}")
        fields = network_fields(self.network, self.state, self.inputs(x))
        # A layer whose activation does something has a field of its own for what comes out.
        return fields.get(f"{name}.out", fields[name])

    def _summary(self) -> Iterator[str]:
        many = len(self.network.layers)
        yield f"Imported '{self.network.title}': {many} layers, {len(self.places)} parameters"
        yield f"  infinitely wide: {names(self.widths) or 'nothing'}"
        yield from (f"  {note}" for note in self.notes)


def imported(graph: Graph, second: Graph | None, wishes: Wishes) -> Imported:
    """A graph as a network. ``second``: the same model in another width."""
    translator, ends = _translated(graph, wishes)
    if second is not None and wishes.widths is not None:
        raise ArgumentError("a second model and widths both say which layers grow. Give one of them")
    wider = None if second is None else _translated(second, wishes)
    infinite, said = _infinite(translator, ends, wider, wishes)
    writer = SpecWriter(translator, ends, infinite, wishes.laws)
    parts = writer.written()
    if writer.named:
        raise ArgumentError(
            f"laws are given for {names(writer.named)}, which the model has not. It has: "
            f"{names(parts.places)}"
        )
    if not parts.layers:
        raise ImportProblem(f"{graph.title} has no hidden layer, so that nothing in it can grow")
    order = _input_axes(translator)
    document, assumed = _document(translator, parts, ends, wishes)
    more = (*check_trained(translator.graph, parts.places), *graph.notes)
    notes = (*said, *assumed, *parts.notes, *more, *_growth(translator, ends, infinite, wider, parts))
    vocabulary = translator.graph.vocabulary
    network = _network(graph, document, order, wishes, vocabulary)
    comments = {name: [f"from {', '.join(origins)}"] for name, origins in parts.origins.items() if origins}
    laws = [f"{name}: {law.sentence}" for name, law in parts.laws.items()]
    text = toml_text(
        document,
        ("Assumed:", *notes, "Laws of initial values, times the width summed over:", *laws),
        comments,
    )
    widths = {name: writer.size(root) for root, name in writer.owners.items() if root in writer.infinite}
    return Imported(
        network,
        document,
        text,
        parts.places,
        parts.laws,
        notes,
        widths,
        tuple(parts.heads),
        order,
        vocabulary,
    )


def _network(
    graph: Graph, document: Mapping[str, Any], order: tuple[int, ...], wishes: Wishes, vocabulary: int
) -> Network:
    """The document as a network on the data that were given."""
    data = None
    if wishes.data is not None:
        check_sizes(wishes.data[0], graph.shape, graph.batch_axis)
        x = one_hot(wishes.data[0], vocabulary) if vocabulary else wishes.data[0]
        data = x.transpose(order), wishes.data[1]
    try:
        return load(document, data)
    except SpecError as error:
        # Laws, data, loss and training are words of the caller; the rest of the spec is the model's alone.
        if wishes.laws or error.table in ("data", "loss", "training"):
            raise
        raise ImportProblem(f"{graph.title} cannot be a network here: {error}") from error


def _translated(graph: Graph, wishes: Wishes) -> tuple[Translator, Ends]:
    """The graph as layers; again, as long as layers share what is trained without a layer of its own."""
    check_numbers(graph)
    graph, apart = without_repetitions(with_one_hot_inputs(graph)), set[str]()
    while True:
        translator = start(graph)
        translator.apart = frozenset(apart)
        if isinstance(wishes.widths, Mapping):
            translator.layers.renamed = dict(wishes.widths)
        translator.run()
        ends = ends_of(translator)
        parts = [*translator.layers.made.values(), *([] if ends.is_layer else [ends.main])]
        more = shared_values(translator, parts) - apart
        if not more:
            return translator, ends
        apart |= more


def _hidden(translator: Translator, ends: Ends) -> dict[int, list[str]]:
    """The populations of layers with the names of these; neither x, nor outputs, nor heads."""
    layers: Layers = translator.layers
    root = layers.populations.root
    ends_at = {root(ends.main.space.neurons), *(root(layers.made[name].space.neurons) for name in ends.heads)}
    found: dict[int, list[str]] = {}
    for made in layers.made.values():
        number = root(made.space.neurons)
        if number not in {root(translator.inputs), *ends_at}:
            found.setdefault(number, []).append(made.name)
    return found


def _sizes(translator: Translator, ends: Ends) -> dict[str, Any]:
    """What two widths of one model have in common."""
    return {"inputs": translator.graph.shape, "outputs": ends.outputs, "heads": len(ends.heads)}


def _infinite(
    translator: Translator, ends: Ends, wider: tuple[Translator, Ends] | None, wishes: Wishes
) -> tuple[set[int], tuple[str, ...]]:
    """Which populations grow, and how that is known."""
    hidden = _hidden(translator, ends)
    if wishes.widths is not None:
        return _told(hidden, wishes.widths)
    if wider is None:
        return set(hidden), ("one model alone does not say which widths grow: all hidden ones do",)
    other_translator = wider[0]
    other = _hidden(*wider)
    check_ends(_sizes(translator, ends), _sizes(*wider))
    if list(hidden.values()) != list(other.values()):
        raise ImportProblem(
            f"the two models have different layers: {names([n for v in hidden.values() for n in v])}; and "
            f"{names([n for v in other.values() for n in v])}. Give one model in two widths"
        )
    sizes = translator.layers.populations.sizes
    others = other_translator.layers.populations.sizes
    grown = {one for one, two in zip(hidden, other, strict=True) if sizes[one] != others[two]}
    if not grown:
        raise ImportProblem("the two models have the same widths. Give one model in two widths")
    fixed = [hidden[number][0] for number in hidden if number not in grown]
    said = f"of two models: {names([hidden[n][0] for n in grown])} differ in width and grow"
    return grown, (said + (f"; {names(fixed)} stay finite" if fixed else ""),)


def _growth(
    translator: Translator,
    ends: Ends,
    infinite: set[int],
    wider: tuple[Translator, Ends] | None,
    parts: SpecParts,
) -> list[str]:
    """What is said of numbers that change with the width, and of weights that grow with it."""
    if wider is None:
        return []
    pairs = zip(_hidden(translator, ends), _hidden(*wider), strict=True)
    other = SpecWriter(*wider, {two for one, two in pairs if one in infinite}, {}).written()
    said = [*differences(parts, other)]
    estimated = {name: parts.places[name] for name, law in parts.laws.items() if law.entries}
    grown = sorted(growths(estimated, other.places), key=lambda growth: growth.name)
    return said + [growth.sentence for growth in grown]


def _told(
    hidden: Mapping[int, list[str]], widths: Mapping[str, str] | tuple[str, ...]
) -> tuple[set[int], tuple[str, ...]]:
    """Populations by the names of their layers."""
    wanted = list(widths.values()) if isinstance(widths, Mapping) else list(widths)
    known = [name for found in hidden.values() for name in found]
    missing = [name for name in wanted if name not in known]
    if missing:
        raise ArgumentError(f"widths names {names(missing)}, but the hidden layers are {names(known, 20)}")
    return {n for n, found in hidden.items() if set(found) & set(wanted)}, (f"told to grow: {names(wanted)}",)


def _input_axes(translator: Translator) -> tuple[int, ...]:
    """The order in which the axes of the model's input are taken: samples, [steps], neurons, positions."""
    graph = translator.graph
    rest = [axis for axis in range(len(graph.shape) + 1) if axis != graph.batch_axis]
    neurons = translator.input_neurons
    front = (
        rest if translator.with_steps else [rest[neurons], *(a for k, a in enumerate(rest) if k != neurons)]
    )
    return (graph.batch_axis, *front)


def _document(
    translator: Translator, parts: SpecParts, ends: Ends, wishes: Wishes
) -> tuple[dict[str, Any], list[str]]:
    """The whole spec, and what was assumed of data, loss and training."""
    graph, notes = translator.graph, []
    order = [axis - (axis > graph.batch_axis) for axis in _input_axes(translator)[1:]]
    shape = [graph.shape[axis] for axis in order]
    dimension = int(np.prod(shape))
    data: dict[str, Any] = {"kind": "arrays"}
    if wishes.data is None:
        targets = [f"tanh(x{1 + k % dimension})" for k in range(ends.outputs)]
        target = targets[0] if ends.outputs == 1 else targets
        data = {"kind": "teacher", "dimension": dimension, "target": target}
        notes.append("no data was given: normal inputs and a teacher of the right shape stand in [data]")
    if len(shape) > 1:
        data["shape"] = shape
    if graph.vocabulary:
        notes.append(
            f"the inputs are numbers of {graph.vocabulary} words: x here are their one-hot vectors, "
            "which inputs(x) makes"
        )
    if wishes.loss is None:
        notes.append("no loss was given: the squared one")
    if wishes.training is None:
        notes.append("no training was given: SGD, learning rate 0.01, batches of 100, 1000 steps")
    loss = dict(_LOSS if wishes.loss is None else wishes.loss)
    document: dict[str, Any] = {"format": 1, "title": graph.title, "data": data, "loss": loss}
    if parts.heads:
        document["losses"] = [{"from": head, **loss} for head in parts.heads]
        notes.append(f"further outputs ({names(parts.heads)}) are heads: each has the loss of the output")
    return {
        **document,
        "layers": parts.layers,
        "output": parts.output,
        "training": dict(_TRAINING if wishes.training is None else wishes.training),
    }, notes
