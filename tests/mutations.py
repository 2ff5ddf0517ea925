"""The mutation list: systematic mistakes, made in the source of every formula wherever they can be made.

Each operator says which class of mistake it makes, or None where it has no name. None of them looks at a formula's
meaning. A mutant that doesn't run, or can't be told from the formula at any finite point, is no planted mistake:
see `battery`.
"""

import ast
import copy
import inspect
import textwrap
import types
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax.numpy as jnp

from nnjax.derivations import backprop, matrices, xor
from nnjax.derivations import softmax as softmax_module
from nnjax.gradcheck.catalogue import formulas
from nnjax.gradcheck.formula import Formula

TWO_LAYERS = ("gelu → softmax → mse", "scaled sigmoid → scaled sigmoid → binary cross entropy")
DEEP_LESS = ("plain, cross entropy", "residual, mse", "dropout, binary cross entropy")


class Mutant(NamedTuple):
    """A formula with one mistake planted in one of the functions that it is made of."""

    formula: Formula
    module: types.ModuleType
    function: str
    operator: str
    kind: str | None  # the class of the mistake, where it has one
    source: str

    @property
    def name(self) -> str:
        return f"{self.formula.name} | {self.function} | {self.operator}"

    def build(self) -> Callable:
        scope = dict(vars(self.module)) | {"naive_softmax": _naive_softmax}
        exec(compile(self.source, f"<mutant of {self.function}>", "exec"), scope)
        return scope[self.function]


def _naive_softmax(z):
    return jnp.exp(z) / jnp.sum(jnp.exp(z))


def mutants() -> list[Mutant]:
    """One for every operator and place; a function that serves several formulas is mutated once for them all.

    Back-propagation is mutated where it has most branches: through an elementwise output and through a softmax,
    and with residual connections and dropout together.
    """
    seen: set[tuple[str, str, str]] = set()
    found = []
    for formula in formulas():
        if ("→" in formula.name and formula.name not in TWO_LAYERS) or formula.name.endswith(DEEP_LESS):
            continue
        for module, function in _functions(formula):
            tree = ast.parse(textwrap.dedent(inspect.getsource(getattr(module, function))))
            definition = tree.body[0]
            assert isinstance(definition, ast.FunctionDef)
            definition.decorator_list = []
            _strip_annotations(definition)
            for operator, kind, source in _mutate(tree, formula):
                key = (module.__name__, function, source + formula.name * (formula.name in TWO_LAYERS))
                if key not in seen:
                    seen.add(key)
                    found.append(Mutant(formula, module, function, operator, kind, source))
    return found


def _functions(formula: Formula) -> list[tuple[types.ModuleType, str]]:
    hand = formula.hand
    if "<locals>" in hand.__qualname__:
        made_of = {"two_layer_backward", "deep_backward", "composed_gradients", "compose_linear"}
        return [
            (xor if name == "output_jacobian" else backprop, name)
            for name in hand.__code__.co_names
            if name in made_of | {"output_jacobian"}
        ]
    functions = [(inspect.getmodule(hand), hand.__name__)]
    if hand is softmax_module.softmax_jacobian:
        functions.append((softmax_module, "softmax"))
    if hand is matrices.matmul_rows_w:
        functions.append((matrices, "commutation"))
    return functions


def _strip_annotations(definition: ast.FunctionDef) -> None:
    # A mutant may break the promised shapes: the checker is to say so, not the annotations.
    definition.returns = None
    for argument in definition.args.args:
        argument.annotation = None
    definition.body = definition.body[1:]  # the docstring


def _mutate(tree: ast.Module, formula: Formula) -> Iterator[tuple[str, str | None, str]]:
    for number, node in enumerate(ast.walk(tree)):
        for operator, kind, change in _changes(node, formula):
            mutated = copy.deepcopy(tree)
            target = next(n for i, n in enumerate(ast.walk(mutated)) if i == number)
            change_target = change(target)
            if change_target is not None:
                _replace(mutated, target, change_target)
            ast.fix_missing_locations(mutated)
            yield f"{operator} at {ast.unparse(node)[:60]!r}", kind, ast.unparse(mutated)


def _changes(node: ast.AST, formula: Formula) -> Iterator[tuple[str, str | None, Callable]]:
    """The operators that apply to a node: a name, the class of the mistake, and the change or what replaces it."""
    match node:
        case ast.Return(value=ast.expr()) if not formula.wrt or isinstance(formula.wrt, str):
            yield "negate", "sign", lambda n: setattr(n, "value", ast.UnaryOp(ast.USub(), n.value))
            yield "double", "factor", lambda n: setattr(n, "value", _times(2, n.value))
            yield "new axis", "shape", lambda n: setattr(n, "value", _call("jnp.expand_dims", n.value, "0"))
            yield "mean for sum", "batch", lambda n: setattr(n, "value", _over_size(n.value))
            if formula.form in ("rows", "columns") or "Jacobian" in formula.name or formula.name == "Xw in w":
                yield "transpose", "transposed", lambda n: setattr(n, "value", _call("jnp.transpose", n.value))
            if formula.form in ("jacobian", "rows", "columns"):
                yield "ravel", "shape", lambda n: setattr(n, "value", _call("jnp.ravel", n.value))
        case ast.Assign(value=ast.expr()) if formula.wrt and not isinstance(formula.wrt, str):
            yield "negate", "sign", lambda n: setattr(n, "value", ast.UnaryOp(ast.USub(), n.value))
            yield "double", "factor", lambda n: setattr(n, "value", _times(2, n.value))
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            other = ast.Sub if isinstance(node.op, ast.Add) else ast.Add
            yield "other sign", "sign", lambda n: setattr(n, "op", other())
            yield (
                "drop first term",
                "term",
                lambda n: n.right if isinstance(n.op, ast.Add) else ast.UnaryOp(ast.USub(), n.right),
            )
            yield "drop second term", "term", lambda n: n.left
        case ast.BinOp(op=ast.Div()):
            yield "drop divisor", _divisor_kind(node.right), lambda n: n.left
            yield "multiply for divide", None, lambda n: setattr(n, "op", ast.Mult())
        case ast.BinOp(op=ast.Mult()):
            yield "drop first factor", _factor_kind(node.left), lambda n: n.right
            yield "drop second factor", _factor_kind(node.right), lambda n: n.left
        case ast.BinOp(op=ast.MatMult()):
            order = "order" if "commutation" in ast.unparse(node.right) else None
            yield "drop second matrix", order, lambda n: n.left
            yield "exchange matrices", None, lambda n: ast.BinOp(n.right, n.op, n.left)
        case ast.UnaryOp(op=ast.USub()):
            yield "drop minus", "sign" if not isinstance(node.operand, ast.Constant) else None, lambda n: n.operand
        case ast.Compare(ops=[ast.Gt() | ast.GtE() | ast.Lt() | ast.LtE()]):
            pairs = {ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Lt: ast.LtE, ast.LtE: ast.Lt}
            yield "other side of the kink", "kink", lambda n: setattr(n, "ops", [pairs[type(n.ops[0])]()])
        case ast.Attribute(attr="T"):
            yield "drop transpose", None, lambda n: n.value
        case ast.Constant(value=float() as value):
            yield "double constant", None, lambda n: setattr(n, "value", 2 * value + (value == 0))
        case ast.Subscript(slice=ast.Tuple(elts=[ast.Slice(), ast.Constant(value=None)])):
            yield "other index", "index", lambda n: n.slice.elts.reverse()
        case ast.Subscript(slice=ast.Tuple(elts=[ast.Constant(value=None), ast.Slice()])):
            yield "other index", "index", lambda n: n.slice.elts.reverse()
        case ast.IfExp():
            yield "always the first", None, lambda n: n.body
            yield "always the second", None, lambda n: n.orelse
        case ast.Call():
            yield from _call_changes(node)


def _call_changes(node: ast.Call) -> Iterator[tuple[str, str | None, Callable]]:
    match ast.unparse(node.func):
        case "jnp.sum":
            yield "mean for sum", "batch", lambda n: setattr(n, "func", _name("jnp.mean"))
        case "jnp.kron":
            yield "exchange Kronecker factors", "order", lambda n: n.args.reverse()
        case "jnp.outer" | "jnp.dot":
            yield (
                "ones for second vector",
                None,
                lambda n: n.args.__setitem__(1, _call("jnp.ones_like", n.args[1])),
            )
        case "softmax":
            yield "naive softmax", "unstable", lambda n: setattr(n, "func", _name("naive_softmax"))
        case "jax.nn.sigmoid":
            yield (
                "naive sigmoid",
                "unstable",
                lambda n: (
                    ast.parse(
                        f"(jnp.exp({ast.unparse(n.args[0])}) / (1 + jnp.exp({ast.unparse(n.args[0])})))",
                        mode="eval",
                    ).body
                ),
            )
        case "jnp.tanh":
            yield (
                "naive tanh",
                "unstable",
                lambda n: (
                    ast.parse(
                        f"(jnp.sinh({ast.unparse(n.args[0])}) / jnp.cosh({ast.unparse(n.args[0])}))", mode="eval"
                    ).body
                ),
            )
        case "jnp.einsum":
            inputs, output = node.args[0].value.split("->")
            for i in range(len(output) - 1):
                swapped = output[:i] + output[i + 1] + output[i] + output[i + 2 :]
                yield "swap indices", "index", lambda n, s=swapped: setattr(n.args[0], "value", f"{inputs}->{s}")
            half = len(output) // 2
            if len(output) % 2 == 0:
                turned = output[half:] + output[:half]
                yield "input × output", "transposed", lambda n: setattr(n.args[0], "value", f"{inputs}->{turned}")


def _factor_kind(factor: ast.expr) -> str | None:
    return "factor" if isinstance(factor, ast.Constant) else None


def _divisor_kind(divisor: ast.expr) -> str | None:
    if isinstance(divisor, ast.Constant):
        return "factor"
    return "batch" if any(word in ast.unparse(divisor) for word in ("shape", "batch", "classes")) else None


def _times(number: int, value: ast.expr) -> ast.expr:
    return ast.BinOp(ast.Constant(number), ast.Mult(), value)


def _call(function: str, value: ast.expr, *rest: str) -> ast.expr:
    return ast.Call(_name(function), [value, *(_name(argument) for argument in rest)], [])


def _over_size(value: ast.expr) -> ast.expr:
    return ast.parse(f"(lambda a: a / a.shape[0] if a.ndim else a)({ast.unparse(value)})", mode="eval").body


def _name(dotted: str) -> ast.expr:
    return ast.parse(dotted, mode="eval").body


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
                return
            if isinstance(value, list) and any(item is old for item in value):
                value[[item is old for item in value].index(True)] = new
                return
