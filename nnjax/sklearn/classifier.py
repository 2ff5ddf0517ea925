"""A classifier that scikit-learn accepts."""

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from scipy.special import log_expit, log_softmax, logsumexp
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels
from sklearn.utils.validation import column_or_1d

from nnjax.sklearn import rule
from nnjax.sklearn.estimator import MLP
from nnjax.sklearn.fits import Part
from nnjax.validation import UserError


class MLPClassifier(ClassifierMixin, MLP):
    """Perceptrons that classify, trained by nnjax, with the parameters of `sklearn.neural_network.MLPClassifier`.

    It learns one of several classes, or several labels at once (y [N, C] of 0 and 1). ``n_seeds`` networks, which
    differ in their initial draws and in the order of the examples, are trained in one program; the probabilities
    that it says are the mean of theirs. The first starts as scikit-learn's does with the same ``random_state``.

    Attributes:
        classes_: the labels of the classes, in order.
        coefs_, intercepts_: of each layer the weights [D, F] and biases [F]; of several networks [S, …].
        n_seeds_: how many networks there are.
        n_iter_: epochs that were trained, the most of any network.
        loss_curve_, loss_, best_loss_: the mean training loss of each epoch, the last and the least.
        loss_curves_: that of each network.
        validation_scores_, best_validation_score_: with ``early_stopping`` the accuracy of each epoch, the best.
        n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_: as scikit-learn has them.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train the networks that are there for one more epoch, with their optimizer as it is.

        Args:
            X, y, sample_weight: as `fit` takes them.
            classes: all that will come, at the first call.
        """
        self._check_parameters()
        if self.early_stopping:
            raise UserError("partial_fit does not support early_stopping=True")
        if _check_partial_fit_first_call(self, classes):
            several = type_of_target(y).startswith("multilabel")
            self._binarizer = LabelBinarizer().fit(y if several else classes)
        return self._fit(X, y, sample_weight, incremental=True)

    def _learned(self, y: np.ndarray, anew: bool) -> np.ndarray:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if anew:
            self._binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._binarizer.classes_
        else:
            there = unique_labels(y)
            if self.warm_start and set(there) != set(self.classes_):
                raise UserError(
                    f"warm_start goes on with the classes of the fit before, {self.classes_}, and y has {there}"
                )
            if set(there) - set(self.classes_):
                raise UserError(f"y has classes {there}, and they must be among {self.classes_}")
        labels = self._binarizer.transform(y)
        labels = labels.toarray() if hasattr(labels, "toarray") else labels
        self.n_outputs_ = labels.shape[1]
        if self._binarizer.y_type_ == "multiclass":
            self._task, self._loss, self.out_activation_ = "classification", "cross_entropy", "softmax"
            self._metrics: tuple[str, ...] = ()
            return labels.argmax(axis=1)
        self._task, self._loss, self.out_activation_ = "multilabel", "nnjax.sklearn.losses:log_loss", "logistic"
        self._metrics = ("nnjax.sklearn.losses:subset_accuracy",)
        return labels.astype(np.uint8)

    def _score_of(self, valid: Part) -> tuple[Callable[[Mapping[str, Any]], float], str]:
        if self._task == "classification":
            return rule.accuracy, "valid_accuracy"
        return rule.subset_accuracy, "valid_subset_accuracy"

    def predict(self, X: Any) -> np.ndarray:
        """The label of each example [N], or rows of 0 and 1 [N, C], by the mean of the networks' probabilities."""
        shares = self._outputs(X).mean(axis=0)
        return self._binarizer.inverse_transform(shares.ravel() if self.n_outputs_ == 1 else shares)

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, or label, [N, C]: the mean of the networks'."""
        shares = self._outputs(X).mean(axis=0)
        if self.n_outputs_ > 1:
            return shares
        if len(self.classes_) == 1:
            return np.ones_like(shares)
        return np.hstack([1 - shares, shares])

    def decision_function(self, X: Any) -> np.ndarray:
        """The logarithm of each class's probability [N, C], or of two classes, and of labels, that of the odds."""
        logits = self._outputs(X, raw=True)
        mean = np.log(len(logits))
        if self._task == "classification":
            return logsumexp(log_softmax(logits, axis=2), axis=0) - mean
        odds = logsumexp(log_expit(logits), axis=0) - logsumexp(log_expit(-logits), axis=0)
        return odds.ravel() if self.n_outputs_ == 1 else odds

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithms of these."""
        return np.log(self.predict_proba(X))
