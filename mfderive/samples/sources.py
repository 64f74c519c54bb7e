"""Data sources: batches and evaluation samples as pure functions of (data seed, k).

Batch k = 1, 2, ... is the same for the limit and for networks of every width, in whatever order and however
often it is asked for; so is the evaluation sample. A source is either a law, which gives fresh samples for
ever, or a fixed sample, whose empirical law is then the law of the data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from ..algebra.arguments import choice, whole_number
from ..algebra.memory import check_memory
from ..algebra.showing import Shown, brief
from ..errors import DataError
from .data_facts import DataFacts
from .independent_parts import Parts, alone
from .integration_points import all_points, can_integrate, integrated_parts, integration_points, point_count

if TYPE_CHECKING:
    from .standard_law import StandardLaw

Array = Any
Split = Literal["train", "test"]

# Purposes of random numbers: each draws from default_rng([seed, purpose, k]), so they never overlap.
BATCH = 1
EVALUATION = 2
FIXED_SAMPLE = 3
SPLIT = 4
PROBE = 5
_WORD = 2**32  # numbers below fill one of the words that a generator is seeded with

Draw = Callable[[np.random.Generator, int], tuple[Array, Array]]


class DataSource(Protocol):
    """What the limit and the networks need to know of the data.

    ``input_shape`` is (inputs,) or (channels, positions...); ``outputs`` the number of columns of y;
    ``rows`` the size of the fixed sample, None for a law. x is float64 [sample, *input_shape], y float64
    [sample, outputs].
    """

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one x."""

    @property
    def outputs(self) -> int:
        """The number of components of one y."""

    @property
    def rows(self) -> int | None:
        """The number of training samples of a fixed sample, None where every batch is fresh."""

    @property
    def seed(self) -> int:
        """The data seed."""

    @property
    def given(self) -> str | None:
        """The digest of the arrays that a caller gave; None where the data is drawn or read."""

    @property
    def facts(self) -> DataFacts:
        """What was found in the data and done to it."""

    def batch(self, k: int, size: int | str) -> tuple[Array, Array]:
        """Batch k = 1, 2, ...: ``size`` samples, or "all" rows of a fixed sample in their order."""

    def evaluation(self, samples: int, split: Split | None = None) -> tuple[Array, Array]:
        """At most ``samples`` samples on which limit and networks are compared, always the same ones."""

    def parts(self, samples: int, split: Split | None = None) -> Parts:
        """How these samples stand for the law of the data."""


def generator(seed: int, purpose: int, k: int = 0) -> np.random.Generator:
    """The random generator of a purpose and a batch: that of ``np.random.default_rng([seed, purpose, k])``.

    Seeds as an array are those that numpy would make of the list, which takes it longer than drawing a batch.
    """
    words = [seed, purpose, k]
    is_short = all(0 <= word < _WORD for word in words)
    return np.random.Generator(np.random.PCG64(np.array(words, np.uint32) if is_short else words))


def _check_batch(k: int, size: int | str, input_shape: tuple[int, ...]) -> None:
    """Raise ArgumentError for a number or size that no batch has, ResourceError for one beyond memory."""
    whole_number("the number of a batch", k)
    if isinstance(size, str):
        choice("the size of a batch", size, ("all",))
        return
    check_memory(_bytes_of(size, input_shape), f"A batch of {size}", "Take a smaller batch_size")


@lru_cache(typed=True)  # True is no size, though it equals 1
def _bytes_of(size: int, input_shape: tuple[int, ...]) -> int:
    """Bytes that a batch needs while it is drawn; ArgumentError for what is no size."""
    whole_number("the size of a batch", size)
    return 3 * 8 * size * math.prod(input_shape)


@dataclass(frozen=True, eq=False, repr=False)
class LawSource(Shown):
    """Fresh samples from a law: ``draw(generator, size)`` gives x [size, *input_shape], y [size, outputs].

    The evaluation samples are fresh too, so training and test evaluation are the same thing. ``law`` is the
    same law as a transform of standard variables, where it is known.
    """

    draw: Draw
    input_shape: tuple[int, ...]
    outputs: int
    seed: int
    rows: int | None = None
    law: StandardLaw | None = None
    facts: DataFacts = field(default_factory=lambda: DataFacts(is_read=False))

    @property
    def given(self) -> str | None:
        """None: a law is drawn, not given."""
        return None

    def _summary(self) -> Iterator[str]:
        shape = " x ".join(map(str, self.input_shape))
        yield f"LawSource of fresh samples, inputs {shape}, outputs {self.outputs}, seed {self.seed}"

    def batch(self, k: int, size: int | str) -> tuple[Array, Array]:
        """Batch k: ``size`` independent samples. Raises DataError for "all": a law has no end."""
        _check_batch(k, size, self.input_shape)
        if isinstance(size, str):
            raise DataError(
                "batch_size = 'all' needs a fixed sample, but every batch of this data is fresh",
                table="training",
                key="batch_size",
                remedy="Give a number, or set samples = n in [data]",
            )
        return self.draw(generator(self.seed, BATCH, k), size)

    def evaluation(self, samples: int, split: Split | None = None) -> tuple[Array, Array]:
        """``samples`` points that integrate the law, the same at every call.

        All of its points, each once, where there are no more of them. Else scrambled Sobol points
        (:mod:`mfderive.samples.integration_points`), whose average is far closer to that over the law than
        that of independent samples; fresh samples where the law is only drawn from.
        """
        whole_number("samples", samples)
        needed = 3 * 8 * samples * math.prod(self.input_shape)
        check_memory(needed, f"An evaluation sample of {samples}", "Evaluate on fewer")
        if self.law is not None and self._whole(samples):
            x, y = all_points(self.law)
        elif self.law is not None and can_integrate(self.law):
            x, y = integration_points(self.law, samples, [self.seed, EVALUATION])
        else:
            return self.draw(generator(self.seed, EVALUATION), samples)
        return x.reshape(len(x), *self.input_shape), y

    def parts(self, samples: int, split: Split | None = None) -> Parts:
        """All points, which are the law itself; blocks with scrambles of their own; or fresh samples."""
        whole = self._whole(samples)
        if whole:
            return alone(whole, missing=0.0)
        if self.law is not None and can_integrate(self.law):
            return integrated_parts(samples)
        return alone(samples)

    def _whole(self, samples: int) -> int:
        """How many points the law has, where so many samples can be all of them; else 0."""
        count = (point_count(self.law) if self.law is not None else None) or 0
        return count if count <= samples else 0


@dataclass(frozen=True, eq=False, repr=False)
class SampleSource(Shown):
    """A fixed sample: the law of the data is its empirical law. ``test`` rows are never trained on.

    A batch draws rows independently with replacement, so that it is a sample of the empirical law for every
    size; "all" gives every row once, the law itself. ``given`` is the digest of arrays that the caller
    gave (they are in no file that a saved run could read them from again).
    """

    x: Array
    y: Array
    seed: int
    test: tuple[Array, Array] | None = None
    given: str | None = None
    facts: DataFacts = field(default_factory=DataFacts)
    outputs: int = field(init=False)
    input_shape: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Freeze the arrays: "all" hands out the sample itself, and nobody may change it."""
        for array in (self.x, self.y, *(self.test or ())):
            array.setflags(write=False)
        object.__setattr__(self, "outputs", int(self.y.shape[1]))
        object.__setattr__(self, "input_shape", tuple(int(n) for n in self.x.shape[1:]))

    def _summary(self) -> Iterator[str]:
        shape, tests = " x ".join(map(str, self.input_shape)), 0 if self.test is None else len(self.test[0])
        rows = f"{self.rows} rows{f' and {tests} test rows' if tests else ''}"
        yield f"SampleSource of {rows}, inputs {shape}, outputs {self.outputs}, seed {self.seed}"
        if self.facts.classes is not None:
            yield f"  classes: {brief(self.facts.classes.called)}"
        if self.facts.inputs is not None:
            yield f"  columns: {brief(self.facts.inputs.labels)}"

    @property
    def rows(self) -> int:
        """The number of training samples."""
        return len(self.x)

    def batch(self, k: int, size: int | str) -> tuple[Array, Array]:
        """Batch k: ``size`` rows drawn with replacement, or "all" rows in their order (read-only)."""
        _check_batch(k, size, self.input_shape)
        if isinstance(size, str):
            return self.x, self.y
        chosen = generator(self.seed, BATCH, k).integers(0, self.rows, size)
        return self.x[chosen], self.y[chosen]

    def evaluation(self, samples: int, split: Split | None = None) -> tuple[Array, Array]:
        """At most ``samples`` rows of the test split, or of the training sample.

        The training sample is taken on request, and where there is no test split.

        All rows in their order if there are no more than ``samples``, else a fixed random choice of them.
        """
        whole_number("samples", samples)
        x, y = self._rows_of(split)
        if samples >= len(x):
            return x, y
        chosen = np.sort(generator(self.seed, EVALUATION).permutation(len(x))[:samples])
        return x[chosen], y[chosen]

    def parts(self, samples: int, split: Split | None = None) -> Parts:
        """All rows, which are the law themselves; or rows that were chosen at random."""
        rows = len(self._rows_of(split)[0])
        return alone(min(samples, rows), max(0.0, 1 - samples / rows))

    def _rows_of(self, split: Split | None) -> tuple[Array, Array]:
        """The rows that are evaluated: those of the test split, or of the training sample."""
        if split is not None:
            choice("split", split, ("train", "test"))
        if split == "test" and self.test is None:
            raise DataError("this data has no test split", table="data", key="test")
        return self.test if self.test is not None and split != "train" else (self.x, self.y)


@dataclass(frozen=True, eq=False, repr=False)
class DrawnSource(Shown):
    """A fixed sample of a law that is drawn when it is first asked for: loading draws nothing of its size.

    ``draw()`` gives the sample; what is said of it before (``rows``, shapes, ``facts``) follows from the law.
    """

    draw: Callable[[], SampleSource]
    input_shape: tuple[int, ...]
    outputs: int
    rows: int
    seed: int
    facts: DataFacts

    @cached_property
    def sample(self) -> SampleSource:
        """The sample itself."""
        return self.draw()

    @property
    def x(self) -> Array:
        """The inputs of the sample."""
        return self.sample.x

    @property
    def y(self) -> Array:
        """The targets of the sample."""
        return self.sample.y

    @property
    def test(self) -> tuple[Array, Array] | None:
        """The rows that are held out."""
        return self.sample.test

    @property
    def given(self) -> str | None:
        """None: it is drawn, not given."""
        return None

    def _summary(self) -> Iterator[str]:
        shape = " x ".join(map(str, self.input_shape))
        tests = 0 if self.facts.split is None else self.facts.split.test
        rows = f"{self.rows} rows{f' and {tests} test rows' if tests else ''}"
        yield f"DrawnSource of {rows}, inputs {shape}, outputs {self.outputs}, seed {self.seed}"

    def batch(self, k: int, size: int | str) -> tuple[Array, Array]:
        """Batch k, as that of :class:`SampleSource`."""
        return self.sample.batch(k, size)

    def evaluation(self, samples: int, split: Split | None = None) -> tuple[Array, Array]:
        """At most ``samples`` samples, as those of :class:`SampleSource`."""
        return self.sample.evaluation(samples, split)

    def parts(self, samples: int, split: Split | None = None) -> Parts:
        """As those of :class:`SampleSource`."""
        return self.sample.parts(samples, split)
