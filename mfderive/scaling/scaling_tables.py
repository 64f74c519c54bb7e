"""Scalings as text, Markdown, LaTeX and plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from textwrap import fill
from typing import Any

from .factors import Factors, RuleFactors
from .parameter_scaling import ParameterScaling
from .scaling_rows import ScalingRows
from .scaling_sentences import scaling_sentence
from .width_conventions import Convention
from .width_product import WidthProduct

# How a product is written, by the form of the table.
Write = Callable[[WidthProduct], str]
_NONE = "-"


def rule_columns(scalings: ScalingRows) -> list[tuple[str, str]]:
    """Learning rules with the same factors share columns: (one of their names, all of their names)."""
    found: dict[Any, list[str]] = {}
    for name, degree in scalings.rules:
        found.setdefault(degree, []).append(name)
    return [(names[0], ", ".join(names)) for names in found.values()]


def headings(scalings: ScalingRows) -> list[str]:
    """The headings of the columns after parameter, part and convention."""
    found = ["forward", "deviation"]
    for name, told in rule_columns(scalings):
        constants = [constant for constant, _ in dict(scalings.rules)[name].constants]
        found += [
            f"rate: {told}",
            *(f"{name}: {constant}" for constant in constants),
            f"{name}: decay in g",
            f"{name}: decay beside",
        ]
    return found


def cells(scalings: ScalingRows, factors: Factors | None, write: Write) -> list[str]:
    """The cells under :func:`headings` of one parameter in one convention."""
    if factors is None:
        return [_NONE] * len(headings(scalings))
    found = [" and ".join(dict.fromkeys(map(write, factors.forward))) or _NONE, write(factors.deviation)]
    for name, _ in rule_columns(scalings):
        constants = [constant for constant, _ in dict(scalings.rules)[name].constants]
        found += _rule_cells(factors.rule[name], constants, write)
    return found


def _rule_cells(rule: RuleFactors, constants: Sequence[str], write: Write) -> list[str]:
    own = dict(rule.constants)
    values = [rule.rate, *(own.get(name) for name in constants), rule.coupled, rule.decoupled]
    return [_NONE if value is None else write(value) for value in values]


def _part(row: ParameterScaling) -> str:
    return ", ".join(part.value for part in row.parts)


def _conventions(scalings: ScalingRows) -> list[Convention]:
    refused = dict(scalings.refused)
    return [convention for convention in Convention if convention not in refused]


def refusals(scalings: ScalingRows) -> list[str]:
    """Why conventions have no factors, one sentence each."""
    return [f"{convention.value}: {scaling_sentence(finding)}" for convention, finding in scalings.refused]


def regime_lines(scalings: ScalingRows) -> list[str]:
    """The regime and what would change it, one sentence each."""
    regime = scalings.regime
    return [scaling_sentence(regime.why), *map(scaling_sentence, regime.changes)]


def sum_lines(scalings: ScalingRows, write: Write) -> list[str]:
    """Sums without a parameter that could carry their factor."""
    return [
        f"{field}: {write(factor)}; no weight stands in this sum, and training moves its summands together. "
        "(The root of it, as standard code has it, fits independent summands: the start.)"
        for field, factor in scalings.sums
    ]


def reason_lines(row: ParameterScaling) -> list[tuple[str, str]]:
    """The reasons of a row: (the conventions that it is said of, "" for all of them, sentence)."""
    found: dict[str, dict[str, None]] = {}
    for finding in row.reasons:
        found.setdefault(scaling_sentence(finding), {})[finding.facts.get("convention", "")] = None
    told = [convention.value for convention, factors in row.shown if factors is not None]
    return [
        ("" if "" in said or list(said) == told else ", ".join(said), sentence)
        for sentence, said in found.items()
    ]


def _said_lines(row: ParameterScaling) -> list[str]:
    """The reasons of a row, each with the conventions that it is said of."""
    return [f"[{said}] {sentence}" if said else sentence for said, sentence in reason_lines(row)]


# ---------------------------------------------------------------------------------------- text


def text(scalings: ScalingRows) -> str:
    """Regime, one table with the conventions below each other, sums and reasons, as plain text."""
    lines = [f"Scalings of {scalings.title}", ""]
    lines += _wrapped("Regime", regime_lines(scalings))
    lines += _wrapped("Conventions without factors", refusals(scalings))
    heads = ["parameter", "part", "convention", *headings(scalings)]
    body = []
    for row in scalings.rows:
        for number, convention in enumerate(_conventions(scalings)):
            own = [row.name, _part(row)] if number == 0 else ["", ""]
            body.append([*own, convention.value, *cells(scalings, row.factors[convention], str)])
    lines += ["Factors", *_columns(heads, body), ""]
    lines += _wrapped("Sums without a weight", sum_lines(scalings, str))
    lines.append("Why")
    for row in scalings.rows:
        lines.append(f"  {row.name}")
        for told in _said_lines(row):
            lines.append(fill(told, 112, initial_indent="    - ", subsequent_indent="      "))
    return "\n".join(lines)


def _wrapped(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    return [
        title,
        *(fill(line, 112, initial_indent="  - ", subsequent_indent="    ") for line in lines),
        "",
    ]


def _columns(heads: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    rows = [list(heads), *map(list, body)]
    widths = [max(len(row[number]) for row in rows) for number in range(len(heads))]
    return [
        ("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]


# ---------------------------------------------------------------------------------------- Markdown, LaTeX


def markdown(scalings: ScalingRows) -> str:
    """Regime, a table for each convention, sums and reasons, as Markdown."""
    lines = [f"# Scalings of {scalings.title}", "", *(f"- {line}" for line in regime_lines(scalings)), ""]
    for convention in _conventions(scalings):
        heads = ["parameter", "part", *headings(scalings)]
        lines += [f"## {convention.value}", "", _bar(heads), _bar(["---"] * len(heads))]
        for row in scalings.rows:
            own = cells(scalings, row.factors[convention], lambda product: f"`{product}`")
            lines.append(_bar([f"`{row.name}`", _part(row), *own]))
        lines.append("")
    for title, told in (
        ("Conventions without factors", refusals(scalings)),
        ("Sums without a weight", sum_lines(scalings, lambda product: f"`{product}`")),
    ):
        lines += [f"## {title}", "", *(f"- {line}" for line in told), ""] if told else []
    lines += ["## Why", ""]
    for row in scalings.rows:
        lines += [f"### {row.name}", ""]
        lines += [f"- {f'*{said}*: ' if said else ''}{sentence}" for said, sentence in reason_lines(row)]
        lines.append("")
    return "\n".join(lines)


def _bar(parts: Iterable[str]) -> str:
    return "| " + " | ".join(part.replace("|", r"\|") for part in parts) + " |"


_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: f"\\{sign}" for sign in "#$%&_{}"},
    }
)


def _items(lines: Sequence[str]) -> list[str]:
    """A list of sentences as LaTeX."""
    told = [rf"\item {line.translate(_TEX)}" for line in lines]
    return [r"\begin{itemize}", *told, r"\end{itemize}"] if told else []


def latex(scalings: ScalingRows) -> str:
    """Regime, a tabular for each convention, sums and reasons, as LaTeX for packages amsmath and booktabs."""
    lines = [rf"\paragraph{{Scalings of {scalings.title.translate(_TEX)}}}", *_items(regime_lines(scalings))]
    for convention in _conventions(scalings):
        lines += ["", *_tabular(scalings, convention)]
    for title, told in (
        ("Conventions without factors", refusals(scalings)),
        ("Sums without a weight", sum_lines(scalings, str)),
        *((f"Why: {row.name}", _said_lines(row)) for row in scalings.rows),
    ):
        if told:
            lines += ["", rf"\paragraph{{{title.translate(_TEX)}}}", *_items(told)]
    return "\n".join(lines) + "\n"


def _tabular(scalings: ScalingRows, convention: Convention) -> list[str]:
    """The table of one convention, with its name at the top."""
    heads = ["parameter", "part", *headings(scalings)]
    rows = []
    for row in scalings.rows:
        own = cells(scalings, row.factors[convention], lambda product: f"${product.latex}$")
        rows.append([rf"\texttt{{{row.name.translate(_TEX)}}}", _part(row).translate(_TEX), *own])
    return [
        rf"\begin{{tabular}}{{{'l' * len(heads)}}}",
        r"\toprule",
        rf"\multicolumn{{{len(heads)}}}{{l}}{{{convention.value}}} \\",
        r"\midrule",
        " & ".join(head.translate(_TEX) for head in heads) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]


# ---------------------------------------------------------------------------------------- plain data


def scalings_data(scalings: ScalingRows) -> dict[str, Any]:
    """Everything as plain data; a product is its text, its exponents and its degree in one n."""
    return {
        "title": scalings.title,
        "plain": scalings.plain,
        "regime": {
            "name": scalings.regime.kind.value,
            "why": scaling_sentence(scalings.regime.why),
            "parameters": list(scalings.regime.why.subjects),
            "changes": [
                {"kind": str(each.kind), "parameters": list(each.subjects), "text": scaling_sentence(each)}
                for each in scalings.regime.changes
            ],
        },
        "rules": {
            name: {
                "degree": None if degree.update is None else str(degree.update),
                "constants": {constant: str(power) for constant, power in degree.constants},
            }
            for name, degree in scalings.rules
        },
        "refused": {convention.value: scaling_sentence(finding) for convention, finding in scalings.refused},
        "sums": [{"field": field, "factor": _product(factor)} for field, factor in scalings.sums],
        "parameters": [_row(row) for row in scalings.rows],
    }


def _row(row: ParameterScaling) -> dict[str, Any]:
    return {
        "name": row.name,
        "parts": [part.value for part in row.parts],
        "infinite": list(row.infinite),
        "frozen": row.frozen,
        "law": row.law,
        "multiplier": _product(row.multiplier),
        "conventions": {
            convention.value: None if factors is None else _factors(row, factors)
            for convention, factors in row.shown
        },
        "reasons": [
            {
                "convention": finding.facts.get("convention"),
                "kind": str(finding.kind),
                "text": scaling_sentence(finding),
            }
            for finding in row.reasons
        ],
    }


def _factors(row: ParameterScaling, factors: Factors) -> dict[str, Any]:
    return {
        "forward": [
            {"into": reading.into, "factor": _product(factor)}
            for reading, factor in zip(row.readings, factors.forward, strict=True)
        ],
        "deviation": _product(factors.deviation),
        "gradient": _product(factors.gradient),
        "change": _product(factors.change),
        "rules": {
            name: {
                "rate": _product(rule.rate),
                "constants": {constant: _product(value) for constant, value in rule.constants},
                "decay_coupled": _product(rule.coupled),
                "decay_decoupled": _product(rule.decoupled),
            }
            for name, rule in factors.rules
        },
    }


def _product(product: WidthProduct | None) -> dict[str, Any] | None:
    if product is None:
        return None
    return {
        "text": product.text,
        "powers": {name: str(power) for name, power in product.powers},
        "degree": str(product.degree),
    }
