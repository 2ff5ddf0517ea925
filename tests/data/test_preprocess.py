"""The preprocessing of a table: what scikit-learn's own would make, and nothing of rows that don't train."""

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, QuantileTransformer, StandardScaler

from nnjax.data import Preprocessing
from nnjax.data.columns import columns_of
from nnjax.data.preprocess import MOST_CATEGORIES, fit


def made(seed: int = 0, rows: int = 50) -> pd.DataFrame:
    """A table with numbers, some missing or equal, truths and words."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": random.normal(40, 10, rows),
            "children": random.integers(0, 4, rows),
            "job": random.choice(["nurse", "cook", "smith"], rows),
            "vote": random.choice([True, False], rows),
            "city": random.choice(["Rome", "Oslo"], rows),
        }
    )
    frame.loc[random.random(rows) < 0.2, "age"] = np.nan
    frame.loc[random.random(rows) < 0.2, "city"] = None
    return frame


def fitted(frame: pd.DataFrame, missing: str = "impute", scaling: str = "standard") -> Preprocessing:
    kinds = {"age": "number", "children": "number", "job": "category", "vote": "boolean", "city": "category"}
    columns = columns_of(frame, {name: kinds[name] for name in frame.columns})
    return fit(frame, columns, missing=missing, scaling=scaling, target="t", labels=("a", "b"))


SCALERS: dict[str, Any] = {
    "standard": StandardScaler(),
    "quantile": QuantileTransformer(n_quantiles=40, output_distribution="normal", subsample=None),
    "none": "passthrough",
}


def as_objects(frame: pd.DataFrame) -> pd.DataFrame:
    """Texts as scikit-learn's SimpleImputer takes them."""
    return frame.astype({"city": object, "job": object}).replace({None: np.nan})


@settings(max_examples=15)
@given(st.sampled_from(list(SCALERS)), st.integers(0, 999))
def test_inputs_are_those_of_scikit_learn(scaling: str, seed: int) -> None:
    train, others = made(seed, 40), made(seed + 1, 30)
    train.loc[0, "age"] = np.nan  # so that there is an indicator
    others.loc[0, "job"] = "unheard of"
    words = SimpleImputer(strategy="constant", fill_value="missing", missing_values=np.nan)
    number = FeatureUnion(
        [
            ("value", make_pipeline(SimpleImputer(strategy="median"), SCALERS[scaling])),
            ("gone", MissingIndicator()),
        ]
    )
    theirs = ColumnTransformer(
        [
            ("age", number, ["age"]),
            ("children", SCALERS[scaling], ["children"]),
            ("job", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["job"]),
            ("vote", FunctionTransformer(lambda x: x.astype(float)), ["vote"]),
            ("city", make_pipeline(words, OneHotEncoder(handle_unknown="ignore", sparse_output=False)), ["city"]),
        ]
    ).fit(as_objects(train))
    ours = fitted(train, scaling=scaling)
    names = list(ours.inputs)
    for frame in (train, others):
        expected = theirs.transform(as_objects(frame))
        found = ours.inputs_of(frame)
        assert found.dtype == np.float32
        # The unknown have a place of their own, which scikit-learn leaves at nothing.
        kept = [place for place, name in enumerate(names) if name != "job unknown"]
        cities = [name for name in ("Oslo", "Rome", "missing") if name in set(train["city"].fillna("missing"))]
        assert expected.shape[1] == len(kept) == len(names) - 1
        assert names[-len(cities) :] == [f"city={name}" for name in cities[:-1]] + ["city unknown"]
        np.testing.assert_allclose(found[:, kept], expected, rtol=1e-6, atol=1e-6)
    unknown = ours.inputs_of(others)[:, names.index("job unknown")]
    assert unknown.tolist() == [1.0] + [0.0] * 29


THOUSANDTHS = st.integers(-(10**9), 10**9).map(lambda number: number / 1000)
"""Numbers that are further apart than scikit-learn's 1e-7."""


@settings(max_examples=25)
@given(st.lists(st.integers(-3, 3) | THOUSANDTHS, min_size=2, max_size=60), THOUSANDTHS)
def test_quantiles_are_those_of_scikit_learn(values: list[float], other: float) -> None:
    train, others = np.array(values, float), np.array([other, *values, *(np.array(values) + 0.5)])
    scaler = QuantileTransformer(n_quantiles=len(train), output_distribution="normal", subsample=None)
    expected = scaler.fit(train[:, None]).transform(others[:, None])[:, 0]
    found = fitted(pd.DataFrame({"age": train}), scaling="quantile").inputs_of(pd.DataFrame({"age": others}))
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scaling", ["standard", "quantile", "none"])
def test_what_is_described_in_json_makes_the_same_inputs(scaling: str) -> None:
    ours = fitted(made(), scaling=scaling)
    again = Preprocessing.read(json.loads(json.dumps(ours.described())))
    assert again == ours
    np.testing.assert_array_equal(again.inputs_of(made(1)), ours.inputs_of(made(1)))


def test_what_is_described_needs_no_scikit_learn(in_a_process: Any) -> None:
    said = json.dumps(fitted(made(), scaling="quantile").described())
    code = (
        "import sys, json, pandas, numpy; sys.modules['sklearn'] = None\n"
        "from nnjax.data import Preprocessing\n"
        "frame = pandas.DataFrame({'age': [40, None], 'children': 1, 'job': 'cook', 'vote': True, 'city': 'x'})\n"
        "print(Preprocessing.read(json.loads(sys.argv[1])).inputs_of(frame).shape)"
    )
    assert in_a_process(code, said) == "(2, 11)"


def test_a_missing_value_is_the_median_with_an_input_that_says_so() -> None:
    train = pd.DataFrame({"age": [1.0, 2.0, None, 9.0], "vote": [True, True, None, False]})
    ours = fitted(train, scaling="none")
    assert ours.inputs == ("age", "age missing", "vote", "vote missing")
    assert ours.inputs_of(train).tolist() == [[1, 0, 1, 0], [2, 0, 1, 0], [2, 1, 1, 1], [9, 0, 0, 0]]
    whole = fitted(train[:2], scaling="none")
    assert whole.inputs_of(train)[2].tolist() == [1.5, 1]  # no input for what training has never seen


def test_a_missing_value_is_refused_where_it_is_to_be() -> None:
    ours = fitted(made()[["children", "job"]], missing="refuse")
    for name, frame in (("age", made()[["age"]]), ("city", made()[["city"]])):
        with pytest.raises(
            ValueError, match=rf"the column {name} has no value in row \d+, and data.missing is 'ref"
        ):
            fitted(frame, missing="refuse")
    with pytest.raises(ValueError, match=r"the column job has no value in row 2, and data.missing is 'refuse'"):
        ours.inputs_of(pd.DataFrame({"children": [1, 2], "job": ["cook", None]}))


def test_of_many_categories_the_commonest_have_a_place() -> None:
    words = [f"w{number}" for number in range(MOST_CATEGORIES + 50)]
    frame = pd.DataFrame({"job": words[:50] + words * 2})
    ours = fitted(frame)
    assert len(ours.inputs) == MOST_CATEGORIES + 1
    assert {f"job={word}" for word in words[:50]} < set(ours.inputs)
    assert ours.inputs_of(frame).sum(axis=1).tolist() == [1.0] * len(frame)


BAD = {
    "column missing": (
        made().drop(columns="age"),
        "the frame has no column 'age'; it has children, job, vote, city",
    ),
    "column misspelt": (made().rename(columns={"age": "Age"}), "has no column 'age'; did you mean 'Age'?"),
    "word for a number": (made().astype({"age": object}).fillna("x"), "holds 'x' in row"),
    "infinity": (made().fillna({"age": np.inf}), "the column age holds 'inf' in row"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_frame_of_other_columns_is_refused(case: str) -> None:
    frame, sentence = BAD[case]
    with pytest.raises(ValueError, match=re.escape(sentence)):
        fitted(made()).inputs_of(frame)
