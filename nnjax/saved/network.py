"""A network, or the average of several, that was saved to a file: it predicts with NumPy alone."""

import itertools
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnjax.saved import tensors
from nnjax.saved.columns import inputs_of
from nnjax.saved.forward import Rows, outputs, probabilities
from nnjax.saved.words import rows_of
from nnjax.validation import UserError, short

ABOUT = "nnjax"
"""The text in the file that says in JSON what it holds."""

FORMAT = 1
"""Counted up with what older readers can't read."""

BLOCK = 10_000
"""Examples that are put through a network at a time."""


class Saved:
    """What `nnjax.Network.save` and `nnjax.Ensemble.save` have written; it predicts as they do.

    Attributes:
        said: what the file says of it: a mapping of numbers, texts and lists.
        params: of each of the R networks its parameters by their names, ``Dense_0/kernel``.
        task: classification, regression or multilabel.
        class_names, units: what its classes are called, and of what unit its targets are.

    Inputs ``x`` are arrays ``[N, D]``, or where it was trained on a table its columns (see
    `nnjax.saved.columns.inputs_of`), and where it was trained on texts a list of them.
    """

    def __init__(self, said: Mapping[str, Any], params: Sequence[Mapping[str, np.ndarray]]) -> None:
        self.said = said
        self.params = params
        self.task: str = said["task"]
        self.class_names: list[str] = said["class_names"]
        self.units: list[str] = said["units"]

    def __repr__(self) -> str:
        what = f"Ensemble of {len(self.params)} networks" if self.said["ensemble"] else "Network"
        inputs, outputs = (
            f"{self.said[name]} {word}{'' if self.said[name] == 1 else 's'}"
            for name, word in (("inputs", "input"), ("classes", "output"))
        )
        return f"<Saved {what} of {inputs} and {outputs}, {self.task}>"

    def each(self, x: Any) -> np.ndarray:
        """What each of the R networks gives, ``[R, N, C]``: probabilities, of a regression targets in their units.

        Raises:
            UserError: for inputs of another shape, and a table that isn't like the one that it was trained on.
        """
        return np.stack([self._given(said, logits) for said, logits in self._logits(x)])

    def predict_proba(self, x: Any) -> np.ndarray:
        """The probability of each class or label, ``[N, C]``, the mean over the networks.

        Raises:
            UserError: of a regression, which has none.
        """
        if self.task == "regression":
            raise UserError("a regression has no probabilities: predict gives its targets")
        return np.asarray(self.each(x).mean(axis=0))

    def predict(self, x: Any) -> np.ndarray:
        """The likeliest class ``[N]``: its number, or of a table and of texts its label.

        Of a regression the targets in their units, ``[N]`` of one and else ``[N, C]``; of several labels a row of
        0 and 1.
        """
        if self.task != "classification":
            mean = self.each(x).mean(axis=0)
            if self.task == "multilabel":
                return (mean > 0.5).astype(np.uint8)
            return np.asarray(mean[:, 0] if mean.shape[1] == 1 else mean)
        if self.said["ensemble"]:
            said = self.each(x).mean(axis=0).argmax(axis=1)
        else:  # of outputs so large that probabilities are equal, the largest
            said = self._logits(x)[0][1].argmax(axis=1)
        made_by = self._made_by(self.said["networks"][0])
        return said if made_by is None or not _is_raw(x) else np.array(made_by["labels"])[said]

    def spread(self, x: Any) -> np.ndarray:
        """The standard deviation over the networks of what `each` gives, ``[N, C]``, or ``[N]`` of one target."""
        each = self.each(x)
        found = each.std(axis=0, ddof=1) if len(each) > 1 else np.full_like(each[0], np.nan)
        return np.asarray(found[:, 0] if self.task == "regression" and self.said["classes"] == 1 else found)

    def _logits(self, x: Any) -> list[tuple[Mapping[str, Any], np.ndarray]]:
        """Of each network what is said of it, and its outputs ``[N, C]``."""
        found, read = [], {}
        for said, params in zip(self.said["networks"], self.params, strict=True):
            made_by = said["preprocessing"]
            if made_by not in read:
                read[made_by] = self._read(said, x)
            inputs = read[made_by]
            count = len(inputs.rows if isinstance(inputs, Rows) else inputs)
            blocks = [
                outputs(said, params, _scaled(inputs, slice(i, i + BLOCK), said["scale"]))
                for i in range(0, count, BLOCK)
            ]
            found.append((said, np.concatenate(blocks) if blocks else np.zeros((0, self.said["classes"]))))
        return found

    def _given(self, said: Mapping[str, Any], logits: np.ndarray) -> np.ndarray:
        if self.task != "regression":
            return probabilities(said["probabilities"], logits)
        return np.asarray(logits * np.array(said["deviation"]) + np.array(said["mean"]))

    def _made_by(self, said: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What makes inputs of a table or of texts."""
        number = said["preprocessing"]
        return None if number is None else self.said["preprocessings"][number]

    def _read(self, said: Mapping[str, Any], x: Any) -> np.ndarray | Rows:
        made_by = self._made_by(said)
        if hasattr(x, "tocsr"):
            sparse = x.tocsr()
            ends = sparse.indptr
            rows = [(sparse.indices[i:j], sparse.data[i:j]) for i, j in itertools.pairwise(ends)]
            found: np.ndarray | Rows = Rows(rows, sparse.shape[1])
        elif made_by is not None and _is_raw(x):
            if "words" in made_by:
                return rows_of(made_by, _texts(x, made_by["column"]))
            if isinstance(x, str):
                raise UserError(
                    f"x is {short(x)}, and must be the columns of a table: a saved network reads no file"
                )
            found = inputs_of(made_by, x)
        else:
            found = np.asarray(x)
        shape = [len(found.rows), found.inputs] if isinstance(found, Rows) else list(found.shape)
        if len(shape) != 2 or shape[1] != self.said["inputs"]:
            raise UserError(f"x has the shape {shape}, and must have [N, {self.said['inputs']}]")
        return found


def load(path: str | os.PathLike[str]) -> Saved:
    """The network or ensemble in a file.

    Raises:
        UserError: where there is no such file, it is damaged, or holds no network.
    """
    arrays, texts = tensors.read(path)
    try:
        said = json.loads(texts[ABOUT])
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path} holds arrays, but no network that nnjax has saved") from None
    if said["format"] > FORMAT:
        raise UserError(f"{path} is of a newer nnjax, {said['versions'].get('nnjax')}: read it with that")
    params: list[dict[str, np.ndarray]] = [{} for _ in said["networks"]]
    for name, array in arrays.items():
        number, _, leaf = name.partition("/")
        params[int(number)][leaf] = array
    return Saved(said, params)


def _scaled(x: np.ndarray | Rows, block: slice, scale: float) -> np.ndarray | Rows:
    """Inputs as in training: times the inverse of the scale, both in 32 bits."""
    factor = 1 / np.float32(scale)
    if isinstance(x, Rows):
        return Rows([(p, (v.astype(np.float32) * factor).astype(float)) for p, v in x.rows[block]], x.inputs)
    return (x[block].astype(np.float32) * factor).astype(float)


def _is_raw(x: Any) -> bool:
    """Whether these are texts or a table, and no inputs."""
    if isinstance(x, str | Mapping) or hasattr(x, "columns") or getattr(getattr(x, "dtype", None), "names", None):
        return True
    first = next(iter(x), None) if isinstance(x, list | tuple | np.ndarray) or hasattr(x, "to_numpy") else None
    return isinstance(first, str | Mapping)


def _texts(x: Any, column: str) -> list[Any]:
    """The texts: one, a list of them, or a column of a table."""
    if isinstance(x, str):
        return [x]
    if isinstance(x, Mapping) or hasattr(x, "columns"):
        return list(x[column])
    return list(x)
