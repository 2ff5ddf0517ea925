"""MNIST as comma-separated numbers: a line an image, its label first, then its 784 pixels."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NoReturn

import numpy as np

from nnjax.data.dataset import IMAGE_CLASSES
from nnjax.types import Examples
from nnjax.validation import UserError

PIXELS = 784
LABEL_WORDS = {str(label) for label in range(IMAGE_CLASSES)}
PIXEL_WORDS = {str(pixel) for pixel in range(256)}


def find(folder: Path, name: str) -> tuple[list[Path], list[str]]:
    """``<name>_train.csv`` and ``<name>_test.csv`` in a folder, and the names of those that aren't there.

    An underscore of the name may be a hyphen: ``fashion-mnist_train.csv``.
    """
    found, missing = [], []
    for split in ("train", "test"):
        paths = [folder / f"{prefix}_{split}.csv" for prefix in (name, name.replace("_", "-"))]
        there = [path for path in paths if path.is_file()]
        found += there[:1]
        missing += [] if there else [paths[0].name]
    return found, missing


def read(name: str, files: Sequence[Path]) -> tuple[Examples, Examples]:
    """The training and the test set from the two files that ``find`` found.

    Raises:
        UserError: as ``read_csv`` does.
    """
    del name
    train, test = files
    return read_csv(train), read_csv(test)


def read_csv(path: Path) -> Examples:
    """The examples of one file: x [N, 784] uint8, y [N] int32.

    A line is ``label,pixel,…,pixel`` in whole numbers. A first line that begins with a word is a header; empty
    lines don't count.

    Raises:
        UserError: when the file can't be opened or is empty; for a row that hasn't 784 pixels, something that is
            no number, a pixel outside 0 … 255 or a label outside 0 … 9, naming the line and the value.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            first = file.readline()
            header = _is_header(first)
            if not any(line.strip("\n") for line in chain([] if header else [first], file)):
                raise UserError(f"{path} holds no examples")
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}") from error
    try:
        # Not as uint8: NumPy 2.0 then reads 256 and nan as 0 and 2.7 as 2, with only a warning.
        numbers = np.loadtxt(
            path, np.float32, comments=None, delimiter=",", skiprows=int(header), ndmin=2, encoding="utf-8-sig"
        )
    except ValueError as error:
        _complain(path, header, str(error))
    with np.errstate(invalid="ignore"):
        table = numbers.astype(np.uint8)
    x, y = table[:, 1:], table[:, 0]
    if x.shape[1] != PIXELS or not np.array_equal(table, numbers) or y.max() >= IMAGE_CLASSES:
        _complain(path, header, "its numbers are out of range")
    return Examples(np.ascontiguousarray(x), y.astype(np.int32))


def _is_header(line: str) -> bool:
    word = line.split(",")[0].strip().strip('"')
    return word.isalpha() and not _is_number(word)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _complain(path: Path, header: bool, otherwise: str) -> NoReturn:
    """Find the line that is wrong and say so; slow, and so only called once something is known to be wrong."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            fields = line.rstrip("\n").split(",")
            if (number == 1 and header) or fields == [""]:
                continue
            if len(fields) != PIXELS + 1:
                raise UserError(
                    f"{path}, line {number}: there are {len(fields) - 1} pixels after the label, "
                    f"and there must be {PIXELS}"
                )
            if fields[0] in LABEL_WORDS and PIXEL_WORDS.issuperset(fields[1:]):
                continue  # as nearly all lines, which makes this bearable for a large file
            for column, field in enumerate(fields):
                most = 255 if column else IMAGE_CLASSES - 1
                if not (_is_number(field) and 0 <= float(field) <= most and float(field).is_integer()):
                    what = f"pixel {column}" if column else "the label"
                    raise UserError(
                        f"{path}, line {number}: {what} is {field[:40]!r}, and must be a whole number "
                        f"from 0 to {most}"
                    )
    raise UserError(f"{path} can't be read as comma-separated numbers: {otherwise}")
