import errno
import os
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import xarray as xr

from made_results import CONFIG, KINDS, RATES, make_results
from nnjax.reporting import figures, page
from nnjax.reporting.folder import FILES, GRID_FILES, Folder
from nnjax.results import stats


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def save(results: xr.Dataset, path: Path) -> None:
    results.to_netcdf(path, engine="h5netcdf")


def write(folder: Path, results: xr.Dataset | None = None, save: Any = save, **options: Any) -> None:
    with Folder(folder, **options) as writer:
        writer.write(results or make_results(RATES, seeds=2), title="A", question="B", save=save)


def test_folder_holds_everything_and_nothing_else(tmp_path: Path) -> None:
    results = make_results(RATES, seeds=2)
    write(tmp_path / "deep" / "out", results)
    out = tmp_path / "deep" / "out"
    files = ["config.yml", "learning_curves.png", "learning_curves.svg", "report.html", "results.nc"]
    assert names(out) == files
    assert names(tmp_path / "deep") == ["out"]
    with xr.open_dataset(out / "results.nc", engine="h5netcdf") as loaded:
        xr.testing.assert_identical(loaded.load(), results)
    assert (out / "config.yml").read_text(encoding="utf-8") == CONFIG
    assert (out / "report.html").read_text(encoding="utf-8") == page.page(results, title="A", question="B")
    assert (out / "learning_curves.png").read_bytes().startswith(b"\x89PNG")
    root = ElementTree.parse(out / "learning_curves.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "background: white" in root.attrib["style"]


def test_folder_is_not_there_before_it_is_written(tmp_path: Path) -> None:
    with Folder(tmp_path / "out"):
        assert not (tmp_path / "out").exists()
        assert len(names(tmp_path)) == 1
    assert names(tmp_path) == []


class Terminated(BaseException):
    """What a handler of signals may raise."""


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, Terminated])
def test_folder_leaves_nothing_when_the_training_fails(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), Folder(tmp_path / "a" / "b" / "out"):
        raise error
    assert names(tmp_path) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, Terminated])
def test_folder_leaves_nothing_when_it_is_stopped_while_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    make = Path.mkdir

    def mkdir(path: Path, *arguments: Any, **options: Any) -> None:
        make(path, *arguments, **options)
        if path.name.startswith(".unfinished"):  # a signal, before the next line
            raise error

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(error), Folder(tmp_path / "deep" / "out"):
        pass
    assert names(tmp_path) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, Terminated])
def test_folder_leaves_nothing_when_it_is_stopped_before_the_results_are_saved(
    tmp_path: Path, error: type[BaseException]
) -> None:
    def half(results: xr.Dataset, path: Path) -> None:
        path.write_text("half")
        raise error

    with pytest.raises(error):
        write(tmp_path / "deep" / "out", save=half)
    assert names(tmp_path) == []


def test_folder_leaves_nothing_when_it_is_stopped_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remove, calls = shutil.rmtree, []

    def rmtree(path: Path, **options: Any) -> None:
        calls.append(path)
        if len(calls) == 1:  # the user is impatient
            raise KeyboardInterrupt
        remove(path, **options)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    with pytest.raises(KeyboardInterrupt), Folder(tmp_path / "deep" / "out"):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


@pytest.mark.parametrize("at", ["replaced", "unfinished"])
def test_a_folder_that_is_replaced_is_never_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    """Stopped after the old folder was moved away, or after the new one took its place."""
    write(tmp_path / "out")
    before = (tmp_path / "out" / "results.nc").read_bytes()
    rename = Path.rename

    def stopped(path: Path, target: Path) -> Path:
        moved = rename(path, target)
        if at in path.name or at in target.name:
            monkeypatch.undo()
            raise KeyboardInterrupt
        return moved

    monkeypatch.setattr(Path, "rename", stopped)
    with pytest.raises(KeyboardInterrupt) as caught:
        write(tmp_path / "out", make_results(seeds=3), overwrite=True)
    (note,) = caught.value.__notes__
    kept = Path(note.removeprefix("The results are in ").removesuffix("."))
    assert (kept / "results.nc").read_bytes() != before
    if at == "replaced":
        assert (tmp_path / "out" / "results.nc").read_bytes() == before
        assert names(tmp_path) == [kept.name, "out"]
    else:
        assert kept == tmp_path / "out"
        assert names(tmp_path) == ["out"]


def test_folder_of_a_grid_holds_its_heat_map(tmp_path: Path) -> None:
    results = make_results(**KINDS["grid"])
    write(tmp_path / "out", results)
    assert set(names(tmp_path / "out")) == FILES | GRID_FILES
    page_text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page_text == page.page(results, title="A", question="B")
    assert ElementTree.parse(tmp_path / "out" / "grid.svg").getroot().tag.endswith("svg")
    write(tmp_path / "out", overwrite=True)
    assert set(names(tmp_path / "out")) == FILES


def test_a_folder_looks_at_the_accuracies_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(results: xr.Dataset) -> xr.Dataset:
        made.append(results)
        return stats.at_best(results)

    monkeypatch.setattr("nnjax.results.settings.at_best", counted)
    write(tmp_path / "out", make_results(**KINDS["grid"]))
    assert len(made) == 1


def test_folder_that_exists_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("out", "link"):
        with pytest.raises(ValueError, match=f"{name} exists already"), Folder(tmp_path / name):
            pass
    assert names(tmp_path) == ["link", "out"]


@pytest.mark.parametrize("name", ["file/out", "file/deep/out"])
def test_folder_in_a_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ValueError, match=r"out can't be made: .*file must be a folder"),
        Folder(tmp_path / name),
    ):
        pass
    assert names(tmp_path) == ["file"]


def test_folder_on_a_read_only_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mkdir(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with (
        pytest.raises(ValueError, match=r"out can't be made in .*: Read-only file system"),
        Folder(tmp_path / "out"),
    ):
        pass


def test_folder_on_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    def full(results: xr.Dataset, path: Path) -> None:
        path.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ValueError, match="out can't be written: No space left on device"):
        write(tmp_path / "deep" / "out", save=full)
    assert names(tmp_path) == []


def test_folder_that_appears_during_the_training_keeps_both(tmp_path: Path) -> None:
    def late(results: xr.Dataset, path: Path) -> None:
        save(results, path)
        (tmp_path / "out").mkdir()

    with pytest.raises(ValueError, match="the results are in") as caught:
        write(tmp_path / "out", save=late)
    kept = Path(str(caught.value).rpartition("the results are in ")[2])
    assert (kept / "report.html").is_file()
    assert names(tmp_path / "out") == []


def test_folder_is_written_once_and_inside_of_with(tmp_path: Path) -> None:
    results = make_results(seeds=2)
    folder = Folder(tmp_path / "out")
    with pytest.raises(ValueError, match="out is not open"):
        folder.write(results, title="", question="", save=save)
    with folder:
        folder.write(results, title="", question="", save=save)
        with pytest.raises(ValueError, match="out is not open"):
            folder.write(results, title="", question="", save=save)
    assert (tmp_path / "out" / "report.html").is_file()


def test_folder_stays_where_it_was_reserved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with Folder("out") as folder:
        monkeypatch.chdir(tmp_path / "elsewhere")
        folder.write(make_results(seeds=2), title="", question="", save=save)
    assert (tmp_path / "out" / "report.html").is_file()


def test_what_a_training_found_is_not_lost_to_a_figure_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(results: xr.Dataset) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(figures, "learning_curves", fail)
    with pytest.raises(KeyError) as caught:
        write(tmp_path / "out")
    (note,) = caught.value.__notes__
    kept = Path(note.removeprefix("The results are in ").removesuffix("."))
    assert names(kept) == ["config.yml", "results.nc"]
    assert names(tmp_path) == [kept.name]


def test_a_disk_that_is_full_after_the_results_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(results: xr.Dataset) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(figures, "learning_curves", full)
    with pytest.raises(ValueError, match="No space left on device; the results are in") as caught:
        write(tmp_path / "out")
    kept = Path(str(caught.value).rpartition("the results are in ")[2])
    assert (kept / "results.nc").is_file()


def test_a_folder_of_results_is_replaced_where_that_is_wanted(tmp_path: Path) -> None:
    write(tmp_path / "out")
    before = (tmp_path / "out" / "results.nc").read_bytes()
    write(tmp_path / "out", make_results(seeds=3), overwrite=True)
    assert (tmp_path / "out" / "results.nc").read_bytes() != before
    assert names(tmp_path) == ["out"]


def test_a_folder_is_replaced_only_once_the_new_one_is_complete(tmp_path: Path) -> None:
    write(tmp_path / "out")
    before = (tmp_path / "out" / "report.html").read_bytes()
    with pytest.raises(RuntimeError), Folder(tmp_path / "out", overwrite=True):
        raise RuntimeError
    assert (tmp_path / "out" / "report.html").read_bytes() == before
    assert names(tmp_path) == ["out"]


def test_what_is_not_ours_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("")
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "out")
    for name, words in (("out", "holds 'thesis.tex'"), ("file", "is no folder"), ("link", "is no folder")):
        with pytest.raises(ValueError, match=words), Folder(tmp_path / name, overwrite=True):
            pass
    assert names(tmp_path) == ["file", "link", "out"]
    assert names(tmp_path / "out") == ["thesis.tex"]
