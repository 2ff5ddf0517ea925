"""``nnjax predict``: what a saved network says of the rows of a table, or of texts."""

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnjax.cli.again import made_parser, parsed
from nnjax.validation import UserError

if TYPE_CHECKING:
    from nnjax.saved import Saved


def predict(flags: Sequence[str]) -> None:
    """Write a line for each row: the prediction, and the probability of each class or the spread of targets."""
    parser = made_parser("predict", "Say what a saved network predicts of the rows of a table, or of texts.")
    parser.add_argument("file", nargs="?", metavar="FILE", help="the network, as network.save has written it")
    parser.add_argument("data", nargs="?", metavar="DATA", help="a table, as CSV, or texts, one a line in a .txt")
    parser.add_argument("--output", metavar="CSV", help="where to write the predictions, instead of the terminal")
    given = parsed(parser, flags)
    if given.file is None or given.data is None:
        raise UserError("name the network and the data: nnjax predict wine.safetensors wine.csv")
    from nnjax.saved import load

    network = load(given.file)
    lines = list(_lines(network, _read(network, given.data)))
    try:
        with (
            Path(given.output).expanduser().open("w", newline="")
            if given.output
            else nullcontext(sys.stdout) as file
        ):
            csv.writer(file, lineterminator="\n").writerows(lines)
    except OSError as error:
        if given.output is None:
            raise
        raise UserError(
            f"the predictions can't be written to {given.output}: {error.strerror or error}"
        ) from error


def _read(network: "Saved", path: str) -> Any:
    """The texts, the columns or the inputs in a file."""
    from nnjax.data.frames import read_frame

    made_by = network.said["preprocessings"]
    if made_by and "words" in made_by[0] and path.endswith(".txt"):
        try:
            return Path(path).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} can't be read: {error}") from error
    frame = read_frame(path).frame
    return frame if made_by else frame.to_numpy(float)


def _lines(network: "Saved", x: Any) -> Iterator[list[Any]]:
    predicted = network.predict(x)
    if network.task == "regression":
        beside = network.spread(x) if network.said["ensemble"] else None
        several = predicted.ndim == 2
        names = [f"prediction {i}" for i in range(predicted.shape[1])] if several else ["prediction"]
        yield names + ([name.replace("prediction", "spread") for name in names] if beside is not None else [])
    else:
        beside = network.predict_proba(x)
        classes = network.class_names or range(beside.shape[1])
        of_labels = [f"label {name}" for name in classes] if network.task == "multilabel" else ["prediction"]
        yield [*of_labels, *(f"probability of {name}" for name in classes)]
    for row in range(len(predicted)):
        of_row = [predicted[row], *([] if beside is None else [beside[row]])]
        yield [value for part in of_row for value in (part.tolist() if getattr(part, "ndim", 0) else [part])]
