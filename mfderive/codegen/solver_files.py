"""Generated files: written to a folder, never over edits made by hand, and imported."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import IO, Any

from ..algebra.arguments import file_path, flag
from ..errors import MfError
from ..runs.atomic import make_folder, remove_empty, write_together
from .digest import GENERATOR
from .shared_functions import share_functions
from .solver_module import as_solver

SOLVER = "solver.py"
EQUATIONS = "equations.tex"
MANIFEST = "manifest.json"


def write_files(files: dict[str, str], name: str, directory: Path | None, overwrite: bool) -> Path:
    """Write generated files and their manifest, and return the folder that holds them.

    ``name``: the digest of the system, which names the folder in the cache where ``directory`` is None. Files
    that are already right are not touched, so that compiled code on disk stays valid. The manifest holds
    digests of the files: one that differs from what was written there was edited by hand, and is replaced
    only with ``overwrite``. Raises MfError for such a file and for a folder that cannot be written.
    """
    written = {file: _digest(text.encode()) for file, text in files.items()}
    manifest = {"digest": name, "generator": GENERATOR, "files": written}
    folder = cache_directory() / name[:32] if directory is None else directory
    contents = {**files, MANIFEST: json.dumps(manifest, indent=2, sort_keys=True) + "\n"}
    made = make_folder(folder)
    try:
        if directory is not None and not overwrite:
            _check_unedited(folder, written)
        changed = [(folder / file, text.encode()) for file, text in contents.items()]
        changed = [each for each in changed if not _is_right(*each)]
        # The manifest is last: of files that differ from it, none is taken for an edited one.
        write_together(
            [(path, partial(_write, content)) for path, content in changed],
            sum(len(content) for _, content in changed),
        )
    except OSError as problem:
        raise MfError(f"{folder}: the solver cannot be written there: {problem.strerror}") from problem
    finally:
        remove_empty(made)
    return folder


def _digest(content: bytes) -> str:
    """A file's digest; line ends are those of the machine that checked it out."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def _check_unedited(folder: Path, new: dict[str, str]) -> None:
    """Raise MfError where a file that is to be replaced is not what the manifest says was written."""
    try:
        known = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        recorded = {file: known.get(file) for file in new}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        recorded = {}
    for file, digest_of_new in new.items():
        path = folder / file
        if path.is_file() and _digest(path.read_bytes()) not in (digest_of_new, recorded.get(file)):
            raise MfError(
                f"{path} was edited after it was generated (or not generated at all) and is left alone. "
                "Choose another folder, or lose the edits: --overwrite on the command line, overwrite=True "
                "in Python"
            )


def load_solver(directory: Path | str, compiled: bool = True) -> Any:
    """Import the ``solver.py`` of a folder; ``compiled=False`` runs the same source as plain Python.

    The module's name comes from the file's content, so that an edited file is imported anew. Raises
    ArgumentError for what is no path, and MfError where there is no such file or it is not Python.
    """
    path = (file_path("directory", directory) / SOLVER).resolve()
    flag("compiled", compiled)
    if not path.is_file():
        raise MfError(f"there is no {SOLVER} in {directory}; generate the solver first")
    content = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    name = f"mfderive_solver_{content}" + ("" if compiled else "_plain")
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise MfError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    module.__dict__["COMPILED"] = compiled
    sys.modules[name] = module  # numba looks a cached function's module up by its name
    try:
        spec.loader.exec_module(module)
    except SyntaxError as problem:
        del sys.modules[name]
        raise MfError(f"{path}, line {problem.lineno}: this is not Python ({problem.msg})") from problem
    except BaseException:
        del sys.modules[name]
        raise
    share_functions(module, cache_directory() / "functions")
    return as_solver(module, imported_by=partial(load_solver, path.parent, compiled))


def cache_directory() -> Path:
    """The folder of the user's cache for generated solvers."""
    chosen = os.environ.get("MFDERIVE_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "mfderive"


def _is_right(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _write(content: bytes, file: IO[bytes]) -> None:
    file.write(content)
