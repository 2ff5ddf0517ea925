"""Arrays in NumPy's files as a data set; inputs that are large stay in their file."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nnjax.config import DataConfig
from nnjax.data.dataset import Dataset, split_train
from nnjax.data.frames import neighbours
from nnjax.data.partition import partition
from nnjax.data.stored import WINDOW_BYTES, Stored
from nnjax.types import Examples, Weighted
from nnjax.validation import UserError

PARTS = ("train", "valid", "test")
NAMES = ("x", "y", "weight")
BYTES_SCALE = 255.0
"""What inputs that are bytes are divided by."""


def of_config(config: DataConfig) -> Dataset:
    """The arrays in the file or folder that a configuration names.

    These are ``x`` and ``y``, which are split as the configuration says, or ``train_x``, ``train_y``, ``test_x``,
    ``test_y`` and perhaps ``valid_x``, ``valid_y``; each with a ``weight`` or none. Without ``valid_x`` the last
    part of the training examples validates.

    Raises:
        UserError: for a file that is missing, damaged or of another kind, or arrays that are missing or don't fit.
    """
    if config.file is None:
        raise UserError(
            "data.file is not set, and data.name arrays is read from a folder with x.npy and y.npy, or "
            "train_x.npy, train_y.npy, test_x.npy and test_y.npy, or from an .npz file that holds such arrays"
        )
    path = Path(config.file).expanduser()
    arrays = _read(path, config.window)
    cut = {part: _split(arrays, f"{part}_", path) for part in PARTS if f"{part}_x" in arrays}
    if "x" in arrays and cut:
        raise UserError(f"{path} holds both x and {next(iter(cut))}_x: leave out one of them")
    names: tuple[str, ...] = ()
    if cut:
        missing = [part for part in ("train", "test") if part not in cut]
        if missing:
            raise UserError(f"{path} holds {next(iter(cut))}_x and no {missing[0]}_x")
        names = _named(cut)
        if "valid" not in cut:
            train: Any = cut["train"]
            cut["train"], cut["valid"] = split_train(train, config.valid_fraction, config.split_seed)
    else:
        whole = {"": _split(arrays, "", path)}
        names = _named(whole)
        cut = _partitioned(whole[""], config)
    dtype = cut["train"].x.dtype
    return Dataset(
        path.stem,
        cut["train"],
        cut["valid"],
        cut["test"],
        scale=BYTES_SCALE if dtype == np.uint8 else 1.0,
        config=config,
        class_names=names,
        task=config.task,
    )


def _partitioned(examples: Examples | Weighted, config: DataConfig) -> dict[str, Examples | Weighted]:
    """Examples split as a configuration says."""
    y = examples.y
    is_classes = y.ndim == 1 and y.dtype.kind in "biu" and config.task != "regression"
    strata = np.unique(y, return_inverse=True)[1] if is_classes else np.zeros(len(y), np.int32)
    rows = partition(strata, config, None)
    return {
        part: type(examples)(*(array[of_part] for array in examples))
        for part, of_part in zip(PARTS, rows, strict=True)
    }


def _named(splits: dict[str, Examples | Weighted]) -> tuple[str, ...]:
    """What the classes are called where they are texts, which become numbers."""
    if any(split.y.dtype.kind not in "US" for split in splits.values()):
        return ()
    names, numbers = np.unique(np.concatenate([split.y for split in splits.values()]), return_inverse=True)
    ends = np.cumsum([len(split.y) for split in splits.values()])
    for part, y in zip(splits, np.split(numbers, ends[:-1]), strict=True):
        splits[part] = splits[part]._replace(y=y)
    return tuple(map(str, names.astype(str)))


def _split(arrays: Mapping[str, Any], prefix: str, path: Path) -> Examples | Weighted:
    found: dict[str, Any] = {name: arrays.get(prefix + name) for name in NAMES}
    for name in ("x", "y"):
        if found[name] is None:
            raise UserError(
                f"{path} holds no {prefix}{name}, and must hold x and y, or train_x, train_y, test_x and test_y; "
                f"it holds {', '.join(sorted(arrays)) or 'none of them'}"
            )
    x, y, weight = found.values()
    for name, array in (("y", y), ("weight", weight)):
        if array is not None and (array.ndim == 0 or len(array) != len(x)):
            raise UserError(
                f"{prefix}x of {path} has {len(x):,} examples, and {prefix}{name} the shape {array.shape}"
            )
    return Examples(x, y) if weight is None else Weighted(x, y, weight)


def _read(path: Path, window: int | None) -> dict[str, Any]:
    """The arrays by their names: of a folder inputs that are larger than a window, or all, stay in their file."""
    if path.is_dir():
        wanted = [prefix + name for prefix in ("", *(f"{part}_" for part in PARTS)) for name in NAMES]
        there = [name for name in wanted if (path / f"{name}.npy").is_file()]
        return {name: _load(path / f"{name}.npy", name, window) for name in there}
    if path.suffix == ".npy":
        raise UserError(f"data.file is {str(path)!r}, and must be the folder that holds it, and y.npy beside it")
    if not path.exists():
        raise UserError(f"there is no file or folder {path}{neighbours(path)}")
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is none")
        with np.load(path) as file:
            return {name: _flat(file[name], name) for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} can't be read as an .npz file: {_reason(error)}") from error


def _load(path: Path, name: str, window: int | None) -> Any:
    try:
        array = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} can't be read as an .npy file: {_reason(error)}") from error
    array = _flat(array, name)
    if name.endswith("x") and (array.nbytes > WINDOW_BYTES or window is not None):
        return Stored(array, window=window)
    return np.array(array)


def _flat(array: np.ndarray, name: str) -> np.ndarray:
    """Inputs of images and the like as rows [N, D]."""
    return array.reshape(len(array), -1) if name.endswith("x") and array.ndim > 2 and len(array) else array


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
