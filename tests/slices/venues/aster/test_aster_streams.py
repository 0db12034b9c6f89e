"""Streams of AsterDEX over real sockets: told in order, opened again, and nothing missed in between."""

import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pilothouse.core.quote import Quote
from pilothouse.venues.aster.adapter import AsterVenue
from pilothouse.venues.held_streams import Patience
from pilothouse.venues.port import AccountEvent, VenueStatus
from tests.slices.venues.aster.conftest import ACCOUNT, QUICK, now_ms, open_venue, order_row, trade_row
from tests.slices.venues.aster.recorder import PATIENCE_S, Recorder, Say, StreamRecorder

KEY = "/fapi/v3/listenKey"


def update(**changed: Any) -> str:
    """Return an ORDER_TRADE_UPDATE as the venue sends it."""
    order = {
        "s": "BTCUSDT", "c": "ph0001", "S": "BUY", "o": "LIMIT", "f": "GTC", "q": "0.010", "p": "50000", "ap": "0",
        "sp": "0", "x": "NEW", "X": "NEW", "i": 405, "l": "0", "z": "0", "L": "0", "T": now_ms(), "t": 0, "m": False,
        "R": False, "wt": "CONTRACT_PRICE", "ot": "LIMIT", "ps": "BOTH", "cp": False, "rp": "0",
    } | changed  # fmt: skip
    return json.dumps({"e": "ORDER_TRADE_UPDATE", "E": now_ms(), "T": now_ms(), "o": order})


def trade(number: int, filled: str, of: str = "0.010") -> str:
    """Return the update of one trade."""
    status = "FILLED" if filled == of else "PARTIALLY_FILLED"
    return update(x="TRADE", X=status, l="0.005", L="50000.0", z=filled, t=number, N="USDT", n="0.1", rp="0")


def nothing_missed(recorder: Recorder) -> None:
    """Let the account have nothing to tell."""
    recorder.on("POST", KEY, Say({"listenKey": "first"}))
    recorder.on("GET", "/fapi/v3/openOrders", Say([]))
    recorder.on("GET", "/fapi/v3/positionRisk", Say([]))
    recorder.on("GET", "/fapi/v3/income", Say([]))
    recorder.on("GET", "/fapi/v3/userTrades", Say([]))
    recorder.on("GET", "/fapi/v3/allOrders", Say([]))


@contextmanager
def listening(
    recorder: Recorder, streams: StreamRecorder, folder: Path, patience: Patience = QUICK
) -> Iterator["queue.Queue[AccountEvent]"]:
    """Listen to the account; yield what is told."""
    venue = open_venue(recorder, folder, stream_url=streams.url, patience=patience)
    told: queue.Queue[AccountEvent] = queue.Queue()
    stop = venue.listen(ACCOUNT, told.put)
    try:
        yield told
    finally:
        stop()
        venue.close()


def report(told: "queue.Queue[AccountEvent]") -> Any:
    """Return the next report that is told."""
    while (event := told.get(timeout=PATIENCE_S)).stream is not None:
        pass
    return event.report


def test_a_trade_is_told_with_its_fill(recorder: Recorder, streams: StreamRecorder, tmp_path: Path) -> None:
    """The books hear of it without asking."""
    nothing_missed(recorder)
    with listening(recorder, streams, tmp_path) as told:
        path, connection = streams.next()
        connection.send(update())
        connection.send(trade(9001, "0.005"))
        connection.send(json.dumps({"stream": "first", "data": json.loads(trade(9002, "0.010"))}))
        first, second, third = report(told), report(told), report(told)

    assert path == "/ws/first"
    assert (first.status, first.fills) == (VenueStatus.NEW, ())
    assert [(each.venue_trade_id, each.quantity, each.commission) for each in (*second.fills, *third.fills)] == [
        ("9001", Decimal("0.005"), Decimal("0.1")), ("9002", Decimal("0.005"), Decimal("0.1")),
    ]  # fmt: skip
    assert third.status is VenueStatus.FILLED


def test_what_was_missed_is_told_before_what_came_after(
    recorder: Recorder, streams: StreamRecorder, tmp_path: Path
) -> None:
    """A decision that is made on a gap is made on nothing."""
    nothing_missed(recorder)
    with listening(recorder, streams, tmp_path) as told:
        _, connection = streams.next()
        connection.send(update())
        report(told)
        recorder.on("GET", "/fapi/v3/userTrades", Say([trade_row(qty="0.005")], wait_s=0.2))
        recorder.on("GET", "/fapi/v3/allOrders", Say([order_row(status="PARTIALLY_FILLED", executedQty="0.005")]))
        connection.close()
        _, again = streams.next()
        again.send(trade(9002, "0.010"))
        missed, after = report(told), report(told)

    assert [fill.venue_trade_id for fill in missed.fills] == ["9001"]
    assert missed.client_order_id == "ph0001"
    assert [fill.venue_trade_id for fill in after.fills] == ["9002"]


def test_an_old_order_that_was_cancelled_meanwhile_is_told(
    recorder: Recorder, streams: StreamRecorder, tmp_path: Path
) -> None:
    """It stands in no list of what is new, and a stop that is gone protects nothing."""
    nothing_missed(recorder)
    with listening(recorder, streams, tmp_path) as told:
        _, connection = streams.next()
        connection.send(update())
        report(told)
        recorder.on("GET", "/fapi/v3/order", Say(order_row(status="CANCELED")))
        connection.close()
        missed = report(told)

    assert (missed.client_order_id, missed.status) == ("ph0001", VenueStatus.CANCELED)


def test_symbols_nobody_here_traded_are_found_by_their_income(
    recorder: Recorder, streams: StreamRecorder, tmp_path: Path
) -> None:
    """Another process, or a hand at the venue, may have traded while nobody listened."""
    nothing_missed(recorder)
    recorder.on("GET", "/fapi/v3/income", Say([
        {"symbol": "ETHUSDT", "incomeType": "COMMISSION", "income": "-1", "asset": "USDT", "time": now_ms(),
         "tranId": 1},
    ]))  # fmt: skip
    recorder.on("GET", "/fapi/v3/userTrades", Say([trade_row(symbol="ETHUSDT")]))
    recorder.on("GET", "/fapi/v3/order", Say(order_row(symbol="ETHUSDT", status="FILLED", executedQty="0.010")))
    with listening(recorder, streams, tmp_path) as told:
        streams.next()
        missed = report(told)

    assert (missed.terms.symbol, missed.status) == ("ETHUSDT", VenueStatus.FILLED)
    assert len(missed.fills) == 1


def test_an_expired_key_opens_a_new_stream(recorder: Recorder, streams: StreamRecorder, tmp_path: Path) -> None:
    """After it nothing more is told on the old one."""
    nothing_missed(recorder)
    recorder.on("POST", KEY, Say({"listenKey": "first"}), Say({"listenKey": "second"}))
    with listening(recorder, streams, tmp_path) as told:
        _, connection = streams.next()
        connection.send(json.dumps({"e": "listenKeyExpired", "E": now_ms()}))
        path, again = streams.next()
        again.send(update())
        assert report(told).client_order_id == "ph0001"

    assert path == "/ws/second"


def test_a_silent_stream_is_opened_again(recorder: Recorder, streams: StreamRecorder, tmp_path: Path) -> None:
    """A stream that is dead and a quiet one look the same."""
    nothing_missed(recorder)
    with listening(recorder, streams, tmp_path, replace(QUICK, silent_s=0.1)):
        streams.next()
        streams.next()


def test_the_key_is_extended_and_a_lost_one_is_replaced(
    recorder: Recorder, streams: StreamRecorder, tmp_path: Path
) -> None:
    """It lasts an hour; the venue may forget it before."""
    nothing_missed(recorder)
    gone = Say({"code": -1125, "msg": "This listenKey does not exist."}, 400)
    recorder.on("PUT", KEY, Say({}), Say(b"", 502), Say(b"", 502), gone, Say({}))
    recorder.on("POST", KEY, Say({"listenKey": "first"}), Say({"listenKey": "second"}))
    with listening(recorder, streams, tmp_path, replace(QUICK, keep_s=0.05)):
        first, _ = streams.next()
        second, _ = streams.next()

    assert (first, second) == ("/ws/first", "/ws/second")
    assert len(recorder.of("PUT", KEY)) >= 3


def test_a_venue_that_is_away_is_tried_until_it_is_back(
    recorder: Recorder, streams: StreamRecorder, tmp_path: Path
) -> None:
    """Maintenance ends without telling anybody."""
    nothing_missed(recorder)
    recorder.on("POST", KEY, Say(b"", 502), Say(b"", 502), Say(drop=True), Say({"listenKey": "back"}))
    with listening(recorder, streams, tmp_path):
        path, _ = streams.next()

    assert path == "/ws/back"


def test_a_message_that_cannot_be_read_is_no_reason_to_be_deaf(
    recorder: Recorder, streams: StreamRecorder, tmp_path: Path
) -> None:
    """What it told is asked for, on a new stream."""
    nothing_missed(recorder)
    with listening(recorder, streams, tmp_path) as told:
        _, connection = streams.next()
        connection.send(update(X="SOMETHING_NEW"))
        _, again = streams.next()
        again.send(update())
        assert report(told).client_order_id == "ph0001"


def test_funding_on_the_stream_is_asked_for_by_its_id(
    recorder: Recorder, streams: StreamRecorder, tmp_path: Path
) -> None:
    """The stream tells the balance, and a balance cannot be booked once."""
    nothing_missed(recorder)
    with listening(recorder, streams, tmp_path) as told:
        _, connection = streams.next()
        connection.send(update())
        report(told)
        recorder.on("GET", "/fapi/v3/income", Say([
            {"symbol": "BTCUSDT", "incomeType": "FUNDING_FEE", "income": "-0.25", "asset": "USDT", "time": now_ms(),
             "tranId": 11},
        ]))  # fmt: skip
        event = {"e": "ACCOUNT_UPDATE", "E": now_ms(), "T": now_ms(), "a": {"m": "FUNDING_FEE", "B": []}}
        connection.send(json.dumps(event))
        funding = told.get(timeout=PATIENCE_S).funding

    assert funding is not None
    assert (funding.symbol, funding.amount) == ("BTCUSDT", Decimal("-0.25"))


def test_a_liquidation_is_told_as_the_venues_own_order(
    recorder: Recorder, streams: StreamRecorder, tmp_path: Path
) -> None:
    """Its client id says what it is."""
    nothing_missed(recorder)
    with listening(recorder, streams, tmp_path) as told:
        _, connection = streams.next()
        connection.send(update(c="autoclose-1", o="LIQUIDATION", ot="LIQUIDATION", x="CALCULATED", X="NEW_INSURANCE",
                               S="SELL", l="0.010", L="45000", z="0.010", t=77, n="1"))  # fmt: skip
        forced = report(told)

    assert forced.client_order_id == "autoclose-1"
    assert [fill.quantity for fill in forced.fills] == [Decimal("0.010")]


# ── Prices ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def market(recorder: Recorder, streams: StreamRecorder, tmp_path: Path) -> Iterator[AsterVenue]:
    """Return an adapter with a stream of prices, whose questions for prices fail."""
    found = open_venue(recorder, tmp_path, stream_url=streams.url, patience=QUICK)
    found.follow(["BTCUSDT"])
    yield found
    found.close()


def test_a_quote_is_told_once_all_of_it_is_known(market: AsterVenue, streams: StreamRecorder) -> None:
    """Best prices, mark and last come in messages of their own, bare or in an envelope."""
    told: queue.Queue[Quote] = queue.Queue()
    market.watch(lambda quotes: told.put(quotes[0]))
    path, connection = streams.next()
    asked = json.loads(streams.received.get(timeout=PATIENCE_S))
    at = now_ms()
    book = {"e": "bookTicker", "u": 1, "E": at + 1, "T": at, "s": "BTCUSDT", "b": "49999.9", "B": "1",
            "a": "50000.1", "A": "2"}  # fmt: skip
    mark = {"e": "markPriceUpdate", "E": at + 20, "s": "BTCUSDT", "p": "50000.05", "i": "50000", "r": "0", "T": 1}
    mini = {"e": "24hrMiniTicker", "E": at + 50, "s": "BTCUSDT", "c": "49999.9", "o": "1", "h": "1", "l": "1"}
    for message in ({"result": None, "id": 1}, book, mark, {"stream": "btcusdt@miniTicker", "data": mini}):
        connection.send(json.dumps(message))
    quote = told.get(timeout=PATIENCE_S)

    assert path == "/stream"
    assert asked["method"] == "SUBSCRIBE"
    assert asked["params"] == ["btcusdt@bookTicker", "btcusdt@markPrice@1s", "btcusdt@miniTicker"]
    assert (quote.bid, quote.ask, quote.mark, quote.last) == tuple(
        Decimal(each) for each in ("49999.9", "50000.1", "50000.05", "49999.9")
    )
    assert quote.source == "aster"
    assert quote.book_at is not None
    assert quote.mark_at is not None
    assert (quote.mark_at - quote.book_at, quote.at - quote.book_at) == (
        timedelta(milliseconds=20),
        timedelta(milliseconds=50),
    )


def test_silent_prices_are_subscribed_to_again(recorder: Recorder, streams: StreamRecorder, tmp_path: Path) -> None:
    """A price that stands still is the most dangerous one."""
    hasty = open_venue(recorder, tmp_path, stream_url=streams.url, patience=replace(QUICK, market_silent_s=0.3))
    hasty.follow(["BTCUSDT"])
    hasty.watch(lambda _: None)
    streams.next()
    streams.next()
    hasty.close()


def test_a_refused_subscription_is_not_a_quiet_market(market: AsterVenue, streams: StreamRecorder) -> None:
    """It is tried again, and said."""
    market.watch(lambda _: None)
    _, connection = streams.next()
    connection.send(json.dumps({"error": {"code": 2, "msg": "Invalid request"}, "id": 1}))
    streams.next()
