"""Orders at AsterDEX, over a real socket: what is sent, and what each answer means."""

import json
import threading
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from coincurve import PublicKey

from pilothouse.core.errors import Unavailable
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType
from pilothouse.kit.sealed import Secret
from pilothouse.venues.aster.adapter import AsterVenue
from pilothouse.venues.aster.sign import AsterKeys, Signer, address_of
from pilothouse.venues.port import Absent, Accepted, Gone, Rejected, Replaced, Unknown, VenueStatus
from tests.slices.venues.aster.conftest import (
    ACCOUNT,
    ADDRESS,
    KEY,
    limit,
    open_venue,
    order_row,
    stand_still,
    stop,
    trade_row,
)
from tests.slices.venues.aster.recorder import PATIENCE_S, Heard, Recorder, Say

ORDER, BATCH, TRADES = "/fapi/v3/order", "/fapi/v3/batchOrders", "/fapi/v3/userTrades"


def error(code: int, status: int = 400, msg: str = "no") -> Say:
    """Return an error of the venue."""
    return Say({"code": code, "msg": msg}, status)


def signer_of(heard: Heard) -> str:
    """Return the address that signed a request, found from what came over the wire and nothing else."""
    message, _, signature = heard.text.partition("&signature=0x")
    raw = bytes.fromhex(signature)
    digest = Signer(Secret(KEY)).digest(message.encode())
    public = PublicKey.from_signature_and_message(raw[:64] + bytes([raw[64] - 27]), digest, hasher=None)
    return address_of(public.format(compressed=False))


def test_an_order_is_sent_as_a_signed_form(venue: AsterVenue, recorder: Recorder) -> None:
    """The venue verifies the very bytes that came."""
    recorder.on("POST", ORDER, Say(order_row()))
    outcome = venue.place(ACCOUNT, [limit()])[0]
    (sent,) = recorder.of("POST", ORDER)

    assert isinstance(outcome, Accepted)
    assert outcome.report.terms.quantity == Decimal("0.01")
    assert sent.in_body
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "x-mbx-apikey" not in sent.headers
    assert list(sent.params)[:3] == ["nonce", "user", "signer"]
    assert list(sent.params)[-1] == "signature"
    assert sent.params["user"] == ADDRESS.lower()
    assert signer_of(sent) == ADDRESS.lower()
    told = {name: sent.params[name] for name in ("symbol", "side", "type", "quantity", "price", "timeInForce")}
    assert told == {
        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT",
        "quantity": "0.01", "price": "50000", "timeInForce": "GTC",
    }  # fmt: skip


def test_a_stop_compares_with_the_mark_price_and_only_reduces(venue: AsterVenue, recorder: Recorder) -> None:
    """The last price alone can be moved by one trade."""
    recorder.on("POST", ORDER, Say(order_row(type="STOP_MARKET", origType="STOP_MARKET", stopPrice="45000.0")))
    venue.place(ACCOUNT, [stop("ph0001")])
    (sent,) = recorder.of("POST", ORDER)

    assert sent.params["workingType"] == "MARK_PRICE"
    assert sent.params["stopPrice"] == "45000"
    assert sent.params["reduceOnly"] == "true"
    assert "price" not in sent.params


def test_an_order_that_closes_a_position_names_no_quantity(venue: AsterVenue, recorder: Recorder) -> None:
    """The venue refuses both, and refuses reduceOnly beside it."""
    row = order_row(type="STOP_MARKET", origType="STOP_MARKET", stopPrice="45000", origQty="0", closePosition=True)
    recorder.on("POST", ORDER, Say(row))
    outcome = venue.place(ACCOUNT, [stop("ph0001", close_position=True)])[0]
    (sent,) = recorder.of("POST", ORDER)

    assert sent.params["closePosition"] == "true"
    assert "quantity" not in sent.params
    assert "reduceOnly" not in sent.params
    assert isinstance(outcome, Accepted)
    assert outcome.report.terms.reduce_only


REJECTS = [
    (error(-2019), Rejected("-2019", "no")),
    (error(-2021), Rejected("-2021", "no", would_trigger=True)),
    (error(-2022), Rejected("-2022", "no")),
    (error(-1111), Rejected("-1111", "no")),
    (error(-4164), Rejected("-4164", "no")),
    (error(-1015, 429), Rejected("-1015", "no", may_be_repeated=True)),
    (error(-1003, 418), Rejected("-1003", "no", may_be_repeated=True)),
    (error(-1008, 503), Rejected("-1008", "no", may_be_repeated=True)),
]


@pytest.mark.parametrize(("say", "outcome"), REJECTS)
def test_a_certain_refusal_is_rejected(venue: AsterVenue, recorder: Recorder, say: Say, outcome: Rejected) -> None:
    """Whoever asked may ask for something else at once."""
    recorder.on("POST", ORDER, say)

    assert venue.place(ACCOUNT, [limit()]) == [outcome]


UNKNOWNS = [
    Say(drop=True),
    Say(b"<html>502 Bad Gateway</html>", 502),
    Say(b"", 504),
    error(-1000, 503, "Unknown error, please check your request or try again later."),
    error(-1007, 408),
    error(-1006),
    error(-9999),
    Say(b"not json", 200),
    Say([], 200),
    Say({"orderId": 1}, 200),
    Say(order_row(clientOrderId="somebody-elses"), 200),
]


@pytest.mark.parametrize("say", UNKNOWNS)
def test_what_may_have_arrived_is_unknown_and_sent_once(venue: AsterVenue, recorder: Recorder, say: Say) -> None:
    """A second sending would be a second order."""
    recorder.on("POST", ORDER, say)

    assert isinstance(venue.place(ACCOUNT, [limit()])[0], Unknown)
    assert len(recorder.of("POST", ORDER)) == 1


def test_an_answer_that_does_not_come_in_time_is_unknown_and_not_waited_for(recorder: Recorder, tmp_path: Path) -> None:
    """The order may stand there; who waits on holds up everything behind it."""
    came, answered = threading.Event(), threading.Event()

    def late(_: Heard) -> Say:
        came.set()
        answered.wait(PATIENCE_S)
        return Say(order_row())

    recorder.on("POST", ORDER, late)
    hasty = open_venue(recorder, tmp_path, read_s=1.0)
    try:
        # On a busy machine a question before the order may be late too: then nothing was sent.
        while isinstance(outcome := hasty.place(ACCOUNT, [limit()])[0], Rejected):
            assert (outcome.may_be_repeated, recorder.of("POST", ORDER)) == (True, [])
        assert came.wait(PATIENCE_S)
    finally:
        answered.set()
        hasty.close()

    assert isinstance(outcome, Unknown)
    assert len(recorder.of("POST", ORDER)) == 1


def test_no_connection_is_a_refusal_that_may_be_repeated(recorder: Recorder, tmp_path: Path) -> None:
    """Not one byte was sent: it certainly did not happen."""
    recorder.close()
    venue = open_venue(recorder, tmp_path)
    outcome = venue.place(ACCOUNT, [limit()])[0]
    venue.close()

    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.may_be_repeated) == ("not_sent", True)


@pytest.mark.parametrize("code", [-1021, -4225])
def test_a_stale_nonce_is_signed_anew_after_reading_the_clock(venue: AsterVenue, recorder: Recorder, code: int) -> None:
    """A clock that drifts costs a request, not an order."""
    recorder.on("POST", ORDER, error(code), Say(order_row()))
    outcome = venue.place(ACCOUNT, [limit()])[0]
    first, second = recorder.of("POST", ORDER)

    assert isinstance(outcome, Accepted)
    assert int(second.params["nonce"]) > int(first.params["nonce"])
    assert second.params["signature"] != first.params["signature"]
    assert len(recorder.of("GET", "/fapi/v3/time")) == 2


def test_nonces_follow_the_venues_clock(venue: AsterVenue, recorder: Recorder) -> None:
    """Ours may be wrong by an hour."""
    ahead = 3_600_000
    stand_still(recorder, ahead)
    recorder.on("POST", ORDER, Say(order_row()))
    request = limit()
    venue.place(ACCOUNT, [request])
    (sent,) = recorder.of("POST", ORDER)
    off = int(sent.params["nonce"]) / 1_000 - request.stamped_at.timestamp() * 1_000 - ahead

    assert abs(off) <= 1, "milliseconds: it is told no finer"


def test_a_duplicate_is_found_and_adopted(venue: AsterVenue, recorder: Recorder) -> None:
    """It was ours, sent before: there already."""
    recorder.on("POST", ORDER, error(-4116))
    recorder.on("GET", ORDER, Say(order_row()))
    outcome = venue.place(ACCOUNT, [limit()])[0]

    assert isinstance(outcome, Accepted)
    assert outcome.report.venue_order_id == "405"


def test_a_duplicate_of_another_size_is_not_ours(venue: AsterVenue, recorder: Recorder) -> None:
    """An id that two houses made is no order of ours."""
    recorder.on("POST", ORDER, error(-4116))
    recorder.on("GET", ORDER, Say(order_row(origQty="7")))

    assert isinstance(venue.place(ACCOUNT, [limit()])[0], Rejected)


def test_a_duplicate_that_is_not_found_is_unknown(venue: AsterVenue, recorder: Recorder) -> None:
    """It was open a moment ago and may have filled since."""
    recorder.on("POST", ORDER, error(-4116))
    recorder.on("GET", ORDER, error(-2013))

    assert isinstance(venue.place(ACCOUNT, [limit()])[0], Unknown)


# ── Batch ─────────────────────────────────────────────────────────────────────────────────────────


def in_batch(heard: Heard) -> Say:
    """Take every order of a batch but the second."""
    orders = json.loads(heard.params["batchOrders"])
    rows: list[Any] = [
        order_row(clientOrderId=each["newClientOrderId"], type=each["type"], origType=each["type"], stopPrice="1")
        for each in orders
    ]
    rows[1] = {"code": -2021, "msg": "Order would immediately trigger."}
    return Say(rows)


def test_stops_go_together_and_each_has_its_outcome(venue: AsterVenue, recorder: Recorder) -> None:
    """Seven stops are two requests, and one that is refused takes none with it."""
    recorder.on("POST", BATCH, in_batch)
    recorder.on("POST", ORDER, Say(order_row()))
    orders = [limit("ph0001"), *(stop(f"ph1{number}") for number in range(7))]
    outcomes = venue.place(ACCOUNT, orders)
    batches = [json.loads(each.params["batchOrders"]) for each in recorder.of("POST", BATCH)]

    assert [len(batch) for batch in batches] == [5, 2]
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "Accepted", "Accepted", "Rejected", "Accepted", "Accepted", "Accepted", "Accepted", "Rejected",
    ]  # fmt: skip
    assert [heard.path for heard in recorder.heard if heard.method == "POST"] == [ORDER, BATCH, BATCH]


def test_orders_that_trade_keep_their_order(venue: AsterVenue, recorder: Recorder) -> None:
    """The venue works on a batch in no order: a close and the entry after it must not change places."""
    recorder.on("POST", ORDER, lambda heard: Say(order_row(clientOrderId=heard.params["newClientOrderId"])))
    venue.place(ACCOUNT, [limit("ph0001"), limit("ph0002"), limit("ph0003")])

    assert [each.params["newClientOrderId"] for each in recorder.of("POST", ORDER)] == ["ph0001", "ph0002", "ph0003"]


@pytest.mark.parametrize("say", [Say(drop=True), Say([]), Say({}), Say(b"x", 503)])
def test_a_lost_batch_leaves_each_of_its_orders_unknown(venue: AsterVenue, recorder: Recorder, say: Say) -> None:
    """Some may stand, and nobody can say which."""
    recorder.on("POST", BATCH, say)
    outcomes = venue.place(ACCOUNT, [stop("ph1"), stop("ph2")])

    assert [type(outcome) for outcome in outcomes] == [Unknown, Unknown]


# ── Before it is sent ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (limit(price="50000.05"), "-4014"),
        (limit(price="0.05"), "-4013"),
        (limit(price="2000000"), "-4002"),
        (limit(quantity="0.0105"), "-4023"),
        (limit(quantity="0.0001"), "-4004"),
        (limit(quantity="2000"), "-4005"),
        (limit(quantity="0.001", price="100"), "-4164"),
    ],
)
def test_what_the_venue_would_refuse_is_not_sent(
    venue: AsterVenue, recorder: Recorder, request_: Any, code: str
) -> None:
    """The limits are the venue's; breaking them costs requests and, in the end, the address."""
    venue.instruments()
    outcome = venue.place(ACCOUNT, [request_])[0]

    assert isinstance(outcome, Rejected)
    assert outcome.code == code
    assert recorder.of("POST", ORDER) == []


def test_a_price_outside_of_the_band_is_not_sent(venue: AsterVenue, recorder: Recorder) -> None:
    """The band moves with the mark price."""
    time = order_row()["time"]
    recorder.on("GET", "/fapi/v3/ticker/bookTicker",
                Say([{"symbol": "BTCUSDT", "bidPrice": "49999", "askPrice": "50001", "time": time}]))  # fmt: skip
    recorder.on("GET", "/fapi/v3/premiumIndex", Say([{"symbol": "BTCUSDT", "markPrice": "50000", "time": time}]))
    recorder.on("GET", "/fapi/v3/ticker/price", Say([{"symbol": "BTCUSDT", "price": "50000"}]))
    venue.instruments()
    (quote,) = venue.quotes(["BTCUSDT"])
    high = venue.place(ACCOUNT, [limit(price="57500.1")])[0]
    low = venue.place(ACCOUNT, [limit(price="42499.9", side=Side.SELL)])[0]

    assert (quote.bid, quote.ask, quote.mark) == (49999, 50001, 50000)
    assert isinstance(high, Rejected)
    assert isinstance(low, Rejected)
    assert (high.code, low.code) == ("-4016", "-4024")
    assert recorder.of("POST", ORDER) == []


# ── Cancel, find, change ──────────────────────────────────────────────────────────────────────────


def test_a_cancel_is_a_form_by_client_id(venue: AsterVenue, recorder: Recorder) -> None:
    """Only our own id is known for certain."""
    recorder.on("DELETE", ORDER, Say(order_row(status="CANCELED", executedQty="0.004")))
    outcome = venue.cancel(ACCOUNT, "BTCUSDT", "ph0001")
    (sent,) = recorder.of("DELETE", ORDER)

    assert isinstance(outcome, Accepted)
    assert outcome.report.status is VenueStatus.CANCELED
    assert outcome.report.filled_quantity == Decimal("0.004")
    assert sent.in_body
    assert sent.params["origClientOrderId"] == "ph0001"


def test_a_cancel_of_a_filled_order_tells_that_it_filled(venue: AsterVenue, recorder: Recorder) -> None:
    """The venue says only that there was nothing to cancel."""
    recorder.on("DELETE", ORDER, error(-2011))
    recorder.on("GET", ORDER, Say(order_row(status="FILLED", executedQty="0.010")))
    recorder.on("GET", TRADES, Say([trade_row()]))
    outcome = venue.cancel(ACCOUNT, "BTCUSDT", "ph0001")

    assert isinstance(outcome, Gone)
    assert outcome.report is not None
    assert outcome.report.status is VenueStatus.FILLED
    assert [fill.venue_trade_id for fill in outcome.report.fills] == ["9001"]


@pytest.mark.parametrize("say", [Say(drop=True), error(-1000, 503), error(-1003, 429), error(-9999)])
def test_a_cancel_without_a_certain_answer_is_unknown(venue: AsterVenue, recorder: Recorder, say: Say) -> None:
    """It is asked again: that does no harm."""
    recorder.on("DELETE", ORDER, say)

    assert isinstance(venue.cancel(ACCOUNT, "BTCUSDT", "ph0001"), Unknown)


def test_an_order_is_found_with_the_fills_that_are_its_own(venue: AsterVenue, recorder: Recorder) -> None:
    """The venue lists fills by instrument: others stand among them."""
    recorder.on("GET", ORDER, Say(order_row(status="FILLED", executedQty="0.010")))
    recorder.on(
        "GET", TRADES,
        Say([
            trade_row(id=9000, orderId=404),
            trade_row(id=9001, qty="0.004", commission="-0.08"),
            trade_row(id=9002, qty="0.006", commission="0.12", realizedPnl="-1.5"),
        ]),
    )  # fmt: skip
    found = venue.find(ACCOUNT, "BTCUSDT", "ph0001")

    assert isinstance(found, Accepted)
    fills = found.report.fills
    assert [(fill.venue_trade_id, fill.quantity, fill.commission) for fill in fills] == [
        ("9001", Decimal("0.004"), Decimal("0.08")),
        ("9002", Decimal("0.006"), Decimal("0.12")),
    ]
    assert all(fill.client_order_id == "ph0001" for fill in fills)
    assert fills[1].realised == Decimal("-1.5")


@pytest.mark.parametrize(
    ("say", "outcome"),
    [(error(-2013), Absent), (error(-2011), Unknown), (error(-2015, 401), Unknown), (error(-1000, 503), Unknown)],
)
def test_only_no_such_order_is_absent(venue: AsterVenue, recorder: Recorder, say: Say, outcome: type) -> None:
    """Absent leads to a second sending: every other error proves nothing."""
    recorder.on("GET", ORDER, say)

    assert isinstance(venue.find(ACCOUNT, "BTCUSDT", "ph0001"), outcome)


def test_a_limit_order_is_changed_in_place(venue: AsterVenue, recorder: Recorder) -> None:
    """It keeps its id and, for a smaller size, its place in the queue."""
    recorder.on("PUT", ORDER, Say(order_row(price="50100.0", origQty="0.020")))
    outcome = venue.amend(ACCOUNT, "ph0001", limit("ph0002", quantity="0.020", price="50100"))
    (sent,) = recorder.of("PUT", ORDER)

    assert isinstance(outcome, Accepted)
    assert outcome.report.client_order_id == "ph0001"
    assert (sent.params["quantity"], sent.params["price"]) == ("0.02", "50100")


STOP_ROW = {"type": "STOP_MARKET", "origType": "STOP_MARKET", "stopPrice": "45000", "reduceOnly": True}


def test_a_stop_is_placed_anew_for_what_is_missing_before_the_old_one_is_ended(
    venue: AsterVenue, recorder: Recorder
) -> None:
    """What filled in between is counted, and the position is never without a stop."""
    row = order_row(status="PARTIALLY_FILLED", executedQty="0.004", **STOP_ROW)
    recorder.on("GET", ORDER, Say(row))
    recorder.on("GET", TRADES, Say([trade_row(qty="0.004")]))
    recorder.on("POST", ORDER, Say(row | {"clientOrderId": "ph0002", "status": "NEW", "executedQty": "0"}))
    recorder.on("DELETE", ORDER, Say(row | {"status": "CANCELED"}))
    outcome = venue.amend(ACCOUNT, "ph0001", stop("ph0002", "46000"))
    (sent,) = recorder.of("POST", ORDER)

    assert isinstance(outcome, Replaced)
    assert isinstance(outcome.placed, Accepted)
    assert outcome.ended.status is VenueStatus.CANCELED
    assert sent.params["quantity"] == "0.006"
    assert [one.method for one in recorder.heard if one.path == ORDER and one.method != "GET"] == ["POST", "DELETE"]


def test_a_stop_whose_successor_is_refused_is_not_ended(venue: AsterVenue, recorder: Recorder) -> None:
    """A stop at the wrong place is better than none."""
    recorder.on("GET", ORDER, Say(order_row(**STOP_ROW)))
    recorder.on("POST", ORDER, error(-2021))
    outcome = venue.amend(ACCOUNT, "ph0001", stop("ph0002", "96000"))

    assert isinstance(outcome, Rejected)
    assert outcome.would_trigger
    assert recorder.of("DELETE", ORDER) == []


def test_nothing_that_opens_is_placed_beside_an_order_that_may_still_stand(
    venue: AsterVenue, recorder: Recorder
) -> None:
    """Two stops that open a position open it twice."""
    recorder.on("DELETE", ORDER, Say(drop=True))
    wanted = stop("ph0002", "46000")
    opens = replace(wanted, terms=replace(wanted.terms, reduce_only=False))

    assert isinstance(venue.amend(ACCOUNT, "ph0001", opens), Unknown)
    assert recorder.of("POST", ORDER) == []


# ── Limits ────────────────────────────────────────────────────────────────────────────────────────


def test_after_a_429_nothing_is_sent_until_it_is_over(venue: AsterVenue, recorder: Recorder) -> None:
    """Whoever goes on is banned, from two minutes to three days."""
    recorder.on("POST", ORDER, Say({"code": -1003, "msg": "slow down"}, 429, {"Retry-After": "30"}))
    venue.place(ACCOUNT, [limit("ph0001")])
    again = venue.place(ACCOUNT, [limit("ph0002")])[0]

    assert isinstance(again, Rejected)
    assert (again.code, again.may_be_repeated) == ("budget", True)
    assert len(recorder.of("POST", ORDER)) == 1


def test_reads_leave_a_part_of_the_budget_to_orders(recorder: Recorder, tmp_path: Path) -> None:
    """A position that must be closed does not wait for a chart."""
    used = {"X-MBX-USED-WEIGHT-1M": "1900"}
    recorder.on("GET", "/fapi/v3/openOrders", Say([], headers=used))
    recorder.on("POST", ORDER, Say(order_row(), headers=used))
    venue = open_venue(recorder, tmp_path)
    venue.open_orders(ACCOUNT)
    with pytest.raises(Unavailable, match="budget"):
        venue.open_orders(ACCOUNT)

    assert isinstance(venue.place(ACCOUNT, [limit()])[0], Accepted)
    venue.close()


def test_a_key_that_does_not_fit_sends_nothing(recorder: Recorder, tmp_path: Path) -> None:
    """The venue would refuse every order with a code that says nothing."""
    venue = open_venue(recorder, tmp_path, keys=AsterKeys(ADDRESS, "0x" + "1" * 40, Secret(KEY)))
    outcome = venue.place(ACCOUNT, [limit()])[0]
    venue.close()

    assert isinstance(outcome, Rejected)
    assert outcome.code == "key_not_of_signer"
    assert recorder.of("POST", ORDER) == []


def test_market_orders_are_bounded_by_their_own_filter(venue: AsterVenue, recorder: Recorder) -> None:
    """The venue takes less at once from a market order than from a resting one."""
    venue.instruments()
    outcome = venue.place(ACCOUNT, [limit(quantity="101", type=OrderType.MARKET, price=None)])[0]

    assert isinstance(outcome, Rejected)
    assert outcome.code == "-4005"
