"""Texts as a data set: read, split, and counted by the words of those that train."""

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.config import DataConfig, check_data_fields
from nnjax.data import tfds_texts
from nnjax.data.columns import check_there
from nnjax.data.corpus import CLASS, PART, TEXT, read_corpus
from nnjax.data.dataset import Dataset
from nnjax.data.frames import Read
from nnjax.data.partition import Partition, partition
from nnjax.data.target_column import read_target
from nnjax.data.vectors import read_vectors
from nnjax.data.weights import class_weighted, with_column
from nnjax.data.words import Words, fit
from nnjax.types import Examples
from nnjax.validation import UserError

if TYPE_CHECKING:
    import pandas as pd


def load_text(
    texts: "str | os.PathLike[str] | Sequence[Any] | pd.DataFrame | Any",
    target: str | Sequence[Any] | None = None,
    **fields: Any,
) -> Dataset:
    """A data set from texts and their classes, with sparse inputs: how often a text holds each word.

    The vocabulary, and of tf-idf the weights, are of the training texts alone; ``dataset.preprocessing`` holds
    them.

    Args:
        texts: a folder with a folder of texts or a file of lines for each class, a pattern or a list of such
            files, a table in any form that `nnjax.load_table` takes, or a list of texts.
        target: the column of a table that is to be predicted; of a list of texts the class of each.
        fields: the others of `nnjax.config.DataConfig`: text_column, vectorizer (counts, binary, tfidf), ngrams,
            vocabulary, min_count, vectors; and as for a table split, split_column, test_fraction, valid_fraction,
            split_seed, folds, fold.

    Raises:
        UserError: in one sentence, for a file that is missing, damaged or of another kind, a column that isn't
            there, or values that can't be.
    """
    path = os.fspath(texts) if isinstance(texts, str | os.PathLike) else None
    labels = None if isinstance(target, str) or target is None else target
    column = target if isinstance(target, str) else None
    check_data_fields(fields)
    config = DataConfig("text", file=path, target=column, **fields)
    data = of_corpus(read_corpus(texts, labels), config)
    if config.class_weight is not None:
        data = dataclasses.replace(class_weighted(data, config.class_weight), config=config)
    return data if path is not None else dataclasses.replace(data, config=None)


def of_config(config: DataConfig, prepared: str | None = None) -> Dataset:
    """The texts that a configuration names.

    Args:
        config: which file, and how it is split.
        prepared: as what TensorFlow Datasets prepares them, in ``data.dir``; None for the file that is configured.

    Raises:
        UserError: as `load_text` does.
    """
    if prepared is not None:
        if config.file is not None:
            raise UserError(
                f"data.file is {config.file!r}, and data.name is {prepared!r}, which is read from data.dir: say "
                "data.name text"
            )
        read = read_corpus(tfds_texts.folder(config.dir, prepared))
        return of_corpus(read._replace(name=prepared), config)
    if config.file is None:
        raise UserError(
            "data.file is not set, and data.name text is read from a folder with a folder or a file of lines for "
            "each class, or from a table"
        )
    return of_corpus(read_corpus(config.file), config)


def of_corpus(read: Read, config: DataConfig) -> Dataset:
    """Texts that were read, as a configuration says."""
    frame, what = read.frame, config.file or read.name
    target = config.target or read.target
    if target is None:
        raise UserError(
            f"data.target is not set, and must say which column of {what} is to be predicted: "
            + ", ".join(map(repr, frame.columns))
        )
    check_there([target], frame, f"{what}, whose data.target is {target!r},")
    column = config.text_column or _text_column(frame, target, what)
    check_there([column], frame, f"{what}, whose data.text_column is {column!r},")
    goal = read_target(frame[target], "classification")
    parts = partition(goal.y, *_split(frame, config, what))
    texts = frame[column].to_numpy(object)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            shown = "no text" if text is None or text != text else f"{text!r}, which is no text,"
            raise UserError(f"the column {column} of {what} has {shown} in row {row + 1}")
    words = fit(
        texts[parts.train].tolist(),
        vectorizer=config.vectorizer,
        ngrams=config.ngrams,
        vocabulary=config.vocabulary,
        min_count=config.min_count,
        column=column,
        target=target,
        labels=goal.labels,
    )
    examples = [Examples(words.inputs_of(texts[rows], what), goal.y[rows]) for rows in parts]
    if config.weight is not None:
        check_there([config.weight], frame, f"{what}, whose data.weight is {config.weight!r},")
    train, valid, test = with_column(examples, parts, frame[config.weight] if config.weight else None)
    vectors = None if config.vectors is None else read_vectors(config.vectors, words.words)
    return Dataset(
        read.name,
        train,
        valid,
        test,
        classes=len(goal.labels),
        scale=1.0,
        config=config,
        class_names=goal.names,
        preprocessing=words,
        remarks=_remarks(texts, parts, words, examples, vectors),
        vectors=vectors,
    )


def _text_column(frame: "pd.DataFrame", target: str, what: str) -> str:
    """The column with the longest texts on average."""
    lengths = {
        str(name): sum(map(len, frame[name])) / len(frame)
        for name in frame.columns
        if name != target and all(isinstance(value, str) for value in frame[name])
    }
    if not lengths:
        raise UserError(
            f"no column of {what} beside {target!r} holds a text in each row; it has "
            + ", ".join(map(repr, frame.columns))
        )
    return TEXT if TEXT in lengths else max(lengths, key=lambda name: lengths[name])


def _split(frame: "pd.DataFrame", config: DataConfig, what: str) -> "tuple[DataConfig, pd.Series | None]":
    """How the texts are split, and the column that this needs; folders train and test say it by themselves."""
    if config.split_column is not None:
        check_there([config.split_column], frame, what)
        return config, frame[config.split_column]
    if list(frame.columns) == [TEXT, CLASS, PART] and config.split == "stratified" and not config.folds:
        return dataclasses.replace(config, split="given", split_column=PART), frame[PART]
    return config, None


def _remarks(
    texts: np.ndarray, parts: Partition, words: Words, splits: Sequence[Examples], vectors: np.ndarray | None
) -> tuple[str, ...]:
    """A sentence for each thing that is worth saying of texts."""
    said = [f"inputs are {words}, those of the {len(parts.train):,} texts that train"]
    trained = set(texts[parts.train])
    for name, rows, split in zip(("train", "validate", "test"), parts, splits, strict=True):
        empty = int(np.count_nonzero(~split.x.values.any(axis=1)))
        if empty:
            said.append(f"{empty:,} of the {len(rows):,} texts that {name} hold none of these words")
        twice = sum(text in trained for text in texts[rows]) if name != "train" else 0
        if twice:
            said.append(f"{twice:,} of the {len(rows):,} texts that {name} stand among those that train too")
    if vectors is not None:
        known = int(np.count_nonzero(~np.isnan(vectors[:, 0])))
        said.append(f"{known:,} of the {len(vectors):,} words start with a vector of data.vectors")
    return tuple(said)
