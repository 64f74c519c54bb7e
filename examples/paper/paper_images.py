"""Images for convolutions and features of another network: data of the paper that are more than its files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from paper_data import WHERE_CIFAR10, cifar10

import mfderive as mf

_FEATURES = "vgg16_features.npz"
WHERE_FEATURES = (
    f"{_FEATURES}, made by you: arrays x, y, test_x and test_y, features [image, 8192] and labels 0 to 9"
)


def cifar10_images(folder: Path | None) -> Mapping[str, Any]:
    """CIFAR-10 as images of shape [3, 32, 32]; without a folder, the digits enlarged to that size.

    Each of their pixels becomes 4 x 4 pixels of three equal channels. Their arrays stand in the table as they
    are.
    """
    shape = [3, 32, 32]
    if folder is not None:
        return {**cifar10(folder), "shape": shape}
    from sklearn.datasets import load_digits

    print(f"  no --data: scikit-learn's digits, enlarged to 32 x 32 pixels, stand in ({WHERE_CIFAR10})")
    digits, labels = load_digits(return_X_y=True)
    images = np.kron(digits.reshape(-1, 1, 8, 8), np.ones((1, 3, 4, 4)))
    flat = images.reshape(len(images), -1)
    return {"kind": "arrays", "x": flat, "y": labels, "range": [-1, 1], "shape": shape, "test": 0.2}


def vgg16_features(folder: Path | None) -> Mapping[str, Any] | None:
    """VGG16's features of CIFAR-10 from vgg16_features.npz; None (the spec's stand-in) without a folder."""
    if folder is None:
        print(f"  no --data: scikit-learn's digits (8 x 8 pixels) stand in ({WHERE_FEATURES})")
        return None
    path = folder / _FEATURES
    if not path.is_file():
        raise mf.MfError(f"--data {folder} holds no {_FEATURES}. Give the folder of {WHERE_FEATURES}")
    return {"kind": "arrays", "file": str(path.resolve()), "test_x": "test_x", "test_y": "test_y"}
