"""What can be traded at AsterDEX: its rules as they were told last, asked for again now and then."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from pilothouse.core.clock import Clock
from pilothouse.core.errors import Refused, Unavailable
from pilothouse.core.instrument import Instrument
from pilothouse.venues.aster import wire
from pilothouse.venues.aster.accounts import Accounts
from pilothouse.venues.aster.rest import Call, Rest
from pilothouse.venues.aster.rules import leverage_of, limits_of, rules_of
from pilothouse.venues.bounds import Rules

_RULES_FOR: Final = timedelta(hours=1)
_log = structlog.get_logger("pilothouse.venues.aster")


class Instruments:
    """The instruments of one endpoint that settle in one currency; safe for many threads."""

    def __init__(self, rest: Rest, accounts: Accounts, clock: Clock, settlement: str) -> None:
        """Ask nothing yet."""
        self._rest, self._accounts, self._clock, self._settlement = rest, accounts, clock, settlement
        self._lock = threading.Lock()
        self._rules: dict[str, Rules] = {}
        self._rules_at: datetime | None = None

    def rules(self, symbol: str) -> Rules | None:
        """Return the rules of a symbol as they are known, without asking."""
        return self._rules.get(symbol)

    def all(self) -> Sequence[Instrument]:
        """Return everything that can be traded, as of an hour ago at most; if nobody answers, as it was told last.

        Raises Unavailable where nothing was told yet.
        """
        now = self._clock.now()
        with self._lock:
            fresh = self._rules_at is not None and now - self._rules_at < _RULES_FOR
        if not fresh:
            try:
                self._read_rules(now)
            except Unavailable:
                if not self._rules:
                    raise
                _log.warning("instruments_not_refreshed", venue=self._rest.endpoint.venue)
        return [rules.instrument for rules in self._rules.values()]

    def _read_rules(self, now: datetime) -> None:
        call = Call("GET", "/fapi/v3/exchangeInfo", weight=1, public=True, use=self._rest.limits_use)
        info = wire.row(self._rest.read(call))
        self._rest.limit(limits_of(info))
        self._rest.read_clock()
        leverage = self._leverages()
        rules = {
            symbol: each
            for symbol, each in rules_of(info, leverage).items()
            if each.instrument.quote == self._settlement
        }
        with self._lock:
            self._rules, self._rules_at = rules, now

    def _leverages(self) -> dict[str, int]:
        """Return the most leverage of each symbol; the venue tells it to accounts only, and to all the same."""
        call = Call("GET", "/fapi/v3/leverageBracket")
        for account in self._accounts.all():
            try:
                return leverage_of(self._rest.read(call, self._accounts.keys_of(account)))
            except (Refused, Unavailable) as error:
                _log.warning("leverage_brackets_not_read", account_id=account.id, why=str(error))
        return {}
