"""Solvers share what is compiled where it is alike, and nothing else; no number depends on it."""

import numpy as np
import pytest

import mfderive as mf
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
    own = called(first)
    assert own == {"relu", "unit_step"}
    assert all(second[renamed.get(name, name)] is value for name, value in first.items() if name not in own)
    other = mf.derive(mf.load("specs/five_layer_gaussians.toml"))
    third = compiled_functions(loaded(tmp_path / "third", solver_source(other)))
    assert third["pointwise_relu"] is first["pointwise_relu"]


def test_no_function_reads_one_of_another_module(case, tmp_path):
    """What is kept on disk of a function names the functions that it calls: a later process must have them.

    The second solver's kernel is another one, and what it calls is not.
    """
    _, source, _ = case
    first = loaded(tmp_path / "first", source)
    kernel = "def pointwise_relu(out, a, b):"
    second = loaded(tmp_path / "second", changed(source, kernel, f"{kernel}\n    unused = 0.125"))
    assert first.pointwise_relu is not second.pointwise_relu
    for value in [*compiled_functions(first).values(), *compiled_functions(second).values()]:
        function = value.py_func
        for name in function.__code__.co_names:
            read = function.__globals__.get(name)
            assert not hasattr(read, "py_func") or read.py_func.__module__ == function.__module__


def called(functions):
    """The functions that others call."""
    return {name for value in functions.values() for name in value.py_func.__code__.co_names} & set(functions)


def test_a_function_that_was_edited_and_its_callers_are_others(case, tmp_path):
    """The edited solver computes what its text says; kernels that call nothing edited stay shared."""
    limit, source, (x, y) = case
    own = loaded(tmp_path / "own", source)
    edited = changed(source, "return type(x)(0) if x <= 0 else x", "return type(x)(0) if x <= 0 else x + x")
    other = loaded(tmp_path / "other", edited)
    before, after = compiled_functions(own), compiled_functions(other)
    differing = {name for name in before if before[name] is not after[name]}
    assert differing - called(before) == {"pointwise_relu"}  # it calls what was edited
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
