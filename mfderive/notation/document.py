"""Whole pages of equations: text, LaTeX, a compilable document, MathML and HTML fragments.

Embedding notation exists for every system. Measure notation and the Eulerian form follow where they exist;
else one sentence says which edge closes the loop or which operation keeps f from closing.
"""

from __future__ import annotations

import html as html_module
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import latex2mathml.converter

from ..algebra.reduced import Reduced
from ..algebra.system import ForwardSystem, LimitSystem
from ..algebra.terms import Field
from ..errors import MfError, nearest
from .breaking import CONTINUED, DOCUMENT_WIDTH, PAGE_WIDTH, broken, width
from .embedding import Embedding, Line
from .existence import obstacle
from .measure_form import measure_form
from .measure_print import MeasurePage, theta_lines
from .remarks import Formula, pieces_of
from .rule_lines import RuleLines
from .styles import LATEX, TEXT, Style

_ACTIVATIONS = "Activations"
NOTATIONS = ("both", "embedding", "measure")
_SCALINGS = "What multiplies the plain gradient in a network of widths n"
_TEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: "\\" + sign for sign in "#$%&_{}"},
}
_EQUALS = 1.4  # ems
_TAG = 4.0  # a number of the paper, and the space before it
_WIDE_LEFT = 0.35  # of the room
_INDENT = r"\qquad"


@dataclass(frozen=True)
class Section:
    """A titled group of equations (or of rows of a table), under the remarks that belong to it."""

    title: str
    remarks: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()


def pages(given: ForwardSystem | Reduced, style: Style, notation: str = "both") -> list[Section]:
    """The sections of a system (that of a reduced limit) in one style: embedding, measure or both."""
    system = given.system if isinstance(given, Reduced) else given
    if notation not in NOTATIONS:
        raise MfError(f"there is no notation '{notation}'. {nearest(notation, NOTATIONS)}")
    result = _embedding(system, style) if notation != "measure" else []
    complete = isinstance(system, LimitSystem) and bool(system.evolution) and not system.passes
    if notation == "measure" or (notation == "both" and complete):
        result += _measure(system, style)
    return result


def _embedding(system: ForwardSystem, style: Style) -> list[Section]:
    page = Embedding(system, style)
    groups = (
        ("Forward", page.forward()),
        (_ACTIVATIONS, page.activations()),
        ("Backward", page.backward()),
        ("Evolution", [] if system.motion else page.evolution()),
    )
    result = [Section("Embedding notation", tuple(page.remarks()))]
    result += [Section(title, lines=tuple(lines)) for title, lines in groups if lines]
    if system.motion:
        result += _learning(RuleLines(system, style))
    rates = tuple(page.rates()) if system.evolution else ()
    if rates:
        result.append(Section("Learning rates", lines=rates))
    result.append(Section("Gradient scalings", (f"{_SCALINGS}.",), rows=tuple(page.scalings())))
    return result


def _learning(rule: RuleLines) -> list[Section]:
    """The gradients, the learning rule and its flow, where these are not SGD's."""
    found = [
        Section("Gradients", lines=tuple(rule.gradients())),
        Section("Learning rule", tuple(rule.step_remarks()), tuple(rule.steps())),
        Section("Evolution", tuple(rule.flow_remarks()), tuple(rule.evolution())),
    ]
    deviations = tuple(rule.deviations())
    if deviations:
        found.append(Section("Noise of weights", tuple(rule.deviation_remarks()), deviations))
    return found


def _measure(system: ForwardSystem, style: Style) -> list[Section]:
    title = "Measure notation"
    if not isinstance(system, LimitSystem) or system.passes:
        sentence = "Measure notation belongs to the limit itself, before any reduction."
        return [Section(title, (sentence,))]
    reason = obstacle(system)
    if reason is not None:
        return [Section(title, (reason,))]
    form = measure_form(system)
    result = [Section(title, tuple(form.remarks()))]
    theta = theta_lines(form, style)
    if theta:
        result.append(Section("Parameters of a neuron", lines=tuple(theta)))
    for name, remarks, lines in MeasurePage(form, style).sections():
        result.append(Section(name, tuple(remarks), tuple(lines)))
    return result


def text(system: ForwardSystem | Reduced, notation: str = "both") -> str:
    """The equations as readable plain text: forward, backward, evolution, gradient scalings."""
    blocks = [system.title]
    for section in pages(system, TEXT, notation):
        width = max((len(name) for name, _ in section.rows), default=0)
        blocks.append(
            "\n".join(
                [
                    section.title,
                    *(f"  {remark}" for remark in section.remarks),
                    *_text_lines(section.lines),
                    *(f"  {name.ljust(width)}  {factor}" for name, factor in section.rows),
                ]
            )
        )
    return "\n\n".join(block for block in blocks if block) + "\n"


def _text_lines(lines: Sequence[Line]) -> Iterator[str]:
    """Equations as lines of text, the paper's numbers in one column at their right."""
    widest = max((len(line.left + line.right) for line in lines if line.number is not None), default=0)
    for line in lines:
        room = " " * (widest - len(line.left + line.right) + 4)
        number = "" if line.number is None else f"{room}({line.number})"
        yield f"  {line.left} = {line.right}{number}"


def latex(system: ForwardSystem | Reduced, notation: str = "embedding") -> str:
    """The equations as one LaTeX ``aligned`` block (math mode is up to the caller)."""
    return _aligned([line for part in pages(system, LATEX, notation) for line in part.lines], "aligned")


# A number of the paper at the right of a row. Inside of ``aligned`` TeX knows no tags.
_TAGS = {"align*": r" \tag{%d}", "aligned": r" && \qquad \text{(%d)}"}


def _aligned(lines: list[Line], environment: str) -> str:
    """Equations aligned at the equals sign; long right-hand sides go on in the next lines."""
    rows = []
    for row in rows_of(lines, DOCUMENT_WIDTH):
        shown = f"{row.left} &= {row.right}" if row.left else rf"&{'' if row.first else _INDENT} {row.right}"
        rows.append(shown + ("" if row.number is None else _TAGS[environment] % row.number))
    joined = " \\\\\n".join(rows)
    return f"\\begin{{{environment}}}\n{joined}\n\\end{{{environment}}}"


class Row(NamedTuple):
    """A row of a page: ``first`` where an equation begins; its last row carries the paper's number.

    ``key`` is the equation's, in its first row.
    """

    left: str
    right: str
    first: bool
    number: int | None = None
    key: str = ""


def rows_of(lines: list[Line], room: float) -> Iterator[Row]:
    """The equations in rows that fit beside the widest left side, and beside their numbers."""
    narrow = [wide for line in lines if (wide := width(line.left)) <= room * _WIDE_LEFT]
    rest = room - max(narrow, default=0.0) - _EQUALS
    for line in lines:
        tagged = 0.0 if line.number is None else _TAG
        rows = list(_rows(line, room, rest - tagged))
        rows[0] = rows[0]._replace(key=line.key)
        rows[-1] = rows[-1]._replace(number=line.number)
        yield from rows


def _rows(line: Line, room: float, rest: float) -> Iterator[Row]:
    """The rows of one equation, whose later ones have no left side.

    A left side that is wide itself stands in the right column, and its equals sign in a row of its own.
    """
    if width(line.left) <= room * _WIDE_LEFT:
        pieces = broken(line.right, rest)
        yield Row(line.left, pieces[0], True)
        yield from (Row("", piece, False) for piece in pieces[1:])
        return
    for number, piece in enumerate(broken(line.left, rest)):
        yield Row("", piece, not number)
    for number, piece in enumerate(broken(line.right, rest - _EQUALS - CONTINUED)):
        yield Row("", piece if number else f"{{}} = {piece}", False)


def latex_document(system: ForwardSystem | Reduced, notation: str = "both") -> str:
    """A LaTeX document that compiles by itself (amsmath only), with every section."""
    parts = [
        r"\documentclass[10pt]{article}",
        r"\usepackage[a4paper,landscape,margin=12mm]{geometry}",
        r"\usepackage{amsmath,amssymb}",
        r"\allowdisplaybreaks",
        r"\begin{document}",
        rf"\section*{{{tex_words(system.title)}}}",
    ]
    for section in pages(system, LATEX, notation):
        parts.append(rf"\subsection*{{{section.title}}}")
        parts += [remark_latex(remark) + r"\par" for remark in section.remarks]
        if section.lines:
            parts.append(_aligned(list(section.lines), "align*"))
        if section.rows:
            rows = " \\\\\n".join(f"${name}$ & ${factor}$" for name, factor in section.rows)
            parts.append(f"\\begin{{tabular}}{{ll}}\n{rows}\n\\end{{tabular}}")
    parts.append(r"\end{document}")
    return "\n".join(parts) + "\n"


def tex_words(words: str) -> str:
    """Plain words with TeX's special characters escaped; other letters as they are (UTF-8)."""
    return "".join(_TEX_SPECIAL.get(letter, letter) for letter in words)


def remark_latex(remark: str) -> str:
    """A remark with its formulas in math mode."""
    return "".join(
        f"${piece.latex}$" if isinstance(piece, Formula) else tex_words(piece) for piece in pieces_of(remark)
    )


def mathml(formula: str, display: str = "block") -> str:
    """A LaTeX formula as MathML; ``display`` is "block" or "inline"."""
    return str(latex2mathml.converter.convert(formula, display=display))


def html(given: ForwardSystem | Reduced, notation: str = "both") -> str:
    """The equations as an HTML fragment with MathML and no script.

    The first row of an equation of a layer says which one it is, in the attribute ``data-layer``.
    """
    fields = (given.system if isinstance(given, Reduced) else given).field
    title = html_module.escape(given.title)
    parts = ['<div class="mfderive-equations">', f"<h3>{title}</h3>"]
    for section in pages(given, LATEX, notation):
        parts.append(f"<h4>{section.title}</h4>")
        parts += [f"<p>{_remark_html(remark)}</p>" for remark in section.remarks]
        if section.lines:
            parts.append(html_table(list(section.lines), _owners(section, fields)))
        if section.rows:
            rows = [
                f"<tr><td>{mathml(name, 'inline')}</td><td>{mathml(factor, 'inline')}</td></tr>"
                for name, factor in section.rows
            ]
            parts.append("\n".join(["<table>", *rows, "</table>"]))
    return "\n".join([*parts, "</div>"]) + "\n"


def _owners(section: Section, fields: Mapping[str, Field]) -> dict[str, str]:
    """The layers that equations belong to, by key; an activation that all layers share belongs to none."""
    if section.title == _ACTIVATIONS and len(section.lines) == 1:
        return {}
    about = {line.key: line.field or line.key for line in section.lines}
    return {key: fields[name].owner for key, name in about.items() if name in fields}


def _remark_html(remark: str) -> str:
    return "".join(
        mathml(piece.latex, "inline") if isinstance(piece, Formula) else html_module.escape(piece)
        for piece in pieces_of(remark)
    )


def html_table(lines: list[Line], owners: Mapping[str, str] | None = None) -> str:
    """Equations in a table, aligned at the equals sign; long right-hand sides go on in the next rows.

    Numbers of the paper stand in a column of their own at the right. ``owners``: the layer of an equation by
    its key.
    """
    numbered = any(line.number is not None for line in lines)
    rows = []
    for left, right, first, number, key in rows_of(lines, PAGE_WIDTH):
        shown = mathml(rf"\displaystyle {left}", "inline") if left else ""
        formula = mathml(rf"\displaystyle = {right}" if left else rf"\displaystyle {right}", "inline")
        indent = "" if first else ";padding-left:2.5em"
        cells = f'<td style="text-align:right">{shown}</td><td style="text-align:left{indent}">{formula}</td>'
        if numbered:
            shown = "" if number is None else f"({number})"
            cells += f'<td style="text-align:right;padding-left:2em">{shown}</td>'
        owner = (owners or {}).get(key)
        mark = f' data-layer="{html_module.escape(owner)}"' if owner else ""
        rows.append(f"<tr{mark}>{cells}</tr>")
    return "\n".join(["<table>", *rows, "</table>"])
