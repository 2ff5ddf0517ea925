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
from nnjax.engine.loop import train
from nnjax.engine.plan import plan
from nnjax.engine.progress import Progress
from nnjax.engine.sharing import Known
from nnjax.results import configs, labels
from nnjax.results.settings import overview
from nnjax.search.batches import Batches
from nnjax.search.ends import check_space
from nnjax.search.halving import Halving
from nnjax.search.importance import with_importance
from nnjax.search.optimism import optimism
from nnjax.search.samplers import SAMPLERS, Sampler, batch_of
from nnjax.search.seeds import look
from nnjax.search.space import Space, parse_space
from nnjax.search.sweep import ended, run_plan, with_seeds
from nnjax.seeds import ByNeed
from nnjax.validation import UserError, check_count, check_range, choice


def search(
    config: Config,
    data: Dataset | None = None,
    space: Mapping[Any, Any] | Space | None = None,
    *,
    samples: int = 64,
    seeds: int | str | Iterable[int] | None = None,
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
        seeds: how many seeds (0, 1, 2, …) or which, instead of ``config.seeds``; ``"auto"`` adds them where they
            are needed, as in `nnjax.sweep`, in each batch.
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
        A dataset as `nnjax.sweep` returns it, with the dimensions ``setting`` and ``seed``. Beside it by
        setting ``contender``, whether it may be the best, and by ``fresh_seed`` the ``fresh_valid_accuracy``
        and ``fresh_test_accuracy`` of the best (of a regression ``…_r2``, of several labels ``…_f1``). By
        ``field`` of the space there is ``is_set``, whether it is set in a setting, and with 16 settings or
        more ``importance``, ``importance_low`` and ``importance_high``, see `nnjax.search.importance`.
        ``attrs["search"]`` says in JSON how it was searched, which setting is the best, its score, and what of
        that is ``optimism``. `nnjax.stats.best` gives the best's configuration.

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
    if halving and isinstance(seeds or config.seeds, str):
        raise UserError(
            f"seeds is {seeds or config.seeds!r}, and a halving is given, which compares settings on the seeds "
            "that all of them have: give a number of seeds"
        )
    started = time.perf_counter()
    known = Known(_activations(config, parsed))
    driver = Batches(config, data, asked, samples=samples, batch=batch, seeds=seeds, halving=halving, known=known)
    with Halt(time_limit) as halt, Progress(0, f"search of {samples} settings", progress) as shown:
        train(driver, keep_parameters=keep_parameters, progress=shown, ends=halt.asked)
    if driver.plan is None:
        raise UserError(f"the sampler {name} asks for no setting")
    of_runs, numbers = with_seeds(driver.plan, driver.most_seeds)
    results = labels.label(
        config=of_runs,
        axes=parse_axes(driver.chosen),
        seeds=numbers,
        parts=driver.parts,
        device=devices.description(),
        wall_time=time.perf_counter() - started,
    )
    results = ended(results, halt.asked())
    if "ended" in results.attrs:
        fresh = 0
    said = {"space": parsed.described(), "sampler": name, "seed": seed, "samples": samples, "batch": batch}
    results = with_importance(results, parsed, driver.chosen, said)
    return _concluded(
        results,
        data,
        said,
        known,
        driver.lost,
        driver.plan.config.by_need,
        fresh=fresh,
        zone=zone,
        confidence=confidence,
        progress=progress,
    )


def _activations(config: Config, space: Space) -> frozenset[str]:
    """The activations of nnjax that the space has, as far as some hundred of its settings show."""
    found = {replace(config, values).activation for values in SAMPLERS["sobol"](space).ask(256)}
    return frozenset(name for name in found if isinstance(name, str))


def _concluded(
    results: xr.Dataset,
    data: Dataset | None,
    said: dict[str, Any],
    known: Known,
    lost: set[int],
    need: ByNeed | None,
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
        begun = np.full(len(seen), count)
        if need:
            begun -= seen.missing
        else:
            need = ByNeed(zone, confidence=confidence, first=2, most=max(2, count))
        contenders = np.asarray(look(need, finished, begun).contenders)
        mean = float(np.nanmean(valid[best])) if np.isfinite(valid[best]).any() else np.nan
        said["score"] = seen.monitor.sign * mean
        if (begun == count).all():
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
        runs = overview(run_plan(anew, progress=progress)).at_best.isel(setting=0)
        said |= {"fresh_seeds": [int(seed) for seed in runs["seed"].values]}
        measure = seen.measure
        for split, called in (("valid", "validation"), ("test", "test")):
            words = f"{called} {measure.words} of the best setting with fresh seeds"
            results[f"fresh_{split}_{measure.name}"] = ("fresh_seed", runs[split].values, {"long_name": words})
        results = results.assign_coords(fresh_seed=runs["seed"].values)
    return results.assign_attrs(search=json.dumps(said))
