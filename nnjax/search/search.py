"""A search: settings of a space are trained with all their seeds, the best is chosen, and trained anew.

The choice is made on the validation set alone, by its accuracy or what else the configuration monitors. The best
of many is the luckiest too, so that its score promises too much: by how much is estimated, and what it is worth
comes from fresh seeds.
"""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from nnjax.axes import parse_axes
from nnjax.config import Config, replace
from nnjax.data import Dataset
from nnjax.engine import devices
from nnjax.engine.halt import Halt
from nnjax.engine.loop import train_groups, train_in_rungs
from nnjax.engine.plan import Plan, plan
from nnjax.engine.progress import Progress
from nnjax.engine.sharing import Known
from nnjax.results import configs, labels
from nnjax.results.settings import overview
from nnjax.search.ends import check_space
from nnjax.search.halving import Halving, Race
from nnjax.search.needed import needed
from nnjax.search.optimism import optimism
from nnjax.search.samplers import SAMPLERS, Sampler, batch_of
from nnjax.search.space import Space, parse_space
from nnjax.search.sweep import ended, run_plan, trained
from nnjax.training.monitor import VALID, signs
from nnjax.validation import UserError, check_count, check_range, choice


def search(
    config: Config,
    data: Dataset | None = None,
    space: Mapping[Any, Any] | Space | None = None,
    *,
    samples: int = 64,
    seeds: int | Iterable[int] | None = None,
    sampler: str | Sampler = "random",
    seed: int = 0,
    batch: int | None = None,
    halving: Halving | None = None,
    fresh: int | None = None,
    zone: float = 0.005,
    confidence: float = 0.95,
    keep_parameters: bool = False,
    progress: bool | None = None,
    time_limit: float | None = None,
) -> xr.Dataset:
    """Train settings of a space, choose the best on the validation set, and train it anew with fresh seeds.

    The best is that of ``config.monitor``: the highest validation accuracy where nothing else is said.

    Args:
        config: the setting that the space varies.
        data: what to train on; None loads what ``config.data`` says.
        space: distributions by field, see `nnjax.search.space.parse_space`.
        samples: how many settings; equal ones are trained once. A grid ends with its last.
        seeds: how many seeds (0, 1, 2, …) or which, instead of ``config.seeds``.
        sampler: ``random``, ``sobol``, ``grid`` or ``optuna``, or one of one's own.
        seed: of the sampler.
        batch: settings asked for at a time; None asks for all, and for 8 of optuna or a sampler of one's own.
        halving: stop the worse settings early.
        fresh: seeds with which the best is trained anew, beginning after the largest of the search; None takes as
            many as the search has, and 0 leaves it out.
        zone: the difference of validation accuracies, or of what else is monitored, that is taken for none.
        confidence: with which the settings that may be the best are told apart from the others.
        keep_parameters: keep the best and the last parameters of each run.
        progress: show a bar, or nothing; None shows a bar on a terminal and a line now and then elsewhere.
        time_limit: seconds after which it ends with the next epoch, as after Ctrl-C or SIGTERM, and asks for no
            more settings.

    Returns:
        A dataset as `nnjax.sweep` returns it, with the dimensions ``setting`` and ``seed``. Beside it by setting
        ``contender``, whether it may be the best, and by ``fresh_seed`` the ``fresh_valid_accuracy`` and
        ``fresh_test_accuracy`` of the best. ``attrs["search"]`` says in JSON how it was searched, which setting is
        the best, its score, and what of that is ``optimism``. `nnjax.stats.best` gives the best's configuration.

    Raises:
        UserError: for a space or values that can't be.
    """
    check_count("samples", samples)
    if fresh is not None:
        check_range("fresh", fresh, least=0)
    check_range("zone", zone, above=0)
    check_range("confidence", confidence, above=0, below=1)
    if space is None:
        raise UserError("space is missing: give a mapping of fields to distributions")
    parsed = parse_space(space)
    check_space(parsed, config)
    if isinstance(sampler, str):
        choice("sampler", sampler, SAMPLERS)
        name, asked = sampler, SAMPLERS[sampler](parsed, seed)
    else:
        name, asked = type(sampler).__name__, sampler
    batch = batch_of(asked, samples) if batch is None else batch
    check_count("batch", batch)
    started = time.perf_counter()
    chosen: list[dict[str, Any]] = []
    parts: list[labels.Trained] = []
    todo: Plan | None = None
    known = Known(_activations(config, parsed))
    lost: set[int] = set()  # settings that a race has stopped
    with Halt(time_limit) as halt, Progress(0, f"search of {samples} settings", progress) as shown:
        while len(chosen) < samples and not (chosen and halt.asked()):
            values = asked.ask(min(batch, samples - len(chosen)))
            new = [setting for setting in distinct(config, values) if setting not in chosen]
            if not new:  # the grid has no more, or the sampler asks for what it knows already
                break
            todo = plan(config, data, new, seeds=seeds, known=known)
            epochs = max(group.epochs for group in todo.groups)
            shown.total += todo.runs * epochs
            race = Race(halving, len(todo.settings), epochs) if halving else None
            of_batch = _trained(todo, race, keep_parameters, shown, halt)
            lost |= {setting + len(chosen) for setting in (race.lost if race else ())}
            _tell(asked, values, todo, of_batch)
            parts += [
                part._replace(runs=[(setting + len(chosen), of_seed) for setting, of_seed in part.runs])
                for part in of_batch
            ]
            chosen += new
    if todo is None:
        raise UserError(f"the sampler {name} asks for no setting")
    results = labels.label(
        config=todo.config,
        axes=parse_axes(chosen),
        seeds=todo.seeds,
        parts=parts,
        device=devices.description(),
        wall_time=time.perf_counter() - started,
    )
    results = ended(results, halt.asked())
    if "ended" in results.attrs:
        fresh = 0
    said = {"space": parsed.described(), "sampler": name, "seed": seed, "samples": samples, "batch": batch}
    return _concluded(
        results, data, said, known, lost, fresh=fresh, zone=zone, confidence=confidence, progress=progress
    )


def _activations(config: Config, space: Space) -> frozenset[str]:
    """The activations of nnjax that the space has, as far as some hundred of its settings show."""
    found = {replace(config, values).activation for values in SAMPLERS["sobol"](space).ask(256)}
    return frozenset(name for name in found if isinstance(name, str))


def distinct(config: Config, asked: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The settings without those that are there already, as the configuration holds their values."""
    found: dict[Config, dict[str, Any]] = {}
    for values in asked:
        found.setdefault(replace(config, values), dict(values))
    return list(found.values())


def _trained(
    todo: Plan, race: Race | None, keep_parameters: bool, shown: Progress, halt: Halt
) -> list[labels.Trained]:
    if race is None:
        outcomes = train_groups(
            todo.groups, keep_parameters=keep_parameters, progress=shown.update, ends=halt.asked
        )
    else:
        outcomes = train_in_rungs(
            todo.groups,
            race.rungs,
            race,
            keep_parameters=keep_parameters,
            progress=shown.update,
            ends=halt.asked,
        )
    return trained(todo, outcomes)


def _tell(
    sampler: Sampler,
    asked: Iterable[Mapping[str, Any]],
    todo: Plan,
    parts: list[labels.Trained],
) -> None:
    """Tell the sampler the mean over the seeds of each run's best score; NaN where a run diverged."""
    scores: dict[int, list[float]] = {}
    for part in parts:
        sign = signs(part.structure.metrics)[todo.config.monitor.removeprefix(VALID)]
        best = np.fmax.reduce(sign * part.outcome.epochs[todo.config.monitor], axis=1)
        best = np.where(part.outcome.diverged_epoch > 0, np.nan, best)
        for (setting, _), score in zip(part.runs, best, strict=True):
            scores.setdefault(setting, []).append(float(score))
    of_setting = {todo.settings[setting]: float(np.mean(runs)) for setting, runs in scores.items()}
    for values in asked:
        config = replace(todo.config, values)
        if config in of_setting:
            sampler.tell(values, of_setting[config])


def _concluded(
    results: xr.Dataset,
    data: Dataset | None,
    said: dict[str, Any],
    known: Known,
    lost: set[int],
    *,
    fresh: int | None,
    zone: float,
    confidence: float,
    progress: bool | None,
) -> xr.Dataset:
    """The results with what follows from them: the best, who else it may be, its optimism, and its fresh runs."""
    seen = overview(results)
    valid = seen.scores.astype(float)
    best = int(seen.order[0])
    count = valid.shape[1]
    contenders = np.full(len(seen), True)
    if count > 1 and len(seen) > 1:
        finished = valid.copy()
        finished[sorted(lost)] = np.nan  # as worse than all that went on
        contenders = np.asarray(
            needed(finished, zone=zone, confidence=confidence, first=2, most=max(2, count)).contenders
        )
        promise = optimism(finished)
        said |= {"score": seen.monitor.sign * promise.score, "optimism": promise.optimism}
    contenders[best] = True
    said |= {"best": best, "monitor": seen.monitor.name, "zone": zone, "confidence": confidence}
    results = results.assign(
        contender=("setting", contenders, {"long_name": "whether the setting may be the best"})
    )
    if fresh != 0 and np.isfinite(valid[best]).any():
        winner = configs.best(results)
        first = 1 + max(int(seed) for seed in results["seed"].values)
        anew = plan(winner, data, seeds=range(first, first + (fresh or count)), known=known)
        runs = overview(run_plan(anew, progress=progress)).accuracies.isel(setting=0)
        said |= {"fresh_seeds": [int(seed) for seed in runs["seed"].values]}
        for split, called in (("valid", "validation"), ("test", "test")):
            words = f"{called} accuracy of the best setting with fresh seeds"
            results[f"fresh_{split}_accuracy"] = ("fresh_seed", runs[split].values, {"long_name": words})
        results = results.assign_coords(fresh_seed=runs["seed"].values)
    return results.assign_attrs(search=json.dumps(said))
