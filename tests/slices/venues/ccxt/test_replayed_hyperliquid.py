"""Hyperliquid on tape: what is sent, and what its answers are taken to mean.

Actions are those of the exchange's page "Exchange endpoint": an order is a, b, p, s, r, t and c in this order, which is
signed; a trigger is tp or sl; positionTpsl follows the position; a number of 128 bits (cloid) names an order.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.ids import client_order_id
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.venues.ccxt.quirks.hyperliquid import client_id_of, cloid_of
from pilothouse.venues.port import Absent, Accepted, Gone, MarginType, Rejected, VenueStatus
from tests.slices.venues.aster.recorder import Say
from tests.slices.venues.ccxt.replayed import ACCOUNT, KEYS, NOW_MS, Player, order, played, player, tape

NAME = "ph7K3J2QWERTYUIOPASDFGHJKLZ"
CLOID = cloid_of(NAME)
ACT = "/exchange"


def with_ether(told: Any) -> Any:
    """Return the tape's only instrument, and ether beside it: the tapes of orders and fills are in ether."""
    meta, states = told
    ether = meta["universe"][0] | {"name": "ETH", "szDecimals": 4}
    return [{"universe": [*meta["universe"], ether]}, [*states, states[0] | {"markPx": "2213.9"}]]


MARKETS = tape("hyperliquid/quoted_fetch_swap_markets.1.json", with_ether)


@pytest.fixture
def hyperliquid() -> Iterator[Player]:
    """Return Hyperliquid's perpetuals; instruments are on tape."""
    with player("hyperliquid") as opened:
        opened.on_info(metaAndAssetCtxs=MARKETS, l2Book=tape("hyperliquid/http_l2_book_snapshot.json"))
        opened.on("POST", ACT, tape("hyperliquid/quoted_create_orders.1.json"))
        yield opened


def action(exchange: Player) -> Any:
    """Return the last action that was sent."""
    return exchange.sent("POST", ACT)[-1]["action"]


# ── Names ─────────────────────────────────────────────────────────────────────────────────────────


@given(st.binary(min_size=10, max_size=32), st.text(max_size=20))
def test_a_client_id_of_the_house_is_read_from_its_number_again(house: bytes, intent: str) -> None:
    """After a restart an order of ours must be known as ours, by what the exchange tells alone."""
    name = client_order_id(house, "acc_1", intent)

    assert re.fullmatch(r"0x[0-9a-f]{32}", cloid_of(name))
    assert client_id_of(cloid_of(name)) == name


@given(st.from_regex(r"[A-Za-z0-9]{1,32}", fullmatch=True), st.from_regex(r"[A-Za-z0-9]{1,32}", fullmatch=True))
def test_any_other_client_id_has_a_number_of_its_own(one: str, other: str) -> None:
    """The same id is the same number, and another is another."""
    assert (cloid_of(one) == cloid_of(other)) == (one == other)


def test_a_number_that_is_not_ours_stays_as_it_is() -> None:
    """Somebody else's order is shown under its own name."""
    assert client_id_of("0x" + "1" * 32) == "0x" + "1" * 32


# ── What is sent ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.taped("V-I01")
def test_the_grid_is_what_the_exchange_says(hyperliquid: Player) -> None:
    """Sizes go by its decimals, prices by five digits that count at the present price."""
    found = {each.symbol: each for each in hyperliquid.venue.instruments()}

    assert set(found) == {"SOLUSDC", "ETHUSDC"}
    assert (found["SOLUSDC"].tick, found["SOLUSDC"].lot) == (Decimal("0.01"), Decimal("0.01"))
    assert (found["SOLUSDC"].notional_min, found["SOLUSDC"].leverage_max) == (Decimal(10), 50)


@pytest.mark.parametrize(
    ("kind", "terms", "sent"),
    [
        (OrderType.LIMIT, {"price": "108.04"}, {"p": "108.04", "r": False, "t": {"limit": {"tif": "Gtc"}}}),
        (
            OrderType.LIMIT,
            {"price": "108.04", "time_in_force": TimeInForce.GTX, "reduce_only": True},
            {"p": "108.04", "r": True, "t": {"limit": {"tif": "Alo"}}},
        ),
        (
            OrderType.STOP_MARKET,
            {"stop_price": "120", "reduce_only": True},
            {"p": "132", "r": True, "t": {"trigger": {"isMarket": True, "triggerPx": "120", "tpsl": "sl"}}},
        ),
        (
            OrderType.TAKE_PROFIT_MARKET,
            {"stop_price": "90", "reduce_only": True},
            {"p": "99", "r": True, "t": {"trigger": {"isMarket": True, "triggerPx": "90", "tpsl": "tp"}}},
        ),
        (
            OrderType.STOP,
            {"stop_price": "120", "price": "121"},
            {"p": "121", "r": False, "t": {"trigger": {"isMarket": False, "triggerPx": "120", "tpsl": "sl"}}},
        ),
    ],
)
def test_each_kind_of_order_says_what_the_exchange_asks_for(
    hyperliquid: Player, kind: OrderType, terms: dict[str, Any], sent: dict[str, Any]
) -> None:
    """No builder stands in it, which ccxt would put there, and name even where its fee is switched off."""
    hyperliquid.place(order("SOLUSDC", Side.BUY, "0.25", kind, **terms))

    first = {"a": 0, "b": True}
    assert action(hyperliquid) == {
        "type": "order",
        "orders": [first | sent | {"s": "0.25", "c": CLOID}],
        "grouping": "na",
    }


def test_a_market_order_is_a_limit_within_a_bound(hyperliquid: Player) -> None:
    """The best offer on the tape is 98451; five per cent above it is the worst that is taken."""
    hyperliquid.place(order("SOLUSDC", Side.BUY, "0.25"))

    best = Decimal(played("hyperliquid/http_l2_book_snapshot.json")["levels"][1][0]["px"])
    (sent,) = action(hyperliquid)["orders"]
    assert sent["t"] == {"limit": {"tif": "Ioc"}}
    assert best < Decimal(sent["p"]) <= best * Decimal("1.0501")


def test_a_stop_that_closes_the_position_follows_it(hyperliquid: Player) -> None:
    """The position may be another size by then."""
    hyperliquid.place(order("SOLUSDC", Side.SELL, "0.25", OrderType.STOP_MARKET, stop_price="90", close_position=True))

    sent = action(hyperliquid)
    assert sent["grouping"] == "positionTpsl"
    assert (sent["orders"][0]["s"], sent["orders"][0]["r"], sent["orders"][0]["b"]) == ("0", True, False)


def test_the_parts_of_an_order_are_signed_in_their_order_with_an_end(hyperliquid: Player) -> None:
    """Another order of them has another signature; an action that comes too late is refused."""
    hyperliquid.place(order("SOLUSDC", Side.BUY, "0.25", OrderType.LIMIT, price="108.04"))

    body = json.loads(hyperliquid.text("POST", ACT))
    assert list(body["action"]["orders"][0]) == ["a", "b", "p", "s", "r", "t", "c"]
    assert body["expiresAfter"] == NOW_MS + 10_000
    theirs = ccxt.hyperliquid({"privateKey": KEYS["hyperliquid"]["privateKey"]})
    assert body["signature"] == theirs.sign_l1_action(body["action"], body["nonce"], None, body["expiresAfter"])


def test_two_actions_never_have_the_same_number(hyperliquid: Player) -> None:
    """The exchange takes each number once, and these two were stamped in the same millisecond."""
    for _ in range(2):
        hyperliquid.place(order("SOLUSDC", Side.BUY, "0.25", OrderType.LIMIT, price="108.04"))

    first, second = (body["nonce"] for body in hyperliquid.sent("POST", ACT))
    assert first < second


def test_no_fee_is_approved_and_nobody_is_named_as_referrer(hyperliquid: Player) -> None:
    """By itself ccxt would do both with the account's key, before its first order."""
    hyperliquid.place(order("SOLUSDC", Side.BUY, "0.25", OrderType.LIMIT, price="108.04"))
    hyperliquid.on("POST", ACT, tape("hyperliquid/quoted_cancel_orders.1.json"))
    hyperliquid.venue.cancel(ACCOUNT, "SOLUSDC", NAME)

    assert [body["action"]["type"] for body in hyperliquid.sent("POST", ACT)] == ["order", "cancelByCloid"]
    assert not re.search("builder|referrer", "".join(heard.text.lower() for heard in hyperliquid.recorder.heard))


def test_a_price_of_too_many_digits_is_refused_and_not_rounded(hyperliquid: Player) -> None:
    """Five digits count there; another price than the one that was decided upon is never sent."""
    outcome = hyperliquid.place(order("SOLUSDC", Side.BUY, "0.25", OrderType.LIMIT, price="108.0456"))

    assert isinstance(outcome, Rejected)
    assert hyperliquid.sent("POST", ACT) == []


def test_fill_or_kill_is_refused_before_it_is_sent(hyperliquid: Player) -> None:
    """The exchange has none, and anything like it would be another order."""
    terms: dict[str, Any] = {"price": "108.04", "time_in_force": TimeInForce.FOK}

    assert isinstance(hyperliquid.place(order("SOLUSDC", Side.BUY, "0.25", OrderType.LIMIT, **terms)), Rejected)
    assert hyperliquid.sent("POST", ACT) == []


# ── What is understood ────────────────────────────────────────────────────────────────────────────


@pytest.mark.taped("V-O02")
def test_an_order_that_rests_is_taken_in(hyperliquid: Player) -> None:
    """The answer has no name in it but the exchange's own."""
    outcome = hyperliquid.place(order("SOLUSDC", Side.BUY, "0.25", OrderType.LIMIT, price="108.04"))

    assert isinstance(outcome, Accepted)
    assert (outcome.report.venue_order_id, outcome.report.status) == ("5063830287", VenueStatus.NEW)


@pytest.mark.taped("V-O03", "V-O04")
def test_an_order_that_filled_at_once_is_taken_in(hyperliquid: Player) -> None:
    """A tenth is on the tape."""
    hyperliquid.on("POST", ACT, tape("hyperliquid/quoted_edit_orders.2.json"))

    whole = hyperliquid.place(order("SOLUSDC", Side.BUY, "0.1", OrderType.LIMIT, price="108.04"))
    part = hyperliquid.place(order("SOLUSDC", Side.BUY, "0.25", OrderType.LIMIT, price="108.04"))

    assert isinstance(whole, Accepted)
    assert isinstance(part, Accepted)
    assert (whole.report.status, whole.report.filled_quantity) == (VenueStatus.FILLED, Decimal("0.1"))
    assert (part.report.status, part.report.filled_quantity) == (VenueStatus.PARTIALLY_FILLED, Decimal("0.1"))


@pytest.mark.taped("V-O35")
def test_an_order_without_margin_is_a_refusal(hyperliquid: Player) -> None:
    """The error stands inside of an answer that says ok."""
    hyperliquid.on("POST", ACT, tape("hyperliquid/quoted_handle_errors.2.json"))

    outcome = hyperliquid.place(order("SOLUSDC", Side.BUY, "0.25", OrderType.LIMIT, price="108.04"))

    assert isinstance(outcome, Rejected)
    assert outcome.message == "Insufficient margin to place order. asset=84"


def test_a_key_that_is_not_the_wallets_is_a_refusal(hyperliquid: Player) -> None:
    """The answer is one sentence."""
    hyperliquid.on("POST", ACT, tape("hyperliquid/quoted_handle_errors.1.json"))

    outcome = hyperliquid.place(order("SOLUSDC", Side.BUY, "0.25", OrderType.LIMIT, price="108.04"))

    assert isinstance(outcome, Rejected)
    assert outcome.code == "User or API Wallet"


@pytest.mark.taped("V-O02")
def test_an_order_is_found_by_our_number_with_its_fills(hyperliquid: Player) -> None:
    """It stands on the tape, of ether; the fill on the tape is another order's."""
    hyperliquid.on_info(
        metaAndAssetCtxs=MARKETS,
        orderStatus=tape("hyperliquid/quoted_fetch_order.1.json"),
        userFillsByTime=tape("hyperliquid/quoted_fetch_my_trades.1.json"),
    )

    found = hyperliquid.venue.find(ACCOUNT, "ETHUSDC", NAME)

    assert isinstance(found, Accepted)
    report = found.report
    assert (report.client_order_id, report.venue_order_id, report.status) == (NAME, "3991946565", VenueStatus.NEW)
    assert (report.terms.quantity, report.terms.price) == (Decimal("0.1"), Decimal(2_000))
    asked = next(body for body in hyperliquid.sent("POST", "/info") if body["type"] == "orderStatus")
    assert asked["oid"] == CLOID


def test_an_order_that_filled_is_filled_even_while_its_fills_are_not_told(hyperliquid: Player) -> None:
    """The two are told at two addresses, and one may be ahead."""
    told = played("hyperliquid/quoted_fetch_order.1.json")
    done = {"order": told["order"] | {"status": "filled"}, "status": "order"}
    hyperliquid.on_info(metaAndAssetCtxs=MARKETS, orderStatus=Say(done), userFillsByTime=Say([]))

    found = hyperliquid.venue.find(ACCOUNT, "ETHUSDC", NAME)

    assert isinstance(found, Accepted)
    assert (found.report.status, found.report.filled_quantity) == (VenueStatus.FILLED, Decimal("0.1"))


def test_a_number_that_nobody_knows_is_absent(hyperliquid: Player) -> None:
    """So its page words it."""
    hyperliquid.on_info(metaAndAssetCtxs=MARKETS, orderStatus=Say({"status": "unknownOid"}))

    assert hyperliquid.venue.find(ACCOUNT, "ETHUSDC", NAME) == Absent()


def test_what_cannot_be_cancelled_any_more_is_gone(hyperliquid: Player) -> None:
    """The exchange says never placed, cancelled or filled, and not which: the order itself is asked for."""
    error = {"error": "Order was never placed, already canceled, or filled. asset=0"}
    hyperliquid.on("POST", ACT, Say({"status": "ok", "response": {"type": "cancel", "data": {"statuses": [error]}}}))
    hyperliquid.on_info(metaAndAssetCtxs=MARKETS, orderStatus=Say({"status": "unknownOid"}))

    assert hyperliquid.venue.cancel(ACCOUNT, "SOLUSDC", NAME) == Gone(None)
    assert action(hyperliquid) == {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}]}


@pytest.mark.taped("V-R03")
def test_what_stands_is_told(hyperliquid: Player) -> None:
    """Somebody else's order has a number of the exchange only."""
    hyperliquid.on_info(
        metaAndAssetCtxs=MARKETS, frontendOpenOrders=tape("hyperliquid/quoted_fetch_open_orders.1.json")
    )

    (report,) = hyperliquid.venue.open_orders(ACCOUNT)

    assert (report.client_order_id, report.terms.side) == ("3991946565", Side.BUY)
    assert (report.terms.quantity, report.filled_quantity) == (Decimal("0.1"), Decimal(0))


def test_fills_are_read_with_their_fee_and_result(hyperliquid: Player) -> None:
    """A fill that closed a long, as a taker."""
    hyperliquid.on_info(
        metaAndAssetCtxs=MARKETS,
        userFillsByTime=tape("hyperliquid/quoted_fetch_my_trades.1.json"),
        orderStatus=Say({"status": "unknownOid"}),
    )

    (fill,) = hyperliquid.venue.fills_after(ACCOUNT, "ETHUSDC", None)

    assert (fill.venue_trade_id, fill.venue_order_id) == ("128423918764978", "3929354691")
    assert (fill.side, fill.price, fill.quantity) == (Side.SELL, Decimal("2381.1"), Decimal("0.0841"))
    assert (fill.commission, fill.commission_currency) == (Decimal("0.050062"), "USDC")
    assert (fill.realised, fill.maker) == (Decimal("0.19343"), False)
    assert hyperliquid.venue.fills_after(ACCOUNT, "ETHUSDC", "128423918764978") == []


@pytest.mark.taped("V-R07")
def test_funding_is_told_apart_by_time_and_coin(hyperliquid: Player) -> None:
    """All of its hashes are zero: by those, a second payment would look like the first one again."""
    hyperliquid.on_info(metaAndAssetCtxs=MARKETS, userFunding=tape("hyperliquid/quoted_fetch_funding_history.1.json"))

    (payment,) = hyperliquid.venue.funding_after(ACCOUNT, None)

    assert (payment.venue_id, payment.symbol) == ("1734026400057-SOL", "SOLUSDC")
    assert (payment.amount, payment.currency) == (Decimal("75.635093"), "USDC")


@pytest.mark.taped("V-R08")
def test_money_that_left_for_the_spot_side_is_a_transfer(hyperliquid: Player) -> None:
    """It is no longer margin here."""
    hyperliquid.on_info(
        metaAndAssetCtxs=MARKETS, userNonFundingLedgerUpdates=tape("hyperliquid/quoted_fetch_ledger.1.json")
    )

    (transfer,) = hyperliquid.venue.transfers_after(ACCOUNT, None)

    assert transfer.amount == Decimal(-50)


@pytest.mark.taped("V-R01", "V-R02")
def test_positions_and_balance_are_read_together(hyperliquid: Player) -> None:
    """One position on the tape, with margin of its own."""
    state = tape("hyperliquid/quoted_fetch_positions.1.json")
    hyperliquid.on_info(metaAndAssetCtxs=MARKETS, clearinghouseState=state)

    (position,) = hyperliquid.venue.positions(ACCOUNT)
    balance = hyperliquid.venue.balance(ACCOUNT)

    assert (position.symbol, position.quantity, position.entry_price) == (
        "ETHUSDC",
        Decimal("0.2259"),
        Decimal("2213.9"),
    )
    assert (position.margin_type, position.isolated_margin) == (MarginType.ISOLATED, Decimal("24.88097"))
    assert (position.leverage, position.mark_price) == (20, Decimal("2213.9"))
    assert (balance.margin_balance, balance.available) == (Decimal(100), Decimal(100))


def test_candles_are_read(hyperliquid: Player) -> None:
    """One on the tape."""
    hyperliquid.on_info(metaAndAssetCtxs=MARKETS, candleSnapshot=tape("hyperliquid/quoted_fetch_ohlcv.1.json"))
    told = played("hyperliquid/quoted_fetch_ohlcv.1.json")[0]

    rows = hyperliquid.venue.spoken(lambda x: x.fetch_ohlcv("ETH/USDC:USDC", "15m"))

    assert rows[0][1:] == [told[name] for name in ("o", "h", "l", "c", "v")]


def test_a_key_of_somebody_else_is_refused_when_it_is_tried(hyperliquid: Player) -> None:
    """An agent that was approved for another wallet signs for that one."""
    other = {"role": "agent", "data": {"user": "0x" + "2" * 40}}
    hyperliquid.on_info(metaAndAssetCtxs=MARKETS, userRole=Say(other))

    with pytest.raises(Exception, match="is no API wallet of"):
        hyperliquid.venue.examine(ACCOUNT)


def test_a_key_of_the_wallet_is_known_as_one_that_cannot_withdraw(hyperliquid: Player) -> None:
    """That is what an API wallet is for."""
    mine = {"role": "agent", "data": {"user": KEYS["hyperliquid"]["walletAddress"].lower()}}
    state = tape("hyperliquid/quoted_fetch_balance.1.json")
    hyperliquid.on_info(metaAndAssetCtxs=MARKETS, userRole=Say(mine), clearinghouseState=state)

    found = hyperliquid.venue.examine(ACCOUNT)

    assert (found.may_trade, found.may_withdraw, found.label) == (True, False, "0xf3…2266")
