"""What ends by itself: contracts on their last day, orders whose position has gone, accounts that near their end."""

from datetime import UTC, datetime

import pytest

from pilothouse.core.clock import micros
from pilothouse.simexchange.soundness import complaints
from tests.slices.simexchange.raw_asking import NOON, Desk

DAY_US = 86_400 * 1_000_000
LATE_US = micros(datetime(2026, 3, 26, 12, tzinfo=UTC))
_CLOSE = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}


def quarter(desk: Desk) -> str:
    """Return the contract that has a last day."""
    return next(symbol for symbol, its in desk.exchange.floor.contracts.items() if its.delivers_us is not None)


def test_a_quarter_is_settled_on_its_last_day() -> None:
    """The last Friday of March: orders expire, positions are settled at the mark, the perpetual stays as it is."""
    desk = Desk(start_us=LATE_US)
    symbol = quarter(desk)
    assert (symbol, NOON.year) == ("BTCUSDT_260327", 2026)
    desk.ask("POST", "order", symbol=symbol, side="BUY", type="MARKET", quantity="0.010")
    desk.ask("POST", "order", symbol=symbol, side="BUY", type="LIMIT", timeInForce="GTC", price="63000", quantity="0.1")
    desk.ask("POST", "algoOrder", **{**_CLOSE, "symbol": symbol}, triggerPrice="50000", quantity="0.010")
    desk.market("BUY", "0.010")
    desk.exchange.clock.move(DAY_US)
    desk.exchange.run()
    account = desk.exchange.account("binance-K")
    assert (account.holding(symbol).lots, account.holding("BTCUSDT").lots) == (0, 10)
    assert not [each for each in account.orders.values() if each.symbol == symbol]
    assert not desk.exchange.files["binance-K"].open_algos(symbol)
    assert symbol not in {each["symbol"] for each in desk.ask("GET", "exchangeInfo")["symbols"]}
    assert desk.code("POST", "order", symbol=symbol, side="BUY", type="MARKET", quantity="0.010") == -1121
    assert complaints(desk.exchange) == []


def test_a_quarter_pays_no_funding() -> None:
    """Eight hours later only the perpetual has paid."""
    desk = Desk()
    for symbol in ("BTCUSDT", quarter(desk)):
        desk.ask("POST", "order", symbol=symbol, side="BUY", type="MARKET", quantity="0.010")
    desk.exchange.clock.move(DAY_US // 3)
    desk.exchange.run()
    assert {each["symbol"] for each in desk.ask("GET", "income", incomeType="FUNDING_FEE")} == {"BTCUSDT"}


def test_a_quarter_is_dearer_until_it_ends() -> None:
    """Its price follows the perpetual one, by a step, with a distance that shrinks."""
    apart = []
    for desk in (Desk(), Desk(start_us=LATE_US)):
        symbol = quarter(desk)
        desk.steps(2)
        desks = desk.exchange.floor.desks
        apart.append(
            (desks[symbol].prices.mark - desks["BTCUSDT"].prices.mark) * 10_000 // desks["BTCUSDT"].prices.mark
        )
    assert apart[0] > 30
    assert abs(apart[1]) < 10


@pytest.mark.parametrize(
    "more", [{"closePosition": "true"}, {"quantity": "0.010", "timeInForce": "GTE_GTC", "reduceOnly": "true"}]
)
def test_an_order_for_a_position_goes_with_it(more: dict[str, str]) -> None:
    """A stop that outlived its position would meet the next one."""
    desk = Desk()
    desk.market("BUY", "0.020")
    algo = desk.ask("POST", "algoOrder", **_CLOSE, triggerPrice="60000.0", **more)
    desk.market("SELL", "0.010")
    assert desk.ask("GET", "algoOrder", algoId=algo["algoId"])["algoStatus"] == "NEW"
    desk.market("SELL", "0.010")
    assert desk.ask("GET", "algoOrder", algoId=algo["algoId"])["algoStatus"] == "EXPIRED"
    told = [event["o"] for kind, event in desk.events if kind == "ALGO_UPDATE"]
    assert (told[-1]["X"], told[-1]["rm"]) == ("EXPIRED", "The position was closed.")


def test_an_order_that_stands_by_itself_stays() -> None:
    """Only what was for the position goes with it."""
    desk = Desk()
    desk.market("BUY", "0.010")
    desk.ask("POST", "algoOrder", **_CLOSE, triggerPrice="60000.0", quantity="0.010")
    desk.market("SELL", "0.010")
    assert len(desk.ask("GET", "openAlgoOrders", symbol="BTCUSDT")) == 1


def test_an_order_that_needs_a_position_is_not_taken_without() -> None:
    """-4509: good till expired means until the position is."""
    desk = Desk()
    order = {**_CLOSE, "triggerPrice": "60000.0", "quantity": "0.010", "timeInForce": "GTE_GTC"}
    assert desk.code("POST", "algoOrder", **order) == -4509


@pytest.mark.parametrize("kind", ["CROSSED", "ISOLATED"])
def test_who_is_near_the_end_is_called_once(kind: str) -> None:
    """The warning comes before the liquidation, and again only after things were better."""
    desk = Desk(deposit=2_000)
    desk.ask("POST", "leverage", symbol="BTCUSDT", leverage=50)
    if kind == "ISOLATED":
        desk.ask("POST", "marginType", symbol="BTCUSDT", marginType=kind)
    desk.market("BUY", "0.500" if kind == "ISOLATED" else "1.000")
    near = "63970.0" if kind == "ISOLATED" else "63350.0"
    for price in (near, near, "65000.0", near):
        desk.price(price)
    calls = [event for name, event in desk.events if name == "MARGIN_CALL"]
    assert len(calls) == 2
    assert (calls[0]["p"][0]["s"], calls[0]["p"][0]["mt"], "cw" in calls[0]) == ("BTCUSDT", kind, kind == "CROSSED")
    assert desk.exchange.account("binance-K").holding("BTCUSDT").lots > 0
