"""Run the notebooks of examples/notebooks and keep what they show, without what changes from run to run.

``python tests/notebooks.py [NAME ...]`` runs them (all, or those whose names begin so) and writes them again.
"""

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "notebooks"
LONGEST = 120  # seconds that a notebook may take
# One thread: a sum of many numbers is then the same on every machine with this processor.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
KEPT = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def notebooks():
    """The files, in order."""
    return sorted(FOLDER.glob("*.ipynb"))


def run(path, folder):
    """A notebook after all its cells have run in a new kernel; raises CellExecutionError where one fails."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=LONGEST, resources={"metadata": {"path": str(folder)}})
    client.execute(env={**os.environ, **ENVIRONMENT})
    return notebook


def kept(notebook):
    """The notebook with its results alone: no times, no versions, no warnings, streams in one piece."""
    notebook.metadata = nbformat.from_dict(KEPT)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "code":
            cell.outputs = list(_outputs(cell.outputs))
    return notebook


def _outputs(outputs):
    printed = None
    for each in outputs:
        if each.output_type != "stream":
            each.metadata = nbformat.from_dict({})
            yield each
        elif each.name == "stdout" and printed is None:
            printed = each
            yield each
        elif each.name == "stdout":
            printed.text += each.text


if __name__ == "__main__":
    for file in notebooks():
        if len(sys.argv) == 1 or any(file.name.startswith(name) for name in sys.argv[1:]):
            nbformat.write(kept(run(file, FOLDER)), file)
            print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")
