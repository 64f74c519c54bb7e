"""Rotation: vectors whose direction cannot matter become their lengths, and a sample its length and angles.

Where a limit is invariant under rotations of x (:mod:`mfderive.analysis.rotations`), the weight vector of a
neuron keeps its direction for all time, and what a neuron and a sample have to do with each other is the
cosine of the angle between them. It is a number of its own law: on the sphere of d dimensions, of density
proportional to (1 - u^2)^((d - 3) / 2). So x becomes one number per sample, a weight vector one number per
neuron, and cosines are one more axis with nodes of their own (theory C.4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.data_law import DataLaw
from ..algebra.findings import Finding, FindingKind
from ..algebra.laws import Law, LawKind, Variable
from ..algebra.reduced import DrawnNetwork, PassResult, StateMapping
from ..algebra.system import LimitSystem
from ..algebra.terms import Access, AxisKind, Equation, Field, Index, Slot, Term
from ..analysis.rotations import Broken, Rotation, angles_of, lengths, rotation_of
from ..errors import ArgumentError, StateError
from ..samples.radial import radial_law
from .angles import Angles, angles_between

Array = Any


def turn(system: LimitSystem) -> PassResult:
    """The system in lengths and angles, where the limit is invariant under rotations; else as it is.

    Data is encoded by the length of what is turned, behind what is not (ArgumentError for an x of another
    shape). No drawn state restricts: its directions are some directions, and the reduced limit has all of
    them (StateError). A network lifts by a random direction for every neuron.
    """
    found = rotation_of(system)
    if found is None:
        return PassResult(system)
    if isinstance(found, Broken):
        broken = Finding.of(
            FindingKind.NO_ROTATION, found.subject, reason=found.reason, directions=found.directions
        )
        return PassResult(system, (broken,))
    if found.directions:  # about which x would have to be written in two
        return PassResult(system)
    subjects = tuple(found.random.values())
    finding = Finding.of(FindingKind.ROTATION, *subjects, dimension=found.dimension, sample=found.sample)
    return PassResult(
        _in_lengths(system, found),
        (finding,),
        encode=partial(_encoded, found.kept, found.dimension),
        restrict=partial(_restricted, subjects[0]),
        lift=partial(_lifted, system, found),
        integrate=partial(radial_law, found.kept, found.dimension),
    )


def _in_lengths(system: LimitSystem, rotation: Rotation) -> LimitSystem:
    angles = {population: angles_between(system, rotation, population) for population in rotation.random}
    rewriter = _Rewriter(system, rotation, angles)
    left = system.map_equations(rewriter.equation)
    equations = [new for equation in left.equations for new in (*_before(equation.field, angles), equation)]
    law = system.data_law
    # x lies along the axis itself, or has the entries of it at its end.
    sizes = {system.field["x"].axes[1]: rotation.kept + 1, rotation.axis: 1}
    return replace(
        left,
        axes=(
            *(replace(a, size=sizes.get(a.name, a.size)) for a in left.axes),
            *(each.axis for each in angles.values()),
        ),
        fields=(
            *(replace(field, axes=rewriter.axes(field)) for field in left.fields),
            *(field for each in angles.values() for field in each.fields),
        ),
        variables=(
            *(_shortened(rotation, variable) for variable in left.variables),
            *(variable for each in angles.values() for variable in each.variables),
        ),
        equations=tuple(equations),
        data_law=None if law is None else DataLaw(law.kind, rotation.kept + 1, law.rows),
    )


def _shortened(rotation: Rotation, variable: Variable) -> Variable:
    """A weight vector as its length: that of normal entries, or of a point of a sphere."""
    if variable.name not in rotation.random.values():
        return variable
    law = variable.law
    if law.kind == LawKind.SPHERE:
        return replace(variable, law=Law(LawKind.CONSTANT, law.arguments, text=str(law.arguments[0])))
    arguments = (law.arguments[1], sp.Integer(rotation.dimension))
    text = f"length of {rotation.dimension} entries {law.text}"
    return replace(variable, law=Law(LawKind.RADIUS, arguments, text=text))


def _before(field: str, angles: Mapping[str, Angles]) -> list[Equation]:
    """The equations of angles that belong before that of a field."""
    return [new for each in angles.values() if each.before == field for new in each.equations]


class _Rewriter:
    """Equations in lengths: products of x with a neuron's vector get their cosine, fields their angle."""

    def __init__(self, system: LimitSystem, rotation: Rotation, angles: Mapping[str, Angles]) -> None:
        self.system, self.rotation, self.angles = system, rotation, angles

    def axes(self, field: Field) -> tuple[str, ...]:
        """The axes of a field: the angle stands behind the neuron that it belongs to."""
        position = self.rotation.angular.get(field.name)
        if position is None:
            return field.axes
        angle = self.angles[field.axes[position]].axis.name
        return (*field.axes[: position + 1], angle, *field.axes[position + 1 :])

    def equation(self, equation: Equation) -> Equation:
        """An equation in lengths."""
        target = self.access(Access(equation.field, equation.target)).indices
        return replace(equation.map_terms(partial(self.term, equation.field)), target=target)

    def access(self, access: Access) -> Access:
        """A read of a field at its angle."""
        position = self.rotation.angular.get(access.field)
        if position is None:
            return access
        angle = self.angle(access.slots[position])
        return Access(access.field, (*access.slots[: position + 1], angle, *access.slots[position + 1 :]))

    def angle(self, neuron: Slot) -> Index:
        """The index of the angle between x and the neuron at an index."""
        assert isinstance(neuron, Index)
        return Index(f"angle {neuron.name}", self.angles[neuron.axis].axis.name)

    def term(self, field: str, term: Term) -> Term:
        """A term in lengths; angles that its target does not have are averaged over."""
        used = angles_of(self.rotation, self.rotation.angular, field, term)
        reads: dict[sp.Symbol, Access] = {}
        parts = []
        for part, neurons in lengths(self.rotation, field, term):
            factors = [self.read(self.angles[n.axis].cosine, n, term, reads) for n in neurons]
            parts.append(sp.Mul(part, *factors))
        new = term.map_accesses(field, self.access)
        averaged = [n for n in used if self.angle(n) not in new.target]
        shares = [
            self.read(share, n, term, reads)
            for n in averaged
            if (share := self.angles[n.axis].share) is not None
        ]
        return replace(
            new,
            reduced=(*new.reduced, *map(self.angle, averaged)),
            expression=sp.Mul(sp.Add(*parts), *shares),
            accesses=(*new.accesses, *reads.items()),
        )

    def read(self, name: str, neuron: Index, term: Term, reads: dict[sp.Symbol, Access]) -> sp.Symbol:
        """The symbol of a field of an angle at a neuron, new to the term, entered in ``reads``."""
        slots: tuple[Slot, ...] = (self.angle(neuron),)
        if not self.angles[neuron.axis].fixed:
            samples = [i for i in term.indices if self.system.axis[i.axis].kind is AxisKind.DATA]
            assert len(samples) == 1, "angles are those of one sample"
            slots = (samples[0], neuron, *slots)
        access = Access(name, slots)
        for symbol, known in reads.items():
            if known == access:
                return symbol
        taken = {symbol.name for symbol in (*reads, *(symbol for symbol, _ in term.accesses))}
        while name in taken:
            name += "'"
        symbol = sp.Symbol(name)
        reads[symbol] = access
        return symbol


# ---------------------------------------------------------------------------------------- there and back


def _encoded(kept: int, dimension: int, x: Array, y: Array | None) -> tuple[Array, Array | None]:
    if np.shape(x)[1:] != (kept + dimension,):  # a length would hide it
        raise ArgumentError(f"x has shape {np.shape(x)}; expected [sample, {kept + dimension}]")
    x = np.asarray(x)
    turned = x[:, kept:]
    length = np.sqrt(np.einsum("si,si->s", turned, turned))[:, None]
    return np.concatenate([x[:, :kept], length], axis=1), y


def _restricted(vector: str, state: StateMapping) -> StateMapping:
    raise StateError(
        f"the reduced limit has the vectors of '{vector}' in all directions alike, and the given state has "
        "them in some. Solve without symmetries (symmetry=False, --no-symmetry)"
    )


def _lifted(system: LimitSystem, rotation: Rotation, network: DrawnNetwork) -> DrawnNetwork:
    """The network whose neurons have a random direction each, the same for all vectors of a neuron."""
    directions = {}
    for population in rotation.random:
        normal = network.generator(f"direction {population}").standard_normal(
            (network.sizes[population], rotation.dimension)
        )
        directions[population] = normal / np.linalg.norm(normal, axis=1, keepdims=True)

    def turned(name: str, values: Array) -> Array:
        if name not in rotation.vectors:
            return values
        own = directions[rotation.vectors[name]]
        neurons_first = system.variable[name].axes[1] == rotation.axis
        return (values * (own if neurons_first else own.T)).astype(np.asarray(values).dtype)

    known = {variable.name for variable in system.variables}
    return replace(
        network,
        state={name: turned(name, values) for name, values in network.state.items() if name in known},
        labels={name: turned(name, values) for name, values in network.labels.items()},
    )
