"""What clients read besides the plain answers: headers, numbers that must agree with each other, whole histories."""

from typing import Any

import msgspec
import pytest

from pilothouse.simexchange.candles import Candle, joined
from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.soundness import complaints
from tests.slices.simexchange.raw_asking import Desk

BUY = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.020"}
HOUR_MS = 3_600_000


def _public(desk: Desk, path: str) -> Any:
    place, _, query = path.partition("?")
    reply = desk.sim.front.answer(Request("GET", place, query, "", {}, "test"))
    assert reply.status == 200, reply.body
    return msgspec.json.decode(reply.body)


def _advance(desk: Desk, ms: int) -> None:
    desk.exchange.clock.move(ms * 1_000)
    desk.exchange.run()


def test_both_sides_know_a_trade_by_the_number_that_everybody_sees() -> None:
    """Fills are matched by trade id: two accounts that traded with each other, and the tape, name the same one."""
    desk = Desk()
    bid = int(desk.exchange.floor.desks["BTCUSDT"].prices.bid)
    price = desk.exchange.grids["BTCUSDT"].price(bid + 1)
    desk.exchange.floor.desks["BTCUSDT"].ladder(1).thin_to(0)
    limit = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC", "price": price, "quantity": "0.010"}
    desk.ask("POST", "order", **limit, side="SELL")
    desk.ask("POST", "order", "K2", **limit, side="BUY")
    mine, theirs = (desk.ask("GET", "userTrades", key, symbol="BTCUSDT")[-1] for key in ("K", "K2"))
    seen = _public(desk, "/fapi/v1/trades?symbol=BTCUSDT&limit=1")[0]
    assert mine["id"] == theirs["id"] == seen["id"]
    assert (mine["maker"], theirs["maker"]) == (True, False)


def test_trades_are_numbered_without_a_gap_and_the_day_counts_them() -> None:
    """A client that asks by number from where it was gets every trade once."""
    desk = Desk()
    for _ in range(20):
        _advance(desk, 700)
        desk.ask("POST", "order", **BUY)
    numbers = [each["id"] for each in _public(desk, "/fapi/v1/trades?symbol=BTCUSDT&limit=1000")]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    day = _public(desk, "/fapi/v1/ticker/24hr?symbol=BTCUSDT")
    assert day["lastId"] == numbers[-1]
    assert day["lastId"] - day["firstId"] + 1 == day["count"]
    newest = _public(desk, "/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1")[0]
    assert newest[4] == day["lastPrice"]


def test_the_funding_that_was_paid_is_the_funding_that_is_told() -> None:
    """Whoever recomputes a payment from rate and mark of the history gets it to the last digit."""
    desk = Desk()
    desk.ask("POST", "order", **BUY)
    _advance(desk, 9 * HOUR_MS)
    paid = desk.ask("GET", "income", incomeType="FUNDING_FEE")
    told = _public(desk, "/fapi/v1/fundingRate?symbol=BTCUSDT&limit=1")[0]
    assert [each["time"] for each in paid] == [told["fundingTime"]]
    mark, its_rate = (int(told[name].replace(".", "")) for name in ("markPrice", "fundingRate"))
    exact = 20 * mark * its_rate  # thousandths of a coin, tenths of a dollar, hundred-millionths: 10^-12
    income = -int(paid[0]["income"].replace(".", ""))
    assert income == -(-exact // 10_000)


def test_each_funding_payment_is_an_event_of_its_own() -> None:
    """The wallet goes from one balance to the next, and the event names the instrument."""
    desk = Desk()
    desk.ask("POST", "order", **BUY)
    desk.ask("POST", "order", **(BUY | {"symbol": "ETHUSDT", "quantity": "1"}))
    before = desk.exchange.account("binance-K").wallet
    desk.events.clear()
    _advance(desk, 9 * HOUR_MS)
    told = [event["a"] for kind, event in desk.events if kind == "ACCOUNT_UPDATE"]
    assert {each["S"] for each in told} == {"BTCUSDT", "ETHUSDT"}
    for each in told:
        (balance,) = each["B"]
        before += int(balance["bc"].replace(".", ""))
        assert int(balance["wb"].replace(".", "")) == before
        assert each["P"] == []


@pytest.mark.parametrize("off", [0, 90, 40 * 60])
def test_seconds_add_up_to_their_minute(off: int) -> None:
    """Candles of a second exist on the spot side, of what trades here and of the past, and agree with the minutes."""
    desk = Desk()
    for _ in range(5):
        _advance(desk, 30_000)
    now = desk.exchange.clock.now() // 1_000
    opened = now - now % 60_000 - 60_000 - off * 1_000
    opened -= opened % 60_000
    span = f"startTime={opened}&endTime={opened + 59_999}"
    seconds = _public(desk, f"/api/v3/klines?symbol=BTCUSDT&interval=1s&{span}")
    (minute,) = _public(desk, f"/api/v3/klines?symbol=BTCUSDT&interval=1m&{span}")
    assert [each[0] for each in seconds] == list(range(opened, opened + 60_000, 1_000))
    assert all(each[6] == each[0] + 999 for each in seconds)
    traded = [each for each in seconds if each[8]]
    whole = joined([_candle(each) for each in traded])
    assert whole[1:] == _candle(minute)[1:]
    reply = desk.sim.front.answer(Request("GET", "/fapi/v1/klines", "symbol=BTCUSDT&interval=1s", "", {}, "test"))
    assert reply.status == 400


def _candle(row: list[Any]) -> Candle:
    numbers = [int(str(each).replace(".", "")) for each in row]
    return Candle(*numbers[:6], *numbers[7:11])


def test_what_a_position_is_set_to_is_told() -> None:
    """A change of margin by hand has its event, as the venue sends one."""
    desk = Desk()
    desk.ask("POST", "marginType", symbol="BTCUSDT", marginType="ISOLATED")
    desk.ask("POST", "order", **BUY)
    desk.ask("POST", "positionMargin", symbol="BTCUSDT", amount="7.5", type="1")
    reasons = [event["a"]["m"] for kind, event in desk.events if kind == "ACCOUNT_UPDATE"]
    assert reasons == ["MARGIN_TYPE_CHANGE", "ORDER", "MARGIN_TRANSFER"]


def test_an_answer_says_when_and_how_much_was_used() -> None:
    """Some clients stop where these headers are missing."""
    desk = Desk()
    assert desk.sim.front.date() == "Mon, 05 Jan 2026 12:00:00 GMT"
    futures = desk.reply("POST", "order", **BUY)
    assert [name for name, _ in futures.headers] == [
        "X-MBX-USED-WEIGHT-1M", "X-MBX-ORDER-COUNT-1M", "X-MBX-ORDER-COUNT-10S",
    ]  # fmt: skip
    text = desk.signed({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"})
    spot = desk.sim.front.answer(Request("POST", "/api/v3/order", "", text, {"x-mbx-apikey": "K"}, "test"))
    assert [name for name, _ in spot.headers] == [
        "X-MBX-USED-WEIGHT-1M", "X-MBX-USED-WEIGHT", "X-MBX-ORDER-COUNT-10S", "X-MBX-ORDER-COUNT-1D",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("tif", "side", "factor", "reason"),
    [("IOC", "BUY", 990, "2"), ("FOK", "BUY", 990, "2"), ("GTC", "SELL", 1_000, "1"), ("IOC", "SELL", 990, "3")],
)
def test_an_expiry_says_why(tif: str, side: str, factor: int, reason: str) -> None:
    """The numbers are the venue's; what ended because its owner stood on the other side is told apart."""
    desk = Desk()
    mark = desk.exchange.floor.desks["BTCUSDT"].prices.mark
    if side == "SELL":
        desk.exchange.floor.desks["BTCUSDT"].ladder(-1).thin_to(0)
        price = desk.exchange.grids["BTCUSDT"].price(mark)
        stood = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC", "price": price, "quantity": "0.010"}
        desk.ask("POST", "order", **stood, side="BUY")
    wanted = {
        "symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": tif, "quantity": "0.010",
        "price": desk.exchange.grids["BTCUSDT"].price(mark * factor // 1_000),
        "selfTradePreventionMode": "EXPIRE_TAKER",
    }  # fmt: skip
    reply = desk.reply("POST", "order", **wanted)
    if tif == "FOK":
        assert reply.status == 400
        return
    ended = [event["o"] for kind, event in desk.events if kind == "ORDER_TRADE_UPDATE" and event["o"]["x"] == "EXPIRED"]
    assert [each["er"] for each in ended] == [reason]
    assert ended[0]["X"] == ("EXPIRED" if reason == "2" else "EXPIRED_IN_MATCH")


def test_money_goes_between_the_two_sides_of_an_account() -> None:
    """What leaves one side is on the other; more than is free goes nowhere."""
    desk = Desk()

    def moved(way: str, amount: str) -> tuple[int, Any]:
        text = desk.signed({"type": way, "asset": "USDT", "amount": amount})
        reply = desk.sim.front.answer(
            Request("POST", "/sapi/v1/asset/transfer", "", text, {"x-mbx-apikey": "K"}, "test")
        )
        return reply.status, msgspec.json.decode(reply.body)

    assert moved("UMFUTURE_MAIN", "1000")[0] == 200
    assert desk.ask("GET", "balance")[0]["balance"] == "99000.00000000"
    assert desk.spot("GET", "account")[1]["balances"][0]["free"] == "101000.00000000"
    assert moved("MAIN_UMFUTURE", "101000.5")[1]["code"] == -5013
    assert moved("MAIN_UMFUTURE", "500")[0] == 200
    assert desk.ask("GET", "income", incomeType="TRANSFER")[-1]["income"] == "500.00000000"
    assert [kind for kind, _ in desk.events if kind == "balanceUpdate"] == ["balanceUpdate"] * 2
    assert complaints(desk.exchange) == []


@pytest.mark.parametrize(
    ("path", "weight"),
    [
        ("/fapi/v1/depth?symbol=BTCUSDT&limit=5", 2),
        ("/fapi/v1/depth?symbol=BTCUSDT", 10),
        ("/fapi/v1/depth?symbol=BTCUSDT&limit=1000", 20),
        ("/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1", 1),
        ("/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1500", 10),
        ("/fapi/v1/ticker/24hr?symbol=BTCUSDT", 1),
        ("/fapi/v1/ticker/24hr", 40),
        ("/api/v3/depth?symbol=BTCUSDT", 5),
        ("/api/v3/depth?symbol=BTCUSDT&limit=5000", 250),
        ("/api/v3/ticker/24hr", 80),
    ],
)
def test_a_request_weighs_what_the_venue_says(path: str, weight: int) -> None:
    """A client that keeps its own count of weight must come to the same."""
    place, _, query = path.partition("?")
    reply = Desk().sim.front.answer(Request("GET", place, query, "", {}, "test"))
    assert dict(reply.headers)["X-MBX-USED-WEIGHT-1M"] == str(weight)
