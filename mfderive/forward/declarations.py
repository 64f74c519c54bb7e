"""What forward equations are made of: axes, fields, parameters with their laws, weights and ties."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import sympy as sp

from ..algebra.laws import End, Law, Reference, Variable
from ..algebra.local_symbols import base_of, component_of, end_of
from ..algebra.terms import (
    BIAS_PART,
    WEIGHT_PART,
    Access,
    Axis,
    AxisKind,
    Equation,
    Field,
    Index,
    Role,
    Slot,
    Term,
)
from ..errors import SpecError, nearest
from ..network.names import attributes, connection_weights, parts_of
from ..network.network import Connection, LawSpec, Layer, Network
from .builder import STEPS, Shape
from .kind import Reading
from .local_names import make_term, numbered


@dataclass(frozen=True)
class WeightRecord:
    """A weight that has been mentioned: its field, axes (target, source, rest) and noise axis."""

    name: str
    axes: tuple[str, ...]
    noise: str | None


def field_name(layer: str, step: int) -> str:
    """The name of a layer's pre-activation h: the layer's own, ``h2.step3`` where it has steps."""
    return f"{layer}.step{step}" if step else layer


class Declarations:
    """Collects axes, fields, parameters and equations."""

    def __init__(self, network: Network) -> None:
        if network.input_shape is None or network.outputs is None:
            raise SpecError("the sizes of the data are not known yet", file=network.where, table="data")
        self.network = network
        self.axes: dict[str, Axis] = {"data": Axis("data", AxisKind.DATA)}
        self.fields: dict[str, Field] = {}
        self.parameters: dict[str, Variable] = {}
        self.equations: list[Equation] = []
        self.shapes: dict[str, Shape] = {}
        self.weights: dict[str, WeightRecord] = {}
        # The full name of every connection's weight, by the connection's identity.
        self.weight_names = {
            id(connection): name
            for part in parts_of(network)
            for connection, name in zip(part.connections, connection_weights(part), strict=True)
        }
        # Where the law of each parameter stands: its ends, table and key.
        self.law_places: dict[str, tuple[dict[End, str], str, str]] = {}

    # ------------------------------------------------------------------ declarations

    def axis(self, axis: Axis) -> str:
        """Declare an axis and return its name."""
        self.axes.setdefault(axis.name, axis)
        return axis.name

    def finite(self, name: str, size: int, part: str = "", number: int = 0) -> str:
        """Declare a finite axis and return its name; ``part`` says what it counts, ``number`` which it is."""
        return self.axis(Axis(name, AxisKind.FINITE, size, part=part, number=number))

    def finite_axes(self, owner: str, part: str, sizes: tuple[int, ...]) -> tuple[str, ...]:
        """Finite axes ``owner.part`` (several: numbered) of these sizes; ``owner.part.2`` if sizes differ."""
        name = f"{owner}.{part}" if owner else part
        wanted, number = name, 1
        while any(
            axis in self.axes and self.axes[axis].size != size
            for axis, size in zip(numbered(wanted, len(sizes)), sizes, strict=True)
        ):
            number += 1
            wanted = f"{name}.{number}"
        axes = numbered(wanted, len(sizes))
        return tuple(
            self.finite(axis, size, part, place if len(sizes) > 1 else 0)
            for place, (axis, size) in enumerate(zip(axes, sizes, strict=True), start=1)
        )

    def declare(self, field: Field) -> None:
        """Declare a field; no two have one name."""
        if field.name in self.fields:
            raise SpecError(
                f"two things are called '{field.name}'",
                file=self.network.where,
                remedy="Rename the parameter or the pre-activation",
            )
        self.fields[field.name] = field

    def size(self, axis: str) -> int:
        """The size of a finite axis."""
        size = self.axes[axis].size
        if size is None:
            raise SpecError(f"the axis '{axis}' has no finite size", file=self.network.where)
        return size

    def equation(
        self,
        name: str,
        target: tuple[Index, ...],
        terms: tuple[Term, ...],
        *,
        owner: str,
        part: str,
        step: int = 0,
        hidden: bool = False,
        frozen: bool = False,
        selector: int = 0,
    ) -> Access:
        """Declare a computed field with its equation and return the access to it at its own target."""
        role = Role.FROZEN if frozen else Role.FORWARD
        axes = tuple(index.axis for index in target)
        self.declare(Field(name, axes, role, hidden, owner=owner, part=part, step=step))
        self.equations.append(Equation(name, target, terms, selector))
        return Access(name, target)

    def parameter(self, field: Field, law: Law, rate: sp.Expr, noise: str | None = None) -> None:
        """Declare a parameter by its field, whose axes lack the noise axis."""
        full = field.axes if noise is None else (*field.axes, noise)
        self.declare(replace(field, axes=full))
        self.parameters[field.name] = Variable(field.name, full, law, rate, noise)

    def helper(
        self,
        layer: str,
        step: int,
        name: str,
        target: tuple[Index, ...],
        reduced: tuple[Index, ...],
        expression: sp.Expr,
        known: Mapping[str, Access],
        frozen: bool = False,
        selector: int = 0,
        unknown: Callable[[str], Exception] | None = None,
    ) -> Access:
        """Declare a field of a layer that helps to state an equation: ``h2.mean1``, ``h2.select1``, ..."""
        base, number = field_name(layer, step), 1
        while f"{base}.{name}{number}" in self.fields:
            number += 1
        part = f"{name}{number}"
        term = make_term(target, reduced, expression, known, unknown)
        return self.equation(
            f"{base}.{part}",
            target,
            (term,),
            owner=layer,
            part=part,
            step=step,
            frozen=frozen,
            selector=selector,
        )

    def node_parameters(self, layer: Layer, shape: Shape) -> None:
        """Declare the per-neuron parameters and the bias of a layer."""
        own = dict(layer.parameters)
        if layer.bias is not None:
            own[BIAS_PART] = layer.bias
        for key, spec in own.items():
            full = f"{layer.name}.{key}"
            if full in self.parameters:
                continue  # a later step of the same layer
            law = self.law(full, spec.law, {End.TARGET: layer.name}, 1, layer.table, key)
            field = Field(full, shape.neuron_axes, Role.PARAMETER, owner=layer.name, part=key)
            self.parameter(field, law, spec.rate)

    # ------------------------------------------------------------------ weights

    def is_noise(self, slot: Slot) -> bool:
        """Whether a slot runs over the noise of a weight."""
        return isinstance(slot, Index) and self.axes[slot.axis].kind is AxisKind.NOISE

    def average(self, connection: Connection, reading: Reading) -> sp.Expr:
        """The factor that divides finite sums as ``average`` asks."""
        factor = sp.Integer(1)
        for what in connection.average:
            if what == STEPS:
                continue
            if what not in reading.counts:
                raise self.error(
                    connection,
                    f"there are no {what} to average over",
                    key="average",
                    remedy=nearest(what, reading.counts) if reading.counts else "Remove 'average'",
                )
            factor = factor / reading.counts[what]
        return factor

    def weight(self, name: str, connection: Connection, reading: Reading) -> Access:
        """The access to a connection's weight; declares it at its first mention."""
        spec = connection.weight
        if spec is None:
            raise self.error(connection, "this connection has no weight", key="weight")
        axes = reading.weight_axes
        slots = reading.weight_slots
        if spec.transpose:
            axes, slots = (axes[1], axes[0], *axes[2:]), (slots[1], slots[0], *slots[2:])
        record = self.weights.get(self.weight_names[id(connection)] or "")
        if record is None:
            record = self.declare_weight(name, connection, reading)
        elif not self.same_shape(axes, record.axes):
            raise self.error(
                connection,
                f"the weight '{spec.name}' was first used with axes {list(record.axes)} and cannot be used "
                f"with {list(axes)} here",
                key="weight",
                remedy="A tie needs the same neurons and shapes; transpose = true swaps source and target",
            )
        if record.noise is not None:
            slots = (*slots, Index(record.noise, record.noise))
        return Access(record.name, slots)

    def same_shape(self, axes: tuple[str, ...], other: tuple[str, ...]) -> bool:
        """Whether two weights fit: the same populations, and finite axes of the same sizes."""

        def measure(axis: str) -> str | int | None:
            known = self.axes[axis]
            return axis if known.kind is AxisKind.POPULATION else known.size

        return [measure(a) for a in axes] == [measure(a) for a in other]

    def declare_weight(self, name: str, connection: Connection, reading: Reading) -> WeightRecord:
        """Declare a weight at its first mention: name, axes, law, and the noise of its entries."""
        spec = connection.weight
        if spec is None or spec.law is None:
            raise self.error(
                connection,
                f"the weight '{spec.name if spec else ''}' is used before its law is given",
                key="weight",
                remedy="Give the law at its first mention, in the order of the layers",
            )
        if spec.transpose:
            raise self.error(connection, "the first mention of a weight cannot be transposed", key="weight")
        full = self.weight_names[id(connection)] or f"{name}.weight"
        fan_in = 1
        for count in reading.counts.values():
            fan_in *= count
        ends = {End.TARGET: name, End.SOURCE: connection.source}
        law = self.law(full, spec.law, ends, fan_in, connection.table, "weight")
        kinds = [self.axes[axis].kind for axis in reading.weight_axes[:2]]
        between = kinds == [AxisKind.POPULATION, AxisKind.POPULATION]
        noise = None
        if between and (not law.is_deterministic or self.is_driven(full, spec.rate)):
            noise = self.axis(Axis(f"noise {full}", AxisKind.NOISE))
        field = Field(
            full, reading.weight_axes, Role.PARAMETER, owner=name, part=WEIGHT_PART, given=spec.name or ""
        )
        self.parameter(field, law, spec.rate, noise)
        record = WeightRecord(full, reading.weight_axes, noise)
        self.weights[full] = record
        return record

    def is_driven(self, weight: str, rate: sp.Expr) -> bool:
        """Whether training adds fresh noise to the entries of a weight at every step."""
        noise = dict(self.network.training.noise)
        return rate != 0 and noise.get(weight, noise.get("", 0.0)) != 0

    # ------------------------------------------------------------------ laws and references

    def law(self, full: str, spec: LawSpec, ends: dict[End, str], fan_in: int, table: str, key: str) -> Law:
        """The law of the parameter ``full`` with its numbers filled in.

        What it names at its ends is resolved once all parameters are declared: it may come later.
        """
        total = 1
        for size in self.network.input_shape or ():
            total *= size
        numbers = {sp.Symbol("fan_in"): sp.Integer(fan_in), sp.Symbol("d"): sp.Integer(total)}
        self.law_places[full] = (ends, table, key)
        return Law(spec.kind, tuple(a.xreplace(numbers) for a in spec.arguments), text=spec.text)

    def with_references(self, parameter: Variable) -> Variable:
        """A parameter with the values that its law names at its ends."""
        place = self.law_places[parameter.name]
        symbols = set().union(*(argument.free_symbols for argument in parameter.law.arguments))
        references = tuple((s, Reference(*self.reference(s, *place))) for s in sorted(symbols, key=str))
        return replace(parameter, law=replace(parameter.law, references=references))

    def reference(
        self, symbol: sp.Symbol, ends: dict[End, str], table: str, key: str, law: bool = True
    ) -> tuple[End, str, tuple[int, ...]]:
        """What ``source.X``, ``target.X`` or ``source.w[1]`` names: end, parameter, component.

        In a layer with groups only an operation (not a ``law``) reads it, and only parameters of neurons.
        """
        end, plain, component = end_of(symbol), base_of(symbol), component_of(symbol)
        if end is None or end not in ends:
            allowed = [f"{known.value}." for known in ends]
            raise self.located(f"'{symbol}' is not known here", table, key, nearest(symbol.name, allowed))
        layer = ends[end]
        owned = attributes(self.network, layer)
        wanted = owned.get(plain, "")
        if wanted not in self.parameters:
            names = [f"{end.value}.{name}" for name, other in owned.items() if other in self.parameters]
            raise self.located(
                f"'{symbol}': the layer '{layer}' has no such parameter before this point",
                table,
                key,
                nearest(f"{end.value}.{plain}", names),
            )
        if not self.same_shape(self.parameters[wanted].axes[:1], (self.shapes[layer].neurons,)):
            raise self.located(
                f"'{symbol}' is a transposed weight: it does not belong to one neuron of '{layer}'",
                table,
                key,
                None,
            )
        own = self.shapes[layer].neuron_axes
        if len(own) > 1 and (law or self.parameters[wanted].axes != own):
            raise self.located(
                f"'{symbol}': the neurons of '{layer}' come in groups, and "
                + (
                    "a law cannot name a value of one neuron in its group"
                    if law
                    else "weights have an entry for each"
                ),
                table,
                key,
                "Use a parameter of a layer without groups, or no reference here",
            )
        axes = self.parameters[wanted].axes[len(own) :]
        if any(self.axes[axis].kind is not AxisKind.FINITE for axis in axes):
            raise self.located(
                f"'{symbol}' is a value of a pair of neurons, not of one neuron", table, key, None
            )
        sizes = [self.size(axis) for axis in axes]
        fits = len(component) == len(sizes) and all(
            0 <= number < size for number, size in zip(component, sizes, strict=True)
        )
        if not fits:
            raise self.located(
                f"'{symbol}' needs {len(sizes)} component number(s) below {sizes}, counted from 0",
                table,
                key,
                None,
            )
        return end, wanted, component

    # ------------------------------------------------------------------ errors

    def located(self, problem: str, table: str, key: str | None, remedy: str | None) -> SpecError:
        """An error with its place in the file."""
        return SpecError(problem, file=self.network.where, table=table, key=key, remedy=remedy)

    def error(
        self, connection: Connection, problem: str, key: str | None = None, remedy: str | None = None
    ) -> SpecError:
        """An error at a connection."""
        return self.located(problem, connection.table, key, remedy)

    def unknown(self, table: str, name: str, known: dict[str, Access]) -> SpecError:
        """An expression names what is not there."""
        return self.located(f"'{name}' is not known in this expression", table, None, nearest(name, known))
