"""A search as RandomizedSearchCV's, in which all networks of all candidates and folds are trained together."""

import contextlib
import time
import warnings
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Self

import numpy as np
from scipy.stats import t
from sklearn.base import clone, is_classifier
from sklearn.model_selection import ParameterSampler, RandomizedSearchCV, check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import Interval
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _num_samples

from nnjax.sklearn.together import Together


class SearchCV(RandomizedSearchCV):
    """`sklearn.model_selection.RandomizedSearchCV` of nnjax's estimators, also inside a `Pipeline` and the like.

    The candidates are those that it draws with the same ``random_state``. All fits of all candidates and folds are
    noted first, transformers being fitted as they come; then their networks, ``n_seeds`` for each fit, are trained
    together, in as few programs as that takes; and then scikit-learn's own search runs, in which whatever asks
    for a fit is given what was trained. So scorers, ``refit``, ``error_score`` and the like are its own.

    Args:
        estimator: an `MLPClassifier` or `MLPRegressor` of nnjax, or what has one in it.
        param_distributions, n_iter, scoring, refit, cv, verbose, random_state, error_score, return_train_score: as
            RandomizedSearchCV takes them.
        confidence: of the intervals.

    Attributes:
        cv_results_: as RandomizedSearchCV has it, and ``low_test_score`` and ``high_test_score``: the ends of a
            t-interval of the mean over the folds, with the variance of Nadeau and Bengio (2003), s² (1/K + N_test
            / N_train), as folds share what they train on. A fit's time is its share of what all took together.
        best_estimator_, best_params_, best_score_, best_index_, scorer_, n_splits_, refit_time_: likewise.
    """

    _parameter_constraints: dict[str, Any] = {  # noqa: RUF012, as scikit-learn has it
        **RandomizedSearchCV._parameter_constraints,
        "confidence": [Interval(Real, 0, 1, closed="neither")],
    }

    n_jobs = None
    pre_dispatch = "2*n_jobs"

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int = 10,
        scoring: Any = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        confidence: float = 0.95,
    ) -> None:
        self.estimator = estimator
        self.param_distributions = param_distributions
        self.n_iter = n_iter
        self.scoring = scoring
        self.refit = refit
        self.cv = cv
        self.verbose = verbose
        self.random_state = random_state
        self.error_score = error_score
        self.return_train_score = return_train_score
        self.confidence = confidence

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search, and train the best on all of it.

        Args:
            X, y: inputs and targets.
            params: what RandomizedSearchCV takes, such as groups and sample_weight.
        """
        self._validate_params()
        candidates = list(ParameterSampler(self.param_distributions, self.n_iter, random_state=self.random_state))
        splitter = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        splits = list(splitter.split(X, y, groups=params.get("groups")))
        fits = Together()
        began = time.perf_counter()
        of_fits = {name: value for name, value in params.items() if name != "groups"}
        with fits.here(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the search itself gives them
            for train, _ in splits:
                _note(self.estimator, candidates, X, y, train, of_fits)
        fits.train()
        share = (time.perf_counter() - began) / (len(candidates) * len(splits))
        with fits.here():
            given = {name: value for name, value in self.get_params(deep=False).items() if name != "confidence"}
            searched = _Candidates(**(given | {"cv": splits}))
            searched.candidates = candidates
            searched.fit(X, y, **params)
        for name in [name for name in vars(searched) if name.endswith("_")]:
            setattr(self, name, getattr(searched, name))
        self.cv_results_["mean_fit_time"] += share
        sizes = [len(test) / len(train) for train, test in splits]
        for name in [name for name in self.cv_results_ if name.startswith("mean_test_")]:
            self._add_interval(name.removeprefix("mean_test_"), float(np.mean(sizes)))
        return self

    def _add_interval(self, score: str, ratio: float) -> None:
        """The ends of a score's interval, NaN of one fold."""
        results, folds = self.cv_results_, self.n_splits_
        scores = np.stack([results[f"split{fold}_test_{score}"] for fold in range(folds)])  # [K, candidates]
        half = np.full(scores.shape[1], np.nan)
        if folds > 1:
            half = (
                t.ppf((1 + self.confidence) / 2, folds - 1)
                * scores.std(axis=0, ddof=1)
                * np.sqrt(1 / folds + ratio)
            )
        results[f"low_test_{score}"] = results[f"mean_test_{score}"] - half
        results[f"high_test_{score}"] = results[f"mean_test_{score}"] + half


class _Candidates(RandomizedSearchCV):
    """The search over candidates that are there."""

    candidates: Sequence[Mapping[str, Any]]

    def _run_search(self, evaluate_candidates: Any) -> None:
        evaluate_candidates(self.candidates)


def _note(
    estimator: Any, candidates: Sequence[Mapping[str, Any]], X: Any, y: Any, train: Any, params: Any
) -> None:
    """Ask for the fits of all candidates to the training part of a fold."""
    inputs, targets = _safe_split(estimator, X, y, train)
    rows = _num_samples(X)
    of_train = {
        name: _safe_indexing(value, train) if hasattr(value, "__len__") and len(value) == rows else value
        for name, value in params.items()
    }
    for candidate in candidates:
        # What can't be fitted is said by the search, as it is told to say it.
        with contextlib.suppress(Exception):
            asked = clone(estimator).set_params(**clone(dict(candidate), safe=False))
            asked.fit(inputs, targets, **of_train)
