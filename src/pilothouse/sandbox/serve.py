"""What a confined process can be asked. An order goes in; an answer, or what went wrong in words, comes out."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from pilothouse.core.errors import Invalid
from pilothouse.sandbox.frames import Frame
from pilothouse.sandbox.load import FileBroken, import_file, import_installed, run_in
from pilothouse.sandbox.own_tests import functions_of, run_one
from pilothouse.sandbox.plain_strategies import rules_to_plain, signals_to_plain, view_from_plain
from pilothouse.sandbox.plain_turns import (
    bars_from_plain,
    happening_from_plain,
    many_from_plain,
    turn_to_plain,
)
from pilothouse.strategies.parameters import Params, resolve
from pilothouse.strategies.plain_state import checked
from pilothouse.strategies.sdk import Columns, Happening, Turn

_NO_ORDER: Final = Frame({})
_LOOKED_AT_ONCE: Final = 200
"""Values of a state that are looked at with every answer."""


@dataclass(slots=True)
class _Run:
    """A strategy in turns that is being played, and its state."""

    number: int
    strategy: Any
    params: Params
    state: dict[str, Any]
    unseen: int = 0

    def keep(self, state: Any) -> None:
        """Keep a state that is plain data; a large one is looked through the more seldom. Raises Invalid."""
        self.unseen -= 1
        if self.unseen < 0:
            self.unseen = checked(state) // _LOOKED_AT_ONCE
        self.state = state


class Server:
    """Answers one order after the other; nothing that a strategy does makes it raise."""

    def __init__(self) -> None:
        """Know no file yet."""
        self._modules: dict[Path, ModuleType] = {}
        self._run: _Run | None = None

    def answer(self, order: Frame) -> Frame:
        """Return what an order led to."""
        orders: dict[str, Callable[[Path, Frame], Frame]] = {
            "import": self._import,
            "describe": self._describe,
            "rules": self._rules,
            "signals": self._signals,
            "begin": self._begin,
            "turns": self._turns,
            "tests": self._tests,
            "test": self._test,
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

    def _strategies(self, path: Path, order: Frame) -> dict[str, Any]:
        """Return the strategies of a file by name: its own classes by columns or in turns, each made once."""
        module = self._module(path, order)
        kinds = [
            each
            for each in vars(module).values()
            if isinstance(each, type) and each.__module__ == module.__name__ and (_is_columns(each) or _is_turns(each))
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
                "turns": not isinstance(strategy, Columns),
                "many": bool(getattr(strategy, "many", False)),
                "rule": (type(strategy).__doc__ or "").strip(),
                "parameters": {key: asdict(parameter) for key, parameter in strategy.parameters.items()},
            }
            for name, strategy in self._strategies(path, order).items()
        ]
        return Frame({"strategies": told})

    def _begin(self, path: Path, order: Frame) -> Frame:
        strategy = self._one(path, order)
        params = resolve(strategy.parameters, order.data["params"])
        state: Any = run_in(path, lambda: strategy.begin(params))
        if not isinstance(state, dict):
            raise FileBroken(path, 0, f"begin returned {type(state).__name__}, not a dict")
        self._run = _Run(int(order.data["run"]), strategy, params, {})
        self._run.keep(state)
        return Frame({"begun": True})

    def _turns(self, path: Path, order: Frame) -> Frame:
        """Decide on one happening, or on bars up to the first at which something is wanted; the state is kept."""
        run = self._run
        if run is None or run.number != order.data.get("run"):
            raise FileBroken(path, 0, "this run has not begun here: one process plays one run at a time")
        if "happening" in order.data:
            happenings: Iterable[Happening] = [happening_from_plain(order.data["happening"])]
        elif "symbols" in order.data:
            happenings = many_from_plain(order.data, order.arrays)
        else:
            happenings = bars_from_plain(order.data, order.arrays)
        passed, turn = run_in(path, lambda: _decided(run, happenings))
        told = turn_to_plain(turn)
        run.keep(turn.state)
        return Frame({**told, "passed": passed})

    def _tests(self, path: Path, order: Frame) -> Frame:
        """Return the names of a user's own tests; the strategy itself is imported first, so that it breaks by name."""
        self._module(path, order)
        return Frame({"names": list(functions_of(self._module(Path(str(order.data["tests"])), _NO_ORDER)))})

    def _test(self, _path: Path, order: Frame) -> Frame:
        tests = Path(str(order.data["tests"]))
        found = functions_of(self._module(tests, _NO_ORDER)).get(str(order.data["test"]))
        if found is None:
            raise FileBroken(tests, 0, f"there is no test {str(order.data['test'])[:60]!r} in it any more")
        run_one(tests, found)
        return Frame({"passed": True})

    def _one(self, path: Path, order: Frame) -> Any:
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


def _is_columns(kind: type) -> bool:
    return issubclass(kind, Columns)


def _is_turns(kind: type) -> bool:
    return callable(getattr(kind, "begin", None)) and callable(getattr(kind, "decide", None))


def _decided(run: _Run, happenings: Iterable[Happening]) -> tuple[int, Any]:
    """Return how many happenings were passed before the last one that was decided on, and its turn."""
    decide, state, passed = run.strategy.decide, run.state, 0
    turn: Any = None
    for passed, happening in enumerate(happenings):
        turn = decide(state, happening, run.params)
        if not isinstance(turn, Turn) or turn.wants or turn.cancels:
            return passed, turn
        state = turn.state
    return passed, turn
