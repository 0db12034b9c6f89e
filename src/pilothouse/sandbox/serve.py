"""What a confined process can be asked. An order goes in; an answer, or what went wrong in words, comes out."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from pilothouse.core.errors import Invalid
from pilothouse.sandbox.frames import Frame
from pilothouse.sandbox.load import FileBroken, import_file, import_installed, run_in
from pilothouse.sandbox.plain_strategies import rules_to_plain, signals_to_plain, view_from_plain
from pilothouse.strategies.parameters import resolve
from pilothouse.strategies.sdk import Columns


class Server:
    """Answers one order after the other; nothing that a strategy does makes it raise."""

    def __init__(self) -> None:
        """Know no file yet."""
        self._modules: dict[Path, ModuleType] = {}

    def answer(self, order: Frame) -> Frame:
        """Return what an order led to."""
        orders: dict[str, Callable[[Path, Frame], Frame]] = {
            "import": self._import,
            "describe": self._describe,
            "rules": self._rules,
            "signals": self._signals,
        }
        path = Path(str(order.data.get("file", "")))
        try:
            return orders[str(order.data.get("do", "import"))](path, order)
        except FileBroken as broken:
            return Frame({"broken": {"file": str(broken.path), "line": broken.line, "reason": broken.reason}})
        except Invalid as wrong:
            return Frame({"broken": {"file": str(path), "line": 0, "reason": str(wrong)[:2_000]}})

    def _import(self, path: Path, _order: Frame) -> Frame:
        self._modules[path] = import_file(path)
        return Frame({"imported": path.stem})

    def _module(self, path: Path, order: Frame) -> ModuleType:
        module = self._modules.get(path)
        if module is None:
            named, root = str(order.data.get("module", "")), Path(str(order.data.get("root", "")))
            module = self._modules[path] = import_installed(path, named, root) if named else import_file(path)
        return module

    def _strategies(self, path: Path, order: Frame) -> dict[str, Columns]:
        """Return the strategies of a file by name: its own classes by columns, each made once."""
        module = self._module(path, order)
        kinds = [
            each
            for each in vars(module).values()
            if isinstance(each, type) and issubclass(each, Columns) and each.__module__ == module.__name__
        ]
        found = {}
        for kind in kinds:
            made = run_in(path, kind)
            for name in ("name", "title"):
                if not isinstance(getattr(made, name, None), str):
                    raise FileBroken(path, 0, f"class {kind.__name__} needs a {name}, a text")
            found[made.name] = made
        return found

    def _describe(self, path: Path, order: Frame) -> Frame:
        told = [
            {
                "name": name,
                "title": strategy.title,
                "kind": type(strategy).__name__,
                "rule": (type(strategy).__doc__ or "").strip(),
                "parameters": {key: asdict(parameter) for key, parameter in strategy.parameters.items()},
            }
            for name, strategy in self._strategies(path, order).items()
        ]
        return Frame({"strategies": told})

    def _one(self, path: Path, order: Frame) -> Columns:
        name = str(order.data.get("name"))
        try:
            return self._strategies(path, order)[name]
        except KeyError:
            raise FileBroken(path, 0, f"there is no strategy {name[:60]!r} in it") from None

    def _rules(self, path: Path, order: Frame) -> Frame:
        strategy = self._one(path, order)
        params = resolve(strategy.parameters, order.data["params"])
        warm_up: Any = run_in(path, lambda: strategy.warm_up(params))
        if isinstance(warm_up, bool) or not isinstance(warm_up, int) or not 0 <= warm_up < 10_000_000:
            raise FileBroken(path, 0, f"warm_up returned {warm_up!r:.40}; a whole number of bars, zero or more")
        rules: Any = run_in(path, lambda: strategy.rules(params))
        return Frame({"warm_up": warm_up, "rules": rules_to_plain(rules)})

    def _signals(self, path: Path, order: Frame) -> Frame:
        strategy = self._one(path, order)
        params = resolve(strategy.parameters, order.data["params"])
        view = view_from_plain(order.data, order.arrays)
        signals = run_in(path, lambda: strategy.signals(view, params))
        if not hasattr(signals, "checked"):
            raise FileBroken(path, 0, f"signals returned {type(signals).__name__}, not Signals")
        data, arrays = signals_to_plain(signals.checked(len(view)))
        return Frame(data, arrays)
