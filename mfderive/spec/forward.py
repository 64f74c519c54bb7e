"""The forward equations of a network: the only place where layer kinds mean anything.

Each layer kind states how it reads its source; everything else (backward, evolution, scalings, code,
witness) follows from the equations that stand here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp

from ..algebra.laws import End, Law, Parameter, Reference
from ..algebra.system import ForwardSystem
from ..algebra.terms import (
    Access,
    Affine,
    Axis,
    AxisKind,
    Equation,
    Field,
    Index,
    Role,
    Slot,
    Term,
    canonical_indices,
)
from ..errors import SpecError, nearest
from .names import attributes
from .network import Connection, LawSpec, Layer, Network
from .objective import loss_equations
from .reading import READINGS, ConvolutionShape, Reading, Shape, convolution_shape
from .statistics import replace_statistics
from .terms import make_term, numbered


def forward_system(network: Network) -> ForwardSystem:
    """The forward equations of a resolved network (theory A.2), the loss of a sample last.

    Raises SpecError where shapes do not fit (ties, skips, kernels larger than what they read).
    """
    builder = ForwardBuilder(network)
    builder.inputs()
    for layer in network.layers:
        builder.layer(layer)
    builder.output()
    builder.loss()
    return builder.system()


@dataclass(frozen=True)
class WeightRecord:
    """A weight that has been mentioned: its field, axes (target, source, rest) and noise axis."""

    name: str
    axes: tuple[str, ...]
    noise: str | None


class ForwardBuilder:
    """Collects axes, fields, parameters and equations while it walks through the layers in order."""

    def __init__(self, network: Network) -> None:
        if network.input_shape is None or network.outputs is None:
            raise SpecError("the sizes of the data are not known yet", file=network.file, table="data")
        self.network = network
        self.axes: dict[str, Axis] = {"data": Axis("data", AxisKind.DATA)}
        self.fields: list[Field] = []
        self.parameters: dict[str, Parameter] = {}
        self.equations: list[Equation] = []
        self.shapes: dict[str, Shape] = {}
        self.weights: dict[str, WeightRecord] = {}
        # Where the law of each parameter stands: its ends, table and key.
        self.law_places: dict[str, tuple[dict[End, str], str, str]] = {}
        self.current = ""  # the layer whose connections are being read

    # ------------------------------------------------------------------ declarations

    def axis(self, axis: Axis) -> str:
        """Declare an axis and return its name."""
        self.axes.setdefault(axis.name, axis)
        return axis.name

    def finite(self, name: str, size: int) -> str:
        """Declare a finite axis and return its name."""
        return self.axis(Axis(name, AxisKind.FINITE, size))

    def size(self, axis: str) -> int:
        """The size of a finite axis."""
        size = self.axes[axis].size
        if size is None:
            raise SpecError(f"the axis '{axis}' has no finite size", file=self.network.file)
        return size

    def equation(
        self, name: str, target: tuple[Index, ...], terms: tuple[Term, ...], **options: bool | int
    ) -> Access:
        """Declare a computed field with its equation and return the access to it at its own target."""
        role = Role.FROZEN if options.get("frozen") else Role.FORWARD
        axes = tuple(index.axis for index in target)
        self.fields.append(Field(name, axes, role, hidden=bool(options.get("hidden", False))))
        self.equations.append(Equation(name, target, terms, int(options.get("selector", 0))))
        return Access(name, target)

    def parameter(
        self, name: str, axes: tuple[str, ...], law: Law, rate: sp.Expr, noise: str | None = None
    ) -> None:
        """Declare a parameter; ``axes`` without the noise axis."""
        full = axes if noise is None else (*axes, noise)
        self.fields.append(Field(name, full, Role.PARAMETER))
        self.parameters[name] = Parameter(name, full, law, rate, noise)

    def inputs(self) -> None:
        """Declare x and y."""
        shape = self.network.input_shape or ()
        if len(shape) == 1:
            self.shapes["x"] = Shape(self.finite("inputs", shape[0]))
        else:
            names = numbered("positions", len(shape) - 1)
            positions = tuple(self.finite(n, s) for n, s in zip(names, shape[1:], strict=True))
            self.shapes["x"] = Shape(self.finite("channels", shape[0]), positions)
        self.finite("outputs", self.network.outputs or 1)
        self.fields.append(Field("x", self.shapes["x"].axes, Role.INPUT))
        self.fields.append(Field("y", ("data", "outputs"), Role.INPUT))

    # ------------------------------------------------------------------ layers

    def layer(self, layer: Layer) -> None:
        """The equations of one layer: pre-activations, then statistics and the activation."""
        neurons = self.neuron_axis(layer)
        shape = Shape(neurons, self.positions(layer, neurons))
        self.shapes[layer.name] = shape
        self.node_parameters(layer, shape)
        target = canonical_indices(shape.axes)
        local: dict[str, Access] = {}
        # In the order of the file, whatever they go into: a weight's law stands at its first mention.
        terms: dict[str, list[Term]] = {}
        for connection in layer.connections:
            term = self.term(layer.name, shape, target, connection)
            terms.setdefault(connection.into, []).append(term)
        for into, own in terms.items():
            name = layer.name if into == "h" else f"{layer.name}.{into}"
            local[into] = self.equation(name, target, tuple(own))
        self.activation(layer, target, local)

    def neuron_axis(self, layer: Layer) -> str:
        """The axis of a layer's neurons: its own, or the one that it shares."""
        if layer.neurons is not None:
            return self.shapes[layer.neurons].neurons
        if layer.size is not None:
            return self.finite(layer.name, layer.size)
        return self.axis(Axis(layer.name, AxisKind.POPULATION, None, layer.width))

    def positions(self, layer: Layer, neurons: str) -> tuple[str, ...]:
        """The position axes of a layer: those of its skips, else new ones of its convolutions."""
        found: list[tuple[Connection, tuple[int, ...], tuple[str, ...]]] = []
        for connection in layer.connections:
            source = self.shapes[connection.source]
            if connection.kind == "skip":
                if source.neurons != neurons:
                    raise self.error(
                        connection,
                        f"a skip connection keeps the neuron, but '{connection.source}' and '{layer.name}' "
                        "have different neurons",
                        remedy=f"Give '{layer.name}' the key neurons = \"{connection.source}\"",
                    )
                sizes = tuple(self.size(axis) for axis in source.positions)
                found.insert(0, (connection, sizes, source.positions))
            elif connection.kind == "convolution":
                found.append((connection, self.convolution(connection).outputs, ()))
        if not found:
            return ()
        first, sizes, axes = found[0]
        for connection, other, _ in found[1:]:
            if other != sizes:
                raise self.error(
                    connection,
                    f"this connection gives '{layer.name}' positions of shape {list(other)}, another "
                    f"({first.source}) gives {list(sizes)}",
                    remedy="Choose kernel, stride and padding so that they agree",
                )
        if axes or not sizes:
            return axes
        names = numbered(f"{layer.name}.positions", len(sizes))
        return tuple(self.finite(name, size) for name, size in zip(names, sizes, strict=True))

    def node_parameters(self, layer: Layer, shape: Shape) -> None:
        """Declare the per-neuron parameters and the bias of a layer."""
        own = dict(layer.parameters)
        if layer.bias is not None:
            own["bias"] = layer.bias
        for key, spec in own.items():
            full = f"{layer.name}.{key}"
            law = self.law(full, spec.law, {End.TARGET: layer.name}, 1, layer.table, key)
            self.parameter(full, (shape.neurons,), law, spec.rate)

    def activation(self, layer: Layer, target: tuple[Index, ...], local: dict[str, Access]) -> None:
        """The output field of a layer (none where the activation is the identity)."""
        if layer.activation == sp.Symbol("h") and "h" in local:
            return
        known = dict(local)
        for key in (*dict(layer.parameters), *(("bias",) if layer.bias is not None else ())):
            known[key] = Access(f"{layer.name}.{key}", (target[1],))

        def unknown(name: str) -> SpecError:
            return self.unknown(layer.table, name, known)

        expression = replace_statistics(self, layer, target, known)
        terms = (make_term(target, (), expression, known, unknown),)
        self.equation(f"{layer.name}.out", target, terms, hidden=True)

    # ------------------------------------------------------------------ connections

    def term(self, name: str, shape: Shape, target: tuple[Index, ...], connection: Connection) -> Term:
        """The term of one connection in a pre-activation of layer ``name`` (or the output)."""
        self.current = name
        reading = READINGS[connection.kind](self, shape, target, connection)
        source = connection.source
        known = {"u": self.value_access(source, reading.source), "h": Access(source, reading.source)}
        if connection.weight is not None:
            known["w"] = self.weight(name, connection, reading)
        noise = [s for s in known["w"].slots[-1:] if self.is_noise(s)] if "w" in known else []
        expression = connection.operation * self.average(connection, reading)
        for symbol in sorted(expression.free_symbols, key=str):
            if "." in symbol.name:
                known[symbol.name] = self.end_access(name, target, connection, reading, symbol.name)
        return make_term(
            target,
            (*reading.reduced, *(s for s in noise if isinstance(s, Index))),
            expression,
            known,
            lambda unknown: self.unknown(connection.table, unknown, known),
        )

    def is_noise(self, slot: Slot) -> bool:
        """Whether a slot runs over the noise of a weight."""
        return isinstance(slot, Index) and self.axes[slot.axis].kind is AxisKind.NOISE

    def value_access(self, source: str, slots: tuple[Slot, ...]) -> Access:
        """The output of a layer (x: itself) at the given slots."""
        has_output = any(f.name == f"{source}.out" for f in self.fields)
        return Access(f"{source}.out" if has_output else source, slots)

    def average(self, connection: Connection, reading: Reading) -> sp.Expr:
        """The factor that divides finite sums as ``average`` asks."""
        factor = sp.Integer(1)
        for what in connection.average:
            if what not in reading.counts:
                raise self.error(
                    connection,
                    f"there are no {what} to average over",
                    key="average",
                    remedy=nearest(what, reading.counts),
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
        record = self.weights.get(spec.name) if spec.name else None
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
        full = spec.name or self.weight_name(name, connection)
        fan_in = 1
        for count in reading.counts.values():
            fan_in *= count
        ends = {End.TARGET: name, End.SOURCE: connection.source}
        law = self.law(full, spec.law, ends, fan_in, connection.table, "weight")
        kinds = [self.axes[axis].kind for axis in reading.weight_axes[:2]]
        between = kinds == [AxisKind.POPULATION, AxisKind.POPULATION]
        noise = None
        if between and not law.is_deterministic:
            noise = self.axis(Axis(f"noise {full}", AxisKind.NOISE))
        self.parameter(full, reading.weight_axes, law, spec.rate, noise)
        record = WeightRecord(full, reading.weight_axes, noise)
        self.weights[full] = record
        return record

    def weight_name(self, name: str, connection: Connection) -> str:
        """``h2.weight``, or ``h2.weight.h1`` where the layer has several weights of its own."""
        connections = (
            self.network.output.connections if name == "output" else self.network.layer[name].connections
        )
        own = [c for c in connections if c.weight is not None and c.weight.name is None]
        if len(own) == 1:
            return f"{name}.weight"
        base = f"{name}.weight.{connection.source}"
        if connection.into != "h" and sum(c.source == connection.source for c in own) > 1:
            base = f"{base}.{connection.into}"
        full, number = base, 2
        while full in self.parameters:
            full, number = f"{base}.{number}", number + 1
        return full

    def end_access(
        self,
        name: str,
        target: tuple[Index, ...],
        connection: Connection,
        reading: Reading,
        symbol: str,
    ) -> Access:
        """The access to ``source.X`` or ``target.X`` (current values) in an operation."""
        end, full, component = self.reference(
            symbol, {End.TARGET: name, End.SOURCE: connection.source}, connection.table, "operation"
        )
        neuron = target[1] if end is End.TARGET else reading.source_neuron
        if neuron is None:
            raise self.error(connection, f"'{symbol}' has no neuron here", key="operation")
        return Access(full, (neuron, *(Affine((), number) for number in component)))

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

    def with_references(self, parameter: Parameter) -> Parameter:
        """A parameter with the values that its law names at its ends."""
        place = self.law_places[parameter.name]
        symbols = set().union(*(argument.free_symbols for argument in parameter.law.arguments))
        references = tuple((s, Reference(*self.reference(s.name, *place))) for s in sorted(symbols, key=str))
        return replace(parameter, law=replace(parameter.law, references=references))

    def reference(
        self, symbol: str, ends: dict[End, str], table: str, key: str
    ) -> tuple[End, str, tuple[int, ...]]:
        """What ``source.X``, ``target.X`` or ``source.w[1]`` names: end, parameter, component."""
        head, _, rest = symbol.partition(".")
        plain, _, bracket = rest.partition("[")
        component = tuple(int(part) for part in bracket.rstrip("]").split(",")) if bracket else ()
        end = next((end for end in ends if end.value == head), None)
        if end is None:
            allowed = [f"{known.value}." for known in ends]
            raise self.located(f"'{symbol}' is not known here", table, key, nearest(symbol, allowed))
        layer = ends[end]
        owned = attributes(self.network, layer)
        wanted = owned.get(plain, "")
        if wanted not in self.parameters:
            names = [f"{head}.{name}" for name, other in owned.items() if other in self.parameters]
            raise self.located(
                f"'{symbol}': the layer '{layer}' has no such parameter before this point",
                table,
                key,
                nearest(f"{head}.{plain}", names),
            )
        if not self.same_shape(self.parameters[wanted].axes[:1], (self.shapes[layer].neurons,)):
            raise self.located(
                f"'{symbol}' is a transposed weight: it does not belong to one neuron of '{layer}'",
                table,
                key,
                None,
            )
        axes = self.parameters[wanted].axes[1:]
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

    # ------------------------------------------------------------------ output and loss

    def output(self) -> None:
        """The output yhat: the sum of its connections and its bias."""
        output = self.network.output
        shape = Shape("outputs")
        target = canonical_indices(shape.axes)
        self.shapes["output"] = shape
        terms = []
        if output.bias is not None:
            law = self.law("output.bias", output.bias.law, {End.TARGET: "output"}, 1, "output", "bias")
            self.parameter("output.bias", ("outputs",), law, output.bias.rate)
        for connection in output.connections:
            if connection.weight is None and (self.network.outputs or 1) != 1:
                raise self.error(
                    connection,
                    f"without a weight all {self.network.outputs} outputs would be equal",
                    key="weight",
                    remedy="Give the output a weight",
                )
            terms.append(self.term("output", shape, target, connection))
        if output.bias is not None:
            known = {"bias": Access("output.bias", (target[1],))}
            terms.append(make_term(target, (), sp.Symbol("bias"), known))
        self.equation("yhat", target, tuple(terms))

    def loss(self) -> None:
        """The loss of one sample."""
        loss_equations(self, self.network.loss)

    def system(self) -> ForwardSystem:
        """The finished system; populations keep the order of their first layers."""
        return ForwardSystem(
            self.network.title,
            tuple(self.axes.values()),
            tuple(self.fields),
            tuple(self.with_references(parameter) for parameter in self.parameters.values()),
            tuple(self.equations),
        )

    # ------------------------------------------------------------------ errors

    def convolution(self, connection: Connection) -> ConvolutionShape:
        """The shape of a convolution over its source's positions."""
        positions = self.shapes[connection.source].positions
        try:
            return convolution_shape(connection, tuple(self.size(axis) for axis in positions))
        except SpecError as problem:
            raise problem.located(file=self.network.file, table=connection.table) from None

    def located(self, problem: str, table: str, key: str | None, remedy: str | None) -> SpecError:
        """An error with its place in the file."""
        return SpecError(problem, file=self.network.file, table=table, key=key, remedy=remedy)

    def error(
        self, connection: Connection, problem: str, key: str | None = None, remedy: str | None = None
    ) -> SpecError:
        """An error at a connection."""
        return self.located(problem, connection.table, key, remedy)

    def unknown(self, table: str, name: str, known: dict[str, Access]) -> SpecError:
        """An expression names what is not there."""
        return self.located(f"'{name}' is not known in this expression", table, None, nearest(name, known))
