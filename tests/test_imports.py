"""The import graph of the package, read from its source: lower layers don't know the higher ones."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "nnjax"

# Each module may import from its own layer's list and what stands in it; see the README's architecture section.
ALLOWED = {
    "types": set(),
    "checks": set(),
    "config": {"checks"},
    "activations": {"types"},
    "initializers": {"types"},
    "losses": {"types"},
    "products": set(),
    "models": {"activations", "products", "types"},
    "optim": {"types"},
    "data": {"types", "config", "data"},
    "structure": {"config", "data", "models", "optim", "types"},
    "train": {"structure", "data", "losses", "models", "optim", "types"},
    "cost": {"structure"},
    "devices": set(),
    "placement": {
        *("cost", "devices", "programs", "train", "structure", "data", "initializers", "models", "optim", "types"),
    },
    "settings": {"config"},
    "results": {"settings", "data", "config", "types"},
    "plans": {
        *("placement", "devices", "settings", "cost", "structure", "data", "models", "config", "checks", "types"),
    },
    "sweeps": {
        *("plans", "placement", "devices", "results", "settings", "train", "structure", "data", "config", "types"),
    },
    "stats": {"config"},
    "plots": {"stats", "config"},
    "report": {"plots", "stats", "config"},
    "folder": {"report", "plots"},
    "files": {"config"},
    "options": {"files", "settings", "config", "checks"},
    "programs": set(),
    "derivations": {"types", "derivations"},
    "cli": {
        "programs",
        "derivations",
        "data",
        "options",
        "plans",
        "sweeps",
        "results",
        "folder",
        "report",
        "settings",
        "config",
    },
}

LAZY = {"sklearn", "scipy.stats", "matplotlib", "tensorflow_datasets", "wandb", "jsonargparse", "h5netcdf"}


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def part(path):
    """The architecture's name for a file: its module, or its package under nnjax."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module == "nnjax":
                yield from ((f"nnjax.{alias.name}", node) for alias in node.names)
            else:
                yield node.module, node


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    if path == PACKAGE / "__init__.py":
        return
    own = part(path)
    assert own in ALLOWED, f"{own} is not in the architecture: say what it may import"
    for name, _ in imports(ast.parse(path.read_text())):
        if name.startswith("nnjax."):
            imported = name.split(".")[1]
            assert imported in ALLOWED[own], f"{own} imports {imported}"


def test_only_models_knows_flax():
    users = {
        part(path)
        for path in modules()
        for name, _ in imports(ast.parse(path.read_text()))
        if name.split(".")[0] == "flax"
    }
    assert users == {"models"}


def test_train_never_mentions_a_sweep_axis():
    names = {
        node.id if isinstance(node, ast.Name) else node.arg
        for node in ast.walk(ast.parse((PACKAGE / "train.py").read_text()))
        if isinstance(node, ast.Name | ast.arg)
    }
    assert not names & {"runs", "seeds", "settings", "sweep", "group", "grid"}


def loaded_by(statement):
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_costs_nothing():
    assert not loaded_by("import nnjax") & (LAZY | {"jax", "flax", "optax", "xarray", "numpy"})


def test_importing_the_engine_loads_nothing_that_it_does_not_need():
    assert not loaded_by("import nnjax.sweeps, nnjax.stats") & LAZY


def test_modules_are_found_without_importing_them_first():
    assert "nnjax.stats" in loaded_by("import nnjax; nnjax.stats")
    assert "nnjax.derivations" in loaded_by("import nnjax; nnjax.derivations.check")
    with pytest.raises(subprocess.CalledProcessError):
        loaded_by("import nnjax; nnjax.statistics")
