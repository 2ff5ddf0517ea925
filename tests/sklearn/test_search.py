"""A search against a plain loop over the same candidates, and against scikit-learn's form."""

import numpy as np
import pytest
import scipy.stats
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import KFold, ParameterSampler, RandomizedSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nnjax.sklearn import MLPClassifier, SearchCV, fits

X, Y = load_iris(return_X_y=True)
SPACE = {
    "mlpclassifier__hidden_layer_sizes": [(8,), (11,)],
    "mlpclassifier__learning_rate_init": scipy.stats.loguniform(0.003, 0.1),
}


def made(**params: object) -> object:
    return make_pipeline(StandardScaler(), MLPClassifier(max_iter=12, random_state=2, **params))


def test_a_search_is_a_loop_over_its_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = []
    together = fits.train_fits
    monkeypatch.setattr(
        "nnjax.sklearn.together.train_fits", lambda of, **how: trained.append(len(of)) or together(of, **how)
    )
    cv = KFold(3, shuffle=True, random_state=0)
    search = SearchCV(made(), SPACE, n_iter=4, cv=cv, random_state=7, return_train_score=True).fit(X, Y)
    assert trained == [12, 1]  # all at once, and the best on all examples
    candidates = list(ParameterSampler(SPACE, 4, random_state=7))
    results = search.cv_results_
    assert results["params"] == candidates
    for number, candidate in enumerate(candidates):
        scores = cross_val_score(clone(made()).set_params(**candidate), X, Y, cv=cv)
        found = [results[f"split{fold}_test_score"][number] for fold in range(3)]
        np.testing.assert_allclose(found, scores, atol=0.021)  # an example of 50 may lie on the border
        half = (results["high_test_score"] - results["low_test_score"])[number] / 2
        corrected = np.std(found, ddof=1) * np.sqrt(1 / 3 + 50 / 100) * scipy.stats.t.ppf(0.975, 2)
        np.testing.assert_allclose(half, corrected, rtol=1e-12)
    own = RandomizedSearchCV(made(), SPACE, n_iter=1, cv=2, return_train_score=True).fit(X, Y)
    splits = {f"split2_{part}_score" for part in ("test", "train")}
    assert set(results) == set(own.cv_results_) | splits | {"low_test_score", "high_test_score"}
    assert (results["mean_fit_time"] > 0).all()
    assert search.best_params_ == candidates[search.best_index_]
    assert search.score(X, Y) == search.best_estimator_.score(X, Y)
    assert "SearchCV" in repr(clone(search))


def test_what_cannot_be_fitted_is_scored_as_scikit_learn_is_told() -> None:
    space = {"mlpclassifier__alpha": [1e-4, -1.0]}
    search = SearchCV(made(), space, n_iter=2, cv=2, error_score=-1.0, random_state=0)
    with pytest.warns(match="2 fits failed"):
        search.fit(X, Y)
    assert sorted(search.cv_results_["mean_test_score"] == -1.0) == [False, True]
    with pytest.raises(ValueError, match="The 'confidence' parameter of SearchCV must be"):
        SearchCV(made(), space, confidence=1.5).fit(X, Y)


def test_other_estimators_are_searched_as_ever_and_random_streams_are_told_apart() -> None:
    from sklearn.linear_model import LogisticRegression

    plain = SearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, cv=2, random_state=0).fit(X, Y)
    own = RandomizedSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, cv=2, random_state=0).fit(X, Y)
    np.testing.assert_array_equal(plain.cv_results_["mean_test_score"], own.cv_results_["mean_test_score"])
