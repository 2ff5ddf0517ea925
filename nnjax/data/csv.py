"""MNIST as separated numbers: a line an image, its label first, then its 784 pixels."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np

from nnjax.data.arrays import short
from nnjax.types import Examples
from nnjax.validation import UserError

PIXELS = 784
PIXEL_WORDS = {str(pixel) for pixel in range(256)}
SEPARATORS = (",", ";", "\t")
NO_TEXT = {b"\x1f\x8b": "a gzip file", b"PK": "a zip file", b"\0": "no text in UTF-8"}
"""What a file is that begins so."""


class Layout(NamedTuple):
    """How a file is written."""

    encoding: str
    separator: str
    header: int
    """The line that is a header, from 1; 0 where there is none."""


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


def read(name: str, files: Sequence[Path], classes: int) -> tuple[Examples, Examples]:
    """The training and the test set from the two files that ``find`` found.

    Raises:
        UserError: as ``read_csv`` does.
    """
    del name
    train, test = files
    return read_csv(train, classes), read_csv(test, classes)


def read_csv(path: Path, classes: int = 10) -> Examples:
    """The examples of one file: x [N, 784] uint8, y [N] int32.

    A line is ``label,pixel,…,pixel`` in whole numbers, quoted or not; semicolons or tabs serve as well, and one at
    the end of a line doesn't count. Nor do empty lines, and a first one of names or of running numbers. The text
    is UTF-8, or UTF-16 with its mark.

    Raises:
        UserError: when the file can't be opened, is empty or no text; for a row that hasn't 784 pixels, something
            that is no number, a pixel outside 0 … 255 or a label that is no class, naming the line and the value.
    """
    try:
        layout = _layout(path)
        # Not as uint8: NumPy 2.0 then reads 256 and nan as 0 and 2.7 as 2, with only a warning.
        numbers = np.loadtxt(
            (line for _, line in _rows(path, layout)),
            np.float32,
            comments=None,
            delimiter=layout.separator,
            quotechar='"',
            ndmin=2,
        )
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}") from error
    except UnicodeError as error:
        raise UserError(f"{path} is no text in UTF-16, as which it is marked") from error
    except ValueError as error:
        _complain(path, layout, classes, str(error))
    with np.errstate(invalid="ignore"):
        table = numbers.astype(np.uint8)
    x, y = table[:, 1:], table[:, 0]
    if x.shape[1] != PIXELS or not np.array_equal(table, numbers) or y.max() >= classes:
        _complain(path, layout, classes, "its numbers are out of range")
    return Examples(np.ascontiguousarray(x), y.astype(np.int32))


def _layout(path: Path) -> Layout:
    """How a file is written, from its first bytes and its first line that isn't empty."""
    with path.open("rb") as file:
        head = file.read(4)
    for begin, what in NO_TEXT.items():
        if head.startswith(begin) or (
            begin == b"\0" and begin in head and head[:2] not in (b"\xff\xfe", b"\xfe\xff")
        ):
            raise UserError(f"{path} is {what}, and must be text, numbers with commas between them")
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    plain = Layout(encoding, ",", 0)
    number, first = next(_rows(path, plain), (0, ""))
    separator = max(SEPARATORS, key=first.count)
    layout = plain._replace(separator=separator, header=number if _is_header(_fields(first, separator)) else 0)
    if next(_rows(path, layout), None) is None:
        raise UserError(f"{path} holds no examples")
    return layout


def _rows(path: Path, layout: Layout) -> Iterator[tuple[int, str]]:
    """The lines of examples with their numbers from 1: not the header, none empty, none ending in a separator."""
    # A byte that is no text makes a value that is no number, and so gets that sentence.
    with path.open(
        encoding=layout.encoding, errors="strict" if layout.encoding == "utf-16" else "replace"
    ) as file:
        for number, line in enumerate(file, start=1):
            row = line.strip(" \n")
            if row and number != layout.header:
                yield number, row.removesuffix(layout.separator)


def _fields(row: str, separator: str) -> list[str]:
    return [field.strip().strip('"') for field in row.split(separator)]


def _is_header(fields: list[str]) -> bool:
    """Whether these are names, of which most are no pixels, or the running numbers of the columns.

    An example whose label alone is no number is none, lest a slip of the pen loses it.
    """
    if fields[0] in ("0", "1") and len(fields) > 2:
        first = int(fields[0])
        return fields == [str(number) for number in range(first, first + len(fields))]
    names = sum(field not in PIXEL_WORDS for field in fields[1:])
    return fields[0] != "" and not _is_number(fields[0]) and 2 * names >= len(fields) - 1


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _complain(path: Path, layout: Layout, classes: int, otherwise: str) -> NoReturn:
    """Find the line that is wrong and say so; slow, and so only called once something is known to be wrong."""
    labels = {str(label) for label in range(classes)}
    for number, row in _rows(path, layout):
        fields = _fields(row, layout.separator)
        if len(fields) != PIXELS + 1:
            raise UserError(
                f"{path}, line {number}: there are {len(fields) - 1} pixels after the label, "
                f"and there must be {PIXELS}"
            )
        if fields[0] in labels and PIXEL_WORDS.issuperset(fields[1:]):
            continue  # as nearly all lines, which makes this bearable for a large file
        for column, field in enumerate(fields):
            most = 255 if column else classes - 1
            if not (_is_number(field) and 0 <= float(field) <= most and float(field).is_integer()):
                what = f"pixel {column}" if column else "the label"
                raise UserError(
                    f"{path}, line {number}: {what} is {field[:40]!r}, and must be a whole number from 0 to {most}"
                )
    raise UserError(f"{path} can't be read as separated numbers: {short(otherwise)}")
