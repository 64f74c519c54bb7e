"""How objects show themselves: a repr of one to ten short lines, whole HTML, for a big network too."""

from __future__ import annotations

import inspect
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from networkx import cycle_graph
from sympy.abc import mu

import mfderive as mf
from mfderive.algebra.findings import Finding, FindingKind
from mfderive.algebra.showing import LONGEST_LINE, MOST_LINES, html_of, short
from mfderive.algebra.update_rules import RULES
from mfderive.finite.network_fields import system_of
from mfderive.forward.kinds import KINDS
from mfderive.report.curves import curve_of
from mfderive.samples.quadrature import data_nodes
from mfderive.sweeps.sweep_folder import Outcome
from mfderive.sweeps.sweep_plan import Setting
from tests.exchange import onnx_models

MOST, LONGEST = 10, 120
PIXELS = 784
EVIL = '<script>alert(1)</script> & "quotes" \n\x1b[31m'
VOID = {"meta", "br", "hr", "img", "path", "rect", "use", "circle", "line", "input"}


def lazy_and_rich_of(title):
    """A result of a thousand gammas."""
    samples, zeros = np.zeros((9, 1)), np.zeros((1000, 99, 9, 1))
    return mf.LazyAndRich(
        title,
        (0.1,) * 1000,
        np.arange(99.0),
        samples,
        samples,
        np.full(9, 1 / 9),
        zeros,
        zeros[0],
        np.ones(9),
    )


def document(inputs, title="A network"):
    return {
        "format": 1,
        "title": title,
        "data": {"kind": "isotropic-gaussians", "dimension": inputs, "separation": 0.4},
        "loss": {"kind": "squared"},
        "layers": [
            {"name": "h1", "from": "x", "weight": f"normal(0, sqrt(2/{inputs}))", "activation": "relu"},
            {"name": "h2", "from": "h1", "weight": "normal(1, 0.1)", "bias": "0", "activation": "relu"},
        ],
        "output": {"from": "h2", "weight": "normal(1, 0.1)"},
        "training": {"learning_rate": 0.01, "batch_size": 10, "steps": 4},
        "check": {"widths": [4, 6, 8], "seeds": 4, "steps": 2},
    }


@pytest.fixture(scope="module", params=[3, PIXELS], ids=["small", "big"])
def made(request):
    """One object of every kind, by name."""
    net = network(document(request.param))
    limit = mf.derive(net)
    reduced = mf.reduce(limit)
    solver = mf.generate(reduced)
    path = mf.solve(net, nodes=8, evaluation=20)
    (single,) = mf.simulate(net, width=6, seeds=1, evaluation=20)
    verdict = mf.check(net, effort="quick", nodes=32, evaluation=20)
    x = np.random.default_rng(0).normal(size=(40, request.param))
    sample = network(document(request.param) | {"data": {"kind": "arrays"}}, data=(x, np.sign(x[:, :1])))
    errors = ("ArgumentError", "DataError", "DivergenceError", "MfError", "ResourceError", "SpecError")
    found = {name: getattr(mf, name)("what is wrong") for name in (*errors, "StateError")}
    warned = [
        n for n in mf.__all__ if inspect.isclass(getattr(mf, n)) and issubclass(getattr(mf, n), Warning)
    ]
    kind = KINDS["convolution"]
    signal_net = mf.load("specs/signal/dense_tanh.toml")
    return {
        **found,
        **{name: getattr(mf, name)("what is to be known") for name in warned},
        "Conditions": mf.conditions(net),
        "ConnectionKind": kind,
        "CoordinateCheck": mf.coordinate_check(net, widths=[4, 8, 16], seeds=2, steps=2),
        "Critical": mf.critical("tanh", sigma_b2=0.05),
        "DataKernels": mf.kernels(signal_net),
        "Imported": mf.from_onnx(onnx_models.mlp()),
        "NetworkSignal": mf.signal(signal_net),
        "Finding": Finding.of(
            FindingKind.STATIONARY, *(f"h{k}.weight" for k in range(99)), cause=list(range(999))
        ),
        "Fluctuations": mf.fluctuations(net, 0.0, nodes=8, evaluation=20),
        "ForwardSystem": system_of(net),
        "Keeper": mf.Keeper("/".join(f"folder{k}" for k in range(99)), every=5),
        "LazyAndRich": lazy_and_rich_of(net.title),
        "LimitSystem": limit,
        "MeanField": mf.mean_field(cycle_graph(5), T=1.0, starts=1),
        "Network": net,
        "PhaseDiagram": mf.phase_diagram("erf", [0.5, 2.0], [0.0, 0.1]),
        "Posterior": mf.variational_posterior(mu - mu**2, {mu: "normal"}),
        "Reading": mf.Reading(source=(), source_neuron=None, counts={f"n{k}": k for k in range(99)}),
        "Reduced": reduced,
        "RuleConstant": RULES["momentum"].constants[0],
        "Scalings": mf.scalings(net),
        "Signal": mf.signal("tanh", sigma_w2=2, sigma_b2=0.05),
        "SolveOptions": mf.SolveOptions(nodes={f"h{k}": 64 for k in range(99)}, method="rk4"),
        "State": path.at(),
        "Sweep": sweep_of(path, net.title),
        "Trajectory": path,
        "UpdateRule": RULES["adam"],
        "Verdict": verdict,
        "Width": mf.width_for(net, 0.5, t=0.0, nodes=8, evaluation=20),
        "network trajectory": single,
        "law source": net.source,
        "sample source": sample.source,
        "network on arrays": sample,
        "given data": sample.source.facts,
        "data nodes": data_nodes(sample, "sample"),
        "data law": limit.data_law,
        "checkpoint": path.checkpoints[1],
        "measurements": verdict.measured,
        "row": verdict.rows[0],
        "solver": solver,
        "log entry": reduced.log[0],
        "pass": reduced.passes[0][1],
        "finding": reduced.findings[0],
        "equations": limit.forward,
        "equation": limit.forward[2],
        "term": limit.forward[2].terms[0],
        "variable": limit.parameters[0],
        "layer": net.layers[1],
        "data": net.data,
    }


def sweep_of(path, title):
    """A sweep over many values, whatever its words are; one setting has failed."""
    values = [f"$v{k} {title}" for k in range(40)]
    outcomes = [
        Outcome(Setting({"v": value}, {}), "done", "", 1.0, (curve_of(path),), paths=(path,))
        for value in values
    ]
    outcomes[3] = Outcome(Setting({"v": values[3]}, {}), "failed", title)
    changes = {f"layers.h{k}.weight": "normal({v}, 1)" for k in range(99)}
    return mf.Sweep(title, "solve", changes, {"v": tuple(values)}, tuple(outcomes))


def network(spec, **more):
    from mfderive.format.reader import parse_document
    from mfderive.samples.resolve import resolve

    return resolve(parse_document(spec), seed=0, **more)


def test_every_public_class_is_made_here(made):
    """A class that becomes public gets its repr, and its line above."""
    classes = {name for name in mf.__all__ if inspect.isclass(getattr(mf, name))}
    assert classes <= set(made)
    for name in classes:
        assert isinstance(made[name], getattr(mf, name)), name


def test_reprs_are_one_to_ten_short_lines(made):
    for name, value in made.items():
        lines = repr(value).split("\n")
        assert 1 <= len(lines) <= MOST, (name, repr(value))
        assert all(line.strip() and len(line) <= LONGEST for line in lines), (name, repr(value))


def test_reprs_say_what_an_object_is(made):
    assert "inputs" in repr(made["Network"]) and "h2 <- h1" in repr(made["Network"])
    assert "4 steps" in repr(made["Network"]) and "isotropic-gaussians" in repr(made["Network"])
    assert "40 rows" in repr(made["sample source"]) and "fresh samples" in repr(made["law source"])
    assert "forward" in repr(made["LimitSystem"]) and "h1.weight" in repr(made["LimitSystem"])
    assert "closure" in repr(made["Reduced"]) and "exchangeability" in repr(made["Reduced"])
    path = made["Trajectory"]
    assert (
        f"{path.loss[-1]:.6g}" in repr(path) and "0.04" in repr(path) and "steps are made again" in repr(path)
    )
    assert "after 1 step, at" in repr(made["checkpoint"])
    assert made["Verdict"].status in repr(made["Verdict"])
    assert "40 settings, 39 done, 1 failed" in repr(made["Sweep"])
    assert "float64" in repr(made["State"]) and "nodes h1: 8" in repr(made["State"])
    assert made["solver"].__file__ in repr(made["solver"]).replace("\n", "")
    assert "method='rk4'" in repr(made["SolveOptions"])
    assert "kernel" in repr(made["ConnectionKind"]) and "999 entries" in repr(made["Finding"])


def test_printing_a_limit_still_writes_its_equations(made):
    for name in ("LimitSystem", "Reduced", "ForwardSystem"):
        assert "Forward" in str(made[name]) and len(str(made[name])) > len(repr(made[name]))
    assert str(made["Verdict"]) == made["Verdict"].text


class Balance(HTMLParser):
    """Whether every element is closed, and by itself; what elements and links there are."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.links = [], set(), []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.add(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open and self.open.pop() == tag, tag


DRAWN = {
    "Network": {"svg", "table"},
    "LimitSystem": {"math"},
    "ForwardSystem": {"math"},
    "Reduced": {"math", "ul"},
    "solver": {"math", "table"},
    "Trajectory": {"svg", "table"},
    "network trajectory": {"svg", "table"},
    "Verdict": {"svg", "table"},
    "Scalings": {"table", "details"},
    "Sweep": {"svg", "table"},
    "Signal": {"table", "ul"},
    "Critical": {"table"},
}


def test_html_is_whole_and_needs_no_other_file(made):
    for name, wanted in DRAWN.items():
        page = Balance(made[name]._repr_html_())
        assert not page.open and wanted <= page.tags, (name, page.open, page.tags)
        assert "script" not in page.tags and all(link.startswith("#") for link in page.links), name
    assert f"{made['Trajectory'].loss[-1]:.6g}" in made["Trajectory"]._repr_html_()
    assert made["Reduced"].log[0].text[:20] in made["Reduced"]._repr_html_()
    assert made["solver"].__file__ in made["solver"]._repr_html_()
    assert made["Verdict"].status.capitalize() in made["Verdict"]._repr_html_()
    assert made["Finding"]._repr_html_() is None  # a notebook then shows the repr


def test_showing_leaves_figures_of_a_notebook_alone(made):
    """Drawing a curve does not choose where the figures of whoever asked for it are drawn."""
    import matplotlib

    before = matplotlib.rcParams["backend"]
    matplotlib.use("svg")
    try:
        assert "<svg" in made["Trajectory"]._repr_html_()
        assert matplotlib.get_backend() == "svg"
    finally:
        matplotlib.use(before)


def test_words_of_a_user_are_escaped_and_cut():
    net = network(document(3, title=EVIL * 40))
    assert len(repr(net).split("\n")[0]) <= LONGEST and "\x1b" not in repr(net)
    path = mf.solve(net, nodes=4, evaluation=5)
    for shown in (net, mf.reduce(mf.derive(net)), path, sweep_of(path, net.title)):
        text = shown._repr_html_()
        assert "<script>" not in text and "&lt;script&gt;" in text
        assert not re.search(r"\x1b", repr(shown))


def test_a_loaded_solver_shows_its_latex(made, tmp_path):
    """Which system it was generated from is not known to a module that is read from a folder."""
    mf.generate(made["Reduced"], tmp_path)
    solver = mf.load_solver(tmp_path)
    solver.limit = None
    page = Balance(solver._repr_html_())
    assert not page.open and "\\begin{document}" in solver._repr_html_()
    assert repr(solver).startswith("Solver of 'A network'")


def test_lines_are_cut_and_counted():
    assert short(["a" * 500, "b\nc"]).split("\n") == ["a" * (LONGEST_LINE - 3) + "...", "b c"]
    assert len(short(map(str, range(99))).split("\n")) == MOST_LINES + 1
    assert html_of(3) is None
