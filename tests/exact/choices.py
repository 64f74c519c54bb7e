"""Where the random specs get their choices from: hypothesis (which shrinks them) or a plain seed."""

import random
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Choices(Protocol):
    """A source of whole numbers; everything else is made of them."""

    def below(self, count: int) -> int:
        """A number from 0 to count - 1."""
        ...


class SeededChoices:
    """Choices that a seed determines."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def below(self, count: int) -> int:
        return self.random.randrange(count)


class HypothesisChoices:
    """Choices that hypothesis makes, and shrinks when a test fails."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def below(self, count: int) -> int:
        return int(self.draw(st.integers(0, count - 1))) if count > 1 else 0


class Picker:
    """Readable draws on top of :class:`Choices`."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices

    def number(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + self.choices.below(high - low + 1)

    def pick(self, options: Sequence[T]) -> T:
        """One of the options; the first is the simplest."""
        return options[self.choices.below(len(options))]

    def chance(self, percent: int) -> bool:
        """True in so many of a hundred cases."""
        return self.choices.below(100) >= 100 - percent

    def seed(self) -> int:
        """A seed for numbers that hypothesis need not shrink."""
        return self.choices.below(2**20)
