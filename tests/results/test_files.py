"""Results on disk: equal again, or a sentence, and never a file by halves."""

import errno
import os
import random
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from made_results import make_results
from nnjax.results import files
from nnjax.validation import UserError


@pytest.fixture(scope="module")
def results():
    made = make_results({"learning_rate": [1, 0.1], "data.name": ["digits", "mnist"]}, seeds=3)
    kernel = np.random.default_rng(0).normal(size=(2, 2, 3, 2, 5, 4)).astype(np.float32)
    dims = ("learning_rate", "data.name", "seed", "kept", "Dense_0.kernel.0", "Dense_0.kernel.1")
    return made.assign({"params.Dense_0.kernel": (dims, kernel)})


@pytest.fixture(scope="module")
def whole(results, tmp_path_factory):
    """The bytes of a file."""
    path = tmp_path_factory.mktemp("whole") / "results.nc"
    files.save(results, path)
    return path.read_bytes()


def test_what_is_saved_loads_back_equal_and_nothing_else_stands_there(results, tmp_path):
    for _ in range(2):
        files.save(results, tmp_path / "results.nc")
        xr.testing.assert_identical(files.load(tmp_path / "results.nc"), results)
        assert [path.name for path in tmp_path.iterdir()] == ["results.nc"]


def test_other_programs_read_the_file(results, whole, tmp_path):
    (tmp_path / "results.nc").write_bytes(whole)
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "results.nc"), results)
    with h5py.File(tmp_path / "results.nc") as file:
        np.testing.assert_array_equal(file["test_accuracy"], results["test_accuracy"])


def test_files_without_a_checksum_load_as_well(results, tmp_path):
    results.to_netcdf(tmp_path / "results.nc", engine="h5netcdf")
    xr.testing.assert_identical(files.load(tmp_path / "results.nc"), results)


def loaded(path):
    """The results in a file, or None where it is refused in one sentence."""
    try:
        return files.load(path)
    except UserError as error:
        if "\n" in str(error):
            raise
        return None


def is_equal_or_refused(path, results):
    found = loaded(path)
    if found is not None:
        xr.testing.assert_identical(found, results)


@settings(max_examples=150)
@given(data=st.data())
def test_no_flipped_bit_and_no_cut_goes_unnoticed(results, whole, tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.nc"
    damaged = bytearray(whole)
    if data.draw(st.booleans()):
        for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=3, unique=True)):
            damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del damaged[data.draw(st.integers(0, len(whole) - 1)) :]
    path.write_bytes(damaged)
    is_equal_or_refused(path, results)


def test_a_file_without_the_last_bytes_is_damaged_or_whole(results, whole, tmp_path):
    for cut in range(1, 60):
        (tmp_path / "cut.nc").write_bytes(whole[:-cut])
        is_equal_or_refused(tmp_path / "cut.nc", results)


def test_no_flipped_bit_of_the_checksum_itself_does_harm(whole, tmp_path):
    for place in range(len(whole) - 50, len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 16
        (tmp_path / "damaged.nc").write_bytes(damaged)
        with pytest.raises(UserError, match="its checksum isn't right"):
            files.load(tmp_path / "damaged.nc")


def test_damage_of_an_older_file_is_a_sentence_where_it_is_found(results, tmp_path):
    path = tmp_path / "old.nc"
    results.to_netcdf(path, engine="h5netcdf")
    old = path.read_bytes()
    noise = random.Random(1)
    for _ in range(40):
        # In the names and sizes at its beginning: what HDF5 reports ranges from KeyError to RuntimeError.
        damaged = bytearray(old)
        damaged[noise.randrange(48, 2000)] ^= 1 << noise.randrange(8)
        path.write_bytes(damaged)
        loaded(path)


LITTLE_ROOM = """
import resource, signal, sys
from made_results import make_results
from nnjax.results import files
from nnjax.validation import UserError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, room = sys.argv[1], int(sys.argv[2])
old, new = make_results(seeds=2, epochs=3), make_results(seeds=2, epochs=4)
files.save(old, path)
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
try:
    files.save(new, path)
except UserError as error:
    print(error)
assert files.load(path).identical(old)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="file sizes are limited as Linux does it")
@pytest.mark.parametrize("room", [0, 1, 4096, 9000, 17000])
def test_with_too_little_room_the_old_file_stays_and_the_program_goes_on(
    tmp_path, room, in_a_process, monkeypatch
):
    monkeypatch.syspath_prepend(Path(__file__).parent.parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    said = in_a_process(LITTLE_ROOM, tmp_path / "results.nc", room)
    assert said == f"the results can't be written to {tmp_path / 'results.nc'}: File too large"
    assert [path.name for path in tmp_path.iterdir()] == ["results.nc"]


def test_a_stop_while_it_is_written_leaves_the_old_file_and_no_other(results, whole, tmp_path, monkeypatch):
    (tmp_path / "results.nc").write_bytes(whole)

    def stop(handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        files.save(results.isel(seed=[0]), tmp_path / "results.nc")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [whole]


def test_a_disk_that_fails_at_the_end_is_one_sentence(results, tmp_path, monkeypatch):
    def fail(handle):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UserError, match=r"results\.nc: Input/output error$"):
        files.save(results, tmp_path / "results.nc")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [None, {"a": 1}, True, "\0a", "\ud800", [1, "a"]])
def test_what_netcdf_cannot_hold_is_one_sentence(results, tmp_path, bad):
    with pytest.raises(UserError, match="the results can't be written to") as caught:
        files.save(results.assign_attrs(note=bad), tmp_path / "results.nc")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_attributes_of_any_size_come_back(results, tmp_path):
    large = results.assign_attrs(config="η: 0.1\n" * 100_000)
    files.save(large, tmp_path / "results.nc")
    xr.testing.assert_identical(files.load(tmp_path / "results.nc"), large)


def test_a_link_stays_one(results, tmp_path):
    (tmp_path / "link.nc").symlink_to(tmp_path / "results.nc")
    for _ in range(2):
        files.save(results, tmp_path / "link.nc")
        assert (tmp_path / "link.nc").is_symlink()
        assert (tmp_path / "results.nc").is_file()


def test_what_is_no_file_is_neither_read_nor_written(results, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    for name, words in (("fifo", "no regular file"), ("folder", "a folder")):
        with pytest.raises(UserError, match=f"{name} is {words}, and must be a results file"):
            files.load(tmp_path / name)
        with pytest.raises(UserError, match=f"written to .*{name}: it is {words}"):
            files.save(results, tmp_path / name)
    with pytest.raises(UserError, match="it is no regular file"):
        files.save(results, "/dev/null")


NO_PERMISSION = """
import os, sys
from nnjax.results import files
from nnjax.validation import UserError
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for path in sys.argv[1:]:
    try:
        files.load(path)
        print("loaded")
    except UserError as error:
        print(error)
"""


def test_a_file_without_permission_is_one_sentence(whole, tmp_path):
    # For root, everything is permitted: a process of nobody's tries. Its way to the file is open.
    private = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    try:
        private.chmod(0o755)
        (private / "closed").mkdir()
        for path in (private / "results.nc", private / "closed" / "results.nc"):
            path.write_bytes(whole)
        (private / "results.nc").chmod(0)
        (private / "closed").chmod(0)
        paths = [str(private / "results.nc"), str(private / "closed" / "results.nc")]
        done = subprocess.run([sys.executable, "-c", NO_PERMISSION, *paths], capture_output=True, text=True)
        assert done.stdout.splitlines() == [f"{path} can't be read: Permission denied" for path in paths], done
    finally:
        (private / "closed").chmod(0o700)
        subprocess.run(["rm", "-r", str(private)], check=True)


@pytest.mark.parametrize("name", ["x" * 300 + ".nc", "a\0b.nc", "no/such.nc", ""])
def test_names_that_no_file_can_have_are_one_sentence(results, tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for call in (files.load, lambda path: files.save(results, path)):
        with pytest.raises(UserError) as caught:
            call(name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"CDF\x01" + bytes(60), b"learning_rate: 1", b"\x89HDF\r\n\x1a\n"])
def test_other_kinds_of_files_are_one_sentence(tmp_path, content):
    (tmp_path / "other.nc").write_bytes(content)
    with pytest.raises(UserError, match="is not a results file of nnjax, or is damaged") as caught:
        files.load(tmp_path / "other.nc")
    assert "\n" not in str(caught.value)


def test_netcdf_of_version_3_is_one_sentence(results, tmp_path):
    results[["test_accuracy"]].drop_vars("data.name").to_netcdf(tmp_path / "three.nc", engine="scipy")
    with pytest.raises(UserError, match="is not a results file"):
        files.load(tmp_path / "three.nc")
