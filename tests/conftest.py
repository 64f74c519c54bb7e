"""What holds for every test: it leaves the process where it found it, and JAX compiles nothing twice."""

import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Most of the time that it takes to train a tiny network is spent on compiling, and tests train the same one
# again and again. What JAX compiled is kept while this process lives, also for those that tests start. (Each
# process of xdist has its own: entries are not written atomically.)
_COMPILED = tempfile.TemporaryDirectory(prefix="mfderive-tests-jax-")
os.environ["JAX_COMPILATION_CACHE_DIR"] = _COMPILED.name
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

# Processes of xdist share the cores: where each has one, the threads of its matrix products would wait for
# each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(_threads, "1")


# A process in the background of a shell without jobs ignores SIGINT, and tests of interruptions send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Files that take long, in processor time: under xdist a process takes one file after another, and a long one
# that is left for the end keeps the others waiting.
_LONG = (
    "tests/exact/test_shipped.py",
    "tests/test_notebooks.py",
    "tests/test_examples.py",
    "tests/verdict/test_check.py",
    "tests/runs/test_survival.py",
    "tests/test_cli_runs.py",
    "tests/finite/test_shipped.py",
    "tests/exact/test_random.py",
    "tests/solution/test_sample.py",
    "tests/theory/test_blow_up.py",
    "tests/reduction/test_agreement.py",
    "tests/sweeps/test_sweeps.py",
    "tests/notation/test_measure.py",
    "tests/notation/test_breaking.py",
    "tests/codegen/test_solver.py",
    "tests/reduction/test_rotation.py",
    "tests/finite/test_rules.py",
    "tests/fluctuation/test_validity.py",
    "tests/test_cli.py",
    "tests/test_quality.py",
    "tests/paper_numbers",
)


# Where the networks that JAX trains are means to an end, they are compiled without optimisations: that takes
# a third of the time, and tiny networks train no slower. Where their rounding is what is looked at (steps to
# the bit, runs that go on to the same bits, gradients), in studies and in benchmarks they are compiled as for
# users.
_AS_FOR_USERS = ("tests/finite", "tests/exact", "tests/runs", "tests/benchmarks")
_UNOPTIMISED = {"xla_backend_optimization_level": 0}
_quick = False


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before anything of a test is made: how JAX compiles for it."""
    global _quick
    _quick = not (
        any(item.path.is_relative_to(ROOT / folder) for folder in _AS_FOR_USERS)
        or any(item.get_closest_marker(name) for name in ("study", "benchmark"))
    )
    jax = sys.modules.get("jax")  # the first test that imports it goes without
    plain = getattr(jax, "jit", None)
    if plain is not None and not hasattr(plain, "plain"):

        def jit(*arguments: Any, **options: Any) -> Any:
            return plain(*arguments, **({"compiler_options": _UNOPTIMISED} if _quick else {}) | options)

        jit.plain = plain
        jax.jit = jit


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of long files first, the longest before all others."""
    order = {ROOT / name: number for number, name in enumerate(_LONG)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


@pytest.fixture(autouse=True)
def the_folder_of_the_project():
    """Every test starts in the project's folder; one that goes elsewhere leaves no trace of it."""
    os.chdir(ROOT)
    yield
    os.chdir(ROOT)
