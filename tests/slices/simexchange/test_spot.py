"""Spot: coins are bought and held, what an order may spend is locked, and of two tied orders one ends the other."""

import asyncio
from collections.abc import Iterator
from typing import Any

import ccxt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilothouse.simexchange.soundness import complaints
from pilothouse.simulation.contracts import SETTLEMENT
from tests.slices.simexchange.raw_asking import Desk
from tests.slices.simexchange.sim_house import PATIENCE_S, RunningExchange, awaits

PAIR = "BTC/USDT"


@pytest.fixture
def running() -> Iterator[RunningExchange]:
    """Yield an exchange whose time runs."""
    with RunningExchange() as exchange:
        yield exchange


def test_coins_are_bought_held_and_sold(running: RunningExchange) -> None:
    """By quantity and by cost; the commission is taken from what is received."""
    client = running.spot()
    assert client.create_order(PAIR, "market", "buy", 0.1)["status"] == "closed"
    assert client.fetch_balance()["BTC"]["total"] == 0.0999
    bought = client.create_market_buy_order_with_cost(PAIR, 1_000)
    assert 900 < bought["cost"] <= 1_000, "as many whole lots as it buys"
    client.create_order(PAIR, "market", "sell", 0.05)
    assert {each["side"] for each in client.fetch_my_trades(PAIR)} == {"buy", "sell"}
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(PAIR, "limit", "buy", 5, 60_000)
    assert running.control("GET", "soundness") == []


def test_of_two_tied_orders_one_ends_the_other(running: RunningExchange) -> None:
    """The coins of both are locked once; the stop that triggers takes the limit with it."""
    client = running.spot()
    client.create_order(PAIR, "market", "buy", 0.051)
    client.privatePostOrderListOco(
        {
            "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.05", "aboveType": "LIMIT_MAKER", "abovePrice": "67000",
            "belowType": "STOP_LOSS", "belowStopPrice": "63000",
        }
    )  # fmt: skip
    assert client.fetch_balance()["BTC"]["used"] == 0.05
    running.control("POST", "price", symbol="BTCUSDT", price="62900")
    assert client.fetch_open_orders(PAIR) == []
    states = {each["type"]: each["info"]["status"] for each in client.fetch_orders(PAIR)[1:]}
    assert states == {"limit": "EXPIRED", "market": "FILLED"}
    assert client.fetch_balance()["BTC"]["used"] == 0
    assert running.control("GET", "soundness") == []


def test_streams_and_calls_over_the_socket(running: RunningExchange) -> None:
    """User events by signature, and an order placed without HTTP."""

    async def watch() -> None:
        client = running.spot(pro=True)
        try:
            await client.load_markets()
            assert (await asyncio.wait_for(client.watch_order_book(PAIR, 20), PATIENCE_S))["bids"]
            orders = asyncio.ensure_future(client.watch_orders(PAIR))
            balance = asyncio.ensure_future(client.watch_balance())
            heard = running.sim.exchange.telling.watched
            while not (heard("spot:binance-K") and awaits(client, "orders", "balance")):  # noqa: ASYNC110  (another thread's state)
                await asyncio.sleep(0.05)
            placed = await asyncio.wait_for(client.create_order_ws(PAIR, "limit", "buy", 0.01, 60_000), PATIENCE_S)
            assert placed["status"] == "open"
            assert (await asyncio.wait_for(orders, PATIENCE_S))[0]["id"] == placed["id"]
            assert (await asyncio.wait_for(balance, PATIENCE_S))["USDT"]["used"] == 600
        finally:
            await client.close()

    asyncio.run(watch())


_DOINGS = st.lists(
    st.tuples(
        st.sampled_from(
            ["MARKET", "LIMIT", "STOP_LOSS", "TAKE_PROFIT_LIMIT", "cancel", "step", "price", "oco", "oto", "otoco",
             "trail", "amend", "replace"]
        ),
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 900),
        st.integers(-400, 400),
    ),
    max_size=25,
)  # fmt: skip


def _spot(desk: Desk, method: str, path: str, **params: Any) -> int:
    """Ask the spot side; return the status."""
    return desk.spot(method, path, **params)[0]


def _listed(desk: Desk, kind: str, side: str, terms: dict[str, Any], mark: int) -> None:
    """Send a list of orders around a price."""
    up, down, near = f"{(mark + 500) // 10}", f"{(mark - 500) // 10}", f"{mark // 10}.{mark % 10}"
    legs = {"aboveType": "LIMIT_MAKER", "abovePrice": up, "belowType": "STOP_LOSS", "belowStopPrice": down}
    if (side == "BUY") == (kind == "oco"):
        legs = {"aboveType": "STOP_LOSS", "aboveStopPrice": up, "belowType": "LIMIT_MAKER", "belowPrice": down}
    if kind == "oco":
        _spot(desk, "POST", "orderList/oco", **terms, **legs)
        return
    other = "SELL" if side == "BUY" else "BUY"
    first = {"symbol": "BTCUSDT", "workingType": "LIMIT", "workingSide": side, "workingPrice": near,
             "workingQuantity": terms["quantity"], "workingTimeInForce": "GTC", "pendingSide": other,
             "pendingQuantity": terms["quantity"]}  # fmt: skip
    if kind == "oto":
        _spot(desk, "POST", "orderList/oto", **first, pendingType="MARKET")
    else:
        pending = {f"pending{name[0].upper()}{name[1:]}": value for name, value in legs.items()}
        _spot(desk, "POST", "orderList/otoco", **first, **pending)


@settings(max_examples=60)
@given(_DOINGS)
def test_no_coin_is_made_or_lost(doings: list[tuple[str, str, int, int]]) -> None:
    """What is free and locked is the start, and what trades brought and took, to the last unit."""
    desk = Desk()
    _spot(desk, "POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="1")
    account = desk.exchange.spot.accounts["binance-K"]
    for kind, side, lots, off in doings:
        mark = desk.exchange.floor.desks["BTCUSDT"].prices.mark + off
        terms: dict[str, Any] = {"symbol": "BTCUSDT", "side": side, "quantity": f"{lots / 1000:.3f}"}
        price = f"{mark // 10}.{mark % 10}"
        if kind == "cancel":
            _spot(desk, "DELETE", "openOrders", symbol="BTCUSDT")
        elif kind == "step":
            desk.steps(1 + lots % 3)
        elif kind == "price":
            desk.exchange.set_price("BTCUSDT", mark)
        elif kind in {"oco", "oto", "otoco"}:
            _listed(desk, kind, side, terms, mark)
        elif kind == "trail":
            _spot(desk, "POST", "order", type="STOP_LOSS", trailingDelta=20, **terms)
        elif kind in {"amend", "replace"}:
            standing = [number for number, order in account.orders.items() if order.is_open]
            named = standing[lots % len(standing)] if standing else 1
            if kind == "amend":
                _spot(desk, "PUT", "order/amend/keepPriority", symbol="BTCUSDT", orderId=named, newQty="0.001")
            else:
                mode = {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": named, "timeInForce": "GTC"}
                _spot(desk, "POST", "order/cancelReplace", type="LIMIT", price=price, **mode, **terms)
        else:
            if kind != "MARKET":
                terms |= {"price": price, "stopPrice": price, "timeInForce": "GTC"}
            _spot(desk, "POST", "order", type=kind, **terms)
        assert complaints(desk.exchange) == []
    fills = [fill for order in account.orders.values() for fill in order.fills]
    coins = sum(fill.sign * fill.lots * 100_000 - (fill.commission if fill.sign > 0 else 0) for fill in fills)
    money = sum(-fill.sign * fill.worth - (fill.commission if fill.sign < 0 else 0) for fill in fills)
    assert account.free.get("BTC", 0) + account.locked.get("BTC", 0) == coins
    assert account.free[SETTLEMENT] + account.locked[SETTLEMENT] == 100_000 * 10**8 + money
