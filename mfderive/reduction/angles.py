"""The nodes of the angle between a sample and a neuron, as fields of the reduced system.

Where nothing bends, the cosine is a label with a law of its own, at the same nodes for all samples and
neurons. Where a function has a kink, nodes lie on either side of it, wherever it is: with the kink at
cosine k, and Legendre nodes s in (-1, 1) for each side g = -1, 1,

    cos = (k + g U)/2 + (U - g k)/2 * s,    share = 2 c_d (U - g k) (1 - cos^2)^((d - 3)/2),

so that averages of share * f(cos) over nodes are averages of f over the angle (theory C.4); c_d is the
constant of the density, and beyond U < 1 there is nothing of it in many dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, pi, sqrt

import sympy as sp

from ..algebra.functions import call
from ..algebra.laws import Law, LawKind, Variable
from ..algebra.system import LimitSystem
from ..algebra.terms import ANGLES, COSINE_PART, Access, Axis, AxisKind, Equation, Field, Index, Role, Term
from ..analysis.bends import Bend, bend_of
from ..analysis.rotations import Rotation

# The angle's density beyond so many deviations is below the rounding of what it is added to.
_DEVIATIONS = 8.5
_PARTS = ("slope", "rest", "bend", COSINE_PART, "sine", "share")
_LABELS = ("side", "node", "density")
# Below so many dimensions the density grows without bound where x and the vector are parallel.
_LEAST_DIMENSION = 3


@dataclass(frozen=True)
class Angles:
    """The angle between samples and the neurons of one population.

    ``cosine`` and ``share`` (None: every node counts by its weight alone) name fields; ``share`` multiplies
    whatever is averaged over the angle. ``equations`` belong before that of the field ``before`` ("" : there
    are none). ``fixed``: whether the cosine is the same for all samples and neurons.
    """

    axis: Axis
    cosine: str
    share: str | None
    fields: tuple[Field, ...]
    variables: tuple[Variable, ...]
    equations: tuple[Equation, ...] = ()
    before: str = ""

    @property
    def fixed(self) -> bool:
        """Whether the cosine is the same for all samples and neurons."""
        return self.share is None


def angles_between(system: LimitSystem, rotation: Rotation, population: str) -> Angles:
    """The nodes of the angle between samples and the neurons of a population."""
    axis = Axis(f"angle {population}", AxisKind.NOISE, drawn=False, part=ANGLES)
    bend = bend_of(system, rotation, population) if rotation.dimension >= _LEAST_DIMENSION else None
    if bend is not None:
        return _following(axis, rotation.dimension, population, bend)
    name = f"cos {population}"
    text = f"cosine of an angle in {rotation.dimension} dimensions"
    law = Law(LawKind.COSINE, (sp.Integer(rotation.dimension),), text=text)
    field = Field(name, (axis.name,), Role.PARAMETER, part=COSINE_PART)
    return Angles(axis, name, None, (field,), (_label(name, axis, law),))


def _density(dimension: int) -> float:
    """The constant c_d of the density c_d (1 - u^2)^((d - 3)/2) of a cosine."""
    return exp(lgamma(dimension / 2) - lgamma((dimension - 1) / 2)) / sqrt(pi)


def _label(name: str, axis: Axis, law: Law) -> Variable:
    """What tells the nodes of an angle apart."""
    return Variable(name, (axis.name,), law, sp.Integer(0), noise=axis.name)


def _constant(value: float) -> Law:
    return Law(LawKind.CONSTANT, (sp.Rational(repr(value)),), text=repr(value))


def _following(axis: Axis, dimension: int, population: str, bend: Bend) -> Angles:
    """Nodes on either side of a kink."""
    names = {part: f"{part} {population}" for part in _PARTS}
    side, node, density = (f"{part} {population}" for part in _LABELS)
    _, neuron = bend.target
    angle = Index(f"angle {neuron.name}", axis.name)
    flat, deep = bend.target, (*bend.target, angle)
    within = {"rest": flat, "slope": flat, "bend": flat}
    fixed: dict[str, tuple[Index, ...]] = {side: (angle,), node: (angle,), density: ()}
    slots = {name: within.get(part, deep) for part, name in names.items()} | fixed
    symbol = {name: sp.Symbol(name) for name in slots}
    end = sp.Rational(str(min(1.0, round(_DEVIATIONS / sqrt(dimension), 3))))
    slope, k, u, g, s = (symbol[n] for n in (names["slope"], names["bend"], names["cos"], side, node))
    rest = (symbol[names["rest"]] if bend.rest else sp.Integer(0)) + bend.offset
    # Where x or the vector has no length, 0/0 is no number, and the smaller of it and U is U by convention.
    kink = call("max", -end, call("min", -rest / slope, end))
    half = sp.Rational(1, 2)
    share = 2 * symbol[density] * (end - g * k) * symbol[names["sine"]] ** (dimension - 3)
    known = {symbol[name]: Access(name, slots[name]) for name in slots} | dict(bend.accesses)

    def pointwise(name: str, expression: sp.Expr) -> Equation:
        reads = tuple((each, known[each]) for each in sorted(expression.free_symbols, key=str))
        target = slots[name]
        return Equation(name, target, (Term(target, (), expression, reads),))

    equations = (
        Equation(names["slope"], flat, bend.slope),
        *((Equation(names["rest"], flat, bend.rest),) if bend.rest else ()),
        pointwise(names["bend"], kink),
        pointwise(names["cos"], half * (k + g * end) + half * (end - g * k) * s),
        pointwise(names["sine"], sp.sqrt(1 - u**2)),
        pointwise(names["share"], share),
    )
    labels = (
        _label(side, axis, Law(LawKind.RADEMACHER, (sp.Integer(1),), text="side of a kink")),
        _label(node, axis, Law(LawKind.UNIFORM, (sp.Integer(-1), sp.Integer(1)), text="place on that side")),
        Variable(density, (), _constant(_density(dimension)), sp.Integer(0)),
    )
    return Angles(
        axis,
        names["cos"],
        names["share"],
        (
            *(
                Field(names[part], tuple(index.axis for index in slots[names[part]]), Role.FORWARD, part=part)
                for part in names
                if part != "rest" or bend.rest
            ),
            *(Field(v.name, v.axes, Role.PARAMETER, part=p) for v, p in zip(labels, _LABELS, strict=True)),
        ),
        labels,
        equations,
        bend.first,
    )
