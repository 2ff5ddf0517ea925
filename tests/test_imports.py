"""The import graph of the package, read from its source: lower layers don't know the higher ones."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "nnjax"

# What each folder or module may import beside itself, from the ground floor up; the README's architecture section
# draws it.
FLOORS = [
    ["sparse"],
    ["types", "spelling"],
    ["validation"],
    ["parts", "seeds", "tasks", "saved"],
    ["fields"],
    ["config"],
    ["axes"],
    ["nn", "data"],
    ["training"],
    ["results"],
    ["engine"],
    ["search"],
    ["reporting", "derivations"],
    ["gradcheck"],
    ["cli", "sklearn"],
]
"""A folder or module may import what lives on a floor below its own, but for what `WALLS` says."""

WALLS = {
    "nn": {"fields", "config", "axes"},
    "data": {"axes"},
    "training": {"axes"},
    "reporting": {"search", "engine", "training", "nn", "data"},
    "sklearn": {"reporting", "derivations", "gradcheck"},
    "derivations": {
        "parts",
        "seeds",
        "tasks",
        "fields",
        "config",
        "axes",
        "nn",
        "data",
        "training",
        "results",
        "engine",
        "search",
    },
    "gradcheck": {
        "seeds",
        "tasks",
        "fields",
        "config",
        "axes",
        "nn",
        "data",
        "training",
        "results",
        "engine",
        "search",
        "reporting",
    },
}
"""What isn't known all the same: reporting sees results alone, and a formula worked out by hand and the function
that it describes meet only in a check."""

ALLOWED = {
    name: {below for floor in FLOORS[:level] for below in floor} - WALLS.get(name, set())
    for level, floor in enumerate(FLOORS)
    for name in floor
}

LAZY = {
    "sklearn",
    "scipy.stats",
    "matplotlib",
    "tensorflow_datasets",
    "wandb",
    "jsonargparse",
    "h5netcdf",
    "optuna",
    "polars",
}


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
            assert imported in ALLOWED[own] | {own}, f"{own} imports {imported}"


def test_only_models_and_networks_know_flax():
    users = {
        str(path.relative_to(PACKAGE))
        for path in modules()
        for name, _ in imports(ast.parse(path.read_text()))
        if name.split(".")[0] == "flax"
    }
    assert users == {"nn/models.py", "nn/networks.py"}


@pytest.mark.parametrize("path", sorted((PACKAGE / "training").glob("*.py")), ids=lambda path: path.name)
def test_training_never_mentions_a_sweep_axis(path):
    names = {
        node.id if isinstance(node, ast.Name) else node.arg
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name | ast.arg)
    }
    assert not names & {"runs", "seeds", "settings", "sweep", "group", "grid", "lots", "chunk"}


def loaded_by(statement):
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_costs_nothing():
    assert not loaded_by("import nnjax") & (LAZY | {"jax", "flax", "optax", "xarray", "numpy"})


def test_importing_the_engine_loads_nothing_that_it_does_not_need():
    assert not loaded_by("import nnjax.search.sweep, nnjax.results.stats") & LAZY


def test_saved_networks_need_numpy_alone():
    heavy = {"jax", "jaxtyping", "flax", "optax", "xarray", "pandas", "scipy", "sklearn", "yaml", "h5py"}
    assert not loaded_by("import nnjax; nnjax.load_network, nnjax.saved.load") & heavy


def test_modules_are_found_without_importing_them_first():
    assert "nnjax.results.stats" in loaded_by("import nnjax; nnjax.stats")
    assert "nnjax.gradcheck" in loaded_by("import nnjax; nnjax.gradcheck.check")
    with pytest.raises(subprocess.CalledProcessError):
        loaded_by("import nnjax; nnjax.statistics")
