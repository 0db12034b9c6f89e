"""A strategy in turns of a user as any other: it decides in a process behind walls, many bars at a question.

Its state stays there for as long as a run lasts. What it wants is checked on this side before it is an order.
"""

import itertools
from collections.abc import Mapping
from typing import Any, Final

from pilothouse.core.candles import Candles, Ints
from pilothouse.core.errors import Invalid, Problem
from pilothouse.sandbox.frames import Array, Frame
from pilothouse.sandbox.load import SourceFile
from pilothouse.sandbox.plain_strategies import parameters_from_plain
from pilothouse.sandbox.plain_turns import bars_to_plain, happening_to_plain, many_to_plain, turn_from_plain
from pilothouse.sandbox.talk import Cell, Prisoner
from pilothouse.sandbox.walled import DESCRIBE_S, About, Walled, heard, where
from pilothouse.strategies.parameters import Params
from pilothouse.strategies.sdk import Happening, Turn, Turns

TURNS_S: Final = 300.0
"""So long a strategy may compute over some bars before its process is ended."""

_RUNS = itertools.count(1)


class WalledTurns(Turns):
    """One strategy in turns of one file. It can be sent to other processes: each then has a confined one of its own."""

    def __init__(self, source: SourceFile, about: About, cell: Cell, prisoner: Prisoner | None = None) -> None:
        """Ask nothing yet."""
        self.source, self.about, self.cell = source, about, cell
        self.name = about.name
        self.title = about.title
        self.parameters = about.parameters
        self.many = about.many
        self._prisoner = prisoner
        self._run = 0
        self._candles: list[Candles] = []

    def __reduce__(self) -> tuple[type["WalledTurns"], tuple[SourceFile, About, Cell]]:
        return WalledTurns, (self.source, self.about, self.cell)

    def seat(self, run: Any) -> None:
        """Take the candles of a run, from which many bars are told at once."""
        self._candles = [lane.candles for lane in run.lanes]

    def begin(self, p: Params) -> dict[str, Any]:
        """Begin a run behind the wall; its state stays there. Raises as `Walled.warm_up`."""
        self._run = next(_RUNS)
        self._ask({"do": "begin", "params": dict(p)}, {})
        return {}

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Return what it wants now; raises as `begin`, and Invalid."""
        answer = self._ask({"do": "turns", "happening": happening_to_plain(happening)}, {})
        return turn_from_plain(answer.data)

    def decide_bars(self, state: dict[str, Any], bars: range, p: Params) -> tuple[int, Turn]:
        """Return the first of these bars at which it wants something, and what; else the last. Raises as `decide`."""
        passed, turn = self._passed(*bars_to_plain(self._candles[0], bars), len(bars))
        return bars.start + passed, turn

    def decide_many(self, state: dict[str, Any], which: Ints, bars: Ints, p: Params) -> tuple[int, Turn]:
        """Return the place of the first of these bars at which it wants something, and what; else of the last.

        which, bars   of each bar the number of its instrument, in order of name, and of the bar there
        Raises as `decide`.
        """
        return self._passed(*many_to_plain(self._candles, which, bars), len(bars))

    def _passed(self, told: dict[str, Any], columns: Mapping[str, Array], count: int) -> tuple[int, Turn]:
        answer = self._ask({"do": "turns", **told}, columns)
        passed = answer.data.get("passed")
        if not isinstance(passed, int) or not 0 <= passed < count:
            raise Invalid([Problem("passed", f"{passed!r:.40} came", f"a bar, 0 to {count - 1}", "out_of_range")])
        turn = turn_from_plain(answer.data)
        if not turn.wants and not turn.cancels and passed != count - 1:
            raise Invalid([Problem("passed", "bars were left out", "a turn for each bar", "out_of_range")])
        return passed, turn

    def end(self) -> None:
        """End the confined process, if there is one."""
        if self._prisoner is not None:
            self._prisoner.end()

    def _ask(self, data: dict[str, Any], arrays: Mapping[str, Array]) -> Frame:
        if self._prisoner is None:
            self._prisoner = Prisoner(self.cell)
        order = {**data, **where(self.source), "name": self.about.name, "run": self._run}
        return heard(self._prisoner.ask(order, arrays, within_s=TURNS_S))


def describe(source: SourceFile, cell: Cell, prisoner: Prisoner) -> list[Walled | WalledTurns]:
    """Return the strategies of a file, described by a confined process. Raises FileBroken and as `Walled.warm_up`."""
    answer = heard(prisoner.ask({"do": "describe", **where(source)}, within_s=DESCRIBE_S))
    found: list[Walled | WalledTurns] = []
    for told in answer.data["strategies"]:
        if source.kind and told["kind"] != source.kind:
            continue
        about = About(
            str(told["name"])[:60], str(told["title"])[:200], str(told["rule"])[:4_000],
            parameters_from_plain(told["parameters"]), bool(told.get("many")),
        )  # fmt: skip
        kind = WalledTurns if told.get("turns") else Walled
        found.append(kind(source, about, cell, prisoner))
    return found
