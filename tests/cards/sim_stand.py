"""A stand on the simulated exchange: its control moves the market, breaks the wire, and tells the truth."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import httpx

from pilothouse.core.clock import Tick, from_micros
from pilothouse.core.instrument import Instrument
from pilothouse.kit.clocks import SystemClock
from pilothouse.simexchange.exchange import Exchange
from pilothouse.simulation import exchange as trading
from pilothouse.simulation.contracts import CONTRACTS
from pilothouse.venues.port import VenueAccount
from tests.cards.stand import Stand, There
from tests.plain_http import NO_TLS
from tests.slices.simexchange.sim_house import RunningExchange

T = TypeVar("T")

PLACING = frozenset({"order", "batchOrders", "algoOrder"})
_REQUESTS_UNPAUSED = 20
"""So many requests between two pauses are far within what a venue lets through in a minute."""

_CALLS = {
    "place": {"method": "POST", "path": "order"},
    "batch": {"method": "POST", "path": "batchOrders"},
    "cancel": {"method": "DELETE", "path": "order"},
    "amend": {"method": "PUT", "path": "order"},
    "find": {"method": "GET", "path": "order"},
    "read": {"method": "GET"},
}


class ExchangeTime:
    """The clock of the exchange, as the adapter sees it; `ahead`: how wrong it is."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        """Return the present instant."""
        return from_micros(self._exchange.clock.now()) + self.ahead

    def monotonic(self) -> float:
        """Return seconds of this machine: how long a question takes is real."""
        return SystemClock().monotonic()

    def tick(self) -> Tick:
        """Return what this machine counts."""
        return SystemClock().tick()


class SimStand(Stand):
    """What all stands on the simulated exchange share."""

    def __init__(self, profile: str) -> None:
        self._running = RunningExchange(profile=profile, speed=0)
        self._running.__enter__()
        self.exchange = self._running.sim.exchange
        self.base = self._running.base
        self.clock: ExchangeTime = ExchangeTime(self.exchange)
        self._http = httpx.Client(base_url=self.base, headers={"X-Control-Token": "control"}, timeout=60, verify=NO_TLS)
        self._unpaused = 0
        self._contracts = self.exchange.floor.contracts

    def close(self) -> None:
        """Let go of everything."""
        self.venue.close()
        self._http.close()
        self._running.__exit__(None, None, None)

    def control(self, method: str, path: str, /, **body: Any) -> Any:
        """Ask the control of the exchange."""
        answer = self._http.request(method, f"/control/{path}", json=body or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def inside(self, do: Callable[[Exchange], T]) -> T:
        """Do something to the exchange where it runs, for which its control has no word."""

        async def run() -> T:
            return do(self.exchange)

        return asyncio.run_coroutine_threadsafe(run(), self._running._loop).result(60)

    def _there(self, account: VenueAccount) -> str:
        """Return what the exchange calls an account."""
        raise NotImplementedError

    # ── Market, time, faults ──────────────────────────────────────────────────────────────────────

    def put(self, symbol: str, price: str) -> None:
        self.control("POST", "price", symbol=symbol, price=price)

    def advance(self, span: timedelta) -> None:
        self.control("POST", "advance", ms=span // timedelta(milliseconds=1))

    def reset(self) -> None:
        """Begin a card with an empty book: what other accounts left standing would trade with it."""
        self.inside(_cancel_everything)
        super().reset()

    def pause(self) -> timedelta:
        """Return two minutes once some requests have gone out, or after a ban; virtual minutes cost real time too."""
        counted = self.requests_there()
        if counted - self._unpaused < _REQUESTS_UNPAUSED:
            return timedelta(seconds=11)
        self._unpaused = counted
        return super().pause()

    def fault(self, kind: str, call: str = "place", *, times: int = 1, **more: Any) -> None:
        if kind in {"too_many", "banned"}:
            self._unpaused = -_REQUESTS_UNPAUSED
        self.control("POST", "faults", kind=kind, times=times, **_CALLS[call], **more)

    def clear(self) -> None:
        self.control("DELETE", "faults")
        self.clock.ahead = timedelta(0)
        self.inside(lambda exchange: setattr(exchange.floor, "contracts", self._contracts))

    def skew(self, ahead: timedelta) -> None:
        self.clock.ahead = ahead

    def on_stream(self, kind: str, *, times: int = -1, event: str = "") -> None:
        self.control("POST", "faults", stream=True, kind=kind, times=times, event=event)

    def cut(self, account: VenueAccount) -> None:
        assert self.control("POST", "streams", do="drop", account=self._there(account))["dropped"]

    def expire_key(self, account: VenueAccount) -> None:
        self.control("POST", "streams", do="expire", account=self._there(account))

    def hedge(self, account: VenueAccount) -> None:
        name = self._there(account)
        assert self.inside(lambda exchange: trading.set_hedged(exchange.floor, name, hedged=True)) is None

    def change_rules(self, symbol: str, quantity_max: Decimal) -> None:
        before = self._contracts[symbol]
        lots = int(quantity_max / before.instrument.lot)
        after = replace(before, instrument=replace(before.instrument, quantity_max=quantity_max), lots_max=lots)
        changed = {**self._contracts, symbol: after}
        self.inside(lambda exchange: setattr(exchange.floor, "contracts", changed))

    # ── Truth ─────────────────────────────────────────────────────────────────────────────────────

    def orders_there(self, account: VenueAccount) -> list[There]:
        return [
            There(
                each.get("clientOrderId") or each["clientAlgoId"],
                each["symbol"],
                each.get("status") or each["algoStatus"],
                Decimal(each.get("origQty") or each["quantity"]),
                Decimal(each.get("executedQty", "0")),
            )
            for each in self.control("GET", f"orders?account={self._there(account)}")
        ]

    def fills_there(self, account: VenueAccount) -> dict[str, Decimal]:
        told = self.control("GET", f"fills?account={self._there(account)}")
        return {str(each["id"]): Decimal(each["qty"]) for each in told}

    def _truth(self, account: VenueAccount) -> Any:
        told, name = self.control("GET", "truth"), self._there(account)
        assert told["complaints"] == []
        return next(each for each in told["accounts"] if each["id"] == name)

    def wallet_there(self, account: VenueAccount) -> Decimal:
        return Decimal(self._truth(account)["wallet"])

    def held_there(self, account: VenueAccount) -> dict[str, Decimal]:
        return {each["symbol"]: Decimal(each["quantity"]) for each in self._truth(account)["positions"]}

    def _requests(self) -> Any:
        return self.control("GET", "requests")

    def requests_there(self) -> int:
        return self.inside(lambda _: self._running.sim.front.counted)

    def methods_since(self, request: int) -> set[str]:
        told = self.control("GET", f"requests?after={request}")
        return {each["method"] for each in told if each["account"]}

    def asked_to_place(self, account: VenueAccount) -> int:
        return sum(
            each["method"] == "POST" and each["path"].rpartition("/")[2] in PLACING and self._is_of(each, account)
            for each in self._requests()
        )

    def _is_of(self, logged: Any, account: VenueAccount) -> bool:
        """Say whether a request is of an account; one that was struck has no name in the log."""
        raise NotImplementedError

    def streams_opened(self, account: VenueAccount) -> int:
        return sum(
            each["method"] == "POST" and each["path"].endswith("/listenKey") and self._is_of(each, account)
            for each in self._requests()
        )

    def rules_there(self, symbol: str) -> Instrument:
        return CONTRACTS[symbol].instrument


def _cancel_everything(exchange: Exchange) -> None:
    for file in exchange.files.values():
        for symbol in {order.symbol for order in exchange.floor.accounts[file.id].orders.values()}:
            exchange.cancel_all(file, symbol)
        for algo in file.open_algos():
            exchange.conditional.end(file, algo, "CANCELED")
    for account in exchange.spot.accounts.values():
        for order in [each for each in account.orders.values() if each.is_open]:
            exchange.spot.cancel(order, exchange.clock.now())
    exchange.settle_spot()
