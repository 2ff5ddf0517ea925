"""IDX files, plain or gzip'd: the format in which MNIST was published.

A file is two zero bytes, a byte for the type (8: unsigned byte), a byte for the number of dimensions, the
dimensions as big-endian 32-bit integers, and the values, last dimension fastest. Source: Y. LeCun, C. Cortes and
C. Burges, The MNIST database of handwritten digits, "File formats for the MNIST database".
"""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import UInt8

from nnjax.data.labels import check_labels
from nnjax.types import Examples
from nnjax.validation import UserError

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
MOST_DIMENSIONS = 8
MOST_VALUES = 2**31
"""More than this is no file of small images, but a header that is wrong or means harm."""
PIECE = 2**20
"""Bytes that are read at a time."""


def find(folder: Path, name: str) -> tuple[list[Path], list[str]]:
    """The four files of a data set in a folder, and the names of those that aren't there.

    Each may be plain or end in .gz, and be spelt ``train-images-idx3-ubyte`` or ``train-images.idx3-ubyte``.
    """
    del name  # all sets use the same file names
    found, missing = [], []
    for file in FILES:
        spellings = (file, file.replace("-idx", ".idx"))
        paths = [folder / (spelling + suffix) for spelling in spellings for suffix in (".gz", "")]
        there = [path for path in paths if path.is_file()]
        found += there[:1]
        missing += [] if there else [f"{file}[.gz]"]
    return found, missing


def read(name: str, files: Sequence[Path], classes: int) -> tuple[Examples, Examples]:
    """The training and the test set from the four files that ``find`` found.

    Raises:
        UserError: for a damaged file, images and labels that disagree in number, or a label out of range.
    """
    del name
    train_images, train_labels, test_images, test_labels = files
    return _read_pair(train_images, train_labels, classes), _read_pair(test_images, test_labels, classes)


def read_idx(path: Path) -> UInt8[np.ndarray, "..."]:
    """The array of bytes in one IDX file, unpacked if its name ends in .gz.

    The header is read first, and then as many bytes as it promises: a small file that unpacks to a large one costs
    no memory.

    Raises:
        UserError: when the file can't be opened, isn't gzip, isn't IDX of bytes, or is too short or too long.
    """
    try:
        if path.suffix != ".gz":
            with path.open("rb") as file:
                return _read_stream(path, file)
        with path.open("rb") as file:
            begin = file.read(2)
        if begin != b"\x1f\x8b":
            raise UserError(
                f"{path} begins with the bytes {begin.hex(' ') or '(none)'}, and a gzip file begins with 1f 8b"
            )
        with gzip.open(path) as unpacked:
            return _read_stream(path, unpacked)
    except EOFError as error:
        size = path.stat().st_size
        raise UserError(f"{path} is a gzip file cut short: more must follow its {size} bytes") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        if str(error).startswith("Not a gzipped file"):  # but it began as one; gzip lets zeros follow, and no more
            raise UserError(f"{path} has other bytes after the end of its gzip stream") from error
        raise UserError(f"{path} is a damaged gzip file ({error})") from error
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}") from error


def _read_stream(path: Path, file: IO[bytes] | gzip.GzipFile) -> UInt8[np.ndarray, "..."]:
    begin = file.read(4)
    if len(begin) < 4 or begin[:3] != b"\0\0\x08":
        raise UserError(
            f"{path} begins with the bytes {begin.hex(' ') or '(none)'}, and an IDX file of bytes begins with "
            "00 00 08 and the number of dimensions"
        )
    dimensions = begin[3]
    if dimensions > MOST_DIMENSIONS:
        raise UserError(f"{path} has {dimensions} dimensions, and must have at most {MOST_DIMENSIONS}")
    sizes = file.read(4 * dimensions)
    header = 4 + 4 * dimensions
    if len(sizes) < 4 * dimensions:
        raise UserError(f"{path} holds {4 + len(sizes)} bytes of IDX, and its header alone must be {header}")
    shape = struct.unpack(f">{dimensions}I", sizes)
    count = math.prod(shape)
    if count > MOST_VALUES:
        raise UserError(f"{path} promises {count} values in its header, and may hold at most {MOST_VALUES}")
    values = bytearray()
    # In pieces, as a file may hold less than it promises, and one value more, which must not be there.
    while piece := file.read(min(PIECE, count + 1 - len(values))):
        values += piece
    expected = f"a header of {header} and {' × '.join(map(str, shape)) or 1} values"
    if len(values) > count:
        raise UserError(
            f"{path} holds more than the {header + count} bytes of IDX that its header promises: {expected}"
        )
    if len(values) < count:
        raise UserError(
            f"{path} holds {header + len(values)} bytes of IDX, and must hold {header + count}: {expected}"
        )
    return np.frombuffer(values, np.uint8).reshape(shape)


def _read_pair(images_path: Path, labels_path: Path, classes: int) -> Examples:
    images, labels = read_idx(images_path), read_idx(labels_path)
    for path, array, dimensions in ((images_path, images, 3), (labels_path, labels, 1)):
        if array.ndim != dimensions:
            raise UserError(f"{path} has {array.ndim} dimensions, and must have {dimensions}")
    if len(images) != len(labels):
        raise UserError(
            f"{images_path} holds {len(images)} images and {labels_path} {len(labels)} labels, "
            "and there must be as many of both"
        )
    check_labels(labels, classes, str(labels_path))
    return Examples(images.reshape(len(images), math.prod(images.shape[1:])), labels.astype(np.int32))
