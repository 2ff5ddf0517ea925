"""Data sets by name, from whichever kind of files a folder holds."""

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, cast

from nnjax.config import DataConfig, DataName, DataSource
from nnjax.data import cache, csv, digits, idx, tfds
from nnjax.data.dataset import IMAGE_CLASSES, Dataset, split_train
from nnjax.types import Examples
from nnjax.validation import UserError


class Route(NamedTuple):
    """A kind of files: how to find a data set's in a folder, and how to read them."""

    find: Callable[[Path, str], tuple[list[Path], list[str]]]
    """``(folder, name) -> (files that are there, names of files that aren't)``."""
    read: Callable[[str, Sequence[Path]], tuple[Examples, Examples]]
    """``(name, files) -> (training set, test set)``."""


ROUTES = {
    "idx": Route(idx.find, idx.read),
    "csv": Route(csv.find, csv.read),
    "tfds": Route(tfds.find, tfds.read),
}


def load_data(
    name: str = "digits",
    dir: str | os.PathLike[str] | None = None,
    *,
    source: str = "auto",
    valid_fraction: float = 0.2,
    split_seed: int | None = None,
) -> Dataset:
    """A data set by name: the first part of its training set trains, the last ``valid_fraction`` validates.

    Args:
        name: digits, which comes with scikit-learn and needs no folder, or mnist, fashion_mnist or kmnist.
        dir: the folder with the files; ~ is the home folder.
        source: idx, csv or tfds; auto takes the first of these whose files are all there.
        valid_fraction: the share of the training set that validates.
        split_seed: shuffle the training set with this seed before it is split.

    Returns:
        NumPy arrays; x [N, D] uint8, from 0 to ``scale``, and y [N] int32. Images are in the order of the original
        files, whatever the source, and are kept in the cache folder after they were first read.

    Raises:
        UserError: in one sentence, for an unknown name, a folder or file that is missing, or damaged data.
    """
    folder = os.fspath(dir) if isinstance(dir, os.PathLike) else dir
    # The configuration refuses what can't be right, so that there is one source of the words and ranges.
    config = DataConfig(cast(DataName, name), folder, cast(DataSource, source), valid_fraction, split_seed)
    if name == "digits":
        train, test = digits.read()
        return Dataset(
            name, *split_train(train, valid_fraction, split_seed), test, classes=10, scale=16.0, config=config
        )
    try:
        source, files = _find(name, folder, source)
        entry = cache.Entry.of(name, source, files)
        cached = entry.load()
        train, test = cached or ROUTES[source].read(name, files)
    except OSError as error:
        raise UserError(f"{error.filename or folder} can't be read: {error.strerror or error}") from error
    parts = split_train(train, valid_fraction, split_seed)
    data = Dataset(name, *parts, test, classes=IMAGE_CLASSES, scale=255.0, config=config)
    if cached is None:
        # Only now: what the data set refuses must not come back from the cache.
        entry.store(train, test)
    return data


def _find(name: str, dir: str | None, source: str) -> tuple[str, list[Path]]:
    """The source to read, and its files."""
    if dir is None:
        raise UserError(f"data.dir is not set, and {name} is read from a folder that holds its files")
    folder = Path(dir)
    with contextlib.suppress(RuntimeError):  # ~ of a user without a home: no such folder
        folder = folder.expanduser()
    if not folder.is_dir():
        raise UserError(f"data.dir is {dir!r}, and there is no such folder")
    lacking = {}
    begun = []
    for kind in ROUTES if source == "auto" else [source]:
        files, missing = ROUTES[kind].find(folder, name)
        if not missing:
            return kind, files
        lacking[kind] = f"{', '.join(missing)} ({kind})"
        begun += [kind] if files else []
    # Where some files of a kind are there, that is the kind that was meant.
    lists = lacking[begun[0]] if begun else " or ".join(lacking.values())
    raise UserError(f"{folder} doesn't hold {name}: it lacks {lists}")
