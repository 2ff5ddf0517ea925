"""Configuration files: YAML whose names are the fields of `nnjax.config.Config`, and beside them ``axes``."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from nnjax.config import field_names, flatten, nearest
from nnjax.validation import UserError


def read_file(path: str) -> dict[str, Any]:
    """The fields of the configuration that a YAML file sets, nested ones by their dotted name, and its axes.

    Raises:
        UserError: in one sentence, for a file that can't be read, or a name that is no field.
    """
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"there is no configuration file {path}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8: byte {error.start} can't be read") from None
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}") from None
    values = read_yaml(text, path, lines=True)
    if values is None:  # all comments
        return {}
    if not isinstance(values, Mapping):
        raise UserError(
            f"{path} holds {_short(values)}, and must hold names with values, such as learning_rate: 0.1"
        )
    flat = flatten(values)
    known = [*field_names(), "axes"]
    for name in flat:
        if name not in known:
            raise UserError(f"{path}: {name!r} is not a field of the configuration{nearest(name, known)}")
    return flat


def read_yaml(text: str, source: str, *, lines: bool = False) -> Any:
    """The value in a YAML text.

    Args:
        text: the YAML.
        source: what a message calls it.
        lines: name the line in a message.

    Raises:
        UserError: in one sentence, for what is no YAML, or a mapping with a name twice or one that is no word.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}," if lines and error.problem_mark else ""
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        raise UserError(f"{source}{line} is no YAML that can be read: {problem}") from None
    except yaml.reader.ReaderError as error:
        raise UserError(
            f"{source} is no YAML that can be read: it has the character {error.character:#x}"
        ) from None
    except Exception as error:
        # Whatever PyYAML's constructors stumble over: a date in month 13, brackets in brackets in brackets, ….
        raise UserError(f"{source} is no YAML that can be read: {error}") from None


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, with three differences.

    1e-3 is a number (to YAML 1.1 it is text), None is Python's None, which sweep agents write, and a mapping has
    words for names, none twice.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.tag != "tag:yaml.org,2002:str":
                raise yaml.MarkedYAMLError(problem="a name must be a word", problem_mark=key.start_mark)
            if key.value in names:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} is set twice", problem_mark=key.start_mark)
            names.add(key.value)
        return super().construct_mapping(node, deep)


_EXPONENT = re.compile(r"[-+]?(\d[\d_]*\.?[\d_]*|\.\d+)[eE][-+]?\d+$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+.0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("None$"), ["N"])


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
