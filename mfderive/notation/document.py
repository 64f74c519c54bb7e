"""Whole pages of equations: LaTeX, a compilable document, MathML and HTML fragments."""

from __future__ import annotations

import html as html_module
import re

import latex2mathml.converter

from ..algebra.system import ForwardSystem
from .embedding import Embedding, Line
from .styles import LATEX

Section = tuple[str, list[Line]]

_TEX_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
# What the remarks say in unicode, as LaTeX formulas: (unicode, LaTeX).
_REMARK_FORMULAS = (
    ("D_F = ∂₂L Δ_F", r"$D_F = \partial_2 L\, \Delta_F$"),
    ("E_P", r"$\mathbb{E}_P$"),
    ("∂₂L", r"$\partial_2 L$"),
    ("Δ_F", r"$\Delta_F$"),
    ("D_F", r"$D_F$"),
    ("ŷ", r"$\hat{y}$"),
    ("ζ", r"$\zeta$"),
)


def sections(system: ForwardSystem) -> list[Section]:
    """The titled groups of LaTeX equations in embedding notation; empty groups are left out."""
    page = Embedding(system, LATEX)
    groups = [
        ("Forward", page.forward()),
        ("Activations", page.activations()),
        ("Backward", page.backward()),
        ("Evolution", page.evolution()),
    ]
    return [(title, lines) for title, lines in groups if lines]


def _aligned(lines: list[Line], environment: str) -> str:
    rows = " \\\\\n".join(f"{line.left} &= {line.right}" for line in lines)
    return f"\\begin{{{environment}}}\n{rows}\n\\end{{{environment}}}"


def latex(system: ForwardSystem) -> str:
    """All equations as one LaTeX ``aligned`` block (math mode is up to the caller)."""
    return _aligned([line for _, lines in sections(system) for line in lines], "aligned")


def latex_document(system: ForwardSystem, extra: str = "") -> str:
    """A LaTeX document that compiles by itself: remarks, equations, gradient scalings, then ``extra``."""
    page = Embedding(system, LATEX)
    parts = [
        r"\documentclass[10pt]{article}",
        r"\usepackage[a4paper,landscape,margin=15mm]{geometry}",
        r"\usepackage{amsmath,amssymb}",
        r"\allowdisplaybreaks",
        r"\begin{document}",
        rf"\section*{{{tex_words(system.title)}}}",
        *(remark_latex(remark) + r"\par" for remark in page.remarks()),
    ]
    for title, lines in sections(system):
        parts += [rf"\subsection*{{{title}}}", _aligned(lines, "align*")]
    rows = " \\\\\n".join(f"${name}$ & ${factor}$" for name, factor in page.scalings())
    parts += [
        r"\subsection*{Gradient scalings}",
        r"What multiplies the plain gradient in a network of widths $n$.\par\medskip",
        f"\\begin{{tabular}}{{ll}}\n{rows}\n\\end{{tabular}}",
    ]
    if extra:
        parts.append(extra)
    parts.append(r"\end{document}")
    return "\n".join(parts) + "\n"


def tex_words(words: str) -> str:
    """Plain words with TeX's special characters escaped."""
    words = "".join(_TEX_SPECIAL.get(letter, letter) for letter in words)
    return re.sub(r"(?<!\\)([#$%&_])", r"\\\1", words)


def remark_latex(remark: str) -> str:
    """A remark with its formulas in math mode."""
    pattern = "|".join(re.escape(shown) for shown, _ in _REMARK_FORMULAS)
    table = dict(_REMARK_FORMULAS)
    pieces = re.split(f"({pattern})", remark)
    return "".join(table.get(piece, tex_words(piece)) for piece in pieces)


def mathml(formula: str, display: str = "block") -> str:
    """A LaTeX formula as MathML; ``display`` is "block" or "inline"."""
    return str(latex2mathml.converter.convert(formula, display=display))


def html(system: ForwardSystem) -> str:
    """The equations as an HTML fragment with MathML and no script."""
    page = Embedding(system, LATEX)
    parts = ['<div class="mfderive-equations">', f"<h3>{html_module.escape(system.title)}</h3>"]
    parts += [f"<p>{html_module.escape(remark)}</p>" for remark in page.remarks()]
    for title, lines in sections(system):
        parts += [f"<h4>{title}</h4>", html_table(lines)]
    parts += ["<h4>Gradient scalings</h4>", _scalings_table(page), "</div>"]
    return "\n".join(parts) + "\n"


def html_table(lines: list[Line]) -> str:
    """Equations in a table, aligned at the equals sign."""
    rows = [
        '<tr><td style="text-align:right">'
        + mathml(rf"\displaystyle {line.left}", "inline")
        + '</td><td style="text-align:left">'
        + mathml(rf"\displaystyle = {line.right}", "inline")
        + "</td></tr>"
        for line in lines
    ]
    return "\n".join(["<table>", *rows, "</table>"])


def _scalings_table(page: Embedding) -> str:
    rows = [
        f"<tr><td>{mathml(name, 'inline')}</td><td>{mathml(factor, 'inline')}</td></tr>"
        for name, factor in page.scalings()
    ]
    title = "What multiplies the plain gradient in a network of widths n"
    return "\n".join(["<table>", f"<caption>{title}</caption>", *rows, "</table>"])
