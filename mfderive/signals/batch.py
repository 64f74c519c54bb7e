"""What a system knows of its batches: their size, and the fields whose values they normalise."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Batch:
    """What a system knows of its batches: their ``size`` (may be inf), and by the name of a field of
    normalised values the field that they are made of (``source``) and the one between the two (``between``),
    whose adjoint holds all derivatives through the mean and the variance."""

    size: float
    source: dict[str, str] = field(default_factory=dict)
    between: dict[str, str] = field(default_factory=dict)
