"""Whether every setting of a space can be: its ends are tried, every two parameters with each other."""

from collections.abc import Mapping
from typing import Any

from nnjax.config import SEED_FIELDS, Config, replace
from nnjax.search.space import Condition, Parameter, Space
from nnjax.validation import UserError


def check_space(space: Space, config: Config) -> None:
    """Refuse ends that are out of a field's bounds, and values that don't go together.

    Tried are the ends of every two parameters with each other, which is all that a rule of the configuration knows
    of; the other parameters are at their first ends.

    Args:
        space: to be searched.
        config: the setting that the space varies.

    Raises:
        UserError: naming the distributions that lead to a setting that can't be, and why it can't; or for fixed
            seeds, over which a search compares settings.
    """
    if None not in (config.init_seed, config.data_seed):
        raise UserError(
            f"{' and '.join(SEED_FIELDS)} are both set, so that all runs of a setting would be the same"
        )
    _ = config.initialization  # read once, not for each setting
    ends = [parameter.distribution.ends() for parameter in space.parameters]
    tried: set[Any] = set()
    for one, of_one in enumerate(ends):
        for other, of_other in enumerate(ends[: one + 1]):
            reached = _reaching(space, other) | _reaching(space, one)
            for a in of_one:
                for b in of_other if other != one else [a]:
                    chosen = {index: values[0] for index, values in enumerate(ends)} | reached | {other: b, one: a}
                    values = space.drawn(chosen.__getitem__)
                    key = tuple(values.items())
                    if key not in tried and (error := _error(config, values)):
                        raise UserError(_sentence(space, config, values, error))
                    tried.add(key)


def _reaching(space: Space, index: int) -> dict[int, Any]:
    """What to draw for other parameters so that one is active, by their indices."""
    found: dict[int, Any] = {}
    for condition in space.parameters[index].conditions:
        for above, parameter in enumerate(space.parameters):
            fitting = _fitting(parameter, condition)
            if fitting:
                found |= {**_reaching(space, above), above: fitting[0]}
                break
    return found


def _fitting(parameter: Parameter, condition: Condition) -> list[Any]:
    """What may be drawn for a parameter such that a condition holds."""
    if condition.field not in parameter.fields:
        return []
    if len(parameter.fields) == 1:
        return [value for value in condition.values if parameter.distribution.takes(value)]
    at = parameter.fields.index(condition.field)
    return [values for values in parameter.distribution.grid() if values[at] in condition.values]


def _error(config: Config, values: Mapping[str, Any]) -> str:
    try:
        replace(config, values)
    except UserError as error:
        return str(error)
    return ""


def _sentence(space: Space, config: Config, values: Mapping[str, Any], error: str) -> str:
    """The error, and the parameters without which it wouldn't be."""
    needed = dict(values)
    for field in values:
        fewer = {name: value for name, value in needed.items() if name != field}
        if _error(config, fewer) == error:
            needed = fewer
    blamed = [
        str(parameter)
        for parameter in space.parameters
        if set(parameter.fields) & set(needed) and parameter.active(values)
    ]
    hint = "; what one may have only with some values of the other hangs on it by when(…)" * (len(needed) > 1)
    return f"a space with {' and '.join(blamed)} can't be, since {error}{hint}"
