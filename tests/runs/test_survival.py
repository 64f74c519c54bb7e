"""A run that is interrupted, killed, or finds no room goes on to the same bits, and says what is kept."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
import warnings
from contextlib import suppress

import numpy as np
import pytest

import mfderive as mf
from mfderive.cli import INTERRUPTED, main
from mfderive.report import folder as folder_room
from mfderive.runs import keeping
from mfderive.runs.archive import read_archive
from mfderive.runs.folder_lock import LOCK
from mfderive.runs.keeping import CheckpointWarning, Keeper, OtherProblemError, read_part
from mfderive.runs.signals import WATCH, Terminated

from .survival import SPEC, all_whole, arrays_in, command, ended, same, signalled, stopped_at, when
from .test_full_disk import refuse

EVERY = ["--checkpoint-every", "0.0001", "--quiet"]


def names(folder):
    return sorted(each.name for each in folder.iterdir())


def network(**training):
    document = tomllib.loads(SPEC)
    return mf.load({**document, "training": {**document["training"], **training}})


# What a rule remembers, and noise and masks that are drawn anew at every step, have to go on too.
RULES = {"optimizer": {"kind": "momentum", "mu": 0.9}, "learning_rate": 0.005}
CALLS = {
    "euler": lambda keep=None: [mf.solve(network(), keep=keep)],
    "momentum": lambda keep=None: [mf.solve(network(**RULES), keep=keep)],
    "rk4": lambda keep=None: [mf.solve(network(), method="rk4", step=0.1, keep=keep)],
    "flow": lambda keep=None: [
        mf.solve(network(), method="flow", data="sobol", rtol=1e-5, nodes=8, keep=keep)
    ],
    "simulate": lambda keep=None: mf.simulate(
        network(**RULES, noise={"h1.weight": 0.1}, dropout={"h2": 0.3}), 6, 2, keep=keep
    ),
}


@pytest.fixture(scope="module")
def undisturbed():
    """What the calls return if nothing happens, made once."""
    return {name: call() for name, call in CALLS.items()}


@pytest.fixture(autouse=True)
def usual_handlers():
    """Signals as a terminal has them: in the background Ctrl-C is ignored, and runs leave it so."""
    usual = {signal.SIGINT: signal.default_int_handler}
    usual |= dict.fromkeys((signal.SIGTERM, signal.SIGHUP), signal.SIG_DFL)
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """A small spec in an empty working folder; its path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(SPEC)
    return "tiny.toml"


# --- interrupted and resumed -----------------------------------------------------------------------------


# Networks are compiled anew by each call, so they are interrupted once.
MOMENTS = [(name, piece) for name in CALLS for piece in (1, 4) if (name, piece) != ("simulate", 1)]


@pytest.mark.parametrize(("name", "piece"), MOMENTS)
def test_an_interrupted_call_goes_on_to_the_same_bits(tmp_path, undisturbed, name, piece):
    """Ctrl-C at the first piece (nothing is made yet) and later; twice, so that what goes on is kept too."""
    for _ in range(1 if name == "simulate" else 2):
        with stopped_at(piece, signalled()), pytest.raises(KeyboardInterrupt) as caught:
            CALLS[name](tmp_path)
        notes = getattr(caught.value, "__notes__", [])
        assert bool(notes) == (piece > 1)
    kept = list(tmp_path.glob("*.npz"))
    assert len(kept) == (piece > 1)
    if kept:
        assert f"{kept[0].stem} after step {read_part(kept[0])[0].number} of" in notes[0]
    assert all(map(same, CALLS[name](tmp_path), undisturbed[name]))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_broke_goes_on_from_its_last_checkpoint(tmp_path, undisturbed, name):
    def fail():
        raise RuntimeError("the lights went out")

    keeper = Keeper(tmp_path, 1e-4)
    with stopped_at(4, fail), pytest.raises(RuntimeError):
        CALLS[name](keeper)
    (file,) = keeper.files()
    kept, _ = read_part(file)
    assert kept.number > 0 and not kept.done
    with stopped_at(10**9, fail) as pieces:
        assert all(map(same, CALLS[name](keeper), undisturbed[name]))
    assert pieces[0] > 0
    # A finished file answers without a step.
    assert read_part(file)[0].done
    with stopped_at(1, fail):
        assert all(map(same, CALLS[name](tmp_path), undisturbed[name]))


def test_a_state_holds_whatever_arrays_a_run_moves(tmp_path):
    """Any dictionary of arrays comes back: nested, of any type, 0-d too."""
    tree = {
        "state": {"w": np.arange(6.0).reshape(2, 3), "w.memory": np.float32([1, 2]), "p": {"h": np.ones(2)}},
        "count": np.array(7, np.int64),
        "empty": np.zeros((0, 4)),
    }
    with Keeper(tmp_path, 1e-9) as keeper, keeper.part("any") as part:
        assert part.begin(network(), dict, 0, 9) is None
        assert [part.next(0, 9, lambda: tree), part.next(1, 9, lambda: tree)] == [1, 3]
        kept = keeper.part("any").begin(network(), dict, 0, 9)
    assert (kept.number, kept.done) == (1, False)
    assert kept.tree["count"] == 7 and kept.tree["count"].dtype == np.int64
    assert kept.tree["empty"].shape == (0, 4) and list(kept.tree["state"]) == ["w", "w.memory", "p"]
    np.testing.assert_array_equal(kept.tree["state"]["w"], tree["state"]["w"])
    assert kept.tree["state"]["w.memory"].dtype == np.float32 and kept.tree["state"]["p"]["h"].sum() == 2


def test_a_tolerance_goes_on(tmp_path):
    def solved(keep=None):
        return mf.solve(network(steps=10), nodes=2, tolerance=0.02, keep=keep)

    for piece in (9, 14):
        with stopped_at(piece, signalled()), pytest.raises(KeyboardInterrupt):
            solved(Keeper(tmp_path, 1e-4))
    assert len(list(tmp_path.glob("limit-*.npz"))) > 1
    assert same(solved(Keeper(tmp_path, 1e-4)), solved())


def test_a_check_goes_on(tmp_path):
    """Ensembles, networks, half steps, other data: stopped in the middle of a loop, in threads too."""

    def checked(folder):
        return mf.check(network(steps=8), "quick", seeds=2, keep=Keeper(tmp_path / folder, 1e-4))

    with stopped_at(10**9, None) as pieces:
        expected = checked("whole").data
    kept = {file.stem for file in (tmp_path / "whole").glob("*.npz")}
    assert {"check-ensemble-1", "check-networks-8-1", "check-half-steps", "check-matched-4-1"} < kept
    with stopped_at(pieces[0] // 2, signalled()), pytest.raises(KeyboardInterrupt):
        checked("stopped")
    assert 1 < len(list((tmp_path / "stopped").glob("*.npz"))) < len(kept)
    assert checked("stopped").data == expected


# --- the command line ------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["solve"], ["simulate", "--widths", "4"]], ids=lambda words: words[0])
def test_commands_go_on(capsys, spec, tmp_path, words):
    words.insert(1, spec)
    assert main([*words, "--quiet", "--output", "whole"]) == 0
    with stopped_at(5, signalled(signal.SIGTERM)):
        assert main([*words, *EVERY, "--output", "out"]) == 143
    message = capsys.readouterr().err
    assert "ended by SIGTERM. In out/unfinished is " in message and message.strip().count("\n") == 0
    assert "The same command with --resume goes on from there" in message
    assert main([*words, *EVERY, "--output", "out"]) == 2
    message = capsys.readouterr().err
    assert "out holds an unfinished run (" in message and "--resume goes on with it, --overwrite" in message
    assert main([*words, "--resume", "--output", "out"]) == 0
    assert "goes on after step" in capsys.readouterr().err
    assert arrays_in(tmp_path / "out") == arrays_in(tmp_path / "whole")
    assert not (tmp_path / "out" / "unfinished").exists()
    assert main([*words, "--resume", "--output", "out"]) == 0
    assert "nothing is unfinished in out: this run begins at its start" in capsys.readouterr().err


def test_overwrite_begins_again(capsys, spec, tmp_path):
    with stopped_at(5, signalled()):
        assert main(["solve", spec, *EVERY]) == INTERRUPTED
    assert main(["solve", spec, "--quiet", "--overwrite", "--steps", "6"]) == 0
    assert mf.Trajectory.load(tmp_path / "runs/tiny-limit").steps[-1] == 6
    assert names(tmp_path / "runs/tiny-limit") == ["limit.json", "limit.npz"]
    assert main(["solve", spec, "--resume", "--overwrite"]) == 2
    assert "not allowed with" in capsys.readouterr().err


RUN = ["--effort", "none", "--widths", "4"]


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    """The folder of an undisturbed run, without figures, which take long."""
    place = tmp_path_factory.mktemp("whole")
    (place / "tiny.toml").write_text(SPEC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder_room, "write_figures", lambda *arguments: [])
        assert main(["run", str(place / "tiny.toml"), *RUN, *EVERY, "--output", str(place / "run")]) == 0
        yield place / "run"


@pytest.mark.parametrize(("piece", "kept"), [(4, 1), (60, 2), (100, 3)])
def test_a_run_goes_on(capsys, spec, tmp_path, whole_run, piece, kept):
    """In the solution or the coarser one beside it, then by its folder; in the networks, then as before.

    Files of finished stages stay as they are, those that are not whole are made again.
    """
    solving = kept < 3
    with stopped_at(piece, signalled()):
        assert main(["run", spec, *RUN, *EVERY]) == INTERRUPTED
    folder = tmp_path / "runs/tiny"
    assert "What was done until then is in runs/tiny" in capsys.readouterr().err
    trajectories = folder / "trajectories"
    assert [file.name for file in trajectories.glob("*.npz")] == ([] if solving else ["limit.npz"])
    assert len(list((folder / "unfinished").glob("*.npz"))) == kept
    assert all_whole(folder)
    assert main(["run", spec, *RUN, "--quiet"]) == 2
    assert "--resume goes on with it, --overwrite replaces" in capsys.readouterr().err
    if not solving:
        with (trajectories / "limit.npz").open("r+b") as file:
            file.truncate(1000)
    assert main(["run", *(["runs/tiny"] if solving else [spec, *RUN]), "--resume", "--quiet"]) == 0
    assert arrays_in(trajectories) == arrays_in(whole_run / "trajectories")
    assert names(folder) == names(whole_run)
    # Finished: it says so and makes nothing.
    with stopped_at(1, signalled()):
        assert main(["run", "--resume", "runs/tiny"]) == 0
    assert "The page: runs/tiny/index.html" in capsys.readouterr().out


def test_a_replacing_run_goes_on_beside_the_earlier_one(spec, tmp_path, whole_run):
    folder = tmp_path / "runs/tiny"
    shutil.copytree(whole_run, folder)
    with stopped_at(8, signalled()):
        assert main(["run", spec, *RUN, *EVERY, "--overwrite", "--steps", "20"]) == INTERRUPTED
    assert arrays_in(folder) == arrays_in(whole_run)
    assert main(["run", "--resume", "runs/tiny", "--quiet"]) == 0
    assert mf.Trajectory.load(folder / "trajectories/limit.npz").steps[-1] == 20
    assert names(tmp_path / "runs") == ["tiny"]


# --- killed ----------------------------------------------------------------------------------------------

# The other ways are a study: about 20 seconds. In this process SIGTERM is sent to both commands above.
KILLS = [
    ("solve", "2500", signal.SIGKILL),
    pytest.param("solve", "2500", signal.SIGTERM, marks=pytest.mark.study),
    pytest.param("simulate", "6000", signal.SIGKILL, marks=pytest.mark.study),
    pytest.param("simulate", "6000", signal.SIGTERM, marks=pytest.mark.study),
]


@pytest.mark.parametrize(("name", "steps", "number"), KILLS)
def test_a_process_that_is_ended_from_outside_goes_on(spec, tmp_path, name, steps, number):
    words = [name, spec, "--quiet", "--steps", steps, "--checkpoint-every", "0.05"]
    words += ["--widths", "4"] if name != "solve" else []
    process = command(*words, "--output", "out", cwd=tmp_path)
    kept = tmp_path / "out" / "unfinished"
    assert when(process, lambda: list(kept.glob("*.npz")))
    code, said = ended(process, number)
    assert code == (143 if number == signal.SIGTERM else -signal.SIGKILL), said
    assert all_whole(tmp_path / "out")
    file = next(kept.glob("*.npz"))
    part, _ = read_part(file)
    assert 0 < part.number <= int(steps)
    if number == signal.SIGTERM:
        assert f"{file.stem} after step {part.number} of {steps}" in said
    assert main([*words, "--output", "out", "--resume"]) == 0
    assert main([*words, "--output", "whole"]) == 0
    assert arrays_in(tmp_path / "out") == arrays_in(tmp_path / "whole")
    assert not kept.exists()


HOLD = """\
import sys, time
from mfderive.runs.keeping import Keeper
with Keeper(sys.argv[1]):
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_folder_in_which_somebody_is_at_work_is_refused(capsys, spec, tmp_path):
    """The lock is the process's: it ends with a kill, which leaves its file."""
    place = tmp_path / "runs/tiny-limit/unfinished"
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(place)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        for flags in ([], ["--resume"], ["--overwrite"]):
            assert main(["solve", spec, "--quiet", *flags]) == 2
            message = capsys.readouterr().err
            assert f"runs/tiny-limit: another run is at work there (process {process.pid} of " in message
            assert message.count("\n") == 1
    finally:
        process.kill()
        process.communicate()
    # It was killed while it wrote.
    (place / f".limit.npz.{process.pid}-1.tmp").write_text("half")
    assert (place / LOCK).is_file()
    assert main(["solve", spec, "--quiet"]) == 0
    assert not place.exists()


# --- no room, no folder ----------------------------------------------------------------------------------


def solved_with(tmp_path, harm, piece=6):
    """A solution with a checkpoint at every piece, to which harm is done on the way; and what was said."""
    with stopped_at(piece, harm), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        path = mf.solve(network(), keep=Keeper(tmp_path / "kept" / "unfinished", 1e-9))
    return path, [str(each.message) for each in said if each.category is CheckpointWarning]


def test_a_full_disk_is_said_once_and_the_run_goes_on(tmp_path, undisturbed, monkeypatch):
    kept = tmp_path / "kept/unfinished/limit.npz"
    before = []

    def fill():
        before.append(read_part(kept)[0].number)
        refuse(monkeypatch, 0)

    path, said = solved_with(tmp_path, fill)
    monkeypatch.undo()
    assert same(path, undisturbed["euler"][0])
    (text,) = said
    assert "the disk is full" in text and "the run goes on" in text and "kB are needed" in text
    assert read_part(kept)[0].number == before[0] > 0 and all_whole(tmp_path)
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_file_system_that_really_is_small(tmp_path):
    """1 MB in memory, where this machine lets a test have it: the earlier state is there, and goes on."""
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    mounted = subprocess.run(words, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        path, said = solved_with(place, lambda: fill_up(place))
        assert len(said) == 1 and "the disk is full" in said[0] and "are free" in said[0]
        kept = place / "kept/unfinished/limit.npz"
        assert 0 < read_part(kept)[0].number < 40
        with pytest.raises(mf.ResourceError, match="the disk is full"):
            path.save(place / "results")
        (place / "filler").unlink()
        assert same(mf.solve(network(), keep=kept.parent), path)
        assert path.save(place / "results").is_file()
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill_up(place):
    """Leave no room on a file system."""
    with suppress(OSError), (place / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_a_folder_that_vanished_is_made_again(tmp_path, undisturbed):
    """It is locked again, too; one message says it, and a later call goes on from what is there."""
    folder = tmp_path / "kept"
    path, said = solved_with(tmp_path, lambda: shutil.rmtree(folder))
    assert same(path, undisturbed["euler"][0])
    (text,) = said
    assert f"the folder {folder}/unfinished had vanished; it is made again" in text
    assert all_whole(tmp_path) and read_part(folder / "unfinished/limit.npz")[0].done
    assert names(folder / "unfinished") == ["limit-coarser.npz", "limit.npz"]


def test_a_file_in_the_place_of_the_folder(tmp_path, undisturbed):
    folder = tmp_path / "kept"

    def replace():
        shutil.rmtree(folder)
        folder.write_text("mine")

    path, said = solved_with(tmp_path, replace)
    assert same(path, undisturbed["euler"][0]) and folder.read_text() == "mine"
    (text,) = said
    assert f"{folder} is a file" in text and "the run goes on" in text


def test_a_state_that_cannot_be_saved_is_said_with_what_is_kept(capsys, spec, tmp_path, monkeypatch):
    def end():
        refuse(monkeypatch, 0)
        os.kill(os.getpid(), signal.SIGINT)

    with stopped_at(6, end):
        assert main(["solve", spec, *EVERY]) == INTERRUPTED
    message = capsys.readouterr().err
    monkeypatch.undo()
    kept, _ = read_part(tmp_path / "runs/tiny-limit/unfinished/limit.npz")
    assert "the disk is full" in message and f"limit after step {kept.number} of 40" in message


def test_divergence_leaves_the_last_checkpoint(capsys, spec, tmp_path):
    hot = ["--learning-rate", "1e9", "--steps", "400", "--checkpoint-every", "1e-9", "--quiet"]
    assert main(["solve", spec, *hot]) == 3
    message = capsys.readouterr().err
    assert "diverged by t =" in message and message.count("\n") == 1
    kept, _ = read_part(tmp_path / "runs/tiny-limit/unfinished/limit.npz")
    assert 0 < kept.number < 400 and np.isfinite(kept.tree["rows"][:, :3]).all()
    assert main(["solve", spec, *hot, "--resume"]) == 3
    assert mf.Trajectory.load(tmp_path / "runs/tiny-limit").findings[0].kind == "not-finite"


# --- another problem -------------------------------------------------------------------------------------

OTHERS = {
    "spec.training.learning_rate: 0.05 then, 0.1 now": (lambda: network(learning_rate=0.1), {}),
    "options.nodes: 27 then, 28 now": (network, {"nodes": 28}),
    "options.seed: 0 then, 1 now": (network, {"seed": 1}),
    "options.precision: 'float64' then, 'float32' now": (network, {"precision": "float32"}),
    "data.seed: 0 then, 4 now": (lambda: mf.load(tomllib.loads(SPEC) | {"solver": {"data_seed": 4}}), {}),
    "spec.layers[1].activation: 'tanh' then, 'relu' now": (
        lambda: mf.load(tomllib.loads(SPEC.replace('"tanh"', '"relu"'))),
        {},
    ),
}


@pytest.mark.parametrize("differs", OTHERS)
def test_another_problem_is_refused_with_what_differs(tmp_path, differs):
    with stopped_at(5, signalled()), pytest.raises(KeyboardInterrupt):
        mf.solve(network(), keep=tmp_path)
    before = (tmp_path / "limit.npz").read_bytes()
    make, options = OTHERS[differs]
    with pytest.raises(OtherProblemError) as caught:
        mf.solve(make(), keep=tmp_path, **options)
    assert differs in str(caught.value) and "nothing goes on from it" in str(caught.value)
    assert (tmp_path / "limit.npz").read_bytes() == before and names(tmp_path) == ["limit.npz"]


def test_other_machines_and_versions_are_refused(tmp_path, monkeypatch):
    """Sums depend on the number of threads and on the code that makes them, so the bits would."""
    with stopped_at(5, signalled()), pytest.raises(KeyboardInterrupt):
        mf.simulate(network(), 6, 2, keep=tmp_path)
    with pytest.raises(
        OtherProblemError, match=r"What differs: seeds\[0\]: 1 then, 2 now;.*; start: other num"
    ):
        mf.simulate(network(), 6, [2, 3], keep=Keeper(tmp_path).part("networks-6-1-2"))
    machine = keeping.machine_facts()
    machine["machine"]["threads of matrix products"] = 63
    machine["versions"]["numpy"] = "9.9"
    monkeypatch.setattr(keeping, "machine_facts", lambda: machine)
    with pytest.raises(OtherProblemError, match=r"numpy: '.*' then, '9.9' now; machine.threads .* 63 now"):
        mf.simulate(network(), 6, 2, keep=tmp_path)


def test_data_that_were_changed_are_refused(tmp_path):
    """One number of a file of data: batches would be others from there on."""
    rows = np.random.default_rng(0).normal(size=(30, 4))
    document = tomllib.loads(SPEC) | {"data": {"kind": "arrays", "file": str(tmp_path / "a.csv"), "y": "d"}}

    def write():
        lines = ["a,b,c,d", *(",".join(map(str, row)) for row in rows.tolist())]
        (tmp_path / "a.csv").write_text("\n".join(lines))

    write()
    with stopped_at(5, signalled()), pytest.raises(KeyboardInterrupt):
        mf.solve(mf.load(document), keep=tmp_path / "kept")
    rows[17, 2] += 1e-9
    write()
    with pytest.raises(OtherProblemError, match=r"What differs: data\.samples: other numbers"):
        mf.solve(mf.load(document), keep=tmp_path / "kept")


def test_a_run_with_other_flags_or_another_spec_is_refused(capsys, spec, tmp_path, whole_run):
    with stopped_at(5, signalled()):
        assert main(["run", spec, *RUN, *EVERY]) == INTERRUPTED
    before = {file: file.read_bytes() for file in (tmp_path / "runs").rglob("*") if file.is_file()}
    capsys.readouterr()
    for words, differs in (
        ([spec, *RUN, "--steps", "30"], "the flags.steps: nothing then, 30 now"),
        ([spec, *RUN, "--effort", "normal"], "the effort: 'none' then, 'normal' now"),
        (["runs/tiny", "--steps", "30"], "--steps stands beside --resume runs/tiny"),
        (["."], ". is not the folder of a run"),
    ):
        assert main(["run", *words, "--resume", "--quiet"]) == 2
        assert differs in capsys.readouterr().err
    (tmp_path / "tiny.toml").write_text(SPEC.replace("steps = 40", "steps = 50"))
    assert main(["run", spec, *RUN, "--resume", "--quiet"]) == 2
    assert "training.steps: 40 then, 50 now. `mfderive run --resume runs/tiny`" in capsys.readouterr().err
    assert {file: file.read_bytes() for file in before} == before
    assert main(["run", "--resume", "runs/tiny", "--quiet"]) == 0
    assert arrays_in(tmp_path / "runs/tiny") == arrays_in(whole_run)


def test_a_file_that_is_not_whole_is_refused(tmp_path):
    with stopped_at(5, signalled()), pytest.raises(KeyboardInterrupt):
        mf.solve(network(), keep=tmp_path)
    file = tmp_path / "limit.npz"
    content = file.read_bytes()
    for broken in (content[: len(content) // 2], b""):
        file.write_bytes(broken)
        with pytest.raises(mf.MfError, match="not a checkpoint, or it is truncated or damaged"):
            mf.solve(network(), keep=tmp_path)
    archive = read_archive(mf.solve(network()).save(tmp_path / "other"))
    assert archive.document["format"] != keeping.FORMAT
    shutil.copy(tmp_path / "other/limit.npz", file)
    with pytest.raises(mf.MfError, match=r"no checkpoint of this version\. Remove it"):
        mf.solve(network(), keep=tmp_path)


# --- signals ---------------------------------------------------------------------------------------------


def test_signals_are_watched_and_given_back(tmp_path):
    def mine(number, frame):
        calls.append(number)

    calls = []
    usual = signal.signal(signal.SIGTERM, mine)
    try:
        with WATCH:
            assert signal.getsignal(signal.SIGTERM) is mine
            os.kill(os.getpid(), signal.SIGTERM)
            WATCH.busy(+1)
            os.kill(os.getpid(), signal.SIGINT)
            assert WATCH.signal == signal.SIGINT
            with pytest.raises(KeyboardInterrupt):  # a second one does not wait
                os.kill(os.getpid(), signal.SIGINT)
            WATCH.busy(-1)
    finally:
        signal.signal(signal.SIGTERM, usual)
    assert calls == [signal.SIGTERM] and WATCH.signal == 0
    with WATCH, pytest.raises(Terminated) as caught:
        os.kill(os.getpid(), signal.SIGHUP)
    assert caught.value.code == 129 and caught.value.name == "SIGHUP"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_outside_of_the_main_thread_runs_are_kept_too(tmp_path, undisturbed):
    found = []
    thread = threading.Thread(target=lambda: found.extend(CALLS["euler"](Keeper(tmp_path, 1e-9))))
    thread.start()
    thread.join()
    assert same(found[0], undisturbed["euler"][0]) and read_part(tmp_path / "limit.npz")[0].done


def test_pieces_are_short(tmp_path, monkeypatch):
    """Steps that take long come one by one, quick ones in pieces of half a second."""
    now = [0.0]
    monkeypatch.setattr(keeping.time, "monotonic", lambda: now[0])
    keeper = Keeper(tmp_path, 1e9)
    for seconds, longest in ((2.0, 1), (0.1, 5), (1e-5, keeping.PIECE_STEPS)):
        part, number, sizes = keeping.Part(keeper, "any"), 0, []
        with part:
            while len(sizes) < 12:
                goal = part.next(number, 10**6, dict)
                sizes.append(goal - number)
                now[0] += seconds * (goal - number)
                number = goal
        assert sizes[0] == 1 and sizes[-1] == max(sizes) and longest - 1 <= sizes[-1] <= longest


def test_what_is_lost_is_an_interval(tmp_path, monkeypatch):
    """Whenever a run is killed, what is kept is no older than the interval and the piece that ends it."""
    now, seconds = [0.0], 0.013
    monkeypatch.setattr(keeping.time, "monotonic", lambda: now[0])
    with Keeper(tmp_path, 1.0) as keeper, keeper.part("any") as part:
        assert part.begin(network(), dict, 0, 2000) is None
        number, lost = 0, []
        while number < 2000:
            goal = part.next(number, 2000, dict)
            now[0] += seconds * (goal - number)
            number = goal
            lost.append(number - part.saved)
    assert 1.0 < seconds * max(lost) < 1.0 + 2 * keeping.PIECE_SECONDS
    assert read_part(tmp_path / "any.npz")[0].number == part.saved


def test_what_keep_may_be(tmp_path):
    with pytest.raises(mf.ArgumentError, match="keep: a folder or a Keeper"):
        mf.solve(network(), keep=3)
    with pytest.raises(mf.ArgumentError, match="every"):
        Keeper(tmp_path, 0)
    assert mf.Keeper is Keeper and "every 5 s" in repr(Keeper(tmp_path, 5))
