"""What a page says of a verdict, of the reduction and of warnings: from plain data, escaped, in words."""

import dataclasses

import pytest

from mfderive.algebra.reduced import LogEntry
from mfderive.report.folder import write_run
from mfderive.report.html import items, words
from mfderive.report.verdict_section import draw_distance, render_verdict, verdict_section, write_verdict_page

from .material import NASTY, run_result
from .test_page import assert_self_contained, read_page


def row(name, status, **more):
    tests = {"labels": {"size": 0.05, "noise": 0.03}}
    blank = {
        "scale": 1.0,
        "distances": {"50": 0.2, "100": 0.1},
        "bound": 0.08,
        "tolerance": 0.2,
        "reason": "",
    }
    return {
        "observable": name,
        "meaning": f"what {name} is",
        "status": status,
        "tests": tests,
        **blank,
        **more,
    }


def verdict(status="agrees"):
    """Made-up data of a verdict; sqrt(0.05^2 - 0.03^2) = 0.04 is its estimate at infinite width."""
    rate = {
        "name": "outputs",
        "slope": -0.49,
        "low": -0.55,
        "high": -0.44,
        "expected": -0.5,
        "as_expected": True,
    }
    fit = {"amplitude": 0.4, "floor": 0.0, "widths": [50, 100], "distances": [0.2, 0.1]}
    curve = {"low": [0.9, 0.4], "high": [1.1, 0.6], "mean": [1.0, 0.5]}
    return {
        "title": NASTY,
        "status": status,
        "reasons": [f"outputs: needs more {NASTY}", "run `mfderive check` again"],
        "settings": {"widths": [50, 100], "seeds": 4, "time": 0.6, "level": 0.01},
        "table": [row("outputs", status), row("h1 mean", None, distances={}), row(NASTY, "consistent")],
        "rates": [{**rate, **fit}],
        "errors": {
            "width": 0.01, "step size": 0.002, "data": 0.03, "ensemble": 0.0005,
            "gradient flow": 0.04, "size": 2.0, "dominating": "data",
        },
        "curves": {"times": [0.0, 0.6], "limit": [1.0, 0.5], "networks": {"50": curve, "100": curve}},
        "weight laws": {},
    }  # fmt: skip


@pytest.mark.parametrize("status", ["agrees", "disagrees", "undecided"])
def test_the_verdict_stands_first_with_its_reasons(status):
    section = verdict_section(verdict(status), {})
    assert section.startswith(f'<p class="verdict {status}"><b>{status.capitalize()}</b>')
    assert "<code>mfderive check</code>" in section
    assert "<script" not in section


def test_tables_of_a_verdict():
    """Distances by width, the estimate 0.04, rates with true minus signs, and the errors by their size."""
    section = verdict_section(verdict(), {})
    text = "".join(read_page(section).text)
    assert all(piece in text for piece in ("n = 50", "0.2", "0.04", "0.08", "shown only", "as expected"))
    assert "−0.55 to −0.44" in text
    assert "-0." not in text
    sources = [
        text.index(f"{name}")
        for name in ("these batches", "a network of width 100", "steps of this", "the nodes")
    ]
    assert sources == sorted(sources)
    assert "<b>data</b>" in section
    assert "1.5 %" in text  # 0.03 of 2
    assert "what outputs is" in text


def test_the_page_of_a_check_is_self_contained(tmp_path):
    page = write_verdict_page(verdict(), tmp_path)
    reader = read_page(page.read_text(encoding="utf-8"))
    assert_self_contained(reader)
    assert reader.tags.count("svg") == 2
    assert "".join(reader.text).count(NASTY) >= 3
    assert {path.name for path in tmp_path.iterdir()} == {
        "index.html",
        *(f"verdict_{name}.{form}" for name in ("spread", "distance") for form in ("svg", "png")),
    }
    assert "<figure" not in render_verdict(verdict(), {})


def test_code_between_backticks():
    assert words("use `a < b` or `c`") == "use <code>a &lt; b</code> or <code>c</code>"
    assert words("a ` alone") == "a ` alone"
    assert items([]) == ""


def test_the_log_is_grouped_by_pass_and_warnings_are_shown(tmp_path):
    log = (
        LogEntry("closure", "W2: random entries are replaced by their mean"),
        LogEntry("closure", "before 10, after 5"),
        LogEntry("exchangeability", "h2: every neuron is the same"),
        LogEntry("ensembles", "h1: 1024 scrambled Sobol points"),
        LogEntry("a new pass", "of another kind: with a colon"),
    )
    warning = "the equations are formal, and `check` tests them"
    result = dataclasses.replace(run_result(tmp_path / "solver"), reduction=log, warnings=(warning,))
    write_run(tmp_path / "run", result)
    page = (tmp_path / "run" / "index.html").read_text(encoding="utf-8")
    part = page.split('<section id="reduction">')[1].split("</section>")[0]
    assert part.count("<h3>") == 5  # the last one folds the reduced equations
    assert "<li>W2: random entries are replaced by their mean</li><li>before 10, after 5</li>" in part
    assert "<h3>a new pass</h3>" in part and "<li>of another kind: with a colon</li>" in part
    assert "closure:" not in part
    assert "<code>check</code> tests them" in page.split('<section id="warnings">')[1]


def test_a_slope_that_networks_do_not_tell_is_not_shown():
    """The page says so in place of an exponent, and the figure draws the points without a fitted line."""
    data = verdict()
    data["rates"][0].update(told=False, as_expected=None, low=-3.0, high=0.5)
    section = verdict_section(data, {})
    assert "cannot be told from these networks" in section and "as expected" not in section
    lines = draw_distance(data).axes[0].get_lines()
    assert [line.get_linestyle() for line in lines] == ["None", "--"]
