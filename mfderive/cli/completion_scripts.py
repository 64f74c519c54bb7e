"""Scripts by which shells complete a command line, made of its commands as plain data."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a flag or an argument is completed with."""

    NOTHING = "nothing"  # a flag without a value
    WORD = "word"  # any word: nothing is offered
    VALUES = "values"
    FILE = "file"
    SPEC = "spec"  # a file that ends in .toml


@dataclass(frozen=True)
class Flag:
    """A flag: how it is written, what it means, and its value (which may be left out)."""

    names: tuple[str, ...]
    words: str
    kind: Kind
    values: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class Argument:
    """An argument by its place; ``many``: one or more of them."""

    name: str
    kind: Kind
    values: tuple[str, ...] = ()
    many: bool = False


@dataclass(frozen=True)
class Offered:
    """One command: what it does, its flags and its arguments."""

    words: str
    flags: tuple[Flag, ...]
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Commands:
    """All commands by name, and the flags that stand before them."""

    commands: Mapping[str, Offered]
    flags: tuple[Flag, ...]


# --- bash -------------------------------------------------------------------------------------------------

_BASH = """\
# Completion of mfderive for bash, written by `mfderive completion bash`.
_mfderive() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} command= word
    local flags={flags} values= kind=
    COMPREPLY=()
    # --flag=value comes as three words.
    if [[ $current == "=" ]]; then
        current=
    elif [[ $previous == "=" ]]; then
        previous=${{COMP_WORDS[COMP_CWORD-2]}}
    fi
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $word in
            {names}) command=$word; break ;;
        esac
    done
    case $command in
        "") values={words} ;;
{commands}
    esac
    case "$command $previous" in
{values}
    esac
    case $kind in
        file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        spec)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -d -- "$current"; compgen -f -X '!*.toml' -- "$current") ;;
        word) ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current") ;;
    esac
    if [[ $current == -* && $kind != value ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$current")
    fi
}}
complete -F _mfderive mfderive
"""


def _bash(commands: Commands) -> str:
    names = list(commands.commands)
    rows = [
        f"        {name})\n            flags={_words(f for each in offered.flags for f in each.names)}\n"
        f"            {_of_argument(offered)} ;;"
        for name, offered in commands.commands.items()
    ]
    values = [
        f"        {'|'.join(shlex.quote(f'{name} {word}') for word in flag.names)}) {_bash_value(flag)} ;;"
        for name, offered in commands.commands.items()
        for flag in offered.flags
        if flag.kind is not Kind.NOTHING and not (flag.optional and flag.kind is Kind.WORD)
    ]
    return _BASH.format(
        flags=_words(name for flag in commands.flags for name in flag.names),
        names="|".join(names),
        words=_words(names),
        commands="\n".join(rows),
        values="\n".join(values),
    )


def _of_argument(offered: Offered) -> str:
    """What stands in the place of an argument: the shell offers the first kind for all of them."""
    first = next(iter(offered.arguments), Argument("", Kind.WORD))
    return f"values={_words(first.values)}" if first.kind is Kind.VALUES else f"kind={first.kind.value}"


def _bash_value(flag: Flag) -> str:
    return (
        f"kind=value values={_words(flag.values)}" if flag.kind is Kind.VALUES else f"kind={flag.kind.value}"
    )


def _words(words: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    return shlex.quote(" ".join(words))


# --- zsh --------------------------------------------------------------------------------------------------

_ZSH = """\
#compdef mfderive
# Completion of mfderive for zsh, written by `mfderive completion zsh`.
_mfderive() {{
    local context state state_descr line
    typeset -A opt_args
    local -a commands
    commands=(
{commands}
    )
    _arguments -C \\
{flags}
        '1: :->command' '*:: :->rest'
    case $state in
        command) _describe -t commands command commands ;;
        rest)
            case $words[1] in
{cases}
            esac ;;
    esac
}}
if [[ $funcstack[1] == _mfderive ]]; then
    _mfderive "$@"
else
    compdef _mfderive mfderive
fi
"""
_ZSH_KINDS = {Kind.WORD: " ", Kind.FILE: "_files", Kind.SPEC: '_files -g "*.toml"'}


def _zsh(commands: Commands) -> str:
    described = [
        f"        {shlex.quote(f'{name}:{_short(offered.words)}')}"
        for name, offered in commands.commands.items()
    ]
    cases = []
    for name, offered in commands.commands.items():
        parts = [part for flag in offered.flags for part in _zsh_flag(flag)]
        parts += [
            shlex.quote(f"{'*' if each.many else ''}:{each.name}:{_zsh_value(each.kind, each.values)}")
            for each in offered.arguments
        ]
        rows = " \\\n                    ".join(parts)
        cases.append(f"                {name}) _arguments \\\n                    {rows} ;;")
    own = [f"        {part} \\" for flag in commands.flags for part in _zsh_flag(flag)]
    return _ZSH.format(commands="\n".join(described), flags="\n".join(own), cases="\n".join(cases))


def _zsh_flag(flag: Flag) -> Iterator[str]:
    for name in flag.names:
        words = _short(flag.words).translate(_ZSH_SIGNS)
        value = ""
        if flag.kind is not Kind.NOTHING:
            value = f"{'::' if flag.optional else ':'}value:{_zsh_value(flag.kind, flag.values)}"
        yield shlex.quote(f"{name}[{words}]{value}")


def _zsh_value(kind: Kind, values: tuple[str, ...]) -> str:
    return f"({' '.join(values)})" if kind is Kind.VALUES else _ZSH_KINDS[kind]


_ZSH_SIGNS = str.maketrans({sign: f"\\{sign}" for sign in "[]:\\"})


# --- fish -------------------------------------------------------------------------------------------------


def _fish(commands: Commands) -> str:
    rows = [
        "# Completion of mfderive for fish, written by `mfderive completion fish`.",
        "complete -c mfderive -f",
    ]
    rows += [_fish_flag("__fish_use_subcommand", flag) for flag in commands.flags]
    for name, offered in commands.commands.items():
        rows.append(f"complete -c mfderive -n __fish_use_subcommand -a {name} -d {_fish_text(offered.words)}")
        here = f"__fish_seen_subcommand_from {name}"
        rows += [_fish_flag(here, flag) for flag in offered.flags]
        first = next(iter(offered.arguments), None)
        if first is not None and first.kind is not Kind.WORD:
            rows.append(
                f"complete -c mfderive -n {shlex.quote(here)} {_fish_value(first.kind, first.values)}"
            )
    return "\n".join(rows) + "\n"


def _fish_flag(here: str, flag: Flag) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in flag.names)
    value = ""
    if flag.kind is not Kind.NOTHING and not flag.optional:
        files = "-r" if flag.kind in (Kind.FILE, Kind.SPEC) else "-x"
        value = f" {files} {_fish_value(flag.kind, flag.values)}".rstrip()
    return f"complete -c mfderive -n {shlex.quote(here)} {names}{value} -d {_fish_text(flag.words)}"


def _fish_value(kind: Kind, values: tuple[str, ...]) -> str:
    offered = {
        Kind.VALUES: f"-a {_words(values)}",
        Kind.FILE: "-F",
        Kind.SPEC: "-a '(__fish_complete_suffix .toml)'",
    }
    return offered.get(kind, "")


def _fish_text(words: str) -> str:
    return "'" + _short(words).replace("\\", "\\\\").replace("'", "\\'") + "'"


_MOST = 70  # characters of a description in a menu


def _short(words: str) -> str:
    """The beginning of a description, on one line."""
    flat = " ".join(words.split())
    return flat if len(flat) <= _MOST else f"{flat[: _MOST - 3]}..."


SCRIPTS: dict[str, Callable[[Commands], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
