"""What is recorded of a run: one table, from the step to the labelled results.

A metric of examples is a function ``(logits, label)`` of one example; its mean over the examples is recorded in
training (each example's when its batch was trained on), on the validation set after the epoch, and on the test
set. It may give ``(value, weight)``, whose mean is Σ value · weight / Σ weight. What is no mean of examples, such
as R² or F1, is made of means by ``finish``. A metric of steps is a function ``(params, grads, updates)`` of
parameter trees; it is measured at one step in 32 or more, and the mean recorded.

By class or by output (``dims=("class",)``), a metric of examples gives C values; by layer (``dims=("layer",)``), a
metric of steps is called with the parameters of one layer after the other. One of a user's own is such a function,
told apart by the names of its arguments, or a `Metric`.
"""

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from nnjax.config import field_names
from nnjax.nn import losses, measures
from nnjax.nn.layers import is_kernel, subtree
from nnjax.nn.losses import an_example
from nnjax.parts import Part, takes, tried
from nnjax.tasks import CLASSIFICATION, TASKS, check_fits
from nnjax.types import Params
from nnjax.validation import UserError, choice

Values: TypeAlias = dict[str, Float[Array, "..."]]
"""Metrics by their name; by layer [L] or by class [C], else []."""

OF_A_STEP = ("params", "grads", "updates")
"""The arguments of a metric of steps."""

BETTER = {"higher": 1, "lower": -1}
"""Which of two values of a metric is better, and the sign that makes the higher one the better of all."""

DIMS = {"example": (("class",), ("output",)), "step": (("layer",),)}
"""What a metric may go by, where it is of examples or of steps."""


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric: words for it, what computes it, and what it goes by."""

    words: str
    function: Callable[..., Any] | None
    """None: the loss that is trained."""
    of: str = "example"
    """What it is of: example or step."""
    dims: tuple[str, ...] = ()
    units: str = "1"
    better: str = ""
    """Which of two values is better, higher or lower, where the best epoch may be chosen by it; else nothing."""
    finish: Callable[[Any], Any] | None = None
    """What makes the metric of the mean of what the function gives; None: the mean is the metric."""
    of_targets: bool = False
    """Whether its values are in the units of the targets, and so multiplied by their deviation once trained."""

    def __call__(self, *arguments: Any) -> Any:
        """What the function gives."""
        assert self.function is not None
        return self.function(*arguments)


class Variable(NamedTuple):
    """What a metric is called in the results."""

    words: str
    dims: tuple[str, ...]
    """Beside those of the runs: epoch, layer, class, output."""
    units: str


def class_accuracy(logits: Float[Array, " C"], label: Int[Array, ""]) -> tuple[Array, Array]:
    """For each class, the share of its examples that are given to it (its recall)."""
    of_class = (jnp.arange(logits.shape[0], dtype=label.dtype) == label).astype(logits.dtype)
    return jnp.full_like(of_class, losses.accuracy(logits, label)), of_class


def grad_norm(params: Params, grads: Params, updates: Params) -> Float[Array, ""]:
    """‖∇L‖₂."""
    return optax.tree.norm(grads)


def update_ratio(params: Params, grads: Params, updates: Params) -> Float[Array, ""]:
    """‖Δθ‖₂ / ‖θ‖₂; 0 where θ is."""
    size, change = optax.tree.norm(params), optax.tree.norm(updates)
    return jnp.where(size > 0, change / size, 0)


def weight_norm(params: Params, grads: Params, updates: Params) -> Float[Array, ""]:
    """‖θ‖₂."""
    return optax.tree.norm(params)


def kernel_norm(params: Params, grads: Params, updates: Params) -> Float[Array, ""]:
    """‖W‖₂ of all kernels together: ½ λ ‖W‖² is the penalty of weight decay."""
    of_kernels = jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf if is_kernel(path, leaf) else None, params
    )
    return optax.tree.norm(of_kernels)


METRICS: dict[str, Metric] = {
    "loss": Metric("loss", None, better="lower"),
    "accuracy": Metric("accuracy", losses.accuracy, better="higher"),
    "r2": Metric("R²", measures.moments, better="higher", finish=measures.r2_of),
    "rmse": Metric(
        "RMSE", measures.squared_errors, dims=("output",), better="lower", finish=measures.root_of, of_targets=True
    ),
    "mae": Metric(
        "mean absolute error", measures.absolute_errors, dims=("output",), better="lower", of_targets=True
    ),
    "f1": Metric("macro F1", measures.hits, better="higher", finish=measures.f1_of),
    "label_f1": Metric("F1 of a label", measures.hits, dims=("class",), finish=measures.label_f1_of),
    "grad_norm": Metric("norm of the loss gradient", grad_norm, of="step"),
    "update_ratio": Metric("norm of the update over norm of the parameters", update_ratio, of="step"),
    "kernel_norm": Metric("norm of the kernels", kernel_norm, of="step"),
    "class_accuracy": Metric("accuracy on the examples of a class", class_accuracy, dims=("class",)),
    "layer_grad_norm": Metric("norm of a layer's loss gradient", grad_norm, of="step", dims=("layer",)),
    "layer_weight_norm": Metric("norm of a layer's parameters", weight_norm, of="step", dims=("layer",)),
    "layer_update_ratio": Metric(
        "norm of a layer's update over norm of its parameters", update_ratio, of="step", dims=("layer",)
    ),
}

OF_TASKS = {
    **{name: (task.name,) for task in TASKS.values() for name in task.metrics},
    "class_accuracy": (CLASSIFICATION,),
    "label_f1": ("multilabel",),
}
"""The tasks of those metrics that fit some alone."""


def fitting(task: str) -> tuple[str, ...]:
    """The metrics of the table that fit a task."""
    return tuple(name for name in METRICS if task in OF_TASKS.get(name, TASKS))


def standard(task: str = CLASSIFICATION) -> tuple[str, ...]:
    """What is always recorded of a task."""
    return ("loss", *TASKS[task].metrics, "grad_norm", "update_ratio")


TAKEN = {
    *("seed", "epoch", "layer", "class", "output", "kept", "setting"),
    *("status", "best_epoch", "diverged_epoch", "stopped_epoch"),
    *("program", "programs", "program_number", "param_shapes", "preprocessing", "table"),
}
"""What the results call something else."""

Named: TypeAlias = tuple[tuple[str, Metric], ...]


def metrics_of(
    parts: Sequence[str | Part],
    classes: int,
    params: Params,
    layers: Sequence[str],
    task: str = CLASSIFICATION,
) -> Named:
    """The standard metrics of a task and others, by name, for a network with these parameters and layers.

    Raises:
        UserError: where one is of another task, or a part of the user's own isn't what a metric must be.
    """
    named = {name: _tabled(name, classes) for name in standard(task)}
    for part in parts:
        if isinstance(part, str):
            check_fits("metrics", part, OF_TASKS.get(part, tuple(TASKS)), task, fitting(task))
            named[part] = _tabled(part, classes)
        else:
            name = part.name.rpartition(":")[2]
            if not name.isidentifier():
                raise UserError(f"the metric {part} needs a name that can be a variable's: write it as a function")
            if name in TAKEN or name in field_names() or _variables_clash(name, named):
                raise UserError(
                    f"the metric {part} is called {name}, as something else in the results is: rename it"
                )
            if name in named or name in METRICS:
                raise UserError(
                    f"the metric {part} is called {name}, as another metric is: give it a name of its own"
                )
            named[name] = _checked(part, classes, params, layers, task)
    return tuple(named.items())


@functools.cache
def _tabled(name: str, classes: int) -> Metric:
    """A metric of the table; of one target alone what else goes by output is a number."""
    metric = METRICS[name]
    if metric.dims != ("output",) or classes > 1:
        return metric
    return dataclasses.replace(metric, dims=(), finish=functools.partial(_only, metric.finish))


def _only(finish: Callable[[Any], Any] | None, mean: Any) -> Any:
    """The one number of the mean."""
    return (finish(mean) if finish else mean)[0]


def _variables_clash(name: str, named: Mapping[str, Metric]) -> bool:
    """Whether a variable of the results has this name."""
    return name in variables(tuple(named.items())) or name.startswith(("train_", "valid_", "test_", "params."))


def _checked(part: Part, classes: int, params: Params, layers: Sequence[str], task: str) -> Metric:
    metric = part.function
    if not isinstance(metric, Metric):
        of = "step" if tuple(takes(metric))[:3] == OF_A_STEP else "example"
        words = (inspect.getdoc(metric) or part.name).partition("\n")[0].rstrip(".")
        metric = Metric(words, metric, of)
    choice(f"of in the metric {part}", metric.of, DIMS)
    choice(f"better in the metric {part}", metric.better, ("", *BETTER))
    if metric.dims not in ((), *DIMS[metric.of]):
        may_be = " or ".join(map(str, ((), *DIMS[metric.of])))
        raise UserError(f"dims of the metric {part} is {metric.dims}, and must be {may_be}")
    must = (
        "a function (logits, label) of one example that gives a number, or a number and its weight"
        if metric.of == "example"
        else "a function (params, grads, updates) of parameter trees that gives a number"
    )
    shape = (classes,) if metric.dims in DIMS["example"] else ()
    if metric.of == "example":
        found = tried("metric", part, lambda: jax.eval_shape(metric, *an_example(classes, task)), must)
    else:
        tree = subtree(params, layers[0]) if metric.dims else params
        found = tried("metric", part, lambda: jax.eval_shape(metric, tree, tree, tree), must)
    if metric.finish is not None and metric.of == "example":
        mean = found[0] if isinstance(found, tuple) else found
        finish = metric.finish
        found = tried("metric", part, lambda: jax.eval_shape(finish, mean), must)
    values = found if isinstance(found, tuple) and metric.of == "example" else (found,)
    if len(values) > 2 or any(getattr(value, "shape", None) != shape for value in values):
        shapes = ", ".join(str(getattr(value, "shape", type(value).__name__)) for value in values)
        raise UserError(f"the metric {part} doesn't fit: it gives shape {shapes}, not {shape}; it must be {must}")
    return metric


def measured(metrics: Named, layers: Sequence[str], params: Params, grads: Params, updates: Params) -> Values:
    """The metrics of a step."""
    found: Values = {}
    for name, metric in metrics:
        if metric.of != "step":
            continue
        if metric.dims:
            trees = [[subtree(tree, layer) for tree in (params, grads, updates)] for layer in layers]
            found[name] = jnp.stack([jnp.asarray(metric(*of_layer)) for of_layer in trees])
        else:
            found[name] = metric(params, grads, updates)
    return found


def variables(metrics: Named, loss_units: str = "1", units_of_targets: str = "") -> Mapping[str, Variable]:
    """What the metrics are called in the results, and what is said of them there."""
    found: dict[str, Variable] = {}
    by_run: dict[str, Variable] = {}
    for name, metric in metrics:
        units = loss_units if metric.function is None else units_of_targets if metric.of_targets else metric.units
        if metric.of == "step":
            words = f"{metric.words}, mean over one step in 32 or more"
            found[name] = Variable(words, ("epoch", *metric.dims), units)
            continue
        found[f"train_{name}"] = Variable(f"training {metric.words}, running", ("epoch", *metric.dims), units)
        found[f"valid_{name}"] = Variable(f"validation {metric.words}", ("epoch", *metric.dims), units)
        for suffix, when in (("", "at the best validation epoch"), ("_last", "after the last epoch")):
            by_run[f"test_{name}{suffix}"] = Variable(f"test {metric.words} {when}", metric.dims, units)
    return found | by_run


def in_units(metrics: Named, values: dict[str, Any], deviation: np.ndarray | None) -> dict[str, Any]:
    """Host arrays by their names in the results, those in units of the targets times their deviation ``[C]``."""
    of_targets = {name: metric.dims for name, metric in metrics if metric.of_targets}
    if deviation is None or not of_targets:
        return values
    found = dict(values)
    for variable, value in values.items():
        name = re.sub(r"^(train|valid|test)_|_last$", "", variable)
        if name in of_targets:
            factor = np.asarray(deviation if of_targets[name] else deviation[0], np.asarray(value).dtype)
            found[variable] = value * factor
    return found
