"""Public clients of both venues work against the simulated exchange with nothing but their addresses changed."""

import asyncio
from collections.abc import Iterator
from typing import Any

import ccxt
import pytest

from tests.slices.simexchange.sim_house import BTC, PATIENCE_S, WALLET, RunningExchange, awaits

BINANCE, ASTER = "binance-K", f"aster-{WALLET}"
VENUES = ("binance", "aster")


@pytest.fixture(scope="module")
def running() -> Iterator[RunningExchange]:
    """Yield an exchange whose time runs."""
    with RunningExchange() as exchange:
        yield exchange


@pytest.fixture(params=VENUES)
def client(request: pytest.FixtureRequest, running: RunningExchange) -> Iterator[Any]:
    """Yield a client of either venue that knows the markets; what it left is closed afterwards."""
    made = getattr(running, request.param)()
    made.load_markets()
    yield made
    for params in ({}, {"trigger": True}):
        made.cancel_all_orders(BTC, params)
    for position in made.fetch_positions([BTC]):
        if position["contracts"]:
            side = "sell" if position["side"] == "long" else "buy"
            made.create_order(BTC, "market", side, position["contracts"], None, {"reduceOnly": True})
    made.close()


def test_market_data_is_read(client: Any) -> None:
    """What a client shows before anybody trades: instruments, candles, books, tickers, funding."""
    perpetuals = {"BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"}
    coins = {"BTC/USDT", "ETH/USDT", "SOL/USDT"}
    quarters = {each for each in client.markets if client.markets[each]["type"] == "future"}
    assert set(client.markets) - quarters == (perpetuals if client.id == "binanceusdm" else perpetuals | coins)
    assert len(quarters) == (client.id == "binanceusdm")
    candles = client.fetch_ohlcv(BTC, "1h", limit=50)
    assert [each[0] for each in candles] == list(range(candles[0][0], candles[-1][0] + 1, 3_600_000))
    assert all(low <= min(opened, close) <= max(opened, close) <= high for _, opened, high, low, close, _ in candles)
    book = client.fetch_order_book(BTC, 20)
    assert book["bids"][0][0] < book["asks"][0][0]
    ticker = client.fetch_ticker(BTC)
    assert abs(ticker["change"] / ticker["open"] * 100 - ticker["percentage"]) < 0.01
    assert set(client.fetch_tickers()) == perpetuals | quarters
    assert client.fetch_trades(BTC, limit=5)
    assert client.fetch_funding_rate(BTC)["fundingRate"] is not None
    assert len(client.fetch_funding_rate_history(BTC, limit=10)) == 10
    if client.id == "binanceusdm":
        assert len(client.fetch_open_interest_history(BTC, "5m", limit=10)) == 10
        assert client.fetch_long_short_ratio_history(BTC, "5m", limit=10)[0]["longShortRatio"] > 0
        assert len(client.fetch_premium_index_ohlcv(BTC, "1h", limit=10)) == 10
        apart = client.fapiDataGetBasis({"pair": "BTCUSDT", "contractType": "CURRENT_QUARTER", "period": "1h"})
        assert float(apart[-1]["basis"]) > 0
        assert client.fapiPublicGetConstituents({"symbol": "BTCUSDT"})["constituents"][0]["weight"] == "1.00000000"
    else:
        assert client.fetch_ticker("BTC/USDT")["symbol"] == "BTC/USDT"


def test_an_order_fills_and_the_books_agree(client: Any, running: RunningExchange) -> None:
    """The first journey on either venue: buy, hold, close; the exchange's own truth is the same."""
    before = client.fetch_balance()["USDT"]["total"]
    placed = client.create_order(BTC, "market", "buy", 0.01)
    order = client.fetch_order(placed["id"], BTC)
    assert (order["status"], order["filled"]) == ("closed", 0.01)
    position = client.fetch_positions([BTC])[0]
    assert (position["side"], position["contracts"]) == ("long", 0.01)
    mine = client.fetch_my_trades(BTC)[-1]
    assert mine["order"] == placed["id"]
    assert client.fetch_balance()["USDT"]["total"] < before
    truth = running.truth(BINANCE if client.id == "binanceusdm" else ASTER)
    assert truth["positions"][0]["quantity"] == "0.010"


def test_a_resting_order_is_found_changed_and_cancelled(client: Any) -> None:
    """By number and by client id, open and afterwards."""
    placed = client.create_order(BTC, "limit", "buy", 0.01, 64_000, {"clientOrderId": "mine-1"})
    assert [each["clientOrderId"] for each in client.fetch_open_orders(BTC)] == ["mine-1"]
    assert client.fetch_order(None, BTC, {"clientOrderId": "mine-1"})["id"] == placed["id"]
    changed = client.edit_order(placed["id"], BTC, "limit", "buy", 0.02, 63_900)
    assert client.fetch_order(changed["id"], BTC)["amount"] == 0.02
    client.cancel_order(changed["id"], BTC)
    assert client.fetch_order(changed["id"], BTC)["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order(changed["id"], BTC)


def test_conditional_orders_stand_and_trigger(client: Any, running: RunningExchange) -> None:
    """A stop that does not fire when its price is met protects nothing."""
    client.create_order(BTC, "market", "buy", 0.02)
    price = client.fetch_ticker(BTC)["last"]
    binance = client.id == "binanceusdm"
    ask = {"trigger": True} if binance else {}
    stop = client.create_order(
        BTC, "market", "sell", 0.02, None, {"stopLossPrice": int(price * 0.98), "reduceOnly": True}
    )
    client.create_order(BTC, "market", "sell", 0.02, None, {"takeProfitPrice": int(price * 1.03), "reduceOnly": True})
    client.create_order(
        BTC, "market", "sell", 0.02, None, {"trailingPercent": 2, "quantity": "0.02", "reduceOnly": True}
    )
    client.create_order(BTC, "STOP_MARKET", "sell", None, None, {"stopPrice": int(price * 0.97), "closePosition": True})
    assert len(client.fetch_open_orders(BTC, params=ask)) == 4
    running.control("POST", "price", symbol="BTCUSDT", price=str(int(price * 0.975)))
    assert not [each for each in client.fetch_positions([BTC]) if each["contracts"]]
    assert client.fetch_order(stop["id"], BTC, ask)["status"] == "closed"
    running.control("POST", "price", symbol="BTCUSDT", price=str(int(price)))


def test_hedge_mode_holds_both_sides(client: Any) -> None:
    """Long and short of one instrument stand side by side and close apart."""
    client.set_position_mode(True, BTC)
    for side, slot in (("buy", "LONG"), ("sell", "SHORT")):
        client.create_order(BTC, "market", side, 0.01, None, {"positionSide": slot})
    assert sorted(each["side"] for each in client.fetch_positions([BTC])) == ["long", "short"]
    with pytest.raises(ccxt.ExchangeError, match="-4068"):
        client.set_position_mode(False, BTC)
    with pytest.raises(ccxt.ExchangeError, match="-4061"):
        client.create_order(BTC, "market", "buy", 0.01)
    for side, slot in (("sell", "LONG"), ("buy", "SHORT")):
        client.create_order(BTC, "market", side, 0.01, None, {"positionSide": slot})
    client.set_position_mode(False, BTC)


def test_settings_are_told_and_refused(client: Any) -> None:
    """Leverage, margin type, commissions, brackets; what changes nothing says so."""
    assert client.set_leverage(7, BTC)["leverage"] == 7
    client.set_margin_mode("isolated", BTC)
    with pytest.raises(ccxt.ExchangeError, match="-4046"):
        client.fapiPrivatePostMarginType({"symbol": "BTCUSDT", "marginType": "ISOLATED"}) if (
            client.id == "binanceusdm"
        ) else client.fapiPrivatePostV3MarginType({"symbol": "BTCUSDT", "marginType": "ISOLATED"})
    client.create_order(BTC, "market", "buy", 0.01)
    assert client.fetch_positions([BTC])[0]["marginMode"] == "isolated"
    with pytest.raises(ccxt.ExchangeError, match="-4048"):
        client.set_margin_mode("cross", BTC)
    client.create_order(BTC, "market", "sell", 0.01, None, {"reduceOnly": True})
    client.set_margin_mode("cross", BTC)
    assert client.fetch_trading_fee(BTC)["taker"] == 0.0005


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (("limit", "buy", 0.01, 67_000, {"postOnly": True}), {"binance": "-5022"}),
        (("market", "sell", 0.01, None, {"reduceOnly": True}), {"binance": "-2022", "aster": "-2022"}),
        (("market", "buy", 900, None, {}), {"binance": "-2019", "aster": "-2019"}),
        (("limit", "buy", 0.01, 90_000, {}), {"binance": "-4016", "aster": "-4016"}),
        (("limit", "sell", 0.01, 40_000, {}), {"binance": "-4024", "aster": "-4024"}),
        (("market", "sell", 0.01, None, {"stopLossPrice": 90_000}), {"binance": "-2021", "aster": "-2021"}),
        (("limit", "buy", 0.01, 64_000, {"clientOrderId": "x" * 37}), {"binance": "-4015", "aster": "-4015"}),
    ],
)
def test_what_is_wrong_is_refused_by_its_code(client: Any, order: Any, code: dict[str, str]) -> None:
    """An adapter decides by these codes; each must come for its own reason."""
    kind, side, amount, price, params = order
    expected = code.get("binance" if client.id == "binanceusdm" else "aster")
    if expected is None:
        placed = client.create_order(BTC, kind, side, amount, price, params)
        assert client.fetch_order(placed["id"], BTC)["info"]["status"] == "EXPIRED"
        return
    with pytest.raises(ccxt.ExchangeError, match=expected):
        client.create_order(BTC, kind, side, amount, price, params)


def test_a_duplicate_client_id_is_refused_while_open(client: Any) -> None:
    """Unique among open orders only: after a cancel the same id is taken again, as on the real venues."""
    first = client.create_order(BTC, "limit", "buy", 0.01, 64_000, {"clientOrderId": "twice"})
    with pytest.raises(ccxt.ExchangeError, match="-4116"):
        client.create_order(BTC, "limit", "buy", 0.01, 64_000, {"clientOrderId": "twice"})
    client.cancel_order(first["id"], BTC)
    client.create_order(BTC, "limit", "buy", 0.01, 64_000, {"clientOrderId": "twice"})


def test_a_wrong_secret_signs_nothing(running: RunningExchange) -> None:
    """A signature is over what was sent, by the key's own secret."""
    thief = running.binance(secret="not it")
    thief.load_markets()
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        thief.fetch_balance()


@pytest.mark.parametrize("name", VENUES)
def test_market_streams_speak(running: RunningExchange, name: str) -> None:
    """Candles, trades, books and tickers arrive by stream."""

    async def watch() -> None:
        client = getattr(running, name)(pro=True)
        try:
            await client.load_markets()
            watched: list[Any] = [
                client.watch_ohlcv(BTC, "1m"), client.watch_trades(BTC), client.watch_order_book(BTC, 20),
                client.watch_bids_asks([BTC]), client.watch_mark_price(BTC),
            ]  # fmt: skip
            for each in watched:
                assert await asyncio.wait_for(each, PATIENCE_S)
            book = client.orderbooks[BTC]
            assert book["bids"][0][0] < book["asks"][0][0]
        finally:
            await client.close()

    asyncio.run(watch())


def test_a_fill_arrives_by_user_stream(running: RunningExchange) -> None:
    """Orders, own trades and balance follow a fill without being asked for."""

    async def watch() -> None:
        client = running.binance(pro=True)
        try:
            await client.load_markets()
            orders = asyncio.ensure_future(client.watch_orders(BTC))
            trades = asyncio.ensure_future(client.watch_my_trades(BTC))
            balance = asyncio.ensure_future(client.watch_balance())
            heard = running.sim.exchange.telling.watched
            while not (heard(BINANCE) and awaits(client, "orders", "myTrades", "balance")):  # noqa: ASYNC110  (another thread's state)
                await asyncio.sleep(0.05)
            await client.create_order(BTC, "market", "buy", 0.01)
            assert (await asyncio.wait_for(orders, PATIENCE_S))[0]["symbol"] == BTC
            assert (await asyncio.wait_for(trades, PATIENCE_S))[0]["amount"] == 0.01
            assert (await asyncio.wait_for(balance, PATIENCE_S))["USDT"]["total"] > 0
            await client.create_order(BTC, "market", "sell", 0.01, None, {"reduceOnly": True})
        finally:
            await client.close()

    asyncio.run(watch())
