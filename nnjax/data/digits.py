"""The handwritten digits that come with scikit-learn."""

import gzip
import importlib.util
from pathlib import Path

import numpy as np

from nnjax.types import Examples

FILE = "datasets/data/digits.csv.gz"
"""Where scikit-learn keeps them: a line for each image, 64 counts and the digit."""


def read() -> tuple[Examples, Examples]:
    """The training and the test set: the first 80% of the 1,797 images of 8 × 8, and the rest.

    Inputs are counts from 0 to 16. Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits,
    UCI Machine Learning Repository (1998), as ``sklearn.datasets.load_digits`` holds its test part.
    """
    table = _table()
    x, y = table[:, :-1].astype(np.uint8), table[:, -1].astype(int)
    cut = round(0.8 * len(y))
    return Examples(x[:cut], y[:cut]), Examples(x[cut:], y[cut:])


def _table() -> np.ndarray:
    """The file's numbers, read without importing scikit-learn, which takes longer than all of nnjax."""
    package = importlib.util.find_spec("sklearn")
    file = Path(package.origin).parent / FILE if package and package.origin else None
    if file is not None and file.is_file():
        with gzip.open(file, "rt", encoding="ascii") as lines:
            return np.loadtxt(lines, delimiter=",")
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return np.column_stack([x, y])
