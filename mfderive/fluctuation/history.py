"""The states of a solution at every step, for a sweep that goes backwards through them."""

from __future__ import annotations

import math
from typing import Any

from ..runs.between import copy_state
from ..solution.stepping import Stepper

Arrays = dict[str, Any]


class History:
    """The states before steps 0, 1, ..., ``last`` of a solution, read from the last to the first.

    One state in about sqrt(steps) is kept, and the steps in between are made again a stretch at a time, so
    that memory holds 2 sqrt(steps) states and every step is made twice.
    """

    def __init__(self, stepper: Stepper, state: Arrays, last: int) -> None:
        self.stepper, self.last = stepper, last
        self.stretch = max(1, math.isqrt(last))
        self.kept: dict[int, Arrays] = {0: copy_state(state)}
        moving = copy_state(state)
        with stepper.threads(moving):
            for first in range(0, last, self.stretch):
                end = min(first + self.stretch, last)
                moving = stepper.advance(moving, first, end)
                self.kept[end] = copy_state(moving)
        self.near: dict[int, Arrays] = {}

    def state(self, number: int) -> Arrays:
        """The state before step ``number`` (counted from 0); it must not be changed."""
        if number in self.kept:
            return self.kept[number]
        if number not in self.near:
            first = number - number % self.stretch
            moving = copy_state(self.kept[first])
            self.near = {}
            with self.stepper.threads(moving):
                for step in range(first, min(first + self.stretch, self.last) - 1):
                    moving = self.stepper.advance(moving, step, step + 1)
                    self.near[step + 1] = copy_state(moving)
        return self.near[number]
