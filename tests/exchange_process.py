"""A simulated exchange as a process of its own, and the comparison of a house's books with the exchange's own truth."""

import hashlib
import hmac
import itertools
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from pilothouse.simexchange.given_keys import given_wallet
from tests.house_process import PROGRAM, SETTLED_SECONDS_MAX, HouseProcess, NotUp, eventually
from tests.plain_http import NO_TLS
from tests.ports import free_port

SEED = 1
GIVEN = given_wallet(SEED)
ASTER, FUTURES, SPOT = "aster", "binanceusdm", "binance"
KEY, SECRET = "sim-key", "sim-secret"
AT_EXCHANGE = {ASTER: f"aster-{GIVEN.wallet}", FUTURES: f"binance-{KEY}"}

CREDENTIALS = {
    ASTER: {"user": GIVEN.wallet, "signer": GIVEN.agent, "private_key": GIVEN.agent_key},
    FUTURES: {"api_key": KEY, "api_secret": SECRET},
    SPOT: {"api_key": KEY, "api_secret": SECRET},
}
_STATES = {"NEW": "working", "FILLED": "filled", "CANCELED": "canceled", "EXPIRED": "expired", "REJECTED": "rejected"}
_READY_SECONDS_MAX = 120.0


@dataclass
class ExchangeProcess:
    """One `pilothouse simexchange`; `place` is a folder for what it says."""

    place: Path
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        """Return what it printed."""
        return (self.place / "exchange.txt").read_text("utf-8")

    def start(self) -> Self:
        """Start it and wait until it answers. Raises NotUp."""
        self.place.mkdir(parents=True, exist_ok=True)
        arguments = [str(PROGRAM), "simexchange", "--port", str(self.port), "--seed", str(SEED), *self.options]
        with (self.place / "exchange.txt").open("wb") as said:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, cwd=self.place
            )
        deadline = time.monotonic() + _READY_SECONDS_MAX
        while True:
            try:
                httpx.get(f"{self.url}/fapi/v1/time", trust_env=False, verify=NO_TLS).raise_for_status()
            except httpx.HTTPError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.kill()
                    raise NotUp(self.said) from None
                time.sleep(0.05)
            else:
                return self

    def kill(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    # ── Its truth ─────────────────────────────────────────────────────────────────────────────────

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Ask its control."""
        answer = httpx.request(
            method, f"{self.url}/control/{path}", json=body, headers={"X-Control-Token": "control"}, trust_env=False,
            timeout=60,
            verify=NO_TLS,
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        return answer.json()

    def account(self, venue: str) -> dict[str, Any]:
        """Return what a futures account has in its own books."""
        truth = self.control("GET", "truth")
        assert truth["complaints"] == []
        found: dict[str, Any] = next(one for one in truth["accounts"] if one["id"] == AT_EXCHANGE[venue])
        return found

    def orders(self, venue: str) -> list[dict[str, Any]]:
        """Return every order of an account, conditional ones too."""
        if venue == SPOT:
            return list(self.spot("allOrders", symbol="BTCUSDT"))
        found: list[dict[str, Any]] = self.control("GET", f"orders?account={AT_EXCHANGE[venue]}")
        return found

    def fills(self, venue: str) -> list[dict[str, Any]]:
        """Return every fill of an account."""
        if venue == SPOT:
            return list(self.spot("myTrades", symbol="BTCUSDT"))
        found: list[dict[str, Any]] = self.control("GET", f"fills?account={AT_EXCHANGE[venue]}")
        return found

    def spot(self, name: str, **query: str) -> Any:
        """Ask the spot side as its owner would; its control knows futures only."""
        asked = httpx.QueryParams({**query, "timestamp": str(time.time_ns() // 1_000_000), "recvWindow": "60000"})
        signature = hmac.new(SECRET.encode(), str(asked).encode(), hashlib.sha256).hexdigest()
        answer = httpx.get(
            f"{self.url}/api/v3/{name}?{asked}&signature={signature}", headers={"X-MBX-APIKEY": KEY}, trust_env=False,
            timeout=60,
            verify=NO_TLS,
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        return answer.json()

    def coins(self) -> dict[str, Decimal]:
        """Return what a spot account holds, free and locked."""
        rows = self.spot("account")["balances"]
        return {row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in rows}

    def standing(self, venue: str) -> list[tuple[str, Decimal, Decimal]]:
        """Return the stops and targets that wait: kind, quantity, trigger."""
        found = []
        for order in self.orders(venue):
            kind = order.get("type") or order.get("orderType")
            status = order.get("status") or order.get("algoStatus")
            stop = Decimal(order.get("stopPrice") or order.get("triggerPrice") or 0)
            if status == "NEW" and stop:
                found.append((str(kind), Decimal(order.get("origQty") or order["quantity"]), stop))
        return sorted(found)


def add_account(house: HouseProcess, exchange: ExchangeProcess, venue: str, name: str) -> str:
    """Add an account at the exchange over HTTP; returns its id."""
    body = {"name": name, "venue": venue, "base_url": exchange.url, "credentials": CREDENTIALS[venue]}
    return str(house.post("/api/v1/accounts", body)["id"])


class NotAnswered(Exception):
    """The house could not ask the exchange just now."""


_NOT_THERE = frozenset({"intended", "sending", "unknown", "canceled"})


def agree(
    house: HouseProcess,
    exchange: ExchangeProcess,
    venue: str,
    account_id: str,
    within_s: float = SETTLED_SECONDS_MAX,
) -> None:
    """Wait until the books of an account are the exchange's own, to the last digit; fails with what differs."""
    seen: list[str] = []
    pause = itertools.count(1)

    def same() -> bool:
        # The balance is asked for at the exchange each time: asked too often, its limit is spent.
        time.sleep(min(1.0, 0.1 * next(pause)))
        try:
            seen[:] = _differences(house, exchange, venue, account_id)
        except NotAnswered as why:
            seen[:] = [str(why)]
        return not seen

    try:
        eventually(same, f"{venue}: books and exchange agree", within_s)
    except AssertionError:
        raise AssertionError(f"{venue}: books and exchange differ: {seen}") from None


def _differences(house: HouseProcess, exchange: ExchangeProcess, venue: str, account_id: str) -> list[str]:
    found = []
    ours = sorted(map(_our_fill, house.pages("/api/v1/fills", account=account_id)))
    theirs = sorted(map(_their_fill, exchange.fills(venue)))
    if venue == SPOT:  # no results are told there
        ours, theirs = [fill[:-1] for fill in ours], [fill[:-1] for fill in theirs]
    if ours != theirs:
        found.append(f"fills {ours} and {theirs}")
    known = {_id_of(one): _their_order(one) for one in exchange.orders(venue)}
    # What never arrived is no order there: its request was lost, and another one took its place.
    booked = {
        one["client_order_id"]: _our_order(one)
        for one in house.orders(account=account_id)
        if one["client_order_id"] in known or one["state"] not in _NOT_THERE or Decimal(one["filled_quantity"])
    }
    for client_order_id in {_id_of(one) for one in exchange.orders(venue) if one.get("closePosition")} & booked.keys():
        # It closes all that is held whenever it triggers: the venue tells no size of it.
        side, state, _, filled = booked[client_order_id]
        booked[client_order_id] = (side, state, Decimal(0), filled)
    if booked != known:
        found.append(f"orders {booked} and {known}")
    held = {
        one["symbol"]: (Decimal(one["quantity"]), Decimal(one["cost"]))
        for one in _answered(house, "/api/v1/positions", account_id)
    }
    balance = _answered(house, "/api/v1/balances", account_id)[0]
    if venue == SPOT:
        coins = exchange.coins()
        if {name: quantity for name, (quantity, _) in held.items()} != (
            {"BTCUSDT": coins["BTC"]} if coins.get("BTC") else {}
        ):
            found.append(f"coins {held} and {coins}")
        # Our books keep what was paid for coins with the coins; the exchange takes it out of the money.
        owned = Decimal(balance["booked_wallet"]) - sum((cost for _, cost in held.values()), Decimal(0))
        if not owned == Decimal(balance["wallet"]) == coins["USDT"]:
            found.append(f"money {balance}, {owned} and {coins}")
        return found
    truth = exchange.account(venue)
    theirs_held = {one["symbol"]: (Decimal(one["quantity"]), Decimal(one["cost"])) for one in truth["positions"]}
    if held != theirs_held:
        found.append(f"positions {held} and {theirs_held}")
    if not Decimal(balance["booked_wallet"]) == Decimal(balance["wallet"]) == Decimal(truth["wallet"]):
        found.append(f"money {balance} and {truth}")
    return found


def _answered(house: HouseProcess, path: str, account_id: str) -> list[dict[str, Any]]:
    """Return what is answered with the exchange's help. Raises NotAnswered."""
    answer = house.ask("GET", path, account=account_id)
    if answer.status_code == 503:
        raise NotAnswered(answer.text)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def _our_fill(fill: Mapping[str, Any]) -> tuple[Any, ...]:
    numbers = (Decimal(fill[name]) for name in ("price", "quantity", "commission"))
    return (fill["symbol"], fill["side"], *numbers, fill["commission_currency"], Decimal(fill["realised"]))


def _their_fill(fill: Mapping[str, Any]) -> tuple[Any, ...]:
    numbers = (Decimal(fill[name]) for name in ("price", "qty", "commission"))
    side = fill.get("side") or ("BUY" if fill["isBuyer"] else "SELL")
    realised = Decimal(fill["realizedPnl"]) if "realizedPnl" in fill else Decimal(0)
    return (fill["symbol"], side, *numbers, fill["commissionAsset"], realised)


def _our_order(order: Mapping[str, Any]) -> tuple[str, str, Decimal, Decimal]:
    return (order["side"], order["state"], Decimal(order["quantity"]), Decimal(order["filled_quantity"]))


def _their_order(order: Mapping[str, Any]) -> tuple[str, str, Decimal, Decimal]:
    status = str(order.get("status") or order["algoStatus"])
    quantity = Decimal(order.get("origQty") or order["quantity"])
    if status == "FINISHED":  # it triggered, and what came of it is done; how much that was, its fills say
        return (order["side"], "filled", quantity, quantity)
    return (order["side"], _STATES.get(status, status), quantity, Decimal(order.get("executedQty") or 0))


def _id_of(order: Mapping[str, Any]) -> str:
    return str(order.get("clientOrderId") or order.get("clientAlgoId"))
