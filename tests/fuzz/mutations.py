"""Mutants of shipped specs: what a careless or a hostile hand makes of a file that works.

A mutant is the text or the document of a spec with one to three changes, all of them chosen by a seed.
"""

import copy
import random
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

SPECS = Path(__file__).parents[2] / "specs"
CANARY = "canary"  # a file of this name appears where a mutant was run as code

LONG = "a" * 100_000
WORDS = (
    "",
    " ",
    "0",
    "1",
    "-1",
    "x",
    "h",
    "h1",
    "h2",
    "w",
    "u",
    "output",
    "relu",
    "tanh",
    "identity",
    "selu",
    "dense",
    "skip",
    "recurrent",
    "convolution",
    "all",
    "same",
    "valid",
    "normal(0, 1)",
    "normal(1, -1)",
    "normal(0, 1e40)",
    "uniform(1, 0)",
    "rademacher(1)",
    "sphere(1)",
    "1/0",
    "h/0",
    "exp(exp(exp(h)))",
    "log(-1)",
    "sqrt(h)",
    "9**9**9",
    "(" * 300 + "h" + ")" * 300,
    "h" + " + h" * 900,
    "mean(h)",
    "softmax(h, positions)",
    "source.w[0]",
    "target.b",
    "k < 3",
    "adam",
    "momentum",
    "cosine",
    "piecewise",
    "standardize",
    "drop",
    "1 - k",
    "0.5 * (1 + cos(pi * k / 4))",
    "dropout",
    "lstm",
    "nn.ReLU",
    "\x00",
    "\x1b[31m",
    "ä",
    "h\n+ h",
    LONG,
    "1" * 5_000,
    "../../../etc/passwd",
    "/dev/zero",
    "/dev/stdin",
    "no such file.npz",
    "y" * 300,
)
CODE = (
    "__import__('pathlib').Path('{canary}').touch()",
    "().__class__.__base__.__subclasses__()",
    "exec(\"open('{canary}', 'w')\")",
    "{{h.__init__.__globals__}}",
    "lambda: open('{canary}', 'w')",
    "(h for h in open('{canary}', 'w'))",
    "eval('1')",
    "!!python/object/apply:pathlib.Path.touch ['{canary}']",
    "$(touch {canary})",
    "`touch {canary}`",
    "h if open('{canary}', 'w') else u",
)
NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    -1,
    -7,
    64,
    1_000,
    10**6,
    10**9,
    2**31,
    2**63 - 1,
    2**63,
    10**30,
    10**400,
    0.0,
    -0.0,
    0.5,
    -0.5,
    1e-300,
    5e-324,
    1e-9,
    1e9,
    1e300,
    float("nan"),
    float("inf"),
    float("-inf"),
    True,
    False,
)
KEYS = (
    "name",
    "from",
    "kind",
    "weight",
    "bias",
    "activation",
    "neurons",
    "size",
    "width",
    "steps",
    "repeat",
    "layers",
    "connections",
    "parameters",
    "operation",
    "into",
    "delay",
    "average",
    "kernel",
    "stride",
    "padding",
    "window",
    "dimension",
    "shape",
    "samples",
    "test",
    "range",
    "y",
    "outputs",
    "learning_rate",
    "batch_size",
    "schedule",
    "optimizer",
    "weight_decay",
    "decoupled",
    "noise",
    "clip",
    "beta1",
    "mu",
    "warmup",
    "default",
    "groups",
    "losses",
    "data_seed",
    "nodes",
    "widths",
    "law",
    "rate",
    "transpose",
    "expression",
    "delta",
    "error",
    "dropout",
    "scale",
    "scale_y",
    "one_hot",
    "missing",
    "skip_rows",
    "delimiter",
    "headings",
    "file",
    "",
    LONG,
)


def mutant(seed: int, canary: Path) -> tuple[str, Any]:
    """The name of the spec, and its mutant: bytes of a file, or a document (what TOML gives)."""
    rng = random.Random(seed)
    path = rng.choice(sorted(SPECS.glob("*.toml")))
    text = path.read_bytes()
    if rng.random() < 0.25:
        return path.stem, _mutated_bytes(text, rng)
    document = tomllib.loads(text.decode())
    _shorten(document)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        _mutate(document, rng, str(canary))
    return path.stem, document


def _shorten(document: dict[str, Any]) -> None:
    """Data that is read from files is slow to read two thousand times; few rows of it do as well."""
    if document["data"]["kind"] == "digits":
        document["data"]["samples"] = 40


def _mutated_bytes(text: bytes, rng: random.Random) -> bytes:
    """Lines and characters removed, doubled, exchanged or overwritten."""
    for _ in range(rng.choice((1, 1, 2, 5))):
        lines = text.split(b"\n")
        line, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        way = rng.randrange(6)
        if way == 0:
            del lines[line]
        elif way == 1:
            lines.insert(other, lines[line])
        elif way == 2:
            lines[line], lines[other] = lines[other], lines[line]
        elif way == 3:
            place = rng.randrange(len(lines[line]) + 1)
            lines[line] = (
                lines[line][:place]
                + bytes([rng.choice((rng.randrange(256), *b"0123456789", *b"=[]{}\"'#,.-eha"))])
                + lines[line][place + 1 :]
            )
        elif way == 4:
            lines = lines[:line]
        else:
            lines[line] = lines[line] * rng.choice((2, 50))
        text = b"\n".join(lines)
    return text


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a document."""
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    found = [(value, key) for key in keys]
    for key in keys:
        found += _places(value[key])
    return found


@cache
def corpus() -> dict[Any, list[Any]]:
    """What the shipped specs say under each key."""
    found: dict[Any, list[Any]] = {}
    for path in sorted(SPECS.glob("*.toml")):
        for container, key in _places(tomllib.loads(path.read_text(encoding="utf-8"))):
            found.setdefault(key, []).append(container[key])
    return found


def _mutate(document: dict[str, Any], rng: random.Random, canary: str) -> None:
    """One change somewhere in a document."""
    places = _places(document)
    if not places:
        return
    leaves = [(held, key) for held, key in places if not isinstance(held[key], dict | list)]
    container, key = rng.choice(leaves if leaves and rng.random() < 0.7 else places)
    way = rng.randrange(10)
    if isinstance(container, dict) and rng.random() < 0.35:  # what another spec says there
        others = corpus()
        key = key if rng.random() < 0.8 else rng.choice(sorted(name for name in others if name in KEYS))
        container[key] = copy.deepcopy(rng.choice(others.get(key, [0])))
        return
    if way <= 4:
        container[key] = _value(container[key], document, rng, canary)
    elif way == 5:
        del container[key]
    elif way == 6 and isinstance(container, dict):
        container[rng.choice(KEYS)] = container.pop(key)
    elif way == 7 and isinstance(container, dict):
        container[rng.choice(KEYS)] = _value(None, document, rng, canary)
    elif way == 8 and isinstance(container, list):
        container.insert(rng.randrange(len(container) + 1), copy.deepcopy(container[key]))
    else:
        other, there = rng.choice(places)
        container[key] = copy.deepcopy(other[there])


def _value(old: Any, document: dict[str, Any], rng: random.Random, canary: str) -> Any:
    """A value for a place: like the old one and extreme, or of another type."""
    way = rng.randrange(12)
    if way <= 2 and isinstance(old, str) and old:
        place = rng.randrange(len(old))
        piece = rng.choice(("", "(", ")", "*", "**", "-", "[0]", ".b", " ", "1e9", "h", rng.choice(WORDS)))
        return old[:place] + piece + old[place + rng.randrange(2) :]
    if way <= 4 and isinstance(old, int | float) and not isinstance(old, bool):
        half = old // 2 if abs(old) > 1e300 and isinstance(old, int) else old / 2  # no larger ones divide
        return rng.choice((*NUMBERS, 2 * old, old + 1, half, -old, 10 * old))
    if way <= 6:
        return rng.choice(WORDS)
    if way == 7:
        return rng.choice(CODE).format(canary=canary)
    if way == 8:
        return rng.choice(NUMBERS)
    if way == 9:
        return [old] if rng.random() < 0.5 else [rng.choice(NUMBERS), rng.choice(WORDS)]
    if way == 10:
        return {rng.choice(KEYS): rng.choice(WORDS)}
    return copy.deepcopy(rng.choice([container[key] for container, key in _places(document)]))
