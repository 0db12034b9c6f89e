"""A whole house that runs on its own threads, with an account at a simulated exchange that listens on this machine."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from pilothouse.accounts import hooks, trading_accounts, venue_keys
from pilothouse.accounts.trading_accounts import Mode, TradingAccount
from pilothouse.bots.alert import read
from pilothouse.execution import hearing
from pilothouse.execution import store as orders_store
from pilothouse.execution.desk import Patience
from pilothouse.execution.store import OrderFilter, OrderRecord
from pilothouse.fleet import answer, inbox
from pilothouse.fleet.answer import Outcome
from pilothouse.fleet.inbox import Door, Taken
from pilothouse.jobs.embedded import Embedded
from pilothouse.kit.db import Tx
from pilothouse.kit.sealed import Secret
from pilothouse.kit.settings import Settings
from pilothouse.ledger import positions
from pilothouse.ledger.exposure import holdings
from pilothouse.migrations.migrate import migrate
from pilothouse.venues.catalogue import checked_credential
from pilothouse.venues.keys import VenueKey
from pilothouse.wiring.build import Parts, build
from pilothouse.wiring.house import House
from tests.slices.simexchange.sim_house import WALLET, WALLET_KEY

BUSY = 6
"""What does not come in so many times the seconds of an idle machine does not come on a busy one either."""


def within(seconds: float, check: Callable[[], Any]) -> Any:
    """Return what `check` finds once it is true, or the last it found when the time for a busy machine has run out."""
    deadline = time.monotonic() + seconds * BUSY
    while not (found := check()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


@dataclass
class Living:
    """One running house with an account at the exchange at `base`. Use it in a `with`."""

    data: Path
    url: str
    base: str
    process: str = "house-1"
    mode: Mode = Mode.TESTNET
    patience: Patience = field(default_factory=Patience)
    jobs: Embedded | None = None
    _numbers: int = 0

    def __enter__(self) -> Self:
        self.house = self.built()
        self.account = self.known_account() or self.new_account()
        self.token = self._hook()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def built(self) -> House:
        """Return a house over the database, migrated."""
        variables = {"PILOTHOUSE_DATA": str(self.data), "PILOTHOUSE_DATABASE_URL": self.url}
        parts = Parts(process=self.process, patience=self.patience)
        settings = Settings.from_environment(variables)
        migrate(settings.database_url, backup_to=None, clock=None)  # type: ignore[arg-type]  # no copy is named
        return build(settings, parts)

    def start(self) -> None:
        """Let the house's threads run."""
        self.jobs = Embedded(self.house)
        self.jobs.start()

    def stop(self) -> None:
        """End the threads and close the house."""
        if self.jobs is not None:
            self.jobs.stop(patience_s=60)  # what is in hand ends, and leases are given back
            self.jobs = None
            self.house.close()

    def known_account(self) -> TradingAccount | None:
        """Return the account at the exchange, if an earlier house has opened it."""
        found = self.house.database.read(trading_accounts.active_accounts)
        return next((each for each in found if each.venue == self.key), None)

    @property
    def key(self) -> str:
        """Return what the exchange is called here."""
        return str(VenueKey("aster", self.base))

    def new_account(self, *, wallet: str = WALLET, private_key: str = WALLET_KEY, name: str = "sim") -> TradingAccount:
        """Open an account at the exchange, with its key sealed."""
        house = self.house
        now = house.clock.now()
        parts, label = checked_credential(
            VenueKey.parse(self.key),
            {"user": Secret(wallet), "signer": Secret(wallet), "private_key": Secret(private_key)},
        )
        sealer = house.ring.sealer

        def work(tx: Tx) -> TradingAccount:
            account = trading_accounts.open_account(
                tx, owner_id=house.operator_id, name=name, venue=self.key, mode=self.mode, currency="USDT", now=now
            )
            venue_keys.keep(tx, sealer, house.operator_id, account.id, parts, label=label, now=now)
            return account

        return house.database.write(work, name="account")

    def _hook(self) -> str:
        house = self.house

        def work(tx: Tx) -> str:
            now = house.clock.now()
            name = f"hook of {self.process}"
            made = hooks.create(tx, owner_id=house.operator_id, account_id=self.account.id, name=name, now=now)
            return made[1].reveal()

        return house.database.write(work, name="hook")

    # ── Doing ─────────────────────────────────────────────────────────────────────────────────────

    def send(self, **fields: object) -> Taken:
        """Take an alert that differs from all before, as its door does."""
        self._numbers += 1
        body = json.dumps({"alert_id": f"{self.process}-{self._numbers}", **fields}).encode()
        alert, house = read(body, Door.HOOK.shape), self.house

        def work(tx: Tx) -> Taken:
            hook = inbox.hook_by_token(tx, self.token)
            known_as = hashlib.sha256(body).hexdigest()
            return inbox.take(
                tx, house.desk, hook, Door.HOOK, alert, fingerprint=known_as, received_at=house.clock.now()
            )

        return house.database.write(work, name="alert")

    def outcome(self, taken: Taken) -> Outcome:
        """Return what an alert has come to."""
        return self.house.database.read(lambda tx: answer.read_outcome(tx, taken.signal.id))

    def alert(self, seconds: float = 10, **fields: str) -> Outcome:
        """Send an alert and return what came of it, once it is settled."""
        taken = self.send(**fields)
        within(seconds, lambda: self._is_over(self.outcome(taken)))
        return self.outcome(taken)

    def _is_over(self, outcome: Outcome) -> bool:
        moving = [order for order in outcome.orders if not order.state.is_final and not order.terms.rests]
        return outcome.settled and not moving

    # ── Looking ───────────────────────────────────────────────────────────────────────────────────

    def is_heard(self) -> bool:
        """Say whether the account is heard at the exchange."""
        found = self.house.database.read(lambda tx: hearing.of(tx, self.account.id))
        return found is not None and found.deaf_since(self.house.clock.now()) is None

    def position(self, symbol: str) -> Decimal:
        """Return what the books hold."""
        return self.house.database.read(lambda tx: positions.position(tx, self.account.id, symbol)).quantity

    def wallet(self) -> Decimal:
        """Return the wallet as the books have it."""
        now = self.house.clock.now()
        return self.house.database.read(lambda tx: holdings(tx, self.account.id, now).wallet)

    def orders(self) -> list[OrderRecord]:
        """Return every order of the account, oldest first."""
        owner, narrow = self.house.operator_id, OrderFilter(account_id=self.account.id)
        found = self.house.database.read(lambda tx: orders_store.page(tx, owner, narrow, before=None, limit=10_000))
        return found[::-1]
