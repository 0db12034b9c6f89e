"""Our adapter for ccxt's Binance USD-M futures, on the simulated exchange."""

from itertools import count
from pathlib import Path
from typing import Any

from pilothouse.kit.http_client import HttpLimits
from pilothouse.kit.sealed import Secret
from pilothouse.kit.throttle import OwnBooks, Throttle
from pilothouse.venues.ccxt.adapter import Accounts, CcxtVenue
from pilothouse.venues.ccxt.card import card_of
from pilothouse.venues.ccxt.exchange import Endpoint, Keys
from pilothouse.venues.ccxt.known import quirks_of
from pilothouse.venues.ccxt.rest import Tools
from pilothouse.venues.ccxt.sheets import sheet_of
from pilothouse.venues.held_streams import Patience
from pilothouse.venues.port import VenueAccount
from tests.cards.sim_stand import SimStand

_QUICK = Patience(ping_s=5.0, first_s=0.01, most_s=0.02)
_IMPATIENT = Patience(ping_s=5.0, silent_s=0.2, first_s=0.01, most_s=0.02)

_ids = count(1)


class BinanceStand(SimStand):
    """Binance USD-M futures as this house speaks to it."""

    name = "binanceusdm"

    def __init__(self, folder: Path) -> None:
        super().__init__("binance")
        self._keys: dict[str, Keys] = {}
        self._opened_at: dict[str, int] = {}
        self.venue: CcxtVenue = self._opened(_QUICK, read_s=20.0)
        self.open(1)  # leverage brackets are told to accounts only

    def _opened(self, patience: Patience, *, read_s: float) -> CcxtVenue:
        quirks = quirks_of(self.name)
        endpoint = Endpoint.at(f"{self.name}@{self.base}", quirks.exchange, self.base)
        accounts = Accounts(
            lambda account: self._keys[account.id], lambda: [VenueAccount(next(iter(self._keys)), "usr_1")]
        )
        tools = Tools(self.clock, Throttle(OwnBooks(), self.clock), http=HttpLimits(read_s=read_s))
        return CcxtVenue(endpoint, quirks, card_of(self.name, sheet_of(self.name)), accounts, tools, patience=patience)

    def open(self, deposit: int) -> VenueAccount:
        return self._new(deposit)

    def may_withdraw(self) -> VenueAccount:
        return self._new(100, mayWithdraw=True)

    def _new(self, deposit: int, **more: Any) -> VenueAccount:
        account = self._known()
        self.control("POST", "accounts", apiKey=account.id, secret="S", id=account.id, deposit=deposit, **more)
        self._opened_at[account.id] = self.requests_there()
        return account

    def _known(self) -> VenueAccount:
        name = f"key{next(_ids)}"
        self._keys[name] = Keys.of({"apiKey": Secret(name), "secret": Secret("S")})
        return VenueAccount(name, "usr_1")

    def stranger(self) -> VenueAccount:
        return self._known()

    def impatient(self) -> CcxtVenue:
        return self._opened(_IMPATIENT, read_s=0.5)

    def fault(self, kind: str, call: str = "place", *, times: int = 1, **more: Any) -> None:
        if call == "batch":  # its orders go one by one, and conditional ones by a path of their own
            self.control("POST", "faults", kind=kind, times=2, method="POST", path="algoOrder")
        else:
            super().fault(kind, call, times=times, **more)

    def _there(self, account: VenueAccount) -> str:
        return account.id

    def _is_of(self, logged: Any, account: VenueAccount) -> bool:
        """Say whether a request is of an account; the key of one that was struck is not looked at there."""
        return logged["account"] == account.id or (
            not logged["account"] and logged["number"] > self._opened_at[account.id]
        )
