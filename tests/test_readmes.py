"""Every README of the repository: its Python and its commands run, its outputs are true, its links lead somewhere.

How a block is written so that it is tested is said in tests/README.md.
"""

import contextlib
import io
import os
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import pytest

from nnjax import cli, parts
from nnjax.config import field_names

ROOT = Path(__file__).parent.parent
READMES = sorted(
    path
    for path in (*ROOT.rglob("README.md"), ROOT / ".github" / "CONTRIBUTING.md")
    if not any(part.startswith(".") and part != ".github" for part in path.relative_to(ROOT).parts)
    and not {"build", "dist", "shared", "site-packages"} & set(path.relative_to(ROOT).parts)
)
FENCE = re.compile(r"^```([^`\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GAP = "…"
"""A line of an output that stands for any lines, and the end of a line that stands for any end."""


class Block(NamedTuple):
    """What stands between two fences."""

    language: str
    title: str
    text: str
    line: int  # of its first line
    output: str | None  # the block without a language that follows at once


def blocks(text: str) -> list[Block]:
    """The blocks that have a language, each with its output."""
    found: list[Block] = []
    end = -1
    for match in FENCE.finditer(text):
        language, _, info = match[1].strip().partition(" ")
        title = re.fullmatch(r'title="([^"]+)"', info)
        if language:
            line = text.count("\n", 0, match.start()) + 2
            found.append(Block(language, title[1] if title else "", match[2], line, None))
        elif found and not text[end : match.start()].strip():
            found[-1] = found[-1]._replace(output=match[2])
        end = match.end()
    return found


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder with the studies in it, where modules are found; forgotten afterwards."""
    place = tmp_path / "here"
    place.mkdir()
    (place / "experiments").symlink_to(ROOT / "experiments")
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "path", [str(place), *sys.path])
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # as readers have it
        yield place
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(place)):
            del sys.modules[name]


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
@pytest.mark.usefixtures("as_users_have_it")
def test_the_blocks_of_a_readme_run(path: Path, elsewhere: Path) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(path.read_text(encoding="utf-8")):
        where = f"{path.relative_to(ROOT)}, line {block.line}"
        if block.title:
            (elsewhere / block.title).write_text(block.text)
            continue
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            if block.language == "python":
                # A traceback then shows the line of the README.
                exec(compile("\n" * (block.line - 1) + block.text, path, "exec"), namespace)
            elif block.language == "sh":
                for line in block.text.replace("\\\n", " ").splitlines():
                    run(line, where, elsewhere)
        if block.output is not None:
            assert_shown(block.output, printed.getvalue(), where)


def run(line: str, where: str, place: Path) -> None:
    """A line of a shell: the command, or a script that the README has written; others are for people."""
    words = shlex.split(line, comments=True)
    if words[:1] == ["python"] and (place / words[1]).is_file() and "/" not in words[1]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", words[1:])
            runpy.run_path(words[1], run_name="__main__")
    if words[:1] != ["nnjax"] or words == ["nnjax", "check"]:  # all formulas: tests/gradcheck
        return
    data = os.environ.get("NNJAX_DATA_DIR")
    if "DIR" in words and data is None:
        return
    expected = re.search(r"# exit code (\d+)", line)
    code = cli.main([str(data) if word == "DIR" else word for word in words[1:]])
    assert code == int(expected[1] if expected else 0), f"{where}: {line} ends with exit code {code}"


def assert_shown(expected: str, printed: str, where: str) -> None:
    """Hold what was printed against what the README shows."""
    lines = [line.rstrip() for line in expected.strip("\n").splitlines()]
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == GAP else re.escape(line).removesuffix(re.escape(GAP)) + _rest(line)
        for line in lines
    )
    there = "".join(line.rstrip() + "\n" for line in printed.strip("\n").splitlines())
    assert re.fullmatch(pattern, there), f"{where} shows\n\n{expected}\nand this was printed:\n\n{printed}"


def _rest(line: str) -> str:
    return r".*\n" if line.endswith(GAP) else r"\n"


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_links_of_a_readme_lead_somewhere(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, heading = target.partition("#")
        if name.startswith(("http://", "https://")):
            continue
        linked = path.parent / name if name else path
        assert linked.exists(), f"{path.relative_to(ROOT)} links to {name}, which isn't there"
        if heading:
            assert heading in headings(linked), f"{path.relative_to(ROOT)} links to {target}: no such heading"


def headings(path: Path) -> set[str]:
    """The names by which a page's headings are linked to."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "folder", [path.parent for path in ROOT.glob("nnjax/*/__init__.py")], ids=lambda f: f.name
)
def test_every_folder_of_the_package_has_a_readme(folder: Path) -> None:
    assert (folder / "README.md").is_file()


def test_the_table_of_fields_has_all_of_them_and_all_names_of_parts() -> None:
    text = (ROOT / "nnjax" / "cli" / "README.md").read_text(encoding="utf-8")
    rows = [row for row in text.splitlines() if row.startswith("| `")]
    words = set(re.findall(r"`([\w./]+)", "\n".join(rows)))
    assert set(field_names()) - words == set()
    for kind in parts.TABLES:
        assert set(parts.names(kind)) - words == set(), kind
