"""Alpaca on tape: what is sent, and what its answers are taken to mean.

Fields of an order are those of the broker's pages "Create an order" and "Placing orders": stop and stop_limit wait for
the last price, a client_order_id is taken for ever, and there is no reduce-only.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.venues.port import Absent, Accepted, Gone, Rejected, Unknown, VenueStatus
from tests.slices.venues.aster.recorder import Say
from tests.slices.venues.ccxt.replayed import ACCOUNT, Player, order, played, player, tape

ORDERS = "/v2/orders"
BY_NAME = "/v2/orders:by_client_order_id"
NAME = "ph7K3J2QWERTYUIOPASDFGHJKLZ"
TAPED = "6de7d1b2-f772-4a0d-8c15-bacea15eb29e"


@pytest.fixture
def alpaca() -> Iterator[Player]:
    """Return Alpaca; the asset that its client's tests name is what can be traded."""
    with player("alpaca") as opened:
        asset = {"symbol": "SPY", "exchange": "ARCA", "status": "active", "tradable": True, "class": "us_equity"}
        penny = asset | {"symbol": "PENNY", "exchange": "OTC"}
        opened.on("GET", "/v2/assets", Say([asset, penny]))
        opened.on("POST", ORDERS, tape("alpaca/client_test_errors.5.json"))
        opened.on("GET", "/v2/positions", tape("alpaca/quoted_parse_balance.1.json"))
        yield opened


def test_listed_shares_are_traded_whole_and_by_the_cent(alpaca: Player) -> None:
    """Others go by rules that no stop could keep."""
    (instrument,) = alpaca.venue.instruments()

    assert (instrument.symbol, instrument.base, instrument.quote) == ("SPY", "SPY", "USD")
    assert (instrument.tick, instrument.lot, instrument.leverage_max) == (Decimal("0.01"), Decimal(1), 1)
    assert alpaca.sent("GET", "/v2/assets") == [{"status": "active", "asset_class": "us_equity"}]


@pytest.mark.parametrize(
    ("kind", "terms", "sent"),
    [
        (OrderType.MARKET, {}, {"type": "market", "time_in_force": "day"}),
        (OrderType.LIMIT, {"price": "400"}, {"type": "limit", "time_in_force": "gtc", "limit_price": "400"}),
        (
            OrderType.LIMIT,
            {"price": "400.25", "time_in_force": TimeInForce.IOC},
            {"type": "limit", "time_in_force": "ioc", "limit_price": "400.25"},
        ),
        (
            OrderType.STOP_MARKET,
            {"stop_price": "410.5"},
            {"type": "stop", "time_in_force": "gtc", "stop_price": "410.5"},
        ),
        (
            OrderType.STOP,
            {"stop_price": "410.5", "price": "411"},
            {"type": "stop_limit", "time_in_force": "gtc", "stop_price": "410.5", "limit_price": "411"},
        ),
        (
            OrderType.TAKE_PROFIT_MARKET,
            {"stop_price": "390"},
            {"type": "limit", "time_in_force": "gtc", "limit_price": "390"},
        ),
    ],
)
def test_each_kind_of_order_says_what_the_broker_asks_for(
    alpaca: Player, kind: OrderType, terms: dict[str, Any], sent: dict[str, Any]
) -> None:
    """Our client id is there verbatim, and numbers are texts."""
    alpaca.place(order("SPY", Side.BUY, "3", kind, **terms))

    named = {"symbol": "SPY", "qty": "3", "side": "buy", "client_order_id": NAME}
    assert alpaca.sent("POST", ORDERS) == [named | sent]


@pytest.mark.parametrize(
    ("kind", "terms"),
    [
        (OrderType.LIMIT, {"price": "400", "time_in_force": TimeInForce.GTX}),
        (OrderType.TAKE_PROFIT, {"stop_price": "390", "price": "389"}),
    ],
)
def test_what_the_broker_does_not_have_is_refused_before_it_is_sent(
    alpaca: Player, kind: OrderType, terms: dict[str, Any]
) -> None:
    """Anything like it would be another order."""
    assert isinstance(alpaca.place(order("SPY", Side.BUY, "3", kind, **terms)), Rejected)
    assert alpaca.sent("POST", ORDERS) == []


@pytest.mark.parametrize(
    ("symbol", "side", "quantity"),
    [("BTCUSD", Side.SELL, "0.0003"), ("BTCUSD", Side.BUY, "0.000207296"), ("SPY", Side.SELL, "1")],
)
def test_what_is_reduce_only_never_opens_a_position(alpaca: Player, symbol: str, side: Side, quantity: str) -> None:
    """The broker would sell short. One position is on the tape, and long."""
    outcome = alpaca.place(order(symbol, side, quantity, reduce_only=True))

    assert isinstance(outcome, Rejected)
    assert alpaca.sent("POST", ORDERS) == []


def test_what_is_reduce_only_and_makes_a_position_smaller_is_sent(alpaca: Player) -> None:
    """All of it may be sold."""
    (held,) = alpaca.venue.positions(ACCOUNT)
    alpaca.place(order(held.symbol, Side.SELL, str(held.quantity), reduce_only=True))

    assert alpaca.sent("POST", ORDERS)[0]["qty"] == "0.000207296"


@pytest.mark.taped("V-R01")
def test_positions_are_read(alpaca: Player) -> None:
    """One of a coin is on the tape."""
    (held,) = alpaca.venue.positions(ACCOUNT)

    assert (held.symbol, held.quantity, held.entry_price) == ("BTCUSD", Decimal("0.000207296"), Decimal(80_037))
    assert (held.mark_price, held.unrealised) == (Decimal("80041.8"), Decimal("0.000995"))


@pytest.mark.taped("V-O02")
def test_the_answer_to_an_order_is_taken_in(alpaca: Player) -> None:
    """It tells the order whole."""
    outcome = alpaca.place(order("SPY", Side.BUY, "1", OrderType.LIMIT, price="400", name=TAPED))

    assert isinstance(outcome, Accepted)
    assert (outcome.report.venue_order_id, outcome.report.status) == (
        "fb61d316-2179-4df2-8b28-eb026c0dd78e",
        VenueStatus.NEW,
    )
    assert outcome.report.at == datetime(2021, 4, 7, 18, 25, 30, 812371, tzinfo=UTC)


def test_an_answer_for_another_order_is_unknown(alpaca: Player) -> None:
    """Nobody can say what became of ours."""
    assert isinstance(alpaca.place(order("SPY", Side.BUY, "1")), Unknown)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("client_test_errors.3", "qty or notional is required"),
        ("client_test_errors.4", "only one of qty or notional is accepted"),
        ("client_test_errors.6", "qty must be integer"),
    ],
)
def test_a_parameter_that_is_wrong_is_a_refusal(alpaca: Player, name: str, message: str) -> None:
    """With the status that the broker's pages have for it."""
    text = tape(f"alpaca/{name}.json").body
    alpaca.on("POST", ORDERS, Say(text, 422))

    assert alpaca.place(order("SPY", Side.BUY, "1")) == Rejected("40010001", message)


@pytest.mark.taped("V-U12")
def test_an_error_that_nobody_listed_is_unknown(alpaca: Player) -> None:
    """One such is on tape: its code is in no page of the broker."""
    alpaca.on("POST", ORDERS, Say(tape("alpaca/client_test_errors.2.json").body, 422))

    assert isinstance(alpaca.place(order("SPY", Side.BUY, "1")), Unknown)


@pytest.mark.taped("V-O02")
def test_an_order_is_found_by_our_id(alpaca: Player) -> None:
    """By the address that ccxt does not know."""
    alpaca.on("GET", BY_NAME, tape("alpaca/client_test_errors.5.json"))

    found = alpaca.venue.find(ACCOUNT, "SPY", TAPED)

    assert isinstance(found, Accepted)
    assert found.report.terms.price == Decimal(400)
    assert alpaca.sent("GET", BY_NAME) == [{"client_order_id": TAPED}]


@pytest.mark.taped("V-O29")
def test_an_order_that_the_broker_does_not_know_is_absent(alpaca: Player) -> None:
    """Its words are on tape."""
    alpaca.on("GET", BY_NAME, Say(tape("alpaca/quoted_cancel_order.1.json").body, 404))

    assert alpaca.venue.find(ACCOUNT, "SPY", NAME) == Absent()


def test_a_cancel_goes_by_the_brokers_number(alpaca: Player) -> None:
    """It is asked for first; what cannot be cancelled any more is gone."""
    alpaca.on("GET", BY_NAME, tape("alpaca/client_test_errors.5.json"))
    number = "fb61d316-2179-4df2-8b28-eb026c0dd78e"
    alpaca.on(
        "DELETE", f"{ORDERS}/{number}", Say({"code": 42210000, "message": 'order is already in "filled" state'}, 422)
    )

    outcome = alpaca.venue.cancel(ACCOUNT, "SPY", TAPED)

    assert isinstance(outcome, Gone)
    assert len(alpaca.recorder.of("DELETE", f"{ORDERS}/{number}")) == 1


def test_an_order_that_was_cancelled_is_told_so(alpaca: Player) -> None:
    """The broker answers a cancel with nothing."""
    taken = played("alpaca/client_test_errors.5.json")
    alpaca.on("GET", BY_NAME, tape("alpaca/client_test_errors.5.json"), Say(taken | {"status": "canceled"}))
    alpaca.on("DELETE", f"{ORDERS}/{taken['id']}", Say(b"", 204))

    outcome = alpaca.venue.cancel(ACCOUNT, "SPY", TAPED)

    assert isinstance(outcome, Accepted)
    assert outcome.report.status is VenueStatus.CANCELED


@pytest.mark.taped("V-R03")
def test_what_stands_is_told(alpaca: Player) -> None:
    """One order of a coin is on the tape."""
    alpaca.on("GET", ORDERS, tape("alpaca/quoted_fetch_orders.1.json"))

    (report,) = alpaca.venue.open_orders(ACCOUNT)

    assert (report.terms.side, report.terms.quantity, report.terms.price) == (
        Side.SELL,
        Decimal("0.001"),
        Decimal(1_000),
    )
    assert report.status is VenueStatus.CANCELED


@pytest.mark.taped("V-R04")
def test_fills_are_read(alpaca: Player) -> None:
    """One is on the tape; whose order it was is asked for."""
    alpaca.on("GET", "/v2/account/activities/FILL", tape("alpaca/quoted_fetch_my_trades.1.json", lambda row: [row]))
    number = played("alpaca/quoted_fetch_my_trades.1.json")["order_id"]
    alpaca.on("GET", f"{ORDERS}/{number}", tape("alpaca/client_test_errors.5.json"))

    (fill,) = alpaca.venue.fills_after(ACCOUNT, "LTC/USD", None)

    assert fill.venue_trade_id == "20221228071929579::ca2aafd0-1270-4b56-b0a9-85423b4a07c8"
    assert (fill.side, fill.price, fill.quantity) == (Side.SELL, Decimal("67.31"), Decimal("0.07"))
    assert (fill.client_order_id, fill.commission) == (TAPED, Decimal(0))


def test_fills_behind_one_are_asked_for_by_its_id(alpaca: Player) -> None:
    """Ids begin with the time there, and grow."""
    alpaca.on("GET", "/v2/account/activities/FILL", Say([]))
    alpaca.venue.fills_after(ACCOUNT, "SPY", "20221228071929579::x")

    (asked,) = alpaca.sent("GET", "/v2/account/activities/FILL")
    assert (asked["page_token"], asked["direction"]) == ("20221228071929579::x", "asc")


def test_cash_that_came_in_is_a_transfer(alpaca: Player) -> None:
    """A thousand dollars are on the tape."""
    alpaca.on("GET", "/v2/account/activities/CSD", tape("alpaca/quoted_fetch_transactions_helper.1.json"))
    alpaca.on("GET", "/v2/account/activities/CSW", Say([]))

    (transfer,) = alpaca.venue.transfers_after(ACCOUNT, None)

    assert (transfer.amount, transfer.currency) == (Decimal(1_000), "USD")
    assert transfer.at == datetime(2025, 1, 10, tzinfo=UTC)


@pytest.mark.taped("V-R02")
def test_the_balance_is_cash(alpaca: Player) -> None:
    """What shares are worth is no money yet."""
    alpaca.on("GET", "/v2/account", tape("alpaca/quoted_fetch_balance.1.json"))

    balance = alpaca.venue.balance(ACCOUNT)

    assert (balance.asset, balance.wallet, balance.margin_balance) == ("USD", Decimal("5.92"), Decimal("48.6"))


def test_a_blocked_account_is_told_when_it_is_tried(alpaca: Player) -> None:
    """The broker does not say what a key may do."""
    told = played("alpaca/quoted_fetch_balance.1.json")
    alpaca.on("GET", "/v2/account", Say(told), Say(told), Say(told | {"trading_blocked": True}))

    assert alpaca.venue.examine(ACCOUNT).may_trade is True
    assert alpaca.venue.examine(ACCOUNT).may_trade is False


def test_quotes_are_read_to_the_last_digit(alpaca: Player) -> None:
    """The broker tells prices as numbers; none of them passes through a float."""
    told = played("alpaca/client_test_data.3.json")
    alpaca.venue.instruments()  # from then on it is known whose keys prices may be asked with
    alpaca.on("GET", "/v2/stocks/snapshots", tape("alpaca/client_test_data.3.json", lambda row: {"AAPL": row}))

    (quote,) = alpaca.venue.quotes(["AAPL"])

    assert (str(quote.bid), str(quote.ask)) == (str(told["latestQuote"]["bp"]), str(told["latestQuote"]["ap"]))
    assert alpaca.sent("GET", "/v2/stocks/snapshots") == [{"symbols": "AAPL", "feed": "iex"}]


def test_requests_are_signed_with_both_keys(alpaca: Player) -> None:
    """They carry no time: an order without an answer is never certainly gone."""
    alpaca.place(order("SPY", Side.BUY, "1"))

    headers = alpaca.recorder.of("POST", ORDERS)[0].headers
    assert (headers["apca-api-key-id"], headers["apca-api-secret-key"]) == ("ALPACAKEY0000001", "S")
    assert alpaca.venue.card.acceptance_window_s is None
