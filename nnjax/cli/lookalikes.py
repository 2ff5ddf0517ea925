"""Letters for terminals that have fewer: − becomes -, η eta, and what has no likeness a question mark."""

import codecs
import unicodedata

NAME = "nnjax.lookalikes"
"""As which streams know it: ``stream.reconfigure(errors=NAME)``."""

LOOKALIKES = {
    **dict.fromkeys("−–‐‑⁻", "-"),
    **dict.fromkeys("·∙•⋅", "*"),
    **dict.fromkeys("‘’′‚", "'"),
    **dict.fromkeys("“”„«»″", '"'),
    **dict.fromkeys("\N{NO-BREAK SPACE}\N{THIN SPACE}\N{NARROW NO-BREAK SPACE}", " "),
    "—": "--",
    "×": "x",
    "±": "+-",
    "†": "+",
    "∓": "-+",
    "…": "...",
    "‖": "||",
    "∂": "d",
    "∇": "grad ",
    "√": "sqrt",
    "∛": "cbrt",
    "∞": "inf",
    "∑": "sum ",
    "∏": "prod ",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
    "▾": "v",
    "→": "->",
    "←": "<-",
    "⊙": "(.)",
    "⊗": "(x)",
    "∈": " in ",
    "⌊": "floor(",
    "⌈": "ceil(",
    "⌋": ")",
    "⌉": ")",
    "µ": "u",  # micro, as in µs
    "ß": "ss",
    "│": "|",
    "─": "-",
    "█": "#",
}


def lookalike(letter: str) -> str:
    """What stands for a letter in ASCII."""
    if letter in LOOKALIKES:
        return LOOKALIKES[letter]
    plain = unicodedata.normalize("NFKD", letter).replace("⁄", "/")
    ascii_part = plain.encode("ascii", "ignore").decode()
    if ascii_part:  # é, ½, ², ᵀ: a raised one isn't a factor or a part of the name before it
        return f"^{ascii_part}" if unicodedata.decomposition(letter).startswith("<super>") else ascii_part
    if unicodedata.combining(letter):
        return ""
    script, _, words = unicodedata.name(letter, "").partition(" ")
    if script == "GREEK" and " LETTER " in words:
        case, _, name = words.partition(" LETTER ")
        name = name.split()[0].replace("LAMDA", "LAMBDA")
        return name.capitalize() if case == "CAPITAL" else name.lower()
    return "?"


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(lookalike, error.object[error.start : error.end])), error.end


codecs.register_error(NAME, _replace)
