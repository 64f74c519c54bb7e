"""The keys of every table of a spec, format 1: the reader checks with them, the JSON Schema is made of them.

The keys of connections stand in :mod:`mfderive.forward.kinds`, because each kind has its own; those of
``[data]`` in :mod:`mfderive.network.data_keys`.
"""

from __future__ import annotations

from ..algebra.law_kinds import LAWS
from ..algebra.losses import EXPRESSION as EXPRESSION_LOSS
from ..algebra.losses import LOSSES
from .solve_options import OPTIONS
from .training_keys import BY_PARAMETER, OPTIMIZER, PROBABILITY, RATE, SCHEDULE
from .values import (
    COUNT,
    COUNTS,
    EXPRESSION,
    FLAG,
    NAME,
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
    Key("widths", each_once(COUNTS), "widths of the finite networks, each once"),
    Key("seeds", COUNT, "networks per width"),
    Key("seed", WHOLE, "seed of the first network"),
    Key("horizon", POSITIVE, "time t at which to stop"),
    Key("steps", COUNT, "number of steps after which to stop"),
    Key("evaluation", COUNT, "samples on which loss and error are measured"),
    Key("nodes", COUNT, "nodes of every ensemble of the limit; default chosen from its structure"),
)
