"""Results as a netCDF file, which reads back equal or not at all.

The file is made in memory and then written: HDF5, on which netCDF stands, doesn't survive a full disk under it.
Behind what netCDF reads stands a checksum of it, which `load` holds the file against before HDF5 sees a byte: that
takes a flipped bit for another number, or never ends. Other programs don't look there.
"""

import hashlib
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import xarray as xr

from nnjax.validation import UserError

MARK = b"\nnnjax sha256:"
"""Stands behind the netCDF file, and before its checksum."""

BLOCK = 2**22
"""Bytes that are read at a time for a checksum."""


def save(results: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write results to one netCDF file, which `load` reads back equal; a file half written never stands there.

    It takes as much memory as the results have, 2.1 GB for parameters of 2.1 GB, until it is written.

    Raises:
        UserError: where the file can't be written, or results hold what netCDF can't.
    """
    path = Path(path).expanduser()
    try:
        target = _target(path)
        content = results.to_netcdf(None, engine="h5netcdf")
        _write(target, content)
    except (MemoryError, UserError):
        raise
    except OSError as error:
        raise UserError(f"the results can't be written to {path}: {error.strerror or error}") from error
    except Exception as error:  # each of xarray, h5netcdf and h5py has its own for what it can't write
        raise UserError(f"the results can't be written to {path}: {_in_a_line(error)}") from error


def load(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read results that `save` wrote.

    Raises:
        UserError: where there is no such file, it can't be read, is damaged, or another kind of file.
    """
    path = Path(path).expanduser()
    try:
        with _open(path) as file:
            if not _holds_checksum(file):
                raise UserError(f"{path} is damaged, or was changed by another program: its checksum isn't right")
            results = _read(path, file)
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror or error}") from error
    if "status" not in results:
        raise UserError(f"{path} is a netCDF file, but not of nnjax: it has no variable 'status'")
    return results


def _target(path: Path) -> Path:
    """The file to be written, through links, once it is known to be one or to be none yet."""
    if not path.parent.is_dir():
        raise UserError(f"the results can't be written to {path}: there is no folder {path.parent}")
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise UserError(f"the results can't be written to {path}: it is {_kind(target.stat().st_mode)}")
    return target


def _write(path: Path, content: bytes | memoryview) -> None:
    """Write a file beside, with its checksum, and put it into its place once it is on the disk."""
    partial = path.with_name(f".results-{secrets.token_hex(4)}")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.write(MARK + hashlib.sha256(content).digest())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _open(path: Path) -> BinaryIO:
    """A regular file to read; anything else, which might never end, gets a sentence."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last for a name with a zero byte
        raise UserError(f"there is no results file {path}") from None
    if not stat.S_ISREG(mode):
        raise UserError(f"{path} is {_kind(mode)}, and must be a results file")
    return path.open("rb")


def _holds_checksum(file: BinaryIO) -> bool:
    """Whether the checksum is right, or there is none, as in files of older versions and of other programs."""
    behind = len(MARK) + hashlib.sha256().digest_size
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 2 * behind))
    end = file.read()
    mark, checksum = end[-behind:][: len(MARK)], end[-behind:][len(MARK) :]
    if (
        sum(found == right for found, right in zip(mark, MARK, strict=False)) <= len(MARK) / 2
    ):  # if damaged, a mark
        return MARK not in end  # cut off in the middle of the checksum
    found = hashlib.sha256()
    file.seek(0)
    for start in range(0, size - behind, BLOCK):
        found.update(file.read(min(BLOCK, size - behind - start)))
    file.seek(0)
    return mark == MARK and checksum == found.digest()


def _read(path: Path, file: BinaryIO) -> xr.Dataset:
    import h5py

    try:
        with h5py.File(file, "r") as raw:
            raw.attrs.get("_nc3_strict")  # h5netcdf asks too, and where it fails, fails once more when it closes
        return xr.load_dataset(file, engine="h5netcdf")
    except MemoryError:
        raise
    except Exception as error:  # where HDF5 is led astray, by anything from KeyError to RuntimeError
        raise UserError(f"{path} is not a results file of nnjax, or is damaged: {_in_a_line(error)}") from error


def _kind(mode: int) -> str:
    return "a folder" if stat.S_ISDIR(mode) else "no regular file"


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
