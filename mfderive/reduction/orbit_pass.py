"""Orbits: of neurons that motions of the coordinates of x take to each other, one stands for all.

Where a limit is invariant under changes of signs and places (:mod:`mfderive.analysis.orbits`), a neuron does
at x what its image does at the image of x. So an average over neurons is one over those that stand for
others, and over their motions; a sample meets a neuron as each of its own images does, which is one more
axis. Tensors of Gauss nodes have all images of their nodes among them, and keep one of each; so do samples.

Sampled nodes have no images among them. To add these makes averages no better than as many other points do,
for what is averaged in the end is the same at all images anyway; so they stay as they are.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import accumulate
from math import prod
from operator import mul
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.data_law import DataLaw
from ..algebra.findings import Finding, FindingKind
from ..algebra.reduced import PassResult, StateMapping
from ..algebra.system import LimitSystem
from ..algebra.terms import Access, Affine, Axis, AxisKind, Equation, Field, Index, Role, Slot, Term
from ..analysis.orbits import BrokenOrbits, OrbitBreak, Orbits, orbits_of
from ..analysis.reflections import reflection_of
from ..errors import ArgumentError, StateError
from ..samples.orbit_images import OrbitFold
from ..state.ensembles import plan_ensembles
from .orbit_nodes import NeuronMotions

Array = Any

# The axis of the motions, the images of x, what its target is multiplied by at each of them, and 1 where a
# column of the moved target is which of y; the axis of all these numbers.
MOTIONS, IMAGES, TARGET_SIGN, PLACES, ENTRIES = "motions", "x images", "y sign", "y places", "image entries"


def fold_orbits(system: LimitSystem) -> PassResult:
    """The system on one neuron and one sample of each orbit, where the limit has motions; else as it is.

    Data is encoded as all images of x (ArgumentError for an x of another shape). No drawn state restricts:
    its neurons are some of their images, and the reduced limit has all of them alike (StateError). A network
    lifts by a random motion of every neuron.
    """
    found = orbits_of(system)
    if found is None:
        return PassResult(system)
    if isinstance(found, BrokenOrbits):
        return PassResult(system, (_unused(found.reason, found.subject),))
    if plan_ensembles(system)[found.population].is_sampled:
        return PassResult(system, (_unused(OrbitBreak.SAMPLED, found.population),))
    if all(len(set(m.signs)) == 1 and not m.moves for m in found.motions) and reflection_of(system):
        return PassResult(system)  # x and -x do the same to one neuron already
    neurons = NeuronMotions.of(system, found)
    return PassResult(
        _Rewriter(system, found).system(),
        (_finding(system, found, neurons),),
        encode=partial(_encoded, found, _shape_of_x(system)),
        restrict=partial(_restricted, found.population),
        lift=neurons.lift,
        integrate=OrbitFold(found.of_x).law,
        fold=neurons.fold,
    )


def _unused(reason: OrbitBreak, subject: str) -> Finding:
    return Finding.of(FindingKind.NO_ORBITS, subject, reason=reason)


def _shape_of_x(system: LimitSystem) -> tuple[int, ...]:
    """The shape of one x."""
    return tuple(system.axis[axis].size or 0 for axis in system.field["x"].axes[1:])


def _finding(system: LimitSystem, orbits: Orbits, neurons: NeuronMotions) -> Finding:
    vectors = [v.name for v in system.parameters if v.name in orbits.vectors]
    return Finding.of(
        FindingKind.ORBITS,
        *vectors,
        population=orbits.population,
        motions=orbits.motions,
        positions=orbits.positions,
        nodes=plan_ensembles(system)[orbits.population].nodes,
        left=neurons.count(system),
    )


class _Rewriter:
    """The equations for one neuron and one sample of each orbit."""

    def __init__(self, system: LimitSystem, orbits: Orbits) -> None:
        self.given, self.orbits = system, orbits
        (self.data,) = (axis.name for axis in system.axes if axis.kind is AxisKind.DATA)
        self.negates, self.columns = orbits.negates, orbits.columns
        self.motion = Index(MOTIONS, MOTIONS)
        self.new: dict[str, Field] = {}  # fields of samples by motions, as neurons see them or give to them
        self.seen: set[str] = set()  # the fields whose values neurons see by motions

    def system(self) -> LimitSystem:
        """The whole system."""
        given, orbits = self.given, self.orbits
        images, dimension = len(orbits.motions), prod(_shape_of_x(given))
        law = given.data_law
        axes = (replace(a, images=images) if a.name == orbits.population else a for a in given.axes)
        numbers = dimension + self.negates + self.columns**2
        entries = Axis(ENTRIES, AxisKind.FINITE, numbers, part=given.axis[orbits.axis].part)
        motions = Axis(MOTIONS, AxisKind.FINITE, images, part=MOTIONS)
        equations = [new for equation in given.equations for new in self.rewritten(equation)]
        equations = [*self.copies(dimension), *self.with_seen(equations)]
        return replace(
            given,
            axes=(*axes, motions, entries),
            fields=(*(self.field(field) for field in given.fields), *self.added(), *self.new.values()),
            equations=tuple(equations),
            data_law=None if law is None else DataLaw(law.kind, law.dimension, law.rows),
        )

    # ------------------------------------------------------------------ fields

    def is_moved(self, axes: tuple[str, ...]) -> bool:
        """Whether a field is of a sample and of a neuron with a vector, and so of their motion too."""
        return self.data in axes and self.orbits.population in axes

    def field(self, field: Field) -> Field:
        """A field with the axis of motions behind the samples, where it has both."""
        if field.name == "x":
            return replace(field, axes=(field.axes[0], MOTIONS, ENTRIES))
        return replace(field, axes=self.placed(field.axes, field.axes, MOTIONS))

    def placed(self, axes: tuple[str, ...], slots: tuple[Any, ...], new: Any) -> tuple[Any, ...]:
        """Slots of a field on ``axes``, with a new one behind that of the samples where it is moved."""
        return self.behind(axes, slots, new) if self.is_moved(axes) else slots

    def behind(self, axes: tuple[str, ...], slots: tuple[Any, ...], new: Any) -> tuple[Any, ...]:
        """Slots of a field on ``axes``, with a new one behind that of the samples."""
        end = axes.index(self.data) + 1
        return (*slots[:end], new, *slots[end:])

    def added(self) -> list[Field]:
        """The images of x, and the sign of y at each of them."""
        x = self.given.field["x"]
        axes = (x.axes[0], MOTIONS, *x.axes[1:])
        images = replace(x, name=IMAGES, axes=axes, role=Role.FORWARD, of=x.name)
        sign = replace(x, name=TARGET_SIGN, axes=(x.axes[0], MOTIONS), role=Role.FORWARD, of=x.name)
        places = replace(sign, name=PLACES, axes=(*sign.axes, self.orbits.outputs, self.orbits.outputs))
        return [images, *([sign] if self.negates else []), *([places] if self.columns else [])]

    def copies(self, dimension: int) -> list[Equation]:
        """What is given as x, in its parts."""
        x, sample = sp.Symbol("x"), Index(self.data, self.data)
        entries = tuple(Index(axis, axis) for axis in self.given.field["x"].axes[1:])
        *sizes, _ = accumulate((1, *reversed(_shape_of_x(self.given))), mul)
        each = Affine(tuple(zip(reversed(sizes), entries, strict=True)))

        def copy(field: str, target: tuple[Index, ...], slot: Affine) -> Equation:
            read = Access("x", (sample, self.motion, slot))
            return Equation(field, target, (Term(target, (), x, ((x, read),)),))

        found = [copy(IMAGES, (sample, self.motion, *entries), each)]
        if self.negates:
            found.append(copy(TARGET_SIGN, (sample, self.motion), Affine((), dimension)))
        if self.columns:
            moved, own = self.output, self.other
            slot = Affine(((self.columns, moved), (1, own)), dimension + self.negates)
            found.append(copy(PLACES, (sample, self.motion, moved, own), slot))
        return found

    # ------------------------------------------------------------------ outputs that change places

    @property
    def output(self) -> Index:
        """An output."""
        return Index(self.orbits.outputs, self.orbits.outputs)

    @property
    def other(self) -> Index:
        """The output in whose place one is after a motion."""
        return Index(f"{self.orbits.outputs}'", self.orbits.outputs)

    def has_outputs(self, field: str) -> bool:
        """Whether a field has outputs that change places, and no neuron with a vector."""
        axes = self.given.field[field].axes
        return bool(self.columns) and self.orbits.outputs in axes and self.orbits.population not in axes

    def meets(self, field: str, term: Term) -> bool:
        """Whether a sample meets a neuron with a vector in a term, or an average for each output."""
        kinds = {index.axis for index in term.indices}
        averages = self.has_outputs(field) and self.data not in self.given.field[field].axes
        return self.data in kinds and (self.orbits.population in kinds or averages)

    def rewritten(self, equation: Equation) -> list[Equation]:
        """An equation for those that stand for others; in two where outputs change places in its sums."""
        field = equation.field
        if not self.has_outputs(field) or self.data not in self.given.field[field].axes:
            return [self.equation(equation)]
        meet = any(self.meets(field, term) for term in equation.terms)
        return self.by_motions(equation) if meet else [equation]

    def by_motions(self, equation: Equation) -> list[Equation]:
        """What a sample gets from neurons: for each motion as they see its outputs, then in their places."""
        field = self.given.field[equation.field]
        part, target = self.by_motion(field.name), self.behind(field.axes, equation.target, self.motion)
        meeting = [each for each in equation.terms if self.meets(field.name, each)]
        rest = [each for each in equation.terms if not self.meets(field.name, each)]
        terms = tuple(self.term(field.name, each, target) for each in meeting)
        own = equation.target[field.axes.index(self.orbits.outputs)]
        moved = Index(f"{own.name}'", self.orbits.outputs)
        slots = tuple(moved if slot == own else slot for slot in target)
        sample = equation.target[field.axes.index(self.data)]
        back = self.put(Access(part, slots), equation.target, (sample, moved, own), (self.motion, moved))
        mean = back.with_expression(back.expression / len(self.orbits.motions))
        return [Equation(part, target, terms), replace(equation, terms=(*rest, mean))]

    def by_motion(self, name: str) -> str:
        """The name of a field of samples with its outputs where neurons see them, a field of its own."""
        field = self.given.field[name]
        of = f"{field.of} by motions" if field.role is Role.ADJOINT else ""
        axes = self.behind(field.axes, field.axes, MOTIONS)
        found = replace(field, name=f"{name} by motions", axes=axes, of=of)
        self.new[found.name] = found
        return found.name

    def put(
        self,
        read: Access,
        target: tuple[Index, ...],
        places: tuple[Index, Index, Index],
        reduced: tuple[Index, ...],
    ) -> Term:
        """What is read at outputs, put into other places: those of a sample, a moved output and its own."""
        values, put = sp.Symbol("values"), sp.Symbol(PLACES)
        sample, moved, own = places
        accesses = ((values, read), (put, Access(PLACES, (sample, self.motion, moved, own))))
        return Term(target, reduced, put * values, accesses)

    def with_seen(self, equations: list[Equation]) -> list[Equation]:
        """Equations with those of fields as neurons see them, each behind that of the field itself."""
        found = []
        for equation in equations:
            found.append(equation)
            if equation.field in self.seen:
                found.append(self.as_seen(self.given.field[equation.field]))
        return found

    def as_seen(self, field: Field) -> Equation:
        """The equation of a field of samples as neurons see it."""
        own = tuple(self.other if axis == self.orbits.outputs else Index(axis, axis) for axis in field.axes)
        name = self.by_motion(field.name)
        target = tuple(Index(axis, axis) for axis in self.new[name].axes)
        places = Index(self.data, self.data), self.output, self.other
        return Equation(name, target, (self.put(Access(field.name, own), target, places, (self.other,)),))

    # ------------------------------------------------------------------ equations

    def equation(self, equation: Equation) -> Equation:
        """An equation for those that stand for others."""
        axes = self.given.field[equation.field].axes
        kept = equation.without(self.orbits.averages).map_terms(partial(self.term, equation.field))
        return replace(kept, target=self.placed(axes, equation.target, self.motion))

    def term(self, field: str, term: Term, given: tuple[Slot, ...] | None = None) -> Term:
        """A term in which a sample meets a neuron as all of its images do.

        Everything is as the neuron sees it: what belongs to the sample alone changes its sign with its y.
        ``given``: the slots of a field that has the motions for itself.
        """
        if not self.meets(field, term):
            return term
        sample = next(index for index in term.indices if index.axis == self.data)
        sign = sp.Symbol(TARGET_SIGN)
        turned = {s: sign * s for s, access in term.accesses if self.is_odd_sample(access.field)}
        expression = term.expression.xreplace(turned)
        if given is None and self.is_odd_sample(field):
            expression = sign * expression
        axes, reduced = () if given else self.given.field[field].axes, term.reduced
        if given is None and not self.is_moved(axes):  # an average over the motions
            expression = expression / len(self.orbits.motions)
            reduced = (*reduced, self.motion)
        accesses = tuple((symbol, self.access(access)) for symbol, access in term.accesses)
        if sign in expression.free_symbols:
            accesses = (*accesses, (sign, Access(TARGET_SIGN, (sample, self.motion))))
        target: tuple[Slot, ...] = given or self.placed(axes, term.target, self.motion)
        return Term(target, reduced, expression, accesses)

    def is_odd_sample(self, field: str) -> bool:
        """Whether a field belongs to a sample alone, and changes its sign with y."""
        axes = self.given.field[field].axes
        return field in self.orbits.odd and self.data in axes and self.orbits.population not in axes

    def access(self, access: Access) -> Access:
        """A read of a field as its motion has it."""
        if access.field == "x":
            return Access(IMAGES, (access.slots[0], self.motion, *access.slots[1:]))
        axes = self.given.field[access.field].axes
        if self.has_outputs(access.field) and self.data in axes:
            self.seen.add(access.field)
            return Access(self.by_motion(access.field), self.behind(axes, access.slots, self.motion))
        return Access(access.field, self.placed(axes, access.slots, self.motion))


# ---------------------------------------------------------------------------------------- there and back


def _encoded(orbits: Orbits, shape: tuple[int, ...], x: Array, y: Array | None) -> tuple[Array, Array | None]:
    if np.shape(x)[1:] != shape:
        raise ArgumentError(f"x has shape {np.shape(x)}; expected [sample, {', '.join(map(str, shape))}]")
    flat = np.reshape(x, (len(x), prod(shape)))
    images = np.stack([motion(flat) for motion in orbits.of_x], axis=1)
    added = []
    if orbits.negates:
        added.append(np.array([[motion.target] for motion in orbits.motions]))
    if orbits.columns:
        own = np.eye(orbits.columns)
        places = [motion.columns or tuple(range(orbits.columns)) for motion in orbits.motions]
        added.append(own[np.array(places)].reshape(len(places), -1))
    if not added:
        return images, y
    numbers = np.concatenate(added, axis=1)
    numbers = np.broadcast_to(numbers, (len(images), *numbers.shape)).astype(images.dtype)
    return np.concatenate([images, numbers], axis=2), y


def _restricted(population: str, state: StateMapping) -> StateMapping:
    raise StateError(
        f"the reduced limit has the neurons of '{population}' with all of their images under changes of "
        "signs and places alike, and the given state has some of them. Solve without symmetries "
        "(symmetry=False, --no-symmetry)"
    )
