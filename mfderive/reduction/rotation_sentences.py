"""What the search for rotations found, in words."""

from __future__ import annotations

from ..algebra.findings import Finding, FindingKind
from ..algebra.system import LimitSystem
from ..analysis.rotations import Break
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
}


def _found(system: LimitSystem, finding: Finding) -> str:
    names, dimension = finding.subjects, finding.facts["dimension"]
    vectors = f"the vector{'s' * (len(names) > 1)} {listed(names)} count{'s' * (len(names) == 1)}"
    return (
        f"rotations of the {dimension} coordinates of x, together with {listed(names)}, change nothing: "
        f"{vectors} by length alone, x by its length and its angles with them"
    )


def _broken(system: LimitSystem, finding: Finding) -> str:
    said = _REASONS[finding.facts["reason"]].format(*finding.subjects)
    return f"the law of the data stays when x is rotated, but the limit does not: {said}"


ROTATION_SENTENCES: Sentences = {FindingKind.ROTATION: _found, FindingKind.NO_ROTATION: _broken}
