"""What a coordinate check measured, before anything is written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..algebra.findings import Finding
from .blown_up import BlownUp
from .limit_sizes import Prediction
from .network_sizes import Measure, Quantity
from .size_slopes import SizeSlope

Array = Any


@dataclass(frozen=True, eq=False)
class CoordinateRow:
    """One size over the widths.

    ``sizes`` float64 [width, seed]; ``prediction`` of the limit (None: it has none); ``slope`` the measured
    exponent, a term of finite width apart; ``relative`` that over the right networks beside which a person's
    own were measured (None where there are none).
    """

    quantity: Quantity
    sizes: Array
    prediction: Prediction | None
    slope: SizeSlope
    relative: SizeSlope | None = None

    @property
    def expected(self) -> float | None:
        """The exponent that the limit expects: 0, or that of a fluctuation where the limit is 0.

        None: it expects the size 0, or nothing at these widths.
        """
        return None if self.prediction is None else self.prediction.exponent

    @cached_property
    def inside(self) -> float | None:
        """The share of the networks that lie in the band of the limit."""
        if self.prediction is None or self.prediction.overtaken:
            return None
        low, high = self.prediction.band
        return float(np.mean((self.sizes >= low[:, None]) & (self.sizes <= high[:, None])))


@dataclass(frozen=True, eq=False, repr=False)
class CoordinateRows:
    """Everything that was measured: ``steps`` of training, ``widths``, ``rows``, and the ``faults`` found.

    ``given``: whether the networks are a person's own. ``unmeasured``: parameters of which these returned
    nothing, ``undecided``: those whose first steps scatter too much to tell a wrong rate.
    ``unpredicted``: why the limit predicts no sizes ("": it does). ``blown_up``: parameters with gradients
    that are 0 in the limit, of whose fluctuations the rule makes steps that do not vanish. ``undropped``:
    whether the spec has dropout, without which this program's networks were trained.
    """

    title: str
    widths: tuple[int, ...]
    seeds: int
    steps: int
    given: bool
    rows: tuple[CoordinateRow, ...]
    faults: tuple[Finding, ...]
    unmeasured: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    unpredicted: str = ""
    blown_up: BlownUp = field(default_factory=BlownUp)
    undropped: bool = False

    @cached_property
    def row(self) -> dict[Quantity, CoordinateRow]:
        """The rows by what they are of."""
        return {row.quantity: row for row in self.rows}

    def of(self, measure: Measure | str, name: str) -> CoordinateRow:
        """The row of one measure of a field or a parameter. Raises KeyError where there is none."""
        return self.row[Quantity(Measure(measure), name)]
