"""Rotations: whether a limit stays the same when x and the weights that read it are turned together.

Where the law of the data and that of the first weights are invariant under rotations of x, and x meets other
vectors in inner products only, neurons of one population differ by the length of their weight vector and not
by its direction, and a sample counts by the length of x and the angles between x and the neurons' vectors
(theory C.4). What is asked for is a property of laws and equations, not of a kind of network.

The law of the data may have a few directions of its own, about which alone it can be rotated. A limit that
all rotations leave as it is, the law of the data aside, can then be written in coordinates along and across
them (:mod:`mfderive.reduction.alignment`), and what is across is a vector of which the above holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import sympy as sp

from ..algebra.data_law import Motion, TargetMotion
from ..algebra.laws import LawKind, Variable, VariableKind
from ..algebra.system import LimitSystem
from ..algebra.terms import Access, Affine, AxisKind, Equation, Field, Index, Role, Slot, Term

# Made use of are rotations about so many directions of the data: with a length these are the three numbers
# that tensors of Gauss nodes take.
MOST_DIRECTIONS = 2


class Break(StrEnum):
    """What breaks the invariance where the law of the data has it."""

    ENTRYWISE = "entrywise"  # entries of a vector are read one by one, not in an inner product
    LAW = "law"  # the law of a weight is not invariant
    SIZE = "size"  # the law of a weight has a size that differs from neuron to neuron
    READ = "read"  # a law reads entries of a weight vector
    NOISE = "noise"  # fresh noise moves directions
    TWO_VECTORS = "two vectors"  # a neuron has two random vectors, of independent directions
    LAYOUT = "layout"  # a vector of something else than a sample or one neuron
    PAIRS = "pairs"  # what depends on the directions of two neurons
    SPHERE = "sphere"  # a vector on a sphere, whose parts along and across directions are not independent
    DIRECTIONS = "directions"  # the law of the data has too many directions of its own


@dataclass(frozen=True)
class Broken:
    """What breaks the invariance of a limit: ``subject`` is a field or a variable.

    ``directions``: how many directions of x the rotations are about (0: they are all rotations).
    """

    reason: Break
    subject: str
    directions: int = 0


@dataclass(frozen=True)
class Rotation:
    """The invariance of a limit under rotations of x.

    ``sample`` is the field that they turn: x, or a part of it; ``axis`` the finite axis of its entries, of
    size ``dimension``; ``kept`` the number of entries of x before it, which stay. ``directions``: unit
    vectors about which they turn it (none: they are all rotations). ``vectors``: the fields that are a vector
    of each neuron of a population, by name -> population. ``random``: the vector of each population whose
    direction is random at the start, population -> variable; all others are multiples of it. ``angular``: the
    fields that depend on the angle between the sample and the vector of a neuron, by name -> the position of
    the neuron's slot among their axes.
    """

    sample: str
    axis: str
    dimension: int
    kept: int
    directions: tuple[tuple[float, ...], ...]
    vectors: Mapping[str, str]
    random: Mapping[str, str]
    angular: Mapping[str, int]


class _BrokenError(Exception):
    """Ends the search at what breaks the invariance."""

    def __init__(self, reason: Break, subject: str) -> None:
        super().__init__(reason, subject)
        self.broken = Broken(reason, subject)


@dataclass(frozen=True)
class _Turned:
    """What rotations of the data turn: a field of the samples, with ``kept`` entries of x before it.

    They leave some coordinates of it as they are, ``still``, or vectors, ``about``.
    """

    sample: str
    kept: int = 0
    still: tuple[int, ...] = ()
    about: tuple[tuple[float, ...], ...] = ()

    @property
    def count(self) -> int:
        """How many directions they leave as they are."""
        return len(self.still) + len(self.about)

    def directions(self, dimension: int) -> tuple[tuple[float, ...], ...]:
        """These as orthogonal unit vectors."""
        axes = (tuple(float(k == place) for k in range(dimension)) for place in self.still)
        return (*axes, *self.about)


def rotation_of(system: LimitSystem) -> Rotation | Broken | None:
    """The rotation invariance of a limit, or what breaks it; None where the law of the data has none.

    Only rotations of a flat x are looked for, which leave y as it is: of all of its entries, or about a few
    directions; and those of a part of x that all equations read as a field of its own.
    """
    turned = _turned(system)
    if turned is None:
        return None
    if turned.count > MOST_DIRECTIONS:
        return Broken(Break.DIRECTIONS, turned.sample, turned.count)
    axis = system.axis[system.field[turned.sample].axes[1]]
    size = axis.size or 0
    try:
        vectors = _vectors(system, turned.sample, axis.name)
        random = _random_vectors(system, vectors, turned.count > 0)
        directions = turned.directions(size)
        search = Rotation(turned.sample, axis.name, size, turned.kept, directions, vectors, random, {})
        return replace(search, angular=_angular_fields(system, search))
    except _BrokenError as found:
        return replace(found.broken, directions=turned.count)


def _turned(system: LimitSystem) -> _Turned | None:
    """What rotations of the data turn, about as few directions as there are; None where there are none."""
    x, law = system.field["x"], system.data_law
    if law is None or len(x.axes) != 2:
        return None
    dimension = system.axis[x.axes[1]].size or 0
    found: list[_Turned] = []
    for each in law.invariances:
        if each.motion is not Motion.ROTATION or each.targets is not TargetMotion.KEPT or each.columns:
            continue
        for sample, start in _samples(system):
            end = start + (system.axis[system.field[sample].axes[1]].size or 0)
            own = tuple(range(start, end))
            if end == dimension and end - start > 1 and each.coordinates == own and not each.about:
                found.append(_Turned(sample, start))
        still = tuple(sorted(set(range(dimension)) - set(each.coordinates)))
        whole = _Turned("x", 0, still, each.about)
        # What is about vectors of fewer coordinates than x has would have to be written in all of them.
        if whole.count and dimension - whole.count > 1 and not (still and each.about):
            found.append(whole)
    return min(found, key=lambda turned: turned.count, default=None)


def _samples(system: LimitSystem) -> list[tuple[str, int]]:
    """The fields in which equations read the samples, and where in x they begin: x, or parts of it alone."""
    reading = [equation for equation in system.equations if "x" in equation.reads]
    parts = [(equation.field, _start(equation)) for equation in reading]
    copies = [(field, start) for field, start in parts if start is not None]
    return copies if copies and len(copies) == len(parts) else [("x", 0)]


def _start(equation: Equation) -> int | None:
    """Where a field begins in x that is a stretch of its entries; None for any other."""
    if len(equation.terms) != 1 or len(equation.target) != 2:
        return None
    (term,) = equation.terms
    sample, entry = equation.target
    if len(term.accesses) != 1 or term.reduced or term.target != equation.target:
        return None
    ((symbol, access),) = term.accesses
    if term.expression != symbol or access.slots[0] != sample:
        return None
    slot = access.slots[1]
    return slot.constant if isinstance(slot, Affine) and slot.parts == ((1, entry),) else None


# ---------------------------------------------------------------------------------------- vectors


def _vectors(system: LimitSystem, sample: str, axis: str) -> dict[str, str]:
    """The fields beside ``sample`` that have its axis -> the population whose neurons they belong to."""
    found = {}
    for field in system.fields:
        if axis not in field.axes or field.name == sample:
            continue
        if field.role is Role.DRAW:
            raise _BrokenError(Break.NOISE, field.of)
        others = [a for a in field.axes if a != axis]
        if len(others) != 1 or len(field.axes) != 2 or system.axis[others[0]].kind is not AxisKind.POPULATION:
            raise _BrokenError(Break.LAYOUT, field.name)
        found[field.name] = others[0]
    return found


def _random_vectors(system: LimitSystem, vectors: Mapping[str, str], is_parted: bool) -> dict[str, str]:
    """Population -> the variable whose entries draw the direction of each of its neurons.

    ``is_parted``: whether the parts of a vector along some directions and across them are to be independent.
    """
    found: dict[str, str] = {}
    for variable in system.variables:
        for _, reference in variable.law.references:
            if reference.parameter in vectors:
                raise _BrokenError(Break.READ, variable.name)
        if variable.name not in vectors:
            continue
        population = vectors[variable.name]
        if variable.law.is_deterministic:
            # A vector that starts at 0 has no direction of its own, and takes that of what moves it.
            if variable.law.mean != 0:
                raise _BrokenError(Break.LAW, variable.name)
        elif not _is_isotropic(variable):
            raise _BrokenError(Break.LAW, variable.name)
        elif is_parted and variable.law.kind == LawKind.SPHERE:
            raise _BrokenError(Break.SPHERE, variable.name)
        elif variable.law.references:  # a label beside the length, which makes more numbers, not fewer
            raise _BrokenError(Break.SIZE, variable.name)
        elif population in found:
            raise _BrokenError(Break.TWO_VECTORS, variable.name)
        else:
            found[population] = variable.name
    for name, population in vectors.items():
        if population not in found:  # every direction is as good as any other, and none is drawn
            raise _BrokenError(Break.LAYOUT, name)
    return found


def _is_isotropic(variable: Variable) -> bool:
    law = variable.law
    if variable.kind is VariableKind.MEMORY or variable.noise is not None:
        return False
    return law.kind == LawKind.SPHERE or (law.kind == LawKind.NORMAL and law.is_symmetric)


# ---------------------------------------------------------------------------------------- equations


def _angular_fields(system: LimitSystem, rotation: Rotation) -> dict[str, int]:
    """The fields that depend on an angle, found by following the equations until nothing is new."""
    angular: dict[str, int] = {}
    while True:
        known = dict(angular)
        for equation in system.equations:
            for term in equation.terms:
                _follow(system, rotation, equation, term, angular)
        if known == angular:
            return angular


def _follow(
    system: LimitSystem, rotation: Rotation, equation: Equation, term: Term, angular: dict[str, int]
) -> None:
    """What one term says of the field that it belongs to."""
    field = system.field[equation.field]
    neurons = angles_of(rotation, angular, equation.field, term)
    left = [neuron for neuron in neurons if neuron in term.target]
    if len(left) > 1:  # an angle between the two neurons would count, too
        raise _BrokenError(Break.PAIRS, field.name)
    if not left or not _is_per_sample(system, field):
        return
    position = term.target.index(left[0])
    if angular.setdefault(field.name, position) != position:
        raise _BrokenError(Break.PAIRS, field.name)


def _is_per_sample(system: LimitSystem, field: Field) -> bool:
    return any(system.axis[axis].kind is AxisKind.DATA for axis in field.axes)


def angles_of(rotation: Rotation, angular: Mapping[str, int], field: str, term: Term) -> tuple[Index, ...]:
    """The neurons whose angle to x a term of an equation of ``field`` depends on, each once."""
    found = dict.fromkeys(neuron for _, neurons in lengths(rotation, field, term) for neuron in neurons)
    for _, access in term.accesses:
        if access.field in angular:
            neuron = access.slots[angular[access.field]]
            if not isinstance(neuron, Index):
                raise _BrokenError(Break.LAYOUT, access.field)
            found[neuron] = None
    return tuple(found)


def lengths(rotation: Rotation, field: str, term: Term) -> tuple[tuple[sp.Expr, tuple[Index, ...]], ...]:
    """A term of an equation of ``field`` in lengths: the parts of its sum, each with its cosines.

    The symbols of vectors stand for their lengths. A part is multiplied by the cosine between x and the
    vector of every neuron that it names, once for each time.
    """
    table = term.access_of
    vectors = {s: a for s, a in table.items() if a.field == rotation.sample or a.field in rotation.vectors}
    target = Access(field, term.target) if field in rotation.vectors else None
    if not vectors:
        if target is not None and term.expression != 0:
            raise _BrokenError(Break.ENTRYWISE, field)
        return ((term.expression * _repeated(rotation, term, []), ()),)
    symbols = sorted(vectors, key=str)
    try:
        polynomial = sp.Poly(term.expression, *symbols)
    except sp.PolynomialError:
        raise _BrokenError(Break.ENTRYWISE, field) from None
    if any(coefficient.free_symbols & vectors.keys() for coefficient in polynomial.coeffs()):
        raise _BrokenError(Break.ENTRYWISE, field)
    parts = []
    for powers, coefficient in polynomial.terms():
        read = [vectors[s] for s, power in zip(symbols, powers, strict=True) for _ in range(power)]
        product = sp.Mul(coefficient, *(s**power for s, power in zip(symbols, powers, strict=True)))
        neurons = tuple(_meetings(rotation, field, target, read))
        parts.append((product * _repeated(rotation, term, read), neurons))
    return tuple(parts)


def _repeated(rotation: Rotation, term: Term, read: list[Access]) -> int:
    """How often the sums of a term over entries have a part of it that reads these vectors."""
    met = {slot for access in read for slot in access.slots}
    free = [index for index in term.reduced if index.axis == rotation.axis and index not in met]
    return int(rotation.dimension ** len(free))


def _meetings(rotation: Rotation, field: str, target: Access | None, read: list[Access]) -> Iterator[Index]:
    """The neurons that meet x in a product of entries, in which every index must stand at two vectors."""
    by_entry: dict[Slot, list[Access]] = {}
    for access in [*read, *([target] if target is not None else [])]:
        entry = next(s for s in access.slots if not isinstance(s, Index) or s.axis == rotation.axis)
        by_entry.setdefault(entry, []).append(access)
    for entry, pair in by_entry.items():
        if not isinstance(entry, Index) or len(pair) != 2:
            raise _BrokenError(Break.ENTRYWISE, field)
        one, other = (_neuron(rotation, access) for access in pair)
        if one == other:
            continue
        if one is not None and other is not None:
            raise _BrokenError(Break.PAIRS, field)
        neuron = one if one is not None else other
        assert neuron is not None
        yield neuron


def _neuron(rotation: Rotation, access: Access) -> Index | None:
    """The neuron that a vector belongs to; None for the sample's own."""
    population = rotation.vectors.get(access.field)
    return next((s for s in access.slots if isinstance(s, Index) and s.axis == population), None)
