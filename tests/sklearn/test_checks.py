"""scikit-learn's own checks of an estimator, all of them."""

import warnings
from typing import Any

import pytest
from sklearn.utils.estimator_checks import check_estimator

from nnjax.sklearn import MLPClassifier, MLPRegressor


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_every_check_of_an_estimator_passes(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # else one is skipped
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, of what it tries
        done = check_estimator(kind(hidden_layer_sizes=(16,), learning_rate_init=0.02, max_iter=60), on_fail=None)
    assert len(done) >= 50
    assert {check["check_name"]: check["exception"] for check in done if check["status"] != "passed"} == {}
