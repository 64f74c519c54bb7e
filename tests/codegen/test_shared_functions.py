"""Solvers share what is compiled where it is alike, and nothing else; no number depends on it."""

import sys

import numpy as np
import pytest

import mfderive as mf
from mfderive.codegen import function_files, shared_functions
from mfderive.codegen.generate import SOLVER, load_solver
from mfderive.codegen.numba.module import solver_source
from mfderive.state.draw import initial_state

SPEC = "specs/two_layer.toml"


@pytest.fixture(scope="module")
def case():
    """The limit of a relu network, its source, and a batch."""
    network = mf.load(SPEC)
    limit = mf.derive(network)
    return limit, solver_source(limit), network.source.batch(1, 6)


def loaded(folder, source, compiled=True):
    folder.mkdir()
    (folder / SOLVER).write_text(source, encoding="utf-8")
    return load_solver(folder, compiled)


def changed(source, old, new):
    assert source.count(old) == 1
    return source.replace(old, new)


def compiled_functions(solver):
    return {name: value for name, value in vars(solver).items() if hasattr(value, "py_func")}


def test_the_same_kernels_are_compiled_once(case, tmp_path):
    """Names and places in a file do not matter, and another network's solver has them, too."""
    _, source, _ = case
    first = compiled_functions(loaded(tmp_path / "first", source))
    assert len(first) >= 7
    later = source.replace("def relu(", "\n\n# A line\ndef relu(").replace("pointwise_relu", "first_layer")
    second = compiled_functions(loaded(tmp_path / "second", later))
    renamed = {"pointwise_relu": "first_layer"}
    assert all(second[renamed.get(name, name)] is value for name, value in first.items())
    other = mf.derive(mf.load("specs/five_layer_gaussians.toml"))
    third = compiled_functions(loaded(tmp_path / "third", solver_source(other)))
    assert third["pointwise_relu"] is first["pointwise_relu"]


def forget(monkeypatch):
    """Know no shared function, like a process that begins."""
    monkeypatch.setattr(shared_functions, "_KNOWN", {})
    for module in [each for each in sys.modules if "mfderive_functions" in each]:
        monkeypatch.delitem(sys.modules, module)


def test_a_later_process_finds_machine_code(case, tmp_path, monkeypatch):
    """Another solver, loaded where nothing is known but what lies on disk, compiles nothing.

    Functions are those of files that import each other: what numba keeps on disk names what a function calls.
    """
    limit, source, (x, y) = case
    monkeypatch.setenv("MFDERIVE_CACHE", str(tmp_path / "cache"))
    solvers = []
    for name in ("first", "second"):
        forget(monkeypatch)
        solvers.append(loaded(tmp_path / name, f"{source}\n# {name}\n"))
        solvers[-1].velocity(initial_state(limit, 7, seed=2), x, y, 0.0)
    before, after = (compiled_functions(solver) for solver in solvers)
    assert sum(sum(each.stats.cache_misses.values()) for each in before.values()) >= 5
    assert not any(sum(each.stats.cache_hits.values()) for each in before.values())
    assert sum(sum(each.stats.cache_hits.values()) for each in after.values()) >= 5
    assert not any(sum(each.stats.cache_misses.values()) for each in after.values())
    for value in after.values():
        function = value.py_func
        assert "mfderive_functions" in function.__module__
        for name in function.__code__.co_names:
            read = function.__globals__.get(name)
            assert not hasattr(read, "py_func") or "mfderive_functions" in read.py_func.__module__


@pytest.mark.parametrize("content", ["not Python (", "", "raise OSError"], ids=["torn", "empty", "raises"])
def test_files_that_are_not_whole_change_nothing(case, tmp_path, monkeypatch, content):
    """A solver has its own functions; where no file can be written, too."""
    limit, source, (x, y) = case
    monkeypatch.setenv("MFDERIVE_CACHE", str(tmp_path / "cache"))
    forget(monkeypatch)
    monkeypatch.setattr(function_files, "write_text", lambda path, text: path.write_text(content))
    (tmp_path / "cache" / "functions").mkdir(parents=True)
    solver = loaded(tmp_path / "solver", f"{source}\n# {content}\n")
    assert not any(
        "mfderive_functions" in each.py_func.__module__ for each in compiled_functions(solver).values()
    )
    speed = solver.velocity(initial_state(limit, 7, seed=2), x, y, 0.0)
    assert np.isfinite(speed["output.weight"]).all()


def test_a_function_that_was_edited_and_its_callers_are_others(case, tmp_path):
    """The edited solver computes what its text says; kernels that call nothing edited stay shared."""
    limit, source, (x, y) = case
    own = loaded(tmp_path / "own", source)
    edited = changed(source, "return type(x)(0) if x <= 0 else x", "return type(x)(0) if x <= 0 else x + x")
    other = loaded(tmp_path / "other", edited)
    before, after = compiled_functions(own), compiled_functions(other)
    differing = {name for name in before if before[name] is not after[name]}
    assert differing == {"relu", "pointwise_relu"}  # it calls what was edited
    plain = loaded(tmp_path / "plain", edited, compiled=False)
    assert not compiled_functions(plain)
    state = initial_state(limit, 7, seed=2)
    speed, expected = other.velocity(state, x, y, 0.0), plain.velocity(state, x, y, 0.0)
    for name, value in expected.items():
        np.testing.assert_allclose(speed[name], value, rtol=1e-12, atol=1e-14)
    unedited = own.velocity(state, x, y, 0.0)
    assert not np.allclose(unedited["output.weight"], speed["output.weight"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("return type(x)(0) if x <= 0 else x", "return type(x)(0) if x <= 1 else x", id="number"),
        pytest.param("return type(x)(0) if x <= 0 else x", "return x - x if x <= EDGE else x", id="global"),
        pytest.param('fast = {"contract", "reassoc"}', 'fast = {"contract"}', id="options"),
    ],
)
def test_what_decides_machine_code_is_compared(case, tmp_path, old, new):
    _, source, _ = case
    edges = ["EDGE = 0.25", "EDGE = 0.5"]
    sources = [
        source,
        *(changed(source, old, new).replace("DIGEST =", f"{edge}\nDIGEST =") for edge in edges),
    ]
    found = [
        compiled_functions(loaded(tmp_path / str(number), text))["pointwise_relu"]
        for number, text in enumerate(sources)
    ]
    assert found[0] is not found[1]
    assert (found[1] is found[2]) is ("EDGE" not in new)
