"""Data sets by name: one that comes with a library, or files of whichever kind a folder holds."""

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nnjax.config import DataConfig, check_data_fields
from nnjax.data import cache, csv, digits, idx, npy, table, text, tfds
from nnjax.data.arrays import kind_of
from nnjax.data.dataset import Dataset, split_train
from nnjax.data.weights import class_weighted
from nnjax.parts import Part, PartLike, describe, takes
from nnjax.types import Examples
from nnjax.validation import UserError


class Source(NamedTuple):
    """A kind of files: how to find a data set's in a folder, and how to read them."""

    find: Callable[[Path, str], tuple[list[Path], list[str]]]
    """``(folder, name) -> (files that are there, names of files that aren't)``."""
    read: Callable[[str, Sequence[Path], int], tuple[Examples, Examples]]
    """``(name, files, classes) -> (training set, test set)``."""


SOURCES = {
    "idx": Source(idx.find, idx.read),
    "csv": Source(csv.find, csv.read),
    "tfds": Source(tfds.find, tfds.read),
}
"""The kinds of files by name, in the order in which auto looks for them."""


class Named(NamedTuple):
    """A data set that has a name: where its examples come from, and what they are."""

    read: Callable[[str, str | None, str], tuple[Examples, Examples]]
    """``(name, folder, source) -> (training set, test set)``; what needs no folder looks at none of the three."""
    classes: int
    """C, how many classes there are."""
    scale: float
    """The largest value an input can take."""
    originals: tuple[str, ...] = ()
    """sha256 of the published files, and of the training and the test set's pixels, to tell it from others."""


class Tabled(NamedTuple):
    """A data set that is a table."""

    bundled: str | None = None
    """``module:function`` that gives it; None for the file that is configured."""


class Written(NamedTuple):
    """A data set of texts."""

    prepared: str | None = None
    """As what TensorFlow Datasets prepares it, in ``data.dir``; None for the file that is configured."""


class Arrayed(NamedTuple):
    """A data set of arrays in NumPy's files, which are configured."""


def read_digits(name: str, folder: str | None, source: str) -> tuple[Examples, Examples]:
    """The digits, which come with scikit-learn."""
    del name, folder, source
    return digits.read()


def read_files(name: str, folder: str | None, source: str) -> tuple[Examples, Examples]:
    """The training and the test set from files, or from the cache once they were read.

    Raises:
        UserError: for a folder or file that is missing, damaged data, or files of another data set.
    """
    try:
        source, files = _find(name, folder, source)
        entry = cache.Entry.of(name, source, files)
        cached = entry.load()
        if cached is not None:
            return cached
        named = DATASETS[name]
        assert isinstance(named, Named)
        train, test = SOURCES[source].read(name, files, named.classes)
        _check_originals(name, files, train, test)
    except OSError as error:
        raise UserError(f"{error.filename or folder} can't be read: {error.strerror or error}") from error
    # What a data set refuses must not come back from the cache.
    Dataset(name, train, train, test, named.classes, named.scale)
    entry.store(train, test)
    return train, test


# The sums of the files are those that tensorflow_datasets 4.9.10 holds as url_infos; those of the pixels, training
# and then test set, were taken from files that have these sums.
DATASETS: dict[str, Named | Tabled | Written | Arrayed] = {
    "digits": Named(read_digits, classes=10, scale=16.0),
    "mnist": Named(
        read_files,
        classes=10,
        scale=255.0,
        originals=(
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
            "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        ),
    ),
    "fashion_mnist": Named(
        read_files,
        classes=10,
        scale=255.0,
        originals=(
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
            "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        ),
    ),
    "kmnist": Named(
        read_files,
        classes=10,
        scale=255.0,
        originals=(
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
    ),
    "table": Tabled(),
    "text": Written(),
    "arrays": Arrayed(),
    "imdb_reviews": Written("imdb_reviews"),
    "glue/sst2": Written("glue/sst2"),
    "wine": Tabled("sklearn.datasets:load_wine"),
    "breast_cancer": Tabled("sklearn.datasets:load_breast_cancer"),
    "iris": Tabled("sklearn.datasets:load_iris"),
    "diabetes": Tabled("sklearn.datasets:load_diabetes"),
}
"""The data sets that have a name."""

OF_FILES = ("name", "dir", "source", "valid_fraction", "split_seed", "class_weight")
"""The fields of a configuration that say something of any data set."""
OF_TABLE = ("columns", "missing", "scaling")
"""Those that do so of a table alone,"""
OF_ARRAYS = ("window",)
"""of arrays,"""
OF_TEXT = ("text_column", "vectorizer", "ngrams", "vocabulary", "min_count", "vectors")
"""or of texts; the others do of both."""


def load_data(
    name: PartLike = "digits",
    dir: str | os.PathLike[str] | None = None,
    *,
    source: str = "auto",
    valid_fraction: float = 0.2,
    split_seed: int | None = None,
    **of_table: Any,
) -> Dataset:
    """A data set by name: the first part of its training set trains, the last ``valid_fraction`` validates.

    Args:
        name: digits, which comes with scikit-learn and needs no folder, or mnist, fashion_mnist or kmnist; or a
            function of one's own, of the folder or of nothing, that gives a `Dataset`.
        dir: the folder with the files, or one that holds such folders by the names of the data sets; ~ is the home
            folder.
        source: idx, csv or tfds; auto takes the first of these whose files are all there.
        valid_fraction: the share of the training set that validates.
        split_seed: shuffle the training set with this seed before it is split.
        of_table: the other fields of `nnjax.config.DataConfig`, which say how a table or texts are read;
            `nnjax.load_table` and `nnjax.load_text` have them too.

    Returns:
        NumPy arrays; x [N, D] uint8, from 0 to ``scale``, and y [N] int32. Images are in the order of the original
        files, whatever the source, and are kept in the cache folder after they were first read.

    Raises:
        UserError: in one sentence, for an unknown name, a folder or file that is missing, damaged data, or files
            that are known to be another data set's.
    """
    if not isinstance(name, str | Part) and not callable(name):
        raise UserError(
            f"data.name is {kind_of(name)}, and must be one of {', '.join(DATASETS)}, or a function; a "
            "nnjax.Dataset is loaded already"
        )
    if not isinstance(dir, str | os.PathLike | None):
        raise UserError(f"data.dir is {kind_of(dir)}, and must be a text or a path")
    folder = os.fspath(dir) if isinstance(dir, os.PathLike) else dir
    # The configuration refuses what can't be right, so that there is one source of the words and ranges.
    check_data_fields(of_table)
    config = DataConfig(name, folder, source, valid_fraction, split_seed, **of_table)
    named = DATASETS[config.name] if isinstance(config.name, str) else None
    _refuse_of_others(config, named)
    data = _loaded(config, named, folder)
    if config.class_weight is None:
        return data
    return dataclasses.replace(class_weighted(data, config.class_weight), config=data.config)


def _loaded(config: DataConfig, named: Named | Tabled | Written | Arrayed | None, folder: str | None) -> Dataset:
    """The data set, of which all examples of a class count alike."""
    if isinstance(named, Written):
        return text.of_config(config, named.prepared)
    if isinstance(named, Arrayed):
        return npy.of_config(config)
    if isinstance(named, Tabled):
        return table.of_config(config, named.bundled)
    if isinstance(config.name, Part):
        return _own(config.name, config)
    assert named is not None
    train, test = named.read(str(config.name), folder, str(config.source))
    parts = split_train(train, config.valid_fraction, config.split_seed)
    return Dataset(str(config.name), *parts, test, named.classes, named.scale, config)


def _refuse_of_others(config: DataConfig, named: Named | Tabled | Written | Arrayed | None) -> None:
    """Refuse what is said of a table, of texts or of arrays where the data set is none."""
    refused = {
        Tabled: (*OF_TEXT, *OF_ARRAYS),
        Written: (*OF_TABLE, *OF_ARRAYS),
        Arrayed: (*OF_TABLE, *OF_TEXT, "target", "split_column", "weight"),
    }.get(type(named))
    for item in dataclasses.fields(DataConfig):
        value = getattr(config, item.name)
        default = {} if item.default is dataclasses.MISSING else item.default
        if value == default or item.name in OF_FILES or (refused is not None and item.name not in refused):
            continue
        name = "text" if item.name in OF_TEXT else "arrays" if item.name in OF_ARRAYS else "table"
        raise UserError(
            f"data.{item.name} is {value!r}, which is for {name.removesuffix('s')}s, and data.name is "
            f"{str(config.name)!r}: say data.name {name}"
        )


def _own(part: Part, config: DataConfig) -> Dataset:
    """What a function of the user's own gives: it is called with the folder, if it takes an argument."""
    if part.lost:
        raise UserError(f"{part} {part.lost}")
    try:
        data = part.function(config.dir) if takes(part.function) else part.function()
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"data.name is {part}, which raises {describe(error)}") from error
    if not isinstance(data, Dataset):
        raise UserError(f"data.name is {part}, which gives a {type(data).__name__}, and must give a nnjax.Dataset")
    return dataclasses.replace(data, config=config)


def _find(name: str, dir: str | None, source: str) -> tuple[str, list[Path]]:
    """The source to read, and its files."""
    if dir is None:
        raise UserError(f"data.dir is not set, and {name} is read from a folder that holds its files")
    folder = Path(dir)
    with contextlib.suppress(RuntimeError):  # ~ of a user without a home: no such folder
        folder = folder.expanduser()
    if not folder.is_dir():
        raise UserError(f"data.dir is {dir!r}, and there is no such folder")
    own = [folder / word for word in dict.fromkeys((name, name.replace("_", "-")))]
    folders = [*filter(Path.is_dir, own), folder]
    lacking: dict[tuple[str, Path], list[str]] = {}
    begun = []
    for kind in SOURCES if source == "auto" else [source]:
        for place in folders:
            files, missing = SOURCES[kind].find(place, name)
            if not missing:
                return kind, files
            lacking[kind, place] = missing
            begun += [(kind, place)] if files else []
    # Where some files of a kind are there, that is the kind, and the folder, that was meant.
    place = begun[0][1] if begun else folders[0]
    meant = begun[:1] or [pair for pair in lacking if pair[1] == place]
    lists = " or ".join(f"{', '.join(lacking[pair])} ({pair[0]})" for pair in meant)
    raise UserError(f"{place} doesn't hold {name}: it lacks {lists}")


def _check_originals(name: str, files: Sequence[Path], train: Examples, test: Examples) -> None:
    """Refuse files that are known to be another data set's; what is known of none may be anybody's own."""
    known = {
        sha256: other
        for other, named in DATASETS.items()
        if isinstance(named, Named)
        for sha256 in named.originals
    }
    parts: list[tuple[str, Any]] = [(str(path), path.read_bytes()) for path in files if path.suffix == ".gz"]
    for split, examples in (("training", train), ("test", test)):
        parts.append((f"the {split} set in {files[0].parent}", np.ascontiguousarray(examples.x).data))
    for what, content in parts:
        other = known.get(hashlib.sha256(content).hexdigest(), name)
        if other != name:
            raise UserError(
                f"{what} is that of {other}, and data.name is {name!r}: give the folder of {name}, or one that "
                f"holds a folder {name} and a folder {other}"
            )
