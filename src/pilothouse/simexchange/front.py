"""The front of the exchange: a request in, one answer out. Knows paths, keys, limits and faults; speaks no HTTP."""

import random
import re
from collections import deque
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import msgspec

from pilothouse.simexchange import (
    account_rest,
    algo_rest,
    aster_rest,
    elsewhere_rest,
    income_rest,
    listen_key_rest,
    market_rest,
    order_rest,
    position_rest,
    settings_rest,
    spot_rest,
)
from pilothouse.simexchange.asking import KEYED, MANAGED, PUBLIC, Asking, Route
from pilothouse.simexchange.exchange import DEPOSIT_DEFAULT, Exchange
from pilothouse.simexchange.faults import AFTER, BEFORE, INSTEAD, Faults, Rule, answer_of
from pilothouse.simexchange.keys import ApiKey
from pilothouse.simexchange.limits import Limits, weight_of
from pilothouse.simexchange.records import ASTER, BINANCE
from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.wire_errors import WireError

BOTH_PROFILES = "both"
REQUESTS_KEPT = 100_000

SEND, RESET, SILENT, LATER = "send", "reset", "silent", "later"

_KNOWN = re.compile(r"/(fapi|api|sapi/api)/v([0-9])/(.+)")

_ACCOUNT = account_rest.ROUTES | position_rest.ROUTES | settings_rest.ROUTES | income_rest.ROUTES
_SHARED = market_rest.ROUTES | order_rest.ROUTES | _ACCOUNT | listen_key_rest.ROUTES
_ROUTES = {ASTER: _SHARED | aster_rest.ROUTES, BINANCE: _SHARED | algo_rest.ROUTES}
_SPOT_ROUTES = {
    ASTER: spot_rest.ROUTES | spot_rest.ASTER_NAMES | {("POST", "noop"): aster_rest.ROUTES["POST", "noop"]},
    BINANCE: spot_rest.ROUTES,
}


@dataclass(slots=True)
class Reply:
    """What the client gets.

    how        send it, reset the connection, stay silent, or look at the request later
    delay_ms   how long to wait before
    """

    status: int
    body: bytes
    headers: list[tuple[str, str]] = field(default_factory=list)
    how: str = SEND
    delay_ms: int = 0
    content: str = "application/json;charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Logged:
    """One request as it came and how it was answered, for who asks for the truth."""

    number: int
    at: int
    method: str
    path: str
    query: str
    body: str
    account_id: str
    status: int
    fault: str


class Front:
    """Answers the requests of one exchange.

    profile        aster, binance, or both at once: then keys and paths tell which is asked
    open_wallets   whether a wallet that signs for itself gets an account at first sight
    latency_ms     (least, most) that every answer waits
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        profile: str = BOTH_PROFILES,
        limits: Limits | None = None,
        latency_ms: tuple[int, int] = (0, 0),
        open_wallets: bool = True,
    ) -> None:
        self.exchange = exchange
        self.profile = profile
        self.limits = limits or Limits()
        self.faults = Faults()
        self.latency_ms = latency_ms
        self.open_wallets = open_wallets
        self.skew_us = 0
        self.log: deque[Logged] = deque(maxlen=REQUESTS_KEPT)
        self.counted = 0
        self._date = (0, "")
        self._draw = random.Random(exchange.seed)  # seeded on purpose: the same seed is the same latency
        self._encoder = msgspec.json.Encoder()

    def answer(self, request: Request, *, is_late: bool = False) -> Reply:
        """Answer a request; whatever goes wrong is an answer too.

        is_late   it has waited already, if it had to
        """
        found = _KNOWN.fullmatch(request.path)
        name = found.group(3) if found else request.path
        rule = (
            self._strike(request, name, is_late=is_late)
            if self.faults.rules or "x-sim-fault" in request.headers
            else None
        )
        if rule is not None and rule.kind in BEFORE:
            if not is_late:
                request.waited = True
                return Reply(0, b"", how=LATER, delay_ms=max(1, rule.value))
            rule = None
        headers: list[tuple[str, str]] = []
        account_id = ""
        if rule is not None and rule.kind in INSTEAD:
            reply = self._struck(rule)
        else:
            try:
                if found is not None:
                    body, account_id = self._known(request, found, rule, headers)
                else:
                    body = self._elsewhere(request)
                reply = Reply(200, self._encoder.encode(body), headers)
            except WireError as error:
                if error.retry_after:
                    headers.append(("Retry-After", str(error.retry_after)))
                reply = Reply(error.status, self._encoder.encode(error.body), headers)
            if rule is not None and rule.kind in AFTER and reply.status == 200:
                reply = self._lost(rule, reply)
        if self.latency_ms[1]:
            reply.delay_ms += self._draw.randint(*self.latency_ms)
        self.counted += 1
        status, fault = (reply.status if reply.how == SEND else 0), (rule.kind if rule else "")
        at = self.exchange.clock.now()
        self.log.append(
            Logged(
                self.counted, at, request.method, request.path, request.query, request.body, account_id, status, fault
            )
        )
        return reply

    def date(self) -> str:
        """Return the exchange's time as answers carry it."""
        second = (self.exchange.clock.now() + self.skew_us) // 1_000_000
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True))
        return self._date[1]

    def _strike(self, request: Request, name: str, *, is_late: bool) -> Rule | None:
        """Return what goes wrong with a request; what has waited is not struck again."""
        return None if is_late and request.waited else self.faults.strike(request, name)

    # ── who asks what ─────────────────────────────────────────────────────────────────────────────

    def profile_of(self, request: Request, version: int) -> str:
        """Return whose dialect a request is in."""
        if self.profile != BOTH_PROFILES:
            return self.profile
        if "x-mbx-apikey" in request.headers:
            return BINANCE
        if "signer" in request.params or "nonce" in request.params:
            return ASTER
        return ASTER if version == 3 else BINANCE

    def _spot_profile(self, request: Request, family: str) -> str:
        """Return whose spot market is asked: Aster's by its own prefix, by its signatures, or where it is alone."""
        signed = "signer" in request.params and "x-mbx-apikey" not in request.headers
        return ASTER if self.profile == ASTER or family != "api" or signed else BINANCE

    def _known(
        self, request: Request, found: re.Match[str], rule: Rule | None, headers: list[tuple[str, str]]
    ) -> tuple[Any, str]:
        is_spot, version, name = found.group(1) != "fapi", int(found.group(2)), found.group(3)
        profile = self._spot_profile(request, found.group(1)) if is_spot else self.profile_of(request, version)
        routes = (_SPOT_ROUTES if is_spot else _ROUTES)[profile]
        route = routes.get((request.method, name))
        if route is None:
            known = any(path == name for _, path in routes)
            raise WireError(-1000, f"Path {request.path} not found", status=405 if known else 404)
        asking = Asking(self.exchange, request, profile, name, version, is_spot=is_spot)
        asking.now += self.skew_us
        weight = route.weight if request.method != "GET" else weight_of(name, request, route.weight, is_spot=is_spot)
        used = str(self.limits.weigh(request.ip, weight, asking.now, is_spot=is_spot))
        headers.append(("X-MBX-USED-WEIGHT-1M", used))
        if is_spot and profile == BINANCE:
            headers.append(("X-MBX-USED-WEIGHT", used))
        if route.security != PUBLIC:
            self._identify(asking, route)
            if route.orders and is_spot and profile == BINANCE:
                in_ten, in_day = self.limits.count_on_spot(asking.file, route.orders, asking.now)
                headers.append(("X-MBX-ORDER-COUNT-10S", str(in_ten)))
                headers.append(("X-MBX-ORDER-COUNT-1D", str(in_day)))
            elif route.orders:
                in_minute, in_ten = self.limits.count(asking.file, route.orders, asking.now)
                headers.append(("X-MBX-ORDER-COUNT-1M", str(in_minute)))
                if profile == BINANCE:
                    headers.append(("X-MBX-ORDER-COUNT-10S", str(in_ten)))
        if rule is not None:
            self._thin(asking, rule)
        return route.handler(asking), asking.file_or_none.id if asking.file_or_none else ""

    def _identify(self, asking: Asking, route: Route) -> None:
        keys, request = self.exchange.keys, asking.request
        # Aster's first version signs as Binance does; keys of that kind still work there.
        if asking.profile == BINANCE or ("x-mbx-apikey" in request.headers and "signer" not in request.params):
            key = keys.named(request) if route.security == KEYED else keys.signed(request, asking.now_ms)
            if route.orders and not key.may_trade:
                raise WireError(-2015, status=401)
            asking.file_or_none = self.exchange.files[key.account_id]
            return
        if route.security == MANAGED:
            asking.wallet = keys.managed_by(request, asking.name, asking.now)
        else:
            asking.wallet = keys.wallet_of(request, asking.now)
        asking.file_or_none = self.exchange.files[self._account_of(asking.wallet)]

    def _account_of(self, wallet: str) -> str:
        """Return the account of a wallet; one that has none gets one, where wallets are let in."""
        found = self.exchange.keys.wallets.get(wallet)
        if found is None:
            if not self.open_wallets:
                raise WireError(-2015, "No aster user found", status=401)
            found = f"aster-{wallet}"
            self.add_wallet(wallet, found)
        return found

    def add_wallet(self, address: str, account_id: str, deposit: int = DEPOSIT_DEFAULT) -> None:
        """Open an account for a wallet."""
        self.exchange.open_account(account_id, ASTER, deposit=deposit)
        self.exchange.keys.add_wallet(address, account_id)

    def add_api_key(self, key: ApiKey, deposit: int = DEPOSIT_DEFAULT) -> None:
        """Let an API key in, with an account of its own unless that is there."""
        if key.account_id not in self.exchange.files:
            profile = ASTER if self.profile == ASTER else BINANCE
            self.exchange.open_account(key.account_id, profile, deposit=deposit)
        self.exchange.keys.add_api_key(key)

    def _elsewhere(self, request: Request) -> Any:
        """Answer what is not about trading: statistics, and what clients look for when they start."""
        return elsewhere_rest.answered(self.exchange, request, (self.exchange.clock.now() + self.skew_us) // 1_000)

    # ── what goes wrong ───────────────────────────────────────────────────────────────────────────

    def _thin(self, asking: Asking, rule: Rule) -> None:
        if rule.kind == "partial":
            desk = self.exchange.floor.desks.get(asking.request.text("symbol").upper())
            if desk is not None:
                sign = 1 if asking.request.text("side").upper() == "BUY" else -1
                desk.ladder(sign).thin_to(max(1, rule.value))
        elif rule.kind == "reject_trigger":
            self.exchange.conditional.trigger_refusals += 1

    def _struck(self, rule: Rule) -> Reply:
        if rule.kind in {"reset", "silent"}:
            return Reply(0, b"", how=RESET if rule.kind == "reset" else SILENT)
        return self._bad(rule)

    def _lost(self, rule: Rule, reply: Reply) -> Reply:
        if rule.kind == "slow":
            reply.delay_ms += rule.value
            return reply
        if rule.kind in {"lost", "hang"}:
            reply.how = RESET if rule.kind == "lost" else SILENT
            return reply
        return self._bad(rule)

    def _bad(self, rule: Rule) -> Reply:
        status, body, wait = answer_of(rule)
        headers = [("Retry-After", str(wait))] if wait else []
        if isinstance(body, str):
            return Reply(status, body.encode(), headers, content="text/html")
        return Reply(status, self._encoder.encode(body), headers)
