"""Tables as data sets: from Python and by configuration; nothing of validation or test gets into the inputs."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_wine

import nnjax
from nnjax.config import DataConfig, replace
from nnjax.data import Dataset, load_data, load_table


def animals(rows: int = 90) -> pd.DataFrame:
    random = np.random.default_rng(0)
    kind = np.array(["cat", "dog", "eel"])[np.arange(rows) % 3]
    return pd.DataFrame(
        {
            "weight": np.where(random.random(rows) < 0.1, np.nan, random.normal(5, 1, rows) + (kind == "dog") * 9),
            "legs": random.integers(0, 5, rows),
            "colour": random.choice(["black", "white", None], rows),
            "tame": random.choice(["yes", "no"], rows),
            "kind": kind,
        }
    )


def test_a_table_is_a_data_set() -> None:
    frame = animals()
    data = load_table(frame, target="kind")
    assert str(data) == "table: 58, 14, 18 examples for training, validation, test; 7 inputs, 3 classes"
    assert data.class_names == ("cat", "dog", "eel")
    assert (data.scale, data.config, data.train.x.dtype) == (1.0, None, np.float32)
    assert data.preprocessing is not None
    assert data.preprocessing.inputs == (
        *("weight", "weight missing", "legs", "colour=black", "colour=white", "colour unknown", "tame"),
    )
    # Each row is there, with its label.
    rows = data.preprocessing.inputs_of(frame)
    found = {
        (tuple(x), data.class_names[y])
        for split in (data.train, data.valid, data.test)
        for x, y in zip(*split, strict=True)
    }
    assert found == {(tuple(x), kind) for x, kind in zip(rows, frame["kind"], strict=True)}
    assert np.abs(data.train.x[:, 0].mean()) < 1e-6
    assert np.abs(data.valid.x[:, 0].mean()) > 1e-6


SPLITS: dict[str, dict[str, Any]] = {
    "stratified": {},
    "random": {"split": "random"},
    "folds": {"folds": 3, "fold": 1},
    "time": {"split": "time"},
    "group": {"split": "group", "split_column": "legs"},
}


@settings(max_examples=20)
@given(
    st.sampled_from(list(SPLITS)),
    st.sampled_from(["standard", "quantile", "none"]),
    st.floats(-1e9, 1e9),
    st.text("xyz", min_size=1, max_size=5),
)
def test_nothing_of_validation_or_test_gets_into_the_preprocessing(
    split: str, scaling: str, marker: float, word: str
) -> None:
    frame = animals()
    fields = {"target": "kind", "scaling": scaling, **SPLITS[split]}
    config = DataConfig("table", **fields)
    by = frame[config.split_column] if config.split_column else None
    from nnjax.data.partition import partition

    y = np.unique(frame["kind"], return_inverse=True)[1].astype(np.int32)
    parts = partition(y, config, by)
    plain = load_table(frame, **fields)
    marked = frame.copy()
    others = np.concatenate([parts.valid, parts.test])
    marked.loc[others, "weight"] = marker
    marked.loc[others, "colour"] = word
    marked.loc[others, "tame"] = "no"
    found = load_table(marked, **fields)
    assert plain.preprocessing is not None
    assert found.preprocessing == plain.preprocessing
    np.testing.assert_array_equal(found.train.x, plain.train.x)
    # What was planted has arrived: the test would see it.
    place = plain.preprocessing.inputs.index("colour unknown")
    assert found.valid.x[:, place].all()
    assert found.test.x[:, place].all()
    moved = frame.copy()
    moved.loc[parts.train, "legs"] += 100
    if scaling != "none" and split != "group":
        assert load_table(moved, **fields).preprocessing != plain.preprocessing


def test_what_a_column_is_is_found_in_the_rows_that_train() -> None:
    part = np.array(["train", "train", "valid", "test"] * 20)
    others = part != "train"
    frame = pd.DataFrame({"x": np.arange(80.0), "part": part, "kind": ["a", "b"] * 40})
    frame["same"] = np.where(others, np.arange(80), 7)
    frame["few"] = np.where(others, [f"n{number}" for number in range(80)], np.tile(["u", "u", "v", "v"], 20))
    data = load_table(frame, "kind", split="given", split_column="part")
    assert data.preprocessing is not None
    assert data.preprocessing.left_out == {"same": "always 7", "few": "always u"}
    frame.loc[1, "few"] = "v"
    again = load_table(frame, "kind", split="given", split_column="part").preprocessing
    assert again is not None
    assert again.inputs == ("x", "few=u", "few=v", "few unknown")


def test_a_configuration_names_the_same_table(tmp_path: Path) -> None:
    path = tmp_path / "animals.csv"
    animals().to_csv(path, index=False)
    data = load_table(
        path, "kind", columns={"legs": "category"}, scaling="quantile", folds=4, fold=2, split_seed=7
    )
    assert data.name == "animals"
    assert data.config is not None
    again = load_data(**vars(data.config))
    assert again.fingerprint == data.fingerprint
    assert again.preprocessing == data.preprocessing
    plan = nnjax.plan(
        replace(nnjax.Config(seeds=2, batch_size=32), {f"data.{k}": v for k, v in vars(data.config).items()})
    )
    assert plan.groups[0].data.fingerprint == data.fingerprint


@pytest.mark.parametrize(("name", "load"), [("wine", load_wine), ("breast_cancer", load_breast_cancer)])
def test_a_bunch_by_name_is_that_of_scikit_learn(name: str, load: Any) -> None:
    data, bunch = load_data(name, scaling="none"), load()
    assert data.class_names == tuple(bunch.target_names)
    x = np.concatenate([split.x for split in (data.train, data.valid, data.test)])
    y = np.concatenate([split.y for split in (data.train, data.valid, data.test)])
    rows = {(*x.astype(np.float32).tolist(), y) for x, y in zip(bunch.data, bunch.target, strict=True)}
    assert {(*x.tolist(), y) for x, y in zip(x, y, strict=True)} == rows
    given = load_table(load(), scaling="none")
    assert given.fingerprint == data.fingerprint


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no target": (
        {"target": None},
        "data.target is not set, and must say which column is to be predicted; the last",
    ),
    "other target": ({"target": "kinds"}, "has no column 'kinds'; did you mean 'kind'?"),
    "target splits": (
        {"split": "group", "split_column": "kind"},
        "data.target and data.split_column are both 'kind'",
    ),
    "other column": (
        {"columns": {"leg": "number"}},
        "data.columns names 'leg', and there is no such input; did you",
    ),
    "other kind": (
        {"columns": {"legs": "nummer"}},
        "data.columns of legs is 'nummer', and must be one of number, cat",
    ),
    "no columns": ({"columns": 3}, "data.columns is 3, and must be a mapping"),
    "all left out": (
        {"columns": dict.fromkeys(["weight", "legs", "colour", "tame"], "left_out")},
        "no column is left to predict 'kind' from: left out: weight (as data.columns says), legs",
    ),
    "other split": ({"split": "startified"}, "data.split is 'startified', and must be one of stratified, random"),
    "other scaling": ({"scaling": "standart"}, "data.scaling is 'standart', .* did you mean 'standard'?"),
    "missing": ({"missing": "refuse"}, "the column weight has no value in row"),
    "word for a number": ({"columns": {"colour": "number"}}, "the column colour holds '"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_can_not_be_gets_one_sentence(case: str) -> None:
    fields, sentence = BAD[case]
    with pytest.raises(ValueError, match=re.escape(sentence).replace(r"\.\*", ".*")):
        load_table(animals(), **{"target": "kind", **fields})


def test_what_is_of_tables_is_refused_elsewhere() -> None:
    own = Dataset("own", *(load_data("iris").train,) * 3, classes=3, scale=1.0)
    for name in ("digits", lambda: own):
        with pytest.raises(
            ValueError, match=r"data\.folds is 5, which is for tables, and data\.name is .*: say data"
        ):
            load_data(name, folds=5)
    with pytest.raises(
        ValueError, match=r"data\.file is 'a\.csv', which is for tables, and data\.name is 'digits'"
    ):
        load_data(file="a.csv")
    with pytest.raises(ValueError, match=r"data\.file is not set, and data\.name table is read from a file"):
        load_data("table")
    with pytest.raises(
        ValueError, match=r"data\.file is 'a\.csv', and data\.name is 'wine': say data\.name table"
    ):
        load_data("wine", file="a.csv")
    with pytest.raises(ValueError, match=r"a field of data is 'fodls', .* did you mean 'folds'\?"):
        load_data("wine", fodls=3)
