"""The cache: read instead of the files, told when they change, and never in the way."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from nnjax.data import Dataset, Examples, cache, idx, load, load_data


def write_idx(folder: Path, first: int = 0) -> Path:
    """The four IDX files of a set of 10 + 4 images of 2 × 2, each filled with its label."""
    folder.mkdir(exist_ok=True)
    for split, count in (("train", 10), ("t10k", 4)):
        labels = [(first + place) % 10 for place in range(count)]
        images = [label for label in labels for _ in range(4)]
        head = bytes([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 2])
        (folder / f"{split}-images-idx3-ubyte").write_bytes(head + bytes(images))
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, count, *labels]))
    return folder


def assert_equal(one: Dataset, other: Dataset) -> None:
    for split in ("train", "valid", "test"):
        for ours, theirs in zip(getattr(one, split), getattr(other, split), strict=True):
            np.testing.assert_array_equal(ours, theirs, strict=True)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the sets that were read from IDX files and not from the cache."""
    names: list[str] = []

    def read(name: str, files: Sequence[Path], classes: int) -> tuple[Examples, Examples]:
        names.append(name)
        return idx.read(name, files, classes)

    monkeypatch.setitem(load.SOURCES, "idx", load.SOURCES["idx"]._replace(read=read))
    return names


def cached(cache_dir: Path) -> Path:
    (path,) = cache_dir.iterdir()
    return path


def test_the_second_read_is_from_the_cache(tmp_path: Path, cache_dir: Path, reads: list[str]) -> None:
    folder = write_idx(tmp_path / "mnist")
    first = load_data("mnist", folder)
    second = load_data("mnist", folder)
    assert reads == ["mnist"]
    assert_equal(first, second)
    # Through a link it is the same files; the split is made after the cache.
    (tmp_path / "link").symlink_to(folder)
    assert len(load_data("mnist", tmp_path / "link", valid_fraction=0.5).valid.y) == 5
    assert reads == ["mnist"]
    with np.load(cached(cache_dir)) as content:
        assert content["train_x"].shape == (10, 4)


def test_other_sets_and_folders_have_their_own_copies(tmp_path: Path, cache_dir: Path, reads: list[str]) -> None:
    one, other = write_idx(tmp_path / "one"), write_idx(tmp_path / "other", first=5)
    for _ in range(2):
        assert load_data("mnist", one).test.y.tolist() == [0, 1, 2, 3]
        assert load_data("mnist", other).test.y.tolist() == [5, 6, 7, 8]
        assert load_data("kmnist", one).name == "kmnist"
    assert sorted(reads) == ["kmnist", "mnist", "mnist"]
    assert len(list(cache_dir.iterdir())) == 3


@pytest.mark.parametrize("change", ["contents", "time", "format"])
def test_changed_files_are_read_again(
    change: str, tmp_path: Path, cache_dir: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_idx(tmp_path / "mnist")
    load_data("mnist", folder)
    path = folder / "t10k-labels-idx1-ubyte"
    if change == "contents":
        path.write_bytes(path.read_bytes()[:-1] + b"\x09")
    elif change == "time":
        os.utime(path, ns=(0, 0))
    else:
        monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
    again = load_data("mnist", folder)
    assert again.test.y[-1] == (9 if change == "contents" else 3)
    assert reads == ["mnist", "mnist"]
    assert cached(cache_dir).exists()  # one copy, replaced
    load_data("mnist", folder)
    assert len(reads) == 2


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text", "no arrays"])
def test_a_damaged_cache_is_read_again_and_replaced(
    damage: str, tmp_path: Path, cache_dir: Path, reads: list[str]
) -> None:
    folder = write_idx(tmp_path / "mnist")
    first = load_data("mnist", folder)
    path = cached(cache_dir)
    content = path.read_bytes()
    place = content.index(bytes(first.test.x.ravel().tolist()))
    damaged = {
        "empty": b"",
        "cut": content[: len(content) // 2],
        "flipped": content[:place] + b"\x09" + content[place + 1 :],
        "text": b"What is this?",
        "no arrays": b"PK\x05\x06" + bytes(18),
    }
    path.write_bytes(damaged[damage])
    assert_equal(load_data("mnist", folder), first)
    assert_equal(load_data("mnist", folder), first)
    assert reads == ["mnist", "mnist"]


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_idx(tmp_path / "mnist")
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("NNJAX_CACHE_DIR", str(tmp_path / "a-file"))
    assert load_data("mnist", folder).inputs == 4
    monkeypatch.setenv("NNJAX_CACHE_DIR", "~nobody-of-this-name/cache")
    assert load_data("mnist", folder).inputs == 4
    assert reads == ["mnist", "mnist"]


def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    assert load_data("mnist", write_idx(tmp_path / "mnist")).inputs == 4
    assert list(cache_dir.iterdir()) == []


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("NNJAX_CACHE_DIR", "~/own")
    assert cache.folder() == Path("/home/somebody/own")
    monkeypatch.delenv("NNJAX_CACHE_DIR")
    assert cache.folder() == Path("/xdg/nnjax")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache.folder() == Path("/home/somebody/.cache/nnjax")
