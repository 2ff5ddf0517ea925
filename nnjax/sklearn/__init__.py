"""Estimators that scikit-learn accepts: many networks in few programs."""

from nnjax.sklearn.classifier import MLPClassifier
from nnjax.sklearn.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
