"""Networks that answer together, against the averages that NumPy takes of each one's answers."""

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from sklearn.datasets import load_wine

import nnjax
from made_networks import made
from nnjax.data import Words
from nnjax.data.targets import Standard
from nnjax.validation import UserError

X = np.random.default_rng(0).normal(size=(40, 6))


def test_probabilities_are_averaged_and_judged():
    networks = made(4)
    together = nnjax.Ensemble(networks)
    each = np.stack([network.predict_proba(X) for network in networks]).astype(float)
    np.testing.assert_allclose(together.predict_proba(X), each.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(together.spread(X), each.std(axis=0, ddof=1), atol=1e-6)
    said = each.mean(axis=0).argmax(axis=1)
    y = np.where(np.arange(40) % 3, said, (said + 1) % 3)
    np.testing.assert_array_equal(together.predict(X), said)
    assert together.score(X, y) == sklearn.metrics.accuracy_score(y, said)
    np.testing.assert_array_equal(together.confusion_matrix(X, y), sklearn.metrics.confusion_matrix(y, said))
    recall = sklearn.metrics.recall_score(y, said, average=None)
    np.testing.assert_allclose(together.by_class(X, y).recall, recall)
    assert repr(together) == "<Ensemble of 4 networks of 6 inputs and 3 classes>"
    assert together.predict(X[:0]).shape == (0,)
    assert np.isnan(nnjax.Ensemble(networks[:1]).spread(X)).all()


def test_targets_are_averaged_in_their_units():
    standard = Standard(np.array([100.0]), np.array([20.0]))
    networks = made(3, classes=1, task="regression", standard=standard)
    together = nnjax.Ensemble(networks)
    each = np.stack([network.predict(X) for network in networks])
    assert each.mean() > 50
    np.testing.assert_allclose(together.predict(X), each.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(together.spread(X), each.std(axis=0, ddof=1), rtol=1e-4)
    assert together.score(X, each[0]) == pytest.approx(
        sklearn.metrics.r2_score(each[0], each.mean(axis=0)), abs=1e-4
    )
    with pytest.raises(UserError, match="a regression has no probabilities"):
        together.predict_proba(X)


def test_texts_and_labels_of_several():
    words = Words(("dull", "good", "film"), 1, "counts", (), "text", "sort", ("blame", "praise"))
    config = nnjax.Config(model="dan", hidden=(4,), model_attributes={"embedding": 5})
    networks = made(3, config, inputs=3, classes=2, preprocessing=words)
    texts = ["a good film", "dull", "good good film", "neither"]
    each = np.stack([network.predict_proba(texts) for network in networks])
    together = nnjax.Ensemble(networks)
    np.testing.assert_allclose(together.predict_proba(texts), each.mean(axis=0), atol=1e-6)
    assert together.predict(texts).tolist() == np.array(words.labels)[each.mean(axis=0).argmax(axis=1)].tolist()
    several = made(3, nnjax.Config(hidden=(5,), loss="binary_cross_entropy"), task="multilabel")
    shares = np.stack([network.predict_proba(X) for network in several])
    np.testing.assert_array_equal(nnjax.Ensemble(several).predict(X), shares.mean(axis=0) > 0.5)


def test_the_runs_of_a_setting_with_seeds_and_folds_each_with_its_own_preprocessing():
    wine = load_wine(as_frame=True)
    config = nnjax.Config(
        hidden=(4,), init="he_normal", batch_size=32, epochs=2, data=nnjax.DataConfig(name="wine", folds=2)
    )
    axes = {"learning_rate": [0.1, 1e30], "data.fold": [0, 1]}
    results = nnjax.sweep(config, axes=axes, seeds=2, keep_parameters=True, progress=False)
    together = nnjax.ensemble(results, learning_rate=0.1)
    each = [
        nnjax.network(results, learning_rate=0.1, seed=seed, **{"data.fold": fold}).predict_proba(wine.data)
        for fold in (0, 1)
        for seed in (0, 1)
    ]
    np.testing.assert_allclose(together.predict_proba(wine.data), np.mean(each, axis=0), atol=1e-6)
    assert set(together.predict(pd.DataFrame(wine.data))) <= {"class_0", "class_1", "class_2"}
    assert len(nnjax.ensemble(results, "last", learning_rate=0.1, seed=1).networks) == 2
    with pytest.raises(UserError, match="more than one setting is in these results: give learning_rate too"):
        nnjax.ensemble(results)
    with pytest.raises(UserError, match="no run of this setting has come to an end"):
        nnjax.ensemble(results, learning_rate=1e30)


def test_networks_of_other_answers_are_refused_and_others_of_any_structure_averaged():
    with pytest.raises(UserError, match="gives other answers"):
        nnjax.Ensemble([*made(1), *made(1, classes=4)])
    with pytest.raises(UserError, match="there are no networks"):
        nnjax.Ensemble([])
    mixed = [*made(2), *made(1, nnjax.Config(model="softmax_regression"))]
    each = np.stack([network.predict_proba(X) for network in mixed])
    np.testing.assert_allclose(nnjax.Ensemble(mixed).predict_proba(X), each.mean(axis=0), atol=1e-6)
