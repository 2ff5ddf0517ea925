"""A table as a data set: its columns typed, its rows split, its inputs made by what the training rows say."""

import dataclasses
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nnjax.config import DataConfig
from nnjax.data.columns import check_there, columns_of
from nnjax.data.dataset import Dataset
from nnjax.data.frames import Read, read_frame
from nnjax.data.partition import partition
from nnjax.data.preprocess import fit
from nnjax.data.remarks import remarks_on
from nnjax.data.target_column import read_target
from nnjax.data.weights import class_weighted, with_column
from nnjax.types import Examples
from nnjax.validation import UserError

if TYPE_CHECKING:
    import pandas as pd


def load_table(
    table: "str | os.PathLike[str] | pd.DataFrame | Mapping[str, Any] | Any",
    target: str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    missing: str = "impute",
    scaling: str = "standard",
    split: str = "stratified",
    split_column: str | None = None,
    weight: str | None = None,
    class_weight: str | Mapping[Any, float] | None = None,
    test_fraction: float = 0.2,
    valid_fraction: float = 0.2,
    split_seed: int | None = None,
    task: str = "auto",
    folds: int | None = None,
    fold: int = 0,
) -> Dataset:
    """A data set from a table: a row an example, one column its class or a quantity, the others its inputs.

    Every statistic that inputs are made by is of the training rows alone. ``dataset.preprocessing`` holds them.

    Args:
        table: a CSV, TSV, Parquet or Arrow file, ``module:function`` that gives a table, a frame of pandas or
            polars, an Arrow table, a structured array of NumPy, a mapping of names to columns, or what
            scikit-learn's loaders give.
        target: the column that is to be predicted; what scikit-learn loads says it itself.
        columns: what columns are, where it isn't what they look like: number, category, boolean or left_out.
        missing: impute puts the training rows' median (of truths, the commoner one) in the place of a missing
            value, and an input beside it that says so; refuse takes none.
        scaling: of numbers, to mean 0 and deviation 1 (standard), to a normal distribution's quantiles (quantile),
            or none.
        split: stratified, random, group, time or given; see `nnjax.config.DataConfig`.
        split_column: the group, the time or the part (train, valid, test) of each row; no input.
        weight: the column that says how much each row counts; no input.
        class_weight: how much training rows count by their class: balanced, or a mapping from labels to numbers.
        test_fraction: the share of the rows that tests.
        valid_fraction: the share of the others that validates.
        split_seed: draws the parts; None is 0.
        task: classification, regression, or auto: numbers that aren't whole, or many different ones, are a
            quantity.
        folds, fold: how many folds, and which of them tests.

    Raises:
        UserError: in one sentence, for a file that is missing, damaged or of another kind, a column that isn't
            there, or values that can't be.
    """
    path = os.fspath(table) if isinstance(table, str | os.PathLike) else None
    # The configuration refuses what can't be right, so that there is one source of the words and ranges.
    config = DataConfig(
        "table",
        file=path,
        target=target,
        columns=columns or {},
        missing=missing,  # type: ignore[arg-type]
        scaling=scaling,  # type: ignore[arg-type]
        split=split,  # type: ignore[arg-type]
        split_column=split_column,
        weight=weight,
        class_weight=class_weight,
        test_fraction=test_fraction,
        valid_fraction=valid_fraction,
        split_seed=split_seed,
        task=task,  # type: ignore[arg-type]
        folds=folds,
        fold=fold,
    )
    data = of_table(read_frame(table), config)
    if class_weight is not None:
        data = dataclasses.replace(class_weighted(data, class_weight), config=config)
    return data if path is not None else dataclasses.replace(data, config=None)


def of_config(config: DataConfig, bundled: str | None) -> Dataset:
    """The table that a configuration names.

    Args:
        config: which file, and how it is split.
        bundled: the table of a data set by name; None for the file that is configured.

    Raises:
        UserError: as `load_table` does.
    """
    if bundled is None and config.file is None:
        raise UserError(
            "data.file is not set, and data.name table is read from a file: CSV, TSV, Parquet or Arrow"
        )
    if bundled is not None and config.file is not None:
        raise UserError(
            f"data.file is {config.file!r}, and data.name is {str(config.name)!r}: say data.name table"
        )
    return of_table(read_frame(bundled or config.file), config)


def of_table(read: Read, config: DataConfig) -> Dataset:
    """A table that was read, as a configuration says."""
    frame, what = read.frame, config.file or read.name
    target = config.target or read.target
    if target is None:
        shown = ", ".join(map(repr, frame.columns[-3:]))
        raise UserError(
            f"data.target is not set, and must say which column is to be predicted; the last ones are {shown}"
        )
    said = {"target": target, "split_column": config.split_column, "weight": config.weight}
    fields = {column: field for field, column in said.items() if column is not None}
    needed = list(fields)
    check_there(needed, frame, f"{what}, whose data.target is {target!r},")
    for field, column in said.items():
        if column is not None and fields[column] != field:
            raise UserError(f"data.{field} and data.{fields[column]} are both {column!r}")
    goal = read_target(frame[target], config.task)
    parts = partition(goal.strata, config, None if config.split_column is None else frame[config.split_column])
    inputs = frame.drop(columns=needed)
    columns = columns_of(inputs.iloc[parts.train], config.columns)
    preprocessing = fit(
        inputs.iloc[parts.train],
        columns,
        missing=config.missing,
        scaling=config.scaling,
        target=target,
        labels=goal.labels,
    )
    examples = [Examples(preprocessing.inputs_of(inputs.iloc[rows], what), goal.y[rows]) for rows in parts]
    train, valid, test = with_column(examples, parts, frame[config.weight] if config.weight else None)
    return Dataset(
        read.name,
        train,
        valid,
        test,
        classes=len(goal.labels) or 1,
        scale=1.0,
        config=config,
        class_names=goal.names,
        preprocessing=preprocessing,
        task=goal.task,
        remarks=remarks_on(inputs, columns, goal, parts, config),
    )
