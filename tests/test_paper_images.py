"""The paper's figures on images: their scripts on generated files, the same scripts killed, their specs."""

import gzip
import importlib
import pickle
import struct
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf

PAPER = Path(__file__).parent.parent / "examples" / "paper"
SPECS = PAPER / "specs"
TINY = ["--widths", "3,6", "--steps", "2", "--nodes", "8"]
IMAGES, TESTS = 30, 12


@pytest.fixture
def script(monkeypatch):
    """A script of the folder as a module; its neighbours are imported as they are when it is run."""
    monkeypatch.syspath_prepend(PAPER)

    def load(name):
        return importlib.import_module(name)

    yield load
    for name in [name for name in sys.modules if name.startswith(("figure_", "paper_"))]:
        del sys.modules[name]


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Generated files of the forms that the scripts read: MNIST's of 4 x 4 pixels, CIFAR-10's, features."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name, rows in (("train", IMAGES), ("t10k", TESTS)):
        pixels = rng.integers(0, 256, (rows, 4, 4)).astype(np.uint8)
        labels = (np.arange(rows) % 10).astype(np.uint8)
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels)))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        batch = {b"data": rng.integers(0, 256, (10, 3072)).astype(np.uint8), b"labels": list(range(10))}
        (folder / name).write_bytes(pickle.dumps(batch, 2))
    features = {key: np.maximum(rng.normal(size=(n, 20)), 0) for key, n in (("x", 30), ("test_x", 10))}
    np.savez(folder / "vgg16_features.npz", **features, y=np.arange(30) % 10, test_y=np.arange(10))
    return folder


def check(shown, folder, name, settings):
    """Every width beside the limit on both samples, with numbers; the files that a figure leaves."""
    wanted = {(s, split, n) for s in settings for split in ("train", "test") for n in (None, 3, 6)}
    assert {(e["setting"], e["split"], e["width"]) for e in shown["table"]} == wanted
    assert all(np.isfinite([e["loss"], e["error"]]).all() for e in shown["table"])
    assert all(e["distance"] > 0 for e in shown["table"] if e["width"] is not None)
    assert shown["unchecked"]
    for ending in ("png", "svg", "csv", "json"):
        assert (folder / f"{name}.{ending}").stat().st_size > 0


def test_figure_7_on_files_of_mnists_form_and_again(script, files, tmp_path, capsys):
    """The second run trains nothing and shows the same, number by number."""
    figure, run = script("figure_7").FIGURE, script("paper_figures").run
    first = run(figure, ["--data", str(files), "--output", str(tmp_path), *TINY])
    check(first, tmp_path, "figure_7", ("τ₂ = 0.1", "τ₂ = 2"))
    assert "2 steps" in capsys.readouterr().out
    again = run(figure, ["--data", str(files), "--output", str(tmp_path), *TINY])
    said = capsys.readouterr().out
    assert "2 steps" not in said and "What cannot be checked" in said
    assert again == first
    assert not any((tmp_path / "unfinished").iterdir())


def test_figure_11_on_features(script, files, tmp_path):
    figure, run = script("figure_11").FIGURE, script("paper_figures").run
    shown = run(figure, ["--data", str(files), "--output", str(tmp_path), *TINY])
    check(shown, tmp_path, "figure_11", ("τ₂ = 0.1",))


def test_data_of_figure_6_and_12(script, files):
    """What their scripts would train on: MNIST's pixels, CIFAR-10's images, and the digits that stand in."""
    for row in script("figure_6").FIGURE.rows:
        net = row.settings[0].network(row.data(files))
        assert (net.input_shape, net.source.rows, len(net.source.test[0])) == ((16,), IMAGES, TESTS)
        assert (net.source.x.min(), net.source.x.max()) == (-1, 1)
    (row,) = script("figure_12").FIGURE.rows
    net = row.settings[0].network(row.data(files))
    assert (net.input_shape, net.source.rows, len(net.source.test[0])) == ((3, 32, 32), 50, 10)
    stand_in = row.settings[0].network(row.data(None)).source
    assert stand_in.input_shape == (3, 32, 32) and stand_in.test is not None
    blocks = stand_in.x[:5].reshape(5, 3, 8, 4, 8, 4)
    assert np.array_equal(blocks, np.broadcast_to(blocks[:, :1, :, :1, :, :1], blocks.shape))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("figure_6", "train-images"), ("figure_11", "vgg16_features.npz"), ("figure_12", "no batches of")],
)
def test_a_folder_without_the_files_is_refused_in_words(script, tmp_path, capsys, name, wanted):
    figure, run = script(name).FIGURE, script("paper_figures").run
    with pytest.raises(SystemExit) as caught:
        run(figure, ["--data", str(tmp_path), "--output", str(tmp_path / "out")])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert wanted in said and "Traceback" not in said


def test_settings_are_those_of_the_captions():
    """Numbers of layers, tau_2 and learning rates as in the captions of Figs. 6, 7, 11 and in appendix C."""
    stated = {
        "figure_6_layers_3": (2, 0.1, 0.01, None),
        "figure_1": (3, 0.1, 0.01, None),
        "figure_6_layers_5": (4, 0.1, 0.01, None),
        "figure_7_wide": (3, 2, 0.01, None),
        "figure_11": (3, 0.1, 0.02, None),
        "figure_12": (7, 0.1, 0.08, "k**-0.1"),
    }
    for name, (hidden, deviation, rate, schedule) in stated.items():
        document = tomllib.loads((SPECS / f"{name}.toml").read_text(encoding="utf-8"))
        weights = [layer["weight"] for layer in document["layers"] if "weight" in layer]
        laws = [weight if isinstance(weight, str) else weight["law"] for weight in weights]
        assert len(laws) == hidden
        assert laws[0] in ("normal(0, sqrt(2/d))", "normal(0, sqrt(2/fan_in))")
        assert set(laws[1:]) == {f"normal(1, {deviation})"}
        training = document["training"]
        assert (training["learning_rate"], training["batch_size"]) == (rate, 100)
        assert training.get("schedule") == schedule


def test_table_1_is_the_shipped_network():
    """Fig. 12 trains the network of specs/cnn_nguyen_table1.toml, layer by layer, on other data."""
    shipped = tomllib.loads((PAPER.parents[1] / "specs" / "cnn_nguyen_table1.toml").read_text("utf-8"))
    own = tomllib.loads((SPECS / "figure_12.toml").read_text(encoding="utf-8"))
    for table in ("layers", "output", "loss"):
        assert own[table] == shipped[table]


@pytest.mark.study
def test_figures_6_and_12_on_generated_files(script, files, tmp_path):
    """The scripts themselves, once each; compiling eight convolutions takes most of it."""
    for name in ("figure_6", "figure_12"):
        figure, run = script(name).FIGURE, script("paper_figures").run
        shown = run(figure, ["--data", str(files), "--output", str(tmp_path / name), *TINY])
        for row in range(len(figure.rows)):
            settings = {setting.label for setting in figure.rows[row].settings}
            own = {**shown, "table": [e for e in shown["table"] if e["row"] == row]}
            check(own, tmp_path / name, name, settings)


def test_readers_of_the_scripts_are_the_programs(script, files):
    """A table that a script makes is one that a spec may have."""
    table = script("paper_images").cifar10_images(files)
    spec = {**tomllib.loads((SPECS / "figure_12.toml").read_text(encoding="utf-8")), "data": table}
    assert mf.load(spec).source.rows == 50
