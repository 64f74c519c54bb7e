"""Fourier modes of deviations from a fixed point that is the same at all positions: how fast each decays.

A deviation of a covariance between positions a and a' that varies as exp(i alpha a) along a, at a fixed
distance a - a', is multiplied by a block by lambda_alpha chi(c*): windows average the phases of what they
read, and functions multiply by chi as in a dense network (Xiao et al. 2018, section 2.2). The same for
variances, with the slope of the variance in the place of chi.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..algebra.showing import Shown
from ..algebra.terms import Affine, Index, Slot
from ..errors import MfError
from .homogeneous import homogeneous, turns_of
from .kernel_slopes import KernelSlopes, Key
from .kernel_system import KernelAccess, KernelEquation, KernelKind, KernelSystem, KernelTerm
from .kernel_values import KernelValues
from .repeated_part import RepeatedPart
from .signal_result import Signal, depth_scale

Array = Any
_SHOWN = 8
_ROUNDING = 1e-14


@dataclass(frozen=True, repr=False)
class PositionModes(Shown):
    """Modes exp(i ``wave_numbers`` . a) [mode, axis] of deviations from a fixed point, and by what a block
    multiplies them.

    ``slopes_q`` [mode] of a variance, ``slopes_c`` of a covariance of two inputs, or of two positions
    (complex where windows are not symmetric; those of the mode 0 are slope_q and chi_c of the fixed point).
    ``circular``: positions lie on a circle, else all holds away from the ends.
    """

    wave_numbers: Array
    slopes_q: Array
    slopes_c: Array
    circular: bool

    @property
    def windows(self) -> Array:
        """lambda_alpha [mode]: what windows leave of each mode; nan where the mode 0 is not left at all."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.slopes_c / self.slopes_c[0]

    @property
    def xi_c(self) -> Array:
        """Blocks in which each mode of a covariance falls by e [mode]."""
        return np.array([depth_scale(abs(complex(slope))) for slope in self.slopes_c])

    @property
    def text(self) -> str:
        """The slowest modes as a table."""
        order = np.argsort(-np.abs(self.slopes_c), kind="stable")[:_SHOWN]
        lines = ["Modes of deviations over positions, alpha in units of pi: factors per block"]
        lines.append(f"  {'alpha / pi':>14} {'variance':>12} {'covariance':>12} {'xi_c':>10}")
        for n in order:
            alpha = ", ".join(f"{a / np.pi:.4g}" for a in self.wave_numbers[n])
            lines.append(
                f"  {alpha:>14} {_plain(self.slopes_q[n]):>12} {_plain(self.slopes_c[n]):>12} "
                f"{self.xi_c[n]:10.4g}"
            )
        if len(order) < len(self.wave_numbers):
            lines.append(f"  {len(self.wave_numbers) - len(order)} modes more, which fall faster")
        if not self.circular:
            lines.append("  Positions have ends: modes are those far away from them.")
        return "\n".join(lines)

    @property
    def data(self) -> dict[str, Any]:
        """Everything as plain data; complex numbers as pairs."""
        return {
            "wave_numbers": self.wave_numbers.tolist(),
            "slopes_q": [[z.real, z.imag] for z in self.slopes_q.tolist()],
            "slopes_c": [[z.real, z.imag] for z in self.slopes_c.tolist()],
            "circular": self.circular,
        }

    def __str__(self) -> str:
        return self.text

    def _summary(self) -> Iterator[str]:
        largest = np.abs(self.slopes_c).max()
        yield f"PositionModes: {len(self.wave_numbers)}, the slowest with a factor {largest:.6g}"
        yield "  print(...) writes a table; .slopes_q, .slopes_c, .windows, .xi_c"


def position_modes(system: KernelSystem, part: RepeatedPart, found: Signal) -> PositionModes:
    """The modes at the fixed points that a repeated part was found to have.

    Raises MfError where there are none: without positions, fixed points, or where positions change in a
    block.
    """
    axes = system.kernel[part.names[0]].axes
    if not axes:
        raise MfError("the repeated part has no positions, and so no modes over them")
    if len(part.names) > 1:
        raise MfError(
            f"a block hands on {len(part.names)} kernels ({', '.join(part.names)}), and modes are followed "
            "of one"
        )
    point, pair = found.found.variance, found.found.correlation
    if point is None or pair is None or not point.at[0] > 0:
        raise MfError("the repeated part has no fixed point with a positive variance to deviate from")
    sizes = [system.axis[a].size or 1 for a in axes[: len(axes) // 2]]
    grid = np.stack(np.meshgrid(*(np.arange(size) / size for size in sizes), indexing="ij"), axis=-1)
    turns = grid.reshape(-1, len(sizes))
    alpha = 2 * np.pi * (turns - (turns > 0.5))
    plain = homogeneous(system)
    q = float(point.at[0])
    name, c = part.names[0], float(pair.at[0])
    values = {(name, (1, 1)): q, (name, (2, 2)): q, (name, (1, 2)): q * c}
    scales = {symbol: np.asarray(found.scales[symbol.name], float) for symbol in plain.scales}
    origin = {
        id(term): (equation, original)
        for equation, without in zip(system.equations, plain.equations, strict=True)
        for original, term in zip(equation.terms, without.terms, strict=True)
    }
    block = replace(plain, equations=tuple(e for e in plain.equations if e.kernel in part.block))
    slopes = {}
    for replicas in ((1, 1), (1, 2)):
        given: dict[Key, Array] = {key: np.asarray(value) for key, value in values.items()}
        known = KernelValues(block, scales, (), given)
        modes = _ModeSlopes(known, [(name, replicas)], system, origin, alpha)
        own = modes(part.after[0], replicas)[..., 0]
        own = np.broadcast_to(own, (len(alpha),)).astype(complex)
        # Windows that cancel a mode leave rounding of it.
        slopes[replicas] = np.where(np.abs(own) > _ROUNDING * np.abs(own).max(), own, 0.0)
    inside = (e for e in system.equations if e.kernel in part.block)
    circular = any(turns_of(system, e, term) for e in inside for term in e.terms)
    return PositionModes(alpha, slopes[1, 1], slopes[1, 2], circular)


class _ModeSlopes(KernelSlopes):
    """Derivatives of kernels by deviations in each mode: what a term reads elsewhere has another phase."""

    def __init__(
        self,
        values: KernelValues,
        by: list[Key],
        system: KernelSystem,
        origin: Mapping[int, tuple[KernelEquation, KernelTerm]],
        alpha: Array,
    ) -> None:
        super().__init__(values, by)
        self.system, self.origin, self.alpha = system, origin, alpha

    def weighted(self, term: KernelTerm, access: KernelAccess, number: int, slopes: Array) -> Array:
        """The derivative of what an access reads, with the phases of where it reads."""
        equation, original = self.origin[id(term)]
        meaning = original.meanings[number][1]
        if not isinstance(meaning, KernelAccess):
            raise AssertionError("terms without positions keep the order of their meanings")
        return slopes * self._phase(equation, original, meaning)[:, None]

    def _phase(self, equation: KernelEquation, term: KernelTerm, access: KernelAccess) -> Array:
        kernel = self.system.kernel[access.kernel]
        own = self.system.kernel[equation.kernel]
        halves = 1 if kernel.kind is KernelKind.FIRST else 2
        count = len(access.slots) // halves
        places = equation.target[: len(own.axes) // (1 if own.kind is KernelKind.FIRST else 2)]
        if term.target != equation.target or count != len(places):
            raise self._moving(equation)
        turns = turns_of(self.system, equation, term)
        exponents: dict[Index, Array] = {}
        phase = np.ones(len(self.alpha), complex)
        steps = []
        for half in range(halves):
            shifts = []
            for axis, slot in enumerate(access.slots[half * count : (half + 1) * count]):
                # Of one input a mode is followed along equal positions: both places of an entry are one.
                own_half = equation.target[half * count + axis]
                targets = (own_half,) if equation.pair else equation.target[axis::count]
                shifts.append(self._shift(equation, slot, targets, turns))
            steps.append(shifts)
        if any(step != steps[0] for step in steps):
            raise self._moving(equation)
        for axis, (parts, constant) in enumerate(steps[0]):
            phase = phase * np.exp(1j * self.alpha[:, axis] * constant)
            for number, index in parts:
                exponents[index] = exponents.get(index, 0) + number * self.alpha[:, axis]
        for index, exponent in exponents.items():
            reach = np.arange(self.system.axis[index.axis].size or 1)
            phase = phase * np.exp(1j * np.multiply.outer(exponent, reach)).mean(axis=1)
        return phase

    def _shift(
        self, equation: KernelEquation, slot: Slot, targets: tuple[Index, ...], turns: set[Index]
    ) -> tuple[tuple[tuple[int, Index], ...], int]:
        """What a slot adds to the place of the target: parts, and a number up to whole turns."""
        parts, constant = (slot.parts, slot.constant) if isinstance(slot, Affine) else (((1, slot),), 0)
        if not any((1, target) in parts for target in targets):
            raise self._moving(equation)
        around = max((number for number, index in parts if index in turns), default=0)
        rest = tuple(p for p in parts if p[1] not in targets and p[1] not in turns)
        return rest, constant % around if around else constant

    def _moving(self, equation: KernelEquation) -> MfError:
        of = self.system.kernel[equation.kernel].of
        return MfError(
            f"'{of}' reads positions in another way than in a window that moves one position at a time, so "
            "that modes "
            "over positions are mixed"
        )


def _plain(slope: complex) -> str:
    number = complex(slope)
    if abs(number.imag) <= 1e-12 * max(abs(number), 1e-300):
        return f"{number.real:.6g}"
    return f"{number.real:.4g}{number.imag:+.4g}i"
