"""One layout for spec files: nothing lost, nothing moved, nothing said otherwise, and no second change."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfderive.errors import SpecError
from mfderive.format.formatting import WIDTH, comments, formatted, same
from mfderive.format.reader import parse_document

from .documents import SPECS

ALL = [*SPECS, *sorted((Path(__file__).parents[2] / "specs").glob("*/*.toml"))]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_shipped_specs_are_in_the_layout(path: Path) -> None:
    text = path.read_text()
    assert formatted(text) == text


def test_the_starter_is_in_the_layout() -> None:
    text = files("mfderive.cli").joinpath("starter.toml").read_text(encoding="utf-8")
    assert formatted(text) == text


@pytest.mark.parametrize("path", SPECS[::4], ids=lambda path: path.stem)
def test_the_network_of_an_untidy_spec_stays(path: Path) -> None:
    """Tidy again, an untidy copy is the shipped file; in between it is the same network."""
    text = path.read_text()
    untidy = (
        re.sub(r"^([\w.]+) = ", "\t \\1=", text, flags=re.MULTILINE)
        .replace("\n\n", "\n\n\n")
        .replace("]]", " ]]  ")
    )
    assert untidy != text and formatted(untidy) == text
    assert parse_document(tomllib.loads(untidy), "net.toml") == parse_document(
        tomllib.loads(text), "net.toml"
    )


UNTIDY = """\


#:schema ./mfderive.schema.json
format=1   # the format
title   =   "It's" # not simple
[ data ]

kind = 'teacher' #kind
dimension= 4
target = '''
abs(x1)'''
# about the loss
[loss]
kind = "squared"
[[ layers ]]


name = "h1"
"from" = "x" # a
weight = {law="normal(0, 1)",rate=0.5} # b


parameters . "gain" = "normal(1, 0.1)"
[[layers . connections]]
list = [ # first
1, # one
  # alone
  [2,3 ], {a=1 , "b c"=2}
  , 4 # four
] # behind
widths = [
  1,
  2,
]
short = [
  1, 2]
empty = [ ]
none = {}
"""
TIDY = """\
#:schema ./mfderive.schema.json
format = 1      # the format
title = "It's"  # not simple

[data]
kind = "teacher"  #kind
dimension = 4
target = '''
abs(x1)'''

# about the loss
[loss]
kind = "squared"

[[layers]]
name = "h1"
from = "x"                                     # a
weight = { law = "normal(0, 1)", rate = 0.5 }  # b

parameters.gain = "normal(1, 0.1)"
[[layers.connections]]
list = [  # first
    1,  # one
    # alone
    [2, 3],
    { a = 1, "b c" = 2 },
    4,  # four
]  # behind
widths = [
    1,
    2,
]
short = [1, 2]
empty = []
none = {}
"""


def test_an_untidy_text_becomes_tidy() -> None:
    assert formatted(UNTIDY) == TIDY


def test_a_long_list_gets_a_line_for_each_item() -> None:
    text = f"means = [{', '.join(f'[{number}.5, {number}.25]' for number in range(12))}]\n"
    assert len(text) > WIDTH
    rows = formatted(text).split("\n")
    assert rows[0] == "means = [" and rows[1] == "    [0.5, 0.25]," and rows[13] == "]"


def test_neighbouring_comments_keep_their_column() -> None:
    for text in ("a = 1        # x\nbcd = 22     # y\n", "a = 1                                   # far\n"):
        assert formatted(text) == text
    assert formatted("a = 1 # x\nbcd = 22   # y\n") == "a = 1     # x\nbcd = 22  # y\n"


def test_comments_of_lists_within_braces_stay() -> None:
    """A table in braces ends in its line, but its lists may go over several, with comments."""
    text = "a = { b = [1, # one\n2], c = [ # two\n], d = {e = [ # three\n3]} } # four\n"
    assert comments(text) == ["# one", "# two", "# three", "# four"]
    assert comments(formatted(text)) == comments(text)
    assert formatted(text).startswith("a = { b = [\n    1,") and formatted(formatted(text)) == formatted(text)


def test_what_is_not_toml_is_refused() -> None:
    with pytest.raises(SpecError, match=r"net.toml: this is not TOML"):
        formatted("a = b\n", "net.toml")


# --- random layouts ---------------------------------------------------------------------------------------

_SPACE = st.sampled_from(["", " ", "  ", "\t"])
_NAMES = st.sampled_from(["a", "b-1", '"c d"', "'e.f'", '"g"', "h_2"])
_PLAIN = st.sampled_from(
    [
        '"x"',
        "'y'",
        "'q\"q'",
        "'b\\s'",
        '"""z"""""',
        "'''m\n # no comment'''",
        '"""\n\\\n  n"""',
        "1",
        "-0.5e3",
        "0x1F",
        "inf",
        "nan",
        "true",
        "1979-05-27 07:32:00",
        "07:32:00",
        '"# no"',
        '"]"',
        '"\\""',
    ]
)
_COMMENTS = st.sampled_from(["# one", "#two", "#", "# a = [1, #", "#  \t three ", '# "'])


@st.composite
def layouts(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A random TOML text in a random layout, and its comments."""
    comments: list[str] = []

    def comment() -> str:
        if draw(st.booleans()):
            return draw(_SPACE)
        comments.append(draw(_COMMENTS))
        return draw(_SPACE) + comments[-1]

    def between() -> str:
        """What may stand between the items of a list."""
        kinds = draw(st.lists(st.sampled_from(["space", "line"]), max_size=2))
        return "".join(draw(_SPACE) if kind == "space" else f"{comment()}\n" for kind in kinds)

    def value(depth: int, inline: bool = False) -> str:
        kind = draw(st.sampled_from(["plain", "plain", "list", "table"])) if depth < 3 else "plain"
        if kind == "plain":
            found = draw(_PLAIN)
            return "'m'" if inline and "\n" in found else found
        count = draw(st.integers(0, 3))
        if kind == "table":
            entries = [
                f"k{number}{draw(_SPACE)}={draw(_SPACE)}{value(depth + 1, True)}" for number in range(count)
            ]
            return "{" + draw(_SPACE) + f"{draw(_SPACE)},{draw(_SPACE)}".join(entries) + draw(_SPACE) + "}"
        items = "".join(f"{between()}{value(depth + 1, inline)}{between()}," for _ in range(count))
        if count and draw(st.booleans()):
            items = items[:-1]
        return f"[{items}{between()}]"

    def entries(names: list[str]) -> str:
        rows = []
        for name in names:
            rows.append("\n" * draw(st.integers(0, 3)))
            if draw(st.integers(0, 3)) == 0:
                comments.append(draw(_COMMENTS))
                rows.append(f"{draw(_SPACE)}{comments[-1]}\n")
            rows.append(f"{draw(_SPACE)}{name}{draw(_SPACE)}={draw(_SPACE)}{value(0)}{comment()}\n")
        return "".join(rows)

    names = st.lists(_NAMES, max_size=3, unique_by=lambda name: name.strip("\"'"))
    parts = [entries(draw(names))]
    for number in range(draw(st.integers(0, 3))):
        head = draw(
            st.sampled_from([f"[t{number}]", f"[ t{number} . 'x y' ]", "[[many]]", f"[[m{number}.n]]"])
        )
        parts.append(f"{draw(_SPACE)}{head}{comment()}\n{entries(draw(names))}")
    return "".join(parts), comments


@settings(max_examples=150, deadline=None)
@given(layouts())
def test_random_layouts_lose_nothing(made: tuple[str, list[str]]) -> None:
    """The document with the order of its keys is the same, every comment is there once and in order, and a
    second time changes nothing."""
    text, comments = made
    after = formatted(text)
    assert same(tomllib.loads(text), tomllib.loads(after))
    assert formatted(after) == after
    assert after == "" or (after.endswith("\n") and not after.startswith("\n") and "\n\n\n" not in after)
    place = 0
    for comment in comments:
        assert comment.rstrip() in after[place:]
        place = after.index(comment.rstrip(), place) + len(comment.rstrip())
    rows = [row for row in after.split("\n") if "'''" not in row and '"""' not in row]
    assert all(row == row.rstrip() for row in rows)
