"""From a network to its kernel equations: the conductor."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from ..algebra.memo import once
from ..algebra.system import ForwardSystem
from ..algebra.terms import Access, AxisKind, Equation, Role, Term
from ..forward.builder import STEPS
from ..forward.equations import forward_system
from ..limit.reverse import LOSS, reverse_pass
from ..network.network import Connection, Network
from .atoms import ONE, Atom
from .batch_fields import with_batches
from .input_kernels import INPUT
from .kernel_system import KernelSystem, Missing, Part
from .mask_field import with_masks
from .moments import Moments
from .parameter_moments import derive_gradient
from .random_fields import RandomFields, UnderivableError
from .scales import Scales

OUTPUT = "yhat"


@once
def kernel_system(network: Network) -> KernelSystem:
    """The kernel equations of a resolved network whose weights are N(0, sigma_w2 / fan-in).

    Raises UnderivableError (an MfError) where the kernels of the forward equations do not close; what is
    missing of the backward ones is said in the result.
    """
    stated, batch = with_batches(forward_system(without_averages(network)), network)
    system, kept = with_masks(stated, network)
    derived, seed = with_adjoints(system)
    fields = RandomFields.of(derived, batch)
    refuse_finite_layers(fields)
    scales = Scales.of(system, fields.biases, network)
    moments = Moments(fields, scales, kept)
    read_forward(moments)
    missing = [*read_backward(moments, seed)]
    missing += read_parameters(moments, derived) if not missing else []
    finite = tuple(a for a in system.axes if a.kind is AxisKind.FINITE)
    return KernelSystem(
        system.title,
        finite,
        tuple(moments.kernels.values()),
        tuple(moments.equations),
        tuple(scales.used),
        tuple((symbol, value) for symbol, value in scales.values.items() if symbol in scales.used),
        fields.finite_axes(INPUT),
        tuple(sorted(fields.biases)),
        OUTPUT,
        tuple(missing),
        None if batch is None else batch.size,
    )


def without_averages(network: Network) -> Network:
    """The network whose weighted sums are sums: the variance of a weight is divided by its whole fan-in
    instead."""

    def plain(connection: Connection) -> Connection:
        if connection.weight is None:
            return connection
        return replace(connection, average=tuple(a for a in connection.average if a == STEPS))

    layers = tuple(replace(a, connections=tuple(map(plain, a.connections))) for a in network.layers)
    output = replace(network.output, connections=tuple(map(plain, network.output.connections)))
    return replace(network, layers=layers, output=output)


def with_adjoints(system: ForwardSystem) -> tuple[ForwardSystem, str]:
    """The system with its adjoints and gradients, and the adjoint of the output, which is given."""
    needed = ancestors(system, OUTPUT)
    forward = tuple(e for e in system.equations if e.field in needed)
    backward, evolution = reverse_pass(replace(system, equations=(*forward, output_loss(system))))
    seed = system.field[OUTPUT].derived(Role.ADJOINT).name
    fields = tuple(replace(f, role=Role.INPUT) if f.name == seed else f for f in backward.fields)
    equations = tuple(e for e in backward.equations if e.field != seed)
    made = replace(
        system,
        fields=(*system.fields, *fields, *evolution.fields),
        equations=(*forward, *equations, *evolution.equations),
    )
    return made, seed


def output_loss(system: ForwardSystem) -> Equation:
    """The sum of y yhat in the place of the loss: what is wanted are the derivatives of the output."""
    data, outputs = system.equation_of[OUTPUT].target
    y, yhat = sp.Symbol("y"), sp.Symbol(OUTPUT)
    accesses = ((y, Access("y", (data, outputs))), (yhat, Access(OUTPUT, (data, outputs))))
    return Equation(LOSS, (data,), (Term((data,), (outputs,), y * yhat, accesses),))


def ancestors(system: ForwardSystem, name: str) -> frozenset[str]:
    """A field with all fields that it depends on."""
    found, waiting = {name}, [name]
    while waiting:
        equation = system.equation_of.get(waiting.pop())
        new = equation.reads - found if equation is not None else frozenset()
        found |= new
        waiting += new
    return frozenset(found)


def refuse_finite_layers(fields: RandomFields) -> None:
    """Raises UnderivableError where something reads a layer of finitely many neurons: its kernel is
    random."""
    heads = {name for name in fields.definition if fields.is_head(name)}
    for equation in fields.system.forward:
        read = heads & equation.reads
        if read:
            own = fields.fields[equation.field]
            raise fields.refusal(
                own,
                f"reads {', '.join(sorted(read))}, which has finitely many neurons, so that its kernels "
                f"are random",
                "a layer that is infinitely wide",
            )


def read_forward(moments: Moments) -> None:
    """The second moments of all pre-activations, in the order of the network, and of the output."""
    fields = moments.fields
    for equation in fields.system.forward:
        own = fields.fields[equation.field]
        if fields.is_random(own.name) and not own.hidden:
            if not fields.is_gaussian(own.name):
                moments.constant(own.name, 1, fields.finite_target(own.name))
            _second(moments, shown(moments, own.name))


def shown(moments: Moments, name: str) -> str:
    """The field whose kernel is shown for a pre-activation: with its bias, where it is read with that
    alone."""
    fields = moments.fields
    readers = [
        (equation.field, term)
        for equation in fields.system.forward
        for term in equation.terms
        if any(access.field == name for _, access in term.accesses)
    ]
    if not readers or not fields.is_gaussian(name):
        return name
    common = set.intersection(
        *({b for b in fields.biases if fields.is_added(t, b, name)} for _, t in readers)
    )
    if not common:
        return name
    reader = readers[0][0]
    if len(readers) == 1 and fields.fields[reader].hidden and fields.is_gaussian(reader):
        fields.shown_as[reader] = name  # the activation itself is nothing but the bias
        fields.written.add(name)
        return reader
    main = Atom(name, 1, ONE, fields.finite_target(name))
    biases = [(Atom(bias, 0, ONE), sp.Integer(1)) for bias in sorted(common)]
    made = moments.forms.declared(main, [(main, sp.Integer(1)), *biases])
    fields.shown_as[made] = name
    return made


def _second(moments: Moments, name: str) -> None:
    left = moments.fields.finite_target(name)
    population = any(
        moments.fields.system.axis[a].kind is AxisKind.POPULATION for a in moments.fields.fields[name].axes
    )
    neuron = ONE if population else ""
    other = tuple(moments.primed(i, {j.name for j in left}) for i in left)
    moments.second(Atom(name, 1, neuron, left), Atom(name, 2, neuron, other))


def read_backward(moments: Moments, seed: str) -> list[Missing]:
    """The second moments of the adjoints of all pre-activations, from the output down."""
    fields = moments.fields
    missing = []
    if any(fields.is_population(index) for term in fields.definition[OUTPUT] for index in term.reduced):
        reason = (
            "the output averages neurons without a weight, so that it is no random sum of them, and its "
            "gradients vanish as layers grow. Give the output a weight"
        )
        return [Missing(Part.BACKWARD, reason)]
    for equation in fields.system.backward:
        own = fields.fields[equation.field]
        if not fields.is_random(own.name) or not fields.is_shown(own.of):
            continue
        try:
            _second(moments, own.name)
        except UnderivableError as error:
            missing.append(Missing(Part.BACKWARD, str(error)))
            break
    return missing


def read_parameters(moments: Moments, system: ForwardSystem) -> list[Missing]:
    """For every trained parameter the product of two gradients of the output, summed over its entries."""
    if moments.fields.batch is not None:
        reason = (
            "the output of a sample depends on all samples of its batch, so that gradients of two outputs "
            "are no "
            "product of those of two samples"
        )
        return [Missing(Part.PARAMETERS, reason)]
    try:
        for equation in system.evolution:
            derive_gradient(moments, moments.fields.fields[equation.field].of, equation)
    except UnderivableError as error:
        return [Missing(Part.PARAMETERS, str(error))]
    return []
