"""The network as a spec file (or a graph) states it, parsed and checked, before any derivation.

All objects are frozen. Expressions are sympy trees of the closed function table
(:mod:`mfderive.algebra.functions`) in plain symbols; the symbols' names are written as in the spec:
``h``, ``g`` (a named pre-activation), ``w``, ``u``, ``gain`` (a declared parameter), ``bias``,
``source.gain``, ``target.b``, ``source.w[1]``, ``y``, ``yhat``, ``y[0]``, ``t``, ``k``, ``fan_in``, ``d``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sympy as sp

from ..algebra.entries import CHANGER, GRAPH_WRITER, TORCH_WRITER, fill, homes
from ..algebra.parser import AxisReduction
from ..algebra.showing import Shown, brief, names, words
from ..errors import ArgumentError
from .place import spec_name

__all__ = [
    "AxisReduction",
    "Connection",
    "DataSpec",
    "InnerLoss",
    "LawSpec",
    "Layer",
    "Loss",
    "Network",
    "Output",
    "ParameterSpec",
    "Training",
    "WeightSpec",
]


@dataclass(frozen=True)
class LawSpec:
    """A law as written: arguments may contain the symbols fan_in, d, source.X, target.X."""

    kind: str
    arguments: tuple[sp.Expr, ...]
    text: str


@dataclass(frozen=True)
class ParameterSpec:
    """A law and a rate (an expression in t; 0 freezes)."""

    law: LawSpec
    rate: sp.Expr = sp.Integer(1)


@dataclass(frozen=True)
class WeightSpec:
    """One mention of a weight. A weight without a name belongs to its connection alone.

    The first mention of a name has the law (and the rate); later ones only the name and ``transpose``.
    """

    law: LawSpec | None
    rate: sp.Expr = sp.Integer(1)
    name: str | None = None
    transpose: bool = False


@dataclass(frozen=True, repr=False)
class Connection(Shown):
    """A connection into a layer (or the output). ``source`` is a layer's name or ``x``.

    ``operation`` is sigma*: an expression in w, u, h, source.X, target.X. ``options`` are the keys of its
    kind alone (kernel, window, ...). ``average`` lists what is divided beside populations: taps, positions,
    inputs, steps. ``delay``: how many steps before its own it reads. ``reads``: further layers that its kind
    reads. ``is_usual``: whether the operation is the one that its kind has where none is written.
    """

    source: str
    kind: str
    operation: sp.Expr
    weight: WeightSpec | None = None
    into: str = "h"
    options: tuple[tuple[str, Any], ...] = ()
    average: tuple[str, ...] = ()
    delay: int = 0
    reads: tuple[str, ...] = ()
    is_usual: bool = True
    table: str = ""  # where it stands in the file, for errors: "layers[1] 'h2', connections[0]"

    @property
    def now(self) -> frozenset[str]:
        """What must be evaluated before it at the same step: layers, and x."""
        own = () if self.delay else (self.source,)
        return frozenset((*own, *self.reads))


@dataclass(frozen=True, repr=False)
class Layer(Shown):
    """A layer. ``neurons`` names the layer whose population it shares; ``size`` makes it finite.

    ``steps`` (0: none) is the number T of steps of a layer that is evaluated at each of them.

    ``activation`` is an expression in h, the named pre-activations, the declared parameters and ``bias``
    (a bare function name f is stored as f(h + bias) or f(h)); identity is the symbol h (+ bias). ``written``
    is the activation as the file has it.
    """

    name: str
    connections: tuple[Connection, ...]
    activation: sp.Expr
    bias: ParameterSpec | None = None
    parameters: tuple[tuple[str, ParameterSpec], ...] = ()
    neurons: str | None = None
    width: float = 1.0
    size: int | None = None
    steps: int = 0
    table: str = ""
    written: str = ""


@dataclass(frozen=True, repr=False)
class Output(Shown):
    """The output. ``outputs`` None: as many as the data has. A connection without weight is averaged."""

    connections: tuple[Connection, ...]
    outputs: int | None = None
    bias: ParameterSpec | None = None


@dataclass(frozen=True)
class Loss:
    """``kind``: a row of the table of losses, or "expression" (then ``expression`` in y and yhat).

    ``constants`` are the row's own numbers, by name.
    """

    kind: str
    expression: sp.Expr | None = None
    constants: tuple[tuple[str, float], ...] = ()
    # Classification error: "sign", "argmax" or None where none is meaningful.
    error: str | None = None


@dataclass(frozen=True)
class InnerLoss:
    """A loss on a finite layer beside the output's: ``weight * loss(value of the layer, y)`` is added."""

    source: str
    weight: float
    loss: Loss
    table: str = ""  # where it stands in the file, for errors


@dataclass(frozen=True, repr=False)
class DataSpec(Shown):
    """``[data]`` as written (checked). ``options`` keeps every key but kind, in file order."""

    kind: str
    options: tuple[tuple[str, Any], ...] = ()

    @cached_property
    def get(self) -> Mapping[str, Any]:
        """The options by name."""
        return dict(self.options)


@dataclass(frozen=True, repr=False)
class Training(Shown):
    """Step k = 1, 2, ... uses alpha_k = learning_rate * schedule(k); ``schedule`` is an expression in k.

    ``optimizer`` names a row of the table of learning rules, ``constants`` are all of its constants.
    ``weight_decay`` and ``noise`` are (name, value) pairs: the name of a parameter ("h2.weight"), or "" for
    all parameters that have no pair of their own. ``decoupled`` None: as the rule has it. ``clip`` is the
    largest norm of the gradient in L2(P); ``dropout`` are (layer, probability that a neuron is left out).
    """

    learning_rate: float
    steps: int
    batch_size: int | str = 100  # or "all"
    schedule: sp.Expr = sp.Integer(1)
    optimizer: str = "sgd"
    constants: tuple[tuple[str, float], ...] = ()
    weight_decay: tuple[tuple[str, float], ...] = ()
    decoupled: bool | None = None
    noise: tuple[tuple[str, float], ...] = ()
    clip: float | None = None
    dropout: tuple[tuple[str, float], ...] = ()


# What reads a changed document and finds its data again: :mod:`mfderive.samples.loading` enters itself here.
_CHANGERS: list[Callable[[Network, Mapping[str, Any]], Network]] = []


def register_changer(changer: Callable[[Network, Mapping[str, Any]], Network]) -> None:
    """Enter what carries out :meth:`Network.replace`: (network, changes by table) -> network."""
    _CHANGERS.append(changer)


# What writes a network as a graph: the reader of graphs, which knows the keys of every kind, enters itself.
_GRAPH_WRITERS: list[Callable[[Network], Any]] = []


def register_graph_writer(writer: Callable[[Network], Any]) -> None:
    """Enter the function (network) -> graph behind :meth:`Network.to_networkx`."""
    _GRAPH_WRITERS.append(writer)


# What makes modules of PyTorch, which knows finite networks: :mod:`mfderive.exchange.to_program`.
_TORCH_WRITERS: list[Callable[..., Any]] = []


def register_torch_writer(writer: Callable[..., Any]) -> None:
    """Enter the function (network, width, options) -> module behind :meth:`Network.to_torch`."""
    _TORCH_WRITERS.append(writer)


@dataclass(frozen=True, repr=False)
class Network(Shown):
    """A parsed network; ``input_shape``, ``outputs`` and ``source`` are known once it is resolved.

    ``document`` is the whole spec as plain data (what a TOML file holds), kept so that a round trip
    loses nothing. ``source`` is the data source (:mod:`mfderive.samples`).
    """

    title: str
    data: DataSpec
    loss: Loss
    layers: tuple[Layer, ...]
    output: Output
    training: Training
    solver: tuple[tuple[str, Any], ...] = ()
    check: tuple[tuple[str, Any], ...] = ()
    losses: tuple[InnerLoss, ...] = ()
    # [signal]: "sigma_w2" and "sigma_b2", each with pairs of a parameter ("": all others) and a variance.
    signal: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False, repr=False)
    file: str | None = None
    # What does not stand in the file: keys that were changed in Python, flags of the command line.
    changed: tuple[str, ...] = field(default=(), compare=False, hash=False, repr=False)
    input_shape: tuple[int, ...] | None = None
    outputs: int | None = None
    source: Any = field(default=None, compare=False, hash=False, repr=False)
    # The arrays (x, y) as a caller gave them, where they take the place of what [data] names.
    given: Any = field(default=None, compare=False, hash=False, repr=False)

    def _summary(self) -> Iterator[str]:
        yield f"Network '{words(self.title, 80)}'"
        shape = " x ".join(map(str, self.input_shape or ()))
        outputs = self.outputs or "?"
        yield f"  inputs {shape or '?'}, outputs {outputs}, loss {self.loss.kind}"
        source = "" if self.source is None else f": {brief(self.source)}"
        yield f"  data: {words(self.data.kind)}{source}"
        chain = [f"{part.name} <- {names((c.source for c in part.connections), 3)}" for part in self.layers]
        chain.append(f"output <- {names((c.source for c in self.output.connections), 3)}")
        shown = [*chain[:5], "...", chain[-1]] if len(chain) > 7 else chain
        yield f"  {len(self.layers)} layer{'s' * (len(self.layers) != 1)}: {'; '.join(shown)}"
        training = self.training
        yield (
            f"  training: {training.steps} steps of {training.optimizer}, "
            f"learning rate {training.learning_rate:g}"
            f"{'' if training.schedule == 1 else ' by a schedule'}, batch size {training.batch_size}"
        )
        if self.file is not None:
            yield f"  file: {self.where}"

    @property
    def where(self) -> str | None:
        """What messages call the spec: its file, with what was changed since it was read."""
        return spec_name(self.file, self.changed)

    @cached_property
    def layer(self) -> dict[str, Layer]:
        """Layers by name."""
        return {layer.name: layer for layer in self.layers}

    @property
    def classes(self) -> tuple[Any, ...]:
        """What the data calls its classes, by name or label, in the order of the outputs (else none)."""
        facts = getattr(self.source, "facts", None)
        return facts.classes.called if facts is not None and facts.classes is not None else ()

    def replace(self, **changes: Any) -> Network:
        """A changed network without a file: ``net.replace(training={"steps": 10}, layers={"h2": {...}})``.

        Every argument is a table of the spec with the keys that change (see
        :func:`mfderive.network.changes.changed_document`: None removes a key, layers are named as in the
        file). The data is kept, arrays that were given too; it is read or drawn anew only where ``data``,
        ``loss``, the number of outputs or ``data_seed`` change. This network stays as it is.

        Raises ArgumentError for a table or a layer that does not exist, and SpecError or DataError as
        :func:`mfderive.load` does.
        """
        if not _CHANGERS:
            fill(CHANGER)
        if not _CHANGERS:
            raise ArgumentError(f"nothing that reads networks was imported; import {homes(CHANGER)} first")
        return _CHANGERS[-1](self, changes)

    def to_networkx(self) -> Any:
        """An ``nx.MultiDiGraph`` with the spec's keys as attributes (see ``from_networkx``)."""
        if not _GRAPH_WRITERS:
            fill(GRAPH_WRITER)
        if not _GRAPH_WRITERS:
            raise ArgumentError(
                f"nothing that writes graphs was imported; import {homes(GRAPH_WRITER)} first"
            )
        return _GRAPH_WRITERS[-1](self)

    def to_torch(self, width: int | Mapping[str, int] | None = None, **options: Any) -> Any:
        """The network of a finite width as a ``torch.nn.Module`` (see :func:`mfderive.to_torch`).

        Raises MfError where PyTorch is not installed, ArgumentError for options that do not exist, StateError
        for a state or a width that does not fit.
        """
        if not _TORCH_WRITERS:
            fill(TORCH_WRITER)
        if not _TORCH_WRITERS:
            raise ArgumentError(
                f"nothing that makes modules was imported; import {homes(TORCH_WRITER)} first"
            )
        return _TORCH_WRITERS[-1](self, width, **options)
