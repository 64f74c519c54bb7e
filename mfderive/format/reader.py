"""A spec file, or the same as plain data, to a :class:`~mfderive.network.network.Network`."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from ..algebra.local_symbols import base_of
from ..algebra.losses import EXPRESSION, LOSSES
from ..algebra.parser import Names
from ..errors import FaultKind, nearest_word, shown
from ..errors.gathering import Faults
from ..errors.quoting import listed
from ..network.data_keys import LABELLED_IMAGES
from ..network.names import OUTPUT
from ..network.network import DataSpec, InnerLoss, Loss, Network, Output, Training
from ..network.place import Place, other_kinds_keys, spec_name
from ..network.signal_keys import SIGNAL
from ..network.tables import (
    CHECK,
    DOCUMENT,
    INNER_LOSS,
    LOSS_KINDS,
    SOLVER,
    inner_loss_keys,
)
from ..network.values import Table
from .consistency import check_axes, check_laws, check_losses, check_ties, check_training, evaluation_order
from .data_table import frozen, read_data
from .layers import read_layer, read_output
from .outline import LayerOutline, Outline
from .outline_reading import outline
from .toml_syntax import MAX_BYTES, document_of, text_of
from .training_table import read_training, values_by_parameter

ENDING = ".toml"
SHIPPED = Path(__file__).resolve().parents[2] / "specs"  # of the checkout that the package runs from
_MAX_NESTING = 30
_FINITE = "Write a number below 1e300"
_MOST_BITS = 4000  # of a whole number; Python does not even print much longer ones
Document = Mapping[str, Any]
_T = TypeVar("_T")
# What stands for a table that could not be read, where the checks of others go on: nothing is known of it.
_OPEN_DATA, _OPEN_TRAINING = DataSpec(""), Training(learning_rate=1.0, steps=1)


def read(path: str | Path) -> Network:
    """Read and check a spec file. Sizes that only the data know are still open.

    Raises :class:`SpecError` with file, table, key, what was found and what to do.
    """
    file = str(path)
    return read_content(spec_content(Path(path), file), file)


def read_content(content: bytes, file: str) -> Network:
    """Read and check a spec that is not in a file: ``content`` is its text in UTF-8.

    ``file`` is what errors call it; paths in it are relative to the folder of that name.
    """
    place = Place(file)
    return parse_document(document_of(text_of(content, place), place), file)


def parse_document(
    document: Document, file: str | None = None, changed: Sequence[str] = (), called: str | None = None
) -> Network:
    """A spec as plain data (what a TOML file holds) to a network.

    ``file`` is for paths; errors name it with what was ``changed`` since it was read, or by ``called``.
    Raises the first fault of the spec, with those that do not depend on it as its ``others``.
    """
    name = called or spec_name(file, changed)
    faults = Faults()
    if not faults.tried(_check_plain, document, Place(name), faults):
        faults.raise_any()
    tables = Place(name).sound(document, DOCUMENT, faults).values
    known = _outline(tables, name, faults)
    is_whole = known.is_complete and not faults.found
    read = _Tables(tables, name, faults)
    training = read.table("training", read_training, known)
    known = replace(known, training=training)
    layers = [faults.tried(read_layer, layer, known) for layer in known.layers.values()]
    is_whole = is_whole and None not in layers
    written = tuple(layer for layer in layers if layer is not None)
    data = read.table("data", read_data)
    known_data = data or _OPEN_DATA
    loss = read.table("loss", _loss, known_data)
    losses = [
        faults.tried(_inner_loss, each, Place.of(name, "losses", number), known_data)
        for number, each in enumerate(tables.get("losses", ()))
    ]
    order = faults.tried(evaluation_order, written, name) if is_whole else None
    output = faults.tried(read_output, known.output, known)
    network = Network(
        title=document.get("title", Path(file).stem if file else "network"),
        data=known_data,
        loss=loss or Loss(""),
        losses=tuple(each for each in losses if each is not None),
        layers=order or (),
        output=output or Output(()),
        training=training or _OPEN_TRAINING,
        solver=read.table("solver", _defaults, SOLVER) or (),
        check=read.table("check", _defaults, CHECK) or (),
        signal=read.table("signal", _signal) or (),
        document=copy.deepcopy(dict(document)),
        file=file,
        changed=tuple(changed),
    )
    if order is not None and output is not None:
        _check_together(network, faults, training is not None, loss is not None)
    faults.raise_any()
    return network


@dataclass(frozen=True)
class _Tables:
    """The tables of a document, each read by itself; what is wrong with it is kept in ``faults``."""

    tables: Document
    name: str | None
    faults: Faults

    def table(self, key: str, read: Callable[..., _T], *more: Any) -> _T | None:
        """What a table says; None where it is not there or wrong."""
        if key not in self.tables:
            return None
        return self.faults.tried(read, self.tables[key], Place.of(self.name, key), *more)


def _outline(tables: Document, name: str | None, faults: Faults) -> Outline:
    """The outline of the layers and the output, as far as they are there."""
    layers = tables.get("layers")
    if layers is not None and not layers:
        remedy = "Write at least one [[layers]] table"
        faults.add(Place(name).error("there are no layers", key="layers", remedy=remedy))
    found = faults.tried(outline, list(layers or ()), tables.get("output"), name, faults)
    if found is None:  # there are far too many layers, so that nothing is said of them
        empty = LayerOutline(OUTPUT, {}, Place.of(name, OUTPUT), ())
        return Outline({}, empty, is_complete=False)
    return found if layers else replace(found, is_complete=False)


def _check_together(network: Network, faults: Faults, has_training: bool, has_loss: bool) -> None:
    """Checks that need several tables, as far as these could be read."""
    faults.tried(check_ties, network)
    if has_loss:
        faults.tried(check_losses, network)
    faults.tried(check_laws, network)
    faults.tried(check_axes, network)
    if has_training:
        faults.tried(check_training, network)


def spec_content(path: Path, file: str) -> bytes:
    """The bytes of a spec file. Raises SpecError, which calls it ``file``, where it cannot be read."""
    place = Place(file)
    try:
        if not path.exists():
            raise place.error("there is no such file", remedy=near_spec(path), kind=FaultKind.FILE)
        if not path.is_file():
            what = "a folder" if path.is_dir() else "a pipe or a device"
            remedy = "Give the path of a spec (.toml)"
            raise place.error(f"this is {what}, not a file", None, remedy, FaultKind.FILE)
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise place.error(f"the file cannot be read: {error.strerror}", kind=FaultKind.FILE) from None


def near_spec(path: Path) -> str:
    """What to do about a spec that is not there: one of that name or a similar one, or those there are.

    Looked at are the folder that was named, ``specs`` in the current one, and the shipped specs.
    """
    named = path.stem if path.suffix == ENDING else path.name
    folders = [path.parent, Path("specs"), SHIPPED]
    beside = [sorted(folder.glob(f"*{ENDING}")) for folder in folders]
    every = {spec.stem: spec for specs in reversed(beside) for spec in specs}
    near = get_close_matches(named, every, n=1)
    found = every.get(named) or (every[near[0]] if near else None)
    if found is not None:
        return f"Did you mean '{found}'?"
    if not path.parent.is_dir():
        return f"There is no folder '{path.parent}' either"
    here = f"; specs there: {listed([spec.name for spec in beside[0]], 12)}" if beside[0] else ""
    return f"Give the path of a spec ({ENDING}){here}"


def _check_plain(document: Document, place: Place, faults: Faults) -> bool:
    """Refuse numbers that are not finite, nesting without end, and what is not plain data.

    Wrong values are kept in ``faults``; what no further check could look at is raised.
    """
    stack: list[tuple[str, Any, tuple[str | int, ...]]] = [("", document, ())]
    while stack:
        key, value, path = stack.pop()
        if len(path) > _MAX_NESTING:
            raise place.error("tables or lists are nested too deep", key=key, path=path)
        if isinstance(value, Mapping):
            for name, each in value.items():
                if not isinstance(name, str):
                    problem = f"found the key {shown(name)}, but keys are strings"
                    raise place.error(problem, key=key or None, path=path)
                stack.append((f"{key}.{name}" if key else name, each, (*path, name)))
        elif isinstance(value, list | tuple):
            stack += [(f"{key}[{number}]", each, (*path, number)) for number, each in enumerate(value)]
        else:
            found, remedy = _not_plain(value)
            if found:
                faults.add(place.error(f"found {found}", key, remedy, FaultKind.WRONG_VALUE, path))
    return True


def _not_plain(value: Any) -> tuple[str, str | None]:
    """What no spec holds, in words, with what to do; "" for what may stand in one."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return f"{shown(value)}, which is too large", _FINITE
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value}, which is not a finite number", _FINITE
    if not isinstance(value, bool | int | float | str):
        kinds = "strings, numbers, truth values, lists and tables"
        return f"{_type(value)}, but a spec holds {kinds}", None
    return "", None


def _type(value: Any) -> str:
    """What a value is that no spec holds: a date, an object, None."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _kind(values: Mapping[str, Any], kinds: Mapping[str, Any], place: Place) -> str:
    if "kind" not in values:
        allowed = f"Allowed: {', '.join(kinds)}"
        raise place.error("the key 'kind' is missing", "kind", allowed, FaultKind.MISSING_KEY)
    kind = values["kind"]
    if not isinstance(kind, str) or kind not in kinds:
        near = nearest_word(str(kind), kinds)
        raise place.error(f"unknown kind {shown(kind)}", "kind", near, FaultKind.WRONG_VALUE)
    return kind


def _inner_loss(values: Mapping[str, Any], place: Place, data: DataSpec) -> InnerLoss:
    kind = _kind(values, LOSS_KINDS, place)
    kinds = {name: inner_loss_keys(name) for name in LOSS_KINDS}
    beside = {key: value for key, value in values.items() if key != "kind"}
    place.check(beside, kinds[kind], refused=other_kinds_keys(kind, kinds, "a loss"))
    own = {key: value for key, value in values.items() if key not in INNER_LOSS}
    loss = _loss_of_kind(kind, {**own, "error": "none"}, data, place)
    return InnerLoss(values["from"], float(values.get("weight", 1.0)), loss, place.table)


def _loss(values: Mapping[str, Any], place: Place, data: DataSpec) -> Loss:
    kind = _kind(values, LOSS_KINDS, place)
    own = {key: value for key, value in values.items() if key != "kind"}
    place.check(own, LOSS_KINDS[kind], refused=other_kinds_keys(kind, LOSS_KINDS, "a loss"))
    return _loss_of_kind(kind, values, data, place)


def _loss_of_kind(kind: str, values: Mapping[str, Any], data: DataSpec, place: Place) -> Loss:
    expression = None
    if kind == EXPRESSION:
        both = frozenset({"y", "yhat"})
        expression = place.expression(values["expression"], "expression", Names(plain=both, arrays=both))
        if not any(base_of(symbol) == "yhat" for symbol in expression.free_symbols):
            raise place.error(
                "the loss does not depend on yhat", key="expression", remedy="Write it in y and yhat"
            )
    error = values.get("error", _error(kind, data))
    rows = LOSSES[kind].constants if kind in LOSSES else ()
    constants = tuple((name, float(values.get(name, default))) for name, default, _ in rows)
    return Loss(kind, expression, constants, None if error == "none" else error)


def _error(kind: str, data: DataSpec) -> str:
    """How a classification error is counted where the spec does not say it."""
    if "y" in data.get and data.get["y"] == "x" and data.kind != "arrays":
        return "none"
    own = LOSSES[kind].error if kind in LOSSES else None
    if own is not None:
        return own
    if data.kind in LABELLED_IMAGES:
        return "argmax"
    labels = data.get.get("labels", ()) if data.kind == "gaussian-mixture" else ()
    signs = bool(labels) and all(label in (1, -1) for label in labels)
    return "sign" if signs or data.kind == "isotropic-gaussians" else "none"


def _signal(values: Mapping[str, Any], place: Place) -> tuple[tuple[str, tuple[tuple[str, float], ...]], ...]:
    """The variances of ``[signal]`` by parameter; their names are checked where kernels are derived."""
    place.check(values, SIGNAL)
    return tuple((key, values_by_parameter(values, key, place)) for key in values)


def _defaults(values: Mapping[str, Any], place: Place, keys: Table) -> tuple[tuple[str, Any], ...]:
    place.check(values, keys)
    return tuple((key, frozen(value)) for key, value in values.items())
