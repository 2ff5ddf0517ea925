"""From texts to the inputs of a network, by the words of those that train.

scikit-learn's vectorisers find the vocabulary (`fit`), and of tf-idf the words' weights. They are then held as
plain texts and numbers, which JSON takes, and applied without scikit-learn (`Words.inputs_of`), in training and at
prediction alike.
"""

import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnjax.data.arrays import kind_of
from nnjax.data.target_column import Label, OfLabels
from nnjax.saved.words import TOKEN, terms
from nnjax.sparse import Sparse
from nnjax.validation import UserError


@dataclass(frozen=True)
class Words(OfLabels):
    """What makes inputs of texts, and labels of their classes."""

    words: tuple[str, ...]
    """What each input is, ``[D]``: a word, or several with spaces between them."""
    ngrams: int
    """How many words that follow each other are an input, at most."""
    vectorizer: str
    """counts, binary or tfidf."""
    weights: tuple[float, ...]
    """Of tf-idf the weight ``[D]`` of each word, log((1 + n) / (1 + n_w)) + 1 of n training texts of which n_w
    hold it; nothing for the others."""
    column: str
    """Which column of a frame has the texts."""
    target: str
    labels: tuple[Label, ...]
    """What each class is called."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """What each input is, ``[D]``."""
        return self.words

    @functools.cached_property
    def _places(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.words)}

    def inputs_of(self, texts: Iterable[str], what: str = "the texts") -> Sparse:
        """The inputs [N, D] of texts: how often a text holds each word, whether it does, or its tf-idf.

        Words that aren't known are left out. A row of tf-idf, the counts times the words' weights, is divided by
        its Euclidean length.

        Raises:
            UserError: for what is no text.
        """
        import scipy.sparse

        places: list[int] = []
        numbers: list[int] = []
        ends = [0]
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise UserError(f"{what} hold {kind_of(text)} in row {row + 1}, and must hold texts")
            counts = Counter(self._places[term] for term in terms(text, self.ngrams) if term in self._places)
            places += counts.keys()
            numbers += counts.values()
            ends.append(len(places))
        values = np.array(numbers, float)
        if self.vectorizer == "binary":
            values = np.ones_like(values)
        if self.vectorizer == "tfidf":
            values *= np.array(self.weights)[places]
            rows = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
            values /= np.sqrt(np.bincount(rows, values**2, len(ends) - 1))[rows]
        return Sparse.of(scipy.sparse.csr_array((values, places, ends), (len(ends) - 1, len(self.words))))

    def described(self) -> dict[str, Any]:
        """All of it in numbers, texts, lists and mappings, which `read` reads back equal."""
        return {
            "words": list(self.words),
            "ngrams": self.ngrams,
            "vectorizer": self.vectorizer,
            "weights": list(self.weights),
            "column": self.column,
            "target": self.target,
            "labels": list(self.labels),
        }

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> "Words":
        """What `described` describes."""
        lists: dict[str, Any] = {name: tuple(said[name]) for name in ("words", "weights", "labels")}
        return cls(**{**said, **lists})

    def __str__(self) -> str:
        terms = "words" if self.ngrams == 1 else f"words and up to {self.ngrams} that follow each other"
        return f"{self.vectorizer} of {len(self.words):,} {terms} in {self.column}"


def fit(
    texts: Sequence[str],
    *,
    vectorizer: str,
    ngrams: int,
    vocabulary: int | None,
    min_count: int,
    column: str,
    target: str,
    labels: tuple[Label, ...],
) -> Words:
    """The words of texts, from those that train.

    Args:
        texts: these, and no others.
        vectorizer: counts, binary or tfidf.
        ngrams: how many words that follow each other are an input, at most.
        vocabulary: the commonest words, at most so many; None for all.
        min_count: in how many texts a word must be.
        column, target, labels: of the texts, and of what is to be predicted.

    Raises:
        UserError: where no word is left.
    """
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

    kind = TfidfVectorizer if vectorizer == "tfidf" else CountVectorizer
    fitted = kind(token_pattern=TOKEN, ngram_range=(1, ngrams), max_features=vocabulary, min_df=min_count)
    try:
        fitted.fit(texts)
    except ValueError:  # the words are scikit-learn's
        common = f" that {min_count} of them hold (data.min_count)" if min_count > 1 else ""
        raise UserError(f"the {len(texts)} texts that train have no word{common}") from None
    weights = fitted.idf_.tolist() if vectorizer == "tfidf" else ()
    words = tuple(map(str, fitted.get_feature_names_out()))
    return Words(words, ngrams, vectorizer, tuple(weights), column, target, labels)
