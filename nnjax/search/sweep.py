"""A fixed sweep: every setting with every seed, trained and labelled."""

import time
from collections.abc import Iterable, Sequence

import xarray as xr

from nnjax.axes import Axes, Axis
from nnjax.config import Config, replace
from nnjax.data import Dataset
from nnjax.engine import devices
from nnjax.engine.driver import Fixed, OnEpoch, Outcome
from nnjax.engine.halt import Halt
from nnjax.engine.loop import train
from nnjax.engine.plan import Group, Plan, plan
from nnjax.engine.progress import Progress
from nnjax.engine.shared import by_structure
from nnjax.engine.starting import started
from nnjax.results import labels
from nnjax.results.sources import StartFrom, read_start
from nnjax.search.seeds import NeededSeeds
from nnjax.validation import UserError


def sweep(
    config: Config,
    data: Dataset | None = None,
    axes: Axes | Sequence[Axis] | None = None,
    *,
    seeds: int | str | Iterable[int] | None = None,
    runs_per_call: int | None = None,
    keep_parameters: bool = False,
    keep_state: bool = False,
    start_from: StartFrom | None = None,
    on_epoch: OnEpoch | None = None,
    states: bool = False,
    progress: bool | None = None,
    time_limit: float | None = None,
) -> xr.Dataset:
    """Train every setting with every seed, and label what came out.

    Settings that share a seed share the initial draw and the data order, so that comparisons are paired. Numbers
    never compile again; each combination of shapes and operations compiles one training program.

    Args:
        config: the setting that the axes vary.
        data: what to train on; None loads what ``config.data`` says.
        axes: the fields to vary, see `nnjax.axes.Axes`; None trains the one setting.
        seeds: how many seeds (0, 1, 2, …) or which, instead of ``config.seeds``; ``"auto"`` adds them where they
            are needed, see `nnjax.seeds.ByNeed`: runs that are not are ``missing``, and ``attrs["by_need"]`` says
            in JSON what was reached. Where the settings fix ``init_seed`` and ``data_seed``, seeds have no part.
        runs_per_call: runs that a device trains at a time. None takes as many as are fast: all on an accelerator;
            on a core of a CPU one or, of small networks, as many as its cache holds. With 1, no bit of a run
            depends on how many others there are, unless a large network has the threads of free cores; with more,
            the last bits of a matrix product do.
        keep_parameters: keep the best and the last parameters of each run; `nnjax.network` makes one of
            them that predicts.
        keep_state: keep these, and all else that training goes on from, such as the optimizer's state.
        start_from: what runs begin with in the place of an initial draw: results, or their file, of whose runs
            each takes the one at its labels (an axis on which they have one place says nothing); or a
            `nnjax.Network` or parameter tree for all. Results with ``keep_state=True`` go on: their epochs count
            among ``config.epochs`` and stand in front of the new ones, so that 3 epochs and then ``epochs=7`` are
            7. Of others, training begins anew with the parameters of the best epoch; ``(results, "last")`` takes
            the last ones. "best" and "state" can be said likewise.
        on_epoch: is called with a `nnjax.EpochEnd` at each end of an epoch of the runs that share a program,
            before the next epoch begins; it may answer which of these runs stop there, by their indices.
        states: whether ``on_epoch`` is given the runs' states too, which are fetched for it.
        progress: show a bar, or nothing; None shows a bar on a terminal and a line now and then elsewhere.
        time_limit: seconds after which training ends with the next epoch, as it does after Ctrl-C or SIGTERM: runs
            are then ``stopped``, or ``missing`` where they were not begun, and ``attrs["ended"]`` says so.

    Returns:
        A dataset with a dimension for each axis, ``seed`` and ``epoch``; its variables are described in
        `nnjax.results.labels`.

    Raises:
        UserError: for axes or values that can't be, a batch larger than the training data, or a start from other
            networks or runs.
    """
    share = False if states else None  # a state is seen as its structure's own program has it
    todo = plan(config, data, axes, seeds=seeds, runs_per_call=runs_per_call, share=share)
    return run_plan(
        todo,
        keep_parameters=keep_parameters,
        keep_state=keep_state,
        start_from=start_from,
        on_epoch=on_epoch,
        states=states,
        progress=progress,
        time_limit=time_limit,
    )


def run_plan(
    todo: Plan,
    *,
    keep_parameters: bool = False,
    keep_state: bool = False,
    start_from: StartFrom | None = None,
    on_epoch: OnEpoch | None = None,
    states: bool = False,
    progress: bool | None = None,
    time_limit: float | None = None,
) -> xr.Dataset:
    """Train what `plan` has planned; arguments and results are those of `sweep`."""
    began = time.perf_counter()
    if start_from is not None:
        todo = started(todo, read_start(start_from))
    need = todo.config.by_need
    if need and on_epoch is not None:
        raise UserError(
            f"seeds is {todo.config.seeds!r}, and on_epoch is given, which may stop runs: give a number of seeds"
        )
    driver = NeededSeeds(todo, need) if need else Fixed(todo.groups, on_epoch)
    with (
        Halt(time_limit) as halt,
        Progress(driver.total, f"{'up to ' if need else ''}{todo.runs:,} runs", progress) as shown,
    ):
        train(
            driver,
            keep_parameters=keep_parameters,
            keep_state=keep_state,
            states=states,
            progress=shown,
            ends=halt.asked,
        )
    config, seeds = with_seeds(todo, int(driver.runs.max()) if isinstance(driver, NeededSeeds) else None)
    results = labels.label(
        config=config,
        axes=todo.axes,
        seeds=seeds,
        parts=[part for trained in driver.outcomes for part in labeled(*trained)],
        device=devices.description(),
        wall_time=time.perf_counter() - began,
    )
    if isinstance(driver, NeededSeeds):
        results = results.assign_attrs(by_need=driver.described())
    starts = [group.start for group in todo.groups if group.start is not None]
    if starts:
        results = results.assign_attrs(started_from=starts[0].source.name)
    return ended(results, halt.asked())


def with_seeds(todo: Plan, most: int | None) -> tuple[Config, tuple[int, ...] | None]:
    """The configuration and the seeds of what was trained: by need, as many as a setting has had at ``most``."""
    if most is None:
        return todo.config, todo.seeds
    return replace(todo.config, {"seeds": most}), tuple(range(most))


def labeled(group: Group, outcome: Outcome) -> list[labels.Trained]:
    """What came out of a group, by structure, under the settings and seeds of its runs."""
    return [
        labels.Trained(
            structure,
            group.data,
            [(group.runs[index].setting, group.runs[index].seed_index) for index in runs],
            of,
        )
        for structure, runs, of in by_structure(group, outcome)
    ]


def ended(results: xr.Dataset, reason: str) -> xr.Dataset:
    """The results, with a sentence about what is missing where training was ended before its end."""
    status = results["status"].values
    if not reason or ((status != "stopped").all() and (status != "missing").all()):
        return results
    finished, stopped, missing = (int((status == word).sum()) for word in ("finished", "stopped", "missing"))
    return results.assign_attrs(
        ended=f"{reason} ended the training: of {status.size:,} runs {finished:,} have finished, {stopped:,} were "
        f"stopped before their end, and {missing:,} have not begun"
    )
