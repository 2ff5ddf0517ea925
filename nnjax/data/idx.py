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
    """The array of bytes in one IDX file, unpacked first if its name ends in .gz.

    Raises:
        UserError: when the file can't be opened, isn't gzip, isn't IDX of bytes, or is too short or too long.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}") from error
    if path.suffix == ".gz":
        data = _unpack(path, data)
    if len(data) < 4 or data[:3] != b"\0\0\x08":
        raise UserError(
            f"{path} begins with the bytes {data[:4].hex(' ') or '(none)'}, and an IDX file of bytes begins with "
            "00 00 08 and the number of dimensions"
        )
    header = 4 + 4 * data[3]
    if len(data) < header:
        raise UserError(f"{path} holds {len(data)} bytes of IDX, and its header alone must be {header}")
    shape = struct.unpack(f">{data[3]}I", data[4:header])
    expected = header + math.prod(shape)
    if len(data) != expected:
        raise UserError(
            f"{path} holds {len(data)} bytes of IDX, and must hold {expected}: a header of {header} and "
            f"{' × '.join(map(str, shape))} values"
        )
    # A copy, since an array that looks into a bytes object can't be written to.
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape).copy()


def _unpack(path: Path, data: bytes) -> bytes:
    if data[:2] != b"\x1f\x8b":
        raise UserError(
            f"{path} begins with the bytes {data[:2].hex(' ') or '(none)'}, and a gzip file begins with 1f 8b"
        )
    try:
        return gzip.decompress(data)
    except EOFError as error:
        raise UserError(f"{path} is a gzip file cut short: more must follow its {len(data)} bytes") from error
    except (OSError, zlib.error) as error:
        raise UserError(f"{path} is a damaged gzip file ({error})") from error


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
