"""Messages of AsterDEX: what is sent says exactly what was meant, and what comes is read exactly or not at all."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.errors import NotFound, Refused
from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.order import OrderTerms, OrderType, TimeInForce
from pilothouse.core.rounding import is_on_grid, plain
from pilothouse.venues.aster import wire
from pilothouse.venues.aster.endpoint import MAINNET, endpoint_at
from pilothouse.venues.bounds import Market, Rules, refusal
from pilothouse.venues.catalogue import CARDS, card_of, credential_fields, names, open_venue
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.port import OrderRequest, VenueStatus

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NOON_MS = 1_767_614_400_000

prices = st.decimals("0.00000001", "999999.99999999", places=8)
client_ids = st.text("ABCXYZabcxyz0189", min_size=1, max_size=32)


@st.composite
def requests(draw: st.DrawFn) -> OrderRequest:
    """Any order that the port can carry."""
    kind = draw(st.sampled_from(OrderType))
    trails = kind is OrderType.TRAILING_STOP_MARKET
    terms = OrderTerms(
        symbol=draw(st.sampled_from(["BTCUSDT", "1000PEPEUSDT"])),
        side=draw(st.sampled_from(Side)),
        type=kind,
        quantity=draw(prices),
        price=draw(prices) if kind.has_limit else None,
        stop_price=draw(prices) if kind.is_conditional and not (trails and draw(st.booleans())) else None,
        trail_percent=draw(st.decimals("0.1", "5", places=1)) if trails else None,
        time_in_force=draw(st.sampled_from(TimeInForce)) if kind.has_limit else TimeInForce.GTC,
        reduce_only=draw(st.booleans()),
    )
    return OrderRequest(draw(client_ids), terms, NOON)


def as_told(params: dict[str, str]) -> dict[str, Any]:
    """Return the order as a venue that understood the parameters would tell it."""
    return {
        "symbol": params["symbol"],
        "side": params["side"],
        "type": params["type"],
        "origType": params["type"],
        "clientOrderId": params["newClientOrderId"],
        "orderId": 405,
        "status": "NEW",
        "origQty": params["quantity"],
        "executedQty": "0",
        "price": params.get("price", "0"),
        "stopPrice": params.get("stopPrice", "0"),
        "activatePrice": params.get("activationPrice", "0"),
        "priceRate": params.get("callbackRate", "0"),
        "timeInForce": params.get("timeInForce", "GTC"),
        "reduceOnly": params.get("reduceOnly") == "true",
        "closePosition": False,
        "updateTime": NOON_MS,
    }


@given(requests())
def test_an_order_comes_back_with_the_terms_it_was_sent_with(request_: OrderRequest) -> None:
    """Not a digit is lost between the book and the wire."""
    sent = dict(parse_qsl(wire.encoded(wire.order_params(request_)), strict_parsing=True))
    report = wire.report_of(as_told(sent))

    assert report.terms == request_.terms
    assert report.client_order_id == request_.client_order_id


@given(st.lists(requests(), min_size=1, max_size=5))
def test_a_batch_is_json_of_the_same_parameters(batch: list[OrderRequest]) -> None:
    """One order alone and the same one among others are the same order."""
    assert json.loads(wire.batch_param(batch)) == [dict(wire.order_params(each)) for each in batch]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=20)), max_size=5))
def test_parameters_survive_their_encoding(params: list[tuple[str, str]]) -> None:
    """What is signed is what is sent, and what is sent is what was meant."""
    assert parse_qsl(wire.encoded(params), keep_blank_values=True) == params


@pytest.mark.parametrize("value", [None, "", "x", "NaN", "Infinity", True, 1.5, [], {}])
def test_what_is_no_number_is_not_read_as_one(value: object) -> None:
    """A price of None is no price of zero."""
    with pytest.raises(wire.NotUnderstood):
        wire.number({"x": value}, "x")


@pytest.mark.parametrize(
    "broken",
    [
        {"status": "HALF"},
        {"side": "UP"},
        {"orderId": None},
        {"updateTime": 0},
        {"origQty": "many"},
        {"clientOrderId": 1.5},
    ],
)
def test_a_message_that_is_not_understood_is_said_so(broken: dict[str, Any]) -> None:
    """To guess here is to trade on a guess."""
    params = dict(wire.order_params(OrderRequest("a", OrderTerms("X", Side.BUY, OrderType.MARKET, Decimal(1)), NOON)))
    with pytest.raises(wire.NotUnderstood):
        wire.report_of(as_told(params) | broken)


def test_a_stop_that_was_triggered_is_told_with_the_terms_it_was_placed_with() -> None:
    """After its trigger the venue calls it a market order."""
    params = {"symbol": "X", "side": "SELL", "type": "MARKET", "newClientOrderId": "a", "quantity": "1"}
    row = as_told(params) | {"origType": "STOP_MARKET", "stopPrice": "45000", "status": "FILLED"}

    terms = wire.report_of(row).terms
    assert (terms.type, terms.stop_price) == (OrderType.STOP_MARKET, Decimal(45_000))


def test_somebody_elses_order_that_closes_a_position_has_no_quantity_of_its_own() -> None:
    """It reduces, whatever there is; it must never look as if it added exposure."""
    params = {"symbol": "X", "side": "SELL", "type": "STOP_MARKET", "newClientOrderId": "a", "quantity": "0"}
    report = wire.report_of(as_told(params) | {"closePosition": True, "stopPrice": "1"})

    assert report.terms.reduce_only
    assert report.terms.quantity == wire.WHOLE_POSITION
    assert report.status is VenueStatus.NEW


# ── Rules ─────────────────────────────────────────────────────────────────────────────────────────

TICK, LOT = Decimal("0.1"), Decimal("0.001")
RULES = Rules(
    Instrument("X", "X", "USDT", TICK, LOT, LOT, Decimal(1_000), Decimal(5), TICK, Decimal(1_000_000), 20),
    LOT, Decimal(100), Decimal("1.15"), Decimal("0.85"),
)  # fmt: skip


@given(
    st.decimals("0.05", "1000001", places=2),
    st.decimals("0.0005", "1001", places=4),
    st.decimals("1", "100000", places=1),
    st.sampled_from(Side),
)
def test_what_passes_here_keeps_every_rule_of_the_venue(
    price: Decimal, quantity: Decimal, mark: Decimal, side: Side
) -> None:
    """Written a second time, as the venue's pages word the filters."""
    terms = OrderTerms("X", side, OrderType.LIMIT, quantity, price=price)
    passes = refusal(OrderRequest("a", terms, NOON), Market(RULES, mark)) is None
    keeps = (
        TICK <= price <= 1_000_000
        and (price - TICK) % TICK == 0
        and LOT <= quantity <= 1_000
        and (quantity - LOT) % LOT == 0
        and price * quantity >= 5
        and (price <= mark * Decimal("1.15") if side is Side.BUY else price >= mark * Decimal("0.85"))
    )

    assert passes == keeps
    assert not passes or is_on_grid(price, TICK), plain(price)


# ── Addresses ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rest", "stream"),
    [
        ("https://fapi.example.com/", "wss://fstream.example.com"),
        ("http://127.0.0.1:18100", "ws://127.0.0.1:18100"),
        ("http://localhost:18100/aster", "ws://localhost:18100/aster"),
    ],
)
def test_streams_are_looked_for_beside_the_requests(rest: str, stream: str) -> None:
    """One variable is enough to point the adapter at a simulated exchange."""
    assert endpoint_at(MAINNET, rest).stream_url == stream


@pytest.mark.parametrize("rest", ["http://fapi.example.com", "ftp://127.0.0.2", "fapi.example.com"])
def test_an_address_in_the_open_is_refused(rest: str) -> None:
    """What is signed can be held back and sent later by whoever sees it."""
    with pytest.raises(Refused):
        endpoint_at(MAINNET, rest)


def test_only_venues_there_are_can_be_opened() -> None:
    """A misspelled venue is no paper account."""
    assert {"paper", "aster", "aster-testnet"} <= CARDS.keys()
    assert all(card_of(name).venue == name for name in names())
    assert [field.name for field in credential_fields("aster") if field.secret] == ["private_key"]
    with pytest.raises(NotFound, match="aster-testnet"):
        open_venue(VenueKey("astre"), None)  # type: ignore[arg-type]  # it is refused before it is used
