"""All faults of a spec at once: each where it stands, none twice, none that only follows from another."""

from __future__ import annotations

import copy
import random
import tomllib
from pathlib import Path
from typing import Any

import pytest

import mfderive as mf
from mfderive.errors import SpecError
from mfderive.format.reader import parse_document
from mfderive.format.toml_places import Places
from mfderive.samples.spec_faults import SpecFault, content_faults

from .documents import SPECS, changed

SPEC = """\
format = 1
[data]
kind = "teacher"
dimension = 3
target = "abs(x1)"
[loss]
kind = "squared"
[[layers]]
name = "h1"
from = "x"
weight = "normal(0, 1)"
bias = "0"
activation = "tanh"
[[layers]]
name = "h2"
activation = "gain * tanh(h)"
parameters.gain = "normal(1, 0.1)"
[[layers.connections]]
from = "h1"
weight = { law = "normal(1, 0.1)", rate = 0.5 }
[output]
from = "h2"
weight = "normal(1, 0.1)"
[training]
learning_rate = 0.01
steps = 10
[check]
widths = [4, 8]
"""


def faults(text: str, data: bool = False) -> list[SpecFault]:
    return content_faults(text.encode(), "net.toml", data=data)


def marked(fault: SpecFault) -> str:
    """What the carets stand under."""
    return fault.source[fault.column - 1 : fault.column - 1 + fault.length]


def with_lines(**new: str) -> str:
    """The spec with the lines that begin with these words replaced."""
    found = SPEC
    for old, line in new.items():
        rows = [row for row in found.split("\n") if row.startswith(old)]
        assert rows, old
        found = found.replace(rows[0], line, 1)
    return found


def test_a_right_spec_has_no_faults() -> None:
    assert faults(SPEC, data=True) == []


# text -> what is marked, with its kind, in the order of the file.
FAULTY: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "one of everything": (
        with_lines(
            target='target = "abs(x1) + foo(x2)"',
            kind='kind = "teacher"\nnoise = -1',
            bias="bias = 0",
            activation='activation = "tanhh"',
            steps="steps = 10.5",
            widths="widths = [8, 8]",
        ),
        [
            ("-1", "wrong-value"),
            ("foo", "meaning"),
            ("0", "wrong-value"),
            ('"tanhh"', "meaning"),
            ("10.5", "wrong-value"),
            ("[8, 8]", "wrong-value"),
        ],
    ),
    "in a table in a line": (
        SPEC.replace("rate = 0.5", "rate = -1, nmae = 1"),
        [("-1", "wrong-value"), ("nmae", "unknown-key")],
    ),
    "a missing key is marked at its table": (
        SPEC.replace("learning_rate = 0.01\n", ""),
        [("training", "missing-key")],
    ),
    "a missing key of a list of tables": (
        SPEC.replace('from = "h1"\n', ""),
        [("layers.connections", "missing-key")],
    ),
    "a misspelt key is not missing too": (
        SPEC.replace("learning_rate", "learning_rat").replace('weight = "normal(1, 0.1)"', 'weigth = "0"'),
        [("weigth", "unknown-key"), ("learning_rat", "unknown-key")],
    ),
    "a layer without a name is not missed where it is read": (
        SPEC.replace('name = "h1"', "name = 3"),
        [("3", "wrong-value")],
    ),
    "two layers of one name": (SPEC.replace('name = "h2"', 'name = "h1"'), [('"h1"', "meaning")]),
    "parameters in doubt are not unknown in the activation": (
        SPEC.replace("parameters.gain =", "parameters.gain.lw ="),
        [("lw", "unknown-key")],
    ),
    "an unknown name is marked alone": (
        SPEC.replace("gain * tanh(h)", "gain * tanh(h + shift)"),
        [("shift", "unknown-name")],
    ),
    "a name that is the beginning of another one": (
        SPEC.replace('"abs(x1)"', '"x1 * x11 + x1111 + x111"').replace("dimension = 3", "dimension = 200"),
        [("x1111", "unknown-name")],
    ),
    "a source that is not there": (SPEC.replace('from = "h1"', 'from = "h7"'), [('"h7"', "meaning")]),
    "a cycle, which has a layer and no key of its own": (
        SPEC.replace('from = "h1"', 'from = "h2"'),
        [("layers", "meaning")],
    ),
    "several tables together": (
        SPEC + '[solver]\nnodes = { h9 = 3 }\n[[losses]]\nkind = "squared"\nfrom = "h1"\n',
        [("3", "meaning"), ('"h1"', "meaning")],
    ),
    "what is written over several lines": (
        SPEC.replace('"normal(0, 1)"', '"""\nnormal(0,\n  foo)"""'),
        [("foo", "unknown-name")],
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_faults_are_where_they_stand(name: str) -> None:
    text, wanted = FAULTY[name]
    found = faults(text)
    assert [(marked(fault), fault.kind) for fault in found] == wanted
    for fault in found:
        assert fault.source == text.split("\n")[fault.line - 1]
        assert (
            f"net.toml:{fault.line}:{fault.column}: " in fault.text and fault.text.count("^") == fault.length
        )


def test_a_key_that_is_missing_at_the_top_stands_nowhere() -> None:
    (fault,) = faults(SPEC.replace("format = 1\n", ""))
    assert (fault.line, fault.column, fault.length, fault.kind) == (1, 1, 0, "missing-key")
    assert "^" not in fault.text


def test_carets_follow_tabs() -> None:
    (fault,) = faults(SPEC.replace("steps = 10", "\tsteps\t= 10.5"))
    under = fault.text.split("\n")[2]
    assert under.endswith("\t     \t  ^^^^") and marked(fault) == "10.5"


def test_what_a_terminal_would_obey_or_widen_moves_no_caret() -> None:
    """Wide characters take two columns, combining ones none; escape sequences are shown as a sign."""
    spec = SPEC.replace('"normal(1, 0.1)", rate = 0.5', '"漢e\u0301\u202e", rate = -1')
    (fault,) = [each for each in faults(spec) if "rate" in str(each.key)]
    assert marked(fault) == "-1"
    _, source, under, *_ = fault.text.split("\n")
    assert "漢e\u0301·" in source
    # One column more for 漢, one less for the accent: that many signs before both.
    assert under.index("^") == source.index("-1") and under.count("^") == 2
    (fault,) = faults(SPEC.replace('kind = "squared"', 'kind = "\\u001b[2J" # \\'))
    assert "\x1b" not in fault.text


def test_of_a_line_without_end_what_is_near_is_shown() -> None:
    long = " + ".join(["tanh(h)"] * 60)
    (fault,) = faults(SPEC.replace('"gain * tanh(h)"', f'"{long} + gian + {long}"'))
    _, source, under, *_ = fault.text.split("\n")
    at = under.index("^")
    assert len(source) < 130 and source[at : at + under.count("^")] == "gian" == marked(fault)
    assert source.endswith("...") and fault.source.count("tanh") == 120


def test_a_law_is_read_beside_other_faults_of_its_table() -> None:
    found = faults(SPEC.replace('"normal(1, 0.1)", rate = 0.5', '"norml(1, 0.1)", rate = -1, lwa = 2'))
    assert [marked(fault) for fault in found] == ["norml", "-1", "lwa"]
    (fault,) = faults(SPEC.replace('"normal(1, 0.1)", rate', '"normal(1, -0.1)", rate'))
    assert marked(fault) == '"normal(1, -0.1)"'
    (fault,) = faults(SPEC.replace("gain * tanh(h)", "gain * tanh(h) ; h"))
    assert marked(fault) == ";"


def test_a_name_that_is_taken_hides_no_other_fault_of_its_layer() -> None:
    spec = SPEC.replace('name = "h2"', 'name = "h1"').replace("gain * tanh(h)", "gain * tnah(h)")
    found = faults(spec.replace("rate = 0.5", "rate = -0.5"))
    assert [marked(fault) for fault in found] == ['"h1"', "tnah", "-0.5"]


def test_bytes_of_another_encoding_have_their_place() -> None:
    text = SPEC.replace("format = 1", 'format = 1\r\ntitle = "für"')
    (fault,) = content_faults(text.encode("latin-1"), "net.toml")
    assert (fault.line, fault.column, fault.kind) == (2, 11, "file") and "0xfc" in fault.problem


SYNTAX: dict[str, tuple[str, list[tuple[int, int]]]] = {
    "a word without quotes": (SPEC.replace('"squared"', "squared"), [(7, 8)]),
    "two of them": (SPEC.replace('"squared"', "squared").replace('"tanh"', "tanh"), [(7, 8), (13, 14)]),
    "said twice": (SPEC.replace("steps = 10", "steps = 10\nsteps = 11"), [(27, 1)]),
    "a head that does not end": (SPEC.replace("[output]", "[output"), [(21, 8)]),
    "a table twice": (SPEC.replace("[output]", "[data]\nkind = 1\n[output]"), [(21, 2)]),
    "a table in braces over lines": (SPEC.replace("0.5 }", "\n0.5 # }\n}\nfrom = h1"), [(20, 43), (23, 8)]),
    "a quote that does not end": (SPEC.replace('"squared"', '"squared'), [(7, 16)]),
    "a list that does not end": (SPEC.replace("[4, 8]", "[4, 8"), [(29, 1)]),
}


@pytest.mark.parametrize("name", SYNTAX)
def test_faults_of_syntax_have_their_place(name: str) -> None:
    text, wanted = SYNTAX[name]
    found = faults(text)
    assert {fault.kind for fault in found} == {"syntax"}
    assert [(fault.line, fault.column) for fault in found] == wanted or name == "a list that does not end"
    if name == "a list that does not end":
        assert found[0].line >= 28
    assert all("at line" not in fault.sentence for fault in found)


def test_windows_line_ends_and_a_mark_at_the_beginning_move_nothing() -> None:
    text = SPEC.replace("steps = 10", "steps = 10.5")
    other = b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
    assert content_faults(other, "net.toml", data=False) == faults(text)


def test_data_and_sizes_are_looked_at_once_the_spec_is_right(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text(SPEC.replace("[output]", "[output]\noutputs = 4"))
    (fault,) = mf.check_spec(path)
    assert (marked(fault), fault.table) == ("4", "output")
    assert mf.check_spec(path, data=False) == []
    path.write_text(
        SPEC.replace(
            'kind = "teacher"\ndimension = 3\ntarget = "abs(x1)"', 'kind = "arrays"\nfile = "no.npz"'
        )
    )
    (fault,) = mf.check_spec(path)
    assert (marked(fault), fault.kind) == ('"no.npz"', "data")


def test_files_that_cannot_be_read_are_faults(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none.toml", tmp_path, tmp_path / "binary.toml"):
        (fault,) = mf.check_spec(path)
        assert (fault.kind, fault.file) == ("file", str(path)) and fault.data["sentence"] == fault.sentence


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_entry_of_a_shipped_spec_has_its_place(path: Path) -> None:
    """The value that a place marks says, read alone, what the whole text says there."""
    text = path.read_text()
    places, looked_at = Places(text), 0

    def look(value: Any, way: tuple[str | int, ...]) -> None:
        nonlocal looked_at
        if isinstance(value, dict | list):
            for name, each in value.items() if isinstance(value, dict) else enumerate(value):
                look(each, (*way, name))
        if way and not isinstance(value, dict):
            spot, is_exact = places.spot(way)
            assert spot is not None and is_exact
            if not isinstance(value, list) or not isinstance(value[0], dict):
                assert tomllib.loads(f"key = {text[spot.value.start : spot.value.end]}")["key"] == value
            looked_at += 1

    look(tomllib.loads(text), ())
    assert looked_at > 10


VALUES: list[Any] = [
    "foo",
    "normal(0, foo)",
    "",
    0,
    -1.5,
    [],
    {},
    [1],
    float("nan"),
    {"law": "0", "rate": -1},
    "h1",
    "skip",
]
KEYS = [
    "strange",
    "weigth",
    "nam",
    "neurons",
    "size",
    "steps",
    "kind",
    "into",
    "repeat",
    "layers",
    "connections",
]


def mutant(seed: int) -> tuple[dict[str, Any], int]:
    """A document with up to three changes at random places, and how many there are."""
    chance = random.Random(seed)
    document = copy.deepcopy(tomllib.loads(chance.choice(SPECS).read_text()))
    count = chance.choice([1, 2, 3])
    for _ in range(count):
        place: Any = document
        while True:
            inner = [
                each
                for each in (place.values() if isinstance(place, dict) else place)
                if isinstance(each, dict | list)
            ]
            if not inner or chance.random() < 0.3:
                break
            place = chance.choice(inner)
        if isinstance(place, dict):
            name = chance.choice([*place, *KEYS])
            if name in place and chance.random() < 0.3:
                del place[name]
            else:
                place[name] = copy.deepcopy(chance.choice(VALUES))
        elif place:
            place[chance.randrange(len(place))] = copy.deepcopy(chance.choice(VALUES))
    return document, count


def test_whatever_is_wrong_is_gathered_without_a_fault_of_the_program() -> None:
    """120 documents with random changes: each reads, or has faults of which every place comes once.

    A change is said in one sentence, or in a few where one key holds others; the bound is loose, and would be
    broken at once if what follows from a fault were listed too.
    """
    refused = 0
    for seed in range(120):
        document, count = mutant(seed)
        try:
            parse_document(document, "net.toml")
        except SpecError as error:
            refused += 1
            places = [
                (".".join(map(str, each.path)) or each.table, each.key) for each in (error, *error.others)
            ]
            assert len(set(places)) == len(places), (seed, places)
            assert len(places) <= 4 * count + 8, (seed, places)
            assert all(each.others == () for each in error.others)
    assert refused > 80


def test_the_first_fault_is_raised_and_the_others_come_with_it() -> None:
    document = changed("training.steps", -1)
    document["loss"] = {"kind": "squred"}
    with pytest.raises(SpecError, match="found -1, but 'steps'") as caught:
        parse_document(document, "net.toml")
    assert [each.problem for each in caught.value.others] == ["unknown kind 'squred'"]
