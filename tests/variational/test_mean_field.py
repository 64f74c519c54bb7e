"""Ising models: solutions, stability, transitions, bounds and witnesses, against independent sums."""

import math
import warnings

import networkx as nx
import numpy as np
import pytest
from scipy.optimize import brentq

import mfderive as mf
from mfderive.errors import ArgumentError
from mfderive.variational.belief_propagation import Messages, non_backtracking_radius
from mfderive.variational.box_search import box_search
from mfderive.variational.exact_enumeration import enumerate_states
from mfderive.variational.ising_model import ising_model
from mfderive.variational.mean_field import coordinate_ascent
from mfderive.variational.self_consistency import free_energy, response
from mfderive.variational.sigmoid_roots import bethe_roots, mean_field_roots
from mfderive.variational.solution_search import Promise


def random_model(seed, spins=None, fields=True):
    """A random graph with couplings of both signs, at a temperature on either side of its transition."""
    random = np.random.default_rng(seed)
    graph = nx.gnp_random_graph(spins or int(random.integers(2, 10)), 0.5, seed=seed)
    J = random.normal(random.uniform(-0.5, 1), 1, graph.number_of_edges())
    h = random.normal(0, 0.5, len(graph)) * fields
    return ising_model(graph, J, h, float(random.uniform(0.3, 3)))


def test_table_of_two_dimensions():
    """2 d J = 4: m*(3) and m*(1) to the digits of the published table; unstable 0 between them."""
    lattice = nx.grid_2d_graph(4, 4, periodic=True)
    for T, wanted in ((3.0, 0.7755163), (1.0, 0.9993257)):
        found = mf.mean_field(lattice, 1.0, T=T, starts=2)
        assert found.best.mean == pytest.approx(wanted, abs=5e-8)
        alike = sorted(one.mean for one in found.solutions if np.ptp(one.m) < 1e-12)
        assert alike == pytest.approx([-found.best.mean, 0.0, found.best.mean], abs=1e-12)
        assert [one.is_stable for one in found.solutions if one.mean == 0 and np.ptp(one.m) == 0] == [False]
        assert set(found.promises) == {Promise.SYMMETRIC, Promise.MINIMUM, Promise.SEARCHED}
    assert found.transition_temperature == 4.0 and found.transition.is_closed


@pytest.mark.parametrize("field", [0.0, 0.2, -0.4])
def test_all_roots_of_one_equation(field):
    """Every sign change of the equation on a fine grid has its root, and no root is without a sign change."""
    for coupling in (-3.0, 0.5, 1.0, 2.0, 5.0):
        u = np.linspace(-9, 9, 200_001) + 1e-6
        signs = np.sign(coupling * np.tanh(u) + field - u)
        assert len(mean_field_roots(coupling, field, 1.0)) == np.count_nonzero(signs[1:] != signs[:-1])


def test_search_of_boxes_finds_all():
    """Three spins: the search finds as many solutions as there are sign patterns of a fine grid's residuals.

    One equation in one unknown is made of the three by elimination: m_1 is given by the two others' roots.
    """
    graph = nx.path_graph(3)
    for T, h in ((0.4, 0.0), (0.8, 0.1), (1.1, 0.0), (2.0, 0.3)):
        model = ising_model(graph, [1.0, 0.7], h, T)
        found = box_search(model.dense, model.fields, T)

        def remainder(m1, T=T, h=h):
            ends = np.tanh((1.0 * m1 + h) / T), np.tanh((0.7 * m1 + h) / T)
            return np.tanh((ends[0] + 0.7 * ends[1] + h) / T) - m1

        grid = np.linspace(-1.001, 1.001, 40_002)
        values = remainder(grid)
        places = np.flatnonzero(np.sign(values[1:]) != np.sign(values[:-1]))
        roots = [brentq(remainder, grid[k], grid[k + 1], xtol=1e-15) for k in places]
        assert found.is_complete
        np.testing.assert_allclose(sorted(found.solutions[:, 1]), roots, atol=1e-12)
        assert mf.mean_field(graph, [1.0, 0.7], h, T=T).promises in ((Promise.ALL,), (Promise.ONE,))


def test_stability_is_curvature():
    """The largest slope is below 1 exactly where differences of F itself say that its Hessian is positive."""
    seen = set()
    for seed in range(12):
        model = random_model(seed, 5)
        for one in mf.mean_field(model.dense, 1.0, model.fields, T=model.temperature, starts=6).solutions:
            if np.abs(one.m).max() > 0.999:
                continue
            step, n = 1e-4 * (1 - np.abs(one.m).max()), model.size
            shift = step * np.eye(n)
            hessian = np.array(
                [
                    [
                        sum(
                            a * b * free_energy(model, one.m + a * shift[i] + b * shift[j])
                            for a in (1, -1)
                            for b in (1, -1)
                        )
                        / (4 * step**2)
                        for j in range(n)
                    ]
                    for i in range(n)
                ]
            )
            least = np.linalg.eigvalsh(hessian)[0]
            if abs(one.slope - 1) > 1e-3:
                assert (least > 0) == one.is_stable
                seen.add(one.is_stable)
    assert seen == {True, False}


def test_bound_and_ascent_on_random_graphs():
    """100 random graphs: F of every solution is at least -T log Z, and no update lowers the ELBO.

    Tolerance: rounding, 1e-12 of the size of the terms.
    """
    for seed in range(100):
        model = random_model(seed)
        exact = enumerate_states(model)
        scale = 1 + abs(exact.log_z)
        for start in range(3):
            ascent = coordinate_ascent(model, seed=start)
            assert ascent.least_gain >= -1e-12 * scale
            assert (np.diff(ascent.elbo) >= -1e-12 * scale).all()
            assert ascent.elbo[-1] == pytest.approx(
                -free_energy(model, ascent.m) / model.temperature, abs=1e-10 * scale
            )
            assert ascent.elbo[-1] <= exact.log_z + 1e-12 * scale
            assert np.abs(response(model, ascent.m) - ascent.m).max() < 1e-8


def test_enumeration_is_what_a_plain_sum_says():
    """Five spins, in plain Python."""
    model = random_model(3, 5)
    found = enumerate_states(model)
    total, first, pair, size = 0.0, 0.0, 0.0, 0.0
    for number in range(2**5):
        s = [1 if number >> k & 1 else -1 for k in range(5)]
        energy = -sum(model.dense[i, j] * s[i] * s[j] for i in range(5) for j in range(i))
        weight = math.exp(
            -(energy - sum(b * each for b, each in zip(model.fields, s, strict=True))) / model.temperature
        )
        total, first, pair = total + weight, first + weight * s[0], pair + weight * s[1] * s[4]
        size += weight * abs(sum(s)) / 5
    assert found.log_z == pytest.approx(math.log(total), abs=1e-12)
    assert (found.m[0], found.pairs[1, 4], found.absolute) == pytest.approx(
        (first / total, pair / total, size / total)
    )


def test_chain_correlations():
    """<s_i s_(i+n)> = tanh(beta J)^n on an open chain, by all states and by belief propagation's edges."""
    J, T = 0.8, 1.3
    found = mf.mean_field(nx.path_graph(11), J, T=T)
    t = math.tanh(J / T)
    np.testing.assert_allclose(found.exact().pairs[0], t ** np.arange(11), atol=1e-13)
    np.testing.assert_allclose(found.bethe[0].pairs, t, atol=1e-13)
    assert found.exact().log_z == pytest.approx(11 * math.log(2) + 10 * math.log(math.cosh(J / T)), abs=1e-12)
    assert found.bethe_transition.temperature is None
    assert found.transition_temperature == pytest.approx(2 * J * math.cos(math.pi / 12), abs=1e-13)


@pytest.mark.parametrize("seed", range(5))
def test_belief_propagation_is_exact_on_trees(seed):
    """Free energy, means and correlations of neighbours, with random couplings and fields."""
    random = np.random.default_rng(seed)
    tree = nx.random_labeled_tree(9, seed=seed)
    found = mf.mean_field(tree, random.normal(0, 1, 8), random.normal(0, 1, 9), T=0.7)
    (fixed,), exact = found.bethe, found.exact()
    first, second, _ = found.model.edges
    assert fixed.free_energy == pytest.approx(exact.free_energy, abs=1e-11)
    np.testing.assert_allclose(fixed.m, exact.m, atol=1e-12)
    np.testing.assert_allclose(fixed.pairs, exact.pairs[first, second], atol=1e-12)
    assert fixed.slope == 0.0


def test_transitions():
    """Closed forms on regular graphs; elsewhere the non-backtracking matrix has radius 1 there."""
    for size in ((6,), (4, 4), (3, 3, 3)):
        lattice = mf.mean_field(nx.grid_graph(list(size), periodic=True), 0.5, T=9.0)
        assert lattice.transition_temperature == pytest.approx(2 * len(size) * 0.5)
    graph = nx.random_regular_graph(4, 30, seed=2)
    regular = mf.mean_field(graph, 1.5, T=20.0)
    assert regular.transition_temperature == 6.0
    assert regular.bethe_transition.temperature == pytest.approx(1.5 / math.atanh(1 / 3), abs=1e-14)
    for seed in range(4):
        J = np.random.default_rng(seed).uniform(0.5, 1.5, graph.number_of_edges())
        other = mf.mean_field(graph, J, T=20.0)
        at = other.bethe_transition.temperature
        assert non_backtracking_radius(Messages.of(other.model.at(at))) == pytest.approx(1, abs=1e-9)
        assert at < other.transition_temperature
        # The two formulas are one where couplings are equal.
    nearly = np.full(graph.number_of_edges(), 1.5)
    nearly[0] *= 1 + 1e-12
    close = mf.mean_field(graph, nearly, T=20.0)
    assert not close.bethe_transition.is_closed
    assert close.bethe_transition.temperature == pytest.approx(1.5 / math.atanh(1 / 3), abs=1e-8)


def test_below_its_transition_every_method_orders():
    """A random regular graph on both sides of Bethe's T_c (2.885 for d = 4, where mean field says 4).

    Below it the energy of Bethe is nearer to that of samples, by more than four of its errors either way.
    """
    graph = nx.random_regular_graph(4, 24, seed=1)
    between, below = (mf.mean_field(graph, 1.0, T=T, starts=2) for T in (3.2, 2.4))
    assert between.best.mean > 0.5 and [one.mean for one in between.bethe] == [0.0]
    assert [round(one.mean, 12) for one in below.bethe if one.is_stable] == [
        round(below.bethe[0].mean, 12),
        -round(below.bethe[0].mean, 12),
    ]
    sampled, edges = below.gibbs(6000, seed=1), below.model.edges
    energies = [
        -float(edges[2] @ pairs) for pairs in (below.bethe[0].pairs, below.m[edges[0]] * below.m[edges[1]])
    ]
    bethe, naive = (abs(energy - sampled.energy) for energy in energies)
    assert bethe + 4 * sampled.energy_error < naive - 4 * sampled.energy_error


def test_gibbs_within_its_errors():
    """12 spins, couplings of both signs: means over samples lie within 5 of their errors of the exact
    ones.

    The errors are right: standardised deviations of 12 spins and all edges have a mean square below 2.5.
    """
    model = random_model(7, 12)
    found = mf.mean_field(model.dense, 1.0, model.fields, T=2.5, starts=1)
    exact, sampled = found.exact(), found.gibbs(20_000, seed=3)
    first, second, _ = found.model.edges
    deviations = np.concatenate(
        [
            (sampled.m - exact.m) / sampled.m_error,
            (sampled.pairs - exact.pairs[first, second]) / sampled.pairs_error,
            [(sampled.energy - exact.energy) / sampled.energy_error],
        ]
    )
    assert np.abs(deviations).max() < 5 and np.mean(deviations**2) < 2.5
    again = found.gibbs(20_000, seed=3)
    assert again.absolute == sampled.absolute and found.gibbs(64, seed=4).absolute != sampled.absolute


def test_mirror_and_relabelled_models():
    """Flipping spins (a gauge) and renaming nodes changes no free energy of the solutions."""
    model = random_model(11, 4, fields=False)
    sign, order = np.array([1, -1, -1, 1]), [2, 0, 3, 1]
    flipped = model.dense * np.outer(sign, sign)
    values = [
        sorted(one.free_energy for one in mf.mean_field(matrix, T=0.4).solutions)
        for matrix in (model.dense, flipped, model.dense[np.ix_(order, order)])
    ]
    np.testing.assert_allclose(values[1], values[0], atol=1e-9)
    np.testing.assert_allclose(values[2], values[0], atol=1e-9)


def test_ways_to_give_couplings():
    """Number, attribute, array, mapping and matrix of one model are one model; parallel edges add."""
    graph = nx.cycle_graph(5)
    nx.set_edge_attributes(graph, 0.7, "strength")
    nx.set_node_attributes(graph, 0.1, "bias")
    edges, doubled = dict.fromkeys(graph.edges, 0.7), nx.MultiGraph(graph)
    doubled.add_edges_from(graph.edges)
    given = [
        ising_model(graph, 0.7, 0.1, 1.0),
        ising_model(graph, "strength", "bias", 1.0),
        ising_model(graph, np.full(5, 0.7), np.full(5, 0.1), 1.0),
        ising_model(graph, edges, dict.fromkeys(graph, 0.1), 1.0),
        ising_model(nx.to_scipy_sparse_array(graph), 0.7, 0.1, 1.0),
        ising_model(doubled, 0.35, 0.1, 1.0),
    ]
    for other in given:
        np.testing.assert_array_equal(other.dense, given[0].dense)
        np.testing.assert_array_equal(other.fields, given[0].fields)


WRONG = [
    (lambda: mf.mean_field(nx.path_graph(3), T=0), "T is 0 .* greater than 0"),
    (lambda: mf.mean_field(nx.DiGraph([(0, 1)]), T=1.0), "to_undirected"),
    (lambda: mf.mean_field(nx.Graph([(0, 0)]), T=1.0), "joined to itself"),
    (lambda: mf.mean_field(nx.Graph(), T=1.0), "no nodes"),
    (lambda: mf.mean_field(nx.path_graph(3), "weight", T=1.0), "no attribute 'weight'"),
    (lambda: mf.mean_field(nx.path_graph(3), 1.0, "bias", T=1.0), "no attribute 'bias'"),
    (lambda: mf.mean_field(nx.path_graph(3), [1.0], T=1.0), "one for each of the 2 edges"),
    (lambda: mf.mean_field(nx.path_graph(3), {(0, 1): 1.0}, T=1.0), r"no value for the edge \(1, 2\)"),
    (lambda: mf.mean_field(nx.path_graph(3), math.nan, T=1.0), "finite"),
    (lambda: mf.mean_field([[0, 1], [0, 0]], T=1.0), "not symmetric"),
    (lambda: mf.mean_field([[1, 0], [0, 0]], T=1.0), "diagonal"),
    (lambda: mf.mean_field("graph", T=1.0), "networkx graph or a square matrix"),
    (lambda: mf.mean_field(nx.path_graph(30), T=1.0).exact(), r"2\^30 states.*\.gibbs\(\)"),
    (lambda: mf.mean_field(nx.path_graph(3), T=1.0).gibbs(3), "at least 32"),
    (lambda: mf.mean_field(nx.path_graph(3), T=1.0).ascent([2.0, 0, 0]), "from -1 to 1"),
    (lambda: mf.magnetisation_curve(ising_model(nx.path_graph(3)), [0.0, 1.0]), "greater than 0"),
]


@pytest.mark.parametrize(("call", "words"), WRONG)
def test_wrong_arguments(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()


def test_energies_far_above_the_temperature() -> None:
    """Couplings of 1e5 T have the solutions of strong ones, on regular graphs too, and no warning; from 1e6 T
    on it is T = 0, which is refused."""
    graph = nx.random_regular_graph(3, 10, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cold = mf.mean_field(graph, T=1e-5)
        assert cold.best.mean == 1.0 and cold.bethe[0].mean == 1.0
        assert mf.mean_field(nx.cycle_graph(4), J=1e5, T=1.0).best.mean == 1.0
    for keys in ({"T": 1e-9}, {"T": 1.0, "J": 1e300}, {"T": 1.0, "h": -1e8}):
        with pytest.raises(mf.ArgumentError, match="T = 0 to rounding"):
            mf.mean_field(graph, **keys)
    with pytest.raises(mf.ArgumentError, match="T = 0 to rounding"):
        mf.mean_field(graph, T=1.0).model.at(1e-8)


def test_cavity_fields_of_cold_regular_graphs() -> None:
    """Roots of u = B/T + (d - 1) artanh(tanh(J/T) tanh(u)): at J/T = 25, where tanh is 1 to rounding, the
    outer ones are (d - 1) J/T of either sign, and 0 between them."""
    assert bethe_roots(3, 25.0, 0.0, 1.0) == pytest.approx([-50.0, 0.0, 50.0], rel=1e-12, abs=1e-12)
    warm = bethe_roots(3, 0.8, 0.1, 1.0)
    for u in warm:
        assert u == pytest.approx(0.1 + 2 * np.arctanh(np.tanh(0.8) * np.tanh(u)), rel=1e-12)
    assert len(warm) == 3


def test_a_long_chain():
    """T_c of a chain, the largest eigenvalue of J, is 2 cos(pi/(n + 1)) to 1e-10; trees have no Bethe T_c.

    Its n/2 classes of alike spins are not counted to the end, and what is then no promise is not made.
    """
    spins = 3000
    found = mf.mean_field(nx.path_graph(spins), T=1.9, starts=1)
    assert found.transition_temperature == pytest.approx(2 * np.cos(np.pi / (spins + 1)), abs=1e-10)
    assert found.bethe_transition.temperature is None and found.bethe[0].slope == 0
    assert not found.search.classes.is_coarsest and found.search.classes.count == spins
    short = mf.mean_field(nx.path_graph(9), T=1.9).search.classes
    assert short.is_coarsest and short.count == 5
    assert (short.labels == short.labels[::-1]).all()


def test_results_show_themselves_in_a_few_lines():
    """None of the objects that the answer leads to prints its arrays."""
    found = mf.mean_field(nx.grid_graph([4, 4]), T=2.0, starts=1)
    start = np.full(16, 0.5)
    for each in (
        found.solutions[0],
        found.bethe[0],
        found.exact(),
        found.gibbs(64),
        coordinate_ascent(found.model, start),
    ):
        shown = repr(each)
        assert shown.startswith(type(each).__name__) and "array" not in shown
        assert len(shown.splitlines()) <= 3 and len(shown) < 240
