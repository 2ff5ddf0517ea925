"""A traced program with a knob on every intermediate result: a factor, and a transposition where it is square.

At the factor 1 and without a transposition the program is what it was. The knobs are arguments of the compiled
program, so that all their settings run in one call.
"""

import itertools
import linecache
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from nnjax.derivations.graphs.trace import bind
from nnjax.gradcheck.autodiff import Array, fast_compile

Program = Callable[[Mapping[str, Any]], Any]
ADDING = ("add", "sub", "add_any")
TRANSPOSE = "transpose"
SETTINGS, ENTRIES = 512, 2**21
"""Settings of the knobs that are tried side by side, at most, and entries of an intermediate result over all."""


class Knob(NamedTuple):
    """A place in a program."""

    operation: str
    operand: int | None  # of the operation; None for its result
    square: bool
    file: str
    line: int

    @property
    def place(self) -> tuple[object, ...]:
        """What it is, whatever the sizes are."""
        return self.operation, self.operand, self.file, self.line

    def __str__(self) -> str:
        if self.operation == "argument":
            return f"the argument {self.file}"
        if self.operand is None:
            words = f"the result of {self.operation}"
        elif self.operation in ADDING:
            words = (
                f"the {('first', 'second')[self.operand]} term of the {'−' if self.operation == 'sub' else '+'}"
            )
        else:
            words = f"what goes into {self.operation}"
        return f"{words} in {self.source}" if self.file else words

    @property
    def source(self) -> str:
        """Its line, with the code."""
        code = linecache.getline(self.file, self.line).strip()
        return f"line {self.line}" + f", `{code}`" * bool(code)


class KnobbedProgram:
    """A traced program whose intermediate results are multiplied and transposed at run time."""

    def __init__(self, program: Program, values: Mapping[str, Any]) -> None:
        closed, out = jax.make_jaxpr(program, return_shape=True)(values)
        self._closed = closed
        self._tree = jax.tree.structure(out)
        self.knobs: list[Knob] = []

        self._names = sorted(values)  # the order in which a dict is flattened
        jax.eval_shape(lambda values: self._start(values, None), values)
        # As many settings side by side as memory has room for.
        largest = max((math.prod(var.aval.shape) for eqn in closed.eqns for var in eqn.outvars), default=1)
        beside = max(1, min(SETTINGS, ENTRIES // max(largest, 1)))

        def evaluate(values: Any, factors: Any, transposed: Any) -> Any:
            turned = (factors, transposed)
            return jax.lax.map(lambda knobs: self._program(values, *knobs), turned, batch_size=beside)

        self._evaluate = jax.jit(evaluate, compiler_options=fast_compile())

    def _program(self, values: Mapping[str, Any], factor: Any, transposed: Any) -> Any:
        position = itertools.count()

        def turn(array: Any, square: bool) -> Any:
            k = next(position)
            turned = array * factor[k].astype(array.dtype)
            return jnp.where(transposed[k], jnp.swapaxes(turned, -1, -2), turned) if square else turned

        return jax.tree.unflatten(self._tree, self._start(values, turn))

    def _start(self, values: Mapping[str, Any], turn: Any) -> list[Any]:
        arguments = [
            self._knob(Knob("argument", None, False, name, 0), x, turn) if _is_float(x) else x
            for name, x in zip(self._names, jax.tree.leaves(values), strict=True)
        ]
        return self._run(self._closed.jaxpr, self._closed.consts, arguments, turn)

    def evaluate(
        self, values: Mapping[str, Any], settings: Sequence[tuple[Sequence[int], float | str]]
    ) -> list[dict[str, Array]]:
        """The answers with some knobs turned, for each of the settings."""
        factor = np.ones((len(settings), len(self.knobs)))
        transposed = np.zeros(factor.shape, bool)
        for row, (group, setting) in enumerate(settings):
            if isinstance(setting, str):
                transposed[row, group] = True
            else:
                factor[row, group] = setting
        # Rows are padded to a power of two, so that few programs are compiled.
        pad = ((0, (1 << (len(settings) - 1).bit_length()) - len(settings)), (0, 0))
        turned = self._evaluate(values, np.pad(factor, pad), np.pad(transposed, pad))
        answers = jax.tree.map(np.asarray, turned)
        return [{name: array[row] for name, array in answers.items()} for row in range(len(settings))]

    def _run(self, jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any], turn: Any) -> list[Any]:
        """Evaluate a program; with ``turn`` None, only note where knobs are."""
        env: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
        env.update(zip(jaxpr.invars, arguments, strict=True))

        def read(atom: Any) -> Any:
            return env[atom] if isinstance(atom, core.Var) else jnp.asarray(atom.val, atom.aval.dtype)

        made: dict[Any, tuple[str, int]] = {}  # the line of each result
        uses = Counter(atom for eqn in jaxpr.eqns for atom in eqn.invars if isinstance(atom, core.Var))
        for eqn in jaxpr.eqns:
            inputs = [read(atom) for atom in eqn.invars]
            adding, place = eqn.primitive.name in ADDING, _user_line(eqn)
            for i, atom in enumerate(eqn.invars):
                # What is used once only has its knob where it is made.
                if _is_float(inputs[i]) and (adding or (isinstance(atom, core.Var) and uses[atom] > 1)):
                    # Autodiff adds up what comes from several lines: a term's line is where it was made.
                    of_term = made.get(atom, place) if eqn.primitive.name == "add_any" else place
                    inputs[i] = self._knob(
                        Knob(eqn.primitive.name, i, _is_square(inputs[i]), *of_term), inputs[i], turn
                    )
            inner = _inner(eqn)
            outputs = bind(eqn, inputs) if inner is None else self._run(inner.jaxpr, inner.consts, inputs, turn)
            outputs = [
                self._knob(Knob(eqn.primitive.name, None, _is_square(x), *place), x, turn) if _is_float(x) else x
                for x in outputs
            ]
            env.update(zip(eqn.outvars, outputs, strict=True))
            made.update(dict.fromkeys(eqn.outvars, place))
        return [read(atom) for atom in jaxpr.outvars]

    def _knob(self, knob: Knob, x: Any, turn: Any) -> Any:
        if turn is None:
            self.knobs.append(knob)
            return x
        return turn(x, knob.square)


def _inner(eqn: Any) -> Any:
    """The program inside a call (jit, custom derivatives), to be looked into; None for a simple operation."""
    if eqn.primitive.name in ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call"):
        for name in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
            if isinstance(eqn.params.get(name), core.ClosedJaxpr):
                return eqn.params[name]
    return None


def _is_float(x: Any) -> bool:
    return bool(jnp.issubdtype(x.dtype, jnp.floating))


def _is_square(x: Any) -> bool:
    return bool(x.ndim >= 2 and x.shape[-1] == x.shape[-2] > 1)


_CHECKER = {str(file) for file in Path(__file__).parent.glob("*.py")}


def _user_line(eqn: Any) -> tuple[str, int]:
    """The file and line that an operation was written in, outside of JAX and the checker; ("", 0) if unknown."""
    try:
        for frame in eqn.source_info.traceback.frames:
            if frame.file_name not in _CHECKER and not {"jax", "jaxlib"} & set(Path(frame.file_name).parts):
                return frame.file_name, frame.line_num
    except AttributeError:  # the form of a traceback is JAX's own business
        pass
    return "", 0
