"""A regressor that scikit-learn accepts."""

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import column_or_1d

from nnjax.sklearn import rule
from nnjax.sklearn.estimator import MLP
from nnjax.sklearn.fits import Part
from nnjax.validation import UserError


class MLPRegressor(RegressorMixin, MLP):
    """Perceptrons that learn real targets, with the parameters of `sklearn.neural_network.MLPRegressor`.

    Targets [N] or [N, C] are learned as they are, as scikit-learn's are, and not standardised as by `nnjax.sweep`:
    `sklearn.compose.TransformedTargetRegressor` does that around it. What it predicts is the mean of its networks.

    Attributes:
        coefs_, intercepts_, n_iter_, loss_curve_, loss_curves_: as of `MLPClassifier`.
        validation_scores_, best_validation_score_: with ``early_stopping``, R² of each epoch, the best.
    """

    _numbers = True
    _task, _loss, out_activation_ = "regression", "nnjax.sklearn.losses:squared_error", "identity"

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the networks that are there for one more epoch, with their optimizer as it is.

        Args:
            X, y, sample_weight: as `fit` takes them.
        """
        self._check_parameters()
        if self.early_stopping:
            raise UserError("partial_fit does not support early_stopping=True")
        return self._fit(X, y, sample_weight, incremental=True)

    def _learned(self, y: np.ndarray, anew: bool) -> np.ndarray:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        self.n_outputs_ = 1 if y.ndim == 1 else y.shape[1]
        return np.asarray(y, np.float64).reshape(len(y), -1)

    def _score_of(self, valid: Part) -> tuple[Callable[[Mapping[str, Any]], float], str]:
        return rule.R2(valid.y, valid.weight), "valid_r2" if self.n_outputs_ > 1 else "valid_loss"

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """The targets of each example, [N] or [N, C]: the mean of what the networks say.

        Args:
            X: inputs [N, D].
            return_std: give the standard deviation of what they say, too.
        """
        outputs = self._outputs(X)
        outputs = outputs[..., 0] if self.n_outputs_ == 1 else outputs
        if not return_std:
            return outputs.mean(axis=0)
        return outputs.mean(axis=0), outputs.std(axis=0, ddof=1 if len(outputs) > 1 else 0)
