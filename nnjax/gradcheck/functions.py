"""A user's function: found by its name, called by the names of its arguments, and what it raises in one line."""

import difflib
import importlib
import importlib.util
import inspect
import itertools
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from nnjax.validation import UserError

Function: TypeAlias = Callable[..., Any]


def load(name: str) -> Function:
    """The function of a name such as ``module:function`` or ``path/to/file.py:function``.

    Modules are looked for in the working directory first.

    Raises:
        UserError: when there is no such module, file or function, or importing it fails.
    """
    module_name, colon, function_name = name.rpartition(":")
    if not colon or not module_name or not function_name:
        raise UserError(f"{name!r} must be module:function, such as my_formulas:softmax_jacobian")
    module = _file(module_name) if module_name.endswith(".py") else _module(module_name)
    function: Any = module
    for part in function_name.split("."):
        if not hasattr(function, part):
            known = sorted(n for n, value in vars(module).items() if callable(value) and not n.startswith("_"))
            near = _nearest(function_name, known) or f"; it has {', '.join(known) or 'none'}"
            raise UserError(f"{module_name} has no function {function_name!r}{near}")
        function = getattr(function, part)
    if not callable(function):
        raise UserError(f"{name} is a value of type {type(function).__name__}, and must be a function")
    return function


def _module(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            near = _nearest(name, [module.name for module in pkgutil.iter_modules([here])])
            raise UserError(f"there is no module {name!r}, in this folder or installed{near}") from None
        raise UserError(f"importing {name} raises {describe(error)}") from None
    except (Exception, SystemExit) as error:
        raise UserError(f"importing {name} raises {describe(error)}") from None


def _file(name: str) -> ModuleType:
    path = Path(name)
    folder = str(path.parent.resolve())
    spec = importlib.util.spec_from_file_location(f"{path.stem} in {folder}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        near = _nearest(path.name, [file.name for file in path.parent.glob("*.py")])
        raise UserError(f"there is no file {name}{near}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    if folder not in sys.path:
        sys.path.insert(0, folder)  # the file may import its neighbours
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise UserError(f"importing {name} raises {describe(error)}") from None
    return module


def _nearest(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def parameters(function: Function) -> tuple[list[str], list[str]]:
    """The names of a function's arguments, and those of them that have no default.

    Raises:
        UserError: for a function that doesn't tell.
    """
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise UserError(f"{name_of(function)} doesn't say what its arguments are called") from None
    named = [p for p in found if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return [p.name for p in named], [p.name for p in named if p.default is p.empty]


def name_of(function: Function) -> str:
    """The name to call a function by in a sentence."""
    return getattr(function, "__name__", None) or type(function).__name__


def call(function: Function, values: Mapping[str, Any]) -> Any:
    """The function at the values that it has arguments for."""
    names, _ = parameters(function)
    # By position as far as it goes: what jax.grad returns takes its argument in no other way.
    positional = list(itertools.takewhile(values.__contains__, names))
    keyword = [name for name in names[len(positional) :] if name in values]
    only_keyword = {p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}
    keyword += [name for name in positional if name in only_keyword]
    positional = [name for name in positional if name not in only_keyword]
    return function(*(values[name] for name in positional), **{name: values[name] for name in keyword})


def describe(error: BaseException) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {first_line(error)}"


def first_line(error: BaseException) -> str:
    """The first line of what an exception says."""
    return (str(error).strip() or "no message").splitlines()[0]
