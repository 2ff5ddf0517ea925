"""``nnjax predict``: a line for each row of a file."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

import nnjax
from made_networks import made
from nnjax.data.columns import columns_of
from nnjax.data.preprocess import fit
from nnjax.data.targets import Standard
from nnjax.data.words import fit as fit_words

FRAME = pd.DataFrame({"age": [34, None, 51, 29.5], "job": ["nurse", "cook", None, "poet"], "well": [1, 0, 1, 0]})


def test_a_table_gets_classes_with_their_probabilities(command):
    inputs = FRAME[["age", "job"]]
    made_by = fit(
        inputs, columns_of(inputs, {}), missing="impute", scaling="standard", target="well", labels=("no", "yes")
    )
    (network,) = made(1, inputs=len(made_by.inputs), classes=2, preprocessing=made_by, class_names=("no", "yes"))
    network.save("it")
    FRAME.to_csv("people.csv", index=False)
    code, out, _ = command("predict", "it", "people.csv")
    assert code == 0
    found = pd.read_csv(io.StringIO(out))
    assert list(found) == ["prediction", "probability of no", "probability of yes"]
    assert found.prediction.tolist() == network.predict(FRAME).tolist()
    np.testing.assert_allclose(found.iloc[:, 1:], network.predict_proba(FRAME), atol=1e-6)


def test_targets_have_a_spread_and_texts_are_lines(command, tmp_path):
    x = np.random.default_rng(0).normal(size=(3, 6))
    together = nnjax.Ensemble(made(3, classes=1, task="regression", standard=Standard(np.ones(1), np.ones(1))))
    together.save("it")
    pd.DataFrame(x).to_csv("x.csv", index=False)
    assert command("predict", "it", "x.csv", "--output", "out.csv")[:2] == (0, "")
    found = pd.read_csv(tmp_path / "out.csv")
    np.testing.assert_allclose(found.prediction, together.predict(x), rtol=1e-5)
    np.testing.assert_allclose(found.spread, together.spread(x), rtol=1e-5)
    words = fit_words(
        ["a good film", "dull"], vectorizer="counts", ngrams=1, vocabulary=None, min_count=1, column="text",
        target="sort", labels=("blame", "praise"),
    )  # fmt: skip
    (of_texts,) = made(1, inputs=len(words.words), classes=2, preprocessing=words)
    of_texts.save("texts")
    (tmp_path / "new.txt").write_text("good , good\na film\n")
    code, out, _ = command("predict", "texts", "new.txt")
    assert code == 0
    assert [row[0] for row in list(csv.reader(io.StringIO(out)))[1:]] == of_texts.predict(
        ["good , good", "a film"]
    ).tolist()


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["it"], "name the network and the data"),
        (["nothing", "people.csv"], "can't be read: No such file"),
        (["it", "people.csv", "--outptu=a"], "did you mean '--output'"),
    ],
)
def test_a_mistake_is_one_sentence(command, argv, sentence):
    code, _, err = command("predict", *argv)
    assert code == 2
    assert sentence in err
