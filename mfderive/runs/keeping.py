"""What a run keeps while it steps, so that it survives: its state in a file, atomically, at an interval.

A :class:`Keeper` holds a folder, and its lock, for one command or call. Every loop of steps has a
:class:`Part` of it, one file, which is asked before each piece of steps how far to go, and told where the
loop is: it writes when the interval is over or a signal has come (:mod:`mfderive.runs.signals`). A loop that
begins again goes on where its file says, if that is of the same problem; what differs is said and refused.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..algebra.arguments import file_path, instance, positive_number
from ..algebra.showing import Shown, words
from ..errors import DivergenceError, MfError, StateError
from ..network.network import Network
from .archive import flattened, nested, read_archive, write_archive
from .atomic import is_temporary, make_folder, remove_empty
from .folder_lock import LOCK, FolderLock, owner_of, take_lock
from .parts import EVERY, UNFINISHED, parts_in
from .problem_facts import as_facts, differences, machine_facts, network_facts
from .signals import WATCH, Terminated

Array = Any
Tree = Mapping[str, Any]  # nested dictionaries of arrays
Content = Callable[[], Tree]

FORMAT = "mfderive checkpoint 1"
# A piece of steps takes about so long, so that a signal is answered soon, and has no more than so many steps.
PIECE_SECONDS, PIECE_STEPS = 0.5, 100
# A part that ends within this share of the interval is made again rather than kept: many may be short.
WORTH = 1 / 200
_MOST_NAMED = 4  # parts and differences that a message names one by one


class OtherProblemError(StateError):
    """A checkpoint is of another problem than the one that was to go on from it."""


class CheckpointWarning(UserWarning):
    """A checkpoint could not be written; the run goes on, and what was kept before is as it was."""


@dataclass(frozen=True)
class Kept:
    """What a part's file holds: the ``number`` of steps that are made, the arrays, whether it is ``done``."""

    number: int
    done: bool
    tree: dict[str, Any]


class Keeper(Shown):
    """The folder in which a run keeps what is unfinished, every ``every`` seconds.

    Used as ``with Keeper(folder) as keeper:``; then the folder is locked against other processes, and signals
    are watched. ``fresh``: parts that are there are removed, not gone on with. For messages: ``again`` says
    how to go on, ``say`` is told what goes on from where.
    """

    def __init__(
        self,
        folder: str | Path,
        every: float = EVERY,
        *,
        fresh: bool = False,
        again: str = "The same call goes on from there",
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.folder = file_path("folder", folder)
        self.every = positive_number("every", every)
        self.fresh, self.again, self.say = fresh, again, say
        self.parts: dict[str, Part] = {}
        self._depth, self._failing, self._unsaid = 0, False, ""
        self._lock: FolderLock | None = None
        self._made: list[Path] = []
        self._machine: dict[str, Any] | None = None
        self._networks: list[tuple[Network, dict[str, Any]]] = []

    def _summary(self) -> Iterator[str]:
        yield f"Keeper of unfinished runs, every {self.every:g} s"
        yield f"  folder: {words(str(self.folder))}"

    # ------------------------------------------------------------------ the folder

    def __enter__(self) -> Keeper:
        """Lock the folder and watch signals; within itself, go on."""
        if self._depth == 0:
            self._take()
            # Nobody else writes here now: what is half written is a killed run's.
            for file in self.folder.iterdir():
                if is_temporary(file) or (self.fresh and file in self.files()):
                    file.unlink(missing_ok=True)
            WATCH.__enter__()
        self._depth += 1
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Let the folder go; an error gets a note that says what is kept."""
        self._depth -= 1
        if self._depth:
            return
        WATCH.__exit__()
        if error is None:
            self.say_what_failed()
        ends = isinstance(error, MfError | OSError | KeyboardInterrupt | Terminated)
        # What diverged does so again, and what is of another problem does not go on.
        if error is not None and ends and not isinstance(error, DivergenceError | OtherProblemError):
            kept = self.kept()
            if kept:
                error.add_note(f"In {self.folder} is {kept}. {self.again}")
        self._release()

    def finish(self) -> None:
        """Remove the parts: what they led to is where it belongs."""
        self._unsaid = ""
        for part in self.parts.values():
            part.file.unlink(missing_ok=True)

    def files(self) -> list[Path]:
        """The files of all parts."""
        return parts_in(self.folder)

    def kept(self) -> str:
        """What is kept, in words: "limit after step 1200 of 5000"."""
        found = [part for part in self.parts.values() if part.is_kept and part.file.is_file()]
        going = [part for part in found if not part.is_done]
        words = [f"{part.name} after step {part.saved} of {part.total}" for part in going[:_MOST_NAMED]]
        words += [f"{len(going) - _MOST_NAMED} more"] if len(going) > _MOST_NAMED else []
        done = [part.name for part in found if part.is_done]
        if done:
            words.append(f"{done[0]} as a whole" if len(done) == 1 else f"{len(done)} parts as a whole")
        return ", ".join(words)

    def _take(self) -> None:
        """Make and lock the folder."""
        for _ in range(5):
            self._made = make_folder(self.folder)
            with suppress(FileNotFoundError):  # somebody who ended there removed the folder
                self._lock = take_lock(self.folder)
                break
        if self._lock is None:
            owner = owner_of(self.folder) or "it has just begun"
            raise MfError(
                f"{self.folder.parent}: another run is at work there ({owner}). Wait until it is done, or "
                "give another folder"
            )

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        # A folder that was there stays, unless a killed run left it.
        own = [self.folder] if self.folder.name == UNFINISHED and self.folder not in self._made else []
        remove_empty([*own, *self._made])

    # ------------------------------------------------------------------ parts

    def part(self, name: str) -> Part:
        """The part of this name: a file for one loop."""
        return self.parts.setdefault(name, Part(self, name))

    def facts(self, network: Network) -> dict[str, Any]:
        """What the numbers of a run of this network depend on, beside its options."""
        for known, facts in self._networks:
            if known is network:
                return facts
        self._machine = self._machine or machine_facts()
        facts = {**network_facts(network), **self._machine}
        self._networks.append((network, facts))
        return facts

    def check(self, network: Network) -> None:
        """Raise OtherProblemError where the first part is of another network, or was made elsewhere."""
        for file in self.files()[:1]:
            now = as_facts(self.facts(network))
            then = read_part(file)[1]
            # A check has parts on other data.
            refuse_other(file, *({n: facts.get(n) for n in now if n != "data"} for facts in (then, now)))

    def write(self, file: Path, document: Tree, tree: Tree) -> bool:
        """Write a part's file; False, and a warning, where that cannot be done."""
        leaves = list(flattened(tree))
        arrays = {f"a{position}": array for position, (_, array) in enumerate(leaves)}
        try:
            vanished = not (self.folder / LOCK).is_file()
            if vanished:
                if self._lock is not None:
                    self._lock.let_go()
                    self._lock = None
                self._take()
            write_archive(file, FORMAT, {**document, "keys": [list(keys) for keys, _ in leaves]}, arrays)
        except (MfError, OSError) as problem:
            if not self._failing:
                self._unsaid = f"{file} could not be written, and the run goes on without it: {problem}"
            self._failing = True
            # Of a part that is done its result is written next: if that fails too, it is said once.
            if not document["done"]:
                self.say_what_failed()
            return False
        self._failing, self._unsaid = False, ""
        if vanished:
            self._warn(f"the folder {self.folder} had vanished; it is made again, with what is known now")
        return True

    def say_what_failed(self) -> None:
        """Warn of what could not be written, once."""
        text, self._unsaid = self._unsaid, ""
        if text:
            self._warn(text)

    def _warn(self, text: str) -> None:
        warnings.warn(text, CheckpointWarning, stacklevel=2)


class Part:
    """One loop of steps and its file: ``with part:``, :meth:`begin`, :meth:`next` before every piece."""

    def __init__(self, keeper: Keeper, name: str) -> None:
        self.keeper, self.name = keeper, name
        self.total, self.saved, self.is_kept, self.is_done = 0, 0, False, False
        self.facts: dict[str, Any] = {}
        self.written = self.began = self.asked = 0.0
        self.at: int | None = None  # the step at which the present piece began
        # ``is_ahead``: of what is kept, by a piece at least.
        self.steps, self.is_ahead, self.is_busy = 1, False, False

    @property
    def file(self) -> Path:
        """Where the part is kept."""
        return self.keeper.folder / f"{self.name}.npz"

    def part(self, name: str) -> Part:
        """A part of this part."""
        return self.keeper.part(f"{self.name}-{name}")

    def __enter__(self) -> Part:
        """The loop begins."""
        return self

    def __exit__(self, *error: object) -> None:
        """The loop ends, however that is."""
        if self.is_busy:
            WATCH.busy(-1)
        self.is_busy = False

    def begin(self, network: Network, facts: Content, first: int, total: int) -> Kept | None:
        """What is kept of the loop from step ``first`` to ``total`` of this problem; None: nothing.

        ``facts``: what makes the problem, beside the network. Raises OtherProblemError where the file is of
        another problem, MfError where it is damaged.
        """
        self.facts = as_facts({**self.keeper.facts(network), **facts()})
        self.keeper.say_what_failed()
        self.total, self.saved, self.at, self.is_ahead = total, first, None, False
        self.written = self.began = time.monotonic()
        if not self.file.is_file():
            return None
        kept, then = read_part(self.file)
        refuse_other(self.file, then, self.facts)
        self.saved, self.is_kept, self.is_done = kept.number, True, kept.done
        if self.keeper.say is not None and not kept.done:
            self.keeper.say(f"{self.name}: goes on after step {kept.number} of {total}")
        return kept

    def next(self, number: int, target: int, content: Content) -> int:
        """The step to which the next piece goes, from ``number``, after what is due was written.

        ``content`` gives the arrays from which the loop goes on at ``number``. Raises what the signal asks
        for, once the state is written.
        """
        now = time.monotonic()
        if self.at is not None:
            # A flow may make steps of its own between two numbers.
            pace = (now - self.asked) / max(number - self.at, 1)
            self.steps = max(1, min(int(PIECE_SECONDS / max(pace, 1e-9)), 2 * self.steps, PIECE_STEPS))
            self.is_ahead = True
            if not self.is_busy:
                self.is_busy = True
                WATCH.busy(+1)
        if self.is_ahead and (WATCH.signal or now - self.written >= self.keeper.every):
            self._write(number, content, done=False)
        if WATCH.signal:
            raise WATCH.ending()
        self.asked, self.at = time.monotonic(), number
        return min(target, number + self.steps)

    def done(self, content: Content) -> None:
        """The loop is at its end: keep what it led to, where it took long enough."""
        long = time.monotonic() - self.began >= WORTH * self.keeper.every
        if not self.is_done and (long or WATCH.signal):
            self._write(self.total, content, done=True)
        if WATCH.signal:
            raise WATCH.ending()

    def _write(self, number: int, content: Content, done: bool) -> None:
        document = {
            "facts": self.facts,
            "number": number,
            "of": self.total,
            "done": done,
            "saved": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        if self.keeper.write(self.file, document, content()):
            self.saved, self.is_kept, self.is_done, self.is_ahead = number, True, done, False
        self.written = time.monotonic()


class Unkept:
    """In the place of a :class:`Part` where nothing is kept."""

    def part(self, name: str) -> Unkept:
        """Nothing is kept of a part either."""
        return self

    def __enter__(self) -> Unkept:
        """Nothing to do."""
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to do."""

    def begin(self, network: Network, facts: Content, first: int, total: int) -> None:
        """Nothing is kept."""

    def next(self, number: int, target: int, content: Content) -> int:
        """Long stretches are cut, so that progress shows."""
        return min(target, number + PIECE_STEPS)

    def done(self, content: Content) -> None:
        """Nothing is kept."""


Keeping = Part | Unkept
# What the argument ``keep`` may be.
Keep = str | Path | Keeper | Part | Unkept | None
UNKEPT = Unkept()


@contextmanager
def kept_in(keep: Keep, name: str) -> Iterator[Keeping]:
    """The part in which a function keeps its steps; ``keep``: a folder, a keeper, a part of one, or None."""
    if keep is None or isinstance(keep, Part | Unkept):
        yield keep or UNKEPT
        return
    keeper = keep if isinstance(keep, Keeper) else None
    if keeper is None:
        instance(keep, (str, Path), "keep: a folder or a Keeper", "Name a folder, keep='runs/mine'")
        keeper = Keeper(keep)  # type: ignore[arg-type]
    with keeper:
        yield keeper.part(name)


def refuse_other(file: Path, then: Tree, now: Tree) -> None:
    """Raise OtherProblemError, which names what differs, where the facts of a file are not those of now."""
    other = list(differences(then, now))
    if other:
        more = f" and {len(other) - _MOST_NAMED} more" if len(other) > _MOST_NAMED else ""
        raise OtherProblemError(
            f"{file} was kept by a run of another problem, and nothing goes on from it. What differs: "
            f"{'; '.join(other[:_MOST_NAMED])}{more}. Make them the same, or begin again (--overwrite, or "
            "remove the file)"
        )


def read_part(file: Path) -> tuple[Kept, dict[str, Any]]:
    """What a part's file holds, and the facts of its problem. Raises MfError where it is not whole."""
    archive = read_archive(file, "a checkpoint")
    document = archive.document
    if document.get("format") != FORMAT or archive.edited:
        what = f"edited ({', '.join(archive.edited)})" if archive.edited else "no checkpoint of this version"
        raise MfError(f"{file}: this file is {what}. Remove it; its part is then made from its start")
    leaves = [(keys, archive.arrays[f"a{position}"]) for position, keys in enumerate(document["keys"])]
    kept = Kept(int(document["number"]), bool(document["done"]), nested(leaves))
    return kept, dict(document["facts"])


def saved_words(files: list[Path]) -> str:
    """What some files of parts hold, in words."""
    words = []
    for file in files[:_MOST_NAMED]:
        try:
            document = read_archive(file, "a checkpoint").document
            words.append(f"{file.stem}: step {document['number']} of {document['of']}")
        except (MfError, KeyError):
            words.append(file.stem)
    more = [f"{len(files) - _MOST_NAMED} more"] if len(files) > _MOST_NAMED else []
    return ", ".join([*words, *more])
