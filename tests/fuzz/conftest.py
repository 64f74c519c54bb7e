"""Fixtures of the fuzz: generated solvers that run as plain Python, as in the exact leg."""

from tests.exact.conftest import plain

__all__ = ["plain"]
