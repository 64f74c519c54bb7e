"""Figures: what is drawn, in which order, and that the same curves give the same bytes."""

from dataclasses import replace

import numpy as np

from mfderive.report.curves import Curve, curve_of, final_table, thinned
from mfderive.report.figures import INK, draw_training, inline_svg, write_figures

from .material import network, trajectories


def _curves(with_error=True):
    return [curve_of(path) for path in trajectories(network(), with_error=with_error)]


def _lines(figure):
    return figure.axes[0].get_lines()


def test_the_limit_lies_in_front_and_every_seed_is_a_line():
    lines = _lines(draw_training(_curves(), "times", "loss"))
    assert len(lines) == 1 + 3 * 2
    limit = [line for line in lines if line.get_color() == INK]
    assert len(limit) == 1
    others = [line for line in lines if line is not limit[0]]
    assert all(limit[0].get_zorder() > line.get_zorder() for line in others)
    assert all(limit[0].get_linewidth() > line.get_linewidth() for line in others)


def test_seeds_of_a_width_share_a_colour_and_one_entry_of_the_legend():
    figure = draw_training(_curves(), "steps", "loss")
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["limit (n = ∞)", "n = 50", "n = 100", "n = 400"]
    assert len({line.get_color() for line in _lines(figure)}) == 4


def test_the_stated_error_of_the_limit_is_a_band():
    """Around the limit's loss alone, named behind the limit in the legend; nothing where it is not known."""
    limit, *others = _curves()
    width = np.full(len(limit.times), 0.1)
    width[-1] = np.nan
    figure = draw_training([replace(limit, loss_error=width), *others], "times", "loss")
    (band,) = figure.axes[0].collections
    corners = band.get_paths()[0].vertices
    assert np.isclose(corners[:, 1].max(), limit.loss[0] + 0.1)
    assert np.isclose(corners[:, 0].max(), limit.times[-2])
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels[:3] == ["limit (n = ∞)", "stated error of the limit", "n = 50"]
    assert not draw_training([replace(limit, loss_error=width)], "times", "error").axes[0].collections
    for nothing in (None, np.full(len(limit.times), np.nan)):
        assert not draw_training([replace(limit, loss_error=nothing)], "times", "loss").axes[0].collections


def test_step_zero_is_drawn_on_the_logarithmic_axis():
    """Step 0 has no logarithm; it must still lie inside of the axis, left of step 1, with a tick."""
    figure = draw_training(_curves(), "steps", "loss")
    axes = figure.axes[0]
    limit = next(line for line in _lines(figure) if line.get_color() == INK)
    assert limit.get_xdata()[0] == 0
    places = axes.transAxes.inverted().transform(
        axes.transData.transform([[0.0, 0.5], [1.0, 0.5], [10.0, 0.5], [100.0, 0.5]])
    )[:, 0]
    assert 0 < places[0] < places[1] < places[2] < places[3] < 1
    # Beyond step 1 the axis is logarithmic: decades are equally long.
    assert np.isclose(places[3] - places[2], places[2] - places[1], rtol=0.05)
    assert 0.0 in axes.get_xticks()


def test_axes_are_labelled():
    axes = draw_training(_curves(), "times", "error").axes[0]
    assert "t = Σα" in axes.get_xlabel()
    assert "error" in axes.get_ylabel()


def test_no_error_no_error_figure(tmp_path):
    assert write_figures(_curves(), tmp_path / "a") == [
        "loss_steps",
        "error_steps",
        "loss_time",
        "error_time",
    ]
    assert write_figures(_curves(with_error=False), tmp_path / "b") == ["loss_steps", "loss_time"]
    assert not list((tmp_path / "b").glob("error*"))


def test_figures_are_the_same_to_the_byte(tmp_path):
    for folder in ("a", "b"):
        write_figures(_curves(), tmp_path / folder)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
        assert path.stat().st_size > 1000


def test_a_diverged_network_does_not_spoil_the_figure(tmp_path):
    """Values that are not finite leave a gap; the axis keeps to the finite ones."""
    good, bad = _curves()[:2]
    broken = Curve(50, 0, bad.times, bad.steps, np.where(bad.times > 0.5, np.inf, bad.loss), bad.error)
    axes = draw_training([good, broken], "times", "loss").axes[0]
    assert axes.get_ylim()[1] < 3


def test_a_loss_that_falls_by_decades_gets_a_logarithmic_axis():
    times = np.linspace(0, 10, 50)
    curve = Curve(None, 0, times, times * 100, np.exp(-times), np.full(50, np.nan))
    assert draw_training([curve], "times", "loss").axes[0].get_yscale() == "log"
    assert draw_training(_curves(), "times", "loss").axes[0].get_yscale() == "linear"


def test_inlined_figures_share_no_identifier_and_take_the_ink_of_the_page(tmp_path):
    write_figures(_curves(), tmp_path)
    parts = [
        inline_svg((tmp_path / f"{name}.svg").read_text(), name, name) for name in ("loss_steps", "loss_time")
    ]
    assert not set(_identifiers(parts[0])) & set(_identifiers(parts[1]))
    for part in parts:
        assert INK not in part and "currentColor" in part
        assert "<style" not in part and "width=" not in part.split(">", 1)[0]


def _identifiers(svg):
    import re

    found = re.findall(r'\bid="([^"]+)"', svg)
    assert found
    used = re.findall(r"url\(#([^)]+)\)", svg) + re.findall(r'href="#([^"]+)"', svg)
    assert set(used) <= set(found), "a reference lost its target"
    return found


def test_thinning_keeps_both_ends():
    steps = np.arange(100_001.0)
    curve = Curve(None, 0, steps / 1000, steps, np.exp(-steps), steps)
    thin = thinned(curve)
    assert len(thin.times) < 700
    assert thin.steps[0] == 0 and thin.steps[-1] == 100_000
    # The early steps, which a logarithmic axis magnifies, are all there.
    assert set(range(10)) <= set(thin.steps)
    assert thinned(thin) is thin or len(thinned(thin).times) <= len(thin.times)


def test_final_table_by_hand():
    """Losses 2 and 4 at the end, limit 1: mean 3, distances 1 and 3 on average 2."""
    times = np.array([0.0, 1.0, 2.0])
    none = np.full(3, np.nan)

    def curve(width, *loss):
        return Curve(width, 0, times, times, np.array(loss), none)

    rows = final_table([curve(None, 5, 3, 1), curve(10, 5, 3.5, 2), curve(10, 5, 3, 4)])
    assert [row["width"] for row in rows] == [10, None]
    assert rows[0] == {
        "width": 10,
        "seeds": 2,
        "loss": 3.0,
        "loss_low": 2.0,
        "loss_high": 4.0,
        "error": None,
        "distance": 2.0,
    }
    assert rows[1]["distance"] is None and rows[1]["loss"] == 1.0


def test_distance_compares_at_equal_times():
    """A limit on a coarser grid is interpolated: a straight line is met exactly."""
    fine, coarse = np.linspace(0, 1, 11), np.array([0.0, 1.0])
    rows = final_table(
        [
            Curve(None, 0, coarse, coarse, 2 - coarse, coarse),
            Curve(5, 0, fine, fine, 2 - fine + 0.25, fine),
        ]
    )
    assert np.isclose(rows[0]["distance"], 0.25, rtol=1e-12)
