"""``mfderive scalings``: forms, files, and that it answers at once."""

import json

import pytest

import mfderive as mf
from mfderive.cli import main
from mfderive.report.scaling_section import scaling_record, scaling_section
from tests.effort import calls
from tests.reduction.specs import chain


def said(capsys, *words: str) -> str:
    assert main(["scalings", *words]) == 0
    return capsys.readouterr().out


def test_forms(capsys) -> None:
    spec = "specs/three_layer.toml"
    text = said(capsys, spec)
    assert "Mean field with non-centred weights: h2.weight" in text and "n_h1 n_h2" in text
    assert "| `h2.weight` | hidden |" in said(capsys, spec, "--format", "markdown")
    assert r"\texttt{h2.weight} & hidden" in said(capsys, spec, "--format", "latex")
    data = json.loads(said(capsys, spec, "--json", "--plain"))
    hidden = next(row for row in data["parameters"] if row["name"] == "h2.weight")
    rate = hidden["conventions"]["mean field"]["rules"]["sgd"]["rate"]
    assert rate == {"text": "n_h2/n_h1", "powers": {"h1": "-1", "h2": "1"}, "degree": "0"}
    assert all(reason["text"] for reason in hidden["reasons"])


def test_a_file_is_written(capsys, tmp_path) -> None:
    said(capsys, "specs/two_layer.toml", "--output", str(tmp_path / "factors.txt"))
    assert "Scalings of" in (tmp_path / "factors.txt").read_text()
    assert main(["scalings", "specs/two_layer.toml", "--output", str(tmp_path / "no" / "factors")]) == 2


@pytest.mark.parametrize("spec", ["lstm", "cnn_nguyen_table1", "residual_blocks"])
def test_it_answers_at_once(spec: str) -> None:
    """The largest shipped specs, with their derivation, in two million calls, about a second."""
    network = mf.load(f"specs/{spec}.toml")
    assert calls(lambda: mf.scalings(network).text) < 2_000_000


def test_the_section_of_a_page() -> None:
    """A table for each convention; nothing for runs of earlier versions; what is refused says why."""
    html = scaling_section(scaling_record(mf.load(chain(2))))
    assert html.count("<table>") == 3 and "Mean field with non-centred" in html and "<script" not in html
    assert scaling_section(None) == ""
    tied = scaling_section(scaling_record(mf.load("specs/autoencoder_tied.toml")))
    assert tied.count("<table>") == 2 and "different lengths" in tied
