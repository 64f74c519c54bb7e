"""The signals of a network of one repeated part: an object that says them in numbers and words."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..algebra.showing import Shown, words
from .fixed_points import FixedPoint, FixedPoints
from .signal_sentences import CRITICAL, signal_sentences
from .variance_points import NEUTRAL

# Gradients and correlations reach about six depth scales (Schoenholz et al. 2017, section 5).
REACH = 6.0


@dataclass(frozen=True, repr=False)
class Signal(Shown):
    """Fixed points of variance and correlation, their depth scales and the phase.

    ``title``: what repeats; ``names``: the kernel entries that a block hands on; ``scales``: sigma_w2,
    sigma_b2 and others; ``found``: every fixed point. Of one entry, ``q_star`` and ``c_star`` are numbers,
    of several tuples.
    """

    title: str
    names: tuple[str, ...]
    scales: Mapping[str, float]
    found: FixedPoints

    @property
    def sigma_w2(self) -> float:
        """The variance of weights times their fan-in."""
        return self.scales["sigma_w2"]

    @property
    def sigma_b2(self) -> float:
        """The variance of biases."""
        return self.scales["sigma_b2"]

    @property
    def q_star(self) -> Any:
        """Where a variance of 1 moves; infinite where it grows for ever, nan where all are fixed."""
        if self.found.every_variance:
            return math.nan
        return math.inf if self.found.variance is None else self._place(self.found.variance)

    @property
    def c_star(self) -> Any:
        """The stable correlation of two inputs; nan where there is none, or all are fixed."""
        return math.nan if self.found.correlation is None else self._place(self.found.correlation)

    @property
    def chi_1(self) -> float:
        """The growth of second moments of gradients per block, going backward."""
        return self.found.chi_1

    @property
    def slope_q(self) -> float:
        """d q' / d q at q*; nan without q*."""
        return math.nan if self.found.variance is None else self.found.variance.slope

    @property
    def chi_c(self) -> float:
        """chi(c*) = d c' / d c at c*; nan without c*."""
        return math.nan if self.found.correlation is None else self.found.correlation.slope

    @property
    def xi_q(self) -> float:
        """Blocks in which variances approach q* by e: -1 / log |slope_q|; infinite at slope 1."""
        return depth_scale(self.slope_q)

    @property
    def xi_c(self) -> float:
        """Blocks in which correlations approach c* by e: -1 / log |chi(c*)|; infinite at slope 1."""
        return depth_scale(self.chi_c)

    @property
    def xi_gradient(self) -> float:
        """Blocks in which gradients fade (or, negative, grow) by e: -1 / log chi_1; infinite at 1."""
        return depth_scale(self.chi_1)

    @property
    def trainable_depth(self) -> float:
        """About six xi_c, the depth to which networks were seen to train (Schoenholz et al. 2017)."""
        return REACH * self.xi_c

    @property
    def phase(self) -> str:
        """ordered (chi_1 < 1), chaotic (> 1), critical (= 1 to 1e-6); unbounded where there is no q*."""
        if self.found.variance is None:
            return "unbounded"
        if abs(self.chi_1 - 1) <= CRITICAL:
            return "critical"
        return "ordered" if self.chi_1 < 1 else "chaotic"

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the numbers mean, in sentences."""
        return tuple(signal_sentences(self.found, self.names, self.scales))

    @property
    def text(self) -> str:
        """Numbers and sentences as plain text."""
        rows = [(name, shown_number(value)) for name, value in self._numbers()]
        width = max(len(name) for name, _ in rows)
        table = "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)
        return "\n".join([f"Signals of {self.title}", table, *self.sentences])

    @property
    def data(self) -> dict[str, Any]:
        """Everything as plain data, what JSON can hold: None for nan, "infinity" for what is infinite."""
        numbers = {name: _plain(value) for name, value in self._numbers()}
        points = {
            kind: [
                {"at": list(map(_plain, p.at)), "slope": _plain(p.slope), "stable": p.stable} for p in found
            ]
            for kind, found in (
                ("variances", self.found.variances),
                ("correlations", self.found.correlations),
            )
        }
        return {
            "title": self.title,
            "names": list(self.names),
            "scales": dict(self.scales),
            **numbers,
            "fixed_points": points,
            "sentences": list(self.sentences),
        }

    def to_json(self) -> str:
        """Everything as JSON text."""
        return json.dumps(self.data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def __str__(self) -> str:
        return self.text

    def _place(self, point: FixedPoint) -> Any:
        return point.at[0] if len(point.at) == 1 else point.at

    def _numbers(self) -> Iterator[tuple[str, Any]]:
        yield from self.scales.items()
        for name in ("phase", "q_star", "slope_q", "xi_q", "c_star", "chi_c", "xi_c", "chi_1"):
            yield name, getattr(self, name)
        yield "trainable_depth", self.trainable_depth

    def _summary(self) -> Iterator[str]:
        scales = ", ".join(f"{name} = {value:g}" for name, value in self.scales.items())
        yield f"Signal of {words(self.title)}: {self.phase} at {scales}"
        q, c, chi = map(shown_number, (self.q_star, self.c_star, self.chi_1))
        yield f"  q* = {q}, c* = {c}, chi_1 = {chi}"
        yield f"  xi_q = {shown_number(self.xi_q)}, xi_c = {shown_number(self.xi_c)}"
        yield "  print(...) writes everything that was found"


def depth_scale(slope: float) -> float:
    """-1 / log |slope|: infinite at slopes of size 1, 0 at slope 0, nan without a slope."""
    size = abs(slope)
    if math.isnan(size):
        return math.nan
    if abs(size - 1) <= NEUTRAL:
        return math.inf
    if size == 0 or math.isinf(size):
        return 0.0
    return -1 / math.log(size)


def shown_number(value: Any) -> str:
    """A number, or a tuple of numbers, with nine digits; a dash for nan, what there is not."""
    if isinstance(value, tuple):
        return f"({', '.join(map(shown_number, value))})"
    if isinstance(value, str):
        return value
    return "–" if math.isnan(value) else f"{value:.9g}"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("infinity" if value > 0 else "-infinity")
    return value
