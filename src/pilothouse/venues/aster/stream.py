"""Streams of AsterDEX, held open: messages in, events and quotes out, in order, each to one synchronous function.

A stream may end, fall silent, or stay away; each time it is opened anew, after pauses that grow. What happened on an
account in between is asked for and told before anything that came after it.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from pilothouse.core.clock import Clock
from pilothouse.core.errors import PilothouseError, Unavailable
from pilothouse.core.quote import Quote
from pilothouse.kit import exact_json
from pilothouse.kit.retry import pause_after
from pilothouse.venues.aster import wire
from pilothouse.venues.aster.market import Prices
from pilothouse.venues.port import AccountEvent, StreamState

SYMBOLS_EACH: Final = 60
"""How many instruments one connection follows: three streams for each, and a connection may have two hundred."""

_TROUBLE: Final = (OSError, TimeoutError, WebSocketException, PilothouseError)
_log = structlog.get_logger("pilothouse.venues.aster.stream")


class StreamEnded(Unavailable):
    """The stream is of no more use: its key has expired, or it fell silent."""

    code = "stream_ended"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds.

    open_s, ping_s   for a connection, and between pings to which an answer must come in the same time
    silent_s         of an account: it is reopened when nothing came for so long, as a quiet one is told from a dead
                     one by nothing else
    market_silent_s  of prices, which never rest
    keep_s           between two extensions of the listen key, which lasts an hour
    first_s, most_s  of the pause before it is opened anew
    """

    open_s: float = 5.0
    ping_s: float = 20.0
    silent_s: float = 900.0
    market_silent_s: float = 20.0
    keep_s: float = 1_500.0
    first_s: float = 0.1
    most_s: float = 30.0


@dataclass(frozen=True, slots=True)
class AccountWire:
    """What the stream of one account asks of the rest: all of it blocks, and is called on threads.

    open_key    returns the listen key; raises Unavailable
    keep_key    extends it; raises StreamEnded if there is none any more, Unavailable if nobody answers
    missed      returns what happened since an instant; raises Unavailable
    funded      returns funding that was not told yet; raises Unavailable
    """

    account_id: str
    open_key: Callable[[], str]
    keep_key: Callable[[], None]
    missed: Callable[[datetime], Sequence[AccountEvent]]
    funded: Callable[[], Sequence[AccountEvent]]


class Streams:
    """The thread on which streams are held open. `close()` it."""

    def __init__(self) -> None:
        """Hold none yet; the thread begins with the first."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._running: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()

    def start(self, stream: Coroutine[Any, Any, None]) -> Callable[[], None]:
        """Hold `stream` open; return what ends it."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="aster-streams", daemon=True)
                self._thread.start()
            loop = self._loop
        tasks: list[asyncio.Task[None]] = []

        def begin() -> None:
            task = loop.create_task(stream)
            tasks.append(task)
            self._running.add(task)
            task.add_done_callback(self._forget)
            task.add_done_callback(_told_if_broken)

        def end() -> None:
            for task in tasks:
                self._end(task)

        def stop() -> None:
            with contextlib.suppress(RuntimeError):  # all of them have ended already
                loop.call_soon_threadsafe(end)

        loop.call_soon_threadsafe(begin)
        return stop

    def close(self) -> None:
        """End every stream and the thread. Safe to call twice."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._end_all(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    def _end(self, task: "asyncio.Task[None]") -> None:
        """End a stream, unless it is ending: cancelled again, it would leave its connection open."""
        if task not in self._ending:
            self._ending.add(task)
            task.cancel()

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._ending.discard(task)

    async def _end_all(self) -> None:
        ending = tuple(self._running)
        for task in ending:
            self._end(task)
        await asyncio.gather(*ending, return_exceptions=True)


def _told_if_broken(done: "asyncio.Task[None]") -> None:
    """Say it when a stream ended by an error of ours: what the wire does to it is met inside of it."""
    if not done.cancelled() and (error := done.exception()) is not None:
        _log.critical("stream_broken", error=repr(error))


class _Held:
    """A stream that is opened again and again."""

    def __init__(self, name: str, patience: Patience) -> None:
        self.name = name
        self.patience = patience
        self.failures = 0

    async def hold(self, once: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Open it, and open it again whenever it ends, until this is cancelled."""
        while True:
            await self._try(once)
            pause = pause_after(max(self.failures, 1), first=self.patience.first_s, longest=self.patience.most_s)
            await _pause(pause)

    async def _try(self, once: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await once()
        except* _TROUBLE as group:
            self.failures += 1
            why = "; ".join(f"{type(error).__name__}: {error}" for error in group.exceptions)
            _log.warning("stream_ended", stream=self.name, why=why, failures=self.failures)

    def connection(self, url: str) -> connect:
        """Return a connection that is about to be opened: no proxy, bounded messages, pings that must be answered."""
        ping = self.patience.ping_s
        return connect(
            url,
            open_timeout=self.patience.open_s,
            ping_interval=ping,
            ping_timeout=ping,
            close_timeout=1,
            max_size=4_000_000,
            compression=None,
            proxy=None,
        )


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)


# ── An account ────────────────────────────────────────────────────────────────────────────────────


class AccountStream(_Held):
    """The user stream of one account."""

    def __init__(
        self,
        stream_url: str,
        account: AccountWire,
        sink: Callable[[AccountEvent], None],
        clock: Clock,
        patience: Patience,
    ) -> None:
        """Tell `sink` what happens from now on, on the streams' thread; it must not block."""
        super().__init__(f"account {account.account_id}", patience)
        self._url = stream_url
        self._account = account
        self._sink = sink
        self._clock = clock
        self._told_until = clock.now()
        self._state = StreamState.LOST

    async def run(self) -> None:
        """Hold it open until cancelled."""
        await self.hold(self._once)

    async def _once(self) -> None:
        try:
            await self._hear()
        finally:
            self._say(StreamState.LOST)

    async def _hear(self) -> None:
        key = await asyncio.to_thread(self._account.open_key)
        async with self.connection(f"{self._url}/ws/{key}") as socket:
            waiting: asyncio.Queue[wire.Row] = asyncio.Queue(maxsize=100_000)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(socket, waiting))
                tasks.create_task(self._keep())
                tasks.create_task(self._tell(waiting))

    def _say(self, state: StreamState) -> None:
        """Tell how well the account is heard, each state once."""
        if state is not self._state:
            self._state = state
            self._sink(AccountEvent(self._account.account_id, stream=state))

    async def _read(self, socket: ClientConnection, waiting: "asyncio.Queue[wire.Row]") -> None:
        """Take in messages at once, so that none waits in the network while a gap is filled."""
        while True:
            async with asyncio.timeout(self.patience.silent_s):
                raw = await socket.recv()
            message = exact_json.loads(raw)
            if isinstance(message, dict):
                inner = message.get("data")
                waiting.put_nowait(inner if isinstance(inner, dict) else message)

    async def _keep(self) -> None:
        """Extend the listen key for as long as the stream lives."""
        pause = self.patience.keep_s
        while True:
            await _pause(pause)
            pause = self.patience.keep_s if await self._kept() else min(60.0, self.patience.keep_s)

    async def _kept(self) -> bool:
        """Say whether the key was extended. Raises StreamEnded if it is no more."""
        try:
            await asyncio.to_thread(self._account.keep_key)
        except StreamEnded:
            raise
        except Unavailable as unavailable:
            _log.warning("listen_key_not_extended", stream=self.name, why=str(unavailable))
            return False
        return True

    async def _tell(self, waiting: "asyncio.Queue[wire.Row]") -> None:
        """Fill the gap, then tell what comes, in its order."""
        self._say(StreamState.CATCHING_UP)
        opened_at = self._clock.now()
        for event in await asyncio.to_thread(self._account.missed, self._told_until):
            self._sink(event)
        self._told_until = opened_at
        self.failures = 0
        self._say(StreamState.LIVE)
        while True:
            message = await waiting.get()
            await self._tell_one(message)
            if waiting.empty():
                self._told_until = self._clock.now()

    async def _tell_one(self, message: wire.Row) -> None:
        kind = message.get("e")
        if kind == "ORDER_TRADE_UPDATE":
            self._sink(AccountEvent(self._account.account_id, report=wire.report_of_event(message)))
        elif kind == "ACCOUNT_UPDATE" and wire.row(message.get("a")).get("m") == "FUNDING_FEE":
            # The stream tells the new balance and not which payment it was: that is asked for.
            for event in await asyncio.to_thread(self._account.funded):
                self._sink(event)
        elif kind == "listenKeyExpired":
            raise StreamEnded("the listen key has expired")


# ── Prices ────────────────────────────────────────────────────────────────────────────────────────


class MarketStream(_Held):
    """The prices of some instruments, on one connection."""

    def __init__(
        self,
        stream_url: str,
        symbols: Sequence[str],
        prices: Prices,
        sink: Callable[[Sequence[Quote]], None],
        patience: Patience,
        *,
        first: Callable[[Sequence[str]], Sequence[Quote]],
    ) -> None:
        """Tell `sink` each quote as it changes, on the streams' thread; it must not block.

        symbols   up to SYMBOLS_EACH
        first     asks for the prices to begin with, at each opening; may raise Unavailable
        """
        assert 0 < len(symbols) <= SYMBOLS_EACH, "one connection follows so many instruments"
        super().__init__(f"prices of {symbols[0]} and {len(symbols) - 1} more", patience)
        self._url = stream_url
        self._symbols = symbols
        self._prices = prices
        self._sink = sink
        self._first = first

    async def run(self) -> None:
        """Hold it open until cancelled."""
        await self.hold(self._once)

    async def _once(self) -> None:
        kinds = ("bookTicker", "markPrice@1s", "miniTicker")
        names = [f"{symbol.lower()}@{kind}" for symbol in self._symbols for kind in kinds]
        async with self.connection(f"{self._url}/stream") as socket:
            await socket.send(exact_json.dumps({"method": "SUBSCRIBE", "params": names, "id": 1}))
            await self._begin()
            while True:
                async with asyncio.timeout(self.patience.market_silent_s):
                    raw = await socket.recv()
                message = exact_json.loads(raw)
                if isinstance(message, dict) and isinstance(message.get("error"), dict):
                    raise StreamEnded(f"the venue refuses the subscription: {message['error'].get('msg')}")
                self._take(message)

    async def _begin(self) -> None:
        """Tell the present prices: a quiet instrument may tell none for long. What comes tells them anyway."""
        try:
            begun = await asyncio.to_thread(self._first, self._symbols)
        except Unavailable as unavailable:
            _log.warning("quotes_not_read", stream=self.name, why=str(unavailable))
            return
        self._prices.put(begun)
        if begun:
            self._sink(begun)

    def _take(self, message: Any) -> None:
        inner = message.get("data", message) if isinstance(message, dict) else message
        told = inner if isinstance(inner, list) else [inner]
        quotes = [quote for each in told if isinstance(each, dict) and (quote := self._prices.take(each)) is not None]
        if quotes:
            self.failures = 0
            self._sink(quotes)
