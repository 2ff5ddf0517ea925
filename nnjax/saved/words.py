"""From texts to the inputs of a network, without scikit-learn: the words that its vectorisers find."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from nnjax.saved.forward import Rows
from nnjax.validation import UserError, short

TOKEN = r"\w+(?:['’]\w+)*|[^\w\s]"
"""A word, with the apostrophes inside it, or a mark: "it's" and "!" are tokens."""


def terms(text: str, ngrams: int = 1) -> Iterable[str]:
    """The words of a text in lower case, and up to so many that follow each other, joined by spaces."""
    words = re.findall(TOKEN, text.lower())
    yield from words
    for length in range(2, ngrams + 1):
        for first in range(len(words) - length + 1):
            yield " ".join(words[first : first + length])


def rows_of(said: Mapping[str, Any], texts: Iterable[Any]) -> Rows:
    """The inputs of texts, as `nnjax.data.words.Words` makes them.

    Args:
        said: what that describes: words, ngrams, vectorizer and weights.
        texts: a list of them.

    Raises:
        UserError: for what is no text.
    """
    known = {word: place for place, word in enumerate(said["words"])}
    weights = np.array(said["weights"])
    rows = []
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise UserError(f"the texts hold {short(text)} in row {row + 1}, and must hold texts")
        counts = Counter(known[term] for term in terms(text, said["ngrams"]) if term in known)
        places, values = np.array(list(counts), int), np.array(list(counts.values()), float)
        if said["vectorizer"] == "binary":
            values = np.ones_like(values)
        if said["vectorizer"] == "tfidf" and len(values):
            values = values * weights[places]
            values /= np.sqrt((values**2).sum())
        rows.append((places, values))
    return Rows(rows, len(known))
