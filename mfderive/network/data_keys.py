"""The keys of ``[data]``, format 1: those of every kind, and those that all kinds have."""

from __future__ import annotations

from .tables import LAW_TEXT
from .values import (
    COUNT,
    COUNTS,
    EXPRESSION,
    FLAG,
    NOT_NEGATIVE,
    NUMBER,
    POSITIVE,
    TEXT,
    WHOLE,
    Key,
    Table,
    ValueType,
    each_once,
    either,
    is_integer,
    is_number,
    list_of,
    one_of,
    table,
)

_NUMBERS = list_of(NUMBER, "a list of numbers")
_FRACTION = ValueType(
    "a fraction between 0 and 1",
    lambda value: is_number(value) and 0 < value < 1,
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
)
_SEPARATION = ValueType(
    "a number between 0 and 1",
    lambda value: is_number(value) and 0 <= value <= 1,
    {"type": "number", "minimum": 0, "maximum": 1},
)
CIFAR_BATCHES = 5
_BATCH = ValueType(
    f"a whole number from 1 to {CIFAR_BATCHES}",
    lambda value: is_integer(value) and 1 <= value <= CIFAR_BATCHES,
    {"type": "integer", "minimum": 1, "maximum": CIFAR_BATCHES},
)
_COLUMN = either(TEXT, WHOLE)
_COLUMNS = either(_COLUMN, list_of(_COLUMN, "a list of columns"))
_RANGE = list_of(NUMBER, "[low, high]", 2, 2)
_SCALE = either(one_of("standardize", "unit"), _RANGE)

DATA_COMMON: Table = table(
    Key("y", one_of("x"), "'x': the target is the input itself, flattened (autoencoder)"),
    Key("shape", COUNTS, "[channels, positions...]: what each flat input becomes; its product is d"),
    Key(
        "range",
        _RANGE,
        "inputs are rescaled so that their natural range (pixels: 0 to the largest possible value; arrays: "
        "smallest to largest entry) becomes [low, high]; only for what is read from files",
    ),
    Key(
        "scale",
        _SCALE,
        "each column of the inputs is scaled by what the training rows show: 'standardize' (mean 0, "
        "deviation 1), 'unit' (0 to 1) or [low, high]; predict takes inputs as they are in the data; not "
        "beside range",
    ),
    Key(
        "scale_y",
        _SCALE,
        "the same for targets that are numbers; predict answers in the units of the data, the loss is that "
        "of scaled targets",
    ),
    Key("samples", COUNT, "a fixed sample of this many, instead of fresh ones (files: that many of them)"),
    Key(
        "test",
        either(_FRACTION, COUNT),
        "held-out samples, a fraction or a number, chosen by the data seed (of tables: each class has its "
        "share); where absent the evaluation sample is drawn from (or is part of) the training data",
    ),
)

DATA_KINDS: dict[str, Table] = {
    # y = +1 or -1 with equal odds, x | y ~ N(0, (1 + y * separation)^2 I): paper, section 4.2.1
    "isotropic-gaussians": table(
        Key("dimension", COUNT, "number of inputs, which laws call d", required=True),
        Key("separation", _SEPARATION, "Delta in the deviation 1 + y * Delta", required=True),
    ),
    "gaussian-mixture": table(
        Key(
            "means",
            list_of(_NUMBERS, "a list of lists of numbers"),
            "one mean for each component",
            required=True,
        ),
        Key(
            "deviations",
            either(NOT_NEGATIVE, list_of(NOT_NEGATIVE, "a list of numbers of at least 0")),
            "standard deviation of every coordinate, one for all or one for each component; default 1",
        ),
        Key("weights", list_of(POSITIVE, "a list of numbers greater than 0"), "odds; default equal"),
        Key(
            "labels",
            either(_NUMBERS, list_of(_NUMBERS, "a list of lists of numbers")),
            "y of each component: a number, or a list with one number for each output",
            required=True,
        ),
    ),
    "teacher": table(
        Key("dimension", COUNT, "number of inputs, which laws call d", required=True),
        Key("inputs", LAW_TEXT, "law of one coordinate, without source/target; default normal(0, 1)"),
        Key(
            "target",
            either(EXPRESSION, list_of(EXPRESSION, "a list of expressions")),
            "y as an expression in x1 ... xd; a list has one expression for each output",
            required=True,
        ),
        Key("noise", NOT_NEGATIVE, "standard deviation of Gaussian noise added to every y; default 0"),
    ),
    # file: .npz (x and y name arrays; default "x", "y") or a text table, .csv or .tsv (x and y name columns,
    # by their heading or by number from 0). Without file, x and y are paths of .npy files. All paths relative
    # to the spec file. y = "x" means the autoencoder here too; a column that is called x is y = ["x"].
    "arrays": table(
        Key(
            "file",
            TEXT,
            "path of a .npz file or of a text table (.csv, .tsv, also with .gz); none if the arrays are "
            "given to mfderive.load",
        ),
        Key(
            "x",
            _COLUMNS,
            "name of an array, column(s) of a table, or path of a .npy file; default 'x', in a table without "
            "such a column all columns but those of y",
        ),
        Key("y", _COLUMNS, "name of an array, column(s) of a table, or path of a .npy file; default 'y'"),
        Key(
            "one_hot",
            list_of(_COLUMN, "a list of columns"),
            "columns of words or whole numbers that become one column of 0 and 1 for each of their values; "
            "for the column of y: classes",
        ),
        Key("missing", one_of("drop"), "'drop': rows with missing values (empty, NA, nan, ?) are left out"),
        Key("skip_rows", WHOLE, "lines before the headings or the data; default: a line of sizes, comments"),
        Key(
            "delimiter",
            one_of(",", ";", "\t", "|", " "),
            "what separates the cells of a text table; default: what splits its lines equally",
        ),
        Key("test_x", TEXT, "the inputs of test samples, named as x is (arrays only, no text tables)"),
        Key("test_y", TEXT, "the targets of test samples, named as y is"),
        Key("headings", FLAG, "whether a text table begins with names of columns; default: found"),
    ),
    "idx": table(
        Key("images", TEXT, "path of the images (idx3-ubyte, may end in .gz)", required=True),
        Key("labels", TEXT, "path of the labels (idx1-ubyte, may end in .gz)", required=True),
        Key("test_images", TEXT, "path of the test images"),
        Key("test_labels", TEXT, "path of the test labels"),
    ),
    # The files of the data set as its authors give them: data_batch_1 to 5 and test_batch, each of them a
    # pickle (the "python version") or plain bytes (.bin, the "binary version").
    "cifar10": table(
        Key("path", TEXT, "the folder with data_batch_1 to data_batch_5 and test_batch", required=True),
        Key(
            "batches",
            each_once(list_of(_BATCH, "a list of numbers from 1 to 5", high=CIFAR_BATCHES)),
            "which of the five training files are read; default all",
        ),
    ),
    "image-folder": table(
        Key("path", TEXT, "a folder with one folder of images for each class", required=True),
        Key("test_path", TEXT, "a folder of the same kind with the test images"),
        Key(
            "size",
            list_of(COUNT, "[height, width]", 2, 2),
            "every image is resized to it; default: all images must be of one size",
        ),
        Key(
            "color",
            one_of("rgb", "grey"),
            "3 channels or 1; default 'grey' where all images are grey, else 'rgb'",
        ),
    ),
    "digits": table(),
}

# Kinds whose y are classes.
LABELLED_IMAGES = ("idx", "cifar10", "image-folder", "digits")

# The laws among the kinds of data, each with the keys that state the size of its inputs and targets.
DATA_SIZES: dict[str, tuple[str, ...]] = {
    "isotropic-gaussians": (),
    "gaussian-mixture": ("means", "deviations", "labels"),
    "teacher": ("inputs", "target"),
}


def _no_scale(kind: str) -> dict[str, tuple[str, str]]:
    """The keys of DATA_COMMON that a law refuses, each with the reason and what to do."""
    own = DATA_SIZES[kind]
    stated = f"; the size is stated by {', '.join(own)}" if own else ""
    remedy = f'Remove it{stated} (arrays that are given in Python have kind = "arrays", which has this key)'
    return {
        "range": ("a law has no natural range to rescale", remedy),
        "scale": ("the law itself states the size of its inputs", remedy),
        "scale_y": ("the law itself states the size of its targets", remedy),
    }


DATA_REFUSED: dict[str, dict[str, tuple[str, str]]] = {kind: _no_scale(kind) for kind in DATA_SIZES}


def data_keys(kind: str) -> dict[str, Key]:
    """Every key that ``[data]`` may have beside ``kind``."""
    refused = DATA_REFUSED.get(kind, {})
    common = {name: key for name, key in DATA_COMMON.items() if name not in refused}
    return {**common, **DATA_KINDS[kind]}
