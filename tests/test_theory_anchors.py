"""docs/theory.md has every section that is cited, and pages of docs/ link and name what exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
THEORY = ROOT / "docs" / "theory.md"
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
SEARCHED = ("mfderive", "tests", "docs", "specs", "examples")

# "theory A.2-A.4", "theory.md A.7 and E8", "theory D", "theory A.6, erratum H1": what follows in the clause.
_CITATION = re.compile(r"\b[Tt]heory(?:\.md)?,? (?:end of |section )?([A-H](?:\.?\d+)?\b[^();:`]{0,60})")
_ITEM = re.compile(r"\b([A-H]\.?)(\d+)(?:(?:-| to )\1(\d+))?\b")
_SECTION = re.compile(r"(?:^|, | and )([A-H])(?=$|,| and |\. )")
# Without the word: "E7 to rounding", "A.5: the product of ...", "as corrected (H1)".
_BARE = re.compile(r"\b(E\d{1,2}|[A-F]\.\d{1,2})\b|(?<![\w'])\((H\d)(?:\)|, H\d\)| corrected)|  # (H\d)\b")
_PATH = re.compile(r"`((?:mfderive|tests|specs|docs|examples)/[\w./]*\w)(?:::([\w.]+))?")


def searched() -> list[Path]:
    """Every text that may cite the theory: not the theory itself, and not this file."""
    found = [
        path
        for room in SEARCHED
        for path in (ROOT / room).rglob("*")
        if path.suffix in (".py", ".toml", ".md")
    ]
    return [path for path in (*found, ROOT / "README.md") if path not in (THEORY, Path(__file__))]


def items(text: str) -> list[str]:
    """The sections in the text of a citation; ranges are every section of theirs."""
    found = [
        f"{letter}{number}"
        for letter, first, last in _ITEM.findall(text)
        for number in range(int(first), int(last or first) + 1)
    ]
    return found + _SECTION.findall(text)


def citations() -> list[tuple[str, str]]:
    """(file, section) for every citation."""
    found = []
    for path in searched():
        text = re.sub(r"\s*\n\s*(?:# ?)?", " ", path.read_text(encoding="utf-8"))
        named = [item for match in _CITATION.findall(text) for item in items(match)]
        bare = [item for match in _BARE.findall(_CITATION.sub("", text)) for item in match if item]
        found += [(str(path.relative_to(ROOT)), item) for item in (*named, *bare)]
    return found


@cache
def anchors(path: Path) -> list[str]:
    """Explicit anchors of a page, and those that GitHub makes of its headings."""
    text = path.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return re.findall(r'<a id="([^"]+)"></a>', text) + slugs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("theory A.2-A.4", ["A.2", "A.3", "A.4"]),
        ("theory C.1, C.2, C.5", ["C.1", "C.2", "C.5"]),
        ("theory.md A.7 and E8", ["A.7", "E8"]),
        ("Theory D", ["D"]),
        ("theory, end of F", ["F"]),
        ("theory.md H", ["H"]),
        ("theory A.6 with the corrections H1 to H3", ["A.6", "H1", "H2", "H3"]),
        ("theory A.7, D", ["A.7", "D"]),
        ("theory of everything", []),
    ],
)
def test_citations_are_read(text: str, expected: list[str]) -> None:
    assert [item for match in _CITATION.findall(text) for item in items(match)] == expected


def test_every_cited_section_exists() -> None:
    """At least forty citations, from every kind of file, and all of them lead somewhere."""
    found = citations()
    assert len(found) >= 40
    assert {name.split("/")[0] for name, _ in found} >= {"mfderive", "tests", "docs"}
    known = set(anchors(THEORY))
    assert [(name, item) for name, item in found if item not in known] == []


def test_sections_of_the_theory_have_one_anchor_each() -> None:
    explicit = re.findall(r'<a id="([^"]+)"></a>', THEORY.read_text(encoding="utf-8"))
    assert len(explicit) == len(set(explicit)) >= 50
    for lettered in re.findall(r"^###? ([A-H](?:\.\d+)?)\.? ", THEORY.read_text(encoding="utf-8"), re.M):
        assert lettered in explicit


def test_links_lead_somewhere() -> None:
    """Relative links point at files that exist, and at anchors that their pages have."""
    checked = 0
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            path = (page.parent / name).resolve() if name else page
            assert path.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors(path), f"{page.name}: {target}"
            checked += 1
    assert checked >= 20


@cache
def definitions(path: Path) -> frozenset[str]:
    """Functions and classes of a Python file, methods as Class.method."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
            inner = node.body if isinstance(node, ast.ClassDef) else []
            found |= {f"{node.name}.{each.name}" for each in inner if isinstance(each, ast.FunctionDef)}
    return frozenset(found)


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_files_functions_and_tests_of_a_page_exist(page: Path) -> None:
    for name, inside in _PATH.findall(page.read_text(encoding="utf-8")):
        path = ROOT / name
        assert path.exists(), f"{page.name} names {name}"
        assert not inside or inside in definitions(path), f"{page.name} names {name}::{inside}"


def test_the_pages_of_mathematics_name_their_tests() -> None:
    """The test above has something to look at."""
    for page, least in (("theory.md", 50), ("paper.md", 100)):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert sum(bool(inside) for _, inside in _PATH.findall(text)) >= least / 2
        assert len(_PATH.findall(text)) >= least
