"""Public objects can be sent to other processes and copied: they come back the same, or say why not."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.functions import SYMPY_CLASS, call
from mfderive.errors import DivergenceError, SpecError
from mfderive.forward.kinds import KINDS

X = np.array([[0.3, -0.2, 0.5], [1.0, 0.0, -1.0]])
DATA = {
    "isotropic-gaussians": {"dimension": 3, "separation": 0.4},
    "gaussian-mixture": {"means": [[0.0, 1.0, 2.0], [1.0, 0.0, 0.0]], "labels": [1.0, -1.0]},
    "teacher": {"dimension": 3, "target": "x1 - tanh(x2)", "noise": 0.1},
    "fixed": {"kind": "teacher", "dimension": 3, "target": "x1 - tanh(x2)", "samples": 20},
}


def network(data="isotropic-gaussians"):
    return mf.load(
        {
            "format": 1,
            "title": "To be sent",
            "data": {"kind": data, **DATA[data]},
            "loss": {"kind": "squared"},
            "layers": [
                {"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "sqrt(1 + h**2)"},
                {"name": "h2", "from": "h1", "weight": "normal(1, 0.5)", "activation": "tanh"},
            ],
            "output": {"from": "h2", "weight": "normal(0, 1)"},
            "training": {"learning_rate": 0.1, "steps": 4, "batch_size": 4},
            "solver": {"nodes": 4, "evaluation": 8},
        }
    )


@pytest.fixture(scope="module")
def net():
    return network()


@pytest.fixture(scope="module")
def path(net):
    return mf.solve(net)


@pytest.fixture(scope="module")
def made(net, path, tmp_path_factory):
    """Every kind of object that public functions return, by a name."""
    limit = mf.derive(net)
    return {
        "network": net,
        "forward system": mf.forward_system(net),
        "limit": limit,
        "equations": limit.forward,
        "tree": limit.forward["h2"],
        "reduced": path.reduced,
        "finding": path.reduced.findings[0],
        "log": path.reduced.log[0],
        "solver": mf.generate(path.reduced, tmp_path_factory.mktemp("solver")),
        "trajectory": path,
        "loaded": mf.Trajectory.load(path.save(tmp_path_factory.mktemp("path"))),
        "checkpoint": path.checkpoint(),
        "state": path.at(),
        "drawn": path.sample(5),
        "trained": mf.simulate(net, 4, 1, evaluation=8)[0],
        "options": mf.SolveOptions(nodes={"h1": 3, "h2": 4}, rule="sobol"),
        "kind": KINDS["convolution"],
        "pooling": KINDS["max-pool"],
    }


NAMES = [
    *("network", "forward system", "limit", "equations", "tree", "reduced", "finding", "log", "solver"),
    *("trajectory", "loaded", "checkpoint", "state", "drawn", "trained", "options", "kind", "pooling"),
]


def same_arrays(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one if name != "p") and set(one) == set(
        other
    )


@pytest.mark.parametrize("way", [pickle.dumps, copy.deepcopy, copy.copy], ids=["pickle", "deepcopy", "copy"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_sent_or_copied_comes_back(made, name, way):
    """The text that prints it, and what it answers, are the same."""
    given = made[name]
    back = pickle.loads(way(given)) if way is pickle.dumps else way(given)
    assert type(back) is type(given) and repr(back) == repr(given)
    if name in ("limit", "reduced", "forward system"):
        assert str(back) == str(given) and back.title == given.title
    if name in ("trajectory", "loaded", "trained"):
        assert np.array_equal(back.predict(X), given.predict(X)) and np.array_equal(back.loss, given.loss)
        assert np.array_equal(back.predict(X, 0.15), given.predict(X, 0.15))  # between two states
        assert all(point.state.layout is back._found_ground.layout for point in back.checkpoints)
    if name == "trajectory":
        assert same_arrays(back.sample(5), given.sample(5)) and back.digest == given.digest
    if name == "solver":
        state = given.sample(3)
        assert np.array_equal(back.predict(state, X), given.predict(state, X))
    if name in ("state", "drawn"):
        assert same_arrays(back, given) and str(back.layout) == str(given.layout)


def test_a_copy_of_a_state_has_its_own_arrays(path):
    state = copy.deepcopy(path.at())
    before = path.at()["h1.weight"].copy()
    state["h1.weight"][:] = 0
    assert np.array_equal(path.at()["h1.weight"], before) and state.layout is path.at().layout


@pytest.mark.parametrize("data", DATA)
def test_every_source_of_data_is_sent(data):
    """It draws the same batches, and the solution on it is the same."""
    if data == "fixed":
        net = mf.load({**network("teacher").document, "data": DATA["fixed"]})
    else:
        net = network(data)
    back = pickle.loads(pickle.dumps(net))
    for one, other in zip(net.source.batch(3, 7), back.source.batch(3, 7), strict=True):
        assert np.array_equal(one, other)
    x, y = np.arange(12.0).reshape(4, 3) / 12, np.array([1.0, -1.0, 1.0, -1.0])
    given = pickle.loads(pickle.dumps(mf.load(net.document | {"data": {"kind": "arrays"}}, data=(x, y))))
    assert np.array_equal(given.source.evaluation(4)[0], x)


def test_another_process_reads_what_was_sent(path, tmp_path):
    """A solution with its solver, in a process that has imported nothing."""
    file = tmp_path / "path.pickle"
    file.write_bytes(pickle.dumps((path, X, path.predict(X))))
    code = (
        f"import pickle; p, x, y = pickle.load(open({str(file)!r}, 'rb')); assert (p.predict(x) == y).all()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_solver_whose_file_is_gone_says_so(path, tmp_path):
    solver = mf.generate(path.reduced, tmp_path / "here")
    sent = pickle.dumps(solver)
    for file in (tmp_path / "here").iterdir():
        if file.is_file():
            file.unlink()
    with pytest.raises(mf.MfError, match=r"no solver.py in .*here"):
        pickle.loads(sent)


def test_functions_of_the_table():
    for name, kind in SYMPY_CLASS.items():
        assert pickle.loads(pickle.dumps(kind)) is kind, name
    expression = call("sqrt", call("max", *map(call, ("exp", "abs"), (1, 2))))
    assert pickle.loads(pickle.dumps(expression)) == expression


def test_errors_keep_what_they_say(path):
    error = SpecError("no such key", file="net.toml", table="layers", key="nam", remedy="Write 'name'")
    back = pickle.loads(pickle.dumps(error))
    assert str(back) == str(error) and (back.table, back.key) == ("layers", "nam")
    lost = pickle.loads(pickle.dumps(DivergenceError("diverged", path)))
    assert str(lost) == "diverged" and np.array_equal(lost.path.loss, path.loss)
