"""Texts as data sets: from files and lists; nothing of validation or test gets into the vocabulary."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import nnjax
from nnjax.config import DataConfig
from nnjax.data import Dataset, Examples, load_data, load_text
from nnjax.sparse import Sparse
from tests.texts import BLAME, LABELS, PRAISE, TEXTS


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The corpus in all forms: lines, folders, folders by part, and tables."""
    lines = tmp_path / "films"
    lines.mkdir()
    (lines / "films.pos").write_text("\n".join(PRAISE) + "\n\n")
    (lines / "films.neg").write_text("\n".join(BLAME), encoding="utf-8-sig")
    for name, texts in (("pos", PRAISE), ("neg", BLAME)):
        for number, text in enumerate(texts):
            for folder in (f"reviews/{name}", f"parts/{'train' if number < 6 else 'test'}/{name}"):
                path = tmp_path / folder / f"{number}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    (tmp_path / "parts/train/unsup").mkdir()
    (tmp_path / "parts/train/unsup/0.txt").write_text("Nobody has said what this is .")
    frame = pd.DataFrame({"id": range(16), "review": [*PRAISE, *BLAME], "kind": ["pos"] * 8 + ["neg"] * 8})
    frame.to_csv(tmp_path / "films.csv", index=False)
    frame.to_csv(tmp_path / "films.tsv", index=False, sep="\t")
    return tmp_path


def texts_of(data: Dataset) -> set[tuple[str, ...]]:
    """The words and the class of every example."""
    assert data.preprocessing is not None
    words = np.array(data.preprocessing.inputs)
    return {
        (data.class_names[y], *words[np.flatnonzero(x)])
        for split in (data.train, data.valid, data.test)
        for x, y in zip(np.asarray(split.x.dense()), split.y, strict=True)
    }


@pytest.mark.parametrize("form", ["films", "films/films.*", "reviews", "films.csv", "films.tsv"])
def test_all_forms_of_a_corpus_are_one(files: Path, form: str) -> None:
    target = "kind" if "." in form and "*" not in form else None
    data = load_data("text", file=str(files / form), target=target)
    assert data.class_names == ("neg", "pos")
    assert sum(len(split.y) for split in (data.train, data.valid, data.test)) == 16
    assert isinstance(data.train.x, Sparse)
    assert data.inputs == len(data.preprocessing.inputs)  # type: ignore[union-attr]
    listed = load_text([*BLAME, *PRAISE], ["neg"] * 8 + ["pos"] * 8)
    if target is None:  # rows in the same order
        assert texts_of(data) == texts_of(listed)
        assert data.fingerprint == listed.fingerprint


def test_folders_of_training_and_test_say_the_split(files: Path) -> None:
    data = load_text(files / "parts")
    assert [len(split.y) for split in (data.train, data.valid, data.test)] == [10, 2, 4]
    assert data.class_names == ("neg", "pos")
    assert "nobody" not in data.preprocessing.inputs  # type: ignore[union-attr]


@pytest.mark.parametrize("how", [{}, {"folds": 4, "fold": 2}, {"split": "random"}, {"vectorizer": "tfidf"}])
def test_nothing_of_validation_or_test_gets_into_the_vocabulary(how: dict[str, object]) -> None:
    # Each text has a word of its own: the vocabulary must be of the words of those that train.
    marked = [f"{text} marker{number}" for number, text in enumerate(TEXTS)]
    data = load_text(marked, LABELS, vocabulary=None, **how)
    words = data.preprocessing
    assert words is not None
    known = {word for word in words.inputs if word.startswith("marker")}
    assert len(known) == len(data.train.y)
    places = [words.inputs.index(word) for word in known]
    dense = [np.asarray(split.x.dense()) for split in (data.train, data.valid, data.test)]
    assert [int(np.count_nonzero(split[:, places])) for split in dense] == [len(data.train.y), 0, 0]
    if "vectorizer" in how:  # other texts to be tested on leave weights as they are
        rows = {tuple(row) for row in dense[0]}
        other = [text if f"marker{number}" in known else "film" for number, text in enumerate(marked)]
        again = load_text(other, LABELS, vocabulary=None, **how)
        assert {tuple(row) for row in np.asarray(again.train.x.dense())} == rows


def test_notes_say_what_is_odd() -> None:
    texts = [*(f"word{number} word{number}x" for number in range(40)), *TEXTS[:20], *TEXTS[:20]]
    notes = load_text(texts, [*LABELS[:40], *LABELS[:20], *LABELS[:20]]).notes
    assert any("hold none of these words" in note for note in notes)
    assert any("stand among those that train too" in note for note in notes)


def test_sparse_matrices_of_scipy_are_inputs() -> None:
    x = scipy.sparse.random_array((20, 30), density=0.1, rng=np.random.default_rng(0), format="coo")
    y = np.arange(20) % 2
    data = Dataset("mine", Examples(x, y), Examples(x, y), Examples(x, y), classes=2, scale=1.0)
    assert (data.train.x.shape, data.places) == ((20, 30), 16)
    np.testing.assert_allclose(data.train.x.dense(), x.toarray(), rtol=1e-6)
    np.testing.assert_allclose(data.train.x[[3, 4]].dense(), x.toarray()[3:5], rtol=1e-6)


REFUSED = {
    "no file": ("nowhere", {}, "there is no file .*nowhere"),
    "empty folder": ("empty", {}, "holds 0 files, and texts are read from two or more, a class each"),
    "one file": ("one", {}, "holds 1 file, and texts are read from two or more"),
    "no pattern": ("none.*", {}, "names 0 files, and must name one a class"),
    "encoding": ("latin", {}, r"latin.neg is no text in UTF-8: its byte 3 is e9; .* iconv -f CP1252 -t UTF-8"),
    "one class": ("single", {}, "the target class is 'pos' in all 1 rows, and must have two classes or more"),
    "target": ("films.csv", {}, "data.target is not set, and must say which column .* 'id', 'review', 'kind'"),
    "no target": ("films.csv", {"target": "kinds"}, "'kinds'.*did you mean 'kind'"),
    "column": (
        "films.csv",
        {"target": "kind", "text_column": "revue"},
        "data.text_column is 'revue', has no column 'revue'; it has id, review, kind$",
    ),
    "no text": ("films.csv", {"target": "kind", "text_column": "id"}, "column id .* has 0, which is no text, in"),
    "cut short": ("cut.parquet", {"target": "kind"}, "cut.parquet"),
    "of tables": ("films", {"scaling": "none"}, "data.scaling is 'none', which is for tables.*'text'"),
    "ngrams": ("films", {"ngrams": 0}, "data.ngrams is 0, and must be at least 1"),
    "vectorizer": ("films", {"vectorizer": "count"}, "data.vectorizer is 'count'.* did you mean 'counts'"),
    "no vectors": ("films", {"vectors": "gone.txt"}, "there is no file gone.txt"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_gets_one_sentence(files: Path, case: str) -> None:
    name, fields, words = REFUSED[case]
    for folder in ("empty", "one", "latin", "single/pos"):
        (files / folder).mkdir(parents=True)
    (files / "one/a.txt").write_text("a")
    (files / "single/pos/a.txt").write_text("a")
    (files / "latin/latin.neg").write_bytes("café".encode("latin-1"))
    (files / "latin/latin.pos").write_text("fine")
    (files / "cut.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(nnjax.UserError, match=words) as caught:
        load_data("text", file=str(files / name), **fields)
    assert "\n" not in str(caught.value)


def test_fields_of_texts_are_refused_elsewhere() -> None:
    with pytest.raises(nnjax.UserError, match=r"data.ngrams is 2, which is for texts, and data.name is 'digits'"):
        load_data("digits", ngrams=2)
    with pytest.raises(nnjax.UserError, match=r"a field of data is 'vectoriser', .*did you mean 'vectorizer'"):
        load_text(TEXTS, LABELS, vectoriser="counts")
    with pytest.raises(nnjax.UserError, match="2 labels are given for 3 texts"):
        load_text(["a", "b", "c"], ["x", "y"])
    with pytest.raises(nnjax.UserError, match=r"data.file is not set, and data.name text is read from"):
        nnjax.plan(nnjax.Config(data=DataConfig("text")))


def test_vectors_are_read_by_word(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    for header in ("", "3 2\n"):  # of word2vec
        path.write_text(header + "film 1 2\nnobody 3 4\nnew york 0.5 0.25\n! -1 1e-3 \n")
        data = load_text(TEXTS, LABELS, vectors=str(path))
        assert data.vectors is not None
        assert data.vectors.shape == (data.inputs, 2)
        places = [data.preprocessing.inputs.index(word) for word in ("film", "!")]  # type: ignore[union-attr]
        np.testing.assert_allclose(data.vectors[places], [[1, 2], [-1, 1e-3]])
        assert np.isnan(np.delete(data.vectors, places, axis=0)).all()
        assert any("2 of the" in note and "data.vectors" in note for note in data.notes)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("film 1 2\nyear 3\n", "line 2 has 1 numbers behind its word, and must have 2, as the first"),
        ("film one two\n", "line 1 has behind its word what is no number"),
        ("nobody 1 2\n", "has a vector of none of the .* words"),
        ("", "has no vectors"),
        ("\udcff\udcfe", "is no text in UTF-8, and must be a text file of GloVe or word2vec"),
    ],
)
def test_damaged_vectors_get_one_sentence(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text(content, errors="surrogateescape")
    with pytest.raises(nnjax.UserError, match=words):
        load_text(TEXTS, LABELS, vectors=str(path))
