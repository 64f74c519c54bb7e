"""What is said of how parameters learn: the rule with its constants, and which limit each part of it has.

Data goes in (:class:`~mfderive.algebra.update_rules.Learning`), sentences come out at the end, for whatever
shows a network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .update_rules import Learning

# Theory B.2, B.3, B.7, B.8: what survives the limit, each in one sentence.
BESIDE = {
    "decay": (
        "Beside its scaled gradient every entry feels lambda theta, at every width: the gradient of the "
        "normalised penalty (lambda/2) E theta^2, a mean over the entries. The Euclidean penalty "
        "(lambda/2) |theta|^2 with scaled gradients would be too large by the product of the widths, and has "
        "no limit. Proved for SGD on two-layer networks, else derived."
    ),
    "noise": (
        "Every step adds sqrt(2 T alpha xi) times an independent standard normal number to each entry: "
        "diffusion with coefficient T xi in the limit (proved for two-layer networks, else derived). On "
        "weights between two infinitely wide layers that enter linearly it averages out, and the limit does "
        "not feel it."
    ),
    "clip": (
        "The gradient of each batch is multiplied by min(1, C / |G|), |G| the norm of all scaled gradients "
        "in L2(P), where neurons are averaged over: a change of time for full batches. Euclidean norms have "
        "no limit: that of the plain gradient vanishes like n^(-1/2), that of the scaled one grows like n. "
        "Derived."
    ),
    "dropout": (
        "Each step of a finite network leaves out neurons with probability q and divides the others by "
        "1 - q. At small learning rates the limit does not feel it, because each mask enters a gradient with "
        "mean 1 and averages out; its penalty remains only at learning rates of order 1/width. Derived."
    ),
}


@dataclass(frozen=True)
class Statement:
    """One part of how parameters learn: its name, what was chosen, and which limit it has."""

    part: str
    chosen: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.chosen}. {self.sentence}" if self.sentence else self.chosen


def statements(
    learning: Learning, dropout: Sequence[tuple[str, float]] = (), trained: Sequence[str] = ()
) -> tuple[Statement, ...]:
    """The learning rule, then what stands beside it: decay, noise, clipping, dropout.

    ``trained``: all parameters that learn, by which "all" is known from a list of them.
    """
    return tuple(_statements(learning, dropout, trained))


def _statements(
    learning: Learning, dropout: Sequence[tuple[str, float]], trained: Sequence[str]
) -> Iterator[Statement]:
    yield Statement("rule", rule_text(learning), learning.row.statement)
    if learning.decay:
        way = "beside the rule" if learning.decoupled else "added to the gradient"
        yield Statement("decay", f"{_values(learning.decay, trained)}, {way}", BESIDE["decay"])
    if learning.noise:
        yield Statement("noise", f"temperature {_values(learning.noise, trained)}", BESIDE["noise"])
    if learning.clip is not None:
        yield Statement("clip", f"gradients of norm at most {learning.clip:g}", BESIDE["clip"])
    left_out = [(layer, probability) for layer, probability in dropout if probability]
    if left_out:
        yield Statement("dropout", _values(left_out, ()), BESIDE["dropout"])


def rule_text(learning: Learning) -> str:
    """The rule and its constants: ``adam (beta1 0.9, beta2 0.999, eps 1e-08)``."""
    constants = ", ".join(f"{name} {value:g}" for name, value in learning.constants)
    return f"{learning.rule} ({constants})" if constants else learning.rule


def _values(pairs: Sequence[tuple[str, float]], everything: Sequence[str]) -> str:
    """One number where all have it, else each with its name."""
    numbers = {value for _, value in pairs}
    if len(numbers) == 1 and {name for name, _ in pairs} == set(everything):
        return f"{pairs[0][1]:g}"
    return ", ".join(f"{name} {value:g}" for name, value in pairs)
