"""The right spelling that is nearest to a wrong one, by aliases of the field, initials, beginnings and slips.

No suggestion is better than a wrong one.
"""

import math
import re
from collections.abc import Iterable, Mapping

LONGEST = 60
"""Of a longer word nobody means a name."""

ALIASES = {
    **dict.fromkeys(("lr", "eta", "step_size", "learning_rate_init", "base_lr", "initial_lr"), "learning_rate"),
    **dict.fromkeys(("l2", "alpha", "l2_reg", "decay", "lambda", "weight_penalty"), "weight_decay"),
    **dict.fromkeys(("batch", "minibatch", "minibatch_size", "mini_batch_size"), "batch_size"),
    **dict.fromkeys(("act", "act_fn", "nonlinearity", "nonlin"), "activation"),
    **dict.fromkeys(("slope", "steepness"), "activation_slope"),
    **dict.fromkeys(("solver", "optim", "opt"), "optimizer"),
    **dict.fromkeys(("hidden_layers", "hidden_layer_sizes", "hidden_units", "layer_sizes", "layers"), "hidden"),
    **dict.fromkeys(("width", "widths", "units"), "hidden"),
    **dict.fromkeys(("mu", "beta", "beta1"), "momentum"),
    **dict.fromkeys(("max_iter", "iterations", "num_train_epochs"), "epochs"),
    **dict.fromkeys(("random_state", "random_seed", "rng", "rng_seed"), "seeds"),
    **dict.fromkeys(("dataset", "data_set"), "data.name"),
    **dict.fromkeys(("data_path", "root", "data_root", "dataset_dir"), "data.dir"),
    **dict.fromkeys(("valid_split", "valid_size", "valid_ratio"), "data.valid_fraction"),
    **dict.fromkeys(("p", "drop_rate", "drop_prob", "dropout_prob"), "dropout"),
    **dict.fromkeys(("lr_schedule", "lr_scheduler", "scheduler", "learning_rate_schedule"), "schedule"),
    **dict.fromkeys(("criterion", "objective", "cost"), "loss"),
    **dict.fromkeys(
        ("initializer", "initialiser", "initialization", "initialisation", "weight_init", "kernel_init"), "init"
    ),
    **dict.fromkeys(("architecture", "arch", "network", "net"), "model"),
    **dict.fromkeys(("skip", "skip_connections", "residual_connections"), "residual"),
    **dict.fromkeys(("output_dir", "out_dir", "out", "save_dir", "logdir"), "output"),
    "force": "overwrite",
    "cfg": "config",
    "linear": "identity",
    "lrelu": "leaky_relu",
    "logistic": "sigmoid",
    "logistic_regression": "softmax_regression",
}
"""What the field of machine learning calls a thing, and its name here; what a name shows itself is not listed."""

PARTS = {"kaiming": "he", "glorot": "xavier", "val": "valid", "validation": "valid"}
"""The same of parts of a name."""

FILLERS = re.compile(
    "n|num|number|no|max|total|of|the|rate|sizes?|name|type|function|fn|func|kind|values?|method|list|loss|layer"
)
"""Parts of a name that may be left out: num_epochs, dropout_rate, loss_fn, MSELoss."""

OTHERS = re.compile(
    "elu|selu|celu|silu|swish|mish|softplus|mae|nadam|radam|adamax|adagrad|adadelta|rmsprop|lion|lars|lamb|emnist|"
    "qmnist|cifar10|cifar100|svhn|none|off|loose"
)
"""Words that mean something else than the names that they look like."""


def nearest(word: object, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the known spelling that a word means, or nothing.

    Found are other ways to write a word (hyphens, capitals), what the field calls the same thing (`ALIASES`),
    initials (lr), beginnings (opt), shortened parts (val_fraction) and slips of the pen, of which a short word may
    have one and a long one three. Where two could be meant equally well, or something else that there isn't
    (`OTHERS`), nothing is better than a wrong word.
    """
    if not isinstance(word, str) or not 0 < len(word) <= LONGEST:
        return ""
    asked = _parts(word)
    # Sweeps have a flag for each field, and one for its axis, which is meant only where it is named; searches too.
    varied = ("--axes.", "--space.")
    plain = [
        name
        for name in known
        if "." in word or asked[:1] in (("axes",), ("space",)) or not name.startswith(varied)
    ]
    places = {name: _parts(name) for name in plain}
    if not asked or OTHERS.fullmatch("".join(asked)):
        return ""
    if found := _same(asked, places):
        return f"; did you mean {found!r}?"
    asked = tuple(PARTS.get(part, part) for part in asked)
    for means in (
        _same,
        _by_ending,
        _by_alias,
        _by_initials,
        _without_fillers,
        _by_beginning,
        _shortened,
        _by_slips,
    ):
        if found := means(asked, places):
            return f"; did you mean {found!r}?"
    return ""


def _parts(word: str) -> tuple[str, ...]:
    """The words that a name is made of: learning_rate, learning-rate and learningRate are learning and rate."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", word)
    return tuple(part for part in re.split(r"[^a-z0-9]+", split.lower()) if part)


def _only(found: list[str]) -> str:
    return found[0] if len(found) == 1 else ""


def _same(asked: tuple[str, ...], places: Mapping[str, tuple[str, ...]]) -> str:
    return _only([name for name, parts in places.items() if "".join(parts) == "".join(asked)])


def _by_ending(asked: tuple[str, ...], places: Mapping[str, tuple[str, ...]]) -> str:
    """data.dir for dir: what stands behind the last dot."""
    return _only([name for name in places if "." in name and _parts(name.rpartition(".")[2]) == asked])


def _by_alias(asked: tuple[str, ...], places: Mapping[str, tuple[str, ...]]) -> str:
    for cut in range(len(asked)):  # the axis of an alias is that of what it means
        meant = ALIASES.get("_".join(asked[cut:]))
        for whole in (meant, *([meant.rpartition(".")[2]] if meant else [])):
            found = [name for name, parts in places.items() if whole and parts == (*asked[:cut], *_parts(whole))]
            if found:
                return found[0]
    return ""


def _by_initials(asked: tuple[str, ...], places: Mapping[str, tuple[str, ...]]) -> str:
    """learning_rate for lr."""
    *head, last = asked
    if len(last) < 2:
        return ""
    return _only(
        [
            name
            for name, parts in places.items()
            if parts[: len(head)] == tuple(head) and "".join(part[0] for part in parts[len(head) :]) == last
        ]
    )


def _without_fillers(asked: tuple[str, ...], places: Mapping[str, tuple[str, ...]]) -> str:
    """epochs for num_epochs, and dropout for dropout_rate."""
    content = [part for part in asked if not FILLERS.fullmatch(part) or (part,) in places.values()]
    if not content or len(content) == len(asked):
        return ""
    return _only([name for name, parts in places.items() if _singular(parts) == _singular(content)])


def _by_beginning(asked: tuple[str, ...], places: Mapping[str, tuple[str, ...]]) -> str:
    """optimizer for opt; of activation and activation_slope, the one that the other goes on from."""
    joined = "".join(asked)
    if len(joined) < 3:
        return ""
    found = {name: "".join(parts) for name, parts in places.items() if "".join(parts).startswith(joined)}
    shortest = min(found, key=lambda name: len(found[name]), default="")
    return shortest if all(whole.startswith(found[shortest]) for whole in found.values()) else ""


def _shortened(asked: tuple[str, ...], places: Mapping[str, tuple[str, ...]]) -> str:
    """learning_rate for learn_rate: each part begins one and has its letters in their order, one of them all."""

    def fits(short: str, long: str) -> bool:
        letters = iter(long)
        return len(short) > 1 and short[0] == long[0] and all(letter in letters for letter in short)

    if len(asked) < 2:
        return ""
    return _only(
        [
            name
            for name, parts in places.items()
            if len(parts) == len(asked) and any(map(str.__eq__, asked, parts)) and all(map(fits, asked, parts))
        ]
    )


def _by_slips(asked: tuple[str, ...], places: Mapping[str, tuple[str, ...]]) -> str:
    joined = "".join(asked)
    distances = {name: _slips(joined, "".join(parts)) for name, parts in places.items()}
    least = min(distances.values(), default=math.inf)
    found = [name for name, distance in distances.items() if distance == least]
    longest = max((len("".join(places[name])) for name in found), default=0)
    # One letter for another makes another word of a short one; a letter too few, or two turned around, doesn't.
    allowed = 1 if min(longest, len(joined)) < 6 else 2 if len(joined) < 9 else 3
    return _only(found) if least <= allowed else ""


def _slips(one: str, other: str) -> float:
    """How many letters are too few, too many, wrong or turned around with their neighbours.

    Of words of three letters a slip is only to turn two around; anything else makes another word.
    """
    if abs(len(one) - len(other)) > 3:
        return math.inf
    if min(len(one), len(other)) < 4:
        turned = (one[:at] + one[at + 1] + one[at] + one[at + 2 :] for at in range(len(one) - 1))
        return 1 if other in turned else math.inf
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        before, last, row = row, before, [i]
        for j, b in enumerate(other, start=1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and (a, b) == (other[j - 2], one[i - 2]):
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _singular(parts: Iterable[str]) -> str:
    return "".join(part.removesuffix("s") for part in parts)
