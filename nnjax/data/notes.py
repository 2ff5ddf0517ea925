"""What is worth saying of a data set's splits: classes that training never sees, and splits of one class."""

from collections.abc import Mapping, Sequence

import numpy as np

from nnjax.types import Examples

NAMED = 7
"""How many classes a sentence names before it counts the others."""


def notes_on(splits: Mapping[str, Examples], classes: int, loaded: bool) -> tuple[str, ...]:
    """A sentence for each thing that makes a split a poor judge; none where there is nothing to say.

    Args:
        splits: the examples by the name of their split: training, validation, test.
        classes: C, how many classes there are.
        loaded: whether they were loaded by name, and so split as the configuration says.
    """
    counts = {name: np.bincount(examples.y, minlength=classes) for name, examples in splits.items()}
    seen = np.sum(list(counts.values()), axis=0) > 0
    sentences = []
    shuffle = ""
    if _is_sorted(splits["training"].y, splits["validation"].y):
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
        sentences.append(f"training has no example of {_classes(unseen)}, of which {having}{mend}")
    if not seen.all():
        nowhere = _classes(np.flatnonzero(~seen))
        sentences.append(f"no split has an example of {nowhere}, and classes is {classes}")
    for name, count in counts.items():
        if np.count_nonzero(count) == 1 < classes:
            mend = shuffle if name == "validation" and not unseen.size else ""
            sentences.append(f"all examples of {name} are of {_classes(np.flatnonzero(count))}{mend}")
    return tuple(sentences)


def _is_sorted(train: np.ndarray, valid: np.ndarray) -> bool:
    labels = np.concatenate([train, valid])
    return labels[0] < labels[-1] and bool((labels[:-1] <= labels[1:]).all())


def _classes(numbers: Sequence[int] | np.ndarray) -> str:
    words = [str(number) for number in numbers]
    if len(words) == 1:
        return f"the class {words[0]}"
    if len(words) > NAMED + 1:
        words = [*words[:NAMED], f"{len(words) - NAMED} others"]
    return f"the classes {', '.join(words[:-1])} and {words[-1]}"
