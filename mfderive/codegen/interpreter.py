"""The plain interpreter that compiled solvers are checked with; it lives beside the equations."""

from __future__ import annotations

from ..algebra.interpreter import Values, first_maximum, interpret, pointwise

__all__ = ["Values", "first_maximum", "interpret", "pointwise"]
