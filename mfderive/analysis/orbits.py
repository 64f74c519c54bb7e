"""Orbits: whether a limit stays the same when coordinates of x and of the vectors that read it move together.

The motions are changes of sign and of place (:mod:`mfderive.algebra.signed_permutations`) that leave the law
of the data as it is. The limit has those under which its equations say the same of a moved sample and a moved
neuron, and under which the laws of the neurons' initial values stay. A neuron then does at x what its image
does at the image of x, for all time: one of them stands for all.

x is a vector, or channels that have positions. Then whole channels move, the same at all positions, and what
a vector has for one of them (its taps) moves together.

Places ask that equations read x and vectors entry by entry all alike, at one entry or in sums over all; signs
ask for more, that what changes its sign does so in all equations (:mod:`mfderive.analysis.charges`).
Whatever acts on entries one by one in the same way, like Adam, commutes with places, and with signs if it is
odd.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import prod

from ..algebra.laws import Variable
from ..algebra.parity import Known, Parity, parity_of
from ..algebra.signed_permutations import SignedPermutation, generated, has_motions, motions_of
from ..algebra.system import LimitSystem
from ..algebra.terms import AxisKind, Equation, Index, Role, Slot, Term, slot_indices
from .charges import Charges, charges, odd_averages, read_parities, term_parity

# Groups of motions are looked for up to so many elements.
MOST_IMAGES = 64


class OrbitBreak(StrEnum):
    """What breaks the invariance where the law of the data has it."""

    CHANNELS = "channels"  # what moves is no whole channel
    LAYOUT = "layout"  # a vector of something else than a sample or one neuron
    POPULATIONS = "populations"  # vectors of several populations
    PLACE = "place"  # an entry is read at a place of its own
    ALONE = "alone"  # x is read where no vector of a neuron is
    PAIRS = "pairs"  # two neurons with vectors meet
    SAMPLES = "samples"  # two samples meet
    NOISE = "noise"  # fresh noise moves neurons
    READ = "read"  # a law reads entries of a vector
    SIGNS = "signs"  # laws or functions are not symmetric
    OUTPUTS = "outputs"  # outputs that would change places are not treated alike
    SAMPLED = "sampled"  # nodes are sampled, so that there are no images among them


@dataclass(frozen=True)
class BrokenOrbits:
    """What breaks the invariance of a limit: ``subject`` is a field or a variable ("" : no single one)."""

    reason: OrbitBreak
    subject: str = ""


@dataclass(frozen=True)
class Orbits:
    """The invariance of a limit under motions of the coordinates of x.

    ``motions``: a group, the identity first, of the entries of x along ``axis`` and of those of vectors;
    ``positions``: how many numbers x has at each of these, which move together; ``population``: whose neurons
    have vectors; ``vectors``: the fields beside x with such entries; ``signed``: those of them, x among them,
    whose entries change their signs with those of x; ``odd``: the fields that change their sign with y;
    ``averages``: the terms that are 0 because they average such a field, each by the field of its equation
    and its position there; ``outputs``: the axis of the outputs.
    """

    motions: tuple[SignedPermutation, ...]
    axis: str
    positions: int
    population: str
    vectors: frozenset[str]
    signed: frozenset[str]
    odd: frozenset[str]
    averages: frozenset[tuple[str, int]]
    outputs: str

    @property
    def of_x(self) -> tuple[SignedPermutation, ...]:
        """The motions of all numbers of x, in row-major order."""
        return tuple(motion.of_blocks(self.positions) for motion in self.motions)

    @property
    def negates(self) -> bool:
        """Whether a motion changes the sign of y."""
        return any(motion.target < 0 for motion in self.motions)

    @property
    def columns(self) -> int:
        """How many columns y has where motions change their places; 0 where none does."""
        return max(len(motion.columns) for motion in self.motions)


class _BrokenError(Exception):
    """Ends the search at what breaks the invariance."""

    def __init__(self, reason: OrbitBreak, subject: str) -> None:
        super().__init__(reason, subject)
        self.broken = BrokenOrbits(reason, subject)


def orbits_of(system: LimitSystem) -> Orbits | BrokenOrbits | None:
    """The invariance of a limit under changes of signs and places, or what breaks it.

    None where the law of the data has none of its own.
    """
    (_, axis, *more), law = system.field["x"].axes, system.data_law
    if law is None or not any(map(has_motions, law.invariances)):
        return None
    entries, positions = system.axis[axis].size or 0, prod(system.axis[each].size or 0 for each in more)
    if law.dimension != entries * positions:
        return None
    motions = [m for each in law.invariances for m in motions_of(each, law.dimension, positions)]
    if not motions:
        return BrokenOrbits(OrbitBreak.CHANNELS)
    try:
        return _Search(system, axis).found(motions, entries, positions)
    except _BrokenError as found:
        return found.broken


def _is_misplaced(own: str, axis: str, slot: Slot) -> bool:
    """Whether a slot reads the ``own`` axis at places of its own, or as something else."""
    read = {index.axis for index in slot_indices([slot])}
    return own in {axis, *read} and (not isinstance(slot, Index) or read != {axis})


class _Search:
    """The layout of vectors, and which motions equations and laws allow."""

    def __init__(self, system: LimitSystem, axis: str) -> None:
        self.system, self.axis = system, axis
        self.outputs = system.field["y"].axes[1]
        self._check_places()
        self.vectors = self._vectors()
        populations = {
            a for name in self.vectors for a in system.field[name].axes if system.axis[a].is_measure
        }
        if len(populations) != 1:
            reason = OrbitBreak.POPULATIONS if populations else OrbitBreak.ALONE
            raise _BrokenError(reason, "x")
        (self.population,) = populations
        self._check_neurons()
        for equation in system.equations:
            for term in equation.terms:
                self._check(equation, term)

    def _vectors(self) -> frozenset[str]:
        """The fields beside x that have its entries, each of one neuron."""
        found = set()
        for field in self.system.fields:
            if self.axis not in field.axes or field.name == "x":
                continue
            others = [self.system.axis[a] for a in field.axes if a != self.axis]
            measures = [axis.kind for axis in others if axis.is_measure]
            if len(others) != len(field.axes) - 1 or measures != [AxisKind.POPULATION]:
                raise _BrokenError(OrbitBreak.LAYOUT, field.name)
            found.add(field.name)
        return frozenset(found)

    def _check_places(self) -> None:
        """Refuse entries at places of their own, and in place of something else."""
        for equation in self.system.equations:
            for term in equation.terms:
                reads = [(access.field, access.slots) for _, access in term.accesses]
                for name, slots in [*reads, (equation.field, term.target)]:
                    placed = zip(self.system.field[name].axes, slots, strict=True)
                    if any(_is_misplaced(self.axis, axis, slot) for axis, slot in placed):
                        raise _BrokenError(OrbitBreak.PLACE, equation.field)

    def _check_neurons(self) -> None:
        """Refuse fresh noise on the neurons, pairs of them, and laws that read their vectors."""
        for field in self.system.fields:
            if field.axes.count(self.population) > 1:
                raise _BrokenError(OrbitBreak.PAIRS, field.name)
            if field.role is Role.DRAW and self.population in field.axes:
                raise _BrokenError(OrbitBreak.NOISE, field.of)
        for variable in self.system.variables:
            if any(reference.parameter in self.vectors for _, reference in variable.law.references):
                raise _BrokenError(OrbitBreak.READ, variable.name)

    def _check(self, equation: Equation, term: Term) -> None:
        """Refuse x without a vector, two neurons in one term, and neurons at places of their own."""
        field, neurons = equation.field, self.neurons(term)
        if len(neurons) > 1:
            raise _BrokenError(OrbitBreak.PAIRS, field)
        if sum(self.system.axis[index.axis].kind is AxisKind.DATA for index in term.indices) > 1:
            raise _BrokenError(OrbitBreak.SAMPLES, field)
        reads = [(access.field, access.slots) for _, access in term.accesses]
        for name, slots in [*reads, (field, term.target)]:
            for axis, slot in zip(self.system.field[name].axes, slots, strict=True):
                if axis == self.population and not isinstance(slot, Index):
                    raise _BrokenError(OrbitBreak.PLACE, field)
            if name == "x" and not neurons:
                raise _BrokenError(OrbitBreak.ALONE, field)

    def neurons(self, term: Term) -> list[Index]:
        """The neurons with vectors that a term is about."""
        return [index for index in term.indices if index.axis == self.population]

    # ------------------------------------------------------------------ signs

    def found(self, motions: list[SignedPermutation], entries: int, positions: int) -> Orbits | BrokenOrbits:
        """The motions that laws and equations have."""
        group = generated(motions, entries, MOST_IMAGES)
        signed = self._signed() if any(m.flips for m in group) else None
        if signed is None:
            group = tuple(m for m in group if not m.flips)
        reason = OrbitBreak.SIGNS
        if any(m.columns for m in group):  # signs of y beside places of its columns are not made use of
            alike = self._has_equal_outputs()
            reason = OrbitBreak.SIGNS if alike else OrbitBreak.OUTPUTS
            group = tuple(m for m in group if (m.target > 0 if alike else not m.columns))
        odd = self._odd() if any(m.target < 0 for m in group) else None
        if odd is None:
            group = tuple(m for m in group if m.target > 0)
        if len(group) < 2:
            return BrokenOrbits(reason)
        return Orbits(
            group,
            self.axis,
            positions,
            self.population,
            self.vectors,
            frozenset(n for n in (*self.vectors, "x") if signed and signed[n] is Parity.ODD),
            frozenset(name for name, charge in (odd or {}).items() if charge is Parity.ODD),
            odd_averages(self.system, odd, self._is_average) if odd else frozenset(),
            self.outputs,
        )

    def _is_average(self, equation: Equation, term: Term) -> bool:
        """Whether something is averaged over samples or neurons with vectors, and has neither any more."""
        axes = self.system.field[equation.field].axes
        return not self._may_be_odd(axes) and self._may_be_odd(tuple(i.axis for i in term.reduced))

    def _has_equal_outputs(self) -> bool:
        """Whether equations and laws treat all outputs alike, so that these may change places.

        Only neurons that have vectors are told apart by random values for each output: those of others would
        have to move as well.
        """
        system, outputs = self.system, self.outputs
        for field in system.fields:
            told = field.role is Role.DRAW and outputs in field.axes
            if told or field.axes.count(outputs) > 1 or (outputs in field.axes and self.axis in field.axes):
                return False
        for variable in system.variables:
            if any(reference.component for _, reference in variable.law.references):
                return False
            alone = system.population_slots(variable.name) == (self.population,)
            alike = variable.law.is_deterministic or (alone and not variable.law.row.is_vector)
            if outputs in variable.axes and not alike:
                return False
        summed = {
            equation.field
            for equation in system.equations
            if self._is_of_outputs(equation.field) and any(map(self.neurons, equation.terms))
        }
        return all(self._treats_outputs_alike(equation, summed) for equation in system.equations)

    def _is_of_outputs(self, field: str) -> bool:
        """Whether a field has outputs for each sample, and is of no neuron with a vector."""
        axes = self.system.field[field].axes
        has_samples = any(self.system.axis[axis].kind is AxisKind.DATA for axis in axes)
        return has_samples and self.outputs in axes and self.population not in axes

    def _treats_outputs_alike(self, equation: Equation, summed: Collection[str]) -> bool:
        """Whether an equation reads outputs by indices over all of them, and chooses none of them.

        What neurons, and averages for each output, see of a sample's outputs is the derivative by what these
        neurons add up to (``summed``).
        """
        axes = self.system.field[equation.field].axes
        if (
            equation.selector
            and self.outputs in axes[-equation.selector :]
            and not self._is_maximum(equation)
        ):
            return False
        averages = self.outputs in axes and not self._may_be_odd(axes)
        for term in equation.terms:
            slots = [*zip(axes, term.target, strict=True)]
            if self.neurons(term) and averages:
                return False
            seen = [a.field for _, a in term.accesses if self._is_of_outputs(a.field)]
            sees = self.neurons(term) or (averages and term.reduced)
            if sees and any(self.system.field[name].of not in summed for name in seen):
                return False
            for _, access in term.accesses:
                slots += zip(self.system.field[access.field].axes, access.slots, strict=True)
            if any(_is_misplaced(self.outputs, axis, slot) for axis, slot in slots):
                return False
        return True

    def _is_maximum(self, selector: Equation) -> bool:
        """Whether what a selector chooses is only ever summed up: the maximum, whichever output is first."""
        chosen = [(access.field, term.expression) for term in selector.terms for _, access in term.accesses]
        readers = [
            term
            for equation in self.system.equations
            for term in equation.terms
            if any(access.field == selector.field for _, access in term.accesses)
        ]
        for term in readers:
            reads = {access.field: (symbol, access.slots) for symbol, access in term.accesses}
            if len(term.accesses) != 2 or [name for name, _ in chosen] != [*reads.keys() - {selector.field}]:
                return False
            (one, here), (other, there) = reads.values()
            sums = any(index.axis == self.outputs for index in term.reduced)
            if term.expression != one * other or here != there or not sums:
                return False
        return len(chosen) == 1 and chosen[0][1].is_Symbol

    def _signed(self) -> Charges | None:
        """The charge of every field under a change of the sign of x at one entry."""

        def fits(found: Charges) -> bool:
            return all(found[f.name] is not Parity.ODD for f in self.system.fields if self.axis not in f.axes)

        return charges(self.system, {"x": Parity.ODD}, self._is_vector, self._entry_parity, fits)

    def _odd(self) -> Charges | None:
        """The charge of every field under a change of the sign of y."""

        def fits(found: Charges) -> bool:
            fixed = (f for f in self.system.fields if not self._may_be_odd(f.axes))
            return found["loss"] is not Parity.ODD and all(found[f.name] is not Parity.ODD for f in fixed)

        return charges(self.system, {"y": Parity.ODD}, self._is_label, self._target_parity, fits)

    def _is_vector(self, variable: Variable) -> bool:
        return variable.name in self.vectors

    def _is_label(self, variable: Variable) -> bool:
        """Whether a variable is of a neuron with a vector alone, and no law reads it."""
        return self.system.population_slots(variable.name) == (self.population,) and not any(
            reference.parameter == variable.name
            for other in self.system.variables
            for _, reference in other.law.references
        )

    def _may_be_odd(self, axes: tuple[str, ...]) -> bool:
        return self.population in axes or any(self.system.axis[a].kind is AxisKind.DATA for a in axes)

    def _entry_parity(self, equation: Equation, term: Term, known: Mapping[str, Parity]) -> Known:
        """The charge of a term at the entry of its target; None where it has none, or at another entry."""
        entries = {i for i in term.indices if i.axis == self.axis}
        reads = read_parities(term, known)
        whole: Known = Parity.EVEN
        for entry in entries:
            here = {
                symbol: reads[symbol]
                if entry in access.indices or reads[symbol] is Parity.ZERO
                else Parity.EVEN
                for symbol, access in term.accesses
            }
            parity = parity_of(term.expression, here)
            if entry in term.target:
                whole = parity
            elif parity not in (Parity.EVEN, Parity.ZERO):
                return None
            if parity is Parity.ZERO:
                return Parity.ZERO
        if not entries and parity_of(term.expression, reads) is Parity.ZERO:
            return Parity.ZERO
        return whole

    def _target_parity(self, equation: Equation, term: Term, known: Mapping[str, Parity]) -> Known:
        parity = term_parity(term, known)
        return Parity.ZERO if parity is Parity.ODD and self._is_average(equation, term) else parity
