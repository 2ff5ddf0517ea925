"""Tables as text: comma-separated files and their like, of whichever dialect.

What a file doesn't say of itself is found in its first lines: the separator (tab, semicolon, bar, comma, spaces),
whether a header is there, and whether numbers have a decimal comma.
"""

import csv
import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nnjax.data.arrays import is_number, short
from nnjax.parts import first_line
from nnjax.validation import UserError, cut

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = ("\t", ";", "|", ",", " ")
"""In the order in which they are taken where several fit: a decimal comma fits wherever its number does."""
SAMPLE = 100
"""Rows by which a separator is found."""
MISSING = ["?", "."]
"""What stands for a missing value, beside what pandas takes for one (nothing, NA, N/A, NaN, null, None, …)."""
DECIMAL_COMMA = r"[-+]?\d+(,\d+)?([eE][-+]?\d+)?"


class Layout(NamedTuple):
    """How a text is written."""

    separator: str
    header: bool
    names: list[str]
    """Of the columns; 0, 1, 2, … where there is no header."""


def read_text(path: Path, content: bytes) -> "pd.DataFrame":
    """The table in the bytes of a text file; columns are numbers, truths or texts, as pandas finds them.

    Raises:
        UserError: for what is no text in UTF-8 or UTF-16, has no rows, or a row of another length than the others.
    """
    import pandas as pd

    text = decoded(path, content)
    layout = _layout(path, text)
    try:
        _check_rows(path, text, layout)
    except csv.Error as error:
        raise UserError(f"{path} can't be read as a table: {error}") from error
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=r"\s+" if layout.separator == " " else layout.separator,
            header=None,
            names=layout.names,
            skiprows=_blank_above(text) + layout.header,
            na_values=MISSING,
            skipinitialspace=True,
            index_col=False,
            low_memory=False,
        )
    except (ValueError, OverflowError) as error:  # a quotation mark that is left open, which csv lets pass
        raise UserError(f"{path} can't be read as a table: {cut(first_line(error))}") from error
    if layout.separator != ",":
        frame = frame.apply(_without_decimal_commas)
    return frame


def decoded(path: Path, content: bytes) -> str:
    """The text in the bytes of a file.

    Raises:
        UserError: for what is no text in UTF-8 or UTF-16, or empty.
    """
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        byte = content[error.start : error.start + 1].hex()
        raise UserError(
            f"{path} is no text in {encoding[:6].upper().rstrip('-')}: its byte {error.start} is {byte}; if it "
            f"is in another encoding, as of older spreadsheets, convert it: iconv -f CP1252 -t UTF-8 {path.name}"
        ) from None
    if "\0" in text:
        raise UserError(f"{path} is no text: it holds a zero byte at character {text.index(chr(0))}")
    if not text.strip():
        raise UserError(f"{path} is empty")
    return text


def _layout(path: Path, text: str) -> Layout:
    """The separator by which most of the first rows have one length, and whether the first of them is a header."""
    found: list[tuple[float, str]] = []
    for separator in SEPARATORS:
        widths = [len(row) for _, row in itertools.islice(_rows(text, separator), SAMPLE)]
        usual = max(set(widths), key=widths.count)
        found.append((widths.count(usual) / len(widths) if usual > 1 else 0, separator))
    share, separator = max(found, key=lambda pair: pair[0])
    separator = separator if share else ","
    (_, first), *others = itertools.islice(_rows(text, separator), SAMPLE)
    first = [name.strip() for name in first]
    header = _is_header(first if separator == "," else [name.replace(",", ".") for name in first])
    if not header:
        return Layout(separator, False, [str(place) for place in range(len(first))])
    if not others:
        raise UserError(f"{path} has a header and no rows below it")
    lengths = {len(row) for _, row in others}
    if lengths == {len(first) + 1}:
        # A separator at the end of each row, or running numbers or names in front without a name of their own.
        at_end = all(not row[-1].strip() for _, row in others)
        first = [*first, ""] if at_end else ["", *first]
    names = [name or f"unnamed {place}" for place, name in enumerate(first)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"{path} has two columns that are called {twice!r}: give one another name")
    return Layout(separator, True, names)


def _is_header(first: list[str]) -> bool:
    """Whether these are names, of which none is a number, or the running numbers of the columns."""
    runs = [[str(number) for number in range(start, start + len(first))] for start in (0, 1)]
    return (len(first) > 1 and first in runs) or not any(is_number(name) for name in first)


def _rows(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that aren't empty, each with the number of its last line."""
    if separator == " ":
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield number, line.split()
        return
    reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
    for row in reader:
        if row and (len(row) > 1 or row[0].strip()):
            yield reader.line_num, row


def _check_rows(path: Path, text: str, layout: Layout) -> None:
    """Refuse rows of another length: pandas would fill up short ones without a word."""
    width = len(layout.names)
    for number, row in itertools.islice(_rows(text, layout.separator), int(layout.header), None):
        if len(row) != width:
            raise UserError(
                f"{path}, line {number} has {len(row)} value{'s' * (len(row) != 1)}, and must have {width}, as "
                f"{'the header' if layout.header else 'the first line'}: {short(', '.join(layout.names))}"
            )


def _blank_above(text: str) -> int:
    """Empty lines above the first row: pandas counts them among those to be skipped."""
    return sum(1 for _ in itertools.takewhile(lambda line: not line.strip(), io.StringIO(text)))


def _without_decimal_commas(column: "pd.Series") -> "pd.Series":
    """A column of numbers with decimal commas as numbers, and any other as it is."""
    import pandas as pd

    if not pd.api.types.is_string_dtype(column.dtype):
        return column
    there = column.dropna().astype(str).str.strip()
    if there.empty or not there.str.fullmatch(DECIMAL_COMMA).all():
        return column
    return column.astype(str).str.strip().str.replace(",", ".").where(column.notna()).astype(float)
