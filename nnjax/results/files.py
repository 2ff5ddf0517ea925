"""Results as a netCDF file, which reads back equal."""

import os
from pathlib import Path

import xarray as xr

from nnjax.validation import UserError


def save(results: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write results to one netCDF file, which `load` reads back equal; a file half written never stands there.

    Raises:
        UserError: where the file can't be written.
    """
    path = Path(path).expanduser()
    if not path.parent.is_dir():
        raise UserError(f"the results can't be written to {path}: there is no folder {path.parent}")
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        results.to_netcdf(partial, engine="h5netcdf")
        partial.replace(path)
    except OSError as error:
        raise UserError(f"the results can't be written to {path}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def load(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read results that `save` wrote.

    Raises:
        UserError: where there is no such file, or another kind of file.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"there is no results file {path}")
    try:
        results = xr.load_dataset(path, engine="h5netcdf")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not a results file of nnjax, or is damaged: {error}") from error
    if "status" not in results:
        raise UserError(f"{path} is a netCDF file, but not of nnjax: it has no variable 'status'")
    return results
