"""What holds for every test: it leaves the process where it found it, and JAX compiles nothing twice."""

import os
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Most of the time that it takes to train a tiny network is spent on compiling, and tests train the same one
# again and again. What JAX compiled is kept while this process lives, also for those that tests start. (Each
# process of xdist has its own: entries are not written atomically.)
_COMPILED = tempfile.TemporaryDirectory(prefix="mfderive-tests-jax-")
os.environ["JAX_COMPILATION_CACHE_DIR"] = _COMPILED.name
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"


@pytest.fixture(autouse=True)
def the_folder_of_the_project():
    """Every test starts in the project's folder; one that goes elsewhere leaves no trace of it."""
    os.chdir(ROOT)
    yield
    os.chdir(ROOT)
