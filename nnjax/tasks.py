"""What a network learns: the class of an example, numbers, or several labels at once.

A task follows from the targets of a data set. Whatever names a loss, an accuracy or a monitored metric asks it:
which losses fit and which is taken where none is said, what is recorded, by what the best epoch is chosen, and
which one metric tables, figures and sentences speak of.
"""

from dataclasses import dataclass

from nnjax.validation import UserError, choice

AUTO = "auto"
"""A field of the configuration that is left to the task, and a task that is left to the targets."""


@dataclass(frozen=True)
class Measure:
    """The metric that tables, figures and sentences speak of; the higher the better."""

    name: str
    words: str
    percent: bool = False
    """Whether its values are shares, which are said in percent."""
    chance: str = ""
    """What a network that has learned nothing reaches, in words."""


@dataclass(frozen=True)
class Task:
    """What a network learns."""

    name: str
    words: str
    """``a classification``."""
    outputs: str
    """What its C outputs are of: classes, targets or labels."""
    losses: tuple[str, ...]
    """The losses of nnjax that fit; the first is taken where none is said."""
    metrics: tuple[str, ...]
    """What is recorded of examples beside the loss; the first is the measure."""
    monitor: str
    """By what the best epoch is chosen where nothing is said."""
    measure: Measure


TASKS = {
    "classification": Task(
        "classification",
        "a classification",
        "classes",
        ("cross_entropy", "mse", "mse_probabilities", "binary_cross_entropy"),
        ("accuracy",),
        "valid_accuracy",
        Measure("accuracy", "accuracy", percent=True, chance="the share of the commonest class"),
    ),
    "regression": Task(
        "regression",
        "a regression",
        "targets",
        ("mse", "mae", "huber"),
        ("r2", "rmse", "mae"),
        "valid_r2",  # and not the loss, by which settings of two losses could not be compared
        Measure("r2", "R²", chance="what predicting the mean gives"),
    ),
    "multilabel": Task(
        "multilabel",
        "a multi-label classification",
        "labels",
        ("binary_cross_entropy",),
        ("f1",),
        "valid_f1",
        Measure("f1", "macro F1", percent=True),
    ),
}
"""The tasks by their name."""

CLASSIFICATION = "classification"

MEASURES = {task.measure.name: task.measure for task in TASKS.values()}
"""The measures by the name of their metric."""

NAMES = {"r2": "R²", "rmse": "RMSE", "mae": "MAE", "f1": "macro F1"}
"""Metrics that are written otherwise than they are called."""


def task_of(name: object) -> Task:
    """The task of a name.

    Raises:
        UserError: for a name of none.
    """
    choice("task", name, TASKS, ", or auto, which follows from the targets")
    return TASKS[str(name)]


def counted(outputs: int, task: str) -> str:
    """``10 classes``, ``1 target``."""
    words = TASKS[task].outputs
    return f"{outputs} {words.removesuffix('s') if outputs == 1 and task != CLASSIFICATION else words}"


def check_fits(kind: str, name: str, tasks: tuple[str, ...], task: str, instead: tuple[str, ...]) -> None:
    """Refuse a part of nnjax that is of another task.

    Args:
        kind, name: of the part, such as loss and huber.
        tasks: those that it fits.
        task: that of the data.
        instead: the parts that fit.

    Raises:
        UserError: naming the part, both tasks and what fits.
    """
    if task not in tasks:
        of = " or ".join(TASKS[one].words for one in tasks)
        raise UserError(
            f"{kind} is {name!r}, which is of {of}, and the data are {TASKS[task].words}: take "
            f"{' or '.join(instead)}"
        )
