"""How the measure of a task is written: accuracies and F1 in percent, R² as it is."""

import numpy as np

from nnjax.tasks import Measure


def factor(measure: Measure) -> int:
    """What values are multiplied by where they are drawn or written."""
    return 100 if measure.percent else 1


def number(value: float, measure: Measure) -> str:
    """A value, a share in percent; a dash where there is none."""
    decimals = 2 if measure.percent else 3
    # Adding 0 after rounding makes zero of a negative zero.
    text = f"{round(factor(measure) * value, decimals) + 0:.{decimals}f}"
    return "–" if np.isnan(value) else text.replace("-", "−")


def with_unit(value: float, measure: Measure) -> str:
    """``97.25%``, or ``0.471``."""
    return f"{number(value, measure)}{'%' if measure.percent else ''}"


def difference(value: float, measure: Measure) -> str:
    """``0.50 percentage points``, or ``0.012``."""
    return f"{number(value, measure)}{' percentage points' if measure.percent else ''}"


def end(value: float, measure: Measure) -> str:
    """The end of an axis, of a value that is multiplied already: ``90%``, or ``0.12``."""
    return f"{value:.0f}%" if measure.percent else f"{value:.2g}".replace("-", "−")


def axis(measure: Measure) -> str:
    """``validation accuracy (%)``, or ``validation R²``."""
    return f"validation {measure.words}{' (%)' if measure.percent else ''}"


def heading(measure: Measure) -> str:
    """``Accuracy``, ``R²`` or ``Macro F1``, as a sentence or heading begins with it."""
    return measure.words[0].upper() + measure.words[1:]


def article(measure: Measure) -> str:
    """``an accuracy``, ``an R²`` or ``a macro F1``."""
    return f"{'an' if measure.words[0] in 'aR' else 'a'} {measure.words}"
