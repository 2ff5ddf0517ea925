"""The way to search that is nnjax, as `search_ways` says."""

import os
from pathlib import Path

from nnjax import Config, Dataset, sweep
from nnjax.data import Examples
from search_ways import DECAY, Losses, Problem


def by_nnjax(problem: Problem, folder: Path) -> Losses:
    """A sweep over the list of the settings; programs are kept in the folder."""
    os.environ["NNJAX_CACHE_DIR"] = str(folder / "nnjax")
    train, valid, test = (Examples(problem.x[split], problem.y[split]) for split in ("train", "valid", "test"))
    data = Dataset("data", train, valid, test, problem.classes, problem.scale)
    config = Config(init="xavier_uniform", weight_decay=DECAY, epochs=problem.epochs, seeds=problem.seeds)
    settings = [
        {
            "hidden": setting.hidden,
            "activation": setting.activation,
            "batch_size": setting.batch,
            "learning_rate": setting.rate,
        }
        for setting in problem.settings
    ]
    results = sweep(config, data, settings, progress=False)
    losses = results["train_loss"].isel(epoch=-1).mean("seed", skipna=False)
    return [float(loss) for loss in losses.values]
