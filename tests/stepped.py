"""A whole house, run one step at a time under a frozen clock: production code, no thread of jobs.

Everything that threads do in `jobs/embedded` is done here by `run`, on the test's own thread, and every message is
delivered twice.
"""

import hashlib
import itertools
import json
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from pilothouse.bots.alert import Alert, read
from pilothouse.core.errors import Invalid
from pilothouse.core.halts import HaltKind
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, OrderType, Purpose, TimeInForce
from pilothouse.execution import halts, limits, send
from pilothouse.execution import store as orders_store
from pilothouse.execution.desk import Patience
from pilothouse.execution.halt_store import Halt
from pilothouse.execution.limit_sets import HOUSE, Level, Scope
from pilothouse.execution.store import OrderRecord
from pilothouse.execution.trader import Trader
from pilothouse.fleet import answer, halting, inbox, manual, store
from pilothouse.fleet.answer import Outcome
from pilothouse.fleet.inbox import Door, Taken
from pilothouse.jobs.dispatch import Dispatcher
from pilothouse.jobs.embedded import recover
from pilothouse.jobs.schedule import drive_waiting, reconcile_all
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Tx
from pilothouse.kit.settings import Settings
from pilothouse.ledger import positions
from pilothouse.venues.paper_faults import PaperFaults
from pilothouse.venues.port import VenueAccount
from pilothouse.wiring import first_steps
from pilothouse.wiring.benches import Benches
from pilothouse.wiring.build import Parts, build
from pilothouse.wiring.house import House


class Crash(BaseException):
    """The process died here."""


@dataclass
class Fuse:
    """Kills the house at the n-th commit after it was lit; counts when it is not set.

    at_name   kill at this commit, by its name, instead
    seen      names of the commits, "before:" and after
    """

    at: int | None = None
    at_name: str | None = None
    lit: bool = False
    seen: list[str] = field(default_factory=list)

    def books(self, name: str) -> None:
        """Be the witness of the books."""
        self._see(f"books {name}")

    def paper(self, name: str) -> None:
        """Be the witness of the paper venue's journal."""
        self._see(f"paper {name}")

    def _see(self, name: str) -> None:
        if not self.lit or (self.at is not None and len(self.seen) > self.at):
            return
        self.seen.append(name)
        if name == self.at_name:
            self.at_name = None
            raise Crash(name)
        if self.at is not None and len(self.seen) > self.at:
            raise Crash(name)


@dataclass
class Stepped:
    """One house under test. `open` it, send alerts, `run` it; abandon it like a crash with `die`."""

    data: Path
    url: str
    clock: FrozenClock
    fuse: Fuse = field(default_factory=Fuse)
    faults: PaperFaults = field(default_factory=PaperFaults)
    patience: Patience = field(default_factory=Patience)
    alarm_urls: str = ""
    benches: Benches | None = None
    _house: House | None = None
    _lives: "itertools.count[int]" = field(default_factory=itertools.count)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def house(self) -> House:
        """Return the open house."""
        assert self._house is not None, "open it first"
        return self._house

    def open(self) -> "Stepped":
        """Start the house: for the first time, or again after `die`."""
        self.clock.advance(0.001)  # ids sort by time, and a later life is later
        variables = {"PILOTHOUSE_DATA": str(self.data), "PILOTHOUSE_DATABASE_URL": self.url}
        variables["PILOTHOUSE_ALARM_URLS"] = self.alarm_urls
        parts = Parts(
            clock=self.clock,
            process=f"test-{next(self._lives)}",
            witness=self.fuse.books,
            paper_witness=self.fuse.paper,
            paper_faults=self.faults,
            patience=self.patience,
            benches=self.benches,
            writers=1,
        )
        self._house = build(Settings.from_environment(variables), parts)
        self.facts, _ = first_steps.take(self.house)
        assert self.facts is not None, "the first steps are never lost"
        self.token = self.facts.hook_url.rpartition("/")[2]
        recover(self.house)
        drive_waiting(self.house)
        return self

    def die(self) -> None:
        """Leave the house as a killed process would: nothing is finished, nothing is told."""
        house, self._house = self.house, None
        self.fuse.lit = False
        for closer in house.closers:
            closer()

    @property
    def account(self) -> VenueAccount:
        """Return the paper account."""
        assert self.facts is not None, "opened"
        return VenueAccount(self.facts.account, self.house.operator_id)

    @property
    def trader(self) -> Trader:
        """Return on whose behalf orders are made."""
        return Trader(self.account.owner_id, self.account.id, "paper")

    def send(self, body: bytes, door: Door = Door.HOOK) -> Taken:
        """Take one alert as its door does; returns once it is stored and decided."""
        alert: Alert | Invalid
        try:
            alert = read(body, door.shape)
        except Invalid as invalid:
            alert = invalid
        fingerprint = hashlib.sha256(body).hexdigest()
        house = self.house

        def work(tx: Tx) -> Taken:
            hook = inbox.hook_by_token(tx, self.token)
            return inbox.take(tx, house.desk, hook, door, alert, fingerprint=fingerprint, received_at=house.clock.now())

        return house.database.write(work, name="alert")

    def alert(self, **fields: object) -> Outcome:
        """Send an alert that differs from all before, run the house, and return what came of it."""
        fields = {"alert_id": f"a{next(self._numbers)}", **fields}
        taken = self.send(json.dumps(fields).encode())
        self.run()
        return self.outcome(taken.signal.id)

    def outcome(self, signal_id: str) -> Outcome:
        """Return what an alert has come to."""
        return self.house.database.read(lambda tx: answer.read_outcome(tx, signal_id))

    def limit(
        self, level: Level = Level.ACCOUNT, bot: str = "", warn: dict[str, Any] | None = None, **stop: Any
    ) -> None:
        """Set limits of the account, or of another level."""
        house, account = self.house, self.account
        scope = self.scope(level, bot)
        house.database.write(
            lambda tx: limits.change(
                tx, house.desk, scope, stop=stop, warn=warn or {}, by="test", why="a test", account_id=account.id
            ),
            name="limits",
        )

    def halt(self, kind: HaltKind, level: Level = Level.ACCOUNT, bot: str = "") -> Halt:
        """Halt the account, or another level."""
        desk, scope = self.house.desk, self.scope(level, bot)
        return self.house.database.write(
            lambda tx: halting.halt(tx, desk, scope, kind, reason="a test", by="test"), name="halt"
        )

    def resume(self, level: Level = Level.ACCOUNT, bot: str = "") -> None:
        """Let the account, or another level, trade again."""
        desk, scope = self.house.desk, self.scope(level, bot)
        self.house.database.write(lambda tx: halts.resume_at(tx, desk, scope, by="test"), name="resume")

    def by_hand(self, symbol: str, quantity: str, side: Side = Side.BUY) -> None:
        """Place a market order as a person does, and run the house. Raises DeniedByRisk."""
        ticket = manual.Ticket(
            symbol, side, OrderType.MARKET, Decimal(quantity), None, None, TimeInForce.GTC, reduce_only=False
        )
        desk = self.house.desk
        self.house.database.write(lambda tx: manual.place(tx, desk, self.trader, ticket, by="test"), name="manual")
        self.run()

    def scope(self, level: Level, bot: str = "") -> Scope:
        """Return where limits and halts are set."""
        account = self.account
        ids = {Level.HOUSE: HOUSE, Level.USER: account.owner_id, Level.ACCOUNT: account.id, Level.BOT: bot}
        within = account.id if level in {Level.ACCOUNT, Level.BOT} else None
        return Scope(level, ids[level], account.owner_id, within)

    def run(self) -> None:
        """Do everything that is due now, until nothing is."""
        house = self.house
        dispatcher = Dispatcher(house, deliver_twice=True)
        while True:
            sent = house.desk.lanes.work_once(lambda batch: send.send_batch(house.desk, batch))
            self._written()
            if not dispatcher.run_due() and not sent:
                return

    def pass_time(self, seconds: float, step: float = 0.25) -> None:
        """Let the clock, the market and whatever falls due go on for so long."""
        for _ in range(max(1, round(seconds / step))):
            self.clock.advance(step)
            assert self.house.paper is not None, "a house with a paper venue"
            self.house.paper.step(self.clock.now())
            self._written()
            self.run()

    def recover(self) -> None:
        """Be started again after `die`, and go on until every question is answered."""
        self.open()
        self.run()
        for _ in range(60):
            if not self.live(moving=True) and not self.waiting():
                break
            self.pass_time(1, step=0.5)
            drive_waiting(self.house)
            self.run()
        reconcile_all(self.house)
        self.run()

    def _written(self) -> None:
        """Wait until everything that was submitted is committed."""
        self.house.database.write(_nothing, name="barrier")

    # ── looking ───────────────────────────────────────────────────────────────────────────────────

    def orders(self) -> list[OrderRecord]:
        """Return every order, oldest first."""
        narrow = orders_store.OrderFilter()
        owner = self.house.operator_id
        found = self.house.database.read(lambda tx: orders_store.page(tx, owner, narrow, before=None, limit=100_000))
        return found[::-1]

    def live(self, *, moving: bool = False) -> list[OrderRecord]:
        """Return the orders that are not final; `moving`: without those that rest."""
        live = self.house.database.read(lambda tx: orders_store.live_of(tx, self.account.id))
        return [order for order in live if not (moving and order.state.is_resting)]

    def waiting(self) -> list[tuple[str, str]]:
        """Return the instruments in which signals wait."""
        return self.house.database.read(store.waiting)

    def position(self, symbol: str) -> Decimal:
        """Return what our books hold, signed."""
        return self.house.database.read(lambda tx: positions.position(tx, self.account.id, symbol)).quantity

    def venue_position(self, symbol: str) -> Decimal:
        """Return what the venue holds, signed."""
        held = {one.symbol: one.quantity for one in self.house.venues["paper"].positions(self.account)}
        return held.get(symbol, Decimal(0))

    def drift(self) -> list[str]:
        """Return where the stored positions and balances differ from the fold of their entries."""
        return self.house.database.read(lambda tx: positions.drift(tx, self.account.id))

    def only_order(self, purpose: Purpose | None = None) -> OrderRecord:
        """Return the one order there is, or the one of that purpose."""
        found = [order for order in self.orders() if purpose in {None, order.purpose}]
        assert len(found) == 1, found
        return found[0]

    def unknown(self) -> list[OrderRecord]:
        """Return the orders whose outcome nobody knows."""
        return [order for order in self.live() if order.state is OrderState.UNKNOWN]


def _nothing(tx: Tx) -> None:
    """Do nothing, behind everything that was queued before."""
