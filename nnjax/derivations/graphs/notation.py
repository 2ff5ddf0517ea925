"""Operations and numbers as one writes them: a·b for ``mul``, ln x for ``log``, 20.0855."""

from collections.abc import Sequence
from typing import Any

import numpy as np

SHOWN = 6
"""Arrays of more entries are given by their shape and range."""

# Each operand stands at its number.
_FORMS = {
    "abs": "|{0}|",
    "add": "{0} + {1}",
    "add_any": "{0} + {1}",
    "and": "{0} and {1}",
    "cbrt": "∛{0}",
    "clamp": "clip({1}, {0}, {2})",
    "div": "{0} / {1}",
    "eq": "{0} = {1}",
    "erf_inv": "erf⁻¹({0})",
    "exp2": "2^{0}",
    "expm1": "exp({0}) − 1",
    "ge": "{0} ≥ {1}",
    "gt": "{0} > {1}",
    "le": "{0} ≤ {1}",
    "log": "ln {0}",
    "log1p": "ln(1 + {0})",
    "logistic": "σ({0})",
    "lt": "{0} < {1}",
    "mul": "{0}·{1}",
    "ne": "{0} ≠ {1}",
    "neg": "−{0}",
    "not": "not {0}",
    "or": "{0} or {1}",
    "pow": "{0}^{1}",
    "reduce_max": "max {0}",
    "reduce_min": "min {0}",
    "reduce_prod": "Π {0}",
    "reduce_sum": "Σ {0}",
    "rsqrt": "1 / √{0}",
    "sqrt": "√{0}",
    "square": "{0}²",
    "sub": "{0} − {1}",
}
_WORDS = {
    "broadcast_in_dim": "broadcast",
    "concatenate": "concat",
    "convert_element_type": "cast",
    "custom_jvp_call": "rule",
    "custom_vjp_call": "rule",
    "stop_gradient": "stop",
}
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def operation_text(eqn: Any, operands: Sequence[str]) -> str:
    """What one equation of a jaxpr computes, such as "a·b", with its operands' names as they are given.

    Operations without a form of their own are written as a call: "sin(x)", "reshape(x)".
    """
    kind = eqn.primitive.name
    if kind in _FORMS:
        # A call such as clip(a, −1, 1) needs no brackets around a negative number; a·(−1) does.
        infix = "," not in _FORMS[kind]
        return _FORMS[kind].format(*(f"({a})" if infix and a.startswith("−") else a for a in operands))
    if kind == "integer_pow":
        return operands[0] + str(eqn.params["y"]).translate(_SUPERSCRIPTS)
    if kind == "select_n" and len(operands) == 3:  # the condition, where it is false, where it is true
        return f"{operands[2]} if {operands[0]} else {operands[1]}"
    if kind == "dot_general":
        return _product(eqn, operands)
    if kind == "transpose" and eqn.params["permutation"] == (1, 0):
        return f"{operands[0]}ᵀ"
    if kind == "slice":
        return f"{operands[0]}[{_slice(eqn.params)}]"
    if "call_jaxpr" in eqn.params:  # a function with a rule of its own
        return f"{_function_name(eqn)}({', '.join(operands)})"
    return f"{_WORDS.get(kind, kind)}({', '.join(operands)})"


def format_value(value: Any, shown: int = SHOWN) -> str:
    """A number to six significant digits, a small array by its entries, a larger one by shape and range.

    "–" for None: there is no such value. Arrays of more than ``shown`` entries count as large.
    """
    if value is None:
        return "–"
    array = np.asarray(value)
    if not array.ndim:
        return _number(array)
    if array.size <= shown:
        return _entries(array)
    shape = "×".join(map(str, array.shape))
    return f"[{shape}: {_number(array.min())} … {_number(array.max())}]"


def _entries(array: Any) -> str:
    return "[" + ", ".join(_entries(row) if array.ndim > 1 else _number(row) for row in array) + "]"


def _number(value: Any) -> str:
    if np.asarray(value).dtype == bool:
        return "true" if value else "false"
    if np.asarray(value).dtype.kind in "iu":
        return str(value).replace("-", "−")
    text = f"{float(value):.6g}"
    return text.replace("-", "−").replace("inf", "∞") if text != "-0" else "0"


def _product(eqn: Any, operands: Sequence[str]) -> str:
    (contracted, batch), (a, b) = eqn.params["dimension_numbers"], operands
    dims = [len(var.aval.shape) for var in eqn.invars]
    left, right = (tuple(axes) for axes in contracted)
    if any(batch) or max(dims) > 2 or len(left) != 1:
        return f"dot({a}, {b})"
    if dims == [1, 1]:
        return f"{a}ᵀ{b}"
    # The last axis of the left operand meets the first of the right one, or else it is transposed.
    a = a if left == (dims[0] - 1,) else f"{a}ᵀ"
    b = b if right == (0,) else f"{b}ᵀ"
    return f"{a} @ {b}"


def _slice(params: Any) -> str:
    steps = params["strides"] or (1,) * len(params["start_indices"])
    return ", ".join(
        f"{start}:{stop}" if step == 1 else f"{start}:{stop}:{step}"
        for start, stop, step in zip(params["start_indices"], params["limit_indices"], steps, strict=True)
    )


def _function_name(eqn: Any) -> str:
    closed = eqn.params["call_jaxpr"]
    info = getattr(closed, "jaxpr", closed).debug_info
    name = info.func_name if info else ""
    return name if name.isidentifier() else _WORDS.get(eqn.primitive.name, eqn.primitive.name)
