"""What a schedule evaluates, in which order, and which parameters move in place."""

import pytest

from mfderive.algebra.system import draw_noise
from mfderive.tensor.scheduling import depends_on_y, needed, schedule
from tests.codegen.material import MATERIAL, limit

NETWORKS = (*MATERIAL, "five_layer_gaussians", "digits", "recurrent_elman")


@pytest.fixture(scope="module", params=NETWORKS)
def planned(request):
    """(system with drawn noise, schedule) of one network."""
    system = draw_noise(limit(request.param))
    return system, schedule(system)


def test_every_field_is_computed_before_it_is_read(planned):
    """Inputs and parameters first, then forward, loss, backward, updates; nothing is computed twice."""
    system, plan = planned
    known = {"x", "y"} | {p.name for p in system.parameters}
    for step in (*plan.forward, *plan.loss, *plan.backward):
        assert step.equation.reads <= known
        assert step.equation.field not in known
        known.add(step.equation.field)
    assert all(update.equation.reads <= known for update in plan.updates)
    assert [u.parameter for u in plan.updates] == [p.name for p in system.parameters if not p.is_frozen]


def test_forward_needs_no_y(planned):
    """What reads y, directly or not, is the loss; a gradient that reads it says so."""
    system, plan = planned
    objective = depends_on_y(system)
    assert {p.equation.field for p in plan.loss} == objective >= {"loss"}
    assert "y" not in {field for p in plan.forward for field in p.equation.reads}
    read = {field for p in (*plan.backward, *plan.updates) for field in p.equation.reads}
    assert plan.gradient_reads_loss == bool(read & objective)


def test_only_needed_adjoints_are_computed(planned):
    """Every adjoint is read by a later one or by a velocity; the adjoint of the data is not computed."""
    system, plan = planned
    fields = [p.equation.field for p in plan.backward]
    read = {field for p in (*plan.backward, *plan.updates) for field in p.equation.reads}
    assert set(fields) <= read
    assert len(fields) <= len(system.backward)
    assert [e.field for e in needed(system.backward, {fields[-1]})][-1] == fields[-1]
    assert needed(system.backward, set()) == []


def test_a_parameter_that_its_own_velocity_reads_is_not_moved_in_place():
    """In place: matrix products that read no trained parameter. tanh(w u) and w**2 read their own weight."""
    plan = schedule(draw_noise(limit("gate_and_operation")))
    in_place = {u.parameter for u in plan.updates if u.in_place}
    trained = {u.parameter for u in plan.updates}
    assert in_place and in_place < trained
    for update in plan.updates:
        assert not (update.in_place and update.equation.reads & trained)
