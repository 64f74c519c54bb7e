"""The page and the folder of a run: self-contained, escaped, valid, atomic."""

import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest

from mfderive.errors import MfError
from mfderive.forward.equations import forward_system
from mfderive.report.folder import rebuild, write_run
from mfderive.report.summary import array_shapes, bytes_text, summarise, summary_text, text_table

from .material import NASTY, network, run_result

SCRIPT = files("mfderive.report").joinpath("page.js").read_text(encoding="utf-8")
VOID = {"meta", "br", "hr", "img", "link", "input"}
HEADINGS = [
    "The answer",
    "The network",
    "Equations of the limit",
    "What collapses",
    "Training curves",
    "Where training ends",
    "How this was made",
    "Files of this folder",
]


class Reader(HTMLParser):
    """Collects tags and attributes, and checks that elements are closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        self.text.append(data)


def read_page(text):
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert not reader.open, reader.open
    return reader


def assert_self_contained(reader):
    """Nothing is fetched, and the page's own script alone runs: no foreign source, no event handler."""
    assert not {"link", "iframe", "object", "embed"} & set(reader.tags)
    assert reader.tags.count("script") == 1 and SCRIPT in "".join(reader.text)
    for tag, name, value in reader.attributes:
        if name in ("src", "href", "xlink:href", "data", "action", "srcset"):
            assert "//" not in value and not value.startswith("javascript:"), (tag, name, value)
        assert not name.startswith("on"), (tag, name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("run")
    write_run(place / "tiny", run_result(place / "solver"))
    return place / "tiny"


@pytest.fixture(scope="module")
def page(folder):
    return read_page((folder / "index.html").read_text(encoding="utf-8"))


def test_page_is_well_formed_and_self_contained(page, folder):
    assert_self_contained(page)
    style = (folder / "index.html").read_text(encoding="utf-8").split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style


def test_user_text_is_escaped(page, folder):
    """The title, an activation, the spec and a setting all hold a script: it must arrive as text."""
    assert (folder / "index.html").read_text(encoding="utf-8").count("<script") == 1  # its own
    assert "".join(page.text).count(NASTY) >= 6


def test_sections_equations_and_figures_are_there(page):
    text = "".join(page.text)
    assert all(heading in text for heading in HEADINGS)
    assert page.tags.count("math") == 2
    assert page.tags.count("svg") == 6  # the graph, the limit with its band, and four curves
    assert page.tags.count("figure") == 6


def test_every_link_leads_somewhere(page, folder):
    from urllib.parse import unquote

    anchors = {value for _, name, value in page.attributes if name == "id"}
    for tag, name, value in page.attributes:
        if tag == "a" and name == "href":
            assert value[1:] in anchors if value.startswith("#") else (folder / unquote(value)).is_file(), (
                value
            )


def test_identifiers_are_unique(page):
    found = [value for _, name, value in page.attributes if name == "id"]
    assert len(found) == len(set(found))


def test_folder_holds_everything(folder):
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {
        "index.html",
        "run.json",
        "spec.toml",
        "solver.py",
        "equations.txt",
        "equations.tex",
        "equations.html",
        "trajectories/limit.npz",
        "trajectories/limit.json",
        "trajectories/network-50-0.npz",
        "figures/loss_steps.svg",
        "figures/loss_steps.png",
    } <= names
    assert not [name for name in names if "partial" in name or name.startswith(".")]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["solver", "tiny"]


def test_record_is_strict_json(folder):
    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    record = json.loads((folder / "run.json").read_text(), parse_constant=refuse)
    assert record["versions"]["numpy"] == np.__version__
    assert record["timings"] == {"solve the limit": 1.25}
    assert [row["width"] for row in record["final"]] == [50, 100, 400, None]


def test_rebuild_from_the_folder_alone_gives_the_same_bytes(tmp_path, folder):
    place = tmp_path / "moved"
    shutil.copytree(folder, place)
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    for path in [*place.glob("figures/*"), place / "index.html"]:
        path.unlink()
    record = rebuild(place)
    assert record["page"] == str(place / "index.html")
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def test_the_stated_error_of_the_limit_is_on_the_page(tmp_path):
    """A sentence and, in the figures of the loss, a band; the same when the page is drawn again."""
    result = run_result(tmp_path / "solver")
    limit, *others = result.trajectories
    note = {"largest": 0.05, "time": 1.0, "there": [0.03, 0.02], "missing": 1.0, "points": 64, "parts": 8}
    note |= {"confidence": 0.99, "coarser": {"nodes": {"h1": 16}}, "factor": 4.0}
    known = replace(limit, loss_error=np.full(len(limit.times), 0.05), notes={"loss_error": note})
    write_run(tmp_path / "tiny", replace(result, trajectories=[known, *others]))
    for _ in range(2):
        text = "".join(read_page((tmp_path / "tiny/index.html").read_text(encoding="utf-8")).text)
        assert "limit's loss is known to within 0.05" in text and "4 times the distance" in text
        assert text.count("stated error of the limit") == 2
        rebuild(tmp_path / "tiny")


def test_page_without_error_shows_no_error(tmp_path):
    write_run(tmp_path / "tiny", run_result(tmp_path / "solver", with_error=False))
    reader = read_page((tmp_path / "tiny" / "index.html").read_text(encoding="utf-8"))
    assert reader.tags.count("svg") == 4  # the graph, the limit with its band, and two curves
    assert "Final error" not in "".join(reader.text)


def test_the_introduction_names_the_learning_rule(tmp_path, page):
    """SGD as ever; another rule by its name and constants, with what stands beside it."""
    assert "it is trained by stochastic gradient descent: the equations" in "".join(page.text)
    result = run_result(tmp_path / "solver")
    training = replace(
        result.network.training,
        optimizer="momentum",
        constants=(("mu", 0.9),),
        weight_decay=(("", 0.1),),
        clip=1.0,
    )
    net = replace(result.network, training=training)
    write_run(tmp_path / "tiny", replace(result, network=net, limit=forward_system(net)))
    shown = (tmp_path / "tiny" / "index.html").read_text(encoding="utf-8")
    assert "trained by the learning rule momentum (mu 0.9) with weight decay and clipping: the" in shown


def test_an_earlier_run_is_replaced_and_nothing_else(tmp_path):
    result = run_result(tmp_path / "solver")
    write_run(tmp_path / "tiny", result)
    (tmp_path / "tiny" / "old").write_text("from the earlier run")
    write_run(tmp_path / "tiny", result)
    assert not (tmp_path / "tiny" / "old").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(MfError, match="left alone"):
        write_run(tmp_path / "mine", result)
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


def test_a_failure_leaves_no_folder_and_keeps_the_old_one(tmp_path):
    result = run_result(tmp_path / "solver")
    write_run(tmp_path / "tiny", result)
    before = (tmp_path / "tiny" / "run.json").read_bytes()
    (tmp_path / "solver" / "solver.py").unlink()
    for name in ("tiny", "new"):
        with pytest.raises(FileNotFoundError):
            write_run(tmp_path / name, result)
    assert (tmp_path / "tiny" / "run.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["solver", "tiny"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "run.json").unlink(), "not the folder of a run"),
        (lambda folder: (folder / "run.json").write_text("{"), "damaged"),
        (lambda folder: (folder / "run.json").write_text('{"format": 99}'), "format"),
        (lambda folder: (folder / "equations.html").unlink(), "missing or damaged"),
        (lambda folder: (folder / "trajectories/limit.npz").unlink(), "missing or damaged"),
        (lambda folder: (folder / "trajectories/limit.npz").write_bytes(b"PK\x03\x04"), "missing or damaged"),
    ],
)
def test_rebuild_of_a_damaged_folder_is_one_clear_error(tmp_path, folder, damage, words):
    shutil.copytree(folder, tmp_path / "tiny")
    damage(tmp_path / "tiny")
    with pytest.raises(MfError, match=words):
        rebuild(tmp_path / "tiny")


def test_summary_counts_what_a_network_of_a_width_holds():
    """By hand, n = 10, d = 4: h1 (4 n + n) + h2 (n n + n) + output n = 170 numbers, 8 bytes each."""
    net = network("plain")
    system = forward_system(net)
    assert array_shapes(system, 10)["h2.weight"] == (10, 10)
    summary = summarise(net, system, [10])
    assert summary["sizes"] == [{"width": 10, "parameters": 170, "bytes": 1360}]
    rows = {row["name"]: row for row in summary["parameters"]}
    assert rows["h2.weight"]["scaling"] == ["h2", "h1"]
    assert rows["h1.weight"]["law"] == "normal(1, 0.1)"
    text = summary_text(summary)
    assert all(name in text for name in ("h1.weight", "isotropic-gaussians", "squared", "170", "1.36 kB"))
    assert json.loads(json.dumps(summary)) == summary


def test_bytes_and_tables_read_well():
    assert bytes_text(999) == "999 B"
    assert bytes_text(1.5e9) == "1.5 GB"
    assert text_table(("a", "long"), [(1, 2), ("three", "")]) == "a      long\n-----  ----\n1      2\nthree"


MATHML_CORE = {
    "math",
    "mrow",
    "mi",
    "mn",
    "mo",
    "ms",
    "mtext",
    "mspace",
    "mfrac",
    "msqrt",
    "mroot",
    "mstyle",
    "merror",
    "mpadded",
    "mphantom",
    "msub",
    "msup",
    "msubsup",
    "munder",
    "mover",
    "munderover",
    "mmultiscripts",
    "mprescripts",
    "mtable",
    "mtr",
    "mtd",
    "semantics",
    "annotation",
}
CHILDREN = {
    "mfrac": 2,
    "mroot": 2,
    "msub": 2,
    "msup": 2,
    "munder": 2,
    "mover": 2,
    "msubsup": 3,
    "munderover": 3,
}


@pytest.mark.parametrize("name", ["five_layer_gaussians", "cnn_small", "digits"])
def test_equations_are_valid_mathml(name):
    """Every formula parses, has only elements of MathML Core, and as many children as each demands."""
    from pathlib import Path
    from xml.etree import ElementTree

    from mfderive import derive, load
    from mfderive.notation import html

    specs = Path(__file__).parents[2] / "specs"
    root = ElementTree.fromstring(html(derive(load(specs / f"{name}.toml"))))
    space = "{http://www.w3.org/1998/Math/MathML}"
    formulas = list(root.iter(f"{space}math"))
    assert len(formulas) > 10
    for formula in formulas:
        for element in formula.iter():
            tag = element.tag.removeprefix(space)
            assert tag in MATHML_CORE, tag
            assert len(element) == CHILDREN.get(tag, len(element)), ElementTree.tostring(element)


def test_boxes_that_scroll_sideways_do_not_scroll_down(tmp_path):
    """Formulas stand out of their lines by a hair, and a browser would put a second bar beside the page's."""
    write_run(tmp_path / "tiny", run_result(tmp_path / "solver"))
    page = (tmp_path / "tiny" / "index.html").read_text(encoding="utf-8")
    for box in (".equations {", 'math[display="block"] {'):
        rule = page.split("\n" + box, 1)[1].split("}", 1)[0]
        assert "overflow-x: auto" in rule and "overflow-y: hidden" in rule
