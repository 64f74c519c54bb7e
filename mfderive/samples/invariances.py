"""The law of a network's data as a system states it: its kind, and the symmetries that are known of it.

A symmetry is listed only where the law is seen to have it: means and labels of a mixture that a reflection
maps to one another, targets of a teacher that stay (or change their sign) as expressions. What a law has
beyond that is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, permutations
from math import prod
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.data_law import DataLaw, Invariance, Motion, TargetMotion
from ..algebra.evaluate import evaluate_expression
from ..algebra.laws import Law, LawKind
from ..algebra.parity import Known, Parity, parity_of
from ..format.data_table import teacher_inputs, teacher_targets
from ..network.network import DataSpec, Network
from .frame import orthonormal
from .linear_forms import directions_read

Array = Any

# Of so many coordinates it is found out which may change places, and which two their signs together; of so
# many blocks of such coordinates, which of these may.
MOST_EXCHANGED, MOST_BLOCKS = 12, 8
Block = tuple[int, ...]
# What y does where two blocks of coordinates change places, in order; None where the law does not stay.
Moved = tuple[TargetMotion, tuple[int, ...]]  # and the columns of y that take the places of others
ExchangeMotion = Callable[[Block, Block], Moved | None]
# Up to so many columns of y may change places.
MOST_COLUMNS = 4
# Values at so many points tell what cannot be the same expression.
_POINTS = 8


def data_law(network: Network) -> DataLaw | None:
    """The law of the data of a resolved network; None where its source does not say enough.

    A fixed sample (read, given, or drawn once) is its own law, of which no symmetry is known.
    """
    source, shape = network.source, network.input_shape
    if source is None or shape is None:
        return None
    kind = "given" if source.given is not None else network.data.kind
    known = _LAWS.get(kind)
    rows = source.rows
    if rows is not None or known is None:
        return DataLaw(kind, prod(shape), rows)
    return DataLaw(kind, prod(shape), None, tuple(known(network.data, _Output(network), _channels(shape))))


def _channels(shape: Sequence[int]) -> list[Block]:
    """The coordinates of each channel of x; none where its channels are single numbers."""
    positions = prod(shape[1:])
    starts = range(0, prod(shape), positions) if positions > 1 else ()
    return [tuple(range(start, start + positions)) for start in starts]


class _Output:
    """How y moves: as x where it is a copy; by its sign only where numbers are not class labels."""

    def __init__(self, network: Network) -> None:
        self.copies = network.data.get.get("y") == "x"
        self.columns = network.outputs

    def may_be_negated(self, columns: int) -> bool:
        """Whether y is what the law has, not labels written out as one column per class."""
        return not self.copies and self.columns == columns

    def written(self, labels: Array) -> Array:
        """Labels as the columns of y: those of class numbers have 1 in the column of their class."""
        if self.columns is None or labels.shape[1] == self.columns:
            return labels
        return np.asarray(labels[:, :1] == np.arange(self.columns), np.float64)

    @property
    def unmoved(self) -> TargetMotion:
        """What y does where the law moves x alone."""
        return TargetMotion.CARRIED if self.copies else TargetMotion.KEPT


def orders_of(columns: int) -> Iterator[tuple[int, ...]]:
    """The orders in which columns may stand that are not their own."""
    if columns <= MOST_COLUMNS:
        yield from (each for each in permutations(range(columns)) if each != tuple(range(columns)))


def moving(motion: Motion, coordinates: tuple[int, ...], moved: Moved) -> Invariance:
    """The invariance under a motion that does so to y."""
    targets, columns = moved
    return Invariance(motion, coordinates, targets, columns=columns)


def _isotropic(data: DataSpec, output: _Output, channels: Sequence[Block]) -> Iterator[Invariance]:
    """Given y, x is N(0, s(y)^2 I): every rotation."""
    yield Invariance(Motion.ROTATION, tuple(range(data.get["dimension"])), output.unmoved)


def _mixture(data: DataSpec, output: _Output, channels: Sequence[Block]) -> Iterator[Invariance]:
    """Rotations of what means do not reach; reflections of x that map components to components."""
    means = np.asarray(data.get["means"], dtype=np.float64)
    deviations = np.broadcast_to(np.asarray(data.get.get("deviations", 1.0), np.float64), len(means))
    odds = np.asarray(data.get.get("weights", np.ones(len(means))), dtype=np.float64)
    labels = np.asarray(data.get["labels"], dtype=np.float64).reshape(len(means), -1)
    centred = tuple(int(k) for k in np.flatnonzero((means == 0).all(axis=0)))
    if centred:
        yield Invariance(Motion.ROTATION, centred, output.unmoved)
    everything = tuple(range(means.shape[1]))
    if centred == everything:
        return
    yield from _about(means, len(everything) - len(centred), output.unmoved)

    def components(moved: Array, targets: Array) -> list[tuple[float, ...]]:
        rows = np.column_stack([odds, deviations, moved, targets * (not output.copies)])
        return sorted(map(tuple, (rows + 0.0).tolist()))  # no negative zeros

    here, written = components(means, labels), output.written(labels)

    def motion_of(moved: Array) -> Moved | None:
        """What y does where means move and the law stays; None where it does not stay."""
        if components(moved, labels) == here:
            return output.unmoved, ()
        if output.may_be_negated(labels.shape[1]) and components(moved, -labels) == here:
            return TargetMotion.NEGATED, ()
        if output.copies or components(moved, 0 * labels) != components(means, 0 * labels):
            return None
        orders = (
            order for order in orders_of(written.shape[1]) if components(moved, written[:, order]) == whole
        )
        found = next(orders, None)
        return None if found is None else (TargetMotion.KEPT, found)

    whole = components(means, written)

    def reflection_of(own: Block) -> Moved | None:
        return motion_of(means * np.where(np.isin(everything, own), -1, 1))

    def exchange_of(ones: Block, others: Block) -> Moved | None:
        return motion_of(_exchanged(means, ones, others))

    reflected = reflection_of(everything)
    if reflected is not None:
        yield moving(Motion.REFLECTION, everything, reflected)
    for k in set(everything) - set(centred):
        single = reflection_of((k,))
        if single is not None and len(everything) > 1:
            yield moving(Motion.REFLECTION, (k,), single)
    yield from _exchanges(everything, exchange_of)
    yield from _of_channels(channels, exchange_of, reflection_of)


def _exchanged(vectors: Array, ones: Block, others: Block) -> Array:
    """Vectors [row, coordinate] two blocks of whose coordinates have changed places."""
    order = np.arange(vectors.shape[1])
    order[[*ones, *others]] = [*others, *ones]
    return vectors[:, order]


def _exchanges(coordinates: Sequence[int], motion_of: ExchangeMotion) -> Iterator[Invariance]:
    """Coordinates that may change places, and blocks of them: as many as it takes to know all such pairs.

    Where there are many coordinates they are not looked for.
    """
    if len(coordinates) > MOST_EXCHANGED:
        return
    alike: list[list[int]] = []
    for k in coordinates:
        for others in alike:
            targets = motion_of((others[-1],), (k,))
            if targets is not None:
                yield moving(Motion.EXCHANGE, (others[-1], k), targets)
                others.append(k)
                break
        else:
            alike.append([k])
    if 1 < len(alike) <= MOST_BLOCKS:
        yield from _block_exchanges(alike, motion_of)


def _block_exchanges(alike: Sequence[Sequence[int]], motion_of: ExchangeMotion) -> Iterator[Invariance]:
    """Blocks that may change places where none of their coordinates may alone.

    ``alike``: coordinates that may change places among themselves, so that these move together, in order.
    """
    for pairs in _matchings(range(len(alike))):
        ones, others = (tuple(k for pair in pairs for k in alike[pair[end]]) for end in (0, 1))
        if len(ones) < 2 or any(len(alike[one]) != len(alike[other]) for one, other in pairs):
            continue
        targets = motion_of(ones, others)
        if targets is not None:
            yield moving(Motion.EXCHANGE, (*ones, *others), targets)


def _matchings(numbers: Sequence[int]) -> Iterator[tuple[tuple[int, int], ...]]:
    """All sets of pairs of some numbers, in which no number occurs twice."""
    if len(numbers) < 2:
        yield ()
        return
    first, *rest = numbers
    yield from _matchings(rest)
    for other in rest:
        left = [each for each in rest if each != other]
        yield from (((first, other), *more) for more in _matchings(left))


def _of_channels(
    channels: Sequence[Block], exchange_of: ExchangeMotion, reflection_of: Callable[[Block], Moved | None]
) -> Iterator[Invariance]:
    """Whole channels that may change places, the same at all positions, or their signs.

    They are asked for as such: exchanges of coordinates are not looked for among many, and do not always
    have those of channels among their products.
    """

    def coordinates(numbers: Iterable[int]) -> Block:
        return tuple(k for number in numbers for k in channels[number])

    def exchange_of_channels(ones: Block, others: Block) -> Moved | None:
        return exchange_of(coordinates(ones), coordinates(others))

    for each in _exchanges(range(len(channels)), exchange_of_channels):
        yield replace(each, coordinates=coordinates(each.coordinates))
    rest = []
    for number, channel in enumerate(channels):
        moved = reflection_of(channel)
        if moved is None:
            rest.append(number)
        else:
            yield moving(Motion.REFLECTION, channel, moved)
    for own in map(coordinates, _together(rest)):
        moved = reflection_of(own)
        if moved is not None:
            yield moving(Motion.REFLECTION, own, moved)


def _together(rest: Sequence[int]) -> list[Block]:
    """Those whose signs may change together where none may alone: all, and two of not too many."""
    pairs = combinations(rest, 2) if 2 < len(rest) <= MOST_EXCHANGED else ()
    return [*([tuple(rest)] if len(rest) > 1 else []), *pairs]


def _about(
    vectors: Iterable[Sequence[float]], coordinates: int, targets: TargetMotion
) -> Iterator[Invariance]:
    """Rotations about vectors, if these have fewer directions than they reach coordinates."""
    directions = orthonormal(vectors)
    if not directions or len(directions) >= coordinates:
        return
    everything = tuple(range(len(directions[0])))
    if len(everything) - len(directions) > 1:  # a single direction cannot be turned
        yield Invariance(Motion.ROTATION, everything, targets, directions)


def _exchange_of(
    targets: tuple[sp.Expr, ...], symbols: Sequence[sp.Symbol], output: _Output
) -> ExchangeMotion:
    """What targets do where blocks of coordinates change places."""
    values = _Values(targets, symbols)

    def exchange_of(ones: Block, others: Block) -> Moved | None:
        """What targets do where coordinates change places; None where they do something else."""
        order = list(range(len(symbols)))
        for one, other in zip(ones, others, strict=True):
            order[one], order[other] = other, one
        changes = {symbols[k]: symbols[order[k]] for k in (*ones, *others)}
        own = tuple(range(len(targets)))
        if any(values.may_move(order, own, sign) for sign in (1, -1)):
            sign = _same_or_negated(targets, changes)
            if sign == -1 and output.may_be_negated(len(targets)):
                return TargetMotion.NEGATED, ()
            return (output.unmoved, ()) if sign == 1 else None
        if output.may_be_negated(len(targets)):  # its columns are the targets
            for columns in orders_of(len(targets)):
                wanted = tuple(targets[k] for k in columns)
                if values.may_move(order, columns) and _is_moved(targets, changes, wanted):
                    return TargetMotion.KEPT, columns
        return None

    return exchange_of


def _teacher(data: DataSpec, output: _Output, channels: Sequence[Block]) -> Iterator[Invariance]:
    """Coordinates that no target reads are as free as their law; the others where all targets agree."""
    written = teacher_inputs(data)
    law = Law(written.kind, written.arguments, text=written.text)
    if law.is_deterministic:
        return
    symbols = [sp.Symbol(f"x{k + 1}") for k in range(data.get["dimension"])]
    targets = () if output.copies else teacher_targets(data)

    def reflection_of(own: Block) -> Moved | None:
        """What targets do where coordinates change their signs; None where they do something else."""
        sign = _sign(targets, [symbols[k] for k in own]) if law.is_symmetric else 0
        if sign == -1:
            return (TargetMotion.NEGATED, ()) if output.may_be_negated(len(targets)) else None
        return (output.unmoved, ()) if sign == 1 else None

    exchange_of = _exchange_of(targets, symbols, output)
    yield from _exchanges(range(len(symbols)), exchange_of)
    yield from _of_channels(channels, exchange_of, reflection_of)
    if not law.is_symmetric:
        if law.kind == LawKind.NORMAL:  # its mean is a direction of its own
            vectors = [[1.0] * len(symbols), *directions_read(targets, symbols)]
            yield from _about(vectors, len(symbols), output.unmoved)
        return
    used = set().union(*(target.free_symbols for target in targets)) if targets else set()
    free = tuple(k for k, symbol in enumerate(symbols) if symbol not in used)
    rotates = law.kind in (LawKind.NORMAL, LawKind.SPHERE)
    if free:
        yield Invariance(Motion.ROTATION if rotates else Motion.SIGNS, free, output.unmoved)
    if rotates:
        yield from _about(directions_read(targets, symbols), len(used), output.unmoved)
    read = [k for k in range(len(symbols)) if k not in free]
    even = tuple(k for k in read if _sign(targets, [symbols[k]]) == 1)
    if even:
        yield Invariance(Motion.SIGNS, even)
    if not output.may_be_negated(len(targets)):
        odd = []
    else:
        odd = [k for k in read if _sign(targets, [symbols[k]]) == -1]
    yield from (Invariance(Motion.REFLECTION, (k,), TargetMotion.NEGATED) for k in odd)
    rest = [k for k in read if k not in even and k not in odd]
    for own in _together(rest):
        moved = reflection_of(own)
        if moved is not None:
            yield moving(Motion.REFLECTION, own, moved)


class _Values:
    """Values of targets at a few points: most that do something else when coordinates move show it there."""

    def __init__(self, targets: tuple[sp.Expr, ...], symbols: Sequence[sp.Symbol]) -> None:
        self.targets, self.symbols = targets, symbols
        # Points that law and expression may not allow tell nothing: small positive numbers do as a rule.
        self.points = np.random.default_rng(0).uniform(0.1, 0.9, (len(symbols), _POINTS))
        self.known: dict[tuple[int, ...], list[Array]] = {}
        self.here = self._at(range(len(symbols)))

    def _at(self, order: Sequence[int]) -> list[Array]:
        key = tuple(order)
        if key not in self.known:
            self.known = {key: self._evaluated(order)}  # one order is asked for again and again
        return self.known[key]

    def _evaluated(self, order: Sequence[int]) -> list[Array]:
        values = {symbol: self.points[k] for symbol, k in zip(self.symbols, order, strict=True)}
        with np.errstate(all="ignore"):
            return [np.asarray(evaluate_expression(target, values)) for target in self.targets]

    def may_move(self, order: Sequence[int], columns: Sequence[int], sign: int = 1) -> bool:
        """Whether targets may be those of other columns, or these negated, when coordinates change places."""
        return all(
            np.allclose(new, sign * self.here[k], rtol=1e-9, atol=1e-12, equal_nan=True)
            for new, k in zip(self._at(order), columns, strict=True)
        )


def _sign(targets: tuple[sp.Expr, ...], flipped: list[sp.Symbol]) -> int:
    """1 where targets stay when symbols change their sign, -1 where all change theirs, else 0."""
    parities: dict[sp.Symbol, Known] = {
        symbol: Parity.EVEN for target in targets for symbol in target.free_symbols
    }
    parities |= dict.fromkeys(flipped, Parity.ODD)
    kinds = {parity_of(target, parities) for target in targets}
    for parity in (Parity.EVEN, Parity.ODD):
        if kinds <= {parity, Parity.ZERO}:
            return int(parity)
    # The form of a polynomial may hide it.
    return _same_or_negated(targets, {symbol: -symbol for symbol in flipped})


def _same_or_negated(targets: tuple[sp.Expr, ...], changes: dict[sp.Symbol, sp.Expr]) -> int:
    """1 where targets stay when symbols are replaced, -1 where all change their sign, else 0."""
    for sign in (1, -1):
        if _is_moved(targets, changes, tuple(sign * target for target in targets)):
            return sign
    return 0


def _is_moved(
    targets: tuple[sp.Expr, ...], changes: dict[sp.Symbol, sp.Expr], wanted: tuple[sp.Expr, ...]
) -> bool:
    """Whether targets are the wanted ones when symbols are replaced."""
    pairs = zip(targets, wanted, strict=True)
    return all(sp.expand(target.xreplace(changes) - other) == 0 for target, other in pairs)


_LAWS: dict[str, Callable[[DataSpec, _Output, Sequence[Block]], Iterator[Invariance]]] = {
    "isotropic-gaussians": _isotropic,
    "gaussian-mixture": _mixture,
    "teacher": _teacher,
}
