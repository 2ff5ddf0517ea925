"""IDX files against an independent writer, and the real MNIST against what is known of it."""

import gzip
import hashlib
import struct
import tempfile
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from nnjax.data import Dataset, load_data
from nnjax.data.idx import read_idx

ARRAYS = nps.arrays(np.uint8, nps.array_shapes(min_dims=1, max_dims=4, max_side=6))
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def to_idx(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return head + bytes(array.ravel().tolist())


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """A folder with a set of 20 + 10 images of 3 × 2, gzip'd, and its arrays by the names of the files."""
    draw = np.random.default_rng(0)
    shapes = ((20, 3, 2), (20,), (10, 3, 2), (10,))
    arrays = {
        name: draw.integers(0, 256 if len(shape) == 3 else 10, shape, dtype=np.uint8)
        for name, shape in zip(NAMES, shapes, strict=True)
    }
    for name, array in arrays.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(to_idx(array)))
    return tmp_path, arrays


def assert_holds(data: Dataset, arrays: dict[str, np.ndarray]) -> None:
    train_x, train_y, test_x, test_y = (arrays[name] for name in NAMES)
    np.testing.assert_array_equal(np.concatenate([data.train.x, data.valid.x]), train_x.reshape(len(train_x), -1))
    np.testing.assert_array_equal(np.concatenate([data.train.y, data.valid.y]), train_y)
    np.testing.assert_array_equal(data.test.x, test_x.reshape(len(test_x), -1))
    np.testing.assert_array_equal(data.test.y, test_y)


@given(array=ARRAYS, packed=st.booleans())
def test_reads_what_another_writer_wrote(array: np.ndarray, packed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("some-idx.gz" if packed else "some-idx")
        path.write_bytes(gzip.compress(to_idx(array)) if packed else to_idx(array))
        found = read_idx(path)
    np.testing.assert_array_equal(found, array, strict=True)
    assert found.flags.writeable


@given(array=ARRAYS, data=st.data())
def test_a_file_of_any_other_length_is_refused(array: np.ndarray, data: st.DataObject) -> None:
    content = to_idx(array)
    cut = data.draw(st.integers(0, len(content) - 1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some-idx"
        for wrong in (content[:cut], content + b"\0"):
            path.write_bytes(wrong)
            with pytest.raises(
                ValueError, match=r"begins with the bytes|must (be|hold) \d+|holds more than the \d+ bytes"
            ):
                read_idx(path)


@pytest.mark.parametrize("spelling", ["{}.gz", "{}", "dotted", "dotted.gz"])
def test_every_spelling_of_the_names_is_found(spelling: str, small: tuple[Path, dict[str, np.ndarray]]) -> None:
    folder, arrays = small
    for name, array in arrays.items():
        (folder / f"{name}.gz").unlink()
        path = folder / spelling.format(name).replace("dotted", name.replace("-idx", ".idx"))
        path.write_bytes(gzip.compress(to_idx(array)) if path.suffix == ".gz" else to_idx(array))
    assert_holds(load_data("mnist", folder), arrays)


def test_all_sets_have_the_same_file_names(small: tuple[Path, dict[str, np.ndarray]]) -> None:
    folder, arrays = small
    for name in ("mnist", "fashion_mnist", "kmnist"):
        data = load_data(name, folder, source="idx")
        assert (data.name, data.classes, data.scale, data.inputs) == (name, 10, 255.0, 6)
        assert_holds(data, arrays)


GOOD = to_idx(np.arange(12, dtype=np.uint8).reshape(2, 3, 2))
BAD_IMAGES = {
    "empty": (b"", "begins with the bytes (none), and a gzip file begins with 1f 8b"),
    "not gzip": (GOOD, "begins with the bytes 00 00, and a gzip file begins with 1f 8b"),
    "cut gzip": (gzip.compress(GOOD)[:-9], "is a gzip file cut short: more must follow its"),
    "cut gzip header": (gzip.compress(GOOD)[:5], "is a gzip file cut short: more must follow its 5 bytes"),
    "gzip with a gap in its checksum": (
        gzip.compress(GOOD)[:-8] + gzip.compress(GOOD)[-6:],
        "is a gzip file cut short: more must follow its",
    ),
    "damaged gzip": (gzip.compress(GOOD)[:-8] + bytes(8), "is a damaged gzip file"),
    "wrong magic": (
        gzip.compress(b"\0\0\x0d" + GOOD[3:]),
        "begins with the bytes 00 00 0d 03, and an IDX file of bytes begins with 00 00 08",
    ),
    "cut header": (gzip.compress(GOOD[:10]), "holds 10 bytes of IDX, and its header alone must be 16"),
    "cut": (
        gzip.compress(GOOD[:-1]),
        "holds 27 bytes of IDX, and must hold 28: a header of 16 and 2 × 3 × 2 values",
    ),
    "too long": (gzip.compress(GOOD + b"\0"), "holds more than the 28 bytes of IDX that its header promises"),
    "more after the end of gzip": (
        gzip.compress(GOOD) + b"more",
        "has other bytes after the end of its gzip stream",
    ),
    "more after zeros": (
        gzip.compress(GOOD) + bytes(9) + b"more",
        "has other bytes after the end of its gzip stream",
    ),
    "cut before the zeros": (gzip.compress(GOOD)[:-9] + bytes(20), "is a damaged gzip file"),
    "wrong number of dimensions": (
        gzip.compress(to_idx(np.zeros(20, np.uint8))),
        "has 1 dimensions, and must have 3",
    ),
    "fewer images than labels": (gzip.compress(GOOD), "holds 2 images and"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_a_bad_file_gets_one_sentence_and_no_cache(
    case: str, small: tuple[Path, dict[str, np.ndarray]], cache_dir: Path
) -> None:
    folder, _ = small
    content, sentence = BAD_IMAGES[case]
    (folder / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz") as caught:
        load_data("mnist", folder)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not cache_dir.exists()


def test_a_label_out_of_range_is_named(small: tuple[Path, dict[str, np.ndarray]], cache_dir: Path) -> None:
    folder, arrays = small
    labels = arrays["t10k-labels-idx1-ubyte"].copy()
    labels[7] = 10
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(to_idx(labels)))
    with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte\.gz holds the label 10 at example 7 .* 0 to 9$"):
        load_data("mnist", folder)
    assert not cache_dir.exists()


def test_an_unreadable_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can't be read: Is a directory"):
        read_idx(tmp_path)


def test_the_real_mnist_is_the_published_one(data_dir: Path) -> None:
    folder = data_dir / "mnist"
    sha256 = "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    assert hashlib.sha256((folder / "train-images-idx3-ubyte.gz").read_bytes()).hexdigest() == sha256
    data = load_data("mnist", folder)
    shapes = [split.x.shape for split in (data.train, data.valid, data.test)]
    assert shapes == [(48_000, 784), (12_000, 784), (10_000, 784)]
    # The counts, mean and deviation that are quoted everywhere.
    labels = np.concatenate([data.train.y, data.valid.y])
    assert np.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(data.test.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    images = np.concatenate([data.train.x, data.valid.x])
    assert (round(images.mean() / 255, 4), round(images.std() / 255, 4)) == (0.1307, 0.3081)
    # The bytes themselves, through struct and gzip alone.
    raw = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())
    assert struct.unpack(">4I", raw[:16]) == (0x803, 60_000, 28, 28)
    np.testing.assert_array_equal(images.ravel(), np.frombuffer(raw, np.uint8, offset=16))


@pytest.mark.parametrize("members", [1, 2])
def test_gzip_ignores_zeros_at_the_end_and_joins_members(members: int, tmp_path: Path) -> None:
    content = to_idx(np.arange(12, dtype=np.uint8))
    cut = 7 if members == 2 else len(content)
    path = tmp_path / "some-idx.gz"
    path.write_bytes(gzip.compress(content[:cut]) + gzip.compress(content[cut:]) + bytes(512))
    assert read_idx(path).tolist() == list(range(12))


def bomb(head: bytes, megabytes: int) -> bytes:
    """A gzip file that unpacks to a header and many zeros."""
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(head)]
    parts += [packer.compress(bytes(2**20)) for _ in range(megabytes)]
    return b"".join([*parts, packer.flush()])


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (
            to_idx(np.zeros((2, 2), np.uint8)),
            "holds more than the 16 bytes of IDX that its header promises: a header",
        ),
        (bytes(4), "begins with the bytes 00 00 00 00, and an IDX file"),
        (
            b"\0\0\x08\x03" + b"\xff" * 12,
            "promises 79228162458924105385300197375 values in its header, and may hold at most 2147483648",
        ),
        (
            b"\0\0\x08\x03" + (2**30).to_bytes(4, "big") * 3,
            "promises 1237940039285380274899124224 values in its header",
        ),
        (b"\0\0\x08\x21" + bytes(4 * 33), "has 33 dimensions, and must have at most 8"),
        (
            b"\0\0\x08\x00",
            "holds more than the 5 bytes of IDX that its header promises: a header of 4 and 1 values",
        ),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_no_more_is_unpacked_than_the_header_promises(
    head: bytes, sentence: str, packed: bool, tmp_path: Path
) -> None:
    path = tmp_path / ("some-idx.gz" if packed else "some-idx")
    if packed:
        path.write_bytes(bomb(head, 256))
        assert path.stat().st_size < 2**20
    else:
        with path.open("wb") as file:  # a file with a hole
            file.write(head)
            file.truncate(2**28)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"some-idx") as caught:
        read_idx(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sentence in str(caught.value)
    assert most < 2**24


def test_a_file_that_cannot_hold_what_it_promises_is_not_made_room_for(tmp_path: Path) -> None:
    path = tmp_path / "some-idx.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01" + (2**31 - 8).to_bytes(4, "big") + b"few"))
    tracemalloc.start()
    with pytest.raises(
        ValueError, match=r"holds 11 bytes of IDX, and must hold 2147483648: a header of 8 and 2147"
    ):
        read_idx(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2**24
