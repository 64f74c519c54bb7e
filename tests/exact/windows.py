"""Windows that fit: kernels, strides and paddings over positions, with the positions that they leave."""

from itertools import islice, product
from typing import Any

Table = dict[str, Any]
Shape = tuple[int, ...]
# One axis: taps, stride, (before, after) or "same" or "valid", positions that are left.
_Axis = tuple[int, int, Any, int]
MOST = 60


def _axis(size: int, padding: Any) -> list[_Axis]:
    found = []
    for taps, stride in product((2, 1, 3), (1, 2)):
        margins = [[0, 0]] if padding in ("valid", "same") else [[1, 1], [0, 2], [1, 0]]
        for margin in margins:
            count = -(-size // stride) if padding == "same" else (size + sum(margin) - taps) // stride + 1
            if padding == "same" or taps <= size + sum(margin):
                found.append((taps, stride, margin, count))
    return found


def windows(sizes: Shape, wanted: Shape | None, key: str) -> list[tuple[Table, Shape]]:
    """Tables with ``key`` (kernel or window), stride and padding, and the positions that they leave."""
    found = []
    for padding in ("valid", "same", "numbers"):
        for choice in islice(product(*(_axis(size, padding) for size in sizes)), MOST):
            counts = tuple(each[3] for each in choice)
            if not sizes or wanted not in (None, counts):
                continue
            table: Table = {key: [each[0] for each in choice]}
            strides = [each[1] for each in choice]
            if key == "window" or any(stride > 1 for stride in strides):
                table["stride"] = strides
            if padding == "numbers":
                table["padding"] = [each[2][0] if each[2][0] == each[2][1] else each[2] for each in choice]
            elif padding == "same":
                table["padding"] = padding
            found.append((table, counts))
    return found


def _inside(size: int, taps: int, stride: int, padding: Any, count: int) -> bool:
    """Whether every window has a real position."""
    before = padding if isinstance(padding, int) else padding[0]
    return before < taps and (count - 1) * stride - before < size


def pools(sizes: Shape, wanted: Shape | None, exact: bool) -> list[tuple[Table, Shape]]:
    """Pooling windows, all of which have real positions; ``exact``: as many of them, a power of 2."""
    found = []
    for table, counts in windows(sizes, wanted, "window"):
        padding = table.get("padding", "valid")
        margins = [0] * len(sizes) if isinstance(padding, str) else padding
        rows = zip(sizes, table["window"], table["stride"], margins, counts, strict=True)
        if not all(_inside(*row) for row in rows):
            continue
        if exact and (padding != "valid" or 3 in table["window"]):
            continue
        found.append((table, counts))
    return found


def turned(sizes: Shape, wanted: Shape | None) -> list[tuple[Table, Shape]]:
    """Transposed convolutions of sources with these positions."""
    found = []
    for goal in product(*(range(max(1, size - 1), 2 * size + 2) for size in sizes)):
        if wanted in (None, goal):
            tables = [table for table, counts in windows(goal, sizes, "kernel")]
            found += [({**table, "positions": list(goal)}, goal) for table in tables[:4]]
    return found
