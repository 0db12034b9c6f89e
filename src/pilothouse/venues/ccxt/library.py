"""The client library, with those of its exchanges alone that are asked for: `from ...library import ccxt`.

Imported as it comes, it loads more than a hundred exchanges, of which a house speaks to two or three: two seconds and a
hundred megabytes, at the moment when a house that was killed is to trade again. Here `ccxt.NAME` loads what it names;
whatever is neither an error nor an exchange loads the whole, so nobody finds less in it than there is.
"""

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_ERRORS = "ccxt.base.errors"


class _Few(ModuleType):
    """The library's package, before anything of it is loaded."""

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(spec.name)
        self.__spec__ = spec
        self.__file__ = spec.origin
        self.__path__ = list(spec.submodule_search_locations or ())

    def __setattr__(self, name: str, value: object) -> None:
        # The class of an exchange is what everybody means by its name, not the file that it was loaded from.
        super().__setattr__(name, vars(value).get(name, value) if isinstance(value, ModuleType) else value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(import_module(_ERRORS), name, None)
        if found is not None:
            return found
        if (Path(self.__path__[0]) / f"{name}.py").is_file():
            import_module(f"{self.__name__}.{name}")
        elif "exchanges" not in vars(self):
            assert self.__spec__ is not None, "it was made of its spec"
            assert self.__spec__.loader is not None, "a package that was found has one"
            self.__spec__.loader.exec_module(self)
        if name not in vars(self):
            raise AttributeError(f"ccxt has no {name}")
        return vars(self)[name]


def _opened() -> Any:
    """Return the library: whole, if somebody has loaded it before."""
    known = sys.modules.get("ccxt")
    if known is None:
        spec = find_spec("ccxt")
        assert spec is not None, "it is installed with the house"
        known = sys.modules["ccxt"] = _Few(spec)
    return known


ccxt: Any = _opened()
