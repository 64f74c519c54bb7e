"""What the search for changes of signs and places found, in words."""

from __future__ import annotations

from ..algebra.findings import Finding, FindingKind
from ..algebra.signed_permutations import SignedPermutation
from ..algebra.system import LimitSystem
from ..analysis.orbits import OrbitBreak
from .pass_words import Sentences, listed

# So many motions are told one by one.
_TOLD = 8
_REASONS = {
    OrbitBreak.CHANNELS: "what moves is no whole channel of x, the same at all positions",
    OrbitBreak.LAYOUT: "'{0}' has the entries of x, but is no vector of one neuron",
    OrbitBreak.POPULATIONS: "several populations have vectors that read {0}",
    OrbitBreak.PLACE: "the equation of '{0}' reads an entry at a place of its own",
    OrbitBreak.ALONE: "'{0}' reads x where no vector of a neuron does",
    OrbitBreak.PAIRS: "'{0}' depends on two neurons that have vectors",
    OrbitBreak.SAMPLES: "the equation of '{0}' reads two samples",
    OrbitBreak.NOISE: "fresh noise on '{0}' moves neurons",
    OrbitBreak.READ: "the law of '{0}' reads single entries of a vector",
    OrbitBreak.SIGNS: "laws of weights or functions are not symmetric",
    OrbitBreak.OUTPUTS: "outputs that would change places with them are not all treated alike",
}


def _found(system: LimitSystem, finding: Finding) -> str:
    facts, names = finding.facts, finding.subjects
    motions, population = facts["motions"], facts["population"]
    words = _words(motions, channels=facts["positions"] > 1)
    count = len(motions)
    nodes = f"{facts['left']} of {facts['nodes']} nodes of {population}"
    return (
        f"{words} change{'s' * (count == 2)} nothing in the law of the data and the limit, "
        f"together with {listed(names)}: a neuron of {population} stands for its {count} images, and so does "
        f"a sample, which leaves {nodes}, and as small a part of symmetric rules for the data"
    )


def _words(motions: tuple[SignedPermutation, ...], channels: bool) -> str:
    if len(motions) > _TOLD:
        parts = "channels" if channels else "coordinates"
        signs = sum(m.places == motions[0].places for m in motions)
        places = len({m.places for m in motions})
        return f"{len(motions)} motions of x ({signs} by signs alone, {places} orders of its {parts})"
    return listed([_motion(motion, "channel " if channels else "x") for motion in motions[1:]])


def _motion(motion: SignedPermutation, part: str) -> str:
    names = [
        f"{'-' * (sign < 0)}{part}{place + 1}"
        for place, sign in zip(motion.places, motion.signs, strict=True)
    ]
    columns = ", ".join(f"y{place + 1}" for place in motion.columns)
    target = f"-y{f', in the order ({columns})' if columns else ''}" if motion.target < 0 else f"({columns})"
    return f"x -> ({', '.join(names)})" + f" with y -> {target}" * (motion.target < 0 or bool(columns))


def _unused(system: LimitSystem, finding: Finding) -> str:
    reason = finding.facts["reason"]
    if reason == OrbitBreak.SAMPLED:
        return (
            "law of the data and limit stay when coordinates of x change signs or places; of that no use is "
            f"made, for the nodes of {listed(finding.subjects)} are sampled, and images are no better than "
            "other points"
        )
    return (
        "the law of the data stays when coordinates of x change signs or places, but the limit does not: "
        + _REASONS[reason].format(*finding.subjects)
    )


ORBIT_SENTENCES: Sentences = {FindingKind.ORBITS: _found, FindingKind.NO_ORBITS: _unused}
