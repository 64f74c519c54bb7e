"""Coordinate checks: sizes and their parts, and wrong factors in networks that are trained in plain JAX."""

import csv
import io
import json
import math
from typing import Any

import numpy as np
import pytest

import mfderive as mf
from mfderive.cli import main
from mfderive.scaling.network_sizes import Measure
from mfderive.state.draw import parameter_shapes, population_sizes
from tests.exact.strategies import seeded

from .plain_network import PARAMETERS, SPEC, network

SMALL: dict[str, Any] = {"widths": (32, 64, 128), "seeds": 3, "steps": 2}
CASES = [
    (name, what, exponent)
    for name in PARAMETERS
    for what in ("rate", "forward", "deviation")
    for exponent in (0.5, -0.5, 1.0, -1.0)
    if not (what == "forward" and name.endswith("bias"))
    and not (what == "deviation" and name == "output.bias")
]


@pytest.fixture(scope="module")
def perceptron() -> mf.Network:
    """The spec; what is measured of this program's own networks is kept with it."""
    return mf.load(SPEC)


def named(perceptron: mf.Network, train: Any, **options: Any) -> tuple[str, ...]:
    return mf.coordinate_check(perceptron, train, **{**SMALL, **options}).named


@pytest.mark.parametrize(
    "case",
    [
        ("h2.weight", "rate", -0.5),
        ("output.bias", "rate", 0.5),
        ("h2.weight", "forward", 0.5),
        ("h1.weight", "forward", -1.0),
        ("h2.bias", "deviation", 0.5),
        ("output.weight", "rate", 1.0),
    ],
    ids=lambda case: "-".join(map(str, case)),
)
def test_a_wrong_factor_is_named(perceptron: mf.Network, case: tuple[str, str, float]) -> None:
    """One factor is off by a power of the width: its parameter is named, its exponent within a quarter."""
    name, what, exponent = case
    found = mf.coordinate_check(perceptron, network({(name, what): exponent}), **SMALL)
    assert found.named == (name,)
    assert str(found.faults[0].kind) == what
    assert abs(found.faults[0].facts["slope"] - exponent) < 0.25 and name in found.text


def test_right_networks_have_no_fault(perceptron: mf.Network) -> None:
    """With the batch of the first step and without; and with factors in the parameters, not the sums."""
    assert named(perceptron, network()) == ()
    assert named(perceptron, network(batch=False)) == ()

    def plain(width: int, seed: int, steps: int) -> dict[str, Any]:
        inside = {"h2.weight": 1 / width, "output.weight": 1 / width}
        return {n: value * inside.get(n, 1) for n, value in network()(width, seed, steps).items()}

    assert named(perceptron, plain, plain=True) == ()
    assert set(named(perceptron, plain)) == {"h2.weight", "output.weight"}


def test_networks_of_mup(perceptron: mf.Network) -> None:
    """Hidden entries of size 1/sqrt(n) in the weight: right in muP, a wrong deviation in mean field.

    A wrong rate is found beside it; without the batch of the first step nothing can be told.
    """

    def train(wrong: dict[tuple[str, str], float], batch: bool = True) -> Any:
        own = network({("h2.weight", "deviation"): 0.5, **wrong}, batch)

        def inside(width: int, seed: int, steps: int) -> dict[str, Any]:
            factors = {"h2.weight": 1 / width, "output.weight": 1 / width}
            return {name: value * factors.get(name, 1) for name, value in own(width, seed, steps).items()}

        return inside

    assert named(perceptron, train({}), convention="muP") == ()
    assert named(perceptron, train({}), plain=True) == ("h2.weight",)
    assert named(perceptron, train({("h1.bias", "rate"): 0.5}), convention="muP") == ("h1.bias",)
    with pytest.raises(mf.ArgumentError, match="their own gradients"):
        named(perceptron, train({}, batch=False), convention="muP")
    with pytest.raises(mf.ArgumentError, match="convention"):
        named(perceptron, train({}), convention="mup")


@pytest.mark.study
def test_twenty_faults_and_twenty_right_networks(perceptron: mf.Network) -> None:
    """Of 20 faults drawn from all, the right parameter in 19; of 20 right networks, none in 19."""
    rng = np.random.default_rng(13)
    right = 0
    for number in rng.choice(len(CASES), 20, replace=False):
        name, what, exponent = CASES[number]
        train = network({(name, what): exponent})
        own = lambda n, s, k, train=train, first=number: train(n, s + 1000 * int(first), k)  # noqa: E731
        right += named(perceptron, own, widths=(64, 128, 256, 512), seeds=4, steps=5) == (name,)
    clean = 0
    for number in range(20):
        own = lambda n, s, k, first=number: network()(n, s + 5000 + 100 * first, k)  # noqa: E731
        clean += named(perceptron, own, widths=(64, 128, 256, 512), seeds=4, steps=5) == ()
    assert right >= 19 and clean >= 19, (right, clean)


def test_all_rates_wrong_alike_is_no_fault_of_one(perceptron: mf.Network) -> None:
    """A rate that grows with the width for every parameter: the rate or the loss as a whole."""
    found = mf.coordinate_check(perceptron, network({(n, "rate"): 0.5 for n in PARAMETERS}), **SMALL)
    assert [str(each.kind) for each in found.faults] == ["all-rates"]


def test_what_still_parameters_and_missing_ones_are_said(perceptron: mf.Network) -> None:
    def train(width: int, seed: int, steps: int) -> dict[str, Any]:
        arrays = network(batch=False)(width, seed, steps)
        arrays["h2.weight"] = network()(width, seed, 0)["h2.weight"]
        del arrays["h1.bias"]
        return arrays

    found = mf.coordinate_check(perceptron, train, **SMALL)
    assert [str(each.kind) for each in found.faults] == ["still"] and found.named == ("h2.weight",)
    assert found.unmeasured == ("h1.bias",) and "h1.bias" in found.text


def test_what_scatters_too_much_is_said(perceptron: mf.Network) -> None:
    """Without the batch, the residual's own scatter hides a rate of the output's bias: open, not right."""
    found = mf.coordinate_check(perceptron, network({("output.bias", "rate"): 0.5}, batch=False), **SMALL)
    assert found.faults or "output.bias" in found.undecided


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({}, "must return a dictionary"),
        ({"h2.wieght": [1.0]}, "h2.weight"),
        ({"h2.weight": "many"}, "no array of real numbers"),
        ({"h2.weight": [1j]}, "no array of real numbers"),
        ({"h2.weight": []}, "no entries"),
        ({"x": np.ones((4, 3)), "y": np.ones((4, 1))}, "but not h1.bias, h1.weight"),
        ({"h2.weight": np.ones((16, 16))}, "with 256 entries at width 64"),
    ],
)
def test_wrong_answers_are_refused(perceptron: mf.Network, answer: Any, words: str) -> None:
    with pytest.raises(mf.ArgumentError, match=words):
        mf.coordinate_check(perceptron, lambda width, seed, steps: answer, **SMALL)


WRONG = {
    "no parameter later": (lambda a, k: {n: v for n, v in a.items() if n != "h2.bias" or not k}, "none"),
    "no parameter first": (lambda a, k: {n: v for n, v in a.items() if n != "h2.bias" or k}, "none"),
    "no y": (lambda a, k: {n: v for n, v in a.items() if n != "y"}, "but not y"),
    "another batch": (lambda a, k: {**a, "x": a["x"] + k}, "different values of 'x'"),
    "fewer inputs": (lambda a, k: {**a, "x": a["x"][:5]}, "one row for each sample"),
    "nan at first": (lambda a, k: {**a, "h2.bias": a["h2.bias"] * np.nan}, "expected finite numbers"),
}


@pytest.mark.parametrize("case", WRONG)
def test_answers_that_are_no_one_network_are_refused(perceptron: mf.Network, case: str) -> None:
    """Names, batches and shapes that do not fit each other at the three times."""
    change, words = WRONG[case]

    def train(width: int, seed: int, steps: int) -> dict[str, Any]:
        return change({n: np.asarray(v) for n, v in network()(width, seed, steps).items()}, steps)

    with pytest.raises(mf.ArgumentError, match=words):
        mf.coordinate_check(perceptron, train, **SMALL)


def test_networks_that_ignore_the_width_are_refused(perceptron: mf.Network) -> None:
    """Sizes that stay the same because the network does are no evidence of right factors."""
    with pytest.raises(mf.ArgumentError, match="the widths that train is called with"):
        mf.coordinate_check(perceptron, lambda w, s, k: network(batch=False)(32, s, k), **SMALL)


def test_what_train_raises_is_raised_with_the_call(perceptron: mf.Network) -> None:
    def train(width: int, seed: int, steps: int) -> dict[str, Any]:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory") as caught:
        mf.coordinate_check(perceptron, train, **SMALL)
    assert "train(32, 1, 0)" in caught.value.__notes__[0]


def test_wrong_arguments_are_refused(perceptron: mf.Network) -> None:
    for given, words in (
        ({"train": 3}, "train is 3"),
        ({"widths": [64]}, "two widths"),
        ({"widths": "64"}, "a list of widths"),
        ({"seeds": 1}, "seeds"),
        ({"steps": 0}, "steps"),
        ({"convention": "muP"}, "train is None"),
        ({"plain": True}, "train is None"),
    ):
        with pytest.raises(mf.ArgumentError, match=words):
            mf.coordinate_check(perceptron, **given)

    finite = perceptron.replace(layers={"h1": {"size": 4}, "h2": {"size": 3}})
    with pytest.raises(mf.ArgumentError, match="no layer of 'perceptron' is infinitely wide"):
        mf.coordinate_check(finite)

    def train(width: int, seed: int, steps: int) -> dict[str, Any]:
        return {"h2.weight": np.ones((width + steps, width))}

    with pytest.raises(mf.DivergenceError, match="smaller learning rate"):
        wild = perceptron.replace(layers={"h2": {"activation": "exp"}}, training={"learning_rate": 1e4})
        mf.coordinate_check(wild, **{**SMALL, "steps": 6})
    with pytest.raises(mf.ArgumentError, match="the same array at three times"):
        mf.coordinate_check(perceptron, train, **SMALL)

    def turned(width: int, seed: int, steps: int) -> dict[str, Any]:
        arrays = network()(width, seed, steps)
        return {**arrays, "h1.weight": arrays["h1.weight"].T}

    with pytest.raises(mf.ArgumentError, match="leave x and y out"):
        mf.coordinate_check(perceptron, turned, **SMALL)


# ------------------------------------------------------------------------------- networks of the program


def test_sizes_of_own_networks_are_those_that_the_limit_expects(perceptron: mf.Network) -> None:
    """Every exponent that the limit expects lies in its interval (together they miss once in a hundred)."""
    found = mf.coordinate_check(perceptron, **SMALL)
    assert not found.faults and not found.given and "exponents that the limit expects" in found.text
    told = [row for row in found.rows if row.expected is not None]
    assert len(told) > 20 and all(row.slope.holds(row.expected) for row in told)
    start = found.of("start", "h1.weight")
    np.testing.assert_allclose(start.prediction.size, 1.0, rtol=0.03)  # 8 x 512 x 3 draws of N(0, 1)


@pytest.mark.parametrize("eps", [1e-8, 100.0])
def test_steps_of_fluctuations_under_adam(perceptron: mf.Network, eps: float) -> None:
    """Hidden weights of mean 0 make gradients of h1.weight and output.weight that are 0 in the limit.

    Beside a small eps Adam's first steps of them are as long as all others at every width (within the share
    of entries whose gradient is below eps), so that nothing is expected of sizes after steps, and that is
    said; beside a large one they fall as the fluctuations do, and everything is expected as under SGD.
    """
    layers = {
        "h1": {"bias": "0"},
        "h2": {"weight": "normal(0, 1)", "bias": "0"},
    }
    network = perceptron.replace(
        layers=layers,
        output={"weight": "normal(0, 1)"},
        training={"optimizer": {"kind": "adam", "eps": eps}},
    )
    found = mf.coordinate_check(network, **{**SMALL, "widths": (16, 64)})
    first, change = found.of("first step", "output.weight"), found.of("change", "output.weight")
    told = {row.quantity.measure for row in found.rows if row.expected is not None}
    if eps == 1e-8:
        assert found.blown_up.parameters == ("h1.bias", "h1.weight", "output.weight")
        np.testing.assert_allclose(first.sizes, 0.02, rtol=1e-3)
        assert change.expected is None and change.inside is None and Measure.UPDATE not in told
        assert found.of("first step", "h2.weight").expected == 0.0 and "are 0 in the limit" in found.text
    else:
        assert not found.blown_up.parameters and change.prediction.hidden
        assert change.inside is not None and Measure.UPDATE in told
    assert found.data["blown_up"]["parameters"] == list(found.blown_up.parameters)


def test_fluctuations_of_deep_layers_fall_faster(perceptron: mf.Network) -> None:
    """Three centred layers without biases: a mean over n makes n^(-1/2) of n^0, the next one n^(-1)."""
    network = perceptron.replace(
        layers={"h1": {"weight": "normal(0, 1)", "bias": "0"}, "h2": {"weight": "normal(0, 1)", "bias": "0"}},
        output={"weight": "normal(0, 1)"},
    )
    found = mf.coordinate_check(network, **SMALL)
    expected = {name: found.of("value", name).expected for name in ("h1", "h2", "yhat")}
    assert expected == {"h1": 0.0, "h2": -0.5, "yhat": -1.0}
    assert all(found.of("value", name).slope.holds(own) for name, own in expected.items())


def test_the_parts_of_a_change(perceptron: mf.Network) -> None:
    """By hand: the weights' part has the inputs after, the inputs' part the weights before; they add up."""
    found = mf.coordinate_check(perceptron, **SMALL)
    x = perceptron.source.evaluation(16)[0]
    (path,) = mf.simulate(perceptron, 32, [1], steps=2, precision="float64", evaluation=2, checkpoints=3)
    before, after = path.checkpoints[0].state, path.checkpoints[-1].state
    old, new = (np.tanh(x @ s["h1.weight"].T + s["h1.bias"]) for s in (before, after))
    weights = new @ (after["h2.weight"] - before["h2.weight"]).T / 32
    inputs = (new - old) @ before["h2.weight"].T / 32
    for measure, values in (
        (Measure.FROM_WEIGHTS, weights),
        (Measure.FROM_INPUTS, inputs),
        (Measure.UPDATE, weights + inputs),
    ):
        size = found.of(measure, "h2").sizes[0, 0]
        np.testing.assert_allclose(size, np.sqrt(np.mean(values**2)), rtol=1e-9)
    assert not found.of("from inputs", "h1").sizes.any()


def test_tables_and_figure(perceptron: mf.Network, tmp_path) -> None:
    found = mf.coordinate_check(perceptron, **SMALL)
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert len(rows) == sum(row.sizes.size for row in found.rows)
    assert {row["measure"] for row in rows} == {str(m) for m in Measure} - {"rate", "sum"}
    assert json.loads(found.to_json())["sizes"][0]["measure"] == "start"
    assert len(found.figure().axes) == 6
    saved = found.save(tmp_path / "check")
    assert sorted(path.suffix for path in saved.parent.iterdir()) == [".csv", ".json", ".svg"]
    assert len(repr(found).splitlines()) < 8


def test_the_command(tmp_path, capsys) -> None:
    folder = tmp_path / "coords"
    words = ["coords", "specs/two_layer.toml", "--widths", "8,16", "--seeds", "2", "--steps", "1", "--json"]
    assert main([*words, "--output", str(folder)]) == 0
    assert json.loads(capsys.readouterr().out)["widths"] == [8, 16]
    assert (folder / "coordinates.svg").is_file()


def random_graph(seed: int) -> mf.Network:
    """A random spec, with a rate at which its steps follow the gradient."""
    specimen = seeded(seed)
    return mf.load(specimen.document, data=specimen.arrays).replace(training={"learning_rate": 0.002})


def exponents_hold(network: mf.Network, **options: Any) -> int:
    """Whether changes that the limit expects have exponent 0 within their intervals; how many there are."""
    found = mf.coordinate_check(network, **options)
    changes = [row for row in found.rows if row.quantity.measure in (Measure.CHANGE, Measure.UPDATE)]
    told = [row for row in changes if row.slope.value is not None and row.expected == 0]
    assert [(row.quantity, row.slope.text) for row in told if not row.slope.holds(0.0)] == []
    return len(told)


def test_updates_of_a_layer_norm_have_exponent_0() -> None:
    """All intervals together miss once in a hundred."""
    assert exponents_hold(mf.load("specs/layer_norm.toml"), widths=(32, 64, 128), seeds=3, steps=2) > 5


@pytest.mark.study
@pytest.mark.parametrize("first", range(0, 54, 9))
def test_updates_of_twenty_random_graphs_have_exponent_0(first: int) -> None:
    """Widths 64 to 1024, nine seeds a part: the graphs whose values stay finite and that are quickly trained.

    That is: with at most 30 equations, and three million entries at the largest width. The parts have 4, 1,
    4, 4, 5 and 3 graphs with exponents that the limit expects.
    """
    seen = 0
    for seed in range(first, first + 9):
        network = random_graph(seed)
        limit = mf.derive(network)
        shapes = parameter_shapes(limit, population_sizes(limit, 1024))
        if not limit.populations or len(limit.equations) > 30 or sum(map(math.prod, shapes.values())) > 3e6:
            continue
        with np.errstate(all="ignore"):
            try:
                told = exponents_hold(network, widths=(64, 128, 256, 512, 1024), steps=3)
            except mf.DivergenceError:
                continue
        print(f"graph {seed}: {told} exponents", flush=True)
        seen += told
    assert seen
