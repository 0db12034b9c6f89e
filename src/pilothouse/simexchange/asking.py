"""A request on its way to its answer: who asks, of which venue, and the exchange that is asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pilothouse.simexchange.exchange import Exchange
from pilothouse.simexchange.records import BINANCE, AccountFile
from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.wire_errors import WireError
from pilothouse.simulation.account import Account

PUBLIC, KEYED, SIGNED, MANAGED = "public", "keyed", "signed", "managed"
"""Who may ask: anyone; a known key; a known key that signs; a main wallet that signs the operation itself."""

DONE = {"code": 200, "msg": "success"}
"""What a handler answers that has nothing to tell."""


@dataclass(slots=True)
class Asking:
    """One request, with what a handler needs to answer it.

    name, version   the last part of the path and the number in it: /fapi/v1/order is `order`, 1
    file            the account that asks; only where somebody signed
    """

    exchange: Exchange
    request: Request
    profile: str
    name: str
    version: int
    file_or_none: AccountFile | None = None
    wallet: str = ""
    is_spot: bool = False
    now: int = field(init=False)

    def __post_init__(self) -> None:
        """Read the clock once."""
        self.now = self.exchange.clock.now()

    @property
    def now_ms(self) -> int:
        """Return the present instant in milliseconds."""
        return self.now // 1_000

    @property
    def file(self) -> AccountFile:
        """Return the account that asks."""
        assert self.file_or_none is not None, "the route asked for a signature"
        return self.file_or_none

    @property
    def account(self) -> Account:
        """Return the floor's side of the account that asks."""
        return self.exchange.floor.accounts[self.file.id]

    def symbol(self) -> str:
        """Return the instrument named; it must be there."""
        found = self.request.need("symbol").upper()
        contract = self.exchange.floor.contracts.get(found)
        if contract is None or (contract.delivers_us is not None and found not in self.listed):
            raise WireError(-1121)
        return found

    @property
    def listed(self) -> list[str]:
        """Return what is traded on this side of this venue."""
        return self.exchange.listed(with_quarters=self.profile == BINANCE and not self.is_spot)

    def symbols(self) -> list[str]:
        """Return the one instrument named, or all of them."""
        if self.request.text("symbol"):
            return [self.symbol()]
        many = self.request.items("symbols")
        if many:
            if any(one not in self.listed for one in many):
                raise WireError(-1121)
            return many
        return self.listed


Handler = Callable[[Asking], Any]


@dataclass(frozen=True, slots=True)
class Route:
    """How a path is answered; `orders`: how many orders it counts as."""

    handler: Handler
    security: str = PUBLIC
    weight: int = 1
    orders: int = 0
