"""Our adapter for AsterDEX on the simulated exchange."""

import secrets
from pathlib import Path
from typing import Any

from pilothouse.kit.http_client import HttpClient, HttpLimits
from pilothouse.kit.sealed import Secret
from pilothouse.kit.throttle import OwnBooks, Throttle
from pilothouse.venues.aster.accounts import Accounts
from pilothouse.venues.aster.adapter import AsterVenue
from pilothouse.venues.aster.endpoint import MAINNET, endpoint_at
from pilothouse.venues.aster.rest import Tools
from pilothouse.venues.aster.sign import AsterKeys, Signer
from pilothouse.venues.held_streams import Patience
from pilothouse.venues.port import VenueAccount
from tests.cards.sim_stand import SimStand

_QUICK = Patience(ping_s=5.0, first_s=0.01, most_s=0.02)
_IMPATIENT = Patience(ping_s=5.0, silent_s=0.2, first_s=0.01, most_s=0.02)


class AsterStand(SimStand):
    """AsterDEX as this house speaks to it."""

    name = "aster"

    def __init__(self, folder: Path) -> None:
        super().__init__("aster")
        self._folder = folder
        self._keys: dict[str, AsterKeys] = {}
        self.venue: AsterVenue = self._opened(_QUICK, read_s=20.0)
        self.open(1)  # leverage brackets are told to accounts only

    def _opened(self, patience: Patience, *, read_s: float) -> AsterVenue:
        http = HttpClient(self.base, limits=HttpLimits(read_s=read_s))
        tools = Tools(self.clock, Throttle(OwnBooks(), self.clock), self._folder)
        accounts = Accounts(lambda account: self._keys[account.id], lambda: [VenueAccount(next(iter(self._keys)), "u")])
        return AsterVenue(endpoint_at(MAINNET, self.base), accounts, tools, http=http, patience=patience)

    def open(self, deposit: int) -> VenueAccount:
        account = self._new()
        self.control("POST", "accounts", wallet=account.id, id=account.id, deposit=deposit)
        return account

    def _new(self) -> VenueAccount:
        private = "0x" + secrets.token_hex(32)
        address = Signer(Secret(private)).address
        self._keys[address] = AsterKeys(address, address, Secret(private))
        return VenueAccount(address, "usr_1")

    def stranger(self) -> VenueAccount:
        """Return an account whose signer its owner has not let in."""
        account, other = self.open(100), self._new()
        keys = self._keys[other.id]
        self._keys[other.id] = AsterKeys(account.id, other.id, keys.private_key)
        return other

    def impatient(self) -> AsterVenue:
        return self._opened(_IMPATIENT, read_s=0.5)

    def _there(self, account: VenueAccount) -> str:
        return account.id

    def _is_of(self, logged: Any, account: VenueAccount) -> bool:
        return f"user={account.id}" in logged["query"] + logged["body"]
