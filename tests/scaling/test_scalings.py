"""Factors of parameters: against derived multipliers, published tables, and sizes measured in networks."""

import re
import runpy
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.forward.kind import KINDS
from mfderive.scaling.factors import Factors
from mfderive.scaling.parameter_readings import parameter_readings
from mfderive.scaling.scalings import Scalings
from mfderive.scaling.width_conventions import Convention, deviation
from mfderive.scaling.width_product import ONE, WidthProduct
from mfderive.state.draw import initial_state
from mfderive.tensor.interpreter import interpret
from tests.exact.strategies import seeded
from tests.field_names import velocity
from tests.reduction.specs import chain, document, layer

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))
MEAN_FIELD, MUP, NTK = Convention
HALF = Fraction(1, 2)


def degrees(factors: Factors | None, rule: str = "sgd") -> tuple[Fraction, ...]:
    """Exponents of n: variance, rate of a rule."""
    assert factors is not None
    rate = factors.rule[rule].rate
    assert rate is not None
    return 2 * factors.deviation.degree, rate.degree


def check_sgd(found: Scalings, limit: mf.LimitSystem) -> int:
    """The SGD column in front of sums and in the parameter; how many parameters were looked at.

    A factor f in the parameter divides its gradient by f and multiplies what a step must do by f: the rate is
    the derived multiplier divided by the divisor of the sum once for each.
    """
    for row in found.rows:
        factors = row.factors[MEAN_FIELD]
        multiplier = WidthProduct.of(limit.scalings[row.name])
        assert row.multiplier == multiplier and factors is not None
        if factors.gradient is None:
            assert row.frozen or not limit.equation_of[limit.velocity_of[row.name]].terms
            continue
        assert factors.rule["sgd"].rate == factors.rule["momentum"].rate == multiplier
        assert factors.change == ONE
        plain = row.plain.factors[MEAN_FIELD]
        assert plain is not None
        divisor = factors.forward[0] / plain.forward[0]
        assert plain.rule["sgd"].rate == multiplier * divisor * divisor
        averaged = [reading for reading in row.readings if reading.own and reading.averaged]
        if len(row.readings) == 1 and averaged:
            assert divisor == WidthProduct.of(averaged[0].averaged, -1) and plain.forward == (ONE,)
    return len(found.rows)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_sgd_of_shipped_specs_is_the_derived_multiplier(path: Path) -> None:
    """Exactly, and with every sentence made."""
    network = mf.load(path)
    found = mf.scalings(network)
    assert check_sgd(found, mf.derive(network)) == len(mf.derive(network).parameters)
    assert found.text and found.markdown and found.latex and found.to_json()


@pytest.mark.parametrize(
    "seeds", [range(0, 8), pytest.param(range(8, 200), marks=pytest.mark.study)], ids=["some", "all"]
)
def test_sgd_of_random_graphs_is_the_derived_multiplier(seeds: range) -> None:
    """200 random graphs in all (every fourth with kinks and ties), exactly."""
    looked_at = 0
    for seed in seeds:
        specimen = seeded(seed, seed % 4 == 3)
        network = mf.load(specimen.document, data=specimen.arrays)
        looked_at += check_sgd(mf.scalings(network), mf.derive(network))
    assert looked_at > 3 * len(seeds)


# Tensor Programs V (arXiv:2203.03466): exponents of n of variance and rate, by what a parameter does.
TABLE_3 = {
    "h1.weight": {"sgd": (0, 1), "adam": (0, 0)},
    "h1.bias": {"sgd": (0, 1), "adam": (0, 0)},
    "h2.weight": {"sgd": (-1, 0), "adam": (-1, -1)},
    "h2.bias": {"sgd": (0, 1), "adam": (0, 0)},
    "h3.weight": {"sgd": (-1, 0), "adam": (-1, -1)},
    "output.weight": {"sgd": (-2, -1), "adam": (-2, -1)},
    "output.bias": {"sgd": (0, 0), "adam": (0, 0)},
}


@pytest.fixture(scope="module")
def perceptron() -> Scalings:
    return mf.scalings(mf.load(chain(3, bias="0")))


@pytest.mark.parametrize("name", TABLE_3)
@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_mup_is_table_3_of_tensor_programs_v(perceptron: Scalings, name: str, rule: str) -> None:
    """Input weights and biases, hidden weights, output weights of a perceptron, factors in the weights."""
    factors = perceptron.row[name].factors[MUP]
    assert factors is not None and set(factors.forward) == {ONE}
    assert degrees(factors, rule) == TABLE_3[name][rule]


def test_mup_is_table_8_of_tensor_programs_v(perceptron: Scalings) -> None:
    """Output weights of order 1 with 1/fan-in in front: SGD's rate fan-in, Adam's 1. The rest as Table 3."""
    factors = dict(perceptron.row["output.weight"].own)[MUP]
    assert factors is not None and factors.forward[0].degree == -1
    assert (degrees(factors, "sgd"), degrees(factors, "adam")) == ((0, 1), (0, 0))


def test_mup_of_tied_embeddings_is_that_of_nano_gpt() -> None:
    """EleutherAI/nanoGPT-mup: embedding as it was, 1/m in front of the tied output.

    Hidden variance and Adam's rate have 1/m. Its decay beside Adam is multiplied by m, its epsilon by 1/m.
    """
    layers = [
        {"name": "e", "from": "x", "weight": {"name": "E", "law": "normal(0, 1)"}},
        layer("m", "e", "normal(1, 1)"),
        {**layer("f", "m", "normal(1, 1)"), "neurons": "e"},
    ]
    data = {
        "kind": "gaussian-mixture",
        "means": [[1.0, 0.0], [-1.0, 0.5]],
        "deviations": 0.3,
        "labels": [0, 1],
        "y": "x",
    }
    spec = document(layers, {"from": "f", "weight": {"name": "E", "transpose": True}}, data=data)
    found = mf.scalings(mf.load(spec))
    embedding, hidden = found.row["E"].factors[MUP], found.row["m.weight"].factors[MUP]
    assert embedding is not None and hidden is not None
    assert degrees(embedding, "adam") == (0, 0)
    assert [factor.degree for factor in embedding.forward] == [0, -1]
    assert degrees(hidden, "adam") == (-1, -1)
    adam = hidden.rule["adamw"]
    assert adam.decoupled is not None and adam.decoupled.degree == 1
    assert [value.degree for _, value in adam.constants] == [-1]
    assert dict(found.refused)[NTK].subjects == ("E",)


def test_scores_are_divided_by_their_length() -> None:
    """A product of two layers over their neurons (attention logits) has 1/n, not 1/sqrt(n), in front.

    The mean of a normalisation is such a sum: both factors of its summands are trained.
    """
    spec = document(
        [{**layer("h1", "x", "normal(0, 1)"), "activation": "h - mean(h * h)"}],
        {"from": "h1", "weight": "normal(1, 1)"},
    )
    assert [(f, p.text) for f, p in mf.scalings(mf.load(spec)).sums] == [("h1.mean1", "1/n_h1")]


def test_scores_of_an_own_kind_are_divided_by_their_length() -> None:
    """Self-attention, a layer kind from outside: every column, and 1/d for its logits (nanoGPT-mup)."""
    place = Path(SPECS[0]).parents[1] / "examples" / "own_layer_kind.py"
    module = runpy.run_path(str(place))
    try:
        found = mf.scalings(mf.load(module["SPEC"]))
    finally:
        KINDS.pop("attention", None)
    assert [factor.text for _, factor in found.sums] == ["1/n_asked"]
    assert not found.refused and degrees(found.row["asked.weight"].factors[MUP], "adam") == (-1, -1)


def test_ntk_has_one_rate_for_all(perceptron: Scalings) -> None:
    """1/sqrt(fan-in) in front of entries of order 1, SGD's rate 1; in the weights: variance 1/fan-in."""
    for row in perceptron.rows:
        factors = row.factors[NTK]
        assert factors is not None and degrees(factors) == (0, 0)
        assert factors.forward[0].degree == (
            -HALF if row.name in ("h2.weight", "h3.weight", "output.weight") else 0
        )
    for name in ("h2.weight", "output.weight"):
        plain = perceptron.row[name].plain.factors[NTK]
        assert degrees(plain) == (-1, -1) and plain is not None and plain.forward == (ONE,)


# ------------------------------------------------------------------------------- sizes, measured


def measured(network: mf.Network, convention: Convention, widths: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Root mean squares of every parameter's G at several widths, from a convention's own start."""
    limit = mf.derive(network)
    readings = parameter_readings(limit)
    found: dict[str, list[float]] = {}
    x, y = network.source.batch(1, 4)
    for width in widths:
        square: dict[str, float] = {}
        for seed in range(3):
            state = initial_state(limit, width, seed)
            sizes = {axis.name: len(state["p"][axis.name]) for axis in limit.populations}
            for parameter in limit.parameters:
                size = deviation(convention, readings[parameter.name])
                # Away from symmetric laws, under which averages of odd functions vanish.
                state[parameter.name] = state[parameter.name] + 0.5
                if size.degree:
                    rng = np.random.default_rng([seed, width])
                    state[parameter.name] = size.value(sizes) * rng.standard_normal(
                        state[parameter.name].shape
                    )
            # A residual of 1 at every sample, so that its own scatter is not measured.
            values, _ = interpret(limit, state, x, y)
            values, _ = interpret(limit, state, x, values["yhat"] - 1.0)
            for parameter in limit.parameters:
                own = float(np.mean(values[velocity(parameter.name)] ** 2))
                square[parameter.name] = square.get(parameter.name, 0.0) + own
        for name, total in square.items():
            found.setdefault(name, []).append(np.sqrt(total))
    return {name: np.array(sizes) for name, sizes in found.items()}


@pytest.mark.parametrize("convention", list(Convention))
@pytest.mark.parametrize("spec", ["chain", "stream", "norm"])
def test_sizes_of_derivatives_are_the_measured_ones(convention: Convention, spec: str) -> None:
    """Exponents of G over widths 20 to 80: within a quarter, half of what tells two of them apart."""
    block = [
        layer("inner", "h1", "normal(1, 0.5)", bias="0"),
        {
            "name": "h2",
            "neurons": "h1",
            "connections": [
                {"from": "h1", "kind": "skip"},
                {"from": "inner", "weight": "normal(1, 0.5)"},
            ],
        },
    ]
    specs = {
        "chain": chain(2, bias="0"),
        "stream": document(
            [layer("h1", "x", "normal(0, 1)"), *block], {"from": "h2", "weight": "normal(1, 1)"}
        ),
        "norm": document(
            [
                {
                    **layer("h1", "x", "normal(0, 1)"),
                    "activation": "tanh((h - mean(h)) / sqrt(mean(h * h) + 1))",
                },
                layer("h2", "h1", "normal(1, 1)", bias="0"),
            ],
            {"from": "h2", "weight": "normal(1, 1)"},
        ),
    }
    network = mf.load(specs[spec])
    widths = (20, 80)
    sizes = measured(network, convention, widths)
    found = mf.scalings(network)
    for row in found.rows:
        own = dict(row.own)[convention]
        assert own is not None and own.change is not None
        slope = float(np.log(sizes[row.name][1] / sizes[row.name][0]) / np.log(widths[1] / widths[0]))
        assert abs(slope + float(own.change.degree)) < 0.25, (row.name, slope)


def test_operations_that_are_not_linear_keep_their_divisor() -> None:
    """No factor can stand in a weight inside a function: the sum is divided in every convention."""
    network = mf.load(Path(SPECS[0]).parent / "five_layer_parameters.toml")
    found = mf.scalings(network)
    for convention in Convention:
        for row in (found.row["h2.weight"], found.row["h2.weight"].plain):
            factors = row.factors[convention]
            assert factors is not None and factors.forward[0].text == "1/n_h1"
    assert "no factor can stand in the parameter" in found.text
    assert found.sums == ()  # a weight stands in each


def gated(**connection: object) -> mf.Network:
    """Two layers, whose neurons each have a number s of their own, and a connection between them."""
    own = {"parameters": {"s": "normal(1, 0.5)"}}
    between = {"name": "h2", "from": "h1", "activation": "tanh", **connection, **own}
    return mf.load(
        document([layer("h1", "x", "normal(0, 1)", **own), between], {"from": "h2", "weight": "normal(1, 1)"})
    )


@pytest.mark.parametrize("name", ["h1.s", "h2.s"])
def test_a_number_beside_a_weight_leaves_it_the_factor(name: str) -> None:
    """The weight has the sum's 1/n, in every form; the other has none and says whose it is."""
    end = "source" if name == "h1.s" else "target"
    found = mf.scalings(gated(operation=f"{end}.s * w * u", weight="normal(1, 1)"))
    row, weight = found.row[name], found.row["h2.weight"]
    assert [part.value for part in row.parts] == ["bias"]
    for convention in Convention:
        for own, other in ((row, weight), (row.plain, weight.plain)):
            factors, carried = own.factors[convention], other.factors[convention]
            assert factors is not None and carried is not None
            assert (factors.forward, factors.deviation) == ((ONE,), ONE)
            assert (
                carried.forward[0] * carried.deviation
                == WidthProduct.of(("h1",), -1) * dict(other.own)[convention].deviation
            )
    (reason,) = [each for each in row.reasons if str(each.kind) == "carried" and "muP" in each.facts.values()]
    assert reason.facts["carrier"] == "h2.weight"
    assert "whose factor belongs to h2.weight" in found.markdown


def test_a_sum_that_no_parameter_can_carry_is_divided_in_every_form() -> None:
    """One number a target neuron times an average: the average keeps its 1/n, and is listed as such a sum."""
    found = mf.scalings(gated(operation="target.s * u"))
    assert [(field, factor.text) for field, factor in found.sums] == [("h2", "1/n_h1")]
    for row in (found.row["h2.s"], found.row["h2.s"].plain):
        for convention in Convention:
            factors = row.factors[convention]
            assert factors is not None
            assert (factors.forward[0].text, factors.deviation) == ("1/n_h1", ONE)
    assert "no entry for each of its summands" in found.markdown
    assert [part.value for part in found.row["h2.s"].parts] == ["bias"]


TITLE = "100% & _odd_ | ~ \\ {x}^2 #1 $"


def test_latex_is_escaped_balanced_and_complete() -> None:
    """No bare special letter, environments and braces closed, rows of one length, what text says."""
    network = mf.load({**chain(2), "title": TITLE})
    found = mf.scalings(network)
    written = found.latex
    plain = re.sub(r"\\text(backslash|asciitilde|asciicircum)\{\}|\\[#$%&_{}]", "", written)
    assert plain.count("{") == plain.count("}")
    assert not set("#%~") & set(plain)
    math = re.sub(r"\$[^$]*\$", "", plain)
    assert "$" not in math and not set("_^") & set(math)
    begun, ended = (re.findall(rf"\\{word}\{{(\w+)\}}", written) for word in ("begin", "end"))
    assert sorted(begun) == sorted(ended) and begun.count("tabular") == 3
    for table in re.findall(r"\\begin\{tabular\}\{(l+)\}(.*?)\\end", plain, re.DOTALL):
        rows = [line for line in table[1].splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
        assert len(rows) == len(found.rows) + 1
        assert {row.count("&") + 1 for row in rows} == {len(table[0])}
    for convention in Convention:
        assert f"{{{convention.value}}}" in written
    assert "Mean field with non-centred weights" in written and "share its effect" in written


def test_data_say_in_which_form_they_are() -> None:
    """The same whenever they are made; every number of the table; whether factors stand in the parameters."""
    network = mf.load(chain(2))
    found, plain = mf.scalings(network), mf.scalings(network, plain=True)
    assert (found.data["plain"], plain.data["plain"]) == (False, True)
    assert found.to_json() == mf.scalings(mf.load(chain(2))).to_json()
    assert found.data["rules"]["adam"] == {"degree": "0", "constants": {"eps": "1"}}
    ntk = found.data["parameters"][0]["conventions"]["standard/NTK"]
    assert ntk["change"]["degree"] == "-1/2"


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(mf.ArgumentError, match="a network"):
        mf.scalings("specs/two_layer.toml")  # type: ignore[arg-type]
    with pytest.raises(mf.ArgumentError, match="plain"):
        mf.scalings(mf.load(chain(2)), plain="yes")  # type: ignore[arg-type]
