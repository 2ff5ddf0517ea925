"""A table from whatever holds one: a file, or an object of pandas, polars, Arrow, NumPy or scikit-learn."""

import functools
import gzip
import importlib.util
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nnjax.data.arrays import kind_of, short
from nnjax.data.separated import read_text
from nnjax.parts import describe, first_line, load
from nnjax.spelling import nearest
from nnjax.validation import UserError, cut

if TYPE_CHECKING:
    import pandas as pd

BINARY = {b"PAR1": "Parquet", b"ARROW1": "Arrow", b"FEA1": "Feather"}
"""The kinds of files that pyarrow reads, by how they begin."""
SUFFIXES = {".parquet": "Parquet", ".pq": "Parquet", ".arrow": "Arrow", ".ipc": "Arrow", ".feather": "Arrow"}
NO_TABLES = {b"PK\x03\x04": "a zip file, as those of spreadsheets are", b"\x89HDF": "an HDF5 file"}


class Read(NamedTuple):
    """A table as it was given."""

    frame: "pd.DataFrame"
    """Columns are called by texts, each once."""
    name: str
    target: str | None
    """The column to be predicted, where the table says which it is."""


def read_frame(source: Any) -> Read:
    """The table in a file or an object.

    Args:
        source: the path of a CSV, TSV, Parquet or Arrow file; ``module:function`` or ``file.py:function`` that
            gives a table; a frame of pandas or polars, an Arrow table, a structured array of NumPy, a mapping of
            names to columns, or what scikit-learn's loaders give.

    Raises:
        UserError: for a file that isn't there, is damaged or of another kind, and for what is no table.
    """
    if isinstance(source, str) and "://" in source:
        raise UserError(f"{short(source)} is an address, and a table is read from a file: download it first")
    if isinstance(source, str) and ":" in source and not Path(source).exists():
        function = load(source, "sklearn.datasets:load_wine")
        try:
            given = function()
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"{source} raises {describe(error)}") from error
        return read_frame(given)._replace(name=source.rpartition(":")[2].removeprefix("load_"))
    if hasattr(source, "__fspath__") or isinstance(source, str):
        path = Path(source)
        try:
            path = path.expanduser()
            stat = path.stat()
        except (OSError, RuntimeError, ValueError):
            near = neighbours(path)
            raise UserError(f"there is no file {path}{near}") from None
        if not path.is_file():
            raise UserError(f"{path} is {'a folder' if path.is_dir() else 'no regular file'}, and must be a table")
        name = path.name.removesuffix(".gz").rpartition(".")[0] or path.name
        return Read(_named(_read_file(path, stat.st_mtime_ns, stat.st_size), str(path)), name, None)
    frame, target = _of_object(source)
    if not len(frame):
        raise UserError("the table has no rows")
    return Read(_named(frame, "the table"), "table", target)


@functools.lru_cache(maxsize=2)
def _read_file(path: Path, changed: int, size: int) -> "pd.DataFrame":
    """The table of a file; that of a fold is the one of the others. Nobody may change it."""
    del changed, size
    import pandas as pd

    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path} is a gzip file that is damaged or cut short: {first_line(error)}") from error
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror or error}") from error
    for begin, what in NO_TABLES.items():
        if content.startswith(begin):
            raise UserError(f"{path} is {what}, and must be a table: CSV, TSV, Parquet or Arrow")
    kind = next((kind for begin, kind in BINARY.items() if content.startswith(begin)), None)
    said = SUFFIXES.get(path.suffix.lower())
    if kind is None and said is None:
        return read_text(path, content)
    if kind is None:
        held = f"begins with the bytes {content[:4].hex(' ')}" if content else "is empty"
        raise UserError(f"{path} is called {path.suffix} and {held}: it is no {said} file, or damaged")
    if importlib.util.find_spec("pyarrow") is None:
        raise UserError(f"{path} is a {kind} file, which pyarrow reads: pip install 'nnjax[table]'")
    try:
        frame = pd.read_parquet(path) if kind == "Parquet" else pd.read_feather(path)
    except MemoryError:
        raise
    except Exception as error:  # each of pyarrow's and pandas' own
        raise UserError(
            f"{path} is a {kind} file that is damaged or cut short: {cut(first_line(error), 100)}"
        ) from error
    if not len(frame):
        raise UserError(f"{path} has no rows")
    return frame


def _of_object(source: Any) -> "tuple[pd.DataFrame, str | None]":
    """The table in an object, and the column to be predicted where it says so."""
    import pandas as pd

    kind = type(source).__module__.partition(".")[0]
    if isinstance(source, pd.DataFrame):
        return source.reset_index(drop=True), None
    if kind == "polars":
        frame = source.collect() if hasattr(source, "collect") else source
        if hasattr(frame, "to_dict") and hasattr(frame, "columns"):
            # Not by its to_pandas, which needs pyarrow.
            return pd.DataFrame(frame.to_dict(as_series=False), columns=frame.columns), None
    if kind == "pyarrow" and hasattr(source, "to_pandas"):
        return pd.DataFrame(source.to_pandas()), None
    if isinstance(source, np.ndarray) and source.dtype.names:
        return pd.DataFrame({name: source[name] for name in source.dtype.names}), None
    if isinstance(source, Mapping):
        if "data" in source and "target" in source:
            return _of_bunch(source)
        try:
            return pd.DataFrame(dict(source)), None
        except Exception as error:
            raise UserError(f"the table is a mapping that makes no frame: {first_line(error)}") from error
    hint = ": an array without names is for nnjax.Dataset" if isinstance(source, np.ndarray) else ""
    raise UserError(
        f"the table is {kind_of(source)}, and must be a file or a frame: of pandas, polars or Arrow, a structured "
        f"array, or what scikit-learn loads{hint}"
    )


def _of_bunch(bunch: Mapping[str, Any]) -> "tuple[pd.DataFrame, str]":
    """What scikit-learn's loaders give; classes by their names where it knows them."""
    import pandas as pd

    data, target = bunch["data"], bunch["target"]
    if not isinstance(data, pd.DataFrame):
        if hasattr(data, "toarray") or np.ndim(data) != 2:
            raise UserError(f"the data of this bunch is {kind_of(data)}, and must be an array [N, D] or a frame")
        names: Any = bunch.get("feature_names")
        if names is None or len(names) != np.shape(data)[1]:
            names = range(np.shape(data)[1])
        columns = [str(name) for name in names]
        data = pd.DataFrame(np.asarray(data), columns=columns)
    classes = bunch.get("target_names")
    if isinstance(target, pd.DataFrame):
        if target.shape[1] != 1:
            raise UserError(f"the target of this bunch has {target.shape[1]} columns, and must have one")
        target = target.iloc[:, 0]
    word = str(target.name) if isinstance(target, pd.Series) and target.name is not None else "target"
    column: Any = np.asarray(target) if not isinstance(target, pd.Series) else target.reset_index(drop=True)
    if column.ndim != 1:
        raise UserError(f"the target of this bunch is {kind_of(target)}, and must be one column [N]")
    numbers = np.asarray(column)
    whole = numbers.dtype.kind in "iu" and numbers.size > 0 and numbers.min() >= 0
    if classes is not None and whole and numbers.max() < len(classes) and len(classes) > 1:
        column = pd.Categorical.from_codes(numbers, [str(name) for name in classes])
    return data.reset_index(drop=True).assign(**{word: column}), word


def _named(frame: "pd.DataFrame", what: str) -> "pd.DataFrame":
    """The frame with columns that are called by texts."""
    if frame.columns.nlevels > 1:
        raise UserError(f"{what} has columns of {frame.columns.nlevels} levels, and each must have one name")
    names = [str(name) for name in frame.columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"{what} has two columns that are called {twice!r}: give one another name")
    return frame.set_axis(names, axis=1) if list(frame.columns) != names else frame


def neighbours(path: Path) -> str:
    """The file beside a missing one that was meant, in words; nothing where there is none like it."""
    try:
        return nearest(path.name, [file.name for file in path.parent.iterdir() if file.is_file()])
    except (OSError, ValueError):
        return ""
