"""What became of alerts, read for many requests at once: requests in, one snapshot, an outcome for each.

While one snapshot is read, whoever asks meanwhile is put together for the next one. A single request waits for nobody;
under load a snapshot, its threads and the venue's margin figures are shared by all who wait.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pilothouse.accounts import trading_accounts
from pilothouse.core.errors import Unavailable
from pilothouse.execution import portfolio
from pilothouse.execution.portfolio import PositionView
from pilothouse.execution.trader import Trader
from pilothouse.fleet.answer import Outcome, read_outcome
from pilothouse.fleet.store import SignalRecord
from pilothouse.kit.db import Tx
from pilothouse.wiring.house import House

Seen = tuple[Outcome, PositionView | None]

AT_ONCE_MAX = 64
_READERS = 2


class Looks:
    """Reads outcomes; belongs to one event loop, `close()` it."""

    def __init__(self, house: House) -> None:
        """Read with a few threads of its own."""
        self._house = house
        self._traders: dict[str, Trader] = {}
        self._wanted: list[tuple[SignalRecord, asyncio.Future[Seen]]] = []
        self._reading = 0
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="pilothouse-answer")

    def close(self) -> None:
        """Let the threads go."""
        self._readers.shutdown(wait=False, cancel_futures=True)

    async def look(self, signal: SignalRecord) -> Seen:
        """Return an alert's outcome and the position as they are now. Raises Unavailable."""
        answer: asyncio.Future[Seen] = asyncio.get_running_loop().create_future()
        self._wanted.append((signal, answer))
        self._begin()
        return await answer

    def _begin(self) -> None:
        """Read for those who wait, unless every reader is busy: they come back here when they are done."""
        if not self._wanted or self._reading == _READERS:
            return
        together, self._wanted = self._wanted[:AT_ONCE_MAX], self._wanted[AT_ONCE_MAX:]
        self._reading += 1
        signals = [signal for signal, _ in together]
        reading = asyncio.get_running_loop().run_in_executor(self._readers, self._read, signals)
        reading.add_done_callback(lambda done: self._hand_out(done, [answer for _, answer in together]))

    def _hand_out(self, done: "asyncio.Future[list[Seen]]", answers: Sequence["asyncio.Future[Seen]"]) -> None:
        self._reading -= 1
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        for number, answer in enumerate(answers):
            if answer.done():  # who asked has hung up
                continue
            if error is None:
                answer.set_result(done.result()[number])
            elif isinstance(error, asyncio.CancelledError):
                answer.cancel()
            else:
                answer.set_exception(error)
        self._begin()

    def _read(self, signals: Sequence[SignalRecord]) -> list[Seen]:
        """Read outcomes and positions in one snapshot, each position once; then its margin, each once."""
        desk = self._house.desk
        views: dict[tuple[str, str | None], PositionView | None] = {}
        traders: dict[str, Trader] = {}

        def look(tx: Tx) -> list[Outcome]:
            for signal in signals:
                trader = traders[signal.account_id] = self._trader(tx, signal)
                place = (signal.account_id, signal.symbol)
                if place not in views:
                    views[place] = _glance(tx, self._house, trader, signal.symbol)
            return [read_outcome(tx, signal.id) for signal in signals]

        outcomes = self._house.database.read(look)
        for place, view in views.items():
            if view is not None:
                views[place] = portfolio.with_margin(desk, traders[place[0]], view)
        return [
            (outcome, views[signal.account_id, signal.symbol])
            for outcome, signal in zip(outcomes, signals, strict=True)
        ]

    def _trader(self, tx: Tx, signal: SignalRecord) -> Trader:
        """Return on whose account an alert acts; an account never changes its venue, so it is asked for once."""
        trader = self._traders.get(signal.account_id)
        if trader is None:
            account = trading_accounts.by_id(tx, signal.account_id)
            trader = self._traders[account.id] = Trader.of(account)
        return trader


def _glance(tx: Tx, house: House, trader: Trader, symbol: str | None) -> PositionView | None:
    if symbol is None:
        return None
    try:
        return portfolio.glance(tx, house.desk, trader, symbol)
    except Unavailable:  # there is no price at the moment: the answer goes without the position
        return None
