"""What a program follows from, as text, so that one that is kept is found without tracing it anew."""

import dataclasses
import functools
import hashlib
import importlib.metadata
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")
"""Whose functions are the same wherever these have the same version."""

OF_A_MODULE = ("parent", "name")
"""Fields of a Flax module that say where it stands, and not what it is."""


BEGAN = time.time()
"""When this was imported: what has been written since isn't what runs."""


def identity(*values: Any) -> str | None:
    """Text that is the same in every process for equal values of nnjax's own; None for what can't be said so.

    Numbers and words stand for themselves, what has fields for these, and a function for its name: the source of
    all functions goes with it. A part of the user's own can't be said, nor a function that another one has made.
    """
    try:
        return f"{_code()} {_said(values)}"
    except _UnsaidError:
        return None


class _UnsaidError(Exception):
    """This can't be said."""


def _said(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return repr(value)
    if isinstance(value, np.dtype | np.generic):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_said(key)}: {_said(of)}' for key, of in value.items())}}}"
    if isinstance(value, tuple | list):
        return f"{_name(type(value))}({', '.join(map(_said, value))})"
    if isinstance(value, functools.partial):
        return f"partial({_said((value.func, value.args, value.keywords))})"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.name not in OF_A_MODULE]
        return f"{_name(type(value))}({', '.join(f'{name}={_said(getattr(value, name))}' for name in fields)})"
    return _name(value)


def _name(value: Any) -> str:
    """That of a class or a function, where the name leads to it."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        raise _UnsaidError
    if module != "builtins" and module.partition(".")[0] not in ("nnjax", *PACKAGES):
        raise _UnsaidError
    found: Any = sys.modules.get(module)
    for step in name.split("."):
        found = getattr(found, step, None)
    if found is not value:
        raise _UnsaidError
    return f"{module}:{name}"


@functools.cache
def _code() -> str:
    """A hash of nnjax's source, and of the versions of what it calls."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        if path.stat().st_mtime > BEGAN:
            raise _UnsaidError
        digest.update(path.read_bytes())
    for package in PACKAGES:
        digest.update(importlib.metadata.version(package).encode())
    return digest.hexdigest()
