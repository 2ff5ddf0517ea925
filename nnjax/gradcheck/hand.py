"""The hand-made formula: called at values, and what it returns made into one float64 array for each argument."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nnjax.gradcheck.autodiff import Array, Arrays, fast_compile
from nnjax.gradcheck.functions import Function, call, name_of
from nnjax.parts import describe
from nnjax.validation import UserError


class Hand:
    """A formula for the derivative in some arguments.

    Args:
        function: the formula.
        wrt: the arguments.
        vector: the formula's argument that takes the vector, where it is a product with one.
    """

    def __init__(self, function: Function, wrt: Sequence[str], vector: str = "") -> None:
        self.function = function
        self.wrt = tuple(wrt)
        self.vector = vector
        self.traceable = True
        self._jitted = jax.jit(lambda values: call(function, values), compiler_options=fast_compile())

    def answers(self, values: Mapping[str, Any], vector: Array | None = None) -> Arrays:
        """What the formula gives, by the argument's name.

        Raises:
            UserError: when it raises, or returns something else than float64 arrays for those arguments.
        """
        if vector is not None:
            values = {**values, self.vector: vector}
        raw, wrt, name = self._call(values), self.wrt, name_of(self.function)
        if isinstance(raw, Mapping):
            if set(raw) != set(wrt):
                raise UserError(f"{name} returns {', '.join(map(str, raw))}, and must return {', '.join(wrt)}")
        elif len(wrt) > 1 and isinstance(raw, tuple | list) and len(raw) == len(wrt):
            raw = dict(zip(wrt, raw, strict=True))
        elif len(wrt) == 1:
            raw = {wrt[0]: raw}
        else:
            raise UserError(f"{name} returns {_count(raw)}, and must return {len(wrt)}, for {', '.join(wrt)}")
        return {argument: self._as_array(raw[argument]) for argument in wrt}

    def program(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The formula from all values, the vector among them, to the answers by name, for JAX to trace."""
        raw = call(self.function, values)
        if isinstance(raw, Mapping):
            return {name: raw[name] for name in self.wrt}
        return dict(zip(self.wrt, raw if len(self.wrt) > 1 else [raw], strict=True))

    def _call(self, values: Mapping[str, Any]) -> Any:
        arrays = {name: jnp.asarray(value) for name, value in values.items()}
        if self.traceable:
            try:
                return self._jitted(arrays)
            except (Exception, SystemExit):
                # NumPy code and Python branches can't be traced, and any other error comes again below.
                self.traceable = False
        try:
            return call(self.function, arrays)
        except (Exception, SystemExit) as error:
            raise UserError(f"{name_of(self.function)} raises {describe(error)}") from None

    def _as_array(self, raw: Any) -> Array:
        name = name_of(self.function)
        try:
            array = np.asarray(raw)
        except (TypeError, ValueError):
            raise UserError(f"{name} returns {_count(raw)}, and must return one array") from None
        if array.dtype == object:
            raise UserError(f"{name} returns {_count(raw)}, and must return one array")
        if array.dtype != np.float64:
            raise UserError(f"{name} returns {array.dtype} for float64 arguments, and must return float64")
        return array


def _count(raw: Any) -> str:
    if raw is None:
        return "nothing"
    if isinstance(raw, tuple | list):
        return f"{len(raw)} values"
    return "one array" if hasattr(raw, "shape") else f"a {type(raw).__name__}"
