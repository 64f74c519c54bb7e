"""What the search for rotations found, and the directions about which they are, in words."""

from __future__ import annotations

from ..algebra.findings import Finding, FindingKind
from ..algebra.system import LimitSystem
from ..analysis.rotations import MOST_DIRECTIONS, Break
from .pass_words import Sentences, listed

_REASONS = {
    Break.ENTRYWISE: "the equation of '{0}' reads entries of a vector one by one, not in an inner product",
    Break.LAW: "the law of '{0}' is not the same in all directions",
    Break.SIZE: "the size of '{0}' differs from neuron to neuron, by what its law reads",
    Break.READ: "the law of '{0}' reads single entries of a weight vector",
    Break.NOISE: "fresh noise on '{0}' moves directions",
    Break.TWO_VECTORS: "'{0}' gives neurons that have a random vector already a second one",
    Break.LAYOUT: "'{0}' has the entries of x, but is no vector of one neuron with a direction of its own",
    Break.PAIRS: "'{0}' depends on the directions of two neurons",
    Break.SPHERE: "'{0}' lies on a sphere, where what it is across depends on what it is along",
}


def _directions(count: int) -> str:
    return f"{count} direction{'s' * (count != 1)}"


def _aligned(system: LimitSystem, finding: Finding) -> str:
    names, dimension = listed(finding.subjects), finding.facts["dimension"]
    count = len(finding.facts["directions"])
    return (
        f"the law of the data has {_directions(count)} of its own in {dimension} dimensions, about which it "
        f"can be rotated: x and {names} are written along {'it' if count == 1 else 'them'} ({count} "
        f"number{'s' * (count != 1)}) and across ({dimension - count})"
    )


def _found(system: LimitSystem, finding: Finding) -> str:
    names, dimension, sample = finding.subjects, finding.facts["dimension"], finding.facts["sample"]
    vectors = f"the vector{'s' * (len(names) > 1)} {listed(names)} count{'s' * (len(names) == 1)}"
    return (
        f"rotations of the {dimension} coordinates of {sample}, together with {listed(names)}, change "
        f"nothing: {vectors} by length alone, {sample} by its length and its angles with them"
    )


def _broken(system: LimitSystem, finding: Finding) -> str:
    reason, count = finding.facts["reason"], finding.facts["directions"]
    about = f" about {_directions(count)}" if count else ""
    if reason == Break.DIRECTIONS:
        return (
            f"the law of the data stays when {listed(finding.subjects)} is rotated{about}; of that no use is "
            f"made for more than {MOST_DIRECTIONS}"
        )
    said = _REASONS[reason].format(*finding.subjects)
    return f"the law of the data stays when x is rotated{about}, but the limit does not: {said}"


def _reflected(system: LimitSystem, finding: Finding) -> str:
    names = finding.subjects
    beside = "y -> -y" if finding.facts["targets"] < 0 else "the same y"
    still = f", and {listed(names)} stay{'s' * (len(names) == 1)} at 0" if names else ""
    return (
        f"samples x and -x, with {beside}, do the same to every neuron{still}: one of them stands for both, "
        "which halves symmetric rules"
    )


REFLECTION_SENTENCES: Sentences = {FindingKind.REFLECTION: _reflected}
ALIGNMENT_SENTENCES: Sentences = {FindingKind.ALIGNED: _aligned}
ROTATION_SENTENCES: Sentences = {FindingKind.ROTATION: _found, FindingKind.NO_ROTATION: _broken}
