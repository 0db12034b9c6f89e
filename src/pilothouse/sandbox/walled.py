"""A strategy of a user as any other strategy: each question goes to a process behind walls; nothing of it runs here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pilothouse.sandbox.frames import Array, Frame
from pilothouse.sandbox.load import FileBroken, SourceFile
from pilothouse.sandbox.plain_strategies import (
    rules_from_plain,
    signals_from_plain,
    view_to_plain,
)
from pilothouse.sandbox.talk import Cell, Prisoner
from pilothouse.strategies.parameters import Parameter, Params
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Columns, Signals
from pilothouse.strategies.view import View

DESCRIBE_S: Final = 30.0
SIGNALS_S: Final = 300.0
"""So long a strategy may compute before its process is ended."""


@dataclass(frozen=True, slots=True)
class About:
    """What a user's strategy says of itself."""

    name: str
    title: str
    rule: str
    parameters: dict[str, Parameter]
    many: bool = False


class Walled(Columns):
    """One strategy of one file. It can be sent to other processes: each then has a confined one of its own."""

    one_at_a_time = True

    def __init__(self, source: SourceFile, about: About, cell: Cell, prisoner: Prisoner | None = None) -> None:
        """Ask nothing yet."""
        self.source, self.about, self.cell = source, about, cell
        self.name = about.name  # type: ignore[misc] # of this one, not of its class
        self.title = about.title  # type: ignore[misc] # as above
        self.parameters = about.parameters  # type: ignore[misc] # as above
        self._prisoner = prisoner
        self._known: dict[Params, tuple[int, Rules]] = {}

    def __reduce__(self) -> tuple[type["Walled"], tuple[SourceFile, About, Cell]]:
        return Walled, (self.source, self.about, self.cell)

    def warm_up(self, p: Params) -> int:
        """Return what it says. Raises FileBroken, StrategyHung, StrategyDied, NotConfined."""
        return self._settled(p)[0]

    def rules(self, p: Params) -> Rules:
        """Return what it says; raises as `warm_up`, and Invalid."""
        return self._settled(p)[1]

    def signals(self, view: View, p: Params) -> Signals:
        """Return what it says; raises as `warm_up`, and Invalid."""
        data, arrays = view_to_plain(view)
        answer = self._ask({"do": "signals", "params": dict(p), **data}, arrays, SIGNALS_S)
        return signals_from_plain(answer.data, answer.arrays, len(view))

    def end(self) -> None:
        """End the confined process, if there is one."""
        if self._prisoner is not None:
            self._prisoner.end()

    def _settled(self, p: Params) -> tuple[int, Rules]:
        if p not in self._known:
            answer = self._ask({"do": "rules", "params": dict(p)}, {}, DESCRIBE_S).data
            self._known[p] = int(answer["warm_up"]), rules_from_plain(answer["rules"])
        return self._known[p]

    def _ask(self, data: dict[str, Any], arrays: Mapping[str, Array], within_s: float) -> Frame:
        if self._prisoner is None:
            self._prisoner = Prisoner(self.cell)
        order = {**data, **where(self.source), "name": self.about.name}
        return heard(self._prisoner.ask(order, arrays, within_s=within_s))


def where(source: SourceFile) -> dict[str, str]:
    """Return what a confined process is told about where a strategy lies."""
    told = {"file": str(source.path)}
    return told | ({"module": source.module, "root": str(source.root)} if source.module else {})


def heard(answer: Frame) -> Frame:
    """Return an answer; raises FileBroken where it tells of one."""
    broken = answer.data.get("broken")
    if broken is not None:
        raise FileBroken(Path(str(broken["file"])), int(broken["line"]), str(broken["reason"])[:2_000])
    return answer
