"""Networks in files of their own, which predict in a process without jax what they predicted here."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

import nnjax
from made_networks import made
from nnjax.data.columns import columns_of
from nnjax.data.preprocess import fit
from nnjax.data.targets import Standard
from nnjax.data.words import fit as fit_words
from nnjax.nn.activations import ACTIVATIONS
from nnjax.saved import columns, tensors, words
from nnjax.validation import UserError

X = np.random.default_rng(0).normal(0, 2, size=(30, 6))

TABLE = {
    "age": [34, None, 51, 29.5, 63, 42] * 5,
    "job": ["nurse", "cook", "smith", "cook", None, "poet"] * 5,
    "smokes": ["no", "yes", None] * 10,
}

TEXTS = ["a good , good film", "dull and it's long", "", "a good-looking film !"] * 3

PREDICTS = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"jax", "flax", "optax", "xarray", "pandas", "sklearn", "scipy", "yaml"}:
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocked())
import json
from pathlib import Path
import numpy as np
import nnjax

folder = Path(sys.argv[1])
given = json.loads((folder / "given.json").read_text())
found = {}
for path in sorted(folder.glob("*.safetensors")):
    network, x = nnjax.load_network(path), given[path.stem]
    x = np.array(x) if isinstance(x[0] if isinstance(x, list) else x, list) else x
    found[path.stem + " each"], found[path.stem] = network.each(x), network.predict(x)
np.savez(folder / "found.npz", **found)
"""


def preprocessing(rows, **changes):
    frame = pd.DataFrame(TABLE).iloc[rows]
    said = {"missing": "impute", "scaling": "standard", "target": "well", "labels": ("no", "yes")} | changes
    return fit(frame, columns_of(frame, {}), **said)


def networks():
    """Of each kind some, and what they are given."""
    for name in ACTIVATIONS:
        config = nnjax.Config(hidden=(5, 5, 4), activation=name, activation_slope=2.5, residual=True)
        yield name, made(1, config), X
    yield "softmax_regression", made(1, nnjax.Config(model="softmax_regression", relu_logits=True)), X
    for loss in ("mse", "binary_cross_entropy"):
        yield loss, made(1, nnjax.Config(hidden=(5,), loss=loss)), X
    standard = Standard(np.array([100.0, -5.0]), np.array([20.0, 0.1]))
    yield "regression", made(3, classes=2, task="regression", standard=standard, units=("kg", "m")), X
    yield "multilabel", made(2, task="multilabel"), X
    of_rows = [preprocessing(slice(0, 20)), preprocessing(slice(10, 30), scaling="quantile")]
    folds = [made(1, inputs=len(of.inputs), classes=2, preprocessing=of)[0] for of in of_rows]
    yield "folds", folds, TABLE
    for vectorizer, model in (("tfidf", "mlp"), ("counts", "dan"), ("binary", "dan")):
        of_texts = fit_words(
            TEXTS, vectorizer=vectorizer, ngrams=2, vocabulary=None, min_count=1, column="text", target="sort",
            labels=("blame", "praise"),
        )  # fmt: skip
        config = nnjax.Config(model=model, hidden=(4,))
        yield vectorizer, made(1, config, len(of_texts.words), 2, preprocessing=of_texts), TEXTS


def test_a_process_without_jax_predicts_what_was_predicted_here(tmp_path):
    given, expected = {}, {}
    for name, members, x in networks():
        here = nnjax.Ensemble(members) if len(members) > 1 else members[0]
        here.save(tmp_path / f"{name}.safetensors")
        given[name] = x.tolist() if isinstance(x, np.ndarray) else x
        x = pd.DataFrame(x) if x is TABLE else x
        each = here.each(x) if len(members) > 1 else here.predict_proba(x)[None]
        expected[f"{name} each"], expected[name] = each, here.predict(x)
    (tmp_path / "given.json").write_text(json.dumps(given))
    done = subprocess.run([sys.executable, "-c", PREDICTS, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "found.npz")
    assert set(found) == set(expected)
    assert len(expected) == 2 * (len(ACTIVATIONS) + 9)
    for name, values in expected.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(found[name], values, atol=1e-6, rtol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_a_saved_network_is_one_file_of_safetensors_that_says_what_it_is(tmp_path):
    (network,) = made(1, class_names=("a", "b", "c"), units=("", "", ""))
    network.save(tmp_path / "it")
    assert [path.name for path in tmp_path.iterdir()] == ["it"]
    read = nnjax.load_network(tmp_path / "it")
    assert (read.task, read.class_names, read.units) == ("classification", ["a", "b", "c"], ["", "", ""])
    assert repr(read) == "<Saved Network of 6 inputs and 3 outputs, classification>"
    assert read.said["networks"][0]["config"]["hidden"] == [5]
    np.testing.assert_array_equal(read.params[0]["Dense_0/kernel"], network.params["Dense_0"]["kernel"])
    np.testing.assert_allclose(read.predict_proba(X), network.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(read.predict_proba(scipy.sparse.csr_array(X)), network.predict_proba(X), atol=1e-6)
    assert read.predict(X[:0]).shape == (0,)
    assert np.isnan(read.spread(X)).all()
    nnjax.Ensemble(made(2)).save(tmp_path / "both")
    np.testing.assert_allclose(
        nnjax.load_network(tmp_path / "both").spread(X), nnjax.Ensemble(made(2)).spread(X), atol=1e-6
    )


@given(st.data())
def test_columns_make_the_inputs_that_pandas_makes(data):
    numbers = st.none() | st.floats(-1e6, 1e6) | st.integers(-9, 9)
    table = {
        "age": data.draw(st.lists(numbers, min_size=4, max_size=4)),
        "job": data.draw(
            st.lists(st.none() | st.sampled_from(["cook", "smith", "other", ""]), min_size=4, max_size=4)
        ),
        "smokes": data.draw(st.lists(st.sampled_from([None, "yes", "No"]), min_size=4, max_size=4)),
    }
    made_by = preprocessing(slice(0, 25), scaling=data.draw(st.sampled_from(["standard", "quantile", "none"])))
    frame = pd.DataFrame(table)
    expected = made_by.inputs_of(frame)
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    for given_as in (table, frame, rows):
        np.testing.assert_array_equal(columns.inputs_of(made_by.described(), given_as), expected)


def test_words_have_the_places_and_values_that_sparse_inputs_have():
    for vectorizer in ("counts", "binary", "tfidf"):
        made_by = fit_words(
            TEXTS[:3], vectorizer=vectorizer, ngrams=2, vocabulary=None, min_count=1, column="text", target="sort",
            labels=("blame", "praise"),
        )  # fmt: skip
        rows = words.rows_of(made_by.described(), TEXTS)
        dense = np.zeros((len(TEXTS), rows.inputs))
        for row, (places, values) in enumerate(rows.rows):
            dense[row, places] = values
        np.testing.assert_allclose(np.asarray(made_by.inputs_of(TEXTS).dense()), dense, rtol=1e-6)


def refused(tmp_path):
    (network,) = made(1)
    path = tmp_path / "it"
    network.save(path)
    content = path.read_bytes()
    read = nnjax.load_network(path)
    (tmp_path / "short").write_bytes(content[:-3])
    (tmp_path / "text").write_text("no network at all")
    tensors.write(tmp_path / "arrays", {"a": np.zeros(3, np.float32)}, {})
    (table,) = made(1, inputs=8, classes=2, preprocessing=preprocessing(slice(0, 20)))
    table.save(tmp_path / "table")
    tabled = nnjax.load_network(tmp_path / "table")
    own = SimpleNamespace(config=SimpleNamespace(model="mlp", activation=np.tanh), preprocessing=None)
    return {
        "cut short": lambda: nnjax.load_network(tmp_path / "short"),
        "is no file of a saved network": lambda: nnjax.load_network(tmp_path / "text"),
        "holds arrays, but no network": lambda: nnjax.load_network(tmp_path / "arrays"),
        "can't be read: No such file": lambda: nnjax.load_network(tmp_path / "none"),
        "can't be written to": lambda: network.save(tmp_path / "none" / "it"),
        r"x has the shape \[2, 3\], and must have \[N, 6\]": lambda: read.predict(np.ones((2, 3))),
        "the table has no column 'age'": lambda: tabled.predict({"ages": [1], "job": ["cook"], "smokes": ["no"]}),
        "the column age holds 'old' in row 2": lambda: tabled.predict(TABLE | {"age": [1, "old"]}),
        "is your own, which NumPy alone can't compute": lambda: nnjax.results.saving.save(
            [own], path, ensemble=False
        ),
    }


def test_what_is_no_network_gets_a_sentence(tmp_path):
    for sentence, attempt in refused(tmp_path).items():
        with pytest.raises(UserError, match=sentence):
            attempt()
