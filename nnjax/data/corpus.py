"""Texts with their classes from whatever holds them: folders, files of lines, tables, lists."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnjax.data import tfds_texts
from nnjax.data.arrays import kind_of
from nnjax.data.frames import Read, neighbours, read_frame
from nnjax.data.partition import PARTS
from nnjax.data.separated import decoded
from nnjax.validation import UserError

if TYPE_CHECKING:
    import pandas as pd

TEXT, CLASS, PART = "text", "class", "part"
"""The columns of what is read from files of texts."""


def read_corpus(source: Any, labels: Sequence[Any] | None = None) -> Read:
    """The texts in files or an object, a row each.

    Args:
        source: a folder with a subfolder for each class, whose files are a text each (there may be such a folder
            ``train`` and one ``test``); a folder with a file for each class, whose lines are a text each; such
            files by a pattern, ``rt-polarity.*``, or as a list of paths; a table in any form that
            `nnjax.load_table` reads; or, with ``labels``, a list of texts.
        labels: of a list of texts, the class of each.

    A folder that TensorFlow Datasets has prepared is read as well, with the parts and the names that it has.

    Raises:
        UserError: for files that aren't there, can't be read, or are of one class.
    """
    if labels is not None:
        return _of_list(source, labels)
    if isinstance(source, list | tuple) and source and all(isinstance(one, str | os.PathLike) for one in source):
        return _of_lines([Path(one) for one in source], "texts")
    if not isinstance(source, str | os.PathLike):
        return read_frame(source)
    path = Path(source).expanduser()
    if path.is_dir():
        info = tfds_texts.find(path)
        return _of_folder(path) if info is None else _of_tfds(info)
    if not path.exists() and "*" in path.name:
        found = sorted(path.parent.glob(path.name))
        if len(found) < 2:
            raise UserError(f"{source} names {len(found)} file{'s' * (not found)}, and must name one a class")
        return _of_lines(found, path.name.split("*")[0].strip(".-_") or "texts")
    return read_frame(source)


def _of_tfds(info: Path) -> Read:
    import pandas as pd

    name, rows = tfds_texts.read(info)
    return Read(pd.DataFrame(rows, columns=[TEXT, CLASS, PART]), name, CLASS)


def _of_list(texts: Any, labels: Sequence[Any]) -> Read:
    import pandas as pd

    if isinstance(texts, str | os.PathLike) or not hasattr(texts, "__len__") or len(texts) != len(labels):
        what = (
            f"{len(texts)} texts" if hasattr(texts, "__len__") and not isinstance(texts, str) else kind_of(texts)
        )
        raise UserError(f"{len(labels)} labels are given for {what}, and must be one for each of a list of texts")
    return Read(pd.DataFrame({TEXT: list(texts), CLASS: list(labels)}), "texts", CLASS)


def _of_folder(folder: Path) -> Read:
    import pandas as pd

    inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    folders = [path for path in inside if path.is_dir()]
    if not folders:
        return _of_lines([path for path in inside if path.is_file()], folder.name, folder)
    if {"train", "test"} <= {path.name.lower() for path in folders}:
        parts = [path for path in folders if path.name.lower() in PARTS]
        frames = [_of_classes(path).assign(**{PART: path.name.lower()}) for path in parts]
        frame = pd.concat(frames, ignore_index=True)
        tested = set(frame[CLASS][frame[PART] == "test"])  # there may be texts without a class among the others
        return Read(frame[frame[CLASS].isin(tested)].reset_index(drop=True), folder.name, CLASS)
    return Read(_of_classes(folder), folder.name, CLASS)


def _of_classes(folder: Path) -> "pd.DataFrame":
    """A folder of folders, one a class."""
    import pandas as pd

    rows = [
        (_read(path), of_class.name)
        for of_class in sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
        for path in sorted(path for path in of_class.iterdir() if path.is_file() and path.name[0] != ".")
    ]
    if not rows:
        raise UserError(f"{folder} has no folders with texts in them, one a class")
    return pd.DataFrame(rows, columns=[TEXT, CLASS])


def _of_lines(paths: Sequence[Path], name: str, folder: Path | None = None) -> Read:
    """Files of lines, one a class, which are called by what tells them apart: their endings or their names."""
    import pandas as pd

    if len(paths) < 2:
        where = f"{folder} holds {len(paths)} file{'s' * (not paths)}" if folder else f"{paths[0]} is one file"
        raise UserError(f"{where}, and texts are read from two or more, a class each, or from a folder a class")
    stems = {path.stem for path in paths}
    names = [path.suffix[1:] if len(stems) == 1 else path.stem for path in paths]
    twice = next((one for one in names if names.count(one) > 1), None)
    if twice is not None:
        same = [str(path) for path, one in zip(paths, names, strict=True) if one == twice]
        raise UserError(f"{' and '.join(same)} are both of the class {twice!r}: a file must be a class")
    rows = [
        (line.strip(), one)
        for path, one in zip(paths, names, strict=True)
        for line in _read(path).split("\n")
        if line.strip()
    ]
    return Read(pd.DataFrame(rows, columns=[TEXT, CLASS]), name, CLASS)


def _read(path: Path) -> str:
    try:
        content = path.expanduser().read_bytes()
    except FileNotFoundError:
        raise UserError(f"there is no file {path}{neighbours(path)}") from None
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror or error}") from error
    return decoded(path, content)
