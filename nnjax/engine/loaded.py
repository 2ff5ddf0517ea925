"""The data of a sweep: each is loaded once, and all are of one task."""

from collections.abc import Iterable, Sequence

from nnjax.config import Config, DataConfig
from nnjax.data import Dataset, load_data
from nnjax.tasks import TASKS
from nnjax.validation import UserError


def loaded_for(settings: Sequence[Config]) -> dict[DataConfig, Dataset]:
    """The data of some settings."""
    loaded: dict[DataConfig, Dataset] = {}
    for config in dict.fromkeys(setting.data for setting in settings):
        loaded[config] = load_data(**vars(config))
        _refuse_twins(loaded)
    return loaded


def one_task(data: Iterable[Dataset]) -> str:
    """The task of all data of a sweep, whose results are compared by one measure."""
    by_task = {dataset.task: dataset.name for dataset in data}
    if len(by_task) > 1:
        (one, name), (other, second), *_ = by_task.items()
        raise UserError(
            f"{name} is {TASKS[one].words} and {second} {TASKS[other].words}, and a sweep compares settings of "
            "one task"
        )
    return next(iter(by_task))


def _refuse_twins(loaded: dict[DataConfig, Dataset]) -> None:
    """Refuse data sets of two names that hold the same examples, as of one folder with no name in it."""
    *others, (last, new) = loaded.items()
    for config, data in others:
        if config.name != last.name and data.fingerprint == new.fingerprint:
            raise UserError(
                f"data.name {config.name!r} and {last.name!r} hold the same examples, read from {last.dir}: give "
                "a folder that holds a folder of each name"
            )
