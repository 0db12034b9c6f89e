"""The simulated exchange as a server: one process, one loop, HTTP and WebSocket on one port."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from pilothouse.core.clock import Clock
from pilothouse.core.errors import Refused
from pilothouse.simexchange.clock import ExchangeClock
from pilothouse.simexchange.control import Control
from pilothouse.simexchange.exchange import DEPOSIT_DEFAULT, Exchange
from pilothouse.simexchange.faults import NoSuchFault
from pilothouse.simexchange.front import BOTH_PROFILES, Front
from pilothouse.simexchange.http_connections import HttpConnection
from pilothouse.simexchange.keys import ApiKey
from pilothouse.simexchange.limits import Limits
from pilothouse.simexchange.streams import Hub
from pilothouse.simexchange.tape import read_tape
from pilothouse.simulation.contracts import CONTRACTS, Contract

_BEAT_S = 0.05
_PING_BEATS = 3_600  # three minutes


class FaultsUnreadable(Refused):
    """The file with faults cannot be read."""

    code = "faults_unreadable"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How an exchange is to be.

    port      0: any that is free
    speed     how fast its time runs; 0: it stands until the control moves it
    start_us  the instant at which it begins; None: now
    api_keys  (key, secret); wallets (owner, agent or empty)
    raised_limits   so many times the usual rate limits
    contracts what is traded, by symbol; None: the usual three and their quarters
    """

    port: int = 18100
    host: str = "127.0.0.1"
    profile: str = BOTH_PROFILES
    seed: int = 1
    tape: Path | None = None
    speed: int = 1
    start_us: int | None = None
    latency_ms: tuple[int, int] = (0, 0)
    faults: Path | None = None
    token: str = "control"  # noqa: S105  (a word that guards a toy; whoever listens on more than loopback gives another)
    enforce_limits: bool = False
    raised_limits: int = 1
    open_wallets: bool = True
    old_signatures: bool = False
    deposit: int = DEPOSIT_DEFAULT
    api_keys: tuple[tuple[str, str], ...] = ()
    wallets: tuple[tuple[str, str], ...] = field(default=())
    contracts: Mapping[str, Contract] | None = None


class SimulatedExchange:
    """An exchange and its server; `start` it, let it run, `stop` it."""

    def __init__(self, plan: Plan, clock: Clock) -> None:
        tape = read_tape(plan.tape, CONTRACTS) if plan.tape is not None else None
        self.plan = plan
        exchange_clock = ExchangeClock(clock, speed=plan.speed, start_us=plan.start_us)
        self.exchange = Exchange(exchange_clock, seed=plan.seed, tape=tape, contracts=plan.contracts)
        self.exchange.limits_raised = plan.raised_limits
        self.front = Front(
            self.exchange,
            profile=plan.profile,
            limits=Limits(enforced=plan.enforce_limits, raised=plan.raised_limits),
            latency_ms=plan.latency_ms,
            open_wallets=plan.open_wallets,
        )
        self.exchange.keys.takes_old = plan.old_signatures
        self.hub = Hub(self.exchange, self.front.faults, _later)
        self.control = Control(self.front, self.hub, plan.token)
        for name, secret in plan.api_keys:
            self.front.add_api_key(ApiKey(name, secret, f"binance-{name}"), plan.deposit)
        for owner, agent in plan.wallets:
            self.front.add_wallet(owner, f"aster-{owner.lower()}", plan.deposit)
            if agent:
                self.exchange.keys.add_agent(agent, owner)
        if plan.faults is not None:
            self._read_faults(plan.faults)
        self.port = 0
        self._connections: set[HttpConnection] = set()
        self._server: asyncio.Server | None = None
        self._beating: asyncio.Task[None] | None = None

    def _read_faults(self, path: Path) -> None:
        try:
            for rule in msgspec.json.decode(path.read_bytes()):
                self.front.faults.add(rule)
        except (OSError, msgspec.DecodeError, NoSuchFault, TypeError) as error:
            raise FaultsUnreadable(f"{path}: {error}") from error

    async def start(self) -> None:
        """Listen and let time run."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: HttpConnection(self.front, self.hub, self.control, self._connections),
            self.plan.host,
            self.plan.port,
            backlog=1_024,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._beating = loop.create_task(self._beat())

    async def stop(self) -> None:
        """Stop listening, say goodbye to who listens."""
        if self._beating is not None:
            self._beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beating
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()
        await asyncio.sleep(0)

    async def _beat(self) -> None:
        beats = 0
        while True:
            await asyncio.sleep(_BEAT_S)
            beats += 1
            if self.exchange.run():
                self.hub.beat()
            if beats % _PING_BEATS == 0:
                for connection in self._connections:
                    if connection.socket is not None:
                        connection.socket.ping()


async def run(plan: Plan, clock: Clock, ready: Callable[[SimulatedExchange], None], stop: asyncio.Event) -> None:
    """Run an exchange until `stop` is set; `ready` hears when it listens."""
    exchange = SimulatedExchange(plan, clock)
    await exchange.start()
    ready(exchange)
    try:
        await stop.wait()
    finally:
        await exchange.stop()


def _later(delay_ms: int, what: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(delay_ms / 1_000, what)
