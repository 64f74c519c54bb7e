"""Solutions in which nothing is learned: what the advice about the limit says of it stands in their notes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..advice.advise import advise
from ..advice.sentences import sentences
from ..algebra.findings import Finding, FindingKind
from ..limit.derive import derive
from ..reduction.reduce import reduce as reduce_system
from ..runs.trajectory import WARNINGS, Trajectory

# The advice costs up to a second, so it is asked where a loss stays within this part of its start: one that
# moves by more is learning, whatever holds some parameters.
FLAT = 0.01
# What a loss moves by rounding alone, in units of the precision.
_ROUNDINGS = 1000
# Of these, all are repeated where the loss does not move at all, else those that say that nothing moves.
_KINDS = (FindingKind.UNREAD, FindingKind.STATIONARY, FindingKind.UNSEEN, FindingKind.EQUAL_OUTPUTS)


def with_warnings(path: Trajectory, resume: Trajectory | None = None) -> Trajectory:
    """A solution from its network's own start; where nothing is learned, with what the advice says of it.

    ``notes["warnings"]`` then has an entry {"kind", "text"} for each such finding. A run that went on from
    ``resume`` keeps the entries of that one while its loss stays where it is.
    """
    motion = relative_motion(path)
    if motion > FLAT:
        return path
    if resume is not None:
        entries = list(resume.notes.get(WARNINGS, ()))
    else:
        still = motion <= _ROUNDINGS * float(np.finfo(path.notes["precision"]).eps)
        limit = derive(path.network)
        found = advise(path.network, limit, reduce_system(limit))
        told = [each for each in found if each.kind in _KINDS and (still or nothing_moves(each))]
        texts = sentences(told)
        entries = [{"kind": str(e.kind), "text": text} for e, text in zip(told, texts, strict=True)]
    return replace(path, notes={**path.notes, WARNINGS: entries}) if entries else path


def relative_motion(path: Trajectory) -> float:
    """How far the loss of a run went from its start, as a part of it; infinite where that start is 0."""
    if len(path.loss) < 2:
        return float("inf")
    start, farthest = abs(float(path.loss[0])), float(np.abs(path.loss - path.loss[0]).max())
    return farthest / start if start else float("inf")


def nothing_moves(finding: Finding) -> bool:
    """Whether a finding says that no parameter moves."""
    if finding.kind in (FindingKind.STATIONARY, FindingKind.UNSEEN):
        return not finding.facts["moving"]
    return finding.kind == FindingKind.EQUAL_OUTPUTS and not finding.facts["trained"]
