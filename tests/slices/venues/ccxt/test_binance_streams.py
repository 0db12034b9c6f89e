"""What Binance tells on its own is understood, also where the simulated exchange is kinder than the real one.

When a conditional order triggers, the real exchange makes another order of it, with a number and a client id that the
house has never seen. Messages here have the fields of the exchange's own pages on ALGO_UPDATE and ORDER_TRADE_UPDATE.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from websockets.sync.server import ServerConnection

from pilothouse.core.clock import from_micros, millis
from pilothouse.core.errors import Unavailable
from pilothouse.core.order import OrderType
from pilothouse.kit import exact_json
from pilothouse.kit.clocks import FrozenClock, SystemClock
from pilothouse.venues.ccxt.adapter import CcxtVenue
from pilothouse.venues.ccxt.binance_streams import FuturesPrices, SpotPrices
from pilothouse.venues.ccxt.exchange import Endpoint
from pilothouse.venues.port import AccountEvent, OrderReport, StreamState, VenueStatus
from tests.slices.venues.aster.recorder import Heard, Recorder, Say, StreamRecorder
from tests.slices.venues.ccxt.ccxt_house import ACCOUNT, PATIENCE_S, opened, within

NOW = millis(SystemClock().now())


def algo_row(**changed: Any) -> dict[str, Any]:
    """Return a conditional order as REST shows it."""
    return {
        "algoId": 900, "clientAlgoId": "stop1", "algoType": "CONDITIONAL", "orderType": "STOP_MARKET",
        "symbol": "BTCUSDT", "side": "SELL", "positionSide": "BOTH", "timeInForce": "GTC", "quantity": "0.010",
        "algoStatus": "NEW", "actualOrderId": "", "actualPrice": "0", "triggerPrice": "60000.0", "price": "0.0",
        "workingType": "MARK_PRICE", "closePosition": False, "reduceOnly": True, "createTime": NOW,
        "updateTime": NOW, "triggerTime": 0,
    } | changed  # fmt: skip


def algo_event(**changed: Any) -> dict[str, Any]:
    """Return an ALGO_UPDATE."""
    told = {
        "caid": "stop1", "aid": 900, "at": "CONDITIONAL", "o": "STOP_MARKET", "s": "BTCUSDT", "S": "SELL",
        "ps": "BOTH", "f": "GTC", "q": "0.010", "X": "NEW", "ai": "", "ap": "0", "aq": "0", "act": "", "tp": "60000.0",
        "p": "0", "V": "EXPIRE_MAKER", "wt": "MARK_PRICE", "pm": "NONE", "cp": False, "pP": False, "R": True, "tt": 0,
        "gtd": 0, "rm": "",
    } | changed  # fmt: skip
    return {"e": "ALGO_UPDATE", "E": NOW, "T": NOW, "o": told}


def made_event(**changed: Any) -> dict[str, Any]:
    """Return the ORDER_TRADE_UPDATE of the order that it made: filled, under names of the exchange's own."""
    told = {
        "s": "BTCUSDT", "c": "aGVsbG9fd29ybGQ", "S": "SELL", "o": "MARKET", "f": "GTC", "q": "0.010", "p": "0",
        "ap": "59990", "sp": "0", "x": "TRADE", "X": "FILLED", "i": 77, "l": "0.010", "z": "0.010", "L": "59990.0",
        "n": "0.3", "N": "USDT", "T": NOW, "t": 5, "b": "0", "a": "0", "m": False, "R": True, "wt": "MARK_PRICE",
        "ot": "MARKET", "ps": "BOTH", "cp": False, "rp": "-1.5", "er": "0",
    } | changed  # fmt: skip
    return {"e": "ORDER_TRADE_UPDATE", "E": NOW, "T": NOW, "o": told}


@dataclass
class Line:
    """A stream that is heard: what was sent on it comes out at the other end."""

    recorder: Recorder
    socket: ServerConnection
    events: list[AccountEvent] = field(default_factory=list)

    def say(self, message: dict[str, Any]) -> None:
        """Send one message."""
        self.socket.send(exact_json.dumps(message))

    @property
    def reports(self) -> list[OrderReport]:
        """Return what was told of orders so far."""
        return [event.report for event in list(self.events) if event.report is not None]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Yield a server on which nothing stands and nothing is held."""
    running = Recorder()
    running.on("GET", "/fapi/v1/time", lambda _: Say({"serverTime": millis(SystemClock().now())}))
    running.on("POST", "/fapi/v1/listenKey", Say({"listenKey": "key1"}))
    for path in ("openOrders", "openAlgoOrders", "allAlgoOrders", "income", "userTrades"):
        running.on("GET", f"/fapi/v1/{path}", Say([]))
    running.on("GET", "/fapi/v3/positionRisk", Say([]))
    yield running
    running.close()


@pytest.fixture
def line(recorder: Recorder) -> Iterator[Line]:
    """Yield a stream of an account of the futures, once it is live."""
    streams = StreamRecorder()
    venue: CcxtVenue = opened("binanceusdm", recorder.url, stream_url=streams.url)
    events: list[AccountEvent] = []
    stop = venue.listen(ACCOUNT, events.append)
    path, socket = streams.next()
    assert path == "/private/ws?listenKey=key1"
    assert within(PATIENCE_S, lambda: [event.stream for event in events][-1:] == [StreamState.LIVE])
    yield Line(recorder, socket, events)
    stop()
    venue.close()
    streams.close()


def test_what_a_stop_made_is_told_as_the_stop(line: Line) -> None:
    """Whoever placed it knows its client id and no other; a fill under a strange name would be nobody's."""
    line.say(algo_event())
    line.say(algo_event(X="TRIGGERED", ai="77"))
    line.say(made_event())

    assert within(PATIENCE_S, lambda: bool(line.reports) and line.reports[-1].status is VenueStatus.FILLED)
    last = line.reports[-1]
    assert (last.client_order_id, last.venue_order_id) == ("stop1", "77")
    assert (last.terms.type, last.terms.stop_price) == (OrderType.STOP_MARKET, Decimal("60000.0"))
    assert [(fill.client_order_id, fill.quantity) for fill in last.fills] == [("stop1", Decimal("0.010"))]


def test_a_fill_that_overtakes_its_trigger_is_still_the_stops(line: Line, recorder: Recorder) -> None:
    """The exchange promises no order between its events: an unknown number is asked about before it is told."""
    triggered = algo_row(algoStatus="TRIGGERED", actualOrderId="77")
    recorder.on("GET", "/fapi/v1/allAlgoOrders", Say([triggered]))
    recorder.on("GET", "/fapi/v1/algoOrder", Say(triggered))
    line.say(made_event())

    assert within(PATIENCE_S, lambda: bool(line.reports))
    assert line.reports[-1].client_order_id == "stop1"
    assert line.reports[-1].fills[0].client_order_id == "stop1"


def test_somebody_elses_order_keeps_its_name_and_is_asked_about_once(line: Line, recorder: Recorder) -> None:
    """Orders placed by hand come over the same stream; a question for each of their events would cost the budget."""
    before = len(recorder.of("GET", "/fapi/v1/allAlgoOrders"))
    for part in ("0.004", "0.010"):
        line.say(made_event(c="web_1", z=part, X="FILLED" if part == "0.010" else "PARTIALLY_FILLED"))

    assert within(PATIENCE_S, lambda: len(line.reports) == 2)
    assert {report.client_order_id for report in line.reports} == {"web_1"}
    assert len(recorder.of("GET", "/fapi/v1/allAlgoOrders")) - before == 1


def test_a_stop_that_dies_at_its_trigger_is_told_with_the_reason(line: Line) -> None:
    """Margin is checked only then: a position that was thought protected is not."""
    line.say(algo_event())
    line.say(algo_event(X="REJECTED", rm="Margin is insufficient."))

    assert within(PATIENCE_S, lambda: len(line.reports) == 2)
    assert (line.reports[-1].status, line.reports[-1].reason) == (VenueStatus.EXPIRED, "Margin is insufficient.")


def test_a_stop_found_by_our_id_brings_the_fills_of_what_it_made(recorder: Recorder) -> None:
    """Asked after an outcome that was unknown, or at start: the same order, whichever number it has by then."""
    recorder.on("GET", "/fapi/v1/algoOrder", Say(algo_row(algoStatus="FINISHED", actualOrderId="77")))
    missing = Say({"code": -2013, "msg": "Order does not exist."}, 400)
    made = {
        "orderId": 77, "symbol": "BTCUSDT", "status": "FILLED", "clientOrderId": "strange", "price": "0",
        "origQty": "0.010", "executedQty": "0.010", "type": "MARKET", "origType": "MARKET", "side": "SELL",
        "stopPrice": "0", "timeInForce": "GTC", "reduceOnly": True, "closePosition": False, "updateTime": NOW,
        "time": NOW,
    }  # fmt: skip
    trade = {
        "id": 5, "orderId": 77, "symbol": "BTCUSDT", "side": "SELL", "price": "59990.0", "qty": "0.010",
        "realizedPnl": "-1.5", "commission": "0.3", "commissionAsset": "USDT", "time": NOW, "maker": False,
    }  # fmt: skip

    def one(heard: Heard) -> Say:
        return Say(made) if heard.params.get("orderId") == "77" else missing

    recorder.on("GET", "/fapi/v1/order", one)
    recorder.on("GET", "/fapi/v1/userTrades", Say([trade]))
    venue = opened("binanceusdm", recorder.url)
    found: Any = venue.find(ACCOUNT, "BTCUSDT", "stop1")
    listed = venue.fills_after(ACCOUNT, "BTCUSDT", None)
    venue.close()

    assert (found.report.client_order_id, found.report.status) == ("stop1", VenueStatus.FILLED)
    assert [fill.client_order_id for fill in found.report.fills] == ["stop1"]
    assert [fill.client_order_id for fill in listed] == ["stop1"]


def test_a_hedged_account_is_not_read_as_flat(recorder: Recorder) -> None:
    """Long and short apart would be added up to something that is neither."""
    held = {"symbol": "BTCUSDT", "positionAmt": "0.010", "positionSide": "LONG", "entryPrice": "1", "markPrice": "1"}
    recorder.on("GET", "/fapi/v3/positionRisk", Say([held]))
    venue = opened("binanceusdm", recorder.url)
    try:
        with pytest.raises(Unavailable, match="hedge mode"):
            venue.positions(ACCOUNT)
    finally:
        venue.close()


@pytest.mark.parametrize(
    "say", [Say({"code": -1000, "msg": "Unknown error"}, 503), Say(b"<html>", 502), Say(drop=True)]
)
def test_a_question_without_an_answer_is_never_flat(recorder: Recorder, say: Say) -> None:
    """It is not known what is held: that is another thing than nothing."""
    recorder.on("GET", "/fapi/v3/positionRisk", say)
    venue = opened("binanceusdm", recorder.url)
    try:
        with pytest.raises(Unavailable, match="did not answer"):
            venue.positions(ACCOUNT)
    finally:
        venue.close()


def test_an_answer_in_a_form_that_is_not_known_is_no_answer(recorder: Recorder) -> None:
    """A row that lost a field would else be a position of zero."""
    recorder.on("GET", "/fapi/v3/positionRisk", Say([{"symbol": "BTCUSDT"}]))
    venue = opened("binanceusdm", recorder.url)
    try:
        with pytest.raises(Unavailable, match="positionAmt"):
            venue.positions(ACCOUNT)
    finally:
        venue.close()


@pytest.mark.parametrize("kind", [FuturesPrices, SpotPrices])
def test_a_quote_tells_how_old_its_best_prices_and_its_mark_are(kind: type[FuturesPrices | SpotPrices]) -> None:
    """They come in messages of their own; on spot the last price stands for the mark."""
    clock = FrozenClock(from_micros(NOW * 1_000))
    prices = kind(Endpoint.at("binance", "binance"), clock)
    book: dict[str, Any] = {
        "e": "bookTicker",
        "u": 1,
        "s": "BTCUSDT",
        "b": "49999.9",
        "B": "1",
        "a": "50000.1",
        "A": "2",
    }
    if kind is FuturesPrices:
        book |= {"E": NOW + 1, "T": NOW}
        mark = {"e": "markPriceUpdate", "E": NOW + 20, "s": "BTCUSDT", "p": "50000.05", "r": "0", "T": 1}
        assert prices.understood(mark) == ()
    mini = {"e": "24hrMiniTicker", "E": NOW + 20, "s": "BTCUSDT", "c": "49999.9"}
    prices.understood(mini)

    (quote,) = prices.understood(book)

    assert quote.book_at == from_micros(NOW * 1_000)
    assert quote.mark_at == quote.at == from_micros((NOW + 20) * 1_000)
    (later,) = prices.understood(mini | {"E": NOW + 90})
    assert later.book_at == quote.book_at
    assert (later.mark_at == quote.mark_at) is (kind is FuturesPrices)
