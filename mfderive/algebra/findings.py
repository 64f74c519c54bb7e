"""What analysis finds, as data: a kind, what it is about, and the facts that it rests on.

Sentences are made of findings at the end, by tables from kinds to functions (:func:`sentence_of`);
whoever decides something reads kinds and facts, never words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeVar

from ..errors import MfError
from .showing import Shown, brief, names

Sentence = TypeVar("Sentence")


class FindingKind(StrEnum):
    """The kinds of findings: first those of the reduction, then those of the advice about a limit."""

    # Weights whose random entries are replaced by their conditional mean, and those that have no randomness.
    CLOSED = "closed"
    CONSTANT = "constant"
    # A weight that keeps the noise of its entries.
    KEPT_NOISE = "kept-noise"
    # Layers all of whose neurons are equal, layers whose neurons differ, adjoints that differ by more.
    ONE_TYPE = "one-type"
    LABELS = "labels"
    ADJOINT_LABELS = "adjoint-labels"
    # What is left of weights between populations.
    REDUCED_WEIGHT = "reduced-weight"
    # Parameters that stay at 0 where samples x and -x do the same.
    REFLECTION = "reflection"
    # Vectors that are written along and across the directions that the law of the data has of its own.
    ALIGNED = "aligned"
    # Vectors of which only the length counts; what breaks a symmetry that the law of the data has.
    ROTATION = "rotation"
    NO_ROTATION = "no-rotation"
    # Neurons and samples of which one stands for its images; why no use is made of such images.
    ORBITS = "orbits"
    NO_ORBITS = "no-orbits"

    UNEXAMINED = "unexamined"  # the initial state cannot be evaluated
    UNREAD = "unread"  # trained parameters that the loss does not depend on
    STATIONARY = "stationary"  # parameters that never move
    UNSEEN = "unseen"  # parameters that did not move where they were looked at
    EQUAL_OUTPUTS = "equal-outputs"
    ZERO_VARIANCE = "zero-variance"  # a normalisation divides by a deviation that is 0 in the limit
    EQUAL_NEURONS = "equal-neurons"
    IDLE_DEVIATION = "idle-deviation"  # deviations of initial weights that the limit does not feel
    RANDOM_LIMIT = "random-limit"  # noise on parameters that belong to no neuron, which never averages out
    NO_THEOREM = "no-theorem"  # assumptions of the published theorems that are not met

    # Of the data.
    SINGLE_CLASS = "single-class"  # every label is the same
    LABEL_GAP = "label-gap"  # whole numbers are left out between the labels
    MANY_CLASSES = "many-classes"  # hardly any label occurs twice
    IDLE_OUTPUTS = "idle-outputs"  # outputs that no label stands for
    UNEVEN_COLUMNS = "uneven-columns"  # columns of very different size
    LARGE_INPUTS = "large-inputs"  # first pre-activations far beyond what the law of the weights is made for

    # Of a run (mfderive.runs.divergence).
    LOSS_DIVERGED = "loss-diverged"  # the loss ends far above its start, still growing
    LOSS_EXPLODED = "loss-exploded"  # the loss was far above its start on the way
    NOT_FINITE = "not-finite"  # values left the finite numbers: the run ends before its last step

    # Of a verdict (mfderive.verdict.reason_sentences), of one observable each.
    APART = "apart"  # at infinite width networks are surely elsewhere
    OUT_OF_RANGE = "out-of-range"  # the widths are not where they can be extrapolated
    COARSE_EXTRAPOLATION = "coarse-extrapolation"  # what extrapolation leaves open is not small enough
    NOISY = "noisy"  # fluctuations leave open whether the distance is below the tolerance
    UNSTABLE_LABELS = "unstable-labels"  # fluctuations of labels have grown in training
    UNSTABLE_START = "unstable-start"  # fluctuations lead networks out of a state that the limit stays in
    # And of the whole.
    FEW_WIDTHS = "few-widths"
    OTHER_NODES = "other-nodes"  # the nodes that solve takes make another limit of it
    WILD_NODES = "wild-nodes"  # on the nodes that solve takes the limit diverges


@dataclass(frozen=True, repr=False)
class Finding(Shown):
    """One finding: its kind, the names of fields, parameters or layers that it is about, and its facts.

    ``kind`` is one of :class:`FindingKind`, or a name of its own that whoever finds it has a sentence for.
    ``evidence`` maps names of facts to plain values; which ones there are belongs to the kind, and whoever
    makes sentences of that kind says it.
    """

    kind: str
    subjects: tuple[str, ...] = ()
    evidence: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, kind: str, *subjects: str, **evidence: Any) -> Finding:
        """A finding whose facts are given by name."""
        return cls(kind, subjects, tuple(evidence.items()))

    def _summary(self) -> Iterator[str]:
        yield f"Finding '{self.kind}'{f' on {names(self.subjects)}' if self.subjects else ''}"
        for name, value in self.evidence:
            yield f"  {name}: {brief(value)}"

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """The evidence by name."""
        return dict(self.evidence)


def sentence_of(table: Mapping[str, Sentence], finding: Finding, where: str) -> Sentence:
    """What makes the sentence of a finding. Raises MfError where the table, which is ``where``, has none."""
    if finding.kind not in table:
        raise MfError(f"there is no sentence for a finding of kind '{finding.kind}'; add one to {where}")
    return table[finding.kind]
