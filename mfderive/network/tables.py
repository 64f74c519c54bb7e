"""The keys of every table of a spec, format 1: the reader checks with them, the JSON Schema is made of them.

The keys of connections stand in :mod:`mfderive.forward.kinds`, because each kind has its own.
"""

from __future__ import annotations

from ..algebra.law_kinds import LAWS
from ..algebra.losses import EXPRESSION as EXPRESSION_LOSS
from ..algebra.losses import LOSSES
from .solve_options import OPTIONS
from .training_keys import BY_PARAMETER, OPTIMIZER, PROBABILITY, RATE, SCHEDULE
from .values import (
    COUNT,
    EXPRESSION,
    FLAG,
    NAME,
    NOT_NEGATIVE,
    NUMBER,
    POSITIVE,
    TABLE,
    TABLES,
    TEXT,
    WHOLE,
    Key,
    Schema,
    Table,
    ValueType,
    by_name,
    each_once,
    either,
    is_number,
    list_of,
    one_of,
    table,
)

FORMAT = 1
_FORMAT = ValueType(
    f"{FORMAT} (the only format there is)",
    lambda value: value == FORMAT and not isinstance(value, bool),
    {"const": FORMAT},
)
_ALL = one_of("all")
_NUMBERS = list_of(NUMBER, "a list of numbers")
_COUNTS = list_of(COUNT, "a list of whole numbers of at least 1")
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

LAW_NAMES = tuple(f"{row.name}({', '.join(row.arguments)})" for row in LAWS.values() if row.is_written)
LAW_SCHEMA: Schema = {
    "description": f"a law: {', '.join(LAW_NAMES)}; or an expression, a constant given the two ends",
    **EXPRESSION.schema,
}
LAW_TEXT = ValueType("a law (a string)", EXPRESSION.accepts, {"$ref": "#/$defs/law"})
LAW = ValueType(
    "a law (a string, or a table with 'law' and 'rate')",
    either(EXPRESSION, TABLE).accepts,
    {"anyOf": [LAW_TEXT.schema, {"$ref": "#/$defs/parameter"}]},
)
WEIGHT = ValueType(
    "a law (a string), or a table with 'law', 'rate', 'name' and 'transpose'",
    LAW.accepts,
    {"anyOf": [LAW_TEXT.schema, {"$ref": "#/$defs/weight"}]},
)
DOCUMENT: Table = table(
    Key("format", _FORMAT, "version of the spec format", required=True),
    Key("title", TEXT, "what the page and the figures are called"),
    Key("data", TABLE, "where samples come from", required=True),
    Key("loss", TABLE, "the loss of one sample", required=True),
    Key("losses", TABLES, "losses on inner layers, which are added to that of the output"),
    Key("layers", TABLES, "the layers, in any order", required=True),
    Key("output", TABLE, "what makes the prediction", required=True),
    Key("training", TABLE, "learning rate, batch size, steps", required=True),
    Key("solver", TABLE, "defaults of solve"),
    Key("check", TABLE, "defaults of check"),
    Key("signal", TABLE, "how signal reads the network: variances of random weights and biases"),
)

# --- data: the kind's own keys, and the keys that every kind has ----------------------------------------

_COLUMN = either(TEXT, WHOLE)
_COLUMNS = either(_COLUMN, list_of(_COLUMN, "a list of columns"))
_RANGE = list_of(NUMBER, "[low, high]", 2, 2)
_SCALE = either(one_of("standardize", "unit"), _RANGE)

DATA_COMMON: Table = table(
    Key("y", one_of("x"), "'x': the target is the input itself, flattened (autoencoder)"),
    Key("shape", _COUNTS, "[channels, positions...]: what each flat input becomes; its product is d"),
    Key(
        "range",
        _RANGE,
        "inputs are rescaled so that their natural range (pixels: 0 to the largest possible value; arrays: "
        "smallest to largest entry) becomes [low, high]; only for arrays, idx and digits",
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
        Key("headings", FLAG, "whether a text table begins with names of columns; default: found"),
    ),
    "idx": table(
        Key("images", TEXT, "path of the images (idx3-ubyte, may end in .gz)", required=True),
        Key("labels", TEXT, "path of the labels (idx1-ubyte, may end in .gz)", required=True),
        Key("test_images", TEXT, "path of the test images"),
        Key("test_labels", TEXT, "path of the test labels"),
    ),
    "digits": table(),
}

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


# --- loss ---------------------------------------------------------------------------------------------

_ERROR = Key(
    "error",
    one_of("sign", "argmax", "none"),
    "how a classification error is counted; default by the loss and the data",
)
LOSS_KINDS: dict[str, Table] = {
    **{
        row.name: table(*(Key(name, POSITIVE, doc) for name, _, doc in row.constants), _ERROR)
        for row in LOSSES.values()
    },
    EXPRESSION_LOSS: table(
        Key("expression", EXPRESSION, "in y and yhat, or y[k] and yhat[k]", required=True), _ERROR
    ),
}

# Keys of [[losses]] beside those of the kind, whose error is that of [loss] alone.
INNER_LOSS: Table = table(
    Key(
        "from",
        TEXT,
        "a finite layer with one neuron for each output, which y is compared with",
        required=True,
    ),
    Key("weight", POSITIVE, "the loss is multiplied by it; default 1"),
)


def inner_loss_keys(kind: str) -> dict[str, Key]:
    """Every key that a table of ``[[losses]]`` may have beside ``kind``."""
    own = {name: key for name, key in LOSS_KINDS[kind].items() if key is not _ERROR}
    return {**INNER_LOSS, **own}


# --- layers and output --------------------------------------------------------------------------------

PARAMETER: Table = table(
    Key("law", LAW_TEXT, "law of the value at t = 0", required=True),
    Key("rate", RATE, "factor of its learning rate: a number, an expression in t, a schedule; 0 freezes"),
)
WEIGHT_KEYS: Table = table(
    Key("law", LAW_TEXT, "law of one entry at t = 0; only where the weight is mentioned first"),
    Key("rate", RATE, "factor of its learning rate; only where the weight is mentioned first"),
    Key("name", NAME, "a name by which other connections use the same weight"),
    Key("transpose", FLAG, "use the transposed weight; only in later mentions"),
)
LAYER: Table = table(
    Key("name", NAME, "the layer's name", required=True),
    Key(
        "connections",
        TABLES,
        "long form: one table for each connection; without it the layer's own table has "
        "the keys of its only connection (from, kind, weight and those of the kind)",
    ),
    Key("bias", LAW, "law of a bias that is added to h; only with a plain activation"),
    Key("activation", EXPRESSION, "a function's name, or an expression; default identity"),
    Key("parameters", TABLE, "the laws of the parameters that every neuron has, by name"),
    Key(
        "neurons",
        TEXT,
        "the layer whose neurons these are; in the short form, for kinds that share them (pooling, skip), "
        "by default the source",
    ),
    Key("width", POSITIVE, "relative width of the population; default 1"),
    Key("size", COUNT, "number of neurons of a finite layer"),
    Key(
        "steps",
        COUNT,
        "the layer is evaluated at steps 1 ... T with the same weights. It reads layers with steps, and x of "
        "shape [steps, ...], at its own step (recurrent: at the one before, 0 before the first), other "
        "layers always the same. Layers without steps, and the output, read the last step, or the average "
        "over all steps with average = ['steps']",
    ),
)
# A group of layers that is written several times.
GROUP: Table = table(
    Key(
        "name",
        NAME,
        "the group's name: inside the group the layer that enters a copy, outside it the last layer of the "
        "last copy",
        required=True,
    ),
    Key("repeat", COUNT, "number of copies", required=True),
    Key(
        "from",
        TEXT,
        "what enters the first copy; every other one is entered by the last layer of the copy before",
        required=True,
    ),
    Key(
        "layers",
        TABLES,
        "the layers of one copy. Copy k of a layer h is called h_k, and a layer of the group that is named "
        "inside it is the one of the same copy. Weights and neurons are fresh in every copy, unless a weight "
        "has a name, or a layer has its own name as 'neurons': then all copies share them",
        required=True,
    ),
)
REPEAT = Key(
    "repeat",
    COUNT,
    "so many copies of the layer in a chain: h_1 reads the source, h_2 reads h_1, ...; 'h' is the last",
)
OUTPUT: Table = table(
    Key(
        "connections",
        TABLES,
        "long form: one table for each connection; without it the table has the keys of the "
        "only connection; without a weight the layer's activation is averaged",
    ),
    Key("bias", LAW, "law of a bias, one for each output"),
    Key("outputs", COUNT, "number of outputs; default from the data"),
)
# --- running ------------------------------------------------------------------------------------------

TRAINING: Table = table(
    Key("learning_rate", POSITIVE, "alpha; alpha_k = learning_rate * schedule(k)", required=True),
    Key("steps", COUNT, "number of steps of training", required=True),
    Key("batch_size", either(COUNT, _ALL), "samples per step; 'all': the whole fixed sample; default 100"),
    Key(
        "schedule",
        SCHEDULE,
        "factor of the learning rate at step k = 1, 2, ...: an expression in k, or a schedule by its name; "
        "default 1",
    ),
    Key("optimizer", OPTIMIZER, "the learning rule with its constants; default 'sgd'"),
    Key(
        "weight_decay",
        BY_PARAMETER,
        "lambda of the penalty (lambda/2) E theta^2, for all parameters or by their names; default 0",
    ),
    Key(
        "decoupled",
        FLAG,
        "true: weight decay stands beside the rule, false: it is added to the gradient; default by the rule",
    ),
    Key(
        "noise",
        BY_PARAMETER,
        "temperature T: each step adds sqrt(2 T alpha rate) times a normal number to every entry; default 0",
    ),
    Key("clip", POSITIVE, "the largest norm of the gradient of a batch, all parameters together, in L2(P)"),
    Key(
        "dropout",
        by_name(PROBABILITY),
        "probability with which a step of a finite network leaves out a hidden neuron, for all infinitely "
        "wide layers or by layer",
    ),
)
# Keys of [solver] whose value may be given for each population by its name.
BY_AXIS = tuple(option.name for option in OPTIONS.values() if option.by_name)
# The options of a solution, and the seed with which the data is drawn when the spec is loaded.
SOLVER: Table = table(
    *(Key(option.name, option.type, option.meaning) for option in OPTIONS.values()),
    Key("data_seed", WHOLE, "seed of the data; default 0"),
)
CHECK: Table = table(
    Key("widths", each_once(_COUNTS), "widths of the finite networks, each once"),
    Key("seeds", COUNT, "networks per width"),
    Key("seed", WHOLE, "seed of the first network"),
    Key("horizon", POSITIVE, "time t at which to stop"),
    Key("steps", COUNT, "number of steps after which to stop"),
    Key("evaluation", COUNT, "samples on which loss and error are measured"),
    Key("nodes", COUNT, "nodes of every ensemble of the limit; default chosen from its structure"),
)
