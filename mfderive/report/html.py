"""The frame of pages and what they are put together from; everything that comes in as words is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

ANSWER = "answer"  # the anchor of the section that a page opens with


@dataclass(frozen=True)
class Section:
    """A section of a page: its anchor, its heading and its body (HTML, already escaped)."""

    anchor: str
    heading: str
    body: str


def document(
    title: str, kind: str, introduction: str, sections: Sequence[Section], program: str, alarms: str = ""
) -> str:
    """A page as one string that needs no other file; sections without content are left out.

    Its script adds to it; everything can be read without. A section ``answer`` stands in front of the
    introduction and the list of sections, so that it is on the first screen.
    ``title`` and ``kind`` (the line above it) are words, ``introduction`` is HTML, ``program`` a version;
    ``alarms`` is HTML that stands in front of everything.
    """
    shown = [section for section in sections if section.body]
    room = files("mfderive.report")
    style, script = (room.joinpath(f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    links = "".join(f'<li><a href="#{s.anchor}">{escape(s.heading)}</a></li>' for s in shown)
    first = [_section(section) for section in shown if section.anchor == ANSWER]
    body = "\n".join(_section(section) for section in shown if section.anchor != ANSWER)
    about = f'<div class="about">\n{introduction}\n<nav aria-label="Sections"><ul>{links}</ul></nav>\n</div>'
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="mfderive">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<header>
<p class="kind">{escape(kind)}</p>
<h1>{escape(title)}</h1>
{alarms}
</header>
<main>
{"".join(first)}
{about}
{body}
</main>
<footer>Written by mfderive {escape(program)}.</footer>
<script>
{script}</script>
</body>
</html>
"""


def _section(section: Section) -> str:
    return f'<section id="{section.anchor}">\n<h2>{escape(section.heading)}</h2>\n{section.body}\n</section>'


def program_version() -> str:
    """The version of mfderive, empty where it is not installed."""
    try:
        return version("mfderive")
    except PackageNotFoundError:
        return ""


def html_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Sequence[int] = (),
    limit_row: int | None = None,
) -> str:
    """A table whose cells are HTML already; columns in ``numbers`` are right aligned."""

    def cell(tag: str, position: int, content: str) -> str:
        mark = ' class="number"' if position in numbers else ""
        return f"<{tag}{mark}>{content}</{tag}>"

    head = "".join(
        cell("th" if heading else "td", position, escape(heading))
        for position, heading in enumerate(headings)
    )
    top = f"<thead><tr>{head}</tr></thead>\n" if any(headings) else ""
    body = "".join(
        ('<tr class="limit">' if number == limit_row else "<tr>")
        + "".join(cell("td", position, content) for position, content in enumerate(row))
        + "</tr>\n"
        for number, row in enumerate(rows)
    )
    return f'<div class="wide"><table>\n{top}<tbody>\n{body}</tbody></table></div>'


def fold(heading: str, body: str, shown: bool = False) -> str:
    """A heading with what is folded away under it (HTML, already escaped), or ``shown`` at first."""
    state = " open" if shown else ""
    return f"<details{state}><summary><h3>{escape(heading)}</h3></summary>\n{body}</details>"


def code(text: object) -> str:
    """Words of a program or a spec."""
    return f"<code>{escape(str(text))}</code>"


def words(text: object) -> str:
    """Words for people, in which what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(str(text)))


def items(lines: Sequence[object]) -> str:
    """A list of sentences; empty where there are none."""
    inside = "".join(f"<li>{words(line)}</li>" for line in lines)
    return f"<ul>{inside}</ul>" if inside else ""


def signed(value: float, form: str = ".2f") -> str:
    """A number with a proper minus sign."""
    return format(value, form).replace("-", "−")
