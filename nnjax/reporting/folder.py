"""The folder with a sweep's results and report, which appears complete or not at all."""

import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import xarray as xr

from nnjax.reporting import figures, grid, page, search_figures
from nnjax.reporting.style import INK
from nnjax.reporting.svg import svg
from nnjax.results import stats
from nnjax.validation import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILES = {"config.yml", "learning_curves.png", "learning_curves.svg", "report.html", "results.nc"}
"""What a folder holds."""
GRID_FILES = {"grid.png", "grid.svg"}
"""What the folder of a sweep over two axes holds as well."""
SEARCH_FILES = {f"{name}.{kind}" for name in search_figures.TITLES for kind in ("png", "svg")}
"""What that of a search may hold as well: see `search_figures.figures`."""


class Folder:
    """A folder with a result and its report, reserved before a long training and written after it::

        with Folder("results/learning_rate") as folder:
            results = nnjax.sweep(config, data, axes)
            folder.write(results, title="Learning rate", question="Which is best?", save=nnjax.save_results)

    Until it is complete, everything stands in a hidden folder beside it. That one is removed if anything goes
    wrong before the results are saved, or somebody stops the program, and kept afterwards: what a training found
    is not lost to a figure.

    Args:
        path: a new folder.
        overwrite: replace a folder of results that stands there, once the new one is complete.

    Raises:
        UserError: on entry, where the folder exists already, holds what isn't ours, or can't be made.
    """

    def __init__(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        self.path = Path(path).expanduser()
        self.overwrite = overwrite
        # Found again even if the working folder changes during the training.
        self._target = self.path.absolute()
        self._unfinished: Path | None = None
        self._made: list[Path] = []
        self._saved = False

    def __enter__(self) -> Self:
        if os.path.lexists(self._target):
            self._check_replaceable()
        parents = self._target.parents
        self._made = [folder for folder in parents if not os.path.lexists(folder)]
        base = parents[len(self._made)]
        if not base.is_dir():
            raise UserError(f"{self.path} can't be made: {base} must be a folder, and isn't")
        self._unfinished = self._beside("unfinished")
        try:
            self._unfinished.mkdir(parents=True)
            return self
        except OSError as error:
            self._clean()
            raise UserError(f"{self.path} can't be made in {base}: {error.strerror}") from error
        except BaseException:  # a signal, when the folder may be there already
            self._clean()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._saved and self._unfinished is not None:
            # Stopped in its last step, the folder is where it should be.
            there = self._unfinished if self._unfinished.exists() else self._target
            error.add_note(f"The results are in {there}.")
        else:
            self._clean()

    def write(
        self, results: xr.Dataset, *, title: str, question: str, save: Callable[[xr.Dataset, Path], object]
    ) -> None:
        """Write ``results.nc``, ``config.yml``, ``learning_curves.svg`` and ``.png`` and ``report.html``; of a
        sweep over two axes ``grid.svg`` and ``.png`` as well, and of a search its figures.

        Args:
            results: a labelled result.
            title, question: of the page.
            save: writes the results to a path.

        Raises:
            UserError: where a file can't be written, or somebody else has made the folder in the meantime; the
                message names the hidden folder if the results are there.
        """
        if self._unfinished is None:
            raise UserError(f"{self.path} is not open: write to it once, inside of `with Folder(…) as folder:`")
        folder = self._unfinished
        try:
            save(results, folder / "results.nc")
            self._saved = True
            (folder / "config.yml").write_text(str(results.attrs.get("config", "")), encoding="utf-8")
            found = stats.overview(results)
            curves = _draw(figures.learning_curves(found), folder / "learning_curves")
            cells = _draw(grid.grid(found), folder / "grid") if grid.has_grid(found) else None
            drawn = search_figures.figures(found).items()
            of_search = {name: _draw(draw(found), folder / name) for name, draw in drawn}
            text = page.page(found, curves, cells, of_search, title=title, question=question)
            (folder / "report.html").write_text(text, encoding="utf-8")
            self._appear(folder)
        except OSError as error:
            kept = f"; the results are in {folder}" if self._saved else ""
            raise UserError(f"{self.path} can't be written: {error.strerror or error}{kept}") from error
        self._unfinished, self._made = None, []

    def _appear(self, folder: Path) -> None:
        if not os.path.lexists(self._target):
            folder.rename(self._target)
        elif self.overwrite:
            old = self._beside("replaced")
            try:
                self._target.rename(old)
                folder.rename(self._target)
            finally:
                if os.path.lexists(old) and not os.path.lexists(self._target):  # stopped between the two
                    old.rename(self._target)
                shutil.rmtree(old, ignore_errors=True)
        else:
            raise UserError(f"{self.path} was made by another program meanwhile: the results are in {folder}")

    def _check_replaceable(self) -> None:
        if not self.overwrite:
            raise UserError(f"{self.path} exists already: give another output, or overwrite it")
        if self._target.is_symlink() or not self._target.is_dir():
            raise UserError(f"{self.path} is no folder, and only a folder of results can be overwritten")
        strange = sorted({file.name for file in self._target.iterdir()} - FILES - GRID_FILES - SEARCH_FILES)
        if strange:
            raise UserError(
                f"{self.path} holds {strange[0]!r}, and only what nnjax has written can be overwritten"
            )

    def _beside(self, kind: str) -> Path:
        return self._target.parent / f".{kind}-{secrets.token_hex(4)}"

    def _clean(self) -> None:
        try:
            self._remove()
        except BaseException:  # stopped once more while it cleans up
            self._remove()
            raise

    def _remove(self) -> None:
        if self._unfinished is not None:
            shutil.rmtree(self._unfinished, ignore_errors=True)
            self._unfinished = None
        for folder in self._made:  # the innermost first; one that others have used stays
            with suppress(OSError):
                folder.rmdir()


def _draw(figure: "Figure", path: Path) -> str:
    """Write a figure as PNG and as SVG with a background of its own, and return it as SVG for a page."""
    figure.savefig(path.with_suffix(".png"), dpi=200)
    drawing = svg(figure)
    alone = drawing.replace("<svg", f'<svg style="background: white; color: {INK}"', 1)
    path.with_suffix(".svg").write_text(alone, encoding="utf-8")
    return drawing
