"""Texts that TFDS prepared, by its own builders' names and features: their words, classes and parts."""

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nnjax.data import load_data, load_text
from nnjax.validation import UserError


@pytest.fixture(scope="module")
def tfds() -> Any:
    pytest.importorskip("importlib_resources", reason="the extra tfds is not installed")
    pytest.importorskip("array_record", reason="the extra tfds is not installed")
    return pytest.importorskip("tensorflow_datasets", reason="the extra tfds is not installed")


def prepared(tfds: Any, folder: Path, name: str, parts: dict[str, list[dict[str, Any]]]) -> Path:
    """A small data set with the name, version and features of a registered one."""
    registered = tfds.builder_cls(name.partition("/")[0])

    def splits(self: Any, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        return {part: iter(enumerate(rows)) for part, rows in parts.items()}

    own = {
        "name": registered.name,
        "__module__": registered.__module__,
        "_split_generators": splits,
        "pkg_dir_path": getattr(registered, "pkg_dir_path", None),
    }
    made = types.new_class("Small", (registered,), {"skip_registration": True}, lambda body: body.update(own))
    options = {"config": name.partition("/")[2]} if "/" in name else {}
    builder = made(data_dir=folder, **options)
    builder.download_and_prepare(file_format="array_record")
    return Path(builder.data_dir)


@pytest.fixture(scope="module")
def folder(tfds: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of TFDS with twelve reviews and twelve sentences, of which some have no class."""
    import tensorflow_datasets.text.glue  # noqa: F401 (registers it)

    root = tmp_path_factory.mktemp("tfds")
    words = ["a naïve film", "very good", "very bad", "dull and long", "warm", "cold"]
    reviews = [{"text": text, "label": number % 2} for number, text in enumerate(words)]
    unknown = [{"text": "nobody knows", "label": -1}]
    prepared(tfds, root, "imdb_reviews", {"train": reviews, "test": reviews[:2], "unsupervised": unknown})
    sentences = [{"sentence": text, "label": number % 2, "idx": number} for number, text in enumerate(words)]
    hidden = [{"sentence": "nobody knows", "label": -1, "idx": 0}]
    prepared(tfds, root, "glue/sst2", {"train": sentences, "validation": sentences[1:4], "test": hidden})
    return root


def test_reviews_are_read_by_name_with_their_own_test_and_names(folder: Path) -> None:
    data = load_data("imdb_reviews", folder, valid_fraction=1 / 3)
    assert str(data) == ("imdb_reviews: 4, 2, 2 examples for training, validation, test; 9 inputs, 2 classes")
    assert data.class_names == ("neg", "pos")
    assert sorted(data.test.y) == [0, 1]
    assert "tensorflow" not in sys.modules
    by_file = load_text(folder / "imdb_reviews", valid_fraction=1 / 3)
    assert by_file.fingerprint == data.fingerprint
    assert "naïve" in load_text(folder / "imdb_reviews", valid_fraction=0.2).preprocessing.words  # type: ignore[union-attr]


def test_where_the_test_has_no_classes_what_validates_tests(folder: Path) -> None:
    data = load_data("glue/sst2", folder, valid_fraction=1 / 3)
    assert str(data).startswith("glue/sst2: 4, 2, 3 examples")
    assert data.class_names == ("negative", "positive")
    assert sorted(data.test.y) == [0, 1, 1]
    assert load_data("glue/sst2", folder / "glue", valid_fraction=1 / 3).fingerprint == data.fingerprint


def test_what_cannot_be_read_gets_one_sentence(folder: Path, tmp_path: Path) -> None:
    for arguments, sentence in (
        ({"dir": None}, "data.dir is not set, and imdb_reviews is read from the folder in which TensorFlow"),
        ({"dir": str(tmp_path)}, "and doesn't hold imdb_reviews: it lacks imdb_reviews/…/dataset_info.json"),
        (
            {"dir": str(folder), "file": "x"},
            "data.file is 'x', and data.name is 'imdb_reviews', which is read from",
        ),
        ({"dir": str(folder), "scaling": "none"}, "data.scaling is 'none', which is for tables"),
    ):
        with pytest.raises(UserError, match=sentence):
            load_data("imdb_reviews", **arguments)  # type: ignore[arg-type]
    broken = tmp_path / "1.0.0"
    broken.mkdir()
    (broken / "dataset_info.json").write_text("{")
    with pytest.raises(UserError, match=r"1\.0\.0 can't be read as a data set prepared by TFDS: "):
        load_text(broken)
