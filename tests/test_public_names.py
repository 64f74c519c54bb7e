"""The public names stay what they are, whatever is imported first."""

import inspect
import subprocess
import sys

import pytest

import mfderive as mf
from mfderive.algebra import entries
from mfderive.algebra import system as algebra_system
from mfderive.errors import MfError
from tests.reduction.specs import chain


def test_a_room_does_not_take_the_name_of_a_function() -> None:
    """``solve`` and ``reduce`` are rooms and functions (a fresh process: nothing is imported)."""
    code = (
        "import mfderive.solution.solve, mfderive.reduction.reduce, mfderive as mf;"
        "assert callable(mf.solve) and callable(mf.reduce);"
        "from mfderive import solve, reduce; assert callable(solve) and callable(reduce)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_objects_can_do_everything_whatever_was_imported(tmp_path) -> None:
    """A process that reads trajectories by their own file alone: predict, print, change, draw as a graph."""
    net = mf.load(chain(2))
    paths = [mf.solve(net, nodes=4, steps=1, evaluation=4), mf.simulate(net, 4, 1, steps=1, evaluation=4)[0]]
    files = [str(path.save(tmp_path)) for path in paths]
    x = net.source.evaluation(2)[0].tolist()
    wanted = [path.predict(x).tolist() for path in paths]
    code = (
        "import sys; from mfderive.runs.trajectory import Trajectory;"
        "assert not any(f'mfderive.{room}' in sys.modules for room in ('solution', 'finite', 'notation'));"
        f"paths = [Trajectory.load(file) for file in {files!r}];"
        "net = paths[0].network;"
        "assert net.replace(training={'steps': 3}).training.steps == 3;"
        "assert 'h2' in net.to_networkx().nodes and '<style' in net._repr_html_();"
        f"assert [path.predict({x!r}).tolist() for path in paths] == {wanted!r};"
        "system = paths[0].reduced.system;"
        "assert 'Forward' in str(system) and system.forward['h1'] is not None"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_hints_to_import_name_what_helps(monkeypatch) -> None:
    """Where nothing was entered, the message names modules, and importing them is what the table asks for."""
    monkeypatch.setattr(algebra_system, "_PRINTERS", [])
    with pytest.raises(MfError, match=r"import mfderive\.notation\.registry first"):
        str(mf.forward_system(mf.load(chain(2))))
    tables = [entries.PRINTER, entries.HTML, entries.CHANGER, entries.GRAPH_WRITER, entries.TORCH_WRITER]
    for table in (*tables, *map(entries.ground_table, ("limit", "network"))):
        assert entries.homes(table) != "mfderive"
        entries.fill(table)  # every module that is named exists


# Public functions and methods that have nothing to refuse.
UNFAILING = {"schema", "Network.to_networkx", "Verdict.to_json", "Verdict.to_csv"}
# They raise as another method of the same class, and say so.
AS_ANOTHER = {"Trajectory.at": "checkpoint", "Trajectory.predict": "fields"}


def test_public_functions_say_what_they_raise() -> None:
    """Every function of the surface, and every method of what people hold in their hands."""
    found = {name: getattr(mf, name) for name in mf.__all__ if inspect.isfunction(getattr(mf, name))}
    for kind in (mf.Trajectory, mf.Network, mf.Verdict):
        own = {name: each for name, each in vars(kind).items() if not name.startswith("_")}
        found |= {f"{kind.__name__}.{name}": each for name, each in own.items() if inspect.isfunction(each)}
    silent = {name for name, each in found.items() if "Error" not in (each.__doc__ or "")}
    assert silent - UNFAILING == set(AS_ANOTHER) and len(found) > 20
    for name, other in AS_ANOTHER.items():
        assert f"Raises as :meth:`{other}`" in found[name].__doc__ and f"Trajectory.{other}" not in silent
