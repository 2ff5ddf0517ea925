"""The parts that a run is made of: each kind has one table of names, and takes what a user has written himself.

A part of the user's own stands wherever a name does: as a callable in Python, else as ``module:function`` or
``file.py:function``. What such a function must look like is said beside the table of its kind.
"""

import ast
import dataclasses
import difflib
import functools
import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from nnjax.validation import UserError, choice

TABLES = {
    "model": ("nnjax.nn.models", "MODELS"),
    "activation": ("nnjax.nn.activations", "ACTIVATIONS"),
    "init": ("nnjax.nn.initializers", "INITIALIZERS"),
    "loss": ("nnjax.nn.losses", "LOSSES"),
    "optimizer": ("nnjax.training.optim", "OPTIMIZERS"),
    "schedule": ("nnjax.training.schedules", "SCHEDULES"),
    "metrics": ("nnjax.training.metrics", "METRICS"),
    "data.name": ("nnjax.data.load", "DATASETS"),
    "data.source": ("nnjax.data.load", "SOURCES"),
}
"""The kinds of parts, by the field of the configuration that names one: the module of the table, and its name."""

OF_NNJAX = ("data.source",)
"""Kinds of which nobody can give one of his own."""

WORDS = {"data.source": ("auto",), "loss": ("auto",)}
"""What a field takes beside the names of its table."""


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of the user's own."""

    name: str
    function: Callable[..., Any]
    source: str = dataclasses.field(compare=False)
    """The sha256 of the file that it is written in, or of its own text where there is no file."""
    lost: str = ""
    """Why it can't be called, where it comes from results and isn't to be found; else nothing."""

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return repr(self.name)


PartLike: TypeAlias = str | Part | Callable[..., Any]
"""What a field takes that names a part; once the configuration is made it is a name of the table or a `Part`."""


def names(kind: str) -> tuple[str, ...]:
    """The names in a kind's table.

    Read from the table's source as long as nobody has imported it: help and messages then don't wait for jax.
    """
    module, table = TABLES[kind]
    loaded = getattr(sys.modules.get(module), table, None)
    return (*WORDS.get(kind, ()), *(_names_in_source(module, table) if loaded is None else loaded))


@functools.cache
def _names_in_source(module: str, table: str) -> tuple[str, ...]:
    path = Path(__file__).parent.joinpath(*module.split(".")[1:]).with_suffix(".py")
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        match statement:
            case (
                ast.AnnAssign(target=ast.Name(id=name), value=ast.Dict(keys=keys))
                | ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict(keys=keys))
            ) if name == table:
                return tuple(str(key.value) for key in keys if isinstance(key, ast.Constant))
    raise AssertionError(f"{module} has no {table}: …  = {{…}}")


def entry(kind: str, name: str) -> Any:
    """What stands under a name in a kind's table."""
    module, table = TABLES[kind]
    return getattr(importlib.import_module(module), table)[name]


def resolve(kind: str, value: object) -> str | Part:
    """A field's value as a name of the table, or as a part of the user's own.

    Raises:
        UserError: for a name that isn't in the table, or a function that isn't where the name says.
    """
    if isinstance(value, Part):
        return value
    if callable(value) and kind not in OF_NNJAX:
        try:
            hash(value)
        except TypeError:
            raise UserError(f"{kind} is a {type(value).__name__} without a hash: make its class frozen") from None
        return Part(name_of(value), value, _source_hash(value))
    if isinstance(value, str) and ":" in value and kind not in OF_NNJAX:
        function = load(value)
        return Part(value, function, _source_hash(function))
    choice(kind, value, names(kind), "" if kind in OF_NNJAX else ", or module:function or file.py:function")
    return str(value)


def settled(part: PartLike) -> str | Part:
    """A part as a configuration that has been made holds it."""
    assert isinstance(part, str | Part)
    return part


def name_of(function: Callable[..., Any]) -> str:
    """What to call a function: ``module:function`` or ``script.py:function`` where that finds it, else its name.

    A partial is called by its function and the arguments that it fixes, an object by its class.
    """
    if isinstance(function, functools.partial):
        fixed = [*map(repr, function.args), *(f"{name}={value!r}" for name, value in function.keywords.items())]
        return f"{name_of(function.func)}({', '.join(fixed)})"
    qualified = getattr(function, "__qualname__", type(function).__qualname__)
    module = getattr(function, "__module__", None) or ""
    for home in (*_PUBLIC, module):
        if home and home != "__main__" and getattr(sys.modules.get(home), qualified, None) is function:
            return f"{home}:{qualified}"
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if module == "__main__" and script and getattr(sys.modules["__main__"], qualified, None) is function:
        path = Path(script).resolve()
        return f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}:{qualified}"
    for (file, _), loaded in _FILES.items():
        if getattr(loaded, qualified, None) is function:
            path = Path(file)
            return f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}:{qualified}"
    return qualified.rpartition(".")[2]


_PUBLIC = ("jax.nn", "jax.numpy", "jax.nn.initializers", "flax.linen", "optax")
"""Where people find what lives in a module of another name."""


def load(name: str, example: str = "my_parts:swish") -> Callable[..., Any]:
    """The function of a name such as ``module:function`` or ``path/to/file.py:function``.

    Modules are looked for in the working directory first. A file is run again only once it has changed.

    Args:
        name: of the function.
        example: a name such as it could be, for a message.

    Raises:
        UserError: when there is no such module, file or function, or importing it fails.
    """
    module_name, colon, function_name = name.rpartition(":")
    if not colon or not module_name or not function_name:
        raise UserError(f"{name!r} must be module:function, such as {example}")
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


_FILES: dict[tuple[str, str], ModuleType] = {}
"""Files that were run, by their path and content: a function that hasn't changed is the same one again."""


def _file(name: str) -> ModuleType:
    path = Path(name).expanduser()
    folder = str(path.parent.resolve())
    spec = importlib.util.spec_from_file_location(f"{path.stem} in {folder}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        near = _nearest(path.name, [file.name for file in path.parent.glob("*.py")])
        raise UserError(f"there is no file {name}{near}")
    main = sys.modules.get("__main__")
    if main is not None and path.resolve() == Path(getattr(main, "__file__", None) or "").resolve():
        return main  # the script that runs: once is enough
    key = (str(path.resolve()), hashlib.sha256(path.read_bytes()).hexdigest())
    if key in _FILES:
        return _FILES[key]
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    if folder not in sys.path:
        sys.path.insert(0, folder)  # the file may import its neighbours
    _FILES[key] = module  # before it runs, lest a file that names itself runs without end
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del _FILES[key]
        raise UserError(f"importing {name} raises {describe(error)}") from None
    return module


def _nearest(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def _source_hash(function: Callable[..., Any]) -> str:
    plain = inspect.unwrap(function.func if isinstance(function, functools.partial) else function)
    if not (inspect.isfunction(plain) or inspect.isclass(plain)):
        plain = type(plain)
    try:
        text = Path(inspect.getsourcefile(plain) or "").read_bytes()
    except (TypeError, OSError):
        try:
            text = inspect.getsource(plain).encode()
        except (TypeError, OSError):
            text = getattr(getattr(plain, "__code__", None), "co_code", b"")
    return hashlib.sha256(text).hexdigest()


def takes(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The arguments of a function, by name; empty where it doesn't tell."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def tried(kind: str, name: object, attempt: Callable[[], Any], must: str) -> Any:
    """What a user's function gives for made-up arguments, without computing anything.

    Args:
        kind, name: of the part, for a message.
        attempt: calls the function under `jax.eval_shape`.
        must: what the function must be.

    Raises:
        UserError: where it raises anything.
    """
    if isinstance(name, Part) and name.lost:
        raise UserError(f"{name} {name.lost}")
    try:
        return attempt()
    except UserError:
        raise
    except Exception as error:
        traced = "Tracer" in type(error).__name__ or "Concretization" in type(error).__name__
        why = "it computes with NumPy or Python what JAX must trace" if traced else f"it raises {describe(error)}"
        raise UserError(f"the {kind} {name} doesn't fit: {why}; it must be {must}") from error


def describe(error: BaseException) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {first_line(error)}"


def first_line(error: BaseException) -> str:
    """The first line of what an exception says."""
    return (str(error).strip() or "no message").splitlines()[0]
