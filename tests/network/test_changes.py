"""Changed networks without a file, and keys of [training] as arguments: right values, and what is refused."""

import re
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.cli import main
from mfderive.errors import ArgumentError, SpecError
from mfderive.network.changes import changed_document
from tests.format.documents import small

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


def group() -> dict:
    """``small()`` with a group of two copies."""
    document = small()
    inner = [{"name": "inner", "from": "block", "weight": "normal(0, 1)"}]
    document["layers"].append({"name": "block", "repeat": 2, "from": "h2", "layers": inner})
    document["output"]["from"] = "block"
    return document


def test_what_is_named_changes_and_the_rest_stays() -> None:
    net = mf.load(small())
    changed = net.replace(
        training={"steps": 7, "batch_size": 3}, layers={"h2": {"activation": "tanh"}}, title="other"
    )
    assert (changed.training.steps, changed.training.batch_size) == (7, 3)
    assert changed.training.learning_rate == 0.01 and changed.title == "other"
    wanted = small() | {"title": "other"}
    wanted["training"] |= {"steps": 7, "batch_size": 3}
    wanted["layers"][1]["activation"] = "tanh"
    assert changed == mf.load(wanted) and changed.document == wanted
    assert net == mf.load(small()) and net.document == small()


def test_the_changed_network_is_solved_as_the_file_would_be() -> None:
    wanted = small()
    wanted["layers"][0]["activation"] = "selu"
    wanted["training"]["learning_rate"] = 0.1
    found = mf.load(small()).replace(layers={"h1": {"activation": "selu"}}, training={"learning_rate": 0.1})
    solved = [mf.solve(net, steps=3, nodes=16) for net in (found, mf.load(wanted))]
    np.testing.assert_array_equal(solved[0].loss, solved[1].loss)


@pytest.mark.parametrize(
    ("changes", "path", "value"),
    [
        (
            {"layers": {"h2": {"weight": {"rate": 0}}}},
            ("layers", 1, "weight"),
            {"law": "normal(1, 0.1)", "rate": 0},
        ),
        (
            {"layers": {"h1": {"bias": None}}},
            ("layers", 0),
            {k: v for k, v in small()["layers"][0].items() if k != "bias"},
        ),
        ({"data": {"separation": 0.1}}, ("data",), small()["data"] | {"separation": 0.1}),
        (
            {"data": {"kind": "teacher", "dimension": 2, "target": "x1"}},
            ("data",),
            {"kind": "teacher", "dimension": 2, "target": "x1"},
        ),
        ({"solver": {"nodes": {"h1": np.int64(4)}}}, ("solver",), {"nodes": {"h1": 4}}),
        ({"output": {"weight": "0"}}, ("output",), {"from": "h2", "weight": "0"}),
        ({"layers": small()["layers"][:1]}, ("layers",), small()["layers"][:1]),
        ({"layers": {"h2": None}}, ("layers",), small()["layers"][:1]),
    ],
    ids=[
        "law to table",
        "key removed",
        "key of a table",
        "other kind",
        "numpy",
        "output",
        "all",
        "layer removed",
    ],
)
def test_documents(changes, path, value) -> None:
    found = changed_document(small(), changes)
    for part in path:
        found = found[part]
    assert found == value


def test_layers_in_groups_are_found_by_their_names() -> None:
    net = mf.load(group()).replace(layers={"inner": {"activation": "tanh"}, "block": {"repeat": 3}})
    assert [layer.name for layer in net.layers] == ["h1", "h2", "inner_1", "inner_2", "inner_3"]
    assert {net.layer[f"inner_{k}"].written for k in (1, 2, 3)} == {"tanh"}


def test_given_arrays_and_their_seed_are_kept() -> None:
    x, y = np.arange(12.0).reshape(6, 2) / 12, np.arange(6.0)
    document = small() | {"data": {"kind": "arrays"}}
    net = mf.load(document, data=(x, y), seed=5)
    trained = net.replace(training={"steps": 3})
    assert trained.source is net.source
    fewer = net.replace(data={"samples": 4}).replace(training={"steps": 3})
    assert fewer.source.rows == 4 and fewer.source.seed == 5 and fewer.input_shape == (2,)
    assert set(fewer.source.batch(1, "all")[1].ravel()) <= set(y)
    assert net.replace(solver={"data_seed": 9}).source.seed == 9


def test_shapes_and_batches_are_checked_again() -> None:
    net = mf.load(small())
    with pytest.raises(mf.DataError, match="samples"):
        net.replace(training={"batch_size": "all"})
    with pytest.raises(SpecError, match="there is no layer 'h9'"):
        net.replace(layers={"h2": {"from": "h9"}})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"trainig": {}}, "Did you mean 'training'"),
        ({"format": 2}, "no table 'format'"),
        ({"layers": {"h3": {}}}, "there is no layer 'h3'"),
        ({"layers": {"h2": 3}}, "give a dictionary"),
        ({"training": 3}, "training is 3; give a dictionary"),
        ({"layers": "h2"}, "give a dictionary"),
    ],
    ids=["table", "format", "layer", "layer's value", "number", "word"],
)
def test_refused(changes, says) -> None:
    with pytest.raises(ArgumentError, match=says):
        mf.load(small()).replace(**changes)


# --- a file is not blamed for what does not stand in it -----------------------------------------------------


@pytest.fixture
def file(tmp_path) -> str:
    path = tmp_path / "net.toml"
    path.write_text(SPEC, encoding="utf-8")
    return str(path)


SPEC = """\
format = 1
data = { kind = "isotropic-gaussians", dimension = 3, separation = 0.4 }
loss = { kind = "squared" }
layers = [{ name = "h1", from = "x", weight = "normal(0, 1)", activation = "tanh" }]
output = { from = "h1", weight = "normal(1, 0.1)" }
training = { learning_rate = 0.01, steps = 10 }
"""


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"training": {"steps": -3}}, " (changed: training.steps), training, key 'steps': found -3"),
        (
            {"training": {"steps": 10, "learning_rate": "x"}},  # the file says steps = 10
            " (changed: training.learning_rate), training, key 'learning_rate': found 'x'",
        ),
        (
            {"layers": {"h1": {"activation": "tahn"}}},
            " (changed: layers.h1), layers[0] 'h1', key 'activation': unknown activation 'tahn'",
        ),
        (
            {"data": {"kind": "arrays", "file": "no.npz"}},
            " (changed: data.kind, data.file), data, key 'file': there is no file",
        ),
        ({"output": {"outputs": 3}}, " (changed: output.outputs), output, key 'outputs': outputs = 3"),
        (
            {"output": {"weight": "0", "bias": "0", "outputs": 2, "kind": "skip"}},
            " (changed: output.weight, output.bias, output.outputs and 1 more), output, key 'weight'",
        ),
    ],
)
def test_errors_after_a_change_name_it_beside_the_file(file, changes, says) -> None:
    with pytest.raises(SpecError) as found:
        mf.load(file).replace(**changes)
    assert f"{file}{says}" in str(found.value)


def test_arguments_and_flags_are_no_part_of_the_file_either(file, capsys) -> None:
    with pytest.raises(SpecError) as found:
        mf.solve(mf.load(file), learning_rate=-1)
    assert str(found.value).startswith(f"{file} (changed: training.learning_rate), training, key")
    assert main(["solve", file, "--learning-rate", "0.1", "--schedule", "1 - k"]) == 2
    assert f"{file} (changed: --learning-rate, --schedule), training" in capsys.readouterr().err
    graph = mf.load(file).to_networkx()
    graph.nodes["h1"]["activation"] = "tahn"
    with pytest.raises(SpecError, match=r"^the graph of .*net\.toml, layers\[0\] 'h1', key 'activation'"):
        mf.from_networkx(graph)


def test_a_changed_network_says_so_and_is_equal_to_one_that_was_written_so(file, tmp_path) -> None:
    net = mf.load(file)
    changed = net.replace(training={"steps": 3}).replace(layers={"h1": {"activation": "relu"}})
    assert repr(net).endswith(f"file: {file}")
    # A line of a repr is cut where it is too long, and folders of tests may be deep.
    line = repr(changed).splitlines()[-1]
    assert f"file: {file} (changed: training.steps, layers.h1)"[: len(line) - 5] in line
    assert net.replace(training={"steps": 10}).changed == ()
    written = SPEC.replace("steps = 10", "steps = 3").replace("tanh", "relu")
    (tmp_path / "net.toml").write_text(written, encoding="utf-8")
    assert mf.load(file) == changed
    path = mf.solve(changed, nodes=4, evaluation=8).save(tmp_path)
    assert mf.Trajectory.load(path).network.changed == ("training.steps", "layers.h1")


# --- keys of [training] as arguments ---------------------------------------------------------------------


def test_keys_of_training_are_arguments() -> None:
    net = mf.load(small())
    changed = net.replace(training={"learning_rate": 0.5, "batch_size": 7, "schedule": "1 / k"})
    options = {"learning_rate": np.float64(0.5), "batch_size": 7, "schedule": "1 / k"}
    limits = [mf.solve(net, steps=4, nodes=16, **options), mf.solve(changed, steps=4, nodes=16)]
    np.testing.assert_allclose(limits[0].times, 0.5 * np.array([0, 1, 3 / 2, 11 / 6, 25 / 12]), rtol=1e-15)
    np.testing.assert_array_equal(limits[0].loss, limits[1].loss)
    networks = [mf.simulate(net, 8, 1, steps=4, **options)[0], mf.simulate(changed, 8, 1, steps=4)[0]]
    np.testing.assert_array_equal(networks[0].loss, networks[1].loss)
    assert mf.solve(network=net, steps=2, nodes=16, learning_rate=None).times[1] == 0.01


@pytest.mark.parametrize(
    "function", [mf.solve, mf.check, lambda net, **options: mf.simulate(net, 8, **options)]
)
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"learning_rte": 1}, "has no option 'learning_rte'. Did you mean 'learning_rate'"),
        ({"epochs": 3}, "steps = epochs [*] samples / batch_size"),
        ({"momentum": 0.9}, 'optimizer = { kind = "momentum", mu = 0.9 }'),
    ],
    ids=["misspelt", "epochs", "momentum"],
)
def test_other_names_are_answered(function, options, says) -> None:
    with pytest.raises(ArgumentError, match=says):
        function(mf.load(small()), **options)


def test_what_is_no_network_is_said() -> None:
    with pytest.raises(ArgumentError, match="learning_rate can only be changed for a network"):
        mf.solve("specs/three_layer.toml", learning_rate=1)


def test_the_lines_of_the_page(monkeypatch) -> None:
    """The code runs."""
    (code,) = re.findall(r"(^    import mfderive as mf\n.*?)\n\n[^ ]", PAGE, re.M | re.S)
    monkeypatch.chdir(ROOT)
    found: dict = {}
    exec(re.sub("^    ", "", code, flags=re.M), found)
    assert found["smooth"].layer["h2"].written == "tanh" and found["path"].times[-1] == pytest.approx(2.0)
    assert found["damped"].training.optimizer == "momentum"
