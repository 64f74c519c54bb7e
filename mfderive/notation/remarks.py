"""Sentences with formulas in them: plain text that knows which of its pieces are formulas."""

from __future__ import annotations

from collections.abc import Iterator
from string import Formatter
from typing import NamedTuple


class Formula(NamedTuple):
    """A formula in a sentence: as readable text, and in LaTeX."""

    text: str
    latex: str


# The formulas of remarks, by the names that their templates use.
FORMULAS = {
    "H_s": Formula("H⁽ˢ⁾", "H^{(s)}"),
    "x_s": Formula("x⁽ˢ⁾", "x^{(s)}"),
    "D_by_Delta": Formula("D_F = ∂₂L Δ_F", r"D_F = \partial_2 L\, \Delta_F"),
    "t_of_step": Formula("t = α_1 + ... + α_{k−1}", r"t = \alpha_1 + \ldots + \alpha_{k-1}"),
    "sgd_step": Formula("θᵏ = θᵏ⁻¹ + α_k ∂ₜ θ", r"\theta^{k} = \theta^{k-1} + \alpha_k\, \partial_t \theta"),
    "steps": Formula("k = 1, 2, ...", r"k = 1, 2, \ldots"),
    "before_k": Formula("k − 1", "k - 1"),
    "small_steps": Formula("α → 0", r"\alpha \to 0"),
    "alpha_k": Formula("α_k", r"\alpha_k"),
    "laplacian": Formula("∇²", r"\nabla^2"),
    "kappa": Formula("κ", r"\kappa"),
    "f_of_kernel": Formula("f = CE{ν}", r"f = \mathrm{CE}\{\nu\}"),
    "E_P": Formula("E_P", r"\mathbb{E}_P"),
    "deviation": Formula("δF", r"\delta F"),
    "source": Formula("s(c)", "s(c)"),
    "noise": Formula("G[f] = E_c[s(c) f(c)]", r"G[f] = \mathbb{E}_c[s(c)\, f(c)]"),
    "residual": Formula("∂₂L", r"\partial_2 L"),
    "Delta_F": Formula("Δ_F", r"\Delta_F"),
    "D_F": Formula("D_F", r"D_F"),
    "output": Formula("ŷ", r"\hat{y}"),
    "zeta": Formula("ζ", r"\zeta"),
    "phi": Formula("φ", r"\varphi"),
    "along": Formula("∥", r"\parallel"),
    "across": Formula("⊥", r"\perp"),
    "kernel": Formula("ν", r"\nu"),
    "law": Formula("ρ", r"\rho"),
    "potential": Formula("Ψ", r"\Psi"),
}

# What a linearised limit is (theory D).
SECOND_ORDER = (
    "{deviation} is the first-order deviation of F from the limit, times the root of the width; those of "
    "parameters are 0 at t = 0. Averages with {source} over neurons c stand for {noise}: centred, Gaussian, "
    "independent over populations, with the covariance of f and g over the labels, divided by the relative "
    "width."
)

# What equations in lengths and angles mean, of all of x or of what is across the data's own directions.
ANGLES_ALL = (
    "{phi} is the angle between x and the vector of a neuron; x and that vector stand for their lengths."
)
ANGLES_ACROSS = (
    "{along} marks what vectors are along the directions that the law of the data has of its own, {across} "
    "the length of what they are across them; x stands for both. {phi} is the angle between what x and the "
    "vector of a neuron are across."
)
FOLLOWED = (
    "Where cos follows a kink, {phi} numbers nodes of the angle: by the side (-1 or 1) of the kink, which is "
    "at cosine bend, and a node in (-1, 1) there; share is how much a node counts, and density the constant "
    "of the law of the cosine."
)


class Remark(str):
    """A sentence; ``pieces`` are its plain words and its formulas, in their order."""

    pieces: tuple[str | Formula, ...]

    def __new__(cls, template: str, **words: str) -> Remark:
        """The sentence of a template, in which ``{name}`` is one of ``words`` or of :data:`FORMULAS`."""
        pieces = tuple(_pieces(template, words))
        made = super().__new__(cls, "".join(p.text if isinstance(p, Formula) else p for p in pieces))
        made.pieces = pieces
        return made


def _pieces(template: str, words: dict[str, str]) -> Iterator[str | Formula]:
    for text, name, _, _ in Formatter().parse(template):
        if text:
            yield text
        if name is not None:
            yield words[name] if name in words else FORMULAS[name]


def pieces_of(remark: str) -> tuple[str | Formula, ...]:
    """The words and formulas of a sentence; a plain text is words alone."""
    return remark.pieces if isinstance(remark, Remark) else (remark,)
