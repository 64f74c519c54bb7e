"""The data sets of the paper, from the folder that ``--data`` names; a stand-in where none is named.

The files are not part of the program. Without them the specs of this folder train on scikit-learn's 1,797
handwritten digits of 8 x 8 pixels instead: real images in ten classes, on which the figures' statement about
widths can be looked at, though none of their numbers.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mfderive as mf

_MNIST = {
    "images": "train-images-idx3-ubyte",
    "labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
WHERE_MNIST = "MNIST's four idx files: https://yann.lecun.com/exdb/mnist (packed by gzip or not)"
WHERE_CIFAR10 = "CIFAR-10, python or binary version, unpacked: https://www.cs.toronto.edu/~kriz/cifar.html"
# What the paper does not state of its experiments on images.
UNSTATED = (
    "the paper prints no table of its final losses and errors: they stand in its curves alone;",
    "it does not state its seeds, which 10,000 training samples it averages over, or whether all networks "
    "saw the same batches (here they do);",
    "the first layer of the limit has as many numbers for each neuron as the image has pixels: no quadrature "
    "exists for it, so it is sampled by nodes (--nodes), and the limit's curve has their error.",
)
_STAND_IN = "  no {}: scikit-learn's digits (8 x 8 pixels) stand in for {} ({})"


def mnist(folder: Path | None, missing: Path | str = "--data") -> Mapping[str, Any] | None:
    """The table [data] of MNIST, grey values in [-1, 1]; None (the spec's stand-in) without a folder.

    ``missing``: what is not there then. Raises MfError for a folder without MNIST's files.
    """
    if folder is None:
        print(_STAND_IN.format(missing, "MNIST", WHERE_MNIST))
        return None
    files = {}
    for key, name in _MNIST.items():
        there = [place for place in (folder / name, folder / f"{name}.gz") if place.is_file()]
        if not there:
            raise mf.MfError(
                f"--data {folder} holds neither {name} nor {name}.gz. Give the folder of {WHERE_MNIST}"
            )
        files[key] = str(there[0].resolve())
    return {"kind": "idx", **files, "range": [-1, 1]}


def cifar10(folder: Path | None, missing: Path | str = "--data") -> Mapping[str, Any] | None:
    """The table [data] of CIFAR-10, values in [-1, 1]; None (the spec's stand-in) without a folder.

    ``missing``: what is not there then.
    """
    if folder is None:
        print(_STAND_IN.format(missing, "CIFAR-10", WHERE_CIFAR10))
        return None
    return {"kind": "cifar10", "path": str(folder.resolve()), "range": [-1, 1]}


def mnist_in(folder: Path | None) -> Mapping[str, Any] | None:
    """MNIST in the folder ``mnist`` of a folder that may hold several data sets; else a stand-in."""
    return mnist(*_within(folder, "mnist"))


def cifar10_in(folder: Path | None) -> Mapping[str, Any] | None:
    """CIFAR-10 in the folder ``cifar10`` of a folder that may hold several data sets; else a stand-in."""
    return cifar10(*_within(folder, "cifar10"))


def _within(folder: Path | None, name: str) -> tuple[Path | None, Path | str]:
    """A folder within one that must exist, None where it is not there; and what is missing then."""
    if folder is None:
        return None, "--data"
    if not folder.is_dir():
        raise mf.MfError(f"--data {folder} is no folder. Give one that holds the folders mnist and cifar10")
    within = folder / name
    return within if within.is_dir() else None, within
