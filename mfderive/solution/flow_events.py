"""What ends a flow, or strides, before the horizon: a loss low enough, a velocity small enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scipy.optimize import brentq

from ..network.solve_options import SolveOptions
from .integrators import Stretch

Loss = Callable[[Any], float]

# An event is found to so much of its time, or of the step in which it lies.
_CLOSE = 1e-12


@dataclass(frozen=True)
class Event:
    """What happens where ``excess`` falls to 0: of a stretch at a time of its last step (None: its end)."""

    name: str
    excess: Callable[[Stretch, float | None], float]

    def happened(self, stretch: Stretch) -> bool:
        """Whether it has happened by the end of the last step."""
        return self.excess(stretch, None) <= 0

    def time(self, stretch: Stretch) -> float:
        """When it happened within the last step, at whose end it has."""
        begins, ends = float(stretch.solver.t_old or 0.0), stretch.solver.t
        if self.excess(stretch, begins) <= 0:
            return begins
        if self.excess(stretch, ends) > 0:  # the continuous extension ends a rounding away from the step
            return ends
        close = max(_CLOSE * (ends - begins), 4 * _CLOSE * ends)
        return float(brentq(lambda t: self.excess(stretch, t), begins, ends, xtol=close))


def events_of(options: SolveOptions, loss: Loss) -> tuple[Event, ...]:
    """The events that options ask for; ``loss`` of a state on the evaluation sample."""
    found = []
    if options.until_loss is not None:
        found.append(Event("until_loss", _loss_excess(loss, options.until_loss)))
    if options.until_speed is not None:
        found.append(Event("until_speed", _speed_excess(options.until_speed)))
    return tuple(found)


def _loss_excess(loss: Loss, bound: float) -> Callable[[Stretch, float | None], float]:
    def excess(stretch: Stretch, t: float | None) -> float:
        return loss(stretch.state if t is None else stretch.state_at(t)) - bound

    return excess


def _speed_excess(bound: float) -> Callable[[Stretch, float | None], float]:
    def excess(stretch: Stretch, t: float | None) -> float:
        return stretch.speed(t) - bound

    return excess


def first_event(events: tuple[Event, ...], stretch: Stretch) -> tuple[float, str] | None:
    """Time and name of the first event in the last step; None where there is none."""
    found = ((each.time(stretch), each.name) for each in events if each.happened(stretch))
    time, name = min(found, default=(None, ""))
    return None if time is None else (stretch.landing(time), name)
