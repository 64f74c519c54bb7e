"""The paper's figures 1, 5, 8, 9 and 10 by their scripts, tiny, and the statics by their slope."""

import csv
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf

PAPER = Path(__file__).parent.parent / "examples" / "paper"
STUDY = pytest.mark.study  # the same steps of the same module on more networks
TINY = ["--widths", "4", "--steps", "2", "--nodes", "8"]


@pytest.fixture(scope="module")
def script():
    """A script of the folder as a module; its neighbours are imported as they are when it is run."""
    sys.path.insert(0, str(PAPER))
    yield importlib.import_module
    sys.path.remove(str(PAPER))
    for name in [name for name in sys.modules if name.startswith(("figure_", "paper_", "statics"))]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "number, settings", [(1, 1), *(pytest.param(n, s, marks=STUDY) for n, s in ((8, 3), (9, 2), (10, 3)))]
)
def test_a_figure_leaves_its_drawing_curves_and_numbers(script, tmp_path, number, settings):
    """Every setting has its limit beside every width; drawing, list and table are of the same curves."""
    name = f"figure_{number}"
    figure = script(name).FIGURE
    shown = script("paper_figures").run(figure, [*TINY, "--output", str(tmp_path)])
    assert json.loads((tmp_path / f"{name}.json").read_text())["table"] == shown["table"]
    curves = {(e["row"], e["setting"], e["split"]) for e in shown["table"]}
    found = [(e["row"], e["setting"], e["split"], e["width"]) for e in shown["table"]]
    assert sorted(found, key=str) == sorted([(*c, n) for c in curves for n in (4, None)], key=str)
    assert len({(row, setting) for row, setting, _ in curves}) == sum(
        len(row.settings) for row in figure.rows
    )
    assert len({s.spec for row in figure.rows for s in row.settings}) == settings
    with (tmp_path / f"{name}.csv").open() as file:
        last = [row for row in csv.DictReader(file) if row["step"] == "2"]
    assert sorted(float(row["loss"]) for row in last) == sorted(e["loss"] for e in shown["table"])
    for form in ("png", "svg"):
        assert (tmp_path / f"{name}.{form}").stat().st_size > 10_000


def test_depths_of_figure_8(script):
    """Three, four and five layers of weights, the same start and rate everywhere (caption of Fig. 8)."""
    rows = script("figure_8").FIGURE.rows
    nets = [row.settings[0].network(None) for row in rows]
    assert [len(net.layers) + 1 for net in nets] == [3, 4, 5]
    assert {net.training.learning_rate for net in nets} == {0.07}
    assert {row.full_widths for row in rows} == {(200, 400, 800, 1600, 2400)}


def test_the_same_command_goes_on(script, tmp_path, monkeypatch):
    """What is interrupted between two widths goes on with the next one, to the numbers of a run in one go."""
    run, figure = script("paper_figures").run, script("figure_5").FIGURE
    simulate, calls = mf.simulate, []

    def interrupted(network, width, *args, **kwargs):
        calls.append(width)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return simulate(network, width, *args, **kwargs)

    flags = ["--widths", "3,4", "--steps", "2", "--nodes", "8", "--output", str(tmp_path)]
    monkeypatch.setattr(mf, "simulate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(figure, flags)
    limits = []
    solve = mf.solve
    monkeypatch.setattr(mf, "solve", lambda *a, **k: limits.append(a) or solve(*a, **k))
    shown = run(figure, flags)
    assert calls == [3, 4, 4, 3, 4]  # the first width was not trained again
    assert len(limits) == 1  # nor the first limit solved
    assert {path.suffix for path in tmp_path.glob("figure_5.*")} == {".png", ".svg", ".csv", ".json"}
    whole = mf.simulate(figure.rows[0].settings[0].network(None), 4, 1, steps=2, evaluation=10_000)[0]
    found = [e["loss"] for e in shown["table"] if (e["row"], e["width"]) == (0, 4)]
    assert found == [pytest.approx(whole.loss[-1], rel=0, abs=0)]


@pytest.mark.parametrize(
    "flags, said",
    [
        (["--widths", "5,x"], "'x' is no positive whole number"),
        (["--steps", "0"], "'0' is no positive whole number"),
        (["--data", "nowhere"], "no folder. Give one that holds the folders mnist and cifar10"),
    ],
)
def test_wrong_flags_are_refused_in_one_sentence(script, capsys, tmp_path, flags, said):
    """A wrong flag ends with code 2 and says what is allowed."""
    with pytest.raises(SystemExit) as ended:
        script("paper_figures").run(script("figure_10").FIGURE, [*flags, "--output", str(tmp_path)])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


# --- statics -----------------------------------------------------------------------------------------------


def test_closed_loss_of_cosines_and_its_gradient(script):
    """The closed form against a Monte-Carlo mean (4 standard errors of 2e5 draws), and central differences.

    A step h = 1e-5 leaves an error of about h^2 |f'''| / 6 + eps / h < 1e-9 for values of order one.
    """
    problem = script("statics_two_layer").Cosines(dimension=5)
    random = np.random.default_rng(0)
    beta, w = random.uniform(-2, 2, 3), random.standard_normal((3, 5)) / 2
    loss, by_beta, by_w = problem.loss(beta, w)
    y = random.choice([-1.0, 1.0], 200_000)
    x = random.standard_normal((len(y), 5)) * (1 + problem.separation * y)[:, None]
    squares = (y - np.cos(x @ w.T) @ beta / 3) ** 2
    assert abs(squares.mean() - loss) < 4 * squares.std() / np.sqrt(len(y))
    h = 1e-5
    for i in range(3):
        e = h * np.eye(3)[i]
        slope = (problem.loss(beta + e, w)[0] - problem.loss(beta - e, w)[0]) / (2 * h)
        assert abs(slope - by_beta[i]) < 1e-8
        for j in range(5):
            e = h * np.outer(np.eye(3)[i], np.eye(5)[j])
            slope = (problem.loss(beta, w + e)[0] - problem.loss(beta, w - e)[0]) / (2 * h)
            assert abs(slope - by_w[i, j]) < 1e-8


def test_the_distance_of_the_optima_is_of_order_1_over_n(script):
    """Eq. (4): drawn networks exceed inf over rho by V/n exactly (theory E7), and the best lies below that.

    Means of 200 draws within 4 of their standard errors of V/n, the fitted slope within 4 of its own of -1.
    The best network found lies above inf over rho (54), up to the bound of its error, and below V/n.
    """
    statics = script("statics")
    entries = [statics.two_layers(n, seed=1, starts=1) for n in (4, 8, 16)]
    known = statics.cosines().optimum[1]
    assert known < 1e-6
    for entry in entries:
        assert abs(entry["drawn"] - entry["predicted"]) < 4 * entry["error"]
        assert -known < entry["best"] < entry["predicted"]
    found, error = statics.slope(entries)
    assert abs(found + 1) < 4 * error < 0.3


def test_networks_of_three_layers_reach_the_optimum_as_1_over_n(script):
    """Appendix B with inf over rho = 0: the mean loss of drawn networks is c1/n + c2/n^2 (theory D).

    Both numbers are fitted with the standard errors of 200 draws; each width lies within 4 of them of the
    curve. Between the two largest widths the slope is -1 up to the second term, |c2| / (c1 n), and 4 of its
    standard errors; the order n^(-1/2) of (64) is outside. The law of a network's neurons has its loss (54),
    to the rounding of two programs (100 epsilon for losses of order one); training goes below drawing.
    """
    statics = script("statics")
    problem = statics.realised()
    entries = [statics.three_layers(problem, n, seed=1, starts=1) for n in (8, 16, 32)]
    n, drawn, errors = (np.array([e[key] for e in entries]) for key in ("n", "drawn", "error"))
    design = np.stack([1 / n, 1 / n**2], 1) / errors[:, None]
    (c1, c2), *_ = np.linalg.lstsq(design, drawn / errors, rcond=None)
    assert (np.abs(c1 / n + c2 / n**2 - drawn) < 4 * errors).all()
    slope, error = statics.slope(entries[-2:])
    tolerance = abs(c2) / (c1 * n[-2]) + 4 * error
    assert abs(slope + 1) < tolerance < 0.5
    assert all(0 <= entry["best"] < entry["drawn"] for entry in entries)
    state = problem.draw(8, seed=0)
    assert abs(problem.witness(state) - problem.loss(state)) < 100 * np.finfo(float).eps


def test_statics_by_its_command(script, tmp_path, capsys):
    """Files and printed numbers; a second run reads what the first one found."""
    statics = script("statics")
    flags = ["--widths", "2", "--output", str(tmp_path)]
    first = statics.main(flags)
    kept = sorted((tmp_path / "curves").iterdir())
    assert len(kept) == 2
    document = json.loads(kept[0].read_text())
    document["made"]["drawn"] = 0.5  # a sign that it is read
    kept[0].write_text(json.dumps(document))
    second = statics.main(flags)
    assert second["three layers"][0]["drawn"] == 0.5
    assert first["two layers"] == second["two layers"]
    assert {path.suffix for path in tmp_path.iterdir() if path.is_file()} == {".png", ".svg", ".json"}
    assert "known to" in capsys.readouterr().out
