"""Convolutions on a circle: the equations, networks, the dense phase diagram, and the decay of Fourier
modes."""

import numpy as np
import pytest

import mfderive as mf
from mfderive.signals.kernel_system import Part
from mfderive.signals.kernel_values import KernelValues
from tests.exact.comparison import interpreted, verdict
from tests.exact.test_kinks import case_of
from tests.signals.documents import chain, convolutional, document

W2, B2 = 2.5, 0.1


def circular(count=4, positions=6, kernel=3, stride=1, activation="tanh"):
    """A chain of circular convolutions."""
    spec = convolutional(count, activation, positions)
    spec["layers"][0] |= {"padding": "circular", "kernel": [kernel], "stride": [stride]}
    return mf.load(spec)


@pytest.fixture(scope="module")
def signal():
    return mf.signal(circular(5, 7), sigma_w2=W2, sigma_b2=B2)


@pytest.mark.parametrize(("kernel", "positions", "stride"), [(3, 5, 1), (4, 5, 2), (7, 3, 1)])
def test_equations_read_around_the_circle(kernel, positions, stride) -> None:
    """The derived velocity against complex steps of the finite network, to rounding; windows that are longer
    than the circle too."""
    spec = convolutional(2, "tanh", positions)
    spec["layers"][0] |= {"padding": "circular", "kernel": [kernel]}
    if stride > 1:
        spec["layers"][1] |= {"from": "c2"}
        spec["layers"].insert(1, {**spec["layers"][0], "name": "c2", "from": "c", "stride": [stride]})
        del spec["layers"][1]["repeat"]
    rng = np.random.default_rng(1)
    net = mf.load(spec)
    limit = mf.derive(net)
    sizes = {a.name: a.size or 3 for a in limit.axes}
    shapes = {v.name: [sizes[a] for a in v.axes if "noise" not in a] for v in limit.parameters}
    values = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    x = rng.standard_normal((3, 2, positions))
    case = case_of(spec, x, values, 3)
    assert not verdict(case, interpreted(case)[0])


def test_signals_are_those_of_dense_networks(signal) -> None:
    """Inputs that are the same everywhere have the dense fixed points, gradients and critical scale (row
    13), to rounding."""
    dense = mf.signal("tanh", sigma_w2=W2, sigma_b2=B2)
    for name in ("q_star", "c_star", "chi_1", "xi_c", "xi_q"):
        assert getattr(signal, name) == pytest.approx(getattr(dense, name), rel=1e-9)
    net = circular()
    assert mf.critical(net, sigma_b2=B2).sigma_w2 == pytest.approx(
        mf.critical("tanh", sigma_b2=B2).sigma_w2, rel=1e-9
    )


@pytest.mark.parametrize("kernel", [3, 4])
def test_modes_decay_by_the_transform_of_the_window(kernel) -> None:
    """lambda_alpha chi(c*), lambda_alpha the mean of exp(i alpha b) over the taps b (Xiao et al. 2018), to
    rounding."""
    found = mf.signal(circular(4, 7, kernel), sigma_w2=W2, sigma_b2=B2)
    dense = mf.signal("tanh", sigma_w2=W2, sigma_b2=B2)
    alpha = found.modes.wave_numbers[:, 0]
    taps = np.arange(kernel) - (kernel - 1) // 2
    window = np.exp(1j * np.outer(alpha, taps)).mean(axis=1)
    np.testing.assert_allclose(found.modes.slopes_c, window * dense.chi_c, atol=1e-9)
    np.testing.assert_allclose(found.modes.slopes_q, window * dense.slope_q, atol=1e-9)
    assert found.modes.circular and len(alpha) == 7 and "alpha / pi" in found.text


@pytest.mark.parametrize("distance", [0, 2])
def test_kernels_over_positions_show_the_modes(signal, distance) -> None:
    """One block maps a small mode at a fixed distance of positions to its slope times it; what is left is of
    second order: its size falls by 4 (a slope of 2 +- 0.05) when the mode is halved."""
    system, count = signal.kernels, 7
    shown = [k for k in system.of_part(Part.FORWARD) if not k.is_helper]
    first, after = (k.name for k in shown if k.of in ("c_2", "c_3"))
    q, c = signal.q_star, signal.c_star
    place = np.arange(count)
    mode = 2
    wave = np.cos(2 * np.pi * mode * place / count)
    slope = signal.modes.slopes_c[mode].real
    scales = {s: np.asarray(signal.scales[s.name]) for s in system.scales}
    left = []
    for size in (1e-3, 5e-4):
        own = np.full((count, count), q * c)
        own[place, place] = q
        pair = np.full((count, count), q * c)
        pair[place, (place + distance) % count] += size * wave
        given = {(first, (1, 1)): own, (first, (2, 2)): own, (first, (1, 2)): pair}
        moved = KernelValues(system, scales, (), given)(after, (1, 2))
        deviation = moved[place, (place + distance) % count] - q * c
        left.append(np.abs(deviation - size * slope * wave).max())
    assert left[0] < 1e-4 and abs(np.log2(left[0] / left[1]) - 2) < 0.05


def test_finite_networks_on_a_circle() -> None:
    """Kernels over positions of 40 networks of 200 channels by a loop in numpy: within five standard errors
    and 4/n."""
    width, positions, count = 200, 5, 3
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 2, positions))
    runs = []
    for _ in range(40):
        u = x
        for _ in range(count):
            w = rng.standard_normal((3, width, u.shape[1])) * np.sqrt(1.5 / (3 * u.shape[1]))
            around = np.stack([np.roll(u, 1 - tap, axis=2) for tap in range(3)])
            h = np.einsum("toc,tncp->nop", w, around) + np.sqrt(0.2) * rng.standard_normal((width, 1))
            u = np.tanh(h)
        runs.append(np.einsum("oa,ob->ab", h[0], h[1]) / width)
    runs = np.array(runs)
    found = mf.signal(circular(count, positions), sigma_w2=1.5, sigma_b2=0.2).by_depth(x[0], x[1])
    name = next(k.name for k in found.values.system.computed if k.of == "c_3" and not k.is_helper)
    error = runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
    assert (np.abs(runs.mean(axis=0) - found.kernel(name)) < 5 * error + 4 / width).all()


def test_what_has_no_modes_says_so() -> None:
    """Without positions, or where nothing repeats; of padding with 0 the modes are those away from the
    ends."""
    with pytest.raises(mf.MfError, match="no positions"):
        _ = mf.signal(mf.load(chain(4)), sigma_w2=1.5).modes
    with pytest.raises(mf.MfError, match="repeats"):
        _ = mf.signal(mf.load(chain(1)), sigma_w2=1.5).modes
    ends = mf.signal(mf.load(convolutional(4, "tanh", 6)), sigma_w2=1.5, sigma_b2=0.1)
    assert not ends.modes.circular and "Positions have ends" in ends.modes.text
    around = mf.signal(circular(4, 6), sigma_w2=1.5, sigma_b2=0.1)
    np.testing.assert_allclose(ends.modes.slopes_c, around.modes.slopes_c, rtol=1e-12, atol=1e-12)


def test_pooling_and_transposes_have_no_circle() -> None:
    """Refused by the values that padding may have there."""
    for kind, keys in (
        ("average-pool", {"window": [2]}),
        ("transposed-convolution", {"kernel": [2], "weight": "1"}),
    ):
        layers = [{"name": "c", "from": "x", "kind": "convolution", "kernel": [3], "weight": "normal(0, 1)"}]
        layers.append({"name": "p", "from": "c", "kind": kind, "padding": "circular", **keys})
        with pytest.raises(mf.SpecError, match="padding"):
            mf.load(document(layers, "p", shape=[2, 6]))
