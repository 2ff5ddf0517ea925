"""What people hold their examples in: taken where nothing is lost, else refused in one sentence."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import xarray as xr

from nnjax.data import Dataset, Examples
from nnjax.validation import UserError

X = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
Y = np.array([0, 1, 2])


def make(x: Any = X, y: Any = Y, **changes: Any) -> Dataset:
    fields: dict[str, Any] = {
        "name": "toy",
        "train": (x, y),
        "valid": (np.ones((2, 2)), np.array([0, 1])),
        "test": (np.ones((2, 2)), np.array([0, 1])),
        "classes": 3,
        "scale": 1.0,
    }
    return Dataset(**{**fields, **changes})


class Tensor:
    """What torch does: an array on request, unless it needs a gradient."""

    def __init__(self, array: np.ndarray, needs_gradient: bool = False) -> None:
        self.array = array
        self.needs_gradient = needs_gradient

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.needs_gradient:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.\nUse tensor.detach().numpy().")
        return self.array


WHOLE = X.astype(int)
TAKEN_INPUTS: dict[str, Any] = {
    "lists": X.tolist(),
    "tuples": tuple(map(tuple, X)),
    "jax": jnp.asarray(X),
    "bfloat16": jnp.asarray(X, jnp.bfloat16),
    "half": X.astype(np.float16),
    "big-endian": X.astype(">f8"),
    "big-endian 4": X.astype(">f4"),
    "long double": X.astype(np.longdouble),
    **{kind: X.astype(kind) for kind in ("int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", ">i4")},
    "tensor": Tensor(X),
    "DataFrame": pd.DataFrame(X),
    "DataFrame of whole numbers": pd.DataFrame(WHOLE, columns=["a", "b"]),
    "nullable whole numbers": pd.DataFrame(WHOLE).astype("Int64"),
    "nullable floats": pd.DataFrame(X).astype("Float64"),
    "mixed columns": pd.DataFrame({"a": pd.array([0, 2, 4], "Int16"), "b": [1.0, 3.0, 5.0]}),
    "categories that are numbers": pd.DataFrame({"a": pd.Categorical([0, 2, 4]), "b": [1, 3, 5]}),
    "xarray": xr.DataArray(X),
    "objects that are numbers": X.astype(object),
    "masked, with nothing masked": np.ma.masked_array(X),
    "rows of masked arrays": [np.ma.masked_array(row) for row in X],
    "columns in order": np.asfortranarray(X),
}


@pytest.mark.parametrize("case", TAKEN_INPUTS)
def test_inputs_are_taken_where_nothing_is_lost(case: str) -> None:
    found = make(TAKEN_INPUTS[case]).train.x
    np.testing.assert_array_equal(found, X)
    assert type(found) is np.ndarray
    assert found.dtype.kind == "f"
    assert found.dtype.isnative
    assert found.dtype.itemsize <= 8


def test_booleans_are_bytes_and_bytes_stay() -> None:
    found = make(X > 2, scale=1.0).train.x
    assert found.dtype == np.uint8
    assert found.tolist() == [[0, 0], [0, 1], [1, 1]]
    assert make(WHOLE.astype(np.uint8)).train.x.dtype == np.uint8
    nullable = pd.DataFrame(X > 2).astype("boolean")
    np.testing.assert_array_equal(make(nullable).train.x, X > 2)


def test_whole_numbers_are_taken_as_far_as_32_bits_hold_each() -> None:
    found = make(np.array([[2**24, -(2**24)]] * 3)).train.x
    assert found.dtype == np.float32
    assert found.tolist() == [[2**24, -(2**24)]] * 3


def masked(x: np.ndarray) -> np.ma.MaskedArray:
    mask = np.zeros(x.shape, bool)
    mask.flat[-1] = True
    return np.ma.masked_array(x, mask)


def with_value(value: Any, dtype: Any = float) -> np.ndarray:
    x = np.zeros((3, 2), dtype)
    x[2, 1] = value
    return x


MISSING = r"^the train split of toy has no value at example 2, input 1 \(counted from 0\), and every input must be"
REFUSED_INPUTS: dict[str, tuple[Any, str]] = {
    "masked": (masked(X), MISSING),
    "masked bytes": (masked(WHOLE.astype(np.uint8)), MISSING),
    "row of a list masked": ([*X[:2], masked(X[2])], MISSING),
    "value of a list masked": ([[0, 1], [2, 3], [4, np.ma.masked]], MISSING),
    "None": (with_value(None, object), MISSING),
    "pd.NA": (pd.DataFrame({"a": [0, 2, 4], "b": pd.array([1, 3, None], "Int64")}), MISSING),
    "NA of floats": (pd.DataFrame(X).astype("Float64").mask(X == 5), MISSING),
    "NaT": (with_value(pd.NaT, object), MISSING),
    "NaN": (with_value(math.nan), r"^the train split of toy holds nan at example 2, input 1 .* must be finite$"),
    "missing in xarray": (xr.DataArray(X).where(X < 5), r"holds nan at example 2, input 1"),
    "infinite bfloat16": (jnp.asarray(with_value(math.inf), jnp.bfloat16), r"holds inf at example 2, input 1"),
    "overflow": (
        with_value(-1e39),
        r"^the train split of toy holds -1e\+39 at example 2, input 1 \(counted from 0\), and inputs must be at "
        r"most 3\.4e\+38 in magnitude, the largest number of the 32 bits that networks train in$",
    ),
    "overflow of a long double": (
        with_value(np.longdouble("1e400") if np.finfo(np.longdouble).max > 1e308 else 1e300, np.longdouble),
        r"holds 1e\+[34]00 at example 2, input 1",
    ),
    "whole number too large": (
        with_value(2**24 + 1, int),
        r"holds the whole number 16777217 at example 2, input 1 .*, and 32 bits hold every whole number only up "
        r"to 16777216: give x\.astype\(np\.float32\) to round them$",
    ),
    "most negative whole number": (
        with_value(-(2**63), np.int64),
        r"holds the whole number -9223372036854775808 ",
    ),
    "largest whole number": (with_value(2**64 - 1, np.uint64), r"holds the whole number 18446744073709551615 "),
    "whole number of Python": (with_value(10**400, object), r"holds 1000.{,60} at example 2, input 1"),
    "complex": (
        X + 0j,
        r"inputs of type complex128, and they must be real numbers: give x\.real or np\.abs\(x\)$",
    ),
    "dates": (X.astype("datetime64[s]"), r"inputs of type datetime64\[s\], and they must be numbers"),
    "durations": (X.astype("timedelta64[s]"), r"inputs of type timedelta64\[s\], and they must be numbers"),
    "words": (np.array([["a", "b"]] * 3), r"holds the text 'a' at example 0, input 0 .*, and inputs must be numb"),
    "numbers as words": (X.astype(str), r"holds the text '0\.0' at .* must be numbers: give x\.astype\(float\)$"),
    "bytes as words": (X.astype("S"), r"holds the text '0\.0' at .* must be numbers: give x\.astype\(float\)$"),
    "string column": (
        pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]}),
        r"holds the text 'x' at example 0, in",
    ),
    "duration among objects": (
        with_value(np.timedelta64(1, "s"), object),
        r"holds a timedelta64 at example 2, input 1 .*, and inputs must be numbers$",
    ),
    "object": (with_value(X, object), r"holds an ndarray at example 2, input 1 .*, and inputs must be numbers$"),
    "records": (
        np.zeros(3, [("a", float), ("b", float)]),
        r"inputs that are records with the fields a, b, .*structured_to_unstructured\(x\)",
    ),
    "sparse": (scipy.sparse.csr_matrix(X), "^some splits of toy are sparse, and all must be, or none$"),
    "empty sparse": (
        scipy.sparse.csr_array((0, 3)),
        r"^the train split of toy has sparse inputs of shape \(0, 3\), and they must be \[N, D\], both above 0$",
    ),
    "sparse not finite": (
        scipy.sparse.csr_array([[np.inf]]),
        "^the train split of toy holds inf among its sparse inputs, and they must be finite numbers of 32 bits$",
    ),
    "complex sparse": (
        scipy.sparse.csr_array([[1j]]),
        "^the train split of toy has sparse inputs of type complex128, and they must be real numbers$",
    ),
    "gradient": (
        Tensor(X, needs_gradient=True),
        r"^the inputs of the train split of toy are a Tensor that makes no array: Can't call numpy\(\) on Tensor",
    ),
    "ragged": ([[1, 2], [3], [4, 5]], r"are a list that makes no array: .*inhomogeneous"),
    "mapping": ({"a": [1]}, r"^the inputs of the train split of toy are a dict, and must be an array \[N, D\]$"),
    "generator": ((row for row in X), r"are a generator, and must be an array \[N, D\]$"),
    "nothing": (None, r"^the inputs of the train split of toy are None, and must be an array \[N, D\]$"),
    "a number": (3.0, r"are a float, and must be an array \[N, D\]$"),
    "text": ("file.npy", r"are a str, and must be an array \[N, D\]$"),
    "one axis": (
        X[:, 0],
        r"has inputs of shape \(3,\), and they must be \[N, D\]: give x\.reshape\(-1, 1\) for one input each$",
    ),
    "images": (
        np.zeros((3, 28, 28)),
        r"has inputs of shape \(3, 28, 28\), and they must be \[N, D\]: give x\.reshape\(len\(x\), -1\)$",
    ),
    "colour images": (np.zeros((3, 8, 8, 3), np.uint8), r"give x\.reshape\(len\(x\), -1\)$"),
}


@pytest.mark.parametrize("case", REFUSED_INPUTS)
def test_other_inputs_get_one_sentence(case: str) -> None:
    value, sentence = REFUSED_INPUTS[case]
    with pytest.raises(UserError, match=sentence) as caught:
        make(value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


TAKEN_LABELS: dict[str, Any] = {
    "lists": [0, 1, 2],
    "jax": jnp.arange(3),
    "big-endian": Y.astype(">i8"),
    "unsigned": Y.astype(np.uint64),
    "Series": pd.Series(Y),
    "nullable": pd.Series(Y, dtype="Int64"),
    "categories that are numbers": pd.Series(Y, dtype="category"),
    "xarray": xr.DataArray(Y),
    "objects": Y.astype(object),
    "tensor": Tensor(Y),
    "masked, with nothing masked": np.ma.masked_array(Y),
}


@pytest.mark.parametrize("case", TAKEN_LABELS)
def test_labels_are_taken_where_nothing_is_lost(case: str) -> None:
    found = make(y=TAKEN_LABELS[case]).train.y
    np.testing.assert_array_equal(found, Y.astype(np.int32), strict=True)
    assert type(found) is np.ndarray


def test_boolean_labels_are_two_classes() -> None:
    assert make(y=[False, True, True]).train.y.tolist() == [0, 1, 1]
    assert make(y=pd.Series([False, True, True], dtype="boolean")).train.y.tolist() == [0, 1, 1]


NO_LABEL = (
    r"^the train split of toy has no label at example 2 \(counted from 0\), and every example must have one$"
)
REFUSED_LABELS: dict[str, tuple[Any, str]] = {
    "masked": (masked(Y), NO_LABEL),
    "None": (np.array([0, 1, None]), NO_LABEL),
    "NA": (pd.Series([0, 1, None], dtype="Int64"), NO_LABEL),
    "NaN": (np.array([0, 1, math.nan]), NO_LABEL),
    "floats": (
        np.array([0.0, 1.0, 2.0]),
        r"^the train split of toy has labels of type float64, and they must be whole numbers from 0: "
        r"give y\.astype\(int\)$",
    ),
    "fractions": (np.array([0, 1.5, 2]), r"holds the label 1\.5 at example 1 .* must be whole numbers 0 to 2$"),
    "objects that are floats": (np.array([0, 1.5, 2], object), r"holds the label 1\.5 at example 1 "),
    "infinite": (np.array([0, math.inf, 2]), r"holds the label inf at example 1 "),
    "complex": (Y + 0j, r"labels of type complex128, and they must be whole numbers from 0$"),
    "words": (
        np.array(["cat", "dog", "cat"]),
        r"^the train split of toy has labels that are texts, such as 'cat', and they must be whole numbers from "
        r"0: names, y = np\.unique\(y, return_inverse=True\) numbers them$",
    ),
    "bytes": (np.array([b"cat", b"dog", b"cat"]), r"texts, such as 'cat', .* np\.unique"),
    "categories": (pd.Series(["a", "b", "a"], dtype="category"), r"texts, such as 'a', .* np\.unique"),
    "strings": (pd.Series(["a", "b", "a"]), r"texts, such as 'a', .* np\.unique"),
    "numbers as words": (np.array(["0", "1", "2"]), r"texts, such as '0', .* from 0: give y\.astype\(int\)$"),
    "dates": (
        Y.astype("datetime64[s]"),
        r"labels of type datetime64\[s\], and they must be whole numbers from 0$",
    ),
    "duration among objects": (
        np.array([0, 1, np.timedelta64(1, "s")], object),
        r"holds a timedelta64 for the label at example 2 .* must be whole numbers from 0$",
    ),
    "one-hot": (
        np.eye(3),
        r"has labels of shape \(3, 3\), and they must be \[N\], the number of each example's class: "
        r"give y\.argmax\(axis=1\)$",
    ),
    "one-hot of bytes": (np.eye(3, dtype=np.uint8), r"give y\.argmax\(axis=1\)$"),
    "column": (Y[:, None], r"has labels of shape \(3, 1\), and they must be \[N\], .*: give y\.ravel\(\)$"),
    "DataFrame": (pd.DataFrame({"label": Y}), r"give np\.asarray\(y\)\.ravel\(\)$"),
    "two columns": (np.zeros((3, 2), int), r"has labels of shape \(3, 2\), and they must be \[N\], .*class$"),
    "nothing": (None, r"^the labels of the train split of toy are None, and must be an array \[N\]$"),
    "sparse": (
        scipy.sparse.csr_matrix(np.eye(3)),
        r"^the labels of .* are a csr_matrix, .* give its toarray\(\)$",
    ),
    "from 1": (
        np.array([1, 2, 3]),
        r"holds the label 3 at example 2 \(counted from 0\), and labels must be 0 to 2: yours begin at 1, so "
        r"give y - 1$",
    ),
    "too large for 32 bits": (np.array([0, 1, 2**32]), r"holds the label 4294967296 at example 2"),
    "too large for 64 bits": (
        np.array([0, 1, 2**63], np.uint64),
        r"holds the label 9223372036854775808 at exampl",
    ),
    "too large for any": (np.array([0, 1, 10**30], object), r"holds the label 1000000000000000000000000000000 at"),
}


@pytest.mark.parametrize("case", REFUSED_LABELS)
def test_other_labels_get_one_sentence(case: str) -> None:
    value, sentence = REFUSED_LABELS[case]
    with pytest.raises(UserError, match=sentence) as caught:
        make(y=value)
    assert "\n" not in str(caught.value)


PAIR = r"must be a pair \(x, y\) of inputs \[N, D\] and labels \[N\]"
REFUSED_FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "valid None": (
        {"valid": None},
        rf"^the valid split of toy is None, and {PAIR}: nnjax\.data\.split_train cuts one off the training set$",
    ),
    "train None": ({"train": None}, rf"^the train split of toy is None, and {PAIR}$"),
    "test None": ({"test": None}, rf"^the test split of toy is None, and {PAIR}$"),
    "one": ({"train": (X,)}, rf"^the train split of toy is a tuple of 1, and {PAIR}$"),
    "four": ({"train": (X, Y, Y, Y)}, rf"is a tuple of 4, and {PAIR}$"),
    "inputs only": ({"train": X}, rf"is an ndarray of shape \(3, 2\), and {PAIR}$"),
    "an array of two": ({"train": X[:2]}, rf"is an ndarray of shape \(2, 2\), and {PAIR}$"),
    "mapping": ({"train": {"x": X, "y": Y}}, rf"is a dict, and {PAIR}$"),
    "text": ({"train": "xy"}, rf"is a str, and {PAIR}$"),
    "fraction of classes": ({"classes": 2.5}, r"^toy has 2\.5 classes, and must have a whole number of them$"),
    "classes True": ({"classes": True}, r"^toy has True classes, and must have a whole number"),
    "classes in words": ({"classes": "3"}, r"^toy has '3' classes, and must have a whole number"),
    "whole float": ({"classes": 3.0}, r"^toy has 3\.0 classes, and must have a whole number"),
    "too many classes": ({"classes": 2**31}, r"^toy has 2147483648 classes, and must have at most 2147483647$"),
    "no text for a name": ({"name": 3}, r"^the name of a data set is 3, and must be a text$"),
    "name None": ({"name": None}, r"^the name of a data set is None, and must be a text$"),
    "empty name": ({"name": ""}, r"^the name of a data set is '', and must be a text of one line$"),
    "name of two lines": (
        {"name": "a\nb"},
        r"^the name of a data set is 'a\\nb', and must be a text of one line$",
    ),
    "scale True": ({"scale": True}, r"^the scale of toy is True, and must be a number$"),
    "scale in words": ({"scale": "255"}, r"^the scale of toy is '255', and must be a number$"),
    "scale None": ({"scale": None}, r"^the scale of toy is None, and must be a number$"),
    "scales": ({"scale": np.ones(2)}, r"^the scale of toy is array\(\[1\., 1\.\]\), and must be a number$"),
    "complex scale": ({"scale": 1j}, r"^the scale of toy is 1j, and must be a number$"),
    "infinite scale": ({"scale": math.inf}, r"^the scale of toy is inf, and must be positive and finite$"),
    "negative scale": ({"scale": -1}, r"^the scale of toy is -1, and must be positive and finite$"),
    "huge scale": (
        {"scale": 1e39},
        r"^the scale of toy is 1e\+39, and must be from 1\.2e-38 to 8\.5e\+37: networks",
    ),
    "tiny scale": ({"scale": 1e-39}, r"^the scale of toy is 1e-39, and must be from 1\.2e-38 to 8\.5e\+37: netw"),
    "scale beyond floats": ({"scale": 10**400}, r"^the scale of toy is 1000.*, and must be positive and finite$"),
    "config": ({"config": "digits"}, r"^the config of toy is 'digits', and must be a DataConfig or None$"),
}


@pytest.mark.parametrize("case", REFUSED_FIELDS)
def test_other_fields_get_one_sentence(case: str) -> None:
    changes, sentence = REFUSED_FIELDS[case]
    with pytest.raises(UserError, match=sentence) as caught:
        make(**changes)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_numbers_of_numpy_are_numbers() -> None:
    data = make(train=[X, Y], classes=np.int64(3), scale=np.float32(2))
    assert (type(data.classes), type(data.scale)) == (int, float)
    assert type(data.train) is Examples
    assert make(scale=np.array(2)).scale == 2.0


DIVIDED: dict[str, tuple[dict[str, Any], str]] = {
    "over": (
        {"x": with_value(-1e10), "scale": 1e-30},
        r"^the train split of toy holds -10000000000\.0 at example 2, input 1 .*, which the scale 1e-30 takes out "
        r"of the 32 bits that networks train in$",
    ),
    "bytes over": (
        {"x": with_value(200, np.uint8), "scale": 2e-38},
        r"holds 200 at example 2, input 1 .*, which the scale 2e-38 takes out of",
    ),
    "other split": (
        {"test": (with_value(1e10), Y), "scale": 1e-30},
        r"^the test split of toy holds 10000000000\.0 at example 2",
    ),
    "under": (
        {"x": with_value(1e-10), "scale": 1e30},
        r"^the largest input of the train split of toy is 1e-10, which divided by the scale 1e\+30 is 0 in th",
    ),
    "under before it is divided": (
        {"x": with_value(1e-50), "scale": 1e-20},
        r"^the largest input of the train split of toy is 1e-50, which .* is 0 in the 32 bits",
    ),
}


@pytest.mark.parametrize("case", DIVIDED)
def test_inputs_stay_in_32_bits_when_divided(case: str) -> None:
    changes, sentence = DIVIDED[case]
    with pytest.raises(UserError, match=sentence):
        make(**changes)


def test_small_inputs_beside_larger_ones_may_vanish() -> None:
    assert make(np.array([[0, 1e-300], [1, 1e-50], [0, 1e-30]])).inputs == 2
    largest = float(np.finfo(np.float32).max)
    assert make(np.full((3, 2), largest, np.float32)).train.x.max() == largest
    assert make(np.full((3, 2), largest)).train.x.max() == largest
    assert make(np.zeros((3, 2))).inputs == 2
