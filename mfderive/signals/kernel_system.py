"""Kernel equations: how second moments of the fields of a random network follow from each other.

An equation gives one kernel as a sum of terms, each a pointwise expression in plain symbols; a table maps
every symbol to what it stands for: an entry of another kernel, a Gaussian expectation, or a scale of the
weights. The form is that of the forward equations (:mod:`mfderive.algebra.terms`), one step later: what is
left of the populations are their moments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import sympy as sp

from ..algebra.showing import Shown, names
from ..algebra.terms import Axis, Index, Slot
from .gaussian import Expectation
from .sphere import SphereExpectation

# The scales of a random network: the variance of a weight is SIGMA_W2 over its fan-in, that of a bias
# SIGMA_B2.
SIGMA_W2 = sp.Symbol("sigma_w2")
SIGMA_B2 = sp.Symbol("sigma_b2")


class KernelKind(StrEnum):
    """What a kernel is."""

    INPUT = "input"  # products of inputs, averaged over the coordinates that every weight sums: given
    SEED = (
        "seed"  # products of derivatives by the output: given, the identity over the outputs divided by them
    )
    SECOND = "second"  # E[first second]: of one input, or of two
    FIRST = "first"  # E[first], or a number that no population stands behind
    GRADIENT = "gradient"  # the product of two gradients of the output by one parameter, summed over entries


class Part(StrEnum):
    """The part of a kernel system that a kernel belongs to."""

    FORWARD = "forward"
    BACKWARD = "backward"
    PARAMETERS = "parameters"


@dataclass(frozen=True)
class Kernel:
    """A moment of one or two fields: E[``first``] or E[``first`` ``second``].

    ``axes`` are the finite axes (positions) of the first field, then those of the second. ``of`` is the
    forward field, or the parameter, that it tells of, ``layer`` the layer of that; ``is_helper``: of a sum
    over weights, or of a value, that leads to other kernels only. ``function`` is the function of the input u
    whose products an input kernel holds.
    """

    name: str
    kind: KernelKind
    part: Part
    axes: tuple[str, ...] = ()
    first: str = ""
    second: str = ""
    of: str = ""
    layer: str = ""
    is_helper: bool = False
    function: sp.Expr | None = None

    @property
    def is_pair(self) -> bool:
        """Whether it is a moment of two values, which may belong to two inputs."""
        return self.kind is not KernelKind.FIRST


# Stands for another sample of the batch in equations of one sample: where input 1 is meant, input 2.
OTHER = 3
# Which of the two inputs the values of a moment belong to; () where it depends on neither.
Replicas = tuple[int, ...]


def numbered(named: tuple[int, ...]) -> dict[int, int]:
    """What the numbers of inputs in an equation stand for, where it is evaluated for the inputs ``named``."""
    return {1: named[0], 2: named[-1], OTHER: 3 - named[0]} if named else {}


@dataclass(frozen=True)
class KernelAccess:
    """``kernel[replicas](slots)``: a kernel between inputs number 1 and 2 at the given positions."""

    kernel: str
    replicas: Replicas
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True)
class ExpectationAccess:
    """The value of an expectation at a covariance, a mean and constants, each an expression in plain
    symbols."""

    expectation: Expectation | SphereExpectation
    covariance: tuple[tuple[sp.Expr, ...], ...]
    mean: tuple[sp.Expr, ...] = ()
    constants: tuple[tuple[sp.Symbol, sp.Expr], ...] = ()

    @property
    def arguments(self) -> tuple[sp.Expr, ...]:
        """All expressions that it depends on."""
        entries = (entry for row in self.covariance for entry in row)
        return (*entries, *self.mean, *(value for _, value in self.constants))


Meaning = KernelAccess | ExpectationAccess


@dataclass(frozen=True)
class KernelTerm:
    """``kernel(target) += Sum_reduced expression``; ``meanings`` says what its symbols stand for.

    Symbols that ``meanings`` lacks are scales. What an expectation's arguments read stands in ``meanings``
    before the expectation itself.
    """

    target: tuple[Slot, ...]
    reduced: tuple[Index, ...]
    expression: sp.Expr
    meanings: tuple[tuple[sp.Symbol, Meaning], ...]

    @cached_property
    def meaning(self) -> dict[sp.Symbol, Meaning]:
        """The table of meanings as a dictionary."""
        return dict(self.meanings)


@dataclass(frozen=True)
class KernelEquation:
    """A kernel for one input (``pair`` False), or between two, as a sum of terms; no term means 0."""

    kernel: str
    pair: bool
    target: tuple[Index, ...]
    terms: tuple[KernelTerm, ...]

    @property
    def accesses(self) -> Iterator[KernelAccess]:
        """Every kernel entry that the equation reads."""
        for term in self.terms:
            for _, meaning in term.meanings:
                if isinstance(meaning, KernelAccess):
                    yield meaning


class Assumption(StrEnum):
    """What kernel equations rest on beside the limit of infinite width."""

    GAUSSIAN_ROOTS = "gaussian roots"
    GRADIENT_INDEPENDENCE = "gradient independence"


@dataclass(frozen=True)
class Missing:
    """A part of a kernel system that cannot be derived, and why."""

    part: Part
    reason: str


@dataclass(frozen=True, repr=False)
class KernelSystem(Shown):
    """The kernel equations of a network, in an order in which they can be evaluated.

    ``equations`` holds for every kernel that is computed the equation of one input and, where it is a
    product, that of two. ``scales`` are the symbols of the variances, ``own_scales`` the numbers of those
    that a spec gives to single parameters, ``biases`` the parameters that have that of biases; ``input_axes``
    are the axes of an input. ``output`` is the kernel of the output. ``missing`` says which parts could not
    be derived. ``batch``: the number of samples whose values are normalised together (None: none are);
    kernels are then those of any two of them.
    """

    title: str
    axes: tuple[Axis, ...]
    kernels: tuple[Kernel, ...]
    equations: tuple[KernelEquation, ...]
    scales: tuple[sp.Symbol, ...]
    own_scales: tuple[tuple[sp.Symbol, float], ...] = ()
    input_axes: tuple[str, ...] = ()
    biases: tuple[str, ...] = ()
    output: str = ""
    missing: tuple[Missing, ...] = ()
    batch: float | None = None

    def _summary(self) -> Iterator[str]:
        yield f"KernelSystem '{self.title}': {len(self.computed)} kernels"
        for part in Part:
            own = [kernel.name for kernel in self.of_part(part)]
            yield f"  {part.value}: {names(own, 6) or 'none'}"
        for missing in self.missing:
            yield f"  not derived, {missing.part.value}: {missing.reason}"

    @cached_property
    def kernel(self) -> dict[str, Kernel]:
        """Kernels by name."""
        return {kernel.name: kernel for kernel in self.kernels}

    @cached_property
    def axis(self) -> dict[str, Axis]:
        """Finite axes by name."""
        return {axis.name: axis for axis in self.axes}

    @cached_property
    def same(self) -> dict[str, KernelEquation]:
        """The equations of one input, by kernel."""
        return {e.kernel: e for e in self.equations if not e.pair}

    @cached_property
    def pair(self) -> dict[str, KernelEquation]:
        """The equations of two inputs, by kernel."""
        return {e.kernel: e for e in self.equations if e.pair}

    @cached_property
    def computed(self) -> tuple[Kernel, ...]:
        """The kernels that have equations, in the order of evaluation."""
        order = dict.fromkeys(e.kernel for e in self.equations)
        return tuple(self.kernel[name] for name in order)

    @cached_property
    def given(self) -> tuple[Kernel, ...]:
        """The kernels that are given: of the input, and at the output."""
        return tuple(k for k in self.kernels if k.name not in self.same)

    def adjoint_of(self, kernel: Kernel) -> str | None:
        """The kernel of the gradients by the field of a forward kernel, if it was derived."""
        return next(
            (k.name for k in self.of_part(Part.BACKWARD) if k.of == kernel.of and k.first == k.second), None
        )

    def of_part(self, part: Part) -> tuple[Kernel, ...]:
        """The computed kernels of one part."""
        return tuple(kernel for kernel in self.computed if kernel.part is part)
