"""The documentation builds without a warning, names everything that the package offers, needs no network."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import mfderive as mf

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", str(DOCS), str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr  # a link that leads nowhere is a warning, and so an error
    return folder


def test_every_page_is_built_and_read_without_a_network(site):
    """Nothing is loaded from elsewhere: styles, scripts and formulas are in the folder or in the page."""
    pages = {path.stem for path in DOCS.glob("*.md")}
    built = {path.stem: path.read_text(encoding="utf-8") for path in site.glob("*.html")}
    assert pages <= set(built)
    for name, text in built.items():
        loaded = re.findall(r'<(?:script|img|iframe)[^>]* src="([^"]*)"', text)
        loaded += re.findall(r'<link[^>]* href="([^"]*)"', text)
        assert len(loaded) >= 2
        assert not [each for each in loaded if re.match(r"(?:https?:)?//", each)], name
    assert built["theory"].count("<math") > 500


def test_formulas_of_several_rows_have_several_rows(site):
    """What the converter does not know it writes as words: no formula has a mark of a column left in it."""
    pages = {path.name: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    assert not [name for name, text in pages.items() if re.search(r"<m[iot]>(?:&|\\\w*)</m[iot]>", text)]
    of_the_notebook = re.findall(r"<math.*?</math>", pages["02_equations.html"], re.S)
    assert max(formula.count("<mtr>") for formula in of_the_notebook) > 5
    sources = (DOCS / "theory.md").read_text(encoding="utf-8").count(r"\begin{aligned}")
    assert pages["theory.html"].count("<mtable") >= sources > 0


def test_places_are_what_links_name(site):
    """Sections of the theory are places of its page, and other pages lead there."""
    places = re.findall(r'^<a id="([^"]+)">', (DOCS / "theory.md").read_text(encoding="utf-8"), re.M)
    text = (site / "theory.html").read_text(encoding="utf-8")
    assert len(places) > 40
    assert not [each for each in places if f'id="{each.lower().replace(".", "-")}"' not in text]
    assert 'href="theory.html#a-5"' in (site / "paper.html").read_text(encoding="utf-8")


def test_the_reference_names_what_the_package_offers():
    page = (DOCS / "reference.md").read_text(encoding="utf-8")
    named = re.findall(r"^\.\. auto(?:class|function):: mfderive\.(\w+)$", page, re.M)
    assert sorted(named) == sorted(mf.__all__)
