"""Learning rules: step and flow of the generated solver = those of the finite network, on every spec."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.system import LimitSystem, draw_noise
from mfderive.finite.namespace import NUMPY
from mfderive.finite.rule_step import RuleStep
from mfderive.finite.velocity import finite_step
from mfderive.state.draw import initial_state
from mfderive.tensor.clock import Moment, clock_values
from mfderive.tensor.interpreter import interpret, interpret_step

from .comparison import TOLERANCE, Case, built, is_sane, shaken_state
from .strategies import seeded
from .test_shipped import cast

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))
MOMENT = Moment(t=0.7, alpha=0.3, k=5, seed=11)
# Every kind of rule, and everything that may stand beside one. eps is large and memories of squares are not
# small, so that what functions amplify stays within the digits that the tolerance leaves.
ADAM = (("beta1", 0.9), ("beta2", 0.99), ("eps", 0.05))
RULES: dict[str, dict[str, Any]] = {
    "decay": {"weight_decay": (("", 0.3),)},
    "momentum": {"optimizer": "momentum", "constants": (("mu", 0.8),), "weight_decay": (("", 0.2),)},
    "clipped": {"optimizer": "momentum", "constants": (("mu", 0.5),), "clip": 0.1},
    "heavy-ball": {"optimizer": "heavy-ball", "constants": (("gamma", 0.7),), "noise": (("", 0.02),)},
    "adam": {"optimizer": "adam", "constants": ADAM, "weight_decay": (("", 0.1),)},
    "adamw": {"optimizer": "adamw", "constants": ADAM, "weight_decay": (("", 0.1),), "clip": 0.2},
    "noise": {"noise": (("", 0.1),), "weight_decay": (("", 0.4),)},
}


def learning(case: Case, **training: Any) -> Case:
    """The case with another way of learning; memories of squares lie between 0.2 and 1.2."""
    network = replace(case.network, training=replace(case.network.training, **training))
    limit = mf.derive(network)
    rng = np.random.default_rng(4)
    state = dict(case.state)
    for name, shape in memory_shapes(limit, case).items():
        drawn = rng.uniform(0.2, 1.2, shape)
        state[name] = drawn if limit.field[name].part == "v" else drawn - 0.7
    return replace(case, network=network, system=mf.forward_system(network), limit=limit, state=state)


def memory_shapes(limit: LimitSystem, case: Case) -> dict[str, tuple[int, ...]]:
    """The shapes of the memories: those of their parameters."""
    return {v.name: case.state[v.of].shape for v in limit.variables if v.of}


def sane(case: Case) -> bool:
    """Whether a step stays in the sizes for which the tolerance is meant."""
    with np.errstate(all="ignore"):
        after = finite_step(case.network, case.state, case.x, case.y, **vars(MOMENT))
    return is_sane({name: value for name, value in after.items() if name != "p"})


def compare(case: Case, solver: Any) -> None:
    """Step and flow, each within the tolerance of its sum of absolute values, as in the comparison of G."""
    case_ = (case.state, case.x, case.y)
    expected = finite_step(case.network, *case_, **vars(MOMENT))
    found = solver.step(*case_, MOMENT.t, MOMENT.alpha, k=MOMENT.k, seed=MOMENT.seed)
    scales = interpret_step(case.limit, *case_, MOMENT)[1]
    for name in solver.layout.parameters:
        error = np.max(np.abs(found[name] - expected[name]), initial=0.0)
        assert error <= TOLERANCE * np.max(scales[name], initial=0.0), f"step of {name}"
    speeds = solver.velocity(*case_, MOMENT.t)
    flows = mf.finite_velocity(case.network, *case_, t=MOMENT.t)
    sizes = interpret(case.limit, *case_, clock=clock_values(case.limit, MOMENT, case.state))[1]
    for name in solver.layout.parameters:
        moving = case.limit.flow_of.get(name) or case.limit.velocity_of.get(name)
        scale = np.max(sizes[moving], initial=0.0) if moving else 0.0
        assert np.max(np.abs(speeds[name] - flows[name]), initial=0.0) <= TOLERANCE * scale, f"flow of {name}"


@pytest.mark.parametrize("shift", [0, pytest.param(3, id="study", marks=pytest.mark.study)])
@pytest.mark.parametrize(("number", "path"), list(enumerate(SPECS)), ids=[path.stem for path in SPECS])
def test_shipped_specs(number: int, path: Path, shift: int, plain) -> None:
    """Each spec with one of the rules (with two in the study): every rule meets several kinds of layers."""
    network = mf.load(path)
    limit = mf.derive(network)
    state = shaken_state(initial_state(limit, 3, seed=3), seed=3)
    case = Case(network, mf.forward_system(network), limit, state, *network.source.batch(1, 3), MOMENT.t)
    ruled = learning(case, **list(RULES.values())[(number + shift) % len(RULES)])
    compare(ruled, plain(ruled.limit))


@pytest.mark.parametrize("count", [14, pytest.param(300, id="study", marks=pytest.mark.study)])
def test_random_specs_with_random_rules(count: int, plain) -> None:
    """Small random specs, with every rule in turn; the study compares 300.

    A rule may leave the sane sizes on fewer than a fifth of those tried.
    """
    tried = compared = 0
    names = list(RULES)
    used = set()
    while compared < count:
        rng = np.random.default_rng([tried, 77])
        case = built(seeded(5000 + tried))
        tried += 1
        name = names[compared % len(names)]
        options = dict(RULES[name])
        if rng.random() < 0.3:
            options["clip"] = float(rng.uniform(0.05, 2.0))
        if rng.random() < 0.3:
            options["decoupled"] = bool(rng.random() < 0.5)
        ruled = learning(case, **options)
        if sane(ruled):
            compare(ruled, plain(ruled.limit))
            compared += 1
            used.add(name)
    assert tried < 1.25 * count
    assert used == set(RULES)


def compiled_pairs():
    """All rules in both precisions in the study; by default those whose step has code of its own kind."""
    default = {"decay": np.float64, "clipped": np.float64, "heavy-ball": np.float32, "adamw": np.float32}
    for rule in RULES:
        for dtype in (np.float64, np.float32):
            marks = () if default.get(rule) is dtype else pytest.mark.study
            yield pytest.param(rule, dtype, id=f"{rule}-{np.dtype(dtype)}", marks=marks)


@pytest.mark.parametrize(("rule", "dtype"), list(compiled_pairs()))
def test_compiled_steps_in_both_precisions(rule: str, dtype: Any) -> None:
    """The witness takes the solver's own G, so that only the rule is compared.

    A pass makes fewer than 30 operations on an entry, each of which rounds by at most eps/2 of the sum of
    absolute values, and none amplifies: v + eps^2 is not small. G as a product of BLAS is summed in another
    order where it goes straight into a variable: twice the number of samples and inputs at most.
    """
    path = SPECS[[p.stem for p in SPECS].index("three_layer")]
    network = mf.load(path)
    limit = mf.derive(network)
    state = shaken_state(initial_state(limit, 6, seed=3), seed=3)
    case = learning(
        Case(network, mf.forward_system(network), limit, state, *network.source.batch(1, 4), 0.7),
        **RULES[rule],
    )
    single = cast(case.state, dtype)
    x, y = case.x.astype(dtype), case.y.astype(dtype)
    bare = {name: value for name, value in single.items() if name in limit.parameter or name == "p"}
    speed = mf.generate(limit).velocity(bare, x, y, MOMENT.t)
    witness = RuleStep(
        draw_noise(case.system), {name: value.shape for name, value in single.items() if name != "p"}
    )
    wide = {name: value.astype(float) for name, value in single.items() if name != "p"}
    gradients = {n: -speed[n].astype(float) / witness.widths[n] for n in witness.widths}
    row = witness.table(np.array([MOMENT.alpha]), np.array([MOMENT.t]), np.array([MOMENT.k]))[0]
    expected = witness.after(wide, gradients, row, witness.draws(MOMENT.k, MOMENT.seed), NUMPY)
    found = mf.generate(case.limit).step(single, x, y, MOMENT.t, MOMENT.alpha, k=MOMENT.k, seed=MOMENT.seed)
    scales = interpret_step(case.limit, case.state, case.x, case.y, MOMENT)[1]
    eps, terms = float(np.finfo(dtype).eps), len(x) * network.input_shape[0]
    for name in witness.moving:
        assert found[name].dtype == dtype
        error = np.max(np.abs(found[name] - expected[name]), initial=0.0)
        assert error <= eps * (30 + 2 * terms) * np.max(scales[name]), name
