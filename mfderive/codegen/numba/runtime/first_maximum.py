"""First maxima."""

from __future__ import annotations

from .compilation import Array, compiled


@compiled
def first_maximum(rows: Array) -> None:
    """Replace every row by 1 at its first maximum and 0 elsewhere."""
    for i in range(rows.shape[0]):
        best = 0
        for j in range(1, rows.shape[1]):
            if rows[i, j] > rows[i, best]:
                best = j
        for j in range(rows.shape[1]):
            rows[i, j] = 0
        rows[i, best] = 1
