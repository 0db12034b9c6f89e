"""A message of the compute queue goes in; a bench works on its backtest; what came of it is in the record.

The message is leased, and the lease lengthened for as long as the bench works. Whoever finds the backtest cancelled,
removed, or in the hands of a later delivery ends the bench at once: nothing of it is kept but trials of a search.

Where several processes compute, a large sweep is put back in pieces, and told as a whole when all of them are done.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog

from pilothouse.backtest import computers, pieces, progress, store
from pilothouse.backtest.store import Backtest
from pilothouse.core.clock import Clock
from pilothouse.core.errors import PilothouseError
from pilothouse.kit import outbox
from pilothouse.kit.db import Database, Tx
from pilothouse.kit.outbox import Message
from pilothouse.kit.settings import Settings
from pilothouse.wiring.benches import Benches, BenchGone, Stopped

_LENGTHENED_IN: Final = 4
"""A lease is lengthened when this part of it is over."""
_TELL_S: Final = 1.0

DELIVERIES_MOST: Final = 5
"""A backtest whose process died so often is given up: it asks for more than the machine has."""

_log = structlog.get_logger("pilothouse.compute")


class Computing(Protocol):
    """What a process that computes has open: a house, or a workshop beside one."""

    @property
    def settings(self) -> Settings: ...  # noqa: D102 - the class says it

    @property
    def clock(self) -> Clock: ...  # noqa: D102 - as above

    @property
    def database(self) -> Database: ...  # noqa: D102 - as above

    @property
    def benches(self) -> Benches: ...  # noqa: D102 - as above


def lease_of(settings: Settings) -> timedelta:
    """Return for how long a message of the compute queue belongs to whoever claimed it."""
    return timedelta(seconds=settings.compute_lease_s)


def compute(house: Computing, message: Message) -> timedelta | None:
    """Work on one backtest until it has ended, or put it back in pieces. Raises BenchGone: take it up again."""
    now = house.clock.now()

    def begin(tx: Tx) -> tuple[Backtest | None, bool]:
        backtest = progress.begin(tx, message.payload["backtest_id"], message.attempt, now)
        several = backtest is not None and pieces.is_worth_cutting(backtest) and len(computers.present(tx, now)) > 1
        return backtest, several and backtest is not None and pieces.put(tx, backtest, message, now)

    backtest, in_pieces = house.database.write(begin, name="backtest begins")
    if in_pieces:
        house.benches.ring()
    elif backtest is not None:
        _whole(house, message, backtest)
    return None


def compute_whole(house: Computing, message: Message) -> timedelta | None:
    """Tell what came of a sweep whose pieces are done. Raises as `compute`."""
    backtest = house.database.write(
        lambda tx: progress.go_on(tx, message.payload["backtest_id"]), name="backtest goes on"
    )
    if backtest is not None:
        _whole(house, message, backtest)
    return None


def compute_piece(house: Computing, message: Message) -> timedelta | None:
    """Work on one piece of a sweep until it is done, or nobody wants it any more. Raises as `compute`."""
    backtest = house.database.read(lambda tx: store.by_id(tx, message.payload["backtest_id"]))
    if backtest is None or backtest.state is not store.State.RUNNING:
        return None
    part = {"first": message.payload["first"], "count": message.payload["count"], "attempt": message.attempt}
    if _answer(house, message, backtest, "piece", part) is not None:
        house.database.write(lambda tx: pieces.finish(tx, message, house.clock.now()), name="piece done")
        house.benches.ring()
    return None


def fail_broken(tx: Tx, message: Message, words: str, now: datetime) -> None:
    """End the backtest of a message that is put aside, as its work broke a law of ours or always failed."""
    backtest = store.by_id(tx, message.payload["backtest_id"])
    if backtest is not None:
        progress.fail(tx, backtest, words, now)


def _whole(house: Computing, message: Message, backtest: Backtest) -> None:
    result = _answer(house, message, backtest, backtest.kind.value, {})
    if result is None:
        return
    found = bool(result.pop("found", False))
    house.database.write(
        lambda tx: progress.finish(tx, backtest, result, house.clock.now(), found=found), name="backtest done"
    )


def _answer(
    house: Computing, message: Message, backtest: Backtest, do: str, part: dict[str, Any]
) -> dict[str, Any] | None:
    """Return what a bench found; None if it was stopped, or the backtest has failed. Raises BenchGone."""
    if message.suspect > DELIVERIES_MOST:
        words = f"its process ended {DELIVERIES_MOST} times; logs/benches.log may say why, or memory is short"
        house.database.write(lambda tx: progress.fail(tx, backtest, words, house.clock.now()), name="backtest fails")
        return None
    watch = _Watch(house, message, backtest, house.clock.monotonic(), told=backtest.progress_ppm, is_part=bool(part))
    asked = {"asked": backtest.asked, "name": backtest.name, **part}
    try:
        with house.benches.take() as bench:
            answer: dict[str, Any] = bench.ask(do, asked, within_s=None, look=watch.look)
    except Stopped:
        _log.info("backtest_stopped", backtest=backtest.id)
        return None
    except BenchGone:
        raise
    except PilothouseError as error:
        why = str(error)
        house.database.write(lambda tx: progress.fail(tx, backtest, why, house.clock.now()), name="backtest fails")
        return None
    return answer


@dataclass(slots=True)
class _Watch:
    """Looks after one backtest while a bench works on it.

    is_part   it works on a piece: others work on the same backtest, and how far it has come is told by pieces
    """

    house: Computing
    message: Message
    backtest: Backtest
    lengthened_at: float
    told_at: float = 0.0
    told: int = 0
    is_part: bool = False

    def look(self, progress_ppm: int | None) -> bool:
        """Note how far it has come, keep the lease, and say whether to go on."""
        backtest, now = self.backtest, self.house.clock.monotonic()
        if (now - self.lengthened_at) * _LENGTHENED_IN >= self.house.settings.compute_lease_s:
            self.lengthened_at = now
            if not self._lengthen():
                return False
        if self.is_part:
            return self.house.database.read(lambda tx: store.runs(tx, backtest.id))
        if progress_ppm is not None and progress_ppm > self.told and now - self.told_at >= _TELL_S:
            self.told_at, self.told = now, progress_ppm
            at = self.house.clock.now()
            return bool(
                self.house.database.write(
                    lambda tx: progress.advance(tx, backtest, progress_ppm, at), name="backtest comes on"
                )
            )
        return self.house.database.read(lambda tx: store.is_worked_on(tx, backtest.id, backtest.attempt))

    def _lengthen(self) -> bool:
        until = self.house.clock.now() + lease_of(self.house.settings)
        message: Any = self.message
        return self.house.database.write(
            lambda tx: outbox.extend(tx, message.id, message.attempt, until), name="backtest lease"
        )
