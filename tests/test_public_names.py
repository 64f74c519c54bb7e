"""The public names stay what they are, whatever is imported first."""

import subprocess
import sys


def test_a_room_does_not_take_the_name_of_a_function() -> None:
    """``solve`` and ``reduce`` are rooms and functions (a fresh process: nothing is imported)."""
    code = (
        "import mfderive.solution.solve, mfderive.reduction.reduce, mfderive as mf;"
        "assert callable(mf.solve) and callable(mf.reduce);"
        "from mfderive import solve, reduce; assert callable(solve) and callable(reduce)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
