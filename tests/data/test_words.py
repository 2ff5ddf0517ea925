"""Words as inputs: what scikit-learn's vectorisers make of texts, from those that train alone."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from nnjax.data.words import TOKEN, Words, fit, terms
from nnjax.validation import UserError
from tests.texts import TEXTS

KINDS = {
    "counts": lambda **how: CountVectorizer(**how),
    "binary": lambda **how: CountVectorizer(binary=True, **how),
    "tfidf": lambda **how: TfidfVectorizer(**how),
}


def fitted(texts, vectorizer="counts", ngrams=1, vocabulary=None, min_count=1):
    return fit(
        texts,
        vectorizer=vectorizer,
        ngrams=ngrams,
        vocabulary=vocabulary,
        min_count=min_count,
        column="text",
        target="class",
        labels=("bad", "good"),
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("ngrams", "vocabulary", "min_count"), [(1, None, 1), (1, 10, 1), (3, None, 2), (2, 7, 4)]
)
def test_inputs_are_those_of_scikit_learn(kind, ngrams, vocabulary, min_count):
    theirs = KINDS[kind](
        token_pattern=TOKEN, ngram_range=(1, ngrams), max_features=vocabulary, min_df=min_count
    ).fit(TEXTS[:12])
    words = fitted(TEXTS[:12], kind, ngrams, vocabulary, min_count)
    assert list(words.words) == theirs.get_feature_names_out().tolist()
    others = [*TEXTS[10:], "", "Nothing known hereabouts", "the THE the film !"]
    found = words.inputs_of(others)
    assert found.values.dtype == np.float32
    np.testing.assert_allclose(found.dense(), theirs.transform(others).toarray(), rtol=1e-6, atol=1e-7)


@given(st.lists(st.text(alphabet="abé '’-!1_ ", max_size=20), min_size=1))
def test_words_of_any_text_are_those_of_scikit_learn(texts):
    analyse = CountVectorizer(token_pattern=TOKEN, ngram_range=(1, 2)).build_analyzer()
    for text in texts:
        assert list(terms(text, 2)) == analyse(text)


def test_words_keep_their_apostrophes_and_marks_stand_alone():
    assert list(terms("It's GREAT!!")) == ["it's", "great", "!", "!"]


def test_what_is_held_comes_back_from_json():
    words = fitted(TEXTS, "tfidf", 2)
    back = Words.read(json.loads(json.dumps(words.described())))
    assert back == words
    np.testing.assert_array_equal(back.inputs_of(TEXTS).values, words.inputs_of(TEXTS).values)
    assert str(words) == f"tfidf of {len(words.words)} words and up to 2 that follow each other in text"


def test_what_has_no_words_gets_one_sentence():
    with pytest.raises(UserError, match=r"^the 2 texts that train have no word$"):
        fitted(["", " "])
    with pytest.raises(UserError, match=r"^the 2 texts that train have no word that 2 of them hold"):
        fitted(["a", "b"], min_count=2)
    with pytest.raises(UserError, match=r"^the texts hold None in row 2, and must hold texts$"):
        fitted(TEXTS).inputs_of(["a", None])
    with pytest.raises(
        UserError, match=r"^y holds the label 'fine' in row 1, and must hold those of class: bad, good$"
    ):
        fitted(TEXTS).numbers_of(np.array(["fine"]))
