"""The forward equations of a network: the only place where layer kinds mean anything.

Each layer kind states how it reads its source (:mod:`mfderive.forward.kind`); everything else (backward,
evolution, scalings, code, witness) follows from the equations that stand here.
"""

from __future__ import annotations

import sympy as sp

from ..algebra.arguments import NETWORK, instance
from ..algebra.laws import End
from ..algebra.local_symbols import end_of
from ..algebra.memo import once
from ..algebra.system import ForwardSystem
from ..algebra.terms import (
    BIAS_PART,
    OUTPUT_PART,
    Access,
    Affine,
    Field,
    Index,
    Role,
    Slot,
    Term,
    canonical_indices,
)
from ..network.names import INPUT, MAIN, OUTPUT
from ..network.network import AxisReduction, Connection, Layer, Network
from .builder import GROUPS, POSITIONS, STEPS, Shape
from .declarations import field_name
from .kind import Positions, Reading, Site
from .layer_shapes import Shapes
from .learning import with_learning
from .local_names import make_term
from .objective import loss_equations
from .readings import made_axes, read_source
from .statistics import Statistics


def forward_system(network: Network) -> ForwardSystem:
    """The forward equations of a resolved network (theory A.2), the loss of a sample last.

    Layers with steps are unrolled: one field per step, with the same parameters. Stated once per network.
    Raises SpecError where shapes do not fit (ties, skips, kernels larger than what they read).
    """
    instance(network, Network, "a network", NETWORK)
    return _stated(network)


@once
def _stated(network: Network) -> ForwardSystem:
    builder = ForwardBuilder(network)
    builder.inputs()
    builder.find_shapes()
    for layer in network.layers:
        for step in builder.steps(layer):
            builder.need(layer.name, step)
    builder.output()
    loss_equations(builder, network)
    return with_learning(builder.system(), network)


class ForwardBuilder(Shapes):
    """Walks through the layers (and their recurrent steps) and states their equations."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        # Pre-activations by layer and step, complete activations, and what is being evaluated.
        self.local: dict[tuple[str, int], dict[str, Access]] = {}
        self.done: dict[tuple[str, int], None] = {}
        self.waiting: dict[tuple[str, int], None] = {}
        self.statistics: dict[tuple[str, int], Statistics] = {}

    def made(self, layer: str, connection: Connection, part: str) -> Positions:
        """The positions (or groups) that a connection gives a layer: names or sizes of axes, or None."""
        return made_axes(Site(self, connection, layer), part)

    # ------------------------------------------------------------------ layers and steps

    def steps(self, layer: Layer) -> tuple[int, ...]:
        """The steps of a layer, counted from 1; (0,) for a layer without."""
        return tuple(range(1, layer.steps + 1)) or (0,)

    def need(self, name: str, step: int) -> None:
        """Make sure that the output of a layer at a step is stated; everything it reads comes first."""
        key = (name, step)
        if key in self.done:
            return
        layer = self.network.layer[name]
        if key in self.waiting:
            circle = " -> ".join(field_name(*each) for each in (*self.waiting, key))
            raise self.located(
                f"step {step} of '{name}' depends on itself: {circle}",
                layer.table,
                None,
                "What is taken over all steps, or at the last step, cannot be read at an earlier one",
            )
        self.waiting[key] = None
        steps = self.steps(layer) if _over_steps(layer) else (step,)
        for each in steps:
            self.preactivations(layer, each)
        self.activation(layer, step)
        del self.waiting[key]
        self.done[key] = None

    def preactivations(self, layer: Layer, step: int) -> None:
        """State the pre-activations of a layer at a step, from its connections."""
        if (layer.name, step) in self.local:
            return
        shape = self.shapes[layer.name]
        self.node_parameters(layer, shape)
        target = canonical_indices(shape.axes)
        # In the order of the file, whatever they go into: a weight's law stands at its first mention.
        terms: dict[str, list[Term]] = {}
        for connection in layer.connections:
            for part, axes in ((GROUPS, shape.groups), (POSITIONS, shape.positions)):
                made = self.made(layer.name, connection, part) if connection.delay else None
                if made is not None:
                    self.check_made(layer.name, connection, part, made, "at its own step", axes)
            own = terms.setdefault(connection.into, [])
            own += self.terms(layer.name, target, connection, step)
        base = field_name(layer.name, step)
        local: dict[str, Access] = {}
        for into, stated in terms.items():
            name = base if into == MAIN else f"{base}.{into}"
            local[into] = self.equation(name, target, tuple(stated), owner=layer.name, part=into, step=step)
        for key in (*dict(layer.parameters), *(("bias",) if layer.bias is not None else ())):
            local[key] = Access(f"{layer.name}.{key}", target[1 : 1 + len(shape.neuron_axes)])
        self.local[layer.name, step] = local

    def activation(self, layer: Layer, step: int) -> None:
        """The output field of a layer (none where the activation is the identity)."""
        local = self.local[layer.name, step]
        if layer.activation == sp.Symbol(MAIN) and MAIN in local:
            return
        target = canonical_indices(self.shapes[layer.name].axes)
        statistics = self.statistics_of(layer, step)
        expression = statistics(layer.activation)
        term = make_term(target, (), expression, statistics.reads, statistics.unknown)
        self.equation(
            f"{field_name(layer.name, step)}.{OUTPUT_PART}",
            target,
            (term,),
            owner=layer.name,
            part=OUTPUT_PART,
            step=step,
            hidden=True,
        )

    def statistics_of(self, layer: Layer, step: int) -> Statistics:
        """What replaces the statistics in a layer's activation at a step."""
        key = (layer.name, step)
        if key not in self.statistics:
            target = canonical_indices(self.shapes[layer.name].axes)
            self.statistics[key] = Statistics(self, layer, step, target, self.local[key])
        return self.statistics[key]

    # ------------------------------------------------------------------ connections

    def terms(
        self, name: str, target: tuple[Index, ...], connection: Connection, step: int
    ) -> tuple[Term, ...]:
        """The terms of one connection in a pre-activation of layer ``name`` (or the output) at a step."""
        last = self.shapes[connection.source].steps
        if STEPS in connection.average and (step or not last):
            raise self.error(
                connection,
                "an average over steps is for a layer without steps that reads one with steps",
                key="average",
                remedy="To average within the layer, write mean(h, steps) in its activation",
            )
        if connection.delay and not last:
            raise self.error(
                connection,
                f"the connection reads {connection.delay} step(s) back, but '{connection.source}' has none",
                key="from",
                remedy="Give the data a shape [steps, ...]",
            )
        if not last:
            read: tuple[int, ...] = (0,)
        elif step:
            read = (step - connection.delay,)
        else:
            read = tuple(range(1, last + 1)) if STEPS in connection.average else (last,)
        terms = (self.term(name, target, connection, step, each, len(read)) for each in read)
        return tuple(term for term in terms if term is not None)

    def term(
        self,
        name: str,
        target: tuple[Index, ...],
        connection: Connection,
        step: int,
        source_step: int,
        parts: int,
    ) -> Term | None:
        """The term that reads the source at one step, divided by ``parts``; None where it is 0."""
        source = connection.source
        first = source_step < 1 and bool(self.shapes[source].steps)
        for layer in (source, *connection.reads):
            if layer != INPUT and not (first and layer == source):
                self.need(layer, source_step if layer == source else self.same_step(layer, step))
        site = Site(self, connection, name, target, step, source_step)
        reading = read_source(site)
        known: dict[str, Access] = dict(reading.values)
        if connection.weight is not None:
            known["w"] = self.weight(name, connection, reading)
        nothing = {sp.Symbol("u"): sp.Integer(0), sp.Symbol("h"): sp.Integer(0)}
        operation = connection.operation.xreplace(nothing) if first else connection.operation
        if operation == 0:
            return None
        if not first:
            known["u"] = self.value_access(source, reading.source, source_step)
            known["h"] = self.preactivation_access(source, reading.source, source_step)
        noise = [s for s in known["w"].slots[-1:] if self.is_noise(s)] if "w" in known else []
        expression = operation * reading.factor * self.average(connection, reading) / parts
        for symbol in sorted(expression.free_symbols, key=str):
            if end_of(symbol) is not None:
                known[symbol.name] = self.end_access(name, target, connection, reading, symbol)
        return make_term(
            reading.target or target,
            (*reading.reduced, *(s for s in noise if isinstance(s, Index))),
            expression,
            known,
            lambda unknown: self.unknown(connection.table, unknown, known),
        )

    def same_step(self, layer: str, step: int) -> int:
        """The step at which a layer is read that a kind reads beside its source."""
        last = self.shapes[layer].steps
        return (step or last) if last else 0

    def value_access(self, source: str, slots: tuple[Slot, ...], step: int) -> Access:
        """The output of a layer (x: itself) at the given slots, at a step; 0 before the first."""
        if source == INPUT:
            return self.input_access(slots, step)
        if step < 1 and self.shapes[source].steps:
            return Access(self.before(source), slots)
        base = field_name(source, step)
        activated = f"{base}.{OUTPUT_PART}"
        return Access(activated if activated in self.fields else base, slots)

    def preactivation_access(self, source: str, slots: tuple[Slot, ...], step: int) -> Access:
        """The pre-activation h of a layer (x: itself) at the given slots, at a step."""
        return self.input_access(slots, step) if source == INPUT else Access(field_name(source, step), slots)

    def input_access(self, slots: tuple[Slot, ...], step: int) -> Access:
        """x at slots (data, inputs...), at a step where it has steps."""
        if self.shapes[INPUT].steps:
            slots = (slots[0], Affine((), step - 1), *slots[1:])
        return Access(INPUT, slots)

    def before(self, source: str) -> str:
        """The field of a layer before its first step: 0 everywhere."""
        name = f"{source}.before"
        if name not in self.fields:
            target = canonical_indices(self.shapes[source].axes)
            self.equation(name, target, (), owner=source, part="before", frozen=True)
        return name

    def end_access(
        self,
        name: str,
        target: tuple[Index, ...],
        connection: Connection,
        reading: Reading,
        symbol: sp.Symbol,
    ) -> Access:
        """The access to ``source.X`` or ``target.X`` (current values) in an operation."""
        end, full, component = self.reference(
            symbol,
            {End.TARGET: name, End.SOURCE: connection.source},
            connection.table,
            "operation",
            law=False,
        )
        groups = self.shapes[name if end is End.TARGET else connection.source].groups
        neuron = target[1] if end is End.TARGET else reading.source_neuron
        if neuron is None:
            raise self.error(connection, f"'{symbol}': no single neuron of the source is read", "operation")
        group = (target if end is End.TARGET else reading.source)[2 : 2 + len(groups)]
        return Access(full, (neuron, *group, *(Affine((), number) for number in component)))

    # ------------------------------------------------------------------ output

    def output(self) -> None:
        """The output yhat: the sum of its connections and its bias."""
        output = self.network.output
        shape = Shape("outputs")
        target = canonical_indices(shape.axes)
        self.shapes[OUTPUT] = shape
        terms: list[Term] = []
        if output.bias is not None:
            law = self.law("output.bias", output.bias.law, {End.TARGET: OUTPUT}, 1, OUTPUT, "bias")
            field = Field("output.bias", ("outputs",), Role.PARAMETER, owner=OUTPUT, part=BIAS_PART)
            self.parameter(field, law, output.bias.rate)
        for connection in output.connections:
            if connection.weight is None and (self.network.outputs or 1) != 1:
                raise self.error(
                    connection,
                    f"without a weight all {self.network.outputs} outputs would be equal",
                    key="weight",
                    remedy="Give the output a weight",
                )
            terms += self.terms(OUTPUT, target, connection, 0)
        if output.bias is not None:
            known = {"bias": Access("output.bias", (target[1],))}
            terms.append(make_term(target, (), sp.Symbol("bias"), known))
        self.equation("yhat", target, tuple(terms), owner=OUTPUT, part="yhat")

    def system(self) -> ForwardSystem:
        """The finished system; populations keep the order of their first layers."""
        return ForwardSystem(
            self.network.title,
            tuple(self.axes.values()),
            tuple(self.fields.values()),
            tuple(self.with_references(parameter) for parameter in self.parameters.values()),
            tuple(self.equations),
        )


def _over_steps(layer: Layer) -> bool:
    """Whether the activation of a layer has a statistic over its steps."""
    return bool(layer.steps) and any(
        reduction.axis == STEPS
        for reduction in sp.preorder_traversal(layer.activation)
        if isinstance(reduction, AxisReduction)
    )
