"""Texts that TensorFlow Datasets (TFDS) has prepared, as records that are read without TensorFlow."""

from pathlib import Path
from typing import Any, NamedTuple

from nnjax.data.tfds import INFO, VERSION, library
from nnjax.parts import first_line
from nnjax.validation import UserError

SPLITS = {"train": "train", "validation": "valid", "test": "test"}
"""The splits of TFDS that have texts with classes, and which part of the data set each is."""


class Row(NamedTuple):
    """A text with its class, and the part in which it stands."""

    text: str
    label: str
    part: str


def find(folder: Path) -> Path | None:
    """The description of what was prepared in a folder, in its newest version; None where there is none.

    The folder may be that of a version, of a configuration that holds versions, or of a data set that holds such.
    """
    for pattern in (INFO, f"{VERSION}/{INFO}", f"*/{VERSION}/{INFO}"):
        found = list(folder.glob(pattern))
        if found:
            return max(
                found, key=lambda path: [int(part) for part in path.parent.name.split(".") if part.isdigit()]
            )
    return None


def folder(dir: str | None, name: str) -> Path:
    """Where in ``data.dir`` a data set by name was prepared.

    Raises:
        UserError: where it isn't.
    """
    if dir is None:
        raise UserError(
            f"data.dir is not set, and {name} is read from the folder in which TensorFlow Datasets prepared it"
        )
    root = Path(dir).expanduser()
    for place in (root / name, root / name.rpartition("/")[2], root):
        if place.is_dir() and find(place) is not None:
            return place
    raise UserError(
        f"data.dir is {dir!r}, and doesn't hold {name}: it lacks {name}/…/{INFO}, which TensorFlow Datasets "
        'writes with download_and_prepare(file_format="array_record")'
    )


def read(info: Path) -> tuple[str, list[Row]]:
    """The name of a data set and all its texts that have a class.

    Where those that test have none, as those of GLUE, the ones that validate test, and the training texts are cut.

    Raises:
        UserError: for a data set without one text and one class an example, or one that is damaged or in a format
            that only TensorFlow reads.
    """
    tfds = library()
    where = info.parent
    try:
        builder = tfds.builder_from_directory(where)
        features = dict(builder.info.features.items())
        texts = [name for name, feature in features.items() if type(feature).__name__ == "Text"]
        labels = [name for name, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)]
        sources = {split: builder.as_data_source(split) for split in SPLITS if split in builder.info.splits}
    except NotImplementedError as error:
        raise UserError(
            f"{where} holds records that only TensorFlow reads: prepare the data set with "
            'file_format="array_record"'
        ) from error
    except Exception as error:  # what TFDS raises isn't documented
        raise UserError(f"{where} can't be read as a data set prepared by TFDS: {first_line(error)}") from error
    if len(texts) != 1 or len(labels) != 1:
        raise UserError(
            f"{where} holds examples of {', '.join(features)}, and must have one text and one class each: "
            "give a table"
        )
    names = features[labels[0]].names
    rows = [
        Row(_text(record[texts[0]]), names[int(record[labels[0]])], SPLITS[split])
        for split, source in sources.items()
        for record in _records(source, where)
        if int(record[labels[0]]) >= 0
    ]
    if not any(row.part == "test" for row in rows):
        rows = [row._replace(part="test") if row.part == "valid" else row for row in rows]
    return str(builder.info.full_name.rpartition("/")[0]), rows


def _records(source: Any, where: Path) -> Any:
    try:
        return source.__getitems__(list(range(len(source))))
    except Exception as error:  # what the reader of records raises isn't documented
        raise UserError(f"{where} can't be read as a data set prepared by TFDS: {first_line(error)}") from error


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
