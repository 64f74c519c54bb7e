"""Words of other programs: answered where they stand, truthfully, with a page that exists."""

import re
from pathlib import Path

import pytest

import mfderive as mf
from mfderive.algebra.functions import PUBLIC_FUNCTIONS
from mfderive.errors import SpecError
from mfderive.errors.wishes import FUNCTION_WISHES, FUNCTIONS_ELSEWHERE, WISHES, plain_word, wish
from mfderive.format.law_text import WRITTEN
from mfderive.format.reader import parse_document
from mfderive.forward.kinds import KINDS, connection_keys
from mfderive.network import data_keys, tables
from mfderive.network.solve_options import OPTIONS
from tests.format.documents import changed, long_form
from tests.wishes_page import PAGE, page

ROOT = Path(__file__).parents[2]
WANTED = """
dropout batch_norm batchnorm groups embedding lstm gru optimizer momentum adam gradient_clip clip weight_decay
epochs softmax attention layer_norm dense linear nn kernel_initializer dtype device
"""


def words_of_the_format() -> set[str]:
    """Everything that may be written today: keys, kinds, functions, options."""
    found = {*KINDS, *PUBLIC_FUNCTIONS, *OPTIONS, *data_keys.DATA_KINDS, *tables.LOSS_KINDS, "identity"}
    for kind in KINDS.values():
        found |= set(connection_keys(kind))
    for kind in data_keys.DATA_KINDS:
        found |= set(data_keys.data_keys(kind))
    for keys in (
        tables.LAYER,
        tables.OUTPUT,
        tables.TRAINING,
        tables.CHECK,
        tables.GROUP,
        tables.WEIGHT_KEYS,
    ):
        found |= set(keys)
    return found


def test_what_is_wished_for_most_is_answered() -> None:
    known = {plain_word(word) for word in words_of_the_format()}
    assert [word for word in WANTED.split() if plain_word(word) not in known and not wish(word)] == []


def test_no_word_that_may_be_written_is_called_missing() -> None:
    """What becomes a word of the format leaves the table, unless its answer says what it is a key of."""
    known = {plain_word(word) for word in words_of_the_format()}
    answered = [plain_word(word) for each in WISHES for word in each.words]
    missing = {plain_word(word) for each in WISHES if "key of" not in each.sentence for word in each.words}
    assert sorted(missing & known) == []
    assert len(answered) == len(set(answered))
    functions = [plain_word(word) for each in FUNCTION_WISHES for word in each.words]
    written = {plain_word(name) for name in (*PUBLIC_FUNCTIONS, *WRITTEN, "identity")}
    assert sorted({*functions, *FUNCTIONS_ELSEWHERE} & written) == []
    assert len(functions) == len(set(functions)) and not FUNCTIONS_ELSEWHERE & {*functions}


EVERY = (*WISHES, *FUNCTION_WISHES)


@pytest.mark.parametrize("each", EVERY, ids=[each.words[0] for each in EVERY])
def test_every_page_has_its_heading(each) -> None:
    file, _, anchor = each.page.partition("#")
    headings = re.findall(r"^#+ (.*)$", (ROOT / file).read_text(encoding="utf-8"), re.M)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert not anchor or anchor in anchors
    assert each.sentence.endswith(".") and len(each.sentence) < 260
    for shipped in re.findall(r"\b(?:specs|examples)/\w+\.\w+", each.sentence):
        assert (ROOT / shipped).is_file()


def test_the_page_lists_them() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


PLACES = {
    "a key of a layer": (
        changed("layers.1.dropout", 0.5),
        "unknown key 'dropout'",
        "drawn anew at every step",
    ),
    "a kind": (changed("layers.1.kind", "LSTM"), "unknown kind 'LSTM'", "specs/lstm.toml"),
    "a dashed kind": (changed("layers.1.kind", "batch-norm"), "unknown kind 'batch-norm'", "over the batch"),
    "an activation": (
        changed("layers.1.activation", "mish"),
        "unknown activation 'mish'",
        "h * tanh(softplus(h))",
    ),
    "a function": (
        changed("layers.1.activation", "swish(h)"),
        "unknown function 'swish'",
        "silu is the same",
    ),
    "a module": (changed("layers.1.activation", "nn.ReLU"), "unknown name 'nn.ReLU'", "no modules"),
    "a module's function": (
        changed("layers.1.activation", "nn.relu(h)"),
        "unknown function 'nn.relu'",
        "relu(h)",
    ),
    "a key of training": (
        changed("training.epochs", 3),
        "unknown key 'epochs'",
        "epochs * samples / batch_size",
    ),
    "a rule as a key": (changed("training.momentum", 0.9), "unknown key 'momentum'", "{ kind = "),
    "a key of training in a layer": (changed("layers.1.clip", 1), "unknown key 'clip'", "key of [training]"),
    "a loss": (changed("loss.kind", "mse"), "unknown kind 'mse'", 'kind = "squared"'),
    "a data set": (changed("data.kind", "mnist"), "unknown kind 'mnist'", 'kind = "idx"'),
    "a key of solver": (changed("solver", {"dtype": "float32"}), "unknown key 'dtype'", "precision"),
}


@pytest.mark.parametrize("place", PLACES)
def test_answers_stand_beside_what_is_allowed(place) -> None:
    """What was found, what it is called here with the page, what is allowed."""
    document, found, answer = PLACES[place]
    with pytest.raises(SpecError) as caught:
        parse_document(document)
    message = str(caught.value)
    assert found in message and answer in message and ".md" in message
    assert "Allowed:" in message or "Remove the key" in message


def test_names_of_layers_are_not_taken_for_wishes() -> None:
    with pytest.raises(SpecError, match=r"there is no layer 'linear'. Allowed: h1, h2, x"):
        parse_document(changed("layers.1.from", "linear"))


def dense(**keys):
    return changed("layers.1", long_form({"from": "h1", "weight": "normal(0, 1)"}, **keys))


def recurrent():
    """The gated recurrent layer that is gated by a second pre-activation."""
    document = changed("data", {"kind": "teacher", "dimension": 6, "shape": [3, 2], "target": "x1"})
    own = [
        {"from": "x", "weight": "normal(0, 1)"},
        {"from": "r", "kind": "recurrent", "weight": "normal(0, 1)"},
    ]
    gate = [each | {"into": "g"} for each in own]
    layer = {"name": "r", "steps": 3, "activation": "tanh(h) * sigmoid(g)", "connections": own + gate}
    return document | {"layers": [layer], "output": {"from": "r", "weight": "normal(0, 1)"}}


ADVICE = {
    "dropout": dense(
        activation="heaviside(r - 0.5) * relu(h)", parameters={"r": {"law": "uniform(0, 1)", "rate": 0}}
    ),
    "layer norm": dense(activation="(h - mean(h)) / sqrt(mean((h - mean(h))**2) + 0.001)"),
    "celu": dense(activation="a * elu(h / a)", parameters={"a": "2"}),
    "prelu": dense(activation="max(h, 0) + a * min(h, 0)", parameters={"a": "0.2"}),
    "mish": dense(activation="h * tanh(softplus(h))"),
    "hardtanh": dense(activation="max(-1, min(h, 1))"),
    "hard swish": dense(activation="h * max(0, min(h / 6 + 0.5, 1))"),
    "frozen": changed("layers.1.weight", {"law": "normal(0, 1)", "rate": 0}),
    "initializer": changed("layers.0.weight", "normal(0, sqrt(2/fan_in))"),
    "mae": changed("loss", {"kind": "expression", "expression": "abs(yhat - y)"}),
    "hinge": changed("loss", {"kind": "expression", "expression": "max(0, 1 - y * yhat)"}),
    "schedule": changed("training.schedule", "1 / (1 + k / 100)"),
    "warm-up": changed("training.schedule", {"kind": "cosine", "warmup": 4}),
    "momentum": changed("training.optimizer", {"kind": "momentum", "mu": 0.9}),
    "decay": changed("training.weight_decay", {"h2.weight": 0.01}),
    "left out": changed("training.dropout", {"h1": 0.1}),
    "identity": changed("layers.1.activation", "identity"),
    "gate": recurrent(),
}


@pytest.mark.parametrize("name", ADVICE)
def test_what_is_advised_derives(name) -> None:
    assert mf.derive(mf.load(ADVICE[name])).evolution


def test_identity_is_what_a_layer_without_activation_has() -> None:
    named = parse_document(changed("layers.0.activation", "identity")).layer["h1"]
    silent = parse_document(changed("layers.0.activation", ...)).layer["h1"]
    assert named.activation == silent.activation
    assert str(named.activation) == "bias + h"
    own = dense(activation="identity + h", parameters={"identity": "1"})
    assert str(parse_document(own).layer["h2"].activation) == "h + identity"


@pytest.mark.parametrize(
    ("table", "key", "value", "words"),
    [
        ("", "groups", 2, "Groups of neurons are a key of a convolution, groups = G"),
        ("training", "epochs", 3, "counted in steps: steps = epochs"),
        ("training", "shuffle", True, r"seed in \[solver\]"),
        ("training", "clip_grad", 1, "clip = 1.0"),
        ("training", "validation_split", 0.2, "test = 0.2, a fifth of them"),
        ("data", "normalize", True, 'scale = "standardize"'),
        ("data", "kind", "iris", r'kind = "arrays" \(docs/data.md\)'),
        ("loss", "kind", "l1", r'expression = "abs\(yhat - y\)"'),
        ("loss", "kind", "l2", 'as a loss it is kind = "squared"'),
        ("loss", "class_weight", [1, 2], r"softplus\(-y \* yhat\)"),
        ("training", "schedule", "0", "Leave the key out for a constant rate"),
        ("training", "schedule", "1 - k", r"max\(e, 0\) cuts e off"),
    ],
)
def test_words_are_answered_where_people_write_them(table, key, value, words) -> None:
    """No other word is offered for a data set or a loss of that name; what is refused has a next step."""
    with pytest.raises(SpecError, match=words) as found:
        parse_document(changed(f"{table}.{key}" if table else key, value))
    assert "Did you mean" not in str(found.value)
