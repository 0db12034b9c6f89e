"""Accounts of a venue, heard without asking for each, and what holds any stream open: messages in, events out.

A stream may end, fall silent, or stay away; each time it is opened anew, after pauses that grow. What happened on an
account in between is asked for and told before anything that came after it. A venue without a stream of its own here
is asked again and again instead, which is told in the same way. How each venue speaks is its adapter's to say, by
`AccountSpeech` here and `MarketSpeech` in `price_feeds`.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from pilothouse.core.clock import Clock
from pilothouse.core.errors import PilothouseError, Unavailable
from pilothouse.kit import exact_json
from pilothouse.kit.retry import pause_after
from pilothouse.venues.port import AccountEvent, StreamState

_TROUBLE: Final = (OSError, TimeoutError, WebSocketException, PilothouseError)
_WAITING_MOST: Final = 100_000
_log = structlog.get_logger("pilothouse.venues.held_streams")


class StreamEnded(Unavailable):
    """The stream is of no more use: its key has expired, it was refused, or it fell silent."""

    code = "stream_ended"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds.

    open_s, ping_s   for a connection, and between pings to which an answer must come in the same time
    silent_s         of an account: it is reopened when nothing came for so long, as a quiet one is told from a dead
                     one by nothing else
    market_silent_s  of prices, which never rest
    keep_s           between two extensions of a listen key, which lasts an hour
    poll_s           between two questions where there is no stream: of an account
    price_poll_s     the same, of prices
    first_s, most_s  of the pause before it is opened anew
    """

    open_s: float = 5.0
    ping_s: float = 20.0
    silent_s: float = 900.0
    market_silent_s: float = 20.0
    keep_s: float = 1_500.0
    poll_s: float = 5.0
    price_poll_s: float = 2.0
    first_s: float = 0.1
    most_s: float = 30.0


class AccountSpeech(Protocol):
    """How a venue tells of one account. `open`, `keep`, and `understood` where it `asks` block: threads call them."""

    @property
    def keep_s(self) -> float:
        """Return how many seconds pass between two calls of `keep`."""
        ...

    def open(self) -> tuple[str, Sequence[str]]:
        """Return the address to open, and what to say there first. Raises Unavailable."""
        ...

    def keep(self) -> None:
        """Keep it alive. Raises StreamEnded if it is no more, Unavailable if nobody answers."""
        ...

    def asks(self, message: Any) -> bool:
        """Say whether something must be asked for to understand a message; then it may take its time."""
        ...

    def understood(self, message: Any) -> Sequence[AccountEvent]:
        """Return what a message tells. Raises StreamEnded if it says that it is over, Unavailable."""
        ...


class Streams:
    """The thread on which streams are held open. `close()` it."""

    def __init__(self, name: str) -> None:
        """Hold none yet; the thread begins with the first and has `name`."""
        self._name = name
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
                self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
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


async def pause_for(seconds: float) -> None:
    """Wait; the other streams go on."""
    await asyncio.sleep(seconds)


class HeldOpen:
    """Something that is opened again and again."""

    def __init__(self, name: str, patience: Patience) -> None:
        self.name = name
        self.patience = patience
        self.failures = 0

    async def hold(self, once: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Open it, and open it again whenever it ends, until this is cancelled."""
        while True:
            await self._one(once)
            pause = pause_after(max(self.failures, 1), first=self.patience.first_s, longest=self.patience.most_s)
            await pause_for(pause)

    async def _one(self, once: Callable[[], Coroutine[Any, Any, None]]) -> None:
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


# ── An account ────────────────────────────────────────────────────────────────────────────────────


class AccountStream(HeldOpen):
    """One account, heard by a stream or, without one, by asking."""

    def __init__(
        self,
        account_id: str,
        speech: AccountSpeech | None,
        missed: Callable[[datetime], Sequence[AccountEvent]],
        sink: Callable[[AccountEvent], None],
        clock: Clock,
        patience: Patience,
    ) -> None:
        """Tell `sink` what happens from now on, on the streams' thread; it must not block.

        speech   None: there is no stream
        missed   returns what happened since an instant; blocks, may raise Unavailable
        """
        super().__init__(f"account {account_id}", patience)
        self._id = account_id
        self._speech = speech
        self._missed = missed
        self._sink = sink
        self._clock = clock
        self._told_until = clock.now()
        self._state = StreamState.LOST

    async def run(self) -> None:
        """Hold it open until cancelled."""
        await self.hold(self._once)

    async def _once(self) -> None:
        try:
            if self._speech is None:
                await self._ask_on()
            else:
                await self._hear(self._speech)
        finally:
            self._say(StreamState.LOST)

    def _say(self, state: StreamState) -> None:
        """Tell how well the account is heard, each state once."""
        if state is not self._state:
            self._state = state
            self._sink(AccountEvent(self._id, stream=state))

    async def _catch_up(self) -> None:
        """Tell what happened since it was told last."""
        begun = self._clock.now()
        for event in await asyncio.to_thread(self._missed, self._told_until):
            self._sink(event)
        self._told_until = begun
        self.failures = 0

    async def _ask_on(self) -> None:
        self._say(StreamState.CATCHING_UP)
        while True:
            await self._catch_up()
            self._say(StreamState.LIVE)
            await pause_for(self.patience.poll_s)

    async def _hear(self, speech: AccountSpeech) -> None:
        url, first = await asyncio.to_thread(speech.open)
        async with self.connection(url) as socket:
            for each in first:
                await socket.send(each)
            waiting: asyncio.Queue[Any] = asyncio.Queue(maxsize=_WAITING_MOST)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(socket, waiting))
                tasks.create_task(self._keep(speech))
                tasks.create_task(self._tell(speech, waiting, answers=len(first)))

    async def _read(self, socket: ClientConnection, waiting: "asyncio.Queue[Any]") -> None:
        """Take in messages at once, so that none waits in the network while a gap is filled."""
        while True:
            async with asyncio.timeout(self.patience.silent_s):
                raw = await socket.recv()
            waiting.put_nowait(exact_json.loads(raw))

    async def _keep(self, speech: AccountSpeech) -> None:
        pause = speech.keep_s
        while True:
            await pause_for(pause)
            pause = speech.keep_s if await self._kept(speech) else min(60.0, speech.keep_s)

    async def _kept(self, speech: AccountSpeech) -> bool:
        """Say whether it was kept alive. Raises StreamEnded if it is no more."""
        try:
            await asyncio.to_thread(speech.keep)
        except StreamEnded:
            raise
        except Unavailable as unavailable:
            _log.warning("stream_not_kept", stream=self.name, why=str(unavailable))
            return False
        return True

    async def _tell(self, speech: AccountSpeech, waiting: "asyncio.Queue[Any]", *, answers: int) -> None:
        """Fill the gap, then tell what comes, in its order.

        answers   how many messages come first that answer what was said at the opening: from then on nothing is missed
        """
        self._say(StreamState.CATCHING_UP)
        for _ in range(answers):
            async with asyncio.timeout(self.patience.open_s):
                await self._tell_one(speech, await waiting.get())
        await self._catch_up()
        self._say(StreamState.LIVE)
        while True:
            await self._tell_one(speech, await waiting.get())
            if waiting.empty():
                self._told_until = self._clock.now()

    async def _tell_one(self, speech: AccountSpeech, message: Any) -> None:
        told = (
            await asyncio.to_thread(speech.understood, message) if speech.asks(message) else speech.understood(message)
        )
        for event in told:
            self._sink(event)
