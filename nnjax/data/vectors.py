"""The vectors of words from a text file, as GloVe and word2vec publish them."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nnjax.data.frames import neighbours
from nnjax.validation import UserError


def read_vectors(file: str, words: Sequence[str]) -> np.ndarray:
    """The vectors [D, F] float32 of words, NaN for those that the file doesn't have.

    Args:
        file: a line for each word, it and its F numbers with spaces between them; before them there may be a line
            with the number of words and F, as word2vec writes it.
        words: D of them.

    Raises:
        UserError: for a file that isn't there, is of another kind, or has none of the words.
    """
    found = _of_words(Path(file).expanduser(), tuple(words))
    if np.isnan(found).all():
        raise UserError(f"{file} has a vector of none of the {len(words)} words: it must be in their language")
    return found


@functools.lru_cache(maxsize=2)
def _of_words(path: Path, words: tuple[str, ...]) -> np.ndarray:
    places = {word: place for place, word in enumerate(words)}
    found: np.ndarray | None = None
    length = 0
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                items = line.rstrip().split(" ")
                if number == 1 and len(items) == 2:  # word2vec says how many there are
                    continue
                if found is None:
                    length = len(items) - 1
                    found = np.full((len(words), length), np.nan, np.float32)
                if not 0 < length < len(items):
                    raise UserError(
                        f"{path}, line {number} has {len(items) - 1} numbers behind its word, and must have "
                        f"{length or 'some'}, as the first: it must be a text file of GloVe or word2vec"
                    )
                place = places.get(" ".join(items[:-length]))  # in some files words have spaces
                if place is not None:
                    try:
                        found[place] = [float(item) for item in items[-length:]]
                    except ValueError:
                        raise UserError(f"{path}, line {number} has behind its word what is no number") from None
    except FileNotFoundError:
        raise UserError(f"there is no file {path}{neighbours(path)}") from None
    except UnicodeDecodeError:
        raise UserError(
            f"{path} is no text in UTF-8, and must be a text file of GloVe or word2vec: word2vec's binary files "
            "are written as text by gensim's save_word2vec_format"
        ) from None
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror or error}") from error
    if found is None:
        raise UserError(f"{path} has no vectors")
    return found
