"""Long equations are broken into lines that fit the page, losing nothing; steps print as superscripts."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from exact.strategies import seeded

import mfderive as mf
from mfderive.notation import html, latex_document, text
from mfderive.notation.breaking import CONTINUED, DOCUMENT_WIDTH, broken, width
from mfderive.notation.document import pages, rows_of
from mfderive.notation.styles import LATEX

SPECS = {path.stem: path for path in sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))}
WIDE = ("attention_positions", "bilinear", "cnn_nguyen_table1", "layer_norm", "recurrent_elman")


# Of the seed 19 are the widest equations among the first hundred random networks.
RANDOM = [f"random {seed}" for seed in (3, 12, 19)]


@cache
def limit(name):
    if name in RANDOM:
        specimen = seeded(int(name.split()[1]))
        return mf.derive(mf.load(specimen.document, data=specimen.arrays))
    return mf.derive(mf.load(SPECS[name]))


@cache
def written(name, reduced=False):
    """The sections of a spec's equations."""
    return tuple(pages(mf.reduce(limit(name)).system if reduced else limit(name), LATEX, "both"))


def sections(name, room):
    """The rows of every section of a spec's equations, and the width of its widest left side."""
    for section in (*written(name), *written(name, reduced=True)):
        rows = list(rows_of(list(section.lines), room))
        yield rows, max((width(row.left) for row in rows), default=0.0)


@pytest.mark.parametrize("name", [*SPECS, *RANDOM])
def test_no_row_is_wider_than_the_page(name):
    """By the estimate: left side, equals sign (1.4 em), indent of later rows, right side."""
    for rows, left in sections(name, DOCUMENT_WIDTH):
        for row in rows:
            used = left + 1.4 + (0 if row.first else CONTINUED) + width(row.right)
            assert used + (0 if row.number is None else 4) <= DOCUMENT_WIDTH + 1e-9, row.right


@pytest.mark.parametrize("name", [*SPECS, *RANDOM])
def test_rows_are_whole_formulas(name):
    r"""TeX needs braces, \left and \right to match within a row."""
    for rows, _ in sections(name, 30.0):
        for left, right, *_ in rows:
            for formula in (left, right):
                assert formula.count("{") == formula.count("}")
                depth = 0
                for word in re.findall(r"\\(left|right)(?![a-z])", formula):
                    depth += 1 if word == "left" else -1
                    assert depth >= 0, formula
                assert depth == 0, formula


def bare(formula):
    """A formula without what breaking adds or takes: spaces, dots between factors, sizes of brackets."""
    formula = re.sub(r"\\(left|right|Bigl|Bigr)(?![a-z])", "", formula)
    return re.sub(r"\\cdot|\\,|\{\}|\s", "", formula)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("room", [25.0, 60.0])
def test_breaking_loses_nothing(name, room):
    """The pieces put together are the formula (fractions wider than the room become products: skipped)."""
    for section in written(name):
        for line in section.lines:
            pieces = broken(line.right, room)
            joined = "".join(pieces)
            if joined.count(r"\frac{1}") == line.right.count(r"\frac{1}"):
                assert bare(joined) == bare(line.right)
            assert len(pieces) == 1 or width(line.right) > room


def test_lines_break_outside_of_brackets_before_signs():
    formula = r"\mathbb{E}_{c}[a(c) + b(c)] + \mathbb{E}_{c}[d(c)\, e(c)] - f(c, c, c, c)"
    assert broken(formula, 13.0) == [
        r"\mathbb{E}_{c}[a(c) + b(c)]",
        r"{} + \mathbb{E}_{c}[d(c)\, e(c)]",
        "{} - f(c, c, c, c)",
    ]
    assert broken(formula, 100.0) == [formula]
    assert broken(r"\left( aaaaaaaaaa + \frac{b}{c} \right)\, dddddd", 11.0)[0].startswith(r"\left(")
    inner = broken(r"\left( aaaaaaaaaa + \frac{b}{c} + bbbbbbbbbb \right)", 9.0)
    assert inner[0].startswith(r"\Bigl(")
    assert inner[-1].endswith(r"\Bigr)")


def test_signs_of_numbers_do_not_break_lines():
    assert all(not piece.endswith(("(", "[", "=")) for piece in broken("f(-a)\\, " * 20, 10.0))


def test_wide_fractions_become_products():
    above = r"\, ".join(f"a_{{{k}}}(c)" for k in range(20))
    pieces = broken(rf"\frac{{{above}}}{{b}}", 20.0)
    assert pieces[0].startswith(r"\frac{1}{b}")
    assert all(width(piece) <= 20.0 for piece in pieces)
    summed = above.replace(r"\, ", " + ")
    pieces = broken(rf"\frac{{{summed}}}{{b}}", 20.0)
    assert pieces[0].startswith(r"\frac{1}{b}\, \Bigl(")
    assert pieces[-1].endswith(r"\Bigr)")
    assert all(width(piece) <= 20.0 for piece in pieces)


needs_tex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex here")


def compiled(path):
    """The exit code and the log of TeX."""
    command = ["pdflatex", "-interaction=nonstopmode", path.name]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, timeout=120, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace")


@needs_tex
@pytest.mark.parametrize("name", WIDE)
def test_documents_compile_without_overfull_lines(name, tmp_path):
    (tmp_path / "equations.tex").write_text(latex_document(limit(name)), encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "equations.tex"],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
    )
    output = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, output[-2000:]
    assert "Overfull" not in output
    assert not re.findall(r"^!.*", output, re.MULTILINE)


@needs_tex
def test_widths_are_estimated_on_the_wide_side(tmp_path):
    """Of every formula of the widest specs: at most 4 % and 0.75 em too narrow, at most a third too wide.

    A page of DOCUMENT_WIDTH has 2.6 em (3.4 %) to spare, and rows are sums of several estimates.
    """
    formulas = {line.right for name in WIDE for s in pages(limit(name), LATEX, "both") for line in s.lines}
    formulas = sorted(formulas)
    body = [rf"\setbox0\hbox{{$\displaystyle {f}$}}\typeout{{WIDTH \the\wd0}}" for f in formulas]
    head = r"\documentclass[10pt]{article}\usepackage{amsmath,amssymb}\begin{document}"
    (tmp_path / "widths.tex").write_text("\n".join([head, *body, r"\end{document}"]), encoding="utf-8")
    _, output = compiled(tmp_path / "widths.tex")
    measured = [float(points) / 10 for points in re.findall(r"WIDTH ([\d.]+)pt", output)]
    assert len(measured) == len(formulas)
    for formula, true in zip(formulas, measured, strict=True):
        assert true <= 1.04 * width(formula) + 0.75 * (true < 30), (true, width(formula), formula)
        assert width(formula) <= 1.34 * true + 1.0, (true, width(formula), formula)


# ---------------------------------------------------------------------------------------- steps


def test_steps_are_superscripts_and_explained():
    shown = text(limit("recurrent_elman"))
    assert "H⁽³⁾_r(c_r; x) = E_{c_r',ζ}[W_{r,r}(c_r, c_r', ζ) σ(H⁽²⁾_r(c_r'; x) + b_r(c_r'))]" in shown
    assert "Σ_i W_{r,x}(c_r, i) x⁽³⁾_i" in shown
    assert "Δ_{H⁽⁶⁾_r}(c_r; x)" in shown
    assert "belong to step s" in shown
    assert not re.search(r"step\d", shown)
    assert "belong to step s" not in text(limit("three_layer"))


def test_steps_in_latex_and_mathml():
    document = latex_document(limit("recurrent_elman"))
    assert r"H^{(3)}_{r}(c_{r}; x)" in document
    assert r"x^{(3)}_{i}" in document
    assert r"\Delta_{H^{(6)}_{r}}(c_{r}; x)" in document
    assert not set("⁽⁾ˢ³") & set(document)
    assert not set("⁽⁾ˢ³") & set(html(limit("recurrent_elman")))


def test_activations_of_layers_with_steps_are_stated_once():
    network = {
        "format": 1,
        "title": "own activation",
        "data": {"kind": "teacher", "dimension": 6, "target": "x1", "shape": [3, 2]},
        "loss": {"kind": "squared"},
        "layers": [
            {
                "name": "r",
                "steps": 3,
                "activation": "gain * tanh(h) * sigmoid(g)",
                "parameters": {"gain": "normal(1, 0.1)"},
                "connections": [
                    {"from": "x", "weight": "normal(0, 1)"},
                    {"from": "r", "kind": "recurrent", "into": "g", "weight": "normal(0.5, 1)"},
                ],
            }
        ],
        "output": {"from": "r", "weight": "normal(1, 1)"},
        "training": {"learning_rate": 0.1, "batch_size": 10, "steps": 5},
    }
    from mfderive.format.reader import parse_document
    from mfderive.samples.resolve import resolve

    shown = text(mf.derive(resolve(parse_document(network, None))))
    assert shown.count("gain_r sigmoid(g_r) tanh(H_r)") == 1
    assert "σ_r(gain_r(c_r), g⁽²⁾_r(c_r; x), H⁽²⁾_r(c_r; x))" in shown
