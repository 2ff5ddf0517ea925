"""Estimators that scikit-learn accepts, and a search over them: many networks in few programs."""

from nnjax.sklearn.classifier import MLPClassifier
from nnjax.sklearn.regressor import MLPRegressor
from nnjax.sklearn.search import SearchCV

__all__ = ["MLPClassifier", "MLPRegressor", "SearchCV"]
