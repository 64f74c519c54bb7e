"""``mfderive ising``: what it prints, what it draws, and what it says about wrong input."""

import json

import pytest

from mfderive.cli import main


def run(capsys, *words):
    code = main(["ising", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_table_json_and_latex(capsys):
    code, out, _ = run(capsys, "--lattice", "3x3", "--T", "3", "--starts", "1")
    assert code == 0
    for word in ("0.775516314", "T_c = 4 (closed form)", "unstable", "exact", "tanh(β (4 J σ̄))"):
        assert word in out
    code, out, _ = run(capsys, "--chain", "6", "--J", "0.8", "--h", "0.1", "--T", "1.3", "--json")
    data = json.loads(out)
    assert code == 0 and data["promises"] == ["symmetric", "minimum", "searched"]
    exact = next(row for row in data["methods"] if row["method"] == "exact")
    bethe = next(row for row in data["methods"] if row["method"] == "Bethe")
    assert bethe["free_energy"] == pytest.approx(exact["free_energy"], abs=1e-11)
    code, out, _ = run(capsys, "--regular", "3,10", "--T", "2", "--latex", "--starts", "1")
    assert code == 0 and r"\tanh" in out and r"\operatorname{artanh}(1/2)" in out


@pytest.mark.parametrize("form", ["png", "svg"])
def test_figures(form, capsys, tmp_path):
    """Over the temperature and at one; files of their kind, and the second names every method."""
    for number, words in enumerate((["--T", "2"], ["--T-range", "1:4:4"])):
        file = tmp_path / f"{number}.{form}"
        code, _, _ = run(capsys, "--lattice", "3x3", *words, "--starts", "1", "--figure", str(file))
        content = file.read_bytes()
        assert code == 0 and (content[:4] == b"\x89PNG" if form == "png" else b"<svg" in content)
    if form == "svg":
        assert all(name in content.decode() for name in ("Bethe", "mean field", "exact"))


def test_graph_files(capsys, tmp_path):
    """A triangle as a list of edges with couplings, and the same as GML: one answer."""
    edges, gml = tmp_path / "triangle.txt", tmp_path / "triangle.gml"
    edges.write_text("# a triangle\na b 1.0\nb c 0.5\n\nc a -0.3\n")
    rows = "".join(
        f"edge [ source {a} target {b} weight {w} ]\n" for a, b, w in ((0, 1, 1.0), (1, 2, 0.5), (2, 0, -0.3))
    )
    gml.write_text(f"graph [\n{''.join(f'node [ id {k} ]' + chr(10) for k in range(3))}{rows}]\n")
    found = []
    for file in (edges, gml):
        code, out, _ = run(capsys, "--graph", str(file), "--J", "weight", "--T", "0.6", "--json")
        assert code == 0
        found.append([row["free_energy"] for row in json.loads(out)["methods"]])
    assert found[0] == pytest.approx(found[1], abs=1e-12)


WRONG = [
    (["--lattice", "8by8"], "sizes such as 8x8"),
    (["--lattice", "1000x1000"], "at most 250000"),
    (["--regular", "3,5"], "D times N even"),
    (["--regular", "3"], "D,N such as 3,100"),
    (["--chain", "0"], "--chain"),
    (["--chain", "10000000"], "at most 10000 are taken"),
    (["--chain", "4", "--T", "0"], "--T"),
    (["--chain", "4", "--T-range", "1:2"], "A:B:N"),
    (["--chain", "4", "--T-range", "2:1:5"], "0 < A < B"),
    (["--chain", "4", "--J", "weight"], "no attribute 'weight'"),
    (["--chain", "4", "--figure", "out.pdf"], ".png or .svg"),
    (["--chain", "4", "--lattice", "3x3"], "not allowed with"),
    (["--T", "2"], "one of the arguments"),
    (["--graph", "nowhere.gml"], "no such file"),
]


@pytest.mark.parametrize(("words", "said"), WRONG)
def test_wrong_input(words, said, capsys):
    code, out, err = run(capsys, *words)
    assert code == 2 and out == "" and said in err and err.count("\n") == 1


def test_files_that_are_no_graphs(capsys, tmp_path):
    for name, content, said in (
        ("a.gml", "no gml", "GML"),
        ("a.txt", "one\n", "line 1 has 1 words"),
        ("b.txt", "a b high\n", "'high' is not a number"),
        ("c.txt", "a a\n", "joined to itself"),
    ):
        (tmp_path / name).write_text(content)
        code, _, err = run(capsys, "--graph", str(tmp_path / name))
        assert code == 2 and said in err
