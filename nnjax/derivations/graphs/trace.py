"""The forward pass of a computation graph: a jaxpr, run operation by operation at the inputs' values."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.extend import core

Kind = Literal["input", "constant", "operation"]

# What these call is written into the graph. Functions with a derivative rule of their own (custom_jvp,
# custom_vjp) stay one node instead: the chain rule through their inside needn't give what their rule says
# (relu at 0, clipped gradients), and jax.grad follows the rule.
_INLINED = {
    "checkpoint": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
}


class Constant(NamedTuple):
    array: Any


Operand = int | Constant  # a step by its number, or a value that doesn't depend on the inputs


class Step(NamedTuple):
    """A node before it has a name."""

    kind: Kind
    array: Any
    eqn: Any = None
    operands: tuple[Operand, ...] = ()
    place: int = 0  # which of the operation's results

    @property
    def sources(self) -> list[int]:
        """The steps that it uses, each once."""
        return list(dict.fromkeys(operand for operand in self.operands if isinstance(operand, int)))

    @property
    def has_adjoint(self) -> bool:
        """Whether the output can have a derivative in it."""
        return self.kind != "constant" and jnp.issubdtype(self.array.dtype, jnp.floating)


class Trace:
    """The forward pass: a jaxpr, run operation by operation at the inputs' values."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.constants: dict[int, int] = {}  # the step of a constant array, by the array's identity

    def add(self, step: Step) -> int:
        """The number of a new step."""
        self.steps.append(step)
        return len(self.steps) - 1

    def array(self, operand: Operand) -> Any:
        """The value of an operand."""
        return self.steps[operand].array if isinstance(operand, int) else operand.array

    def run(self, jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Operand]) -> list[Operand]:
        """A program's results; its operations become steps."""
        known: dict[Any, Operand] = dict(zip(jaxpr.invars, arguments, strict=True))
        known |= {var: Constant(const) for var, const in zip(jaxpr.constvars, consts, strict=True)}

        def read(atom: Any) -> Operand:
            return Constant(atom.val) if isinstance(atom, core.Literal) else known[atom]

        for eqn in jaxpr.eqns:
            results = self.operation(eqn, [read(atom) for atom in eqn.invars])
            known.update(zip(eqn.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def operation(self, eqn: Any, operands: list[Operand]) -> Sequence[Operand]:
        """The results of one equation, opened where it calls a program."""
        kind = eqn.primitive.name
        if kind in _INLINED:
            inner = eqn.params[_INLINED[kind]]
        elif kind == "cond":
            branches = eqn.params["branches"]
            inner = branches[int(np.clip(self.array(operands[0]), 0, len(branches) - 1))]
            operands = operands[1:]
        else:
            return self.simple_operation(eqn, operands)
        # remat holds a jaxpr that isn't closed: it has no constants of its own.
        return self.run(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), operands)

    def simple_operation(self, eqn: Any, operands: list[Operand]) -> Sequence[Operand]:
        """The results of an operation as steps; constants where it uses no step."""
        arrays = [self.array(operand) for operand in operands]
        results = bind(eqn, arrays)
        if not any(isinstance(operand, int) for operand in operands):
            return [Constant(result) for result in results]
        if eqn.primitive.name in ("convert_element_type", "copy") and results[0].dtype == arrays[0].dtype:
            return operands  # tells JAX how to promote, and changes nothing
        used = tuple(self.shown(operand) for operand in operands)
        return [self.add(Step("operation", result, eqn, used, place)) for place, result in enumerate(results)]

    def shown(self, operand: Operand) -> Operand:
        """The operand, where a constant with different entries becomes a node; others are written as a number."""
        if isinstance(operand, int) or np.all(np.ravel(operand.array)[1:] == np.ravel(operand.array)[:-1]):
            return operand
        key = id(operand.array)
        if key not in self.constants:
            self.constants[key] = self.add(Step("constant", operand.array))
        return self.constants[key]


def bind(eqn: Any, arrays: Sequence[Any]) -> list[Any]:
    """The results of one operation, as `jax.core.eval_jaxpr` computes them."""
    results = eqn.primitive.bind(*arrays, **eqn.primitive.get_bind_params(eqn.params))
    return list(results) if eqn.primitive.multiple_results else [results]
