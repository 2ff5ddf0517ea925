"""Files of safetensors: named arrays behind a header in JSON, which other programs read as well.

The format: eight bytes, the length of the header; the header, which says of each array its type, shape and place;
then the arrays. See https://huggingface.co/docs/safetensors.
"""

import json
import math
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from nnjax.validation import UserError

TYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I32": np.dtype("<i4"),
    "I64": np.dtype("<i8"),
}
"""The types of arrays that are written, as the header calls them."""

LONGEST = 100_000_000
"""Bytes of a header, at most, as safetensors has it."""


def write(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], texts: Mapping[str, str]) -> None:
    """Write arrays and texts to one file; a file half written never stands there.

    Raises:
        UserError: where it can't be written.
    """
    names = {dtype: name for name, dtype in TYPES.items()}
    header: dict[str, Any] = {"__metadata__": dict(texts)}
    blocks, end = [], 0
    for name, array in arrays.items():
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        header[name] = {
            "dtype": names[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [end, end + array.nbytes],
        }
        blocks.append(array)
        end += array.nbytes
    said = json.dumps(header, ensure_ascii=False).encode()
    said += b" " * (-len(said) % 8)  # so that the arrays lie at multiples of eight
    path = Path(path).expanduser()
    partial = path.with_name(f".network-{secrets.token_hex(4)}")
    try:
        try:
            with partial.open("xb") as file:
                file.write(len(said).to_bytes(8, "little") + said)
                for array in blocks:
                    file.write(array.tobytes())
            partial.replace(path)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"the network can't be written to {path}: {error.strerror or error}") from error


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and texts of a file.

    Raises:
        UserError: where there is no such file, or it is cut short or another kind of file.
    """
    path = Path(path).expanduser()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror or error}") from error
    try:
        length = int.from_bytes(content[:8], "little")
        if not 2 <= length <= min(LONGEST, len(content) - 8):
            raise ValueError
        header = json.loads(content[8 : 8 + length].decode())
        texts = header.pop("__metadata__", {})
        return {name: _array(content[8 + length :], **said) for name, said in header.items()}, texts
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path} is no file of a saved network, or is cut short or damaged") from error


def _array(content: bytes, dtype: str, shape: list[int], data_offsets: list[int]) -> np.ndarray:
    start, end = data_offsets
    if not 0 <= start <= end <= len(content) or end - start != math.prod(shape) * TYPES[dtype].itemsize:
        raise ValueError("a place that isn't there")
    return np.frombuffer(content[start:end], TYPES[dtype]).reshape(shape)
