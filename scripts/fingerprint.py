"""What comes out of nnjax, to the last bit: a line with a hash for each variable of each of some sweeps.

    python scripts/fingerprint.py > before        # at one commit
    python scripts/fingerprint.py | diff before - # at another: no line, and no number has changed
    python scripts/fingerprint.py --dir DIR       # on MNIST as well

The sweeps are the three configurations of experiments/configs, the learning-rate study, and one for each field
that fixes the compiled program. A hash is of the bytes of a variable, its dimensions and its labels. It holds for
one version of jax on one kind of processor, with one number of cores.
"""

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml

import nnjax

CONFIGS = Path(__file__).parent.parent / "experiments" / "configs"

STRUCTURE: dict[str, list[Any]] = {
    "model": ["mlp", "softmax_regression"],
    "hidden": [[], [8], [32], [16, 12], [160]],
    "activation": ["identity", "sigmoid", "scaled_sigmoid", "tanh", "relu", "leaky_relu", "gelu"],
    "loss": ["cross_entropy", "mse", "mse_probabilities", "binary_cross_entropy"],
    "optimizer": ["sgd", "adam", "adamw"],
    "schedule": ["constant", "linear", "cosine", "exponential", "step"],
    "batch_size": [16, 64, 1000],
    "epochs": [1, 3],
    "init": [
        *("zeros", "constant(0.1)", "normal(0.1)", "uniform(-0.2, 0.2)", "xavier_uniform", "xavier_normal"),
        *("he_uniform", "he_normal", "lecun_uniform", "lecun_normal", "orthogonal(1.0)", "lsuv(0.01, 10)"),
    ],
    "residual": [False, True],
    "momentum,nesterov": [[0, False], [0.9, False], [0.9, True]],
    "dropout": [0, 0.3],
    "layer_rates": [[1, 1, 1], [1, 0.5, 2]],
    "data.split_seed": [None, 3],
    "init_seed": [0, 1],
}


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", help="the folder with MNIST's files")
    options = parser.parse_args()
    for name, results in sweeps(options.dir):
        for variable in sorted(map(str, results.variables)):
            print(f"{name}  {variable}  {fingerprint(results[variable])}", flush=True)


def sweeps(mnist: str | None) -> Iterator[tuple[str, xr.Dataset]]:
    """Each sweep's name and its results."""
    for path in sorted(CONFIGS.glob("*.yml")):
        config = yaml.safe_load(path.read_text(encoding="utf-8").replace("1e-", "1.0e-"))
        if "space" in config:  # a search, which is no sweep
            continue
        yield path.stem, train(config)
        if mnist:
            yield f"{path.stem} on MNIST", train({**config, "data": {"name": "mnist", "dir": mnist}})
    rates = {"learning_rate": [1, 0.1, 0.05, 0.01]}
    yield "learning_rate", train({"epochs": 100, "seeds": 32}, rates)
    for field, values in STRUCTURE.items():
        base = {"hidden": [24, 24], "activation": "tanh", "init": "xavier_normal", "epochs": 2, "seeds": 3}
        base |= {"activation_slope": 2.0, "schedule_end": 0.1, "warmup_epochs": 0.5}
        yield field, train(base, {field: values})


def train(fields: dict[str, Any], axes: dict[str, list[Any]] | None = None) -> xr.Dataset:
    """The results of a sweep, parameters included."""
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    data = nnjax.DataConfig(**fields.pop("data", {}))
    return nnjax.sweep(nnjax.Config(data=data, **fields), axes=axes, keep_parameters=True)


def fingerprint(variable: xr.DataArray) -> str:
    """A hash of a variable's dimensions and values."""
    values = variable.values
    content = values.tobytes() if values.dtype != object else repr(values.tolist()).encode()
    words = f"{variable.dims} {np.dtype(values.dtype).kind} {values.shape}".encode()
    return hashlib.sha256(words + content).hexdigest()[:16]


if __name__ == "__main__":
    main()
