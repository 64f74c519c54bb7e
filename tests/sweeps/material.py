"""A small network, a sweep over it with one diverging setting, and workers for the tests of sweeps."""

import time

import numpy as np

TINY = """\
format = 1
title = "tiny"
[data]
kind = "isotropic-gaussians"
dimension = 3
separation = 0.5
[loss]
kind = "squared"
[[layers]]
name = "h1"
from = "x"
weight = "normal(0, 1)"
bias = "0"
activation = "tanh"
[output]
from = "h1"
weight = "normal(1, 0.1)"
[training]
learning_rate = 0.01
batch_size = 10
steps = 400
[solver]
nodes = 32
evaluation = 50
"""
RATES = [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 1e9, 0.1, 0.15, 0.2, 0.3]
DIVERGING = 1e9
SET, GRID = {"training.learning_rate": "{a}"}, {"a": RATES}


def results(folder):
    """The files of results that are there."""
    return sorted(folder.glob("settings/*/result.json"))


def wait_for(condition, seconds=300.0):
    """Wait until a condition holds; its value. (On a busy machine processes take long to start.)"""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise TimeoutError("the condition did not come true")


def assert_same(one, other):
    """Two trajectories have the same arrays, to the bit."""
    for name in ("times", "steps", "loss", "error"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert len(one.checkpoints) == len(other.checkpoints)
    for left, right in zip(one.checkpoints, other.checkpoints, strict=True):
        assert (left.time, left.step) == (right.time, right.step)
        assert_same_arrays(left.state.arrays, right.state.arrays)


def assert_same_arrays(one, other):
    """Two nested tables of arrays are equal."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        if hasattr(value, "keys"):
            assert_same_arrays(value, other[name])
        else:
            np.testing.assert_array_equal(value, other[name])
