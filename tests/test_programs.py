"""Compiled programs on disk."""

import subprocess
import sys
from pathlib import Path

import jax
import pytest

from nnjax import programs

CHILD = """
import sys, time
from pathlib import Path
import jax
from nnjax.programs import keep_programs
if sys.argv[2:]:
    jax.config.update("jax_compilation_cache_dir", sys.argv[2])
keep_programs(Path(sys.argv[1]))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.extend([name] * name.endswith("cache_hits")))
jax.jit(lambda x: x * 2 + 1)(jax.numpy.ones(3))
print(len(hits), jax.config.jax_compilation_cache_dir)
"""


def start(*arguments: object) -> tuple[int, str]:
    """Compile in a process of its own: programs found on disk, and the folder that jax looks in."""
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    hits, folder = ended.stdout.split(maxsplit=1)
    assert ended.stderr == ""
    return int(hits), folder.strip()


@pytest.mark.skipif(programs._refuses_its_own(), reason="XLA doesn't load what it compiled for this processor")
def test_the_second_start_finds_what_the_first_compiled(tmp_path: Path) -> None:
    hits, folder = start(tmp_path / "programs")
    assert hits == 0
    assert Path(folder).parent == tmp_path / "programs"
    hits, again = start(tmp_path / "programs")
    assert hits > 0
    assert again == folder


def test_damaged_programs_are_compiled_again_without_a_word(tmp_path: Path) -> None:
    _, folder = start(tmp_path)
    kept = list(Path(folder).glob("*-cache"))
    assert kept
    for path in kept:
        path.write_bytes(path.read_bytes()[:100])
    assert start(tmp_path) == (0, folder)


def test_another_processor_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {}
    monkeypatch.setattr(jax.config, "update", told.__setitem__)
    folders = []
    for flags in ("avx2", "avx2 avx512f", "avx2"):
        monkeypatch.setattr(programs, "_processor", lambda field="flags", flags=flags: flags)
        programs.keep_programs(tmp_path)
        folders.append(told["jax_compilation_cache_dir"])
    assert folders[0] == folders[2] != folders[1]


def test_a_processor_whose_programs_are_refused_keeps_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        programs, "_processor", lambda field="flags": "spectre_v1 gds" if field == "bugs" else "avx2"
    )
    programs.keep_programs(tmp_path / "programs")
    assert not (tmp_path / "programs").exists()
    assert jax.config.jax_compilation_cache_dir is None


def test_a_folder_that_was_set_stays(tmp_path: Path) -> None:
    assert start(tmp_path / "programs", tmp_path / "mine")[1] == str(tmp_path / "mine")
    assert not (tmp_path / "programs").exists()


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert start(tmp_path / "file" / "programs")[1] == "None"
