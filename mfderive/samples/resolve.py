"""From a parsed network to a resolved one: the data source, and with it every finite size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..algebra.laws import Law
from ..algebra.losses import Targets
from ..errors import DataError, SpecError, nearest
from ..format.data_table import frozen, teacher_columns, teacher_inputs, teacher_targets
from ..network.network import DataSpec, Loss, Network
from ..network.place import Place
from .cifar import read_cifar10
from .data_facts import Classes, DataFacts, Split
from .data_place import DataPlace, RowNames
from .files import read_arrays, read_digits, read_idx_set
from .given import data_digest, given_rows
from .image_folder import read_image_folder
from .labels import are_labels, asked_targets, check_classes, find_classes
from .prepare import Preparation, fixed_sample, law_preparation
from .quadrature import isotropic_gaussians_law
from .rows import Rows
from .sources import FIXED_SAMPLE, PROBE, DataSource, Draw, DrawnSource, LawSource, SampleSource, generator
from .standard_law import StandardLaw
from .synthetic import PROBE_COORDINATES, isotropic_gaussians, mixture_of_options, teacher

Array = Any
Options = Mapping[str, Any]

_PROBE_SAMPLES = 256


def resolve(
    network: Network, data: tuple[Array, Array | None] | None = None, seed: int | None = None
) -> Network:
    """The network with ``input_shape``, ``outputs`` and ``source`` filled in.

    ``data`` = (x, y) takes the place of what ``[data]`` would read or draw (y None where ``y = "x"``): x is
    [sample, inputs] or [sample, channels, positions...], y [sample] or [sample, outputs]; shape, range,
    samples and test still apply. ``seed`` is the data seed; None takes ``data_seed`` of ``[solver]``, else 0.
    Where the spec says nothing about the classification error, it is chosen by loss and data (see
    :func:`default_error`).

    Raises DataError (what is wrong with data, located) and ResourceError (a sample larger than memory).
    """
    place = DataPlace(network.file, network.where)
    source, y = _source(network, data, _seed(network, seed), place)
    check_batch(replace(network, source=source))
    wanted = network.output.outputs
    if wanted is not None and wanted != source.outputs:
        raise SpecError(
            f"outputs = {wanted}, but the data has {source.outputs}",
            file=network.where,
            table="output",
            key="outputs",
            remedy="Leave 'outputs' out to take the number from the data",
        )
    return replace(
        network,
        loss=replace(network.loss, error=default_error(network, y)),
        input_shape=source.input_shape,
        outputs=source.outputs,
        source=source,
    )


def check_batch(network: Network) -> None:
    """Raise DataError for batches of all samples where there is no fixed sample."""
    if network.source.rows is None and network.training.batch_size == "all":
        try:
            network.source.batch(1, "all")
        except DataError as error:  # it says what to do, and this is where
            raise error.located(file=network.where) from None


def _seed(network: Network, seed: int | None) -> int:
    chosen = dict(network.solver).get("data_seed", 0) if seed is None else seed
    if isinstance(chosen, bool) or not isinstance(chosen, (int, np.integer)) or chosen < 0:
        raise SpecError(f"the data seed is {chosen!r}", remedy="It must be a whole number of at least 0")
    return int(chosen)


def default_error(network: Network, y: Array) -> str | None:
    """How a classification error is counted: as the spec says, else by the loss and the targets.

    argmax for a loss of classes and where every target is one of several classes (a 1 among zeros, or +1
    among -1); sign for a loss of signs with one output and where a single target is always +1 or -1.
    """
    loss = network.loss
    table = network.document.get("loss")
    # A network that was built by hand has no document; what it says then counts as stated.
    stated = loss.error is not None if table is None else "error" in table
    if stated:
        return loss.error
    outputs = y.shape[1]
    asked = asked_targets(loss)
    if asked is Targets.CLASSES:
        return "argmax"
    if outputs == 1:
        return "sign" if asked is Targets.SIGNS or bool(np.all(np.abs(y) == 1)) else None
    high = y.max(axis=1, keepdims=True) == y
    others = y[~high]
    classes = bool(np.all(high.sum(axis=1) == 1) and np.all(y[high] == 1) and np.all(others == others[0]))
    if classes and others[0] in (0.0, -1.0):
        return "argmax"
    return "sign" if asked is Targets.SIGNS else None


# --- sources ----------------------------------------------------------------------------------------------


def _source(
    network: Network, data: tuple[Array, Array | None] | None, seed: int, place: DataPlace
) -> tuple[DataSource, Array]:
    """The source of a network's data, and targets [sample, outputs] that show what they are."""
    kind = network.data.kind
    options = {key: frozen(value) for key, value in network.data.options}
    if data is not None or kind in _READERS:
        rows = _READERS[kind](options, place) if data is None else given_rows(data, options, place)
        sample = fixed_sample(rows, options, network.loss, network.output.outputs, seed, place)
        if data is not None:
            sample = replace(sample, given=data_digest(data))
        return sample, sample.batch(1, "all")[1]
    if kind in _LAWS:
        dimension = int(options.get("dimension", 1))
        needed = 3 * 8 * _PROBE_SAMPLES * dimension
        what = f"drawing inputs of dimension {dimension}"
        place.check_memory(needed, what, "dimension", "Take a smaller dimension")
        return _law_source(network, options, seed, place)
    raise place.error(f"'{kind}' is no kind of data", "kind", nearest(kind, [*_READERS, *_LAWS]))


def _law_source(network: Network, options: Options, seed: int, place: DataPlace) -> tuple[DataSource, Array]:
    """A source that draws, and the targets of a few draws: a law's errors lie in its draws.

    Samples are not drawn here in their full dimension or number, so that loading takes no longer for large
    ones; only where labels are numbered by what occurs, a fixed sample must be looked at.
    """
    draw, dimension, law, probe = _LAWS[network.data.kind](options, place)
    loss, outputs = network.loss, network.output.outputs
    facts = DataFacts(is_read=False)
    if "samples" in options:
        whole, split = _fixed(network, options, dimension, draw, seed, place)
        if asked_targets(loss) is Targets.CLASSES:
            sample = whole()
            return sample, sample.batch(1, "all")[1]
        facts = replace(facts, split=split if split.test else None)
    elif "test" in options:
        raise place.error(
            "held-out samples need a fixed sample",
            "test",
            "Every batch of this data is fresh: remove 'test', or set 'samples'",
        )
    else:
        facts = _law_facts(options, loss, outputs, place)
    prepare = law_preparation(options, loss, facts.classes, place)
    few_x, few_y = probe(generator(seed, PROBE), _PROBE_SAMPLES)
    _, targets = replace(prepare, shape=None)(few_x, few_y)
    # One input of full size shows the shapes; one number that was drawn stands for all of its coordinates.
    x, y = prepare(np.broadcast_to(few_x[:1, :1], (1, dimension)), few_y[:1])
    shape = tuple(int(n) for n in x.shape[1:])
    facts = replace(facts, shape=shape)
    if "samples" in options:
        return DrawnSource(whole, shape, int(y.shape[1]), split.training, seed, facts), targets
    source = LawSource(
        partial(_prepared_draw, prepare, draw),
        shape,
        int(y.shape[1]),
        seed,
        law=replace(law, values=partial(_prepared_values, prepare, law)),
        facts=facts,
    )
    return source, targets


def _fixed(
    network: Network, options: Options, dimension: int, draw: Draw, seed: int, place: DataPlace
) -> tuple[Callable[[], SampleSource], Split]:
    """What draws the fixed sample that a spec asks for, and its numbers of rows."""
    training, test = options["samples"], options.get("test", 0)
    # A fraction is one of all rows, training and held-out ones together, as it is for files.
    held = max(1, round(test * training / (1 - test))) if isinstance(test, float) else test
    rows = training + held
    place.check_memory(
        3 * 8 * rows * dimension, f"a fixed sample of {rows} rows", "samples", "Take fewer samples"
    )
    fixed = {**options, "test": held} if held else options
    drawn = partial(_drawn_sample, draw, rows, fixed, network.loss, network.output.outputs, seed, place)
    return drawn, Split(training, held)


# What a source holds is made of functions that pickle can name, so that networks can be sent to processes.


def _drawn_sample(
    draw: Draw, rows: int, options: Options, loss: Loss, outputs: int | None, seed: int, place: DataPlace
) -> SampleSource:
    drawn = Rows(*draw(generator(seed, FIXED_SAMPLE), rows), facts=DataFacts(is_read=False))
    return fixed_sample(drawn, options, loss, outputs, seed, place)


def _prepared_draw(
    prepare: Preparation, draw: Draw, rng: np.random.Generator, size: int
) -> tuple[Array, Array]:
    return prepare(*draw(rng, size))


def _prepared_values(
    prepare: Preparation, law: StandardLaw, component: int, standard: Array
) -> tuple[Array, Array]:
    return prepare(*law.values(component, standard))


def _law_facts(options: Options, loss: Loss, outputs: int | None, place: DataPlace) -> DataFacts:
    """The classes where the law draws labels: those that it lists, else as many as there are outputs."""
    labels, target = options.get("labels"), options.get("target")
    values = np.zeros(1) if labels is None else np.asarray(labels, dtype=np.float64)
    several = isinstance(target, tuple) and len(target) > 1
    if options.get("y") == "x" or several or not are_labels(values, loss, outputs, False):
        return DataFacts(is_read=False)
    if labels is not None:
        classes, findings = find_classes(values, loss, outputs, False, (), place, RowNames())
        return DataFacts(is_read=False, classes=classes, findings=findings)
    if outputs is None:
        raise place.outputs_error(
            "the number of classes is not known before the data is drawn",
            "Set outputs = the number of classes",
        )
    check_classes(outputs, 0, _PROBE_SAMPLES, place)
    return DataFacts(is_read=False, classes=Classes(tuple(range(outputs)), outputs))


def _isotropic_gaussians(options: Options, place: DataPlace) -> tuple[Draw, int, StandardLaw, Draw]:
    dimension, separation = int(options["dimension"]), float(options["separation"])
    law = isotropic_gaussians_law(dimension, separation)
    probe = isotropic_gaussians(min(dimension, PROBE_COORDINATES), separation)
    return isotropic_gaussians(dimension, separation), dimension, law, probe


def _teacher(options: Options, place: DataPlace) -> tuple[Draw, int, StandardLaw, Draw]:
    data, table = DataSpec("teacher", tuple(options.items())), Place(place.spec, "data")
    written = teacher_inputs(data, table)
    law = Law(written.kind, written.arguments, text=written.text)
    dimension = int(options["dimension"])
    noise = float(options.get("noise", 0.0))
    targets, columns = teacher_targets(data, table), teacher_columns(data)
    draw, standard, probe = teacher(dimension, law, targets, columns, noise, place)
    return draw, dimension, standard, probe


# Kind -> how samples are drawn, their dimension, their standard variables, and small draws for a probe.
_LAWS: dict[str, Callable[[Options, DataPlace], tuple[Draw, int, StandardLaw, Draw]]] = {
    "isotropic-gaussians": _isotropic_gaussians,
    "gaussian-mixture": mixture_of_options,
    "teacher": _teacher,
}
_READERS: dict[str, Callable[[Options, DataPlace], Rows]] = {
    "arrays": read_arrays,
    "idx": read_idx_set,
    "cifar10": read_cifar10,
    "image-folder": read_image_folder,
    "digits": lambda options, place: read_digits(),
}
