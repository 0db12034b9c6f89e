"""A message of the compute queue goes in; a bench works on its backtest; what came of it is in the record.

The message is leased, and the lease lengthened for as long as the bench works. Whoever finds the backtest cancelled,
removed, or in the hands of a later delivery ends the bench at once: nothing of it is kept.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog

from pilothouse.backtest import progress, store
from pilothouse.backtest.store import Backtest
from pilothouse.core.errors import PilothouseError
from pilothouse.kit import outbox
from pilothouse.kit.outbox import Message
from pilothouse.wiring.benches import BenchGone, Stopped
from pilothouse.wiring.house import House

LEASE: Final = timedelta(seconds=60)
_LENGTHEN_S: Final = 15.0
_TELL_S: Final = 1.0

DELIVERIES_MOST: Final = 5
"""A backtest whose process died so often is given up: it asks for more than the machine has."""

_log = structlog.get_logger("pilothouse.compute")


def compute(house: House, message: Message) -> timedelta | None:
    """Work on one backtest until it has ended. Raises BenchGone if it can be taken up again."""
    now = house.clock.now()
    backtest_id = message.payload["backtest_id"]
    backtest = house.database.write(
        lambda tx: progress.begin(tx, backtest_id, message.attempt, now), name="backtest begins"
    )
    if backtest is None:
        return None
    if message.attempt > DELIVERIES_MOST:
        words = f"its process ended {DELIVERIES_MOST} times; logs/benches.log may say why, or memory is short"
        house.database.write(lambda tx: progress.fail(tx, backtest, words, house.clock.now()), name="backtest fails")
        return None
    watch = _Watch(house, message, backtest, house.clock.monotonic())
    asked = {"asked": backtest.asked, "name": backtest.name}
    try:
        with house.benches.take() as bench:
            result = bench.ask(backtest.kind.value, asked, within_s=None, look=watch.look)
    except Stopped:
        _log.info("backtest_stopped", backtest=backtest.id)
        return None
    except BenchGone:
        raise
    except PilothouseError as error:
        why = str(error)
        house.database.write(lambda tx: progress.fail(tx, backtest, why, house.clock.now()), name="backtest fails")
        return None
    found = bool(result.pop("found", False))
    house.database.write(
        lambda tx: progress.finish(tx, backtest, result, house.clock.now(), found=found), name="backtest done"
    )
    return None


@dataclass(slots=True)
class _Watch:
    """Looks after one backtest while a bench works on it."""

    house: House
    message: Message
    backtest: Backtest
    lengthened_at: float
    told_at: float = 0.0
    told: int = 0

    def look(self, progress_ppm: int | None) -> bool:
        """Note how far it has come, keep the lease, and say whether to go on."""
        backtest, now = self.backtest, self.house.clock.monotonic()
        if now - self.lengthened_at >= _LENGTHEN_S:
            self.lengthened_at = now
            if not self._lengthen():
                return False
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
        until = self.house.clock.now() + LEASE
        message: Any = self.message
        return self.house.database.write(
            lambda tx: outbox.extend(tx, message.id, message.attempt, until), name="backtest lease"
        )
