"""What holds for every test: it leaves the process where it found it."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def the_folder_of_the_project():
    """Every test starts in the project's folder; one that goes elsewhere leaves no trace of it."""
    os.chdir(ROOT)
    yield
    os.chdir(ROOT)
