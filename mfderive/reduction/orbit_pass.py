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

# The axis of the motions, the images of x, and what its target is multiplied by at each of them.
MOTIONS, IMAGES, TARGET_SIGN, ENTRIES = "motions", "x images", "y sign", "image entries"


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
        encode=partial(_encoded, found),
        restrict=partial(_restricted, found.population),
        lift=neurons.lift,
        integrate=OrbitFold(found.motions).law,
        fold=neurons.fold,
    )


def _unused(reason: OrbitBreak, subject: str) -> Finding:
    return Finding.of(FindingKind.NO_ORBITS, subject, reason=reason)


def _finding(system: LimitSystem, orbits: Orbits, neurons: NeuronMotions) -> Finding:
    vectors = [v.name for v in system.parameters if v.name in orbits.vectors]
    return Finding.of(
        FindingKind.ORBITS,
        *vectors,
        population=orbits.population,
        motions=orbits.motions,
        nodes=plan_ensembles(system)[orbits.population].nodes,
        left=neurons.count(system),
    )


class _Rewriter:
    """The equations for one neuron and one sample of each orbit."""

    def __init__(self, system: LimitSystem, orbits: Orbits) -> None:
        self.given, self.orbits = system, orbits
        (self.data,) = (axis.name for axis in system.axes if axis.kind is AxisKind.DATA)
        self.negates = any(motion.target < 0 for motion in orbits.motions)
        self.motion = Index(MOTIONS, MOTIONS)

    def system(self) -> LimitSystem:
        """The whole system."""
        given, orbits = self.given, self.orbits
        images, dimension = len(orbits.motions), given.axis[orbits.axis].size or 0
        law = given.data_law
        axes = (replace(a, images=images) if a.name == orbits.population else a for a in given.axes)
        entries = Axis(ENTRIES, AxisKind.FINITE, dimension + self.negates, part=given.axis[orbits.axis].part)
        motions = Axis(MOTIONS, AxisKind.FINITE, images, part=MOTIONS)
        return replace(
            given,
            axes=(*axes, motions, entries),
            fields=(*(self.field(field) for field in given.fields), *self.added()),
            equations=(*self.copies(dimension), *map(self.equation, given.equations)),
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
        if not self.is_moved(axes):
            return slots
        end = axes.index(self.data) + 1
        return (*slots[:end], new, *slots[end:])

    def added(self) -> list[Field]:
        """The images of x, and the sign of y at each of them."""
        x = self.given.field["x"]
        images = replace(x, name=IMAGES, axes=(x.axes[0], MOTIONS, x.axes[1]), role=Role.FORWARD, of=x.name)
        sign = replace(x, name=TARGET_SIGN, axes=(x.axes[0], MOTIONS), role=Role.FORWARD, of=x.name)
        return [images, sign] if self.negates else [images]

    def copies(self, dimension: int) -> list[Equation]:
        """What is given as x, in its parts."""
        x, sample = sp.Symbol("x"), Index(self.data, self.data)
        entry = Index(self.orbits.axis, self.orbits.axis)

        def copy(field: str, target: tuple[Index, ...], slot: Affine) -> Equation:
            read = Access("x", (sample, self.motion, slot))
            return Equation(field, target, (Term(target, (), x, ((x, read),)),))

        images = copy(IMAGES, (sample, self.motion, entry), Affine(((1, entry),)))
        sign = copy(TARGET_SIGN, (sample, self.motion), Affine((), dimension))
        return [images, sign] if self.negates else [images]

    # ------------------------------------------------------------------ equations

    def equation(self, equation: Equation) -> Equation:
        """An equation for those that stand for others."""
        axes = self.given.field[equation.field].axes
        kept = equation.without(self.orbits.averages).map_terms(partial(self.term, equation.field))
        return replace(kept, target=self.placed(axes, equation.target, self.motion))

    def term(self, field: str, term: Term) -> Term:
        """A term in which a sample meets a neuron as all of its images do.

        Everything is as the neuron sees it: what belongs to the sample alone changes its sign with its y.
        """
        kinds = {index.axis for index in term.indices}
        if not (self.data in kinds and self.orbits.population in kinds):
            return term
        sample = next(index for index in term.indices if index.axis == self.data)
        sign = sp.Symbol(TARGET_SIGN)
        turned = {s: sign * s for s, access in term.accesses if self.is_odd_sample(access.field)}
        expression = term.expression.xreplace(turned)
        if self.is_odd_sample(field):
            expression = sign * expression
        axes, reduced = self.given.field[field].axes, term.reduced
        if not self.is_moved(axes):  # an average over the motions
            expression = expression / len(self.orbits.motions)
            reduced = (*reduced, self.motion)
        accesses = tuple((symbol, self.access(access)) for symbol, access in term.accesses)
        if sign in expression.free_symbols:
            accesses = (*accesses, (sign, Access(TARGET_SIGN, (sample, self.motion))))
        target: tuple[Slot, ...] = self.placed(axes, term.target, self.motion)
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
        return Access(access.field, self.placed(axes, access.slots, self.motion))


# ---------------------------------------------------------------------------------------- there and back


def _encoded(orbits: Orbits, x: Array, y: Array | None) -> tuple[Array, Array | None]:
    dimension = len(orbits.motions[0].places)
    if np.shape(x)[1:] != (dimension,):
        raise ArgumentError(f"x has shape {np.shape(x)}; expected [sample, {dimension}]")
    images = np.stack([motion(x) for motion in orbits.motions], axis=1)
    targets = np.array([motion.target for motion in orbits.motions])
    if (targets > 0).all():
        return images, y
    signs = np.broadcast_to(targets[:, None], (*images.shape[:2], 1)).astype(images.dtype)
    return np.concatenate([images, signs], axis=2), y


def _restricted(population: str, state: StateMapping) -> StateMapping:
    raise StateError(
        f"the reduced limit has the neurons of '{population}' with all of their images under changes of "
        "signs and places alike, and the given state has some of them. Solve without symmetries "
        "(symmetry=False, --no-symmetry)"
    )
