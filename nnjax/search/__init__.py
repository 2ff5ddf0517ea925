"""Who says which runs are trained: a fixed sweep, or a search. The package can be called: `nnjax.search(…)`."""

import sys
from types import ModuleType
from typing import Any


class _Search(ModuleType):
    """``nnjax.search`` is this package as soon as anything in it is imported; called, it is the function."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """`nnjax.search.search.search`."""
        from nnjax.search.search import search

        return search(*arguments, **named)


sys.modules[__name__].__class__ = _Search
