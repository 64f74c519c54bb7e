"""The equations of an Ising model's mean field, in the letters of the survey, as text and LaTeX."""

from __future__ import annotations

from dataclasses import dataclass

from .ising_model import IsingModel


@dataclass(frozen=True)
class NamedEquation:
    """One equation: what it says, as text and as LaTeX."""

    name: str
    text: str
    latex: str


@dataclass(frozen=True)
class IsingEquations:
    """The equations that were solved, in order."""

    lines: tuple[NamedEquation, ...]

    @property
    def text(self) -> str:
        """One line for each equation."""
        width = max(len(line.name) for line in self.lines)
        return "\n".join(f"{line.name:<{width}}   {line.text}" for line in self.lines)

    @property
    def latex(self) -> str:
        """An ``align*`` environment (package amsmath)."""
        rows = " \\\\\n".join(f"  {line.latex.replace(' = ', ' &= ', 1)}" for line in self.lines)
        return f"\\begin{{align*}}\n{rows}\n\\end{{align*}}\n"

    def __str__(self) -> str:
        return self.text


def ising_equations(model: IsingModel) -> IsingEquations:
    """The equations of a model: energy, mean field, free energy, Bethe, transitions.

    Letters of Pandey and Xu 2019 (1.3 and 8.2): sigma spins, mu_k = <sigma_k>, J coupling, B field,
    beta = 1/T. Where all couplings are equal J has no index; without a field B is left out; where all spins
    have one degree, the equation of their common magnetisation follows.
    """
    same = len(set(model.couplings.data.tolist())) <= 1
    j, jt = ("J", "J") if same else ("J_ki", "J_{ki}")
    b, bt = ("", "") if model.has_no_field else (" + B_k", " + B_k")
    e, et = ("J", "J") if same else ("J_ij", "J_{ij}")
    field, fieldt = ("", "") if model.has_no_field else (" - Σ_i B_i σ_i", r" - \sum_i B_i \sigma_i")
    work, workt = ("", "") if model.has_no_field else (" - Σ_i B_i μ_i", r" - \sum_i B_i \mu_i")
    cavity, cavityt = ("", "") if model.has_no_field else ("β B_i + ", r"\beta B_i + ")
    lines = [
        NamedEquation(
            "energy",
            f"H = -Σ_<ij> {e} σ_i σ_j{field}",
            rf"H = -\sum_{{\langle ij\rangle}} {et} \sigma_i \sigma_j{fieldt}",
        ),
        NamedEquation(
            "law",
            "p(σ) = exp(-β H) / Z,  β = 1/T",
            r"p(\boldsymbol{\sigma}) = e^{-\beta H(\boldsymbol{\sigma})} / Z, \quad \beta = 1/T",
        ),
        NamedEquation(
            "mean field",
            f"μ_k = tanh(β (Σ_(i in Nbr(k)) {j} μ_i{b}))",
            rf"\mu_k = \tanh\Bigl(\beta \bigl(\sum_{{i \in \mathrm{{Nbr}}(k)}} {jt} \mu_i{bt}\bigr)\Bigr)",
        ),
        NamedEquation(
            "free energy",
            f"F = -Σ_<ij> {e} μ_i μ_j{work} - T Σ_i H_2((1+μ_i)/2),  ELBO = -β F <= log Z",
            rf"F = -\sum_{{\langle ij\rangle}} {et} \mu_i \mu_j{workt}"
            r" - T \sum_i H_2\bigl(\tfrac{1+\mu_i}{2}\bigr), \quad -\beta F \le \log Z",
        ),
        NamedEquation(
            "entropy", "H_2(p) = -p log p - (1-p) log(1-p)", r"H_2(p) = -p \log p - (1-p) \log(1-p)"
        ),
        NamedEquation(
            "messages",
            f"u_(i->j) = {cavity}Σ_(k in Nbr(i), k != j) artanh(tanh(β {j}) tanh(u_(k->i)))",
            rf"u_{{i \to j}} = {cavityt}\sum_{{k \in \mathrm{{Nbr}}(i) \setminus j}} "
            rf"\operatorname{{artanh}}\bigl(\tanh(\beta {jt}) \tanh u_{{k \to i}}\bigr)",
        ),
        *_regular_lines(model),
    ]
    return IsingEquations(tuple(lines))


def _regular_lines(model: IsingModel) -> list[NamedEquation]:
    """Where all spins are alike: one equation, and its transitions."""
    if model.regular is None or len(set(model.fields.tolist())) != 1:
        return []
    degree, coupling = model.regular
    b, bt = ("", "") if model.has_no_field else (" + B", " + B")
    lines = [
        NamedEquation(
            "all alike",
            f"σ̄ = tanh(β ({degree} J σ̄{b})),  J = {coupling:g}",
            rf"\bar\sigma = \tanh\bigl(\beta ({degree} J \bar\sigma{bt})\bigr), \quad J = {coupling:g}",
        )
    ]
    if coupling > 0:
        lines.append(NamedEquation("transition", f"T_c = {degree} J", f"T_c = {degree} J"))
        if degree > 2:
            lines.append(
                NamedEquation(
                    "of Bethe",
                    f"T_c = J / artanh(1/{degree - 1})",
                    rf"T_c^{{\mathrm{{Bethe}}}} = J / \operatorname{{artanh}}(1/{degree - 1})",
                )
            )
    return lines
