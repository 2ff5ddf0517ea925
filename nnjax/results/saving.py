"""Networks written to a file of their own, which `nnjax.saved` reads with NumPy alone."""

import importlib.metadata
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.config import flat
from nnjax.results.provenance import plain
from nnjax.results.trees import leaves
from nnjax.saved import tensors
from nnjax.saved.network import ABOUT, FORMAT
from nnjax.validation import UserError

if TYPE_CHECKING:
    from nnjax.results.network import Network


def save(networks: Sequence["Network"], path: str | os.PathLike[str], *, ensemble: bool) -> None:
    """Write networks, one or an ensemble's, to one file of safetensors with a JSON of what they are.

    Raises:
        UserError: for a network with a part of the user's own, and where the file can't be written.
    """
    first = networks[0]
    made_by: dict[int, dict[str, Any]] = {}
    of_each = []
    arrays: dict[str, np.ndarray] = {}
    for number, network in enumerate(networks):
        of = network.preprocessing
        if of is not None:
            made_by.setdefault(id(of), of.described())
        place = None if of is None else list(made_by).index(id(of))
        of_each.append(described(network) | {"preprocessing": place})
        arrays |= {f"{number}/{name}": np.asarray(leaf, np.float32) for name, leaf in leaves(network.params)}
    said = {
        "format": FORMAT,
        "ensemble": ensemble,
        "task": first.task,
        "inputs": first.inputs,
        "classes": first.classes,
        "class_names": list(first.class_names),
        "units": list(first.units),
        "networks": of_each,
        "preprocessings": list(made_by.values()),
        "versions": {"nnjax": _version()},
    }
    tensors.write(path, arrays, {ABOUT: json.dumps(plain(said), ensure_ascii=False)})


def described(network: "Network") -> dict[str, Any]:
    """What the outputs of a network are computed by, and what they say."""
    config = network.config
    for name in ("model", "activation"):
        part = getattr(config, name)
        if not isinstance(part, str):
            raise UserError(
                f"the {name} {part} is your own, which NumPy alone can't compute: take the network with its "
                "results, nnjax.save_results, or its parameters, nnjax.parameters, to where your code is"
            )
    standard = network.standard
    return {
        "model": config.model,
        "activation": config.activation,
        "slope": float(config.activation_slope),
        "residual": bool(config.residual),
        "relu_logits": bool(config.relu_logits),
        "scale": float(network.scale),
        "probabilities": network.to_probabilities,
        "mean": 0.0 if standard is None else standard.mean.tolist(),
        "deviation": 1.0 if standard is None else standard.deviation.tolist(),
        "config": flat(config),
    }


def _version() -> str:
    try:
        return importlib.metadata.version("nnjax")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
