"""The route through TensorFlow Datasets (TFDS), without TensorFlow.

To prepare a data set, the registered builder needs TensorFlow in two places: to unpack the files that it
downloaded, and to encode PNG. A subclass does both itself. Its name, version, features and checksums are the
registered builder's, so all that reads TFDS reads what it prepared.
"""

import contextlib
import hashlib
import io
import json
import os
import tempfile
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from nnjax.data import cache
from nnjax.data.idx import FILES, read_idx
from nnjax.data.labels import check_labels
from nnjax.types import Examples
from nnjax.validation import UserError, choice

NAMES = ("mnist", "fashion_mnist", "kmnist")
INFO = "dataset_info.json"
VERSION = "[0-9]*.[0-9]*.[0-9]*"
RAW = tuple(f"{file}.gz" for file in FILES)


def find(folder: Path, name: str) -> tuple[list[Path], list[str]]:
    """The files of a prepared data set, else the four original files, and the names of those that aren't there.

    The folder may be the data_dir of TFDS, the data set's folder in it, or its version's folder in that.
    """
    for pattern in (f"{name}/{VERSION}/{INFO}", f"{VERSION}/{INFO}", INFO):
        infos = [path for path in folder.glob(pattern) if _is_of(path, name)]
        if infos:
            info = max(
                infos, key=lambda path: [int(part) for part in path.parent.name.split(".") if part.isdigit()]
            )
            return [info, *sorted(path for path in info.parent.iterdir() if path != info)], []
    found = [folder / file for file in RAW if (folder / file).is_file()]
    missing = [file for file in RAW if folder / file not in found]
    rest = ", ".join(missing) if found else "the four original .gz files"
    return found, [f"{name}/*/{INFO} or {rest}"] if missing else []


def read(name: str, files: Sequence[Path], classes: int) -> tuple[Examples, Examples]:
    """The training and the test set from the files that ``find`` found, in the order of the original files.

    Original files are prepared first, in the cache folder.

    Raises:
        UserError: when TFDS isn't installed or has no such data set, a checksum is wrong, or the prepared files
            are damaged or not in a format that is read without TensorFlow.
    """
    choice("data.name for the source tfds", name, NAMES)
    if files[0].name == INFO:
        return _read_prepared(files[0].parent, classes)
    builder = _builder(name)
    _check_sums(builder, files)
    try:
        return _read_prepared(_prepare(builder, files[0].parent, cache.folder() / "tfds"), classes)
    except Exception:
        # The cache folder can't be written, or what it held was damaged, or somebody else prepares there just now:
        # what TFDS raises then isn't documented, and a cache is never in the way.
        with tempfile.TemporaryDirectory() as fresh:
            return _read_prepared(_prepare(builder, files[0].parent, Path(fresh)), classes)


def prepare(name: str, raw_dir: str | os.PathLike[str], data_dir: str | os.PathLike[str]) -> Path:
    """Prepare a data set from its four original files, so that ``tfds.data_source(name, data_dir=…)`` reads it.

    The checksums that TFDS holds for the files are verified, and nothing is downloaded. The records are written
    as ArrayRecord.

    Args:
        name: mnist, fashion_mnist or kmnist.
        raw_dir: the folder with train-images-idx3-ubyte.gz and the other three.
        data_dir: the data_dir of TFDS to write into; what is prepared there already is left as it is.

    Returns:
        The folder of the prepared version, ``data_dir/name/3.0.1``.

    Raises:
        UserError: when TFDS isn't installed, a file is missing or has another checksum, or the folder can't be
            written.
    """
    choice("name", name, NAMES)
    try:
        raw = Path(raw_dir).expanduser()
        builder = _builder(name)
        _check_sums(builder, [raw / file for file in RAW])
        return _prepare(builder, raw, Path(data_dir).expanduser())
    except Exception as error:  # what TFDS raises isn't documented
        raise UserError(f"{name} can't be prepared in {data_dir}: {_first_line(error)}") from error


def library() -> Any:
    """TensorFlow Datasets.

    Raises:
        UserError: where it isn't installed.
    """
    try:
        import importlib_resources  # noqa: F401 (TFDS needs it later, and doesn't declare it)
        import tensorflow_datasets
    except ImportError as error:
        raise UserError(
            f"TensorFlow Datasets can't be imported ({error}), which is needed to read what it prepared: "
            "pip install 'nnjax[tfds]'"
        ) from error
    return tensorflow_datasets


class _WithoutTensorFlow:
    """What a registered builder needs TensorFlow for, done without."""

    URL: str

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        # download, not download_and_extract: it verifies the checksums, and takes files from manual_dir.
        train_x, train_y, test_x, test_y = dl_manager.download([self.URL + file for file in RAW])
        return {
            "train": self._generate_examples(train_x, train_y),
            "test": self._generate_examples(test_x, test_y),
        }

    def _generate_examples(self, images: Any, labels: Any) -> Iterator[tuple[int, dict[str, Any]]]:
        pairs = zip(read_idx(Path(images)), read_idx(Path(labels)), strict=True)
        # The keys are those of the registered builder: TFDS shuffles by them.
        for key, (image, label) in enumerate(pairs):
            yield key, {"image": _to_png(image), "label": int(label)}


def _builder(name: str) -> Any:
    """The registered builder's subclass, under its name and not registered itself."""
    registered = library().builder_cls(name)
    # Its name in all that is written, and its checksums, which TFDS would look for beside our module.
    own = {"name": registered.name, "__module__": registered.__module__, "url_infos": registered.url_infos}
    bases = (_WithoutTensorFlow, registered)
    return types.new_class("Prepared", bases, {"skip_registration": True}, lambda body: body.update(own))


def _check_sums(builder: Any, files: Sequence[Path]) -> None:
    # TFDS checks them too, where it prepares; here a copy that was prepared before can't hide a damaged file.
    for path in files:
        expected = builder.url_infos[builder.URL + path.name].checksum
        if not path.is_file():
            raise UserError(f"{path} is missing, and {builder.name} is prepared from its four original files")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != expected:
            raise UserError(
                f"{path} has the sha256 checksum {found}, and TensorFlow Datasets expects {expected}: "
                f"it is not the original file of {builder.name}"
            )


def _prepare(builder: Any, raw: Path, data_dir: Path) -> Path:
    tfds = library()
    ready = builder(data_dir=data_dir)
    with (
        tempfile.TemporaryDirectory() as downloads,
        # TFDS prints progress of downloads that don't happen.
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        ready.download_and_prepare(
            download_dir=downloads,
            download_config=tfds.download.DownloadConfig(
                manual_dir=raw, force_checksums_validation=True, try_download_gcs=False
            ),
            file_format="array_record",
        )
    return Path(ready.data_dir)


def _read_prepared(folder: Path, classes: int) -> tuple[Examples, Examples]:
    tfds = library()
    try:
        builder = tfds.builder_from_directory(folder)
        splits = {
            # Decoding in TFDS would be slower, and warn that OpenCV isn't there.
            split: builder.as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()})
            for split in ("train", "test")
        }
        train, test = (_decode(split, source, builder.info) for split, source in splits.items())
    except NotImplementedError as error:
        raise UserError(
            f"{folder} holds records that only TensorFlow reads: prepare the data set in the array_record format, "
            "for instance with nnjax.data.prepare"
        ) from error
    except Exception as error:  # what TFDS and the reader of records raise isn't documented
        raise UserError(f"{folder} can't be read as a data set prepared by TFDS: {_first_line(error)}") from error
    for split, examples in (("train", train), ("test", test)):
        check_labels(examples.y, classes, f"the {split} split in {folder}")
    return train, test


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _decode(split: str, source: Any, info: Any) -> Examples:
    records = source.__getitems__(list(range(len(source))))
    x = np.stack([_from_png(record["image"]) for record in records]).reshape(len(records), -1)
    y = np.array([record["label"] for record in records], np.int32)
    if not info.disable_shuffling:
        place = _places(split, len(records))
        x, y = x[place], y[place]
    return Examples(x, y)


def _places(split: str, count: int) -> Int[np.ndarray, " N"]:
    """Where the examples of the original files lie among the records.

    TFDS writes records in the order of the md5 of the split's name and the example's key, here its number. It
    promises a new major version of every data set should that change (its core/hashing.py).
    """
    order = sorted(range(count), key=lambda key: hashlib.md5(f"{split}{key}".encode()).digest())
    return np.argsort(order)


def _to_png(image: np.ndarray) -> bytes:
    # Pillow comes with Matplotlib, and isn't needed before.
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def _from_png(data: bytes) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def _is_of(info: Path, name: str) -> bool:
    """Whether a prepared folder holds this data set; damage is left for the reader to report."""
    try:
        content = json.loads(info.read_bytes())
    except ValueError:
        return True
    return not isinstance(content, dict) or content.get("name") == name
