"""The TFDS route against plain tfds.data_source, and the real MNIST against its IDX files."""

import gzip
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnjax.data import Dataset, load, load_data, prepare
from nnjax.data import tfds as route

SHAPES = {
    "train-images-idx3-ubyte.gz": (30, 28, 28),
    "train-labels-idx1-ubyte.gz": (30,),
    "t10k-images-idx3-ubyte.gz": (12, 28, 28),
    "t10k-labels-idx1-ubyte.gz": (12,),
}


@pytest.fixture
def tfds() -> Any:
    pytest.importorskip("importlib_resources", reason="the extra tfds is not installed")
    return pytest.importorskip("tensorflow_datasets", reason="the extra tfds is not installed")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to use the network fails the test."""

    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def raw(tmp_path: Path, tfds: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with four small files, whose checksums TFDS takes for those of mnist and kmnist."""
    folder = tmp_path / "raw"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for file, shape in SHAPES.items():
        array = draw.integers(0, 256 if len(shape) == 3 else 10, shape, dtype=np.uint8)
        head = bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
        content = gzip.compress(head + array.tobytes())
        (folder / file).write_bytes(content)
        for name in ("mnist", "kmnist"):
            builder = tfds.builder_cls(name)
            known = builder.url_infos[builder.URL + file]
            small = type(known)(
                type(known.size)(len(content)), hashlib.sha256(content).hexdigest(), known.filename
            )
            monkeypatch.setitem(builder.url_infos, builder.URL + file, small)
    return folder


def flip(path: Path) -> None:
    """Change one bit of one byte."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def assert_equal(one: Dataset, other: Dataset) -> None:
    for split in ("train", "valid", "test"):
        for ours, theirs in zip(getattr(one, split), getattr(other, split), strict=True):
            np.testing.assert_array_equal(ours, theirs, strict=True)


def assert_plain_tfds_reads(tfds: Any, data_dir: Path, data: Dataset) -> None:
    """What tfds.data_source yields is the data, in the order that TFDS gives records by its own hash."""
    sources = tfds.data_source("mnist", data_dir=data_dir)
    splits = {
        "train": (np.concatenate([data.train.x, data.valid.x]), np.concatenate([data.train.y, data.valid.y])),
        "test": (data.test.x, data.test.y),
    }
    assert set(sources) == set(splits)
    for split, (x, y) in splits.items():
        records = sources[split].__getitems__(list(range(len(y))))
        hasher = tfds.core.hashing.Hasher(split)
        order = sorted(range(len(y)), key=hasher.hash_key)
        np.testing.assert_array_equal([record["image"].ravel() for record in records], x[order])
        np.testing.assert_array_equal([record["label"] for record in records], y[order])


def test_plain_tfds_reads_what_prepare_wrote(tfds: Any, raw: Path, tmp_path: Path) -> None:
    folder = prepare("mnist", raw, tmp_path / "prepared")
    assert folder == tmp_path / "prepared" / "mnist" / "3.0.1"
    assert_plain_tfds_reads(tfds, tmp_path / "prepared", load_data("mnist", raw, source="idx"))
    # It is the registered builder's data set, by every word of its description, and the builder is as it was.
    ours, theirs = tfds.builder_from_directory(folder).info, tfds.builder("mnist", data_dir=tmp_path / "none").info
    assert ours.full_name == theirs.full_name
    assert ours.features.to_json() == theirs.features.to_json()
    assert ours.citation == theirs.citation
    assert (
        json.loads((folder / "dataset_info.json").read_bytes())["moduleName"] == type(theirs._builder).__module__
    )
    assert tfds.builder_cls("mnist").__mro__[1] is tfds.core.GeneratorBasedBuilder
    # Nothing else is left: no downloads, no half-made folders.
    assert sorted(path.name for path in (tmp_path / "prepared").rglob("*") if path.is_dir()) == ["3.0.1", "mnist"]


def test_tensorflow_has_no_part_in_it(raw: Path) -> None:
    load_data("mnist", raw, source="tfds")
    assert "tensorflow" not in sys.modules


def test_what_was_prepared_is_read_in_the_order_of_the_files(raw: Path, tmp_path: Path) -> None:
    folder = prepare("mnist", raw, tmp_path / "prepared")
    expected = load_data("mnist", raw, source="idx")
    for place in (folder, folder.parent, folder.parent.parent):
        assert_equal(load_data("mnist", place), expected)


def test_a_builder_that_does_not_shuffle_is_read_as_it_is(raw: Path, tmp_path: Path) -> None:
    folder = prepare("mnist", raw, tmp_path / "prepared")
    info = json.loads((folder / "dataset_info.json").read_bytes())
    (folder / "dataset_info.json").write_text(json.dumps({**info, "disableShuffling": True}))
    shuffled, expected = load_data("mnist", folder), load_data("mnist", raw, source="idx")
    assert shuffled.test.y.tolist() != expected.test.y.tolist()
    assert sorted(shuffled.test.y) == sorted(expected.test.y)


def test_the_newest_version_of_the_named_set_is_taken(raw: Path, tmp_path: Path) -> None:
    root = tmp_path / "prepared"
    prepare("kmnist", raw, root)
    with pytest.raises(
        ValueError, match=r"lacks mnist/\*/dataset_info\.json or the four original \.gz files \(tfds\)$"
    ):
        load_data("mnist", root, source="tfds")
    with pytest.raises(ValueError, match="doesn't hold mnist"):
        load_data("mnist", root / "kmnist" / "3.0.1", source="tfds")
    prepare("mnist", raw, root)
    for version in ("2.0.0", "10.0.0"):
        shutil.copytree(root / "mnist" / "3.0.1", root / "mnist" / version)
    files, missing = route.find(root, "mnist")
    assert {file.parent.name for file in files} == {"10.0.0"}
    assert not missing


def test_preparing_twice_leaves_the_first_as_it_is(raw: Path, tmp_path: Path) -> None:
    folder = prepare("mnist", raw, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert prepare("mnist", raw, tmp_path) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_original_files_are_prepared_in_the_cache_folder(
    tfds: Any, raw: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load_data("mnist", raw, source="idx")
    assert_equal(load_data("mnist", raw, source="tfds"), expected)
    assert_plain_tfds_reads(tfds, cache_dir / "tfds", expected)
    for copy in cache_dir.glob("*.npz"):
        copy.unlink()
    # It is there now, and isn't made again.
    monkeypatch.setattr(route, "_to_png", None)
    assert_equal(load_data("mnist", raw, source="tfds"), expected)


@pytest.mark.parametrize("harm", ["damaged", "badly described", "half gone", "not writable"])
def test_a_cache_folder_that_does_not_serve_is_done_without(
    harm: str, raw: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load_data("mnist", raw, source="idx")
    folder = prepare("mnist", raw, cache_dir / "tfds")
    (record,) = folder.glob("*-train*")
    if harm == "damaged":
        record.write_bytes(record.read_bytes()[:100])
    elif harm == "badly described":
        (folder / "dataset_info.json").write_text("{")
    elif harm == "half gone":
        (folder / "dataset_info.json").unlink()
    else:
        (raw / "a-file").touch()
        monkeypatch.setenv("NNJAX_CACHE_DIR", str(raw / "a-file"))
    assert_equal(load_data("mnist", raw, source="tfds"), expected)


@pytest.mark.parametrize("file", SHAPES)
def test_a_flipped_bit_fails_on_the_checksum(file: str, raw: Path, cache_dir: Path) -> None:
    load_data("mnist", raw, source="tfds")  # what was prepared before doesn't hide it
    flip(raw / file)
    with pytest.raises(
        ValueError, match=rf"{file} has the sha256 checksum \w{{64}}, and .* expects \w{{64}}: it is not"
    ):
        load_data("mnist", raw, source="tfds")
    with pytest.raises(ValueError, match=rf"{file} has the sha256 checksum"):
        prepare("mnist", raw, cache_dir / "other")
    assert not (cache_dir / "other").exists()


def test_tfds_verifies_the_checksums_itself(
    tfds: Any, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(raw / "train-labels-idx1-ubyte.gz")
    monkeypatch.setattr(route, "_check_sums", lambda *_: None)
    with pytest.raises(ValueError, match=r"mnist can't be prepared in .* has wrong checksum:$") as caught:
        prepare("mnist", raw, tmp_path / "prepared")
    assert isinstance(caught.value.__cause__, tfds.core.download.download_manager.NonMatchingChecksumError)
    assert not list((tmp_path / "prepared").rglob("*.array_record*"))


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (
            "cut record",
            "can't be read as a data set prepared by TFDS: ArrayRecord file should be at least 64KB big",
        ),
        ("missing record", "can't be read as a data set prepared by TFDS: open() failed: No such file"),
        ("bad json", "can't be read as a data set prepared by TFDS: Failed to load JSON"),
        ("bad features", "can't be read as a data set prepared by TFDS: "),
        ("bad image", "can't be read as a data set prepared by TFDS: cannot identify image file"),
        ("tfrecord", "holds records that only TensorFlow reads: prepare the data set in the array_record format"),
        ("bad label", "holds the label 9 at example "),
    ],
)
def test_a_damaged_data_set_gets_one_sentence_and_no_cache(
    harm: str, sentence: str, raw: Path, tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if harm == "bad image":
        monkeypatch.setattr(route, "_to_png", lambda image: b"no PNG")
    folder = prepare("mnist", raw, tmp_path / "prepared")
    info = folder / "dataset_info.json"
    (record,) = folder.glob("*-test*")
    if harm == "cut record":
        record.write_bytes(record.read_bytes()[:100])
    elif harm == "missing record":
        record.unlink()
    elif harm == "bad json":
        info.write_text("{")
    elif harm == "bad features":
        (folder / "features.json").write_text("[]")
    elif harm == "tfrecord":
        info.write_text(info.read_text().replace('"array_record"', '"tfrecord"'))
    elif harm == "bad label":
        monkeypatch.setitem(load.DATASETS, "mnist", load.DATASETS["mnist"]._replace(classes=9))
    with pytest.raises(ValueError, match=r"3\.0\.1") as caught:
        load_data("mnist", tmp_path / "prepared")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not cache_dir.exists()


def test_missing_files_are_a_sentence_and_no_download(raw: Path, tmp_path: Path) -> None:
    (raw / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(
        ValueError, match=r"t10k-labels-idx1-ubyte\.gz is missing, and mnist is prepared from its four"
    ):
        prepare("mnist", raw, tmp_path / "prepared")
    with pytest.raises(
        ValueError, match=r"lacks mnist/\*/dataset_info\.json or t10k-labels-idx1-ubyte\.gz \(tfds\)$"
    ):
        load_data("mnist", raw, source="tfds")


def test_prepare_refuses_other_names(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name is 'digits', and must be one of mnist, fashion_mnist, kmnist"):
        prepare("digits", raw, tmp_path)


def test_a_folder_that_does_not_serve_is_a_sentence(raw: Path, tmp_path: Path) -> None:
    folder = prepare("mnist", raw, tmp_path / "prepared")
    (folder / "dataset_info.json").write_text("{")
    with pytest.raises(ValueError, match=r"mnist can't be prepared in .*: Failed to load JSON"):
        prepare("mnist", raw, tmp_path / "prepared")
    with pytest.raises(ValueError, match=r"mnist can't be prepared in .*: .*Not a directory"):
        prepare("mnist", raw, raw / "train-labels-idx1-ubyte.gz")


@pytest.mark.parametrize("module", ["tensorflow_datasets", "importlib_resources"])
def test_without_the_extra_the_sentence_names_it(module: str, tmp_path: Path) -> None:
    for file in SHAPES:
        (tmp_path / file).touch()
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        f"from nnjax.data import load_data\n"
        f"try: load_data('mnist', {str(tmp_path)!r}, source='tfds')\n"
        f"except ValueError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "NNJAX_CACHE_DIR": str(tmp_path / "cache")},
    )
    assert done.stdout.startswith("TensorFlow Datasets can't be imported (")
    assert done.stdout.endswith("which is needed to read what it prepared: pip install 'nnjax[tfds]'\n")


def test_nothing_is_printed(raw: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_data("mnist", raw, source="tfds")
    assert capfd.readouterr() == ("", "")


def test_the_real_mnist_is_the_same_from_tfds_and_idx(tfds: Any, data_dir: Path, tmp_path: Path) -> None:
    from_idx = load_data("mnist", data_dir / "mnist", source="idx")
    prepare("mnist", data_dir / "mnist", tmp_path / "prepared")
    assert_equal(load_data("mnist", tmp_path / "prepared", source="tfds"), from_idx)
    assert_plain_tfds_reads(tfds, tmp_path / "prepared", from_idx)


def test_a_flipped_bit_of_the_real_mnist_fails_on_the_checksum(tfds: Any, data_dir: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(data_dir / "mnist", tmp_path / "copy", copy_function=shutil.copyfile)
    folder.chmod(0o755)
    flip(folder / "train-images-idx3-ubyte.gz")
    original = "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    with pytest.raises(ValueError, match=rf"train-images-idx3-ubyte\.gz has the sha256 .* expects {original}"):
        prepare("mnist", folder, tmp_path / "prepared")
