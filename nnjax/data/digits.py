"""The handwritten digits that come with scikit-learn."""

import numpy as np

from nnjax.types import Examples


def read() -> tuple[Examples, Examples]:
    """The training and the test set: the first 80% of the 1,797 images of 8 × 8, and the rest.

    Inputs are counts from 0 to 16. Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits,
    UCI Machine Learning Repository (1998), as ``sklearn.datasets.load_digits`` holds its test part.
    """
    # scikit-learn takes longer to import than all of nnjax.
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = x.astype(np.uint8)
    cut = round(0.8 * len(y))
    return Examples(x[:cut], y[:cut]), Examples(x[cut:], y[cut:])
