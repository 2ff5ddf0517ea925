"""What JAX says the Jacobian is, five ways: jacfwd, jacrev, JVP, VJP and central differences, in float64."""

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from nnjax.gradcheck.arguments import LARGEST
from nnjax.gradcheck.functions import Function, call, name_of
from nnjax.parts import describe, first_line
from nnjax.validation import UserError

Array: TypeAlias = np.ndarray[Any, Any]
Arrays: TypeAlias = dict[str, Array]

BESIDE = 128
"""Entries along which central differences are taken side by side."""
STEPS = (1e-3, 1e-5)
"""Of central differences: the long one is exact for functions that vary over 1, the short one for faster ones."""
FAST_COMPILE: Mapping[str, str | bool] = {
    "xla_backend_optimization_level": "0",
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": "1",
}
"""A checked function runs a few times at each shape, so its programs are to be made fast rather than be fast."""


class FiveWays(NamedTuple):
    """Jacobians and products at one point, by the argument's name."""

    jacfwd: Arrays | None  # None, like the JVP, where the function has no forward mode (a custom VJP)
    jacrev: Arrays
    differences: tuple[Arrays, ...]  # with a long step and with a short one
    tangent: Arrays
    jvp: Array | None  # along the tangents of all arguments at once
    cotangent: Array
    vjp: Arrays


@functools.cache
def fast_compile() -> dict[str, str | bool]:
    """Those options of `FAST_COMPILE` that XLA has; they are its own business, and may go."""
    found: dict[str, str | bool] = {}
    for name, value in FAST_COMPILE.items():
        with contextlib.suppress(jax.errors.JaxRuntimeError):
            jax.jit(lambda x: x).lower(0.0).compile(compiler_options={name: value})
            found[name] = value
    return found


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """float64 on the CPU, as an accelerator may have none or a slow one; and NumPy silent about NaN."""
    try:
        cpu = jax.local_devices(backend="cpu")[0]
    except RuntimeError as error:  # JAX_PLATFORMS leaves it out, or names what isn't there
        raise UserError(f"jax has no CPU here, on which formulas are checked: {first_line(error)}") from error
    with np.errstate(all="ignore"), jax.enable_x64(True), jax.default_device(cpu):
        yield


class Truth:
    """The derivative of a function in some of its arguments, from autodiff."""

    def __init__(self, of: Function, wrt: Sequence[str]) -> None:
        self.of = of
        self.wrt = tuple(wrt)
        self._jacobians = jax.jit(
            lambda values: (call(of, values), self.jacobians_of(values)), compiler_options=fast_compile()
        )
        self._five = jax.jit(self._five_ways, static_argnums=3, compiler_options=fast_compile())
        self._outputs: dict[tuple[tuple[int, ...], ...], jax.ShapeDtypeStruct] = {}

    def output(self, values: Arrays) -> jax.ShapeDtypeStruct:
        """The shape and dtype of the function's output.

        Raises:
            UserError: when the function raises or can't be traced, its output is not one float64 array, or its
                Jacobian is too large.
        """
        shapes = tuple(np.shape(value) for value in values.values())
        if shapes not in self._outputs:
            self._outputs[shapes] = self._output(values)
        return self._outputs[shapes]

    def _output(self, values: Arrays) -> jax.ShapeDtypeStruct:
        try:
            out = jax.eval_shape(lambda values: call(self.of, values), values)
        except jax.errors.ConcretizationTypeError as error:
            raise UserError(
                f"{name_of(self.of)} can't be traced by JAX, which happens when Python branches on the value "
                f"of an array (use jnp.where): {first_line(error)}"
            ) from None
        except (Exception, SystemExit) as error:
            raise UserError(f"{name_of(self.of)} raises {describe(error)}") from None
        if not isinstance(out, jax.ShapeDtypeStruct):
            raise UserError(f"{name_of(self.of)} returns a {type(out).__name__}, and must return one array")
        if out.dtype != jnp.float64:
            raise UserError(
                f"{name_of(self.of)} returns {out.dtype} for float64 arguments, and must return float64: "
                "something in it fixes the dtype"
            )
        if (entries := math.prod(out.shape) * sum(values[name].size for name in self.wrt)) > LARGEST:
            raise UserError(
                f"the Jacobian of {name_of(self.of)} would have {entries:,} entries, and must have {LARGEST:,} at "
                "most: give smaller shapes"
            )
        return out

    def jacobians(self, values: Arrays) -> Arrays:
        """∂of/∂a for each argument a, of shape (shape of output) × (shape of a).

        NaN where the function itself isn't finite: an extension of its derivative is not meant there.

        Raises:
            UserError: when autodiff raises.
        """
        try:
            value, jacobians = self._jacobians(values)
            defined = np.all(np.isfinite(value))
            return {
                name: np.asarray(jacobian) if defined else np.nan * jacobian
                for name, jacobian in jacobians.items()
            }
        except Exception as error:
            raise UserError(f"autodiff of {name_of(self.of)} raises {describe(error)}") from None

    def magnitude(self, values: Arrays) -> float:
        """The largest entry of the function's output."""
        value, _ = self._jacobians(values)
        return float(np.max(np.abs(value), initial=0))

    def five_ways(self, values: Arrays, rng: np.random.Generator, vector: Array | None, form: str) -> FiveWays:
        """All five at one point; a product's own vector is the tangent or the cotangent."""
        tangent: Arrays = {name: np.asarray(rng.normal(size=values[name].shape)) for name in self.wrt}
        cotangent = rng.normal(size=self.output(values).shape)
        if vector is not None and form == "jvp":
            tangent = {name: vector if name == self.wrt[0] else np.zeros_like(t) for name, t in tangent.items()}
        elif vector is not None:
            cotangent = vector
        try:
            found = self._five(values, tangent, cotangent, True)
        except TypeError:
            found = self._five(values, tangent, cotangent, False)
        return FiveWays(*jax.tree.map(np.asarray, found))

    def _split(self, values: Mapping[str, Any]) -> tuple[Callable[[Any], Any], dict[str, Any]]:
        moving = {name: values[name] for name in self.wrt}
        return lambda moving: call(self.of, {**values, **moving}), moving

    def jacobians_of(self, values: Mapping[str, Any]) -> Any:
        """The program of `jacobians`, for JAX to trace."""
        function, moving = self._split(values)
        return jax.jacrev(function)(moving)

    def forward_jacobians_of(self, values: Mapping[str, Any]) -> Any:
        """The same in forward mode."""
        function, moving = self._split(values)
        return jax.jacfwd(function)(moving)

    def _five_ways(self, values: Mapping[str, Any], tangent: Any, cotangent: Any, forward_mode: bool) -> FiveWays:
        function, moving = self._split(values)
        jvp = jax.jvp(function, (moving,), (tangent,))[1] if forward_mode else None
        (vjp,) = jax.vjp(function, moving)[1](cotangent)
        forward = jax.jacfwd(function)(moving) if forward_mode else None
        reverse = jax.jacrev(function)(moving)
        differences = tuple(_central_differences(function, moving, step) for step in STEPS)
        return FiveWays(forward, reverse, differences, tangent, jvp, cotangent, vjp)


def _central_differences(function: Callable[[Any], Any], moving: dict[str, Any], h: float) -> dict[str, Any]:
    """(8 (f(x+h) − f(x−h)) − (f(x+2h) − f(x−2h))) / 12h along every entry, with an error of order h⁴ + ε/h."""
    flat, unravel = ravel_pytree(moving)

    def along(entry: Any) -> Any:
        steps = h * np.array([1.0, -1.0, 2.0, -2.0])
        values = jax.vmap(lambda step: function(unravel(flat.at[entry].add(step))))(steps)
        return jnp.tensordot(np.array([8.0, -8.0, -1.0, 1.0]) / (12 * h), values, 1)

    columns = jax.lax.map(along, np.arange(flat.size), batch_size=min(flat.size, BESIDE))
    ends = np.cumsum([x.size for _, x in sorted(moving.items())])
    parts = jnp.split(columns, ends[:-1])
    return {
        name: jnp.moveaxis(part, 0, -1).reshape(columns.shape[1:] + x.shape)
        for (name, x), part in zip(sorted(moving.items()), parts, strict=True)
    }
