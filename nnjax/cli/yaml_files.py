"""Configuration files: YAML whose names are the fields of `nnjax.config.Config`, and beside them `SECTIONS`."""

import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from nnjax.config import Config, check_field, flatten
from nnjax.validation import UserError, cut, short

SECTIONS = {"axes": "nnjax sweep", "space": "nnjax search", "search": "nnjax search"}
"""What a file may hold beside fields, and the command that it is for."""
MOST_BYTES = 10_000_000
"""The largest file that is read; a thousand settings take some 100 kB."""
MOST_NODES = 100_000
"""How many values and names a text may hold, counted again wherever an alias stands for them."""
DEEPEST = 100
"""How deep brackets may stand in brackets."""


def read_file(path: str) -> dict[str, Any]:
    """The fields of the configuration that a YAML file sets, nested ones by their dotted name, and its sections.

    Raises:
        UserError: in one sentence, for a file that can't be read, or a name that is no field.
    """
    values = read_yaml(_read_text(path), path, lines=True)
    if values is None:  # all comments
        return {}
    if not isinstance(values, Mapping):
        raise UserError(
            f"{path} holds {short(values)}, and must hold names with values, such as learning_rate: 0.1"
        )
    flat = flatten(values)
    for name, value in flat.items():
        try:
            check_field(name, SECTIONS)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        check_list(name, value)
    return flat


def read_yaml(text: str, source: str, *, lines: bool = False) -> Any:
    """The value in a YAML text.

    Args:
        text: the YAML.
        source: what a message calls it.
        lines: whether it is a file, whose lines a message names.

    Raises:
        UserError: in one sentence, for what is no YAML, a mapping with a name twice or one that is no word, an
            alias for what it stands in, or more than `MOST_NODES` values.
    """
    source = source if lines else cut(source)
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}," if lines and error.problem_mark else ""
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        raise UserError(f"{source}{line} is no YAML that can be read: {cut(problem, 200)}") from None
    except yaml.reader.ReaderError as error:
        raise UserError(
            f"{source} is no YAML that can be read: it has the character {error.character:#x}"
        ) from None
    except Exception as error:
        # Whatever PyYAML's constructors stumble over: a word that is tagged as a number, ….
        raise UserError(f"{source} is no YAML that can be read: {cut(str(error), 200)}") from None


def check_list(name: str, value: Any) -> None:
    """Refuse a text of numbers for a field that takes a list of them, and say how a list is written.

    Raises:
        UserError: naming the field and its value.
    """
    hint = typing.get_type_hints(Config).get(name)
    takes = [part for part in (hint, *typing.get_args(hint)) if typing.get_origin(part) is tuple]
    if not takes or not isinstance(value, str) or not _NUMBERS.fullmatch(value):
        return
    words = re.split(r"[\s,;x]+", value.strip("()"))
    example = ", ".join(words if all(map(_is_number, words)) else ("0", "1", "2"))
    raise UserError(f"{name} is {short(value)}, and a list is written in brackets: [{cut(example)}]")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which reads YAML 1.1, with the plain values of the core schema of YAML 1.2.

    So 010 is ten, and yes, off, 1:10 and 2024-12-31 are texts. Three things of 1.1 that can't be mistaken stay:
    1_000 is a thousand, << merges mappings, and of tags there are those of the core schema. None is Python's None,
    which sweep agents write. A mapping has words for names, none twice.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.depth = 0
        self.nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        self.nodes += 1
        if self.depth > DEEPEST:
            _complain(f"brackets or indented lines stand more than {DEEPEST} deep", self.peek_event())
        if self.nodes > MOST_NODES:
            _complain(f"it holds more than {MOST_NODES} values and names", self.peek_event())
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        names = set()
        # Here and not where a mapping is constructed: there, what it merges has its names among them.
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.tag != "tag:yaml.org,2002:str":
                _complain("a name must be a word", key)
            if key.value in names:
                _complain(f"{short(key.value)} is set twice", key)
            names.add(key.value)
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Put what a mapping merges among its own names, which win, as does what is merged first.

        PyYAML's own (6.0.4) lets a mapping's merged values win over its own where a third one merges it.
        """
        own: list[tuple[yaml.Node, yaml.Node]] = []
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if key.tag != "tag:yaml.org,2002:merge":
                own.append((key, value))
                continue
            for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(source, yaml.MappingNode):
                    _complain("<< merges a mapping or a list of mappings, and nothing else", source)
                self.flatten_mapping(source)
                for pair in source.value:
                    merged.setdefault(pair[0].value, pair)
        for key, _ in own:
            merged.pop(key.value, None)
        node.value = [*merged.values(), *own]

    def get_single_node(self) -> Any:
        node = super().get_single_node()
        if node is not None:
            _count(node, {}, set())
        return node


def _count(node: yaml.Node, counted: dict[int, int], above: set[int]) -> int:
    """How many values and names a node holds, aliases written out; each node is gone through once."""
    if id(node) in counted:
        return counted[id(node)]
    if id(node) in above:
        _complain("an alias stands inside of what it stands for", node)
    above.add(id(node))
    children = (
        [child for pair in node.value for child in pair] if isinstance(node, yaml.MappingNode) else node.value
    )
    total = 1
    for child in children if isinstance(node, yaml.CollectionNode) else ():
        total += _count(child, counted, above)
    if total > MOST_NODES:
        _complain(f"with its aliases written out it holds more than {MOST_NODES} values and names", node)
    above.remove(id(node))
    counted[id(node)] = total
    return total


def _complain(problem: str, where: Any) -> typing.NoReturn:
    raise yaml.MarkedYAMLError(problem=problem, problem_mark=where.start_mark)


def _read_text(path: str) -> str:
    file = Path(path).expanduser()
    try:
        endless = file.exists() and not file.is_file() and not file.is_dir()
        content = b"" if endless else _read_bytes(file)
    except FileNotFoundError:
        raise UserError(f"there is no configuration file {path}") from None
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}") from None
    except ValueError as error:  # a zero byte in its name
        raise UserError(f"{short(path)} can't be read: {error}") from None
    if endless:
        raise UserError(f"{path} is a pipe or a device, and a configuration is read from a file")
    if len(content) > MOST_BYTES:
        raise UserError(f"{path} has more than {MOST_BYTES // 10**6} MB, and a configuration has less")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8: byte {error.start} can't be read") from None


def _read_bytes(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(MOST_BYTES + 1)


def _whole_number(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = node.value.replace("_", "")
    sign, digits = (text[0], text[1:]) if text[:1] in "+-" else ("", text)
    if len(digits) > 1000:
        _complain(f"a whole number has {len(digits)} digits", node)
    base = {"0x": 16, "0o": 8}.get(digits[:2], 10)
    return int(sign + (digits[2:] if base != 10 else digits), base)


def _number(loader: _Loader, node: yaml.ScalarNode) -> float:
    text = node.value.replace("_", "").lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


def _truth(loader: _Loader, node: yaml.ScalarNode) -> bool:
    if node.value.lower() not in ("true", "false"):
        _complain(f"{short(node.value)} is neither true nor false", node)
    return node.value.lower() == "true"


# The core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), with 1_000 and None beside it.
_PLAIN = {
    "null": (r"~|null|Null|NULL|None|", "~nN"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?\d+(_\d+)*|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (
        r"[-+]?(\.\d+|\d+(_\d+)*(\.(\d+(_\d+)*)?)?)([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    "merge": (r"<<", "<"),
}
_Loader.yaml_implicit_resolvers = {}
for _tag, (_pattern, _first) in _PLAIN.items():
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"({_pattern})$", re.ASCII), [*_first, *([""] * (_tag == "null"))]
    )

# Tags that are written out; those of other types (!!set, !!binary, !!timestamp, …) have no place here.
_CORE = ("null", "str", "seq", "map")
_Loader.yaml_constructors = {
    tag: construct
    for tag, construct in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.rpartition(":")[2] in _CORE
}
_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Loader.add_constructor("tag:yaml.org,2002:bool", _truth)

_NUMBERS = re.compile(r"\(?\s*-?\d+\s*([-:;,.x\s]+\d+\s*)+\)?|range\([\d\s,]+\)")
"""What people write for a list of numbers: 1:10, 1-10, 0..9, 64,32, 64 32, 64x32, (64, 32), range(10)."""


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
