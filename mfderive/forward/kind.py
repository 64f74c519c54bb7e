"""What a layer kind is: how a connection of that kind reads its source. Nothing else.

A kind is stated once, as a :class:`ConnectionKind`: the keys that it may have in a spec and the function
``read``, its forward equation. The reader of specs, the JSON Schema and the forward equations take all they
need from it; backward equations, evolution, scalings, reductions, code and witness follow from the forward
equations. :func:`register_kind` enters a kind, also from outside the package.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from ..algebra.arguments import instance
from ..algebra.showing import Shown, names
from ..algebra.syntax import syntax_tree
from ..algebra.terms import Access, AxisKind, Index, Slot, canonical_indices
from ..errors import MfError, SpecError
from ..network.network import Connection
from ..network.place import Place
from ..network.tables import WEIGHT
from ..network.values import EXPRESSION, NAME, TEXT, WHOLE, Key, Table, list_of, one_of, table
from .builder import STEPS, Builder, Shape


@dataclass(frozen=True, repr=False)
class Reading(Shown):
    """The forward equation of one connection: ``target += Reduce_reduced [ factor * operation ]``.

    ``source``: slots of the source's values u and h; ``source_neuron``: the index of its neurons, at which
    ``source.X`` is read (None where the slot of the neurons is affine: x has no ``source.X``).
    ``weight_axes`` and ``weight_slots``: the axes of the weight and where it is read, both [target, source,
    rest]. ``reduced``: averaged (populations) or summed (finite axes). ``counts``: sizes of finite sums by
    the names that ``average`` may use. ``factor``: an expression that multiplies the operation, in the names
    of ``values`` (further accesses by name; the operation may use them too). ``target``: where the term adds,
    if that is not the layer's own indices (an affine slot scatters).
    """

    source: tuple[Slot, ...]
    source_neuron: Index | None
    weight_axes: tuple[str, ...] = ()
    weight_slots: tuple[Slot, ...] = ()
    reduced: tuple[Index, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    factor: sp.Expr = sp.Integer(1)
    values: Mapping[str, Access] = field(default_factory=dict)
    target: tuple[Slot, ...] | None = None


@dataclass(frozen=True)
class Site:
    """Where a connection stands: what the functions of a kind may use.

    ``target`` are the layer's own indices (data, neuron, group of a layer with groups, positions...); they
    are () for the functions ``positions`` and ``groups`` of a kind, which run before they are known. ``step``
    and ``source_step`` count from 1 in layers with steps, else they are 0.
    """

    builder: Builder
    connection: Connection
    layer: str
    target: tuple[Index, ...] = ()
    step: int = 0
    source_step: int = 0

    @property
    def options(self) -> Mapping[str, Any]:
        """The kind's own keys as written (lists as tuples), or as its function ``prepare`` left them."""
        return dict(self.connection.options)

    @property
    def source(self) -> Shape:
        """The axes of the source."""
        return self.shape(self.connection.source)

    @property
    def own(self) -> Shape:
        """The axes of the layer that the connection leads into."""
        return self.shape(self.layer)

    @property
    def group(self) -> tuple[Index, ...]:
        """The layer's own index of its groups, () where it has none."""
        return self.target[2 : 2 + len(self.own.groups)]

    @property
    def places(self) -> tuple[Index, ...]:
        """The layer's own indices of its positions."""
        return self.target[2 + len(self.own.groups) :]

    def shape(self, layer: str) -> Shape:
        """The axes of a layer, or of x."""
        return self.builder.shapes[layer]

    def size(self, *axes: str) -> int:
        """The number of places on finite axes together."""
        total = 1
        for axis in axes:
            total *= self.builder.size(axis)
        return total

    def is_finite(self, axis: str) -> bool:
        """Whether an axis is finite (summed over) or a population (averaged over)."""
        return self.builder.axes[axis].kind is AxisKind.FINITE

    def fresh(self, axes: Iterable[str], used: Iterable[Index] = ()) -> tuple[Index, ...]:
        """Index variables over axes, one each, different from those of ``target`` and from ``used``."""
        return canonical_indices(axes, (*self.target, *used))

    def finite(self, name: str, sizes: tuple[int, ...]) -> tuple[str, ...]:
        """Finite axes of the layer, called ``layer.name`` (several: numbered), of the given sizes.

        Raises SpecError for a size that is not a whole number of at least 1.
        """
        for size in sizes:
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise self.error(
                    f"a {self.connection.kind} asks for an axis '{self.layer}.{name}' of size {size}",
                    key="kind",
                    remedy="Sizes are whole numbers of at least 1",
                )
        return self.builder.finite_axes(self.layer, name, sizes)

    def output(self, slots: tuple[Slot, ...], layer: str | None = None) -> Access:
        """The output of the source (or of another layer that the kind reads) at slots."""
        return self.builder.value_access(layer or self.connection.source, slots, self.source_step)

    def field(
        self,
        name: str,
        target: tuple[Index, ...],
        reduced: tuple[Index, ...],
        expression: sp.Expr,
        known: Mapping[str, Access],
        *,
        frozen: bool = False,
        selector: int = 0,
    ) -> Access:
        """Declare a field of the layer, ``name(target) = Reduce_reduced [expression]``, and read it there.

        ``known`` maps the symbols of the expression to what they read. ``frozen``: nothing is
        differentiated through it. ``selector``: see :class:`mfderive.algebra.terms.Equation`.
        """
        return self.builder.helper(
            self.layer, self.step, name, target, reduced, expression, known, frozen, selector
        )

    def error(self, problem: str, key: str | None = None, remedy: str | None = None) -> SpecError:
        """An error at the connection."""
        return self.builder.error(self.connection, problem, key=key, remedy=remedy)


Positions = tuple[int, ...] | tuple[str, ...] | None


def no_positions(site: Site) -> Positions:
    """The connection gives the layer no positions (or groups): it adds to all that it may have."""
    return None


def as_written(values: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
    """The kind's own keys as they stand."""
    return values


@dataclass(frozen=True, repr=False)
class ConnectionKind(Shown):
    """One kind of connection.

    ``name`` is what ``kind = "..."`` says; ``read`` its forward equation: from a :class:`Site` to a
    :class:`Reading`. ``operation`` is the default of that key, in w, u, h and the names of
    ``Reading.values``. ``keys`` are the keys beyond the common ones. ``has_weight``: whether it may have one;
    ``shares_neurons``: whether both ends must have the same neurons; ``into_output``: whether the output
    may be fed this way; ``delay``: how many steps before it reads. ``averages``: names that the key
    ``average`` may use (those of ``Reading.counts``). ``layers``: which of the keys name further layers that
    it reads. ``positions``: the positions that the layer gets: sizes of new axes, or names of axes, or None;
    ``groups``: likewise the groups of its neurons (one axis at most).
    ``prepare``: checks the values of the keys when a spec is read, and may fill in defaults.
    """

    name: str
    read: Callable[[Site], Reading]
    operation: str = "w * u"
    has_weight: bool = True
    keys: Table = field(default_factory=dict)
    shares_neurons: bool = False
    into_output: bool = False
    delay: int = 0
    averages: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    positions: Callable[[Site], Positions] = no_positions
    groups: Callable[[Site], Positions] = no_positions
    prepare: Callable[[Mapping[str, Any], Place], Mapping[str, Any]] = as_written

    @property
    def operation_reads(self) -> frozenset[str]:
        """The names in the default operation."""
        nodes = ast.walk(syntax_tree(self.operation))
        return frozenset(node.id for node in nodes if isinstance(node, ast.Name))

    def _summary(self) -> Iterator[str]:
        reads = getattr(self.read, "__name__", type(self.read).__name__)
        yield f"ConnectionKind '{self.name}': {self.operation}, read by {reads}"
        facts = {
            "has no weight": not self.has_weight,
            "both ends have the same neurons": self.shares_neurons,
            "may feed the output": self.into_output,
            f"reads {self.delay} step before": bool(self.delay),
        }
        said = [fact for fact, holds in facts.items() if holds]
        if said:
            yield f"  {', '.join(said)}"
        if self.keys:
            yield f"  keys: {names(self.keys)}"
        if self.averages:
            yield f"  may be averaged over: {names(self.averages)}"


COMMON: Table = table(
    Key("from", TEXT, "the source: a layer's name, or x", required=True),
    Key("kind", TEXT, "how the source is read; default dense"),
    Key("operation", EXPRESSION, "sigma*, in w, u (source's output), h (source's pre-activation)"),
    Key("weight", WEIGHT, "law of the weight, or a table with law, rate, name, transpose"),
    Key("into", NAME, "the pre-activation it adds to; default h"),
    Key(
        "delay",
        WHOLE,
        "how many steps before its own a layer with steps reads the source, 0 before the first; default 0, "
        "for kind recurrent 1",
    ),
)
KINDS: dict[str, ConnectionKind] = {}
DEFAULT_KIND = "dense"


def register_kind(kind: ConnectionKind) -> ConnectionKind:
    """Enter a kind of connection, so that specs may say ``kind = "its name"``; returns it.

    A kind is a forward equation alone: ``read`` says which values of the source a neuron reads, with which
    entries of the weight, and over what it averages or sums. Derivation, reduction, generated code and
    finite networks need nothing else. A convolution whose taps stand ``dilation`` apart::

        import mfderive as mf
        from mfderive.algebra.terms import Affine
        from mfderive.forward.kind import ConnectionKind, Reading
        from mfderive.network.values import COUNT, Key, table

        def reach(site):
            return (site.options["taps"] - 1) * site.options["dilation"]

        def read(site):
            (taps,) = site.finite("taps", (site.options["taps"],))
            neuron, tap = site.fresh((site.source.neurons, taps))
            data, own, position = site.target
            place = Affine(((1, position), (site.options["dilation"], tap)))
            return Reading(
                source=(data, neuron, place),
                source_neuron=neuron,
                weight_axes=(site.own.neurons, site.source.neurons, taps),
                weight_slots=(own, neuron, tap),
                reduced=(neuron, tap),
            )

        mf.register_kind(ConnectionKind(
            "dilated",
            read,
            keys=table(Key("taps", COUNT, "number of taps", required=True),
                       Key("dilation", COUNT, "distance of two taps", required=True)),
            positions=lambda site: (site.size(*site.source.positions) - reach(site),),
        ))

    What the functions return is held against the axes of the network when the forward equations are stated;
    what does not fit is a SpecError at the connection.

    A kind that is entered twice with equal parts is entered once; another kind of a known name raises
    MfError. ``examples/own_layer_kind.py`` goes the whole way.
    """
    instance(kind, ConnectionKind, "a ConnectionKind")
    known = KINDS.get(kind.name)
    if known is not None and known != kind:
        raise MfError(f"there is a layer kind '{kind.name}' already; choose another name")
    clash = sorted(({*kind.keys} & {*COMMON, "average"}) | {*kind.layers} - {*kind.keys})
    if clash:
        raise MfError(f"the kind '{kind.name}' cannot have the key '{clash[0]}' (common, or not declared)")
    KINDS[kind.name] = kind
    return kind


def average_key(names: tuple[str, ...]) -> Key:
    """The key ``average`` of a kind whose finite sums have these names."""
    choice = one_of(*names, STEPS)
    return Key(
        "average",
        list_of(choice, f"a list of {choice.words}"),
        "finite axes whose sum is divided by their size (sums over populations always are); 'steps': a layer "
        "without steps reads the average over the source's steps, not the last one",
    )


def own_keys(kind: ConnectionKind) -> dict[str, Key]:
    """The keys that a kind has beyond the common ones."""
    return {**kind.keys, "average": average_key(kind.averages)}


def connection_keys(kind: ConnectionKind) -> dict[str, Key]:
    """Every key that a connection of a kind may have, in its own table or in that of its layer."""
    common = {name: key for name, key in COMMON.items() if name != "weight" or kind.has_weight}
    return {**common, **own_keys(kind)}
