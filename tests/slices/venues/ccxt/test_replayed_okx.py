"""OKX on tape: what is sent, and what its answers are taken to mean.

Fields of an order are those of the exchange's pages "Place order" and "Place algo order" (v5): a conditional order says
by slTriggerPx or tpTriggerPx which way it is triggered, -1 is the market, a closeFraction of 1 closes the position, and
a client id is algoClOrdId there. Contracts of BTC-USDT-SWAP are of 0.01 bitcoin on the tape.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.venues.port import Absent, Accepted, MarginType, Rejected, Unknown, VenueStatus
from tests.slices.venues.aster.recorder import Say
from tests.slices.venues.ccxt.replayed import ACCOUNT, Player, order, played, player, tape

PLACE = "/api/v5/trade/order"
PLACE_WAITING = "/api/v5/trade/order-algo"
NAME = "ph7K3J2QWERTYUIOPASDFGHJKLZ"
BTC = "BTC-USDT-SWAP"


def in_tether(told: Any) -> dict[str, Any]:
    """Return the first pair of a tape, which is against dollars, as one against USDT: there is no tape of such."""
    row = told["data"][0]
    return alone(row | {"instId": row["instId"] + "T", "quoteCcy": "USDT"})


def alone(row: Any) -> dict[str, Any]:
    """Return an entry of a tape as the answer to a single order: what was on tape without what surrounded it."""
    return {"code": "0", "msg": "", "data": [row]}


@pytest.fixture
def okx() -> Iterator[Player]:
    """Return OKX's perpetuals; instruments are on tape."""
    with player("okx") as opened:
        opened.on("GET", "/api/v5/public/instruments", tape("okx/http_get_instruments_swap.json"))
        opened.on("GET", "/api/v5/public/time", tape("okx/quoted_fetch_time.1.json"))
        opened.on("POST", PLACE, tape("okx/http_place_order_response.json", alone))
        opened.on("POST", PLACE_WAITING, tape("okx/quoted_create_order_request.1.json"))
        yield opened


@pytest.fixture
def spot() -> Iterator[Player]:
    """Return OKX's spot market."""
    with player("okx-spot") as opened:
        opened.on("GET", "/api/v5/public/instruments", tape("okx/http_get_instruments_spot.json", in_tether))
        opened.on("GET", "/api/v5/public/time", tape("okx/quoted_fetch_time.1.json"))
        opened.on("POST", PLACE, tape("okx/http_place_order_response.json", alone))
        opened.on("POST", PLACE_WAITING, tape("okx/quoted_create_order_request.1.json"))
        yield opened


def absent_orders(okx: Player) -> None:
    """Let the exchange know no order, on the book or waiting."""
    no = Say({"code": "51603", "data": [], "msg": "Order does not exist"})
    okx.on("GET", PLACE, no)
    okx.on("GET", PLACE_WAITING, no)


@pytest.mark.taped("V-I01")
def test_contracts_are_counted_in_coins(okx: Player) -> None:
    """A contract is a hundredth of a bitcoin: who took one for the other would trade a hundred times too much."""
    found = {each.symbol: each for each in okx.venue.instruments()}
    told = {row["instId"]: row for row in played("okx/http_get_instruments_swap.json")["data"]}[BTC]

    assert (told["ctVal"], told["lotSz"], told["minSz"]) == ("0.01", "0.01", "0.01")
    assert found[BTC].lot == Decimal("0.0001")
    assert found[BTC].quantity_min == Decimal("0.0001")
    assert found[BTC].tick == Decimal(told["tickSz"])
    assert found[BTC].leverage_max == int(told["lever"])


NAMED = {"instId": BTC, "tdMode": "cross", "clOrdId": NAME, "side": "buy"}


@pytest.mark.parametrize(
    ("kind", "terms", "sent"),
    [
        (OrderType.MARKET, {}, {"ordType": "market", "sz": "3"}),
        (OrderType.MARKET, {"reduce_only": True}, {"ordType": "market", "sz": "3", "reduceOnly": True}),
        (OrderType.LIMIT, {"price": "60000.1"}, {"ordType": "limit", "sz": "3", "px": "60000.1"}),
        (
            OrderType.LIMIT,
            {"price": "60000.1", "time_in_force": TimeInForce.GTX},
            {"ordType": "post_only", "sz": "3", "px": "60000.1"},
        ),
        (
            OrderType.LIMIT,
            {"price": "60000.1", "time_in_force": TimeInForce.IOC},
            {"ordType": "ioc", "sz": "3", "px": "60000.1"},
        ),
    ],
)
def test_orders_for_the_book_are_sent_one_by_one_in_contracts(
    okx: Player, kind: OrderType, terms: dict[str, Any], sent: dict[str, Any]
) -> None:
    """Our client id is there verbatim; with it, ccxt puts in none of a broker."""
    okx.place(order(BTC, Side.BUY, "0.03", kind, **terms))

    assert okx.sent("POST", PLACE) == [NAMED | sent]


@pytest.mark.parametrize(
    ("kind", "terms", "sent"),
    [
        (
            OrderType.STOP_MARKET,
            {"stop_price": "61000", "reduce_only": True},
            {"slTriggerPx": "61000", "slTriggerPxType": "mark", "slOrdPx": "-1", "sz": "3", "reduceOnly": True},
        ),
        (
            OrderType.TAKE_PROFIT_MARKET,
            {"stop_price": "59000", "reduce_only": True},
            {"tpTriggerPx": "59000", "tpTriggerPxType": "mark", "tpOrdPx": "-1", "sz": "3", "reduceOnly": True},
        ),
        (
            OrderType.STOP,
            {"stop_price": "61000", "price": "61010"},
            {"slTriggerPx": "61000", "slTriggerPxType": "mark", "slOrdPx": "61010", "sz": "3"},
        ),
        (
            OrderType.TAKE_PROFIT,
            {"stop_price": "59000", "price": "58990"},
            {"tpTriggerPx": "59000", "tpTriggerPxType": "mark", "tpOrdPx": "58990", "sz": "3"},
        ),
    ],
)
def test_orders_that_wait_for_a_trigger_go_to_their_own_address(
    okx: Player, kind: OrderType, terms: dict[str, Any], sent: dict[str, Any]
) -> None:
    """They carry our client id under the name that it has there; ccxt would send it under another."""
    okx.place(order(BTC, Side.BUY, "0.03", kind, **terms))

    assert okx.sent("POST", PLACE_WAITING) == [NAMED | {"algoClOrdId": NAME, "ordType": "conditional"} | sent]
    assert okx.sent("POST", PLACE) == []


def test_a_stop_that_closes_the_position_names_no_quantity(okx: Player) -> None:
    """The position may be another size by then."""
    okx.place(order(BTC, Side.SELL, "0.03", OrderType.STOP_MARKET, stop_price="59000", close_position=True))

    (sent,) = okx.sent("POST", PLACE_WAITING)
    assert (sent["closeFraction"], sent["reduceOnly"]) == ("1", True)
    assert "sz" not in sent


def test_a_coin_is_bought_by_quantity_and_never_by_cost(spot: Player) -> None:
    """The exchange would read a market buy in quote currency unless it is told otherwise."""
    spot.place(order("BTC-USDT", Side.BUY, "0.00012"))

    assert spot.sent("POST", PLACE) == [
        {
            "instId": "BTC-USDT",
            "tdMode": "cash",
            "clOrdId": NAME,
            "side": "buy",
            "ordType": "market",
            "sz": "0.00012",
            "tgtCcy": "base_ccy",
        }
    ]


@pytest.mark.parametrize(("side", "counted"), [(Side.BUY, {"tgtCcy": "base_ccy"}), (Side.SELL, {})])
def test_a_stop_for_coins_borrows_nothing(spot: Player, side: Side, counted: dict[str, Any]) -> None:
    """With another mode it would become a margin trade, and a buy without a unit would be one by cost."""
    spot.place(order("BTC-USDT", side, "0.00012", OrderType.STOP_MARKET, stop_price="61000"))

    named = {"instId": "BTC-USDT", "tdMode": "cash", "clOrdId": NAME, "algoClOrdId": NAME, "side": side.value.lower()}
    stop = {"ordType": "conditional", "slTriggerPx": "61000", "slTriggerPxType": "last", "slOrdPx": "-1"}
    assert spot.sent("POST", PLACE_WAITING) == [named | stop | {"sz": "0.00012"} | counted]


def test_the_answer_to_an_order_is_taken_in(okx: Player) -> None:
    """It names the order, by its id and by ours, and says nothing more."""
    outcome = okx.place(order(BTC, Side.BUY, "0.03", name="client_order_123"))

    assert isinstance(outcome, Accepted)
    assert (outcome.report.venue_order_id, outcome.report.status) == ("12345678901234567890", VenueStatus.NEW)


def test_an_answer_for_another_order_is_unknown(okx: Player) -> None:
    """Nobody can say what became of ours."""
    assert isinstance(okx.place(order(BTC, Side.BUY, "0.03")), Unknown)


@pytest.mark.taped("V-O35")
def test_the_code_of_the_order_goes_before_the_code_of_the_request(okx: Player) -> None:
    """The outer one says only that something failed."""
    okx.on("POST", PLACE, tape("okx/quoted_handle_errors.1.json"))

    outcome = okx.place(order(BTC, Side.BUY, "0.03"))

    assert isinstance(outcome, Rejected)
    assert outcome.code == "51119"
    assert "insufficient balance" in outcome.message


def test_a_conditional_order_that_is_not_taken_is_a_refusal(okx: Player) -> None:
    """Its tape has both client ids, empty."""
    outcome = okx.place(order(BTC, Side.SELL, "0.03", OrderType.STOP_MARKET, stop_price="59000", reduce_only=True))

    assert isinstance(outcome, Rejected)
    assert outcome.code == "51000"


@pytest.mark.taped("V-O02")
def test_an_order_on_the_book_is_found_by_our_id(okx: Player) -> None:
    """What the exchange has of it is in coins again."""
    okx.on("GET", PLACE, tape("okx/http_get_orders_pending.json"))

    found = okx.venue.find(ACCOUNT, BTC, "client-order-1")

    assert isinstance(found, Accepted)
    report = found.report
    assert (report.venue_order_id, report.status) == ("1234567890123456789", VenueStatus.NEW)
    assert (report.terms.quantity, report.terms.price) == (Decimal("0.0010"), Decimal(103_500))
    assert okx.sent("GET", PLACE) == [{"instId": BTC, "clOrdId": "client-order-1"}]


def test_an_order_that_nobody_knows_is_absent(okx: Player) -> None:
    """Both addresses are asked: it may wait for its trigger."""
    absent_orders(okx)

    assert okx.venue.find(ACCOUNT, BTC, NAME) == Absent()
    assert okx.sent("GET", PLACE_WAITING) == [{"algoClOrdId": NAME}]


def test_what_was_triggered_and_what_it_became_are_one_order(okx: Player) -> None:
    """The words of ccxt would call it filled as soon as its trigger was reached."""
    waited = played("okx/quoted_fetch_open_orders.2.json")["data"][0]
    became = {"state": "effective", "algoClOrdId": NAME, "ordId": "2497956918703120384", "slTriggerPx": "104000"}
    okx.on("GET", PLACE_WAITING, Say(alone(waited | became)))
    no = Say({"code": "51603", "data": [], "msg": "Order does not exist"})
    okx.on("GET", PLACE, no, tape("okx/http_get_orders_history.json"))
    okx.on("GET", "/api/v5/trade/fills-history", tape("okx/http_transaction_detail.json", alone))

    found = okx.venue.find(ACCOUNT, BTC, NAME)

    assert isinstance(found, Accepted)
    report = found.report
    assert (report.client_order_id, report.venue_order_id) == (NAME, "2497956918703120384")
    assert (report.status, report.filled_quantity) == (VenueStatus.FILLED, Decimal("0.0003"))
    assert report.terms.type is OrderType.STOP_MARKET


def test_an_order_that_waits_is_cancelled_where_it_waits(okx: Player) -> None:
    """By its own number; and it is told as cancelled only when the exchange says so."""
    waits = played("okx/quoted_fetch_open_orders.2.json")["data"][0] | {"algoClOrdId": NAME}
    okx.on("GET", PLACE_WAITING, Say(alone(waits)), Say(alone(waits | {"state": "canceled"})))
    okx.on("GET", PLACE, Say({"code": "51603", "data": [], "msg": "Order does not exist"}))
    okx.on("POST", "/api/v5/trade/cancel-algos", tape("okx/quoted_cancel_orders.2.json"))

    outcome = okx.venue.cancel(ACCOUNT, BTC, NAME)

    assert isinstance(outcome, Accepted)
    assert outcome.report.status is VenueStatus.CANCELED
    assert okx.sent("POST", "/api/v5/trade/cancel-algos") == [[{"instId": BTC, "algoId": "431375349042380800"}]]


def test_an_order_on_the_book_is_cancelled_by_our_id(okx: Player) -> None:
    """It is looked for among those that wait first."""
    absent_orders(okx)
    okx.on("POST", "/api/v5/trade/cancel-order", tape("okx/quoted_cancel_order.1.json"))

    okx.venue.cancel(ACCOUNT, BTC, NAME)

    assert okx.sent("POST", "/api/v5/trade/cancel-order") == [{"instId": BTC, "clOrdId": NAME}]


@pytest.mark.taped("V-R03")
def test_what_stands_is_told_with_what_waits(okx: Player) -> None:
    """A stop that was not shown would be placed twice."""
    okx.on("GET", "/api/v5/trade/orders-pending", tape("okx/http_get_orders_pending.json"))
    okx.on("GET", "/api/v5/trade/orders-algo-pending", tape("okx/quoted_fetch_open_orders.2.json"))

    standing = okx.venue.open_orders(ACCOUNT)

    assert {report.client_order_id for report in standing} == {"client-order-1", "431375349042380800"}
    waits = next(report for report in standing if report.client_order_id == "431375349042380800")
    assert (waits.terms.stop_price, waits.terms.quantity) == (Decimal(50_000), Decimal("0.01"))


@pytest.mark.taped("V-R04")
def test_fills_are_read_with_their_fee(spot: Player) -> None:
    """A fee that was paid is below zero on the wire; the tape's is above: it was a rebate."""
    spot.on("GET", "/api/v5/trade/fills-history", tape("okx/http_transaction_detail.json", alone))

    (fill,) = spot.venue.fills_after(ACCOUNT, "BTC-USDT", None)

    assert (fill.venue_trade_id, fill.venue_order_id, fill.client_order_id) == ("123456789", "987654321", "client_123")
    assert (fill.price, fill.quantity, fill.maker) == (Decimal("42000.5"), Decimal("0.001"), False)
    assert (fill.commission, fill.commission_currency) == (Decimal("-0.042"), "USDT")


@pytest.mark.taped("V-R01")
def test_positions_are_in_coins(okx: Player) -> None:
    """Half a contract is five thousandths of a bitcoin."""
    okx.on("GET", "/api/v5/account/positions", tape("okx/http_get_positions.json"))

    (position,) = okx.venue.positions(ACCOUNT)

    assert (position.symbol, position.quantity) == (BTC, Decimal("0.005"))
    assert (position.entry_price, position.liquidation_price) == (Decimal(10_000), Decimal(9_000))
    assert (position.margin_type, position.leverage) == (MarginType.ISOLATED, 10)


@pytest.mark.taped("V-R02")
def test_the_balance_is_the_one_of_the_settlement_currency(okx: Player) -> None:
    """To the last of its digits."""
    okx.on("GET", "/api/v5/account/balance", tape("okx/http_get_account_balance.json"))

    balance = okx.venue.balance(ACCOUNT)

    assert (balance.asset, balance.wallet) == ("USDT", Decimal("94.42612990333333"))
    assert (balance.margin_balance, balance.unrealised) == (
        Decimal("99.89469657000001"),
        Decimal("-0.0273000000000002"),
    )


@pytest.mark.taped("V-R12")
def test_leverage_is_the_one_of_cross_margin(okx: Player) -> None:
    """Orders are sent with cross margin, so that no other leverage counts."""
    okx.on("GET", "/api/v5/account/leverage-info", tape("okx/quoted_fetch_leverage.1.json"))
    okx.on("POST", "/api/v5/account/set-leverage", tape("okx/quoted_set_leverage.1.json"))

    assert okx.venue.settings(ACCOUNT, BTC) == (5, MarginType.CROSSED)
    assert okx.venue.set_leverage(ACCOUNT, BTC, 5) == 5
    assert okx.sent("POST", "/api/v5/account/set-leverage") == [{"instId": BTC, "lever": "5", "mgnMode": "cross"}]


def test_requests_are_signed_with_the_passphrase(okx: Player) -> None:
    """A third part of the credential, which the others do not have."""
    okx.place(order(BTC, Side.BUY, "0.03"))

    headers = okx.recorder.of("POST", PLACE)[0].headers
    assert (headers["ok-access-key"], headers["ok-access-passphrase"]) == ("OKXKEY0000000001", "P")
