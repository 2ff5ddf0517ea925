"""Networks against scikit-learn's own: of full batches they are the same, step for step."""

import pickle
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import sklearn.neural_network as theirs
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nnjax.sklearn import MLPClassifier, MLPRegressor

X, Y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
MARKS = make_multilabel_classification(len(X), n_labels=2, n_classes=3, random_state=0)
X_REAL, REAL = (part[:150] for part in load_diabetes(return_X_y=True))
X_REAL = X_REAL * 20
TWO = np.stack([REAL, X_REAL[:, 0]], axis=1)
NAMES = np.array(["setosa", "versicolor", "virginica"])

ADAM = {"hidden_layer_sizes": (8,), "max_iter": 30, "learning_rate_init": 0.02, "random_state": 5}
CASES = {
    "classes": ("Classifier", X, NAMES[Y], {}),
    "two classes": ("Classifier", X, Y == 1, {"activation": "tanh", "alpha": 3.0, "beta_1": 0.8}),
    "labels": ("Classifier", *MARKS, {"activation": "logistic", "tol": 0.05}),
    "sgd": ("Classifier", X, Y, {"solver": "sgd", "momentum": 0.8, "activation": "identity", "tol": 0.02}),
    "targets": ("Regressor", X_REAL, TWO, {"beta_2": 0.9, "early_stopping": True}),
    "target": (
        "Regressor",
        X_REAL,
        REAL,
        {"nesterovs_momentum": False, "solver": "sgd", "learning_rate_init": 1e-4},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_network_of_full_batches_is_scikit_learns(case: str) -> None:
    kind, x, y, changes = CASES[case]
    weight = (
        np.random.RandomState(0).randint(0, 3, len(y)).astype(float) if case in ("classes", "target") else None
    )
    ours = {"Classifier": MLPClassifier, "Regressor": MLPRegressor}[kind](**(ADAM | changes))
    own = getattr(theirs, f"MLP{kind}")(**(ADAM | changes))
    for estimator in (ours, own):
        estimator.fit(x, y, weight)
    scale = max(np.abs(layer).max() for layer in own.coefs_)
    for mine, expected in zip((*ours.coefs_, *ours.intercepts_), (*own.coefs_, *own.intercepts_), strict=True):
        np.testing.assert_allclose(mine, expected, atol=2e-3 * scale)
    np.testing.assert_allclose(ours.loss_curve_, own.loss_curve_, rtol=1e-3)
    assert ours.n_iter_ == own.n_iter_
    assert ours.out_activation_ == own.out_activation_
    if own.early_stopping:
        np.testing.assert_allclose(ours.validation_scores_, own.validation_scores_, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(ours.score(x, y), own.score(x, y), atol=0.01)
    if kind == "Classifier":
        np.testing.assert_allclose(ours.predict_proba(x), own.predict_proba(x), atol=2e-3)


def test_training_goes_on_as_scikit_learns() -> None:
    """By epochs, with the optimizer's state; and anew from the networks that are there."""
    ours, own = MLPClassifier(**ADAM), theirs.MLPClassifier(**ADAM)
    for step in range(6):
        part = slice(0, 100 if step % 2 else 150)
        for estimator in (ours, own):
            estimator.partial_fit(X[part], Y[part], classes=[0, 1, 2])
    np.testing.assert_allclose(ours.loss_curve_, own.loss_curve_, rtol=1e-4)
    for estimator in (ours, own):
        estimator.set_params(warm_start=True, max_iter=4).fit(X, Y)
    np.testing.assert_allclose(ours.loss_curve_, own.loss_curve_, rtol=1e-4)
    for mine, expected in zip(ours.coefs_, own.coefs_, strict=True):
        np.testing.assert_allclose(mine, expected, atol=1e-4)
    with pytest.raises(ValueError, match="hidden_layer_sizes is \\(9,\\), and the networks that are to go on"):
        ours.set_params(hidden_layer_sizes=(9,)).fit(X, Y)


def test_several_networks_are_those_of_one_after_the_other_and_speak_by_their_mean() -> None:
    several = MLPClassifier(n_seeds=3, **ADAM).fit(X, Y)
    alone = MLPClassifier(**ADAM).fit(X, Y)
    assert [layer.shape for layer in several.coefs_] == [(3, 4, 8), (3, 8, 3)]
    np.testing.assert_allclose(several.coefs_[0][0], alone.coefs_[0], atol=1e-5)
    assert np.abs(several.coefs_[0][1] - several.coefs_[0][0]).max() > 0.1
    shares = several.predict_proba(X)
    np.testing.assert_allclose(shares.sum(1), 1)
    np.testing.assert_allclose(np.exp(several.decision_function(X)), shares)
    goes_on = clone(several).set_params(warm_start=True)
    goes_on.fit(X, Y).fit(X, Y)
    assert len(goes_on.loss_curve_) == 60
    real = MLPRegressor(n_seeds=3, **ADAM).fit(X_REAL, REAL)
    mean, deviation = real.predict(X_REAL, return_std=True)
    np.testing.assert_array_equal(mean, real.predict(X_REAL))
    assert (deviation > 0).all()


def test_minibatches_learn_and_what_was_pickled_predicts_the_same() -> None:
    made = MLPClassifier(**ADAM | {"batch_size": 32, "learning_rate_init": 0.01}).fit(X, Y)
    assert made.score(X, Y) > 0.9
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(made)).predict_proba(X), made.predict_proba(X))
    sparse = MLPClassifier(**ADAM | {"batch_size": 32, "learning_rate_init": 0.01}).fit(
        scipy.sparse.csr_array(X), Y
    )
    np.testing.assert_allclose(sparse.predict_proba(scipy.sparse.csc_array(X)), made.predict_proba(X), atol=1e-6)
    in_order = MLPClassifier(**ADAM | {"batch_size": 32, "shuffle": False, "alpha": 0.0})
    own = theirs.MLPClassifier(**ADAM | {"batch_size": 32, "shuffle": False, "alpha": 0.0}).fit(X, Y)
    np.testing.assert_allclose(in_order.fit(X, Y).predict_proba(X), own.predict_proba(X), atol=2e-3)


def test_it_works_where_scikit_learn_works_with_estimators() -> None:
    few = MLPClassifier(**ADAM | {"max_iter": 5})
    pipeline = make_pipeline(StandardScaler(), few)
    grid = GridSearchCV(pipeline, {"mlpclassifier__alpha": [1e-4, 1.0]}, cv=2).fit(X, Y)
    scores = cross_val_score(clone(pipeline).set_params(**grid.best_params_), X, Y, cv=2)
    assert grid.best_score_ == scores.mean()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"solver": "lbfgs"}, "solver is 'lbfgs', and must be 'adam' or 'sgd'"),
        ({"learning_rate": "adaptive"}, "The 'learning_rate' parameter of MLPClassifier must be"),
        ({"hidden_layer_sizes": (4, 0)}, "hidden_layer_sizes must be > 0, got"),
        ({"early_stopping": True, "validation_fraction": 0.001}, "validation set is too small|should be greater"),
        ({"learning_rate_init": 1e30}, "Solver produced non-finite parameter weights"),
    ],
)
def test_what_cannot_be_gets_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        MLPClassifier(**ADAM | changes).fit(X, Y)


def test_what_cannot_be_asked_of_a_fit_gets_one_sentence() -> None:
    with pytest.raises(ValueError, match="does not support early_stopping"):
        MLPClassifier(early_stopping=True).partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"all of sample_weight are 0|at least one non-zero"):
        MLPClassifier().fit(X, Y, np.zeros(len(Y)))
