"""What is worth saying of a data set's splits: classes that training never sees, splits of one class, inputs that
aren't scaled."""

from collections.abc import Mapping, Sequence

import numpy as np

NAMED = 7
"""How many classes a sentence names before it counts the others."""


FAR = 10.0
"""An input that, divided by the scale, has a larger standard deviation than this isn't scaled."""


def notes_on(
    labels: Mapping[str, np.ndarray], classes: int, loaded: bool, names: Sequence[str] = ()
) -> tuple[str, ...]:
    """A sentence for each thing that makes a split a poor judge; none where there is nothing to say.

    Args:
        labels: ``[N]`` by the name of their split: training, validation, test.
        classes: C, how many classes there are.
        loaded: whether they were loaded by name, and so split as the configuration says.
        names: what the classes are called; nothing where they are numbers.
    """
    counts = {name: np.bincount(y, minlength=classes) for name, y in labels.items()}
    seen = np.sum(list(counts.values()), axis=0) > 0
    sentences = []
    shuffle = ""
    if _is_sorted(labels["training"], labels["validation"]):
        shuffle = ": the training set lies sorted by class, and " + (
            "data.split_seed=0 shuffles it before its last part is taken to validate"
            if loaded
            else "is shuffled before the split by nnjax.data.split_train(…, seed=0)"
        )
    unseen = np.flatnonzero(seen & (counts["training"] == 0))
    if unseen.size:
        others = {name: int(counts[name][unseen].sum()) for name in counts}
        first, *rest = [(name, count) for name, count in others.items() if count]
        having = " and ".join([f"{first[0]} has {first[1]}", *(f"{name} {count}" for name, count in rest)])
        # Only what validates can have been cut off the training set.
        mend = shuffle if others["validation"] else ""
        sentences.append(f"training has no example of {_classes(unseen, names)}, of which {having}{mend}")
    if not seen.all():
        nowhere = _classes(np.flatnonzero(~seen), names)
        sentences.append(f"no split has an example of {nowhere}, and classes is {classes}")
    for name, count in counts.items():
        if np.count_nonzero(count) == 1 < classes:
            mend = shuffle if name == "validation" and not unseen.size else ""
            sentences.append(f"all examples of {name} are of {_classes(np.flatnonzero(count), names)}{mend}")
    return tuple(sentences)


def notes_on_targets(train: np.ndarray, test: np.ndarray, task: str) -> tuple[str, ...]:
    """Likewise of real targets and of several labels, ``[N]`` or ``[N, C]``."""
    train, test = (part.reshape(len(part), -1) for part in (train, test))
    same = np.flatnonzero((train == train[0]).all(axis=0))
    word = "target" if task == "regression" else "label"
    sentences = []
    if same.size:
        what = word if train.shape[1] == 1 else f"{word}{'s' * (same.size > 1)} {in_words(list(map(str, same)))}"
        few = "is" if same.size == 1 else "are"
        sentences.append(
            f"the {what} {few} the same in all examples of training, so that nothing is learned of it"
        )
    if task == "regression" and ((test == test[0]).all(axis=0)).any():
        sentences.append("a target is the same in all examples of the test set, of which no R² can be said")
    return tuple(sentences)


def _is_sorted(train: np.ndarray, valid: np.ndarray) -> bool:
    labels = np.concatenate([train, valid])
    return labels[0] < labels[-1] and bool((labels[:-1] <= labels[1:]).all())


def unscaled(x: np.ndarray, scale: float, names: Sequence[str], mend: str) -> tuple[str, ...]:
    """A sentence where inputs [N, D] are so large, and so unequal, that gradient descent hardly moves.

    Args:
        x: the inputs of the training part.
        scale: what a step divides them by.
        names: of the inputs; nothing where they have none.
        mend: what to do about it.
    """
    # Most data are found right by their largest values alone, without a copy of them.
    far = np.flatnonzero(np.maximum(x.max(axis=0), -x.min(axis=0).astype(float)) / scale > FAR)
    if not far.size:
        return ()
    spread = x[:, far].std(axis=0, dtype=np.float64) / scale
    if not spread.max() > FAR:
        return ()
    place = int(far[spread.argmax()])
    name = names[place] if names else f"input {place} (counted from 0)"
    count = int(np.count_nonzero(spread > FAR))
    others = f", and {count - 1} other{'s are' if count > 2 else ' is'} above {FAR:g}" if count > 1 else ""
    return (f"inputs aren't scaled: the standard deviation of {name} is {spread.max():.3g}{others}; {mend}",)


def in_words(words: Sequence[str]) -> str:
    """``a, b and c``, of many the first."""
    if len(words) > NAMED + 1:
        words = [*words[:NAMED], f"{len(words) - NAMED} others"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _classes(numbers: Sequence[int] | np.ndarray, names: Sequence[str]) -> str:
    words = [names[number] if names else str(number) for number in numbers]
    return f"the class{'es' if len(words) > 1 else ''} {in_words(words)}"
