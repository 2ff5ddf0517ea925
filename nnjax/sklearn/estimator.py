"""What a classifier and a regressor have in common: scikit-learn's parameters, and the way to nnjax's engine."""

import itertools
import warnings
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from nnjax.config import Config
from nnjax.sklearn import together
from nnjax.sklearn.examples import batches, dense
from nnjax.sklearn.fits import Data, Fit, Optimizer, Part, Trained
from nnjax.sklearn.rule import Rule
from nnjax.sklearn.weights import Weights, draw, forward, tree_of, weights_of
from nnjax.validation import UserError

FLOATS = (np.float64, np.float32)
SPARSE = ("csr", "csc")

ACTIVATIONS = {"logistic": "sigmoid"}
"""Those that are called otherwise here."""


class MLP(BaseEstimator):
    """Perceptrons as scikit-learn's, ``n_seeds`` of them; a classifier and a regressor say what they learn."""

    _parameter_constraints: dict[str, Any] = {  # noqa: RUF012, as scikit-learn has it
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({"identity", "logistic", "tanh", "relu"})],
        "solver": [StrOptions({"sgd", "adam"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "n_seeds": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        n_seeds: int = 1,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.n_seeds = n_seeds

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # What a classifier and a regressor say.

    _task: str
    """Of the data, once their targets are known."""
    _loss: str
    _metrics: tuple[str, ...] = ()
    out_activation_: str
    """What the outputs go through at last."""

    def _learned(self, y: np.ndarray, anew: bool) -> np.ndarray:
        """Targets as the engine takes them, [N] or [N, C]; knows afterwards what is learned.

        Args:
            y: of the user.
            anew: whether nothing is known of the classes.
        """
        raise NotImplementedError

    def _score_of(self, valid: Part) -> tuple[Callable[[Mapping[str, Any]], float], str]:
        """What scores the metrics of a validation set, and by which of them the best epoch is that."""
        raise NotImplementedError

    # Fitting.

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the networks; with ``warm_start`` those that are there, with a new optimizer.

        Args:
            X: inputs [N, D], also sparse.
            y: targets [N] or [N, C].
            sample_weight: how much each example counts, [N]; None: all alike.
        """
        self._check_parameters()
        return self._fit(X, y, sample_weight, incremental=False)

    def _check_parameters(self) -> None:
        if isinstance(self.solver, str) and self.solver == "lbfgs":
            raise UserError(
                "solver is 'lbfgs', and must be 'adam' or 'sgd': lbfgs takes no minibatches, and no epochs; "
                "scikit-learn's own MLP has it"
            )
        self._validate_params()
        hidden = self._hidden()
        if any(not isinstance(width, int) or width < 1 for width in hidden):
            raise UserError(f"hidden_layer_sizes must be > 0, got {list(hidden)}")

    def _hidden(self) -> tuple[Any, ...]:
        sizes: Any = self.hidden_layer_sizes
        return tuple(np.asarray(sizes).ravel().tolist())

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, incremental: bool) -> Self:
        first = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        X, y = validate_data(
            self, X, y, accept_sparse=SPARSE, multi_output=True, dtype=FLOATS, reset=first, y_numeric=self._numbers
        )
        learned = self._learned(y, first and not incremental)
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        asked = together.trained(
            self, X, learned, weight, lambda: self._asked(Part(X, learned, weight), first, incremental)
        )
        if asked is not None:
            self._take(asked, X.dtype, first, incremental)
        return self

    _numbers = False
    """Whether targets are numbers."""

    def _asked(self, examples: Part, first: bool, incremental: bool) -> Fit:
        """What the engine is to train."""
        random = check_random_state(self.random_state)
        units = (examples.x.shape[1], *self._hidden(), self.n_outputs_)
        networks = [draw(units, self.activation, random)] if first else self._networks()
        train, valid, score, monitor = (
            Part(dense(examples.x), examples.y, examples.weight),
            None,
            None,
            "valid_loss",
        )
        if self.early_stopping and not incremental:
            train, valid = self._split(train, random)
            score, monitor = self._score_of(valid)
        if first:
            networks += [draw(units, self.activation, random) for _ in range(self.n_seeds - 1)]
        elif [layer.shape for layer in networks[0].coefs] != list(itertools.pairwise(units)):
            raise UserError(
                f"hidden_layer_sizes is {self.hidden_layer_sizes}, and the networks that are to go on have "
                "others: set warm_start to False to begin anew"
            )
        had = 0 if first else len(self.loss_curve_)
        seeds = tuple(int(seed) + had for seed in random.randint(2**31 - 1, size=len(networks)))
        cut = batches(train, self.batch_size, self.shuffle)
        config = Config(
            hidden=self._hidden(),
            activation=ACTIVATIONS.get(self.activation, self.activation),
            loss=self._loss,
            **self._optimizer(),
            learning_rate=self.learning_rate_init,
            weight_decay=self.alpha / cut.weight,
            batch_size=cut.size,
            shuffle=cut.shuffle,
            epochs=1 if incremental else self.max_iter,
            monitor=monitor,
            metrics=("kernel_norm", *self._metrics),
            init_seed=0,
        )
        rule = Rule(
            self.tol,
            np.inf if incremental else self.n_iter_no_change,
            score=score,
            share=1 / self.n_outputs_ if self._task == "regression" else 1.0,
            decay=config.weight_decay,
        )
        rules = [rule] * len(networks)
        if not first:
            rules = [rule._replace(best=best, waited=waited) for best, waited in self._standing]
        goes_on = incremental and not first and bool(self._optimizers[0])
        return Fit(
            config,
            Data(self._task, self.n_outputs_, cut.train, valid),
            seeds,
            tuple(map(tree_of, networks)),
            tuple(self._optimizers) if goes_on else None,
            tuple(rules),
        )

    def _optimizer(self) -> dict[str, Any]:
        if self.solver == "adam":
            moments = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
            return {"optimizer": "adam", **moments}
        return {"momentum": self.momentum, "nesterov": self.nesterovs_momentum and self.momentum > 0}

    def _split(self, examples: Part, random: np.random.RandomState) -> tuple[Part, Part]:
        """The part that trains, and the one that validates, as scikit-learn draws them."""
        stratify = examples.y if self._task != "regression" and self.n_outputs_ == 1 else None
        parts = train_test_split(
            *examples.arrays(), random_state=random, test_size=self.validation_fraction, stratify=stratify
        )
        if parts[1].shape[0] < 2:
            raise UserError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        return Part(*parts[::2]), Part(*parts[1::2])

    def _networks(self) -> list[Weights]:
        """Those that are there, one by one."""
        if self.n_seeds_ == 1:
            return [Weights(self.coefs_, self.intercepts_)]
        return [
            Weights([layer[seed] for layer in self.coefs_], [layer[seed] for layer in self.intercepts_])
            for seed in range(self.n_seeds_)
        ]

    def _take(self, trained: list[Trained], dtype: Any, first: bool, incremental: bool) -> None:
        """Hold what came out."""
        if not all(network.finite for network in trained):
            raise UserError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need "
                "to be preprocessed."
            )
        networks = [weights_of(network.params, dtype) for network in trained]
        layers = zip(*(network.coefs for network in networks), strict=True)
        biases = zip(*(network.intercepts for network in networks), strict=True)
        self.n_seeds_ = len(networks)
        alone = len(networks) == 1
        self.coefs_ = [of_layer[0] if alone else np.stack(of_layer) for of_layer in layers]
        self.intercepts_ = [of_layer[0] if alone else np.stack(of_layer) for of_layer in biases]
        self.n_layers_ = len(self.coefs_) + 1
        self._optimizers: list[Optimizer] = [network.optimizer for network in trained]
        curve = _mean([network.curve for network in trained])
        self.n_iter_ = len(curve)
        self.loss_ = curve[-1]
        self.loss_curve_: list[float] = curve if first else [*self.loss_curve_, *curve]
        self.loss_curves_ = [network.curve.tolist() for network in trained]
        scores = [network.scores for network in trained if network.scores is not None]
        before = [] if first else self.validation_scores_ or []
        self.validation_scores_: list[float] | None = [*before, *_mean(scores)] if scores else None
        self.best_validation_score_ = max(self.validation_scores_) if self.validation_scores_ else None
        self.best_loss_ = None if scores else min(self.loss_curve_)
        self._standing = [(network.best, network.waited) for network in trained]
        if not incremental and not all(network.converged for network in trained):
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _outputs(self, X: Any, raw: bool = False) -> np.ndarray:
        """What the networks say of each example, [S, N, C]; ``raw`` without what it goes through at last."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=SPARSE, dtype=FLOATS, reset=False)
        inputs = X if hasattr(X, "tocsr") else np.asarray(X, np.float64)
        last = "identity" if raw else self.out_activation_
        return np.stack([forward(inputs, network, self.activation, last) for network in self._networks()])


def _mean(curves: list[np.ndarray]) -> list[float]:
    """The mean of several curves at each epoch, of those that go so far."""
    longest = max(map(len, curves))
    table = np.full((len(curves), longest), np.nan)
    for row, curve in zip(table, curves, strict=True):
        row[: len(curve)] = curve
    return np.nanmean(table, axis=0).tolist()
