"""Where a position is coins that are owned: crumbs that fees leave, and stops that lock what they would sell."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pilothouse.bots.bracket import Progress, Protection, guard, stands
from pilothouse.bots.follow import Decision, Verdict, decide
from pilothouse.bots.view import LiveOrder, View
from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.order import OrderState, OrderTerms, OrderType, Purpose
from pilothouse.core.position import Position
from pilothouse.core.quote import Quote
from pilothouse.core.rounding import is_on_grid
from pilothouse.core.signals import Guards, Level, Signal, SignalKind, Target

LOT = Decimal("0.001")
BTC = Instrument(
    "BTCUSDT", "BTC", "USDT", Decimal("0.1"), LOT, LOT, Decimal(100), Decimal(5), Decimal("0.1"), Decimal(10**6), 1
)
PRICE = Decimal(65_000)
QUOTE = Quote("BTCUSDT", PRICE - 1, PRICE + 1, PRICE, PRICE, datetime(2026, 1, 1, tzinfo=UTC), "binance")
STOP = Protection(Side.BUY, Guards(Level(percent=Decimal(2))))


def _view(held: str, *orders: LiveOrder, coins: bool = True) -> View:
    quantity = Decimal(held)
    return View(BTC, Position("BTCUSDT", quantity, quantity * PRICE), orders, QUOTE, Decimal(100_000), coins=coins)


def _order(purpose: Purpose, kind: OrderType, quantity: str, *, cancel_asked: bool = False) -> LiveOrder:
    stop = None if kind is OrderType.MARKET else Decimal("63700.0")
    terms = OrderTerms("BTCUSDT", Side.SELL, kind, Decimal(quantity), stop_price=stop, reduce_only=True)
    return LiveOrder("o1", "h", "s", purpose, OrderState.WORKING, terms, Decimal(quantity), cancel_asked)


def _stop(quantity: str, *, cancel_asked: bool = False) -> LiveOrder:
    return _order(Purpose.STOP_LOSS, OrderType.STOP_MARKET, quantity, cancel_asked=cancel_asked)


def _decided(kind: SignalKind, view: View, **fields: Any) -> Decision:
    return decide(
        Signal(kind, "BTCUSDT", **fields), view, hook_id="h", step=0, default_size=None, flat_close_is_noop=True
    )


@given(
    held=st.decimals("0.00000001", "50", places=8),
    coins=st.booleans(),
    kind=st.sampled_from([SignalKind.CLOSE, SignalKind.TARGET]),
)
def test_a_position_that_a_fee_took_a_crumb_of_is_still_protected_and_closed(
    held: Decimal, kind: SignalKind, *, coins: bool
) -> None:
    """A commission in the coin that was bought leaves 0.00999 of 0.01: refused as off the grid, it had no stop."""
    view = _view(str(held), coins=coins)
    due = guard(STOP, view, entry_pending=False)
    decision = _decided(kind, view, **({"target": Decimal(0)} if kind is SignalKind.TARGET else {}))

    if held < LOT:
        assert due.place == ()
        assert due.ended
        assert decision.verdict is Verdict.NOOP
        return
    assert decision.order is not None
    for terms in (due.place[0][1].terms, decision.order.terms):
        assert is_on_grid(terms.quantity, LOT)
        assert held - LOT < terms.quantity <= held


def test_what_a_stop_locks_is_sold_only_when_it_has_let_go() -> None:
    """On spot the exchange refuses to sell coins that wait for a stop: nobody could have got out."""
    waits = _decided(SignalKind.CLOSE, _view("0.00999", _stop("0.009")))
    assert (waits.verdict, waits.order, waits.cancels) == (Verdict.WAIT, None, ("o1",))
    asked = _decided(SignalKind.CLOSE, _view("0.00999", _stop("0.009", cancel_asked=True)))
    assert (asked.verdict, asked.order, asked.cancels) == (Verdict.WAIT, None, ())

    gone = _decided(SignalKind.CLOSE, _view("0.00999"))
    assert gone.order is not None
    assert gone.order.terms.quantity == Decimal("0.009")
    at_once = _decided(SignalKind.CLOSE, _view("0.009", _stop("0.009"), coins=False))
    assert at_once.order is not None, "contracts are not locked"


def test_coins_that_are_still_on_their_way_are_sold_once_they_are_there() -> None:
    """A commission takes some of them: a sale of all that was asked for is refused, and sells nothing at all."""
    terms = OrderTerms("BTCUSDT", Side.BUY, OrderType.MARKET, Decimal("0.010"))
    comes = LiveOrder("b", "h", "s", Purpose.ENTRY, OrderState.SENDING, terms, Decimal("0.010"), cancel_asked=False)
    for kind, fields in ((SignalKind.CLOSE, {}), (SignalKind.TARGET, {"target": Decimal(0)})):
        waits = _decided(kind, _view("0.004", comes), **fields)
        assert (waits.verdict, waits.order, waits.cancels) == (Verdict.WAIT, None, ())
        there = _decided(kind, _view("0.01399"), **fields)
        assert there.order is not None
        assert there.order.terms.quantity == Decimal("0.013")

    of_what_is_there = _decided(SignalKind.TARGET, _view("0.004", comes), target=Decimal("0.011"))
    assert of_what_is_there.order is not None, "three of the four that are held"
    contracts = _decided(SignalKind.CLOSE, _view("0.004", comes, coins=False))
    assert contracts.order is not None, "no commission is taken out of contracts"


def test_coins_that_somebody_waits_to_sell_are_not_locked_again() -> None:
    """Else stop and close would take turns for ever."""
    assert guard(STOP, _view("0.009"), entry_pending=False, exit_waits=True).place == ()
    selling = _order(Purpose.EXIT, OrderType.MARKET, "0.009")
    assert guard(STOP, _view("0.009", selling), entry_pending=False).place == ()
    more = _order(Purpose.EXIT, OrderType.MARKET, "0.012")
    assert guard(STOP, _view("0.009", more), entry_pending=False).place == (), "its owner sold some meanwhile"
    assert guard(STOP, _view("0.009"), entry_pending=False).place != ()


def test_no_stop_is_placed_for_what_is_left_before_a_sale_of_a_part_has_left() -> None:
    """The sale waits until no stop stands: a new one for the rest would be cancelled for it, and placed, for ever."""
    terms = OrderTerms("BTCUSDT", Side.SELL, OrderType.MARKET, Decimal("0.004"), reduce_only=True)
    waits = LiveOrder("x", "h", "s", Purpose.EXIT, OrderState.INTENDED, terms, Decimal("0.004"), cancel_asked=False)
    assert guard(STOP, _view("0.009", waits), entry_pending=False).place == ()

    sent = guard(STOP, _view("0.009", replace(waits, state=OrderState.SENDING)), entry_pending=False)
    assert [each.terms.quantity for _, each in sent.place] == [Decimal("0.005")]


def test_a_protection_is_forgotten_when_its_coins_are_sold_and_not_before() -> None:
    """A sale that the exchange refuses leaves the coins: who had forgotten their stop could not place it again."""
    selling = _order(Purpose.EXIT, OrderType.MARKET, "0.009")
    under_way = guard(STOP, _view("0.00999", selling), entry_pending=False)
    assert (under_way.place, under_way.ended) == ((), False)
    assert guard(STOP, _view("0.00099"), entry_pending=False).ended


def test_a_stop_of_another_size_waits_until_the_old_one_has_let_go() -> None:
    """Two stops for the same coins are refused; the smaller one must go before the larger one comes."""
    both = guard(STOP, _view("0.02", _stop("0.009")), entry_pending=False)
    assert (both.place, both.cancels) == ((), ("o1",))
    contracts = guard(STOP, _view("0.02", _stop("0.009"), coins=False), entry_pending=False)
    assert contracts.place != (), "where nothing is locked, protection is never given up first"


def test_beside_a_stop_the_house_keeps_the_targets_of_coins() -> None:
    """The exchange would refuse a second order for the same coins: the stop stands there, the target waits here."""
    both = Protection(Side.BUY, Guards(Level(percent=Decimal(2)), (Target(Level(percent=Decimal(4))),)))
    there = guard(both, _view("0.009"), entry_pending=False)
    assert [place for place, _ in there.place] == ["stop"]
    contracts = guard(both, _view("0.009", coins=False), entry_pending=False)
    assert [place for place, _ in contracts.place] == ["stop", "target:0"]

    came = replace(_view("0.009", _stop("0.009")), quote=replace(QUOTE, mark=PRICE * 2))
    due = guard(both, came, entry_pending=False)
    assert [(place, planned.terms.quantity) for place, planned in due.exits] == [("target:0", Decimal("0.009"))]
    assert (due.place, due.cancels) == ((), ("o1",)), "the stop lets go, and no other locks the coins again"


def test_a_target_is_reached_when_less_than_a_lot_is_missing() -> None:
    """After buying 0.02 with a fee in coins, 0.01998 are held: another order would be below the least size."""
    assert _decided(SignalKind.TARGET, _view("0.01998"), target=Decimal("0.02")).verdict is Verdict.NOOP


# ── What is free ──────────────────────────────────────────────────────────────────────────────────

_KINDS = (
    (Purpose.EXIT, OrderType.MARKET),
    (Purpose.EXIT, OrderType.LIMIT),
    (Purpose.FOREIGN, OrderType.LIMIT),
    (Purpose.FOREIGN, OrderType.MARKET),
    (Purpose.ENTRY, OrderType.MARKET),
)
_lots = st.integers(1, 40).map(lambda count: count * LOT)


def _other(number: int, purpose: Purpose, kind: OrderType, quantity: Decimal) -> LiveOrder:
    side = Side.BUY if purpose is Purpose.ENTRY else Side.SELL
    price = PRICE * 2 if kind is OrderType.LIMIT else None
    terms = OrderTerms("BTCUSDT", side, kind, quantity, price=price)
    return LiveOrder(f"x{number}", "h", "s", purpose, OrderState.WORKING, terms, quantity, cancel_asked=False)


@given(
    held=st.decimals("0.001", "0.100", places=8),
    others=st.lists(st.tuples(st.sampled_from(_KINDS), _lots), max_size=4),
    is_kept=st.booleans(),
    is_late=st.booleans(),
)
def test_no_exit_and_no_stop_asks_for_coins_that_are_not_free(
    held: Decimal, others: list[tuple[tuple[Purpose, OrderType], Decimal]], *, is_kept: bool, is_late: bool
) -> None:
    """One lot too much, and the exchange refuses all of it: nobody gets out, and the position is naked."""
    orders = [_other(number, *kind, quantity) for number, (kind, quantity) in enumerate(others)]
    view = replace(_view(str(held), *orders), quote=replace(QUOTE, mark=PRICE / 2 if is_kept else PRICE))
    progress = Progress(kept_here=frozenset({"stop"} if is_kept else ()), counts_from=QUOTE.at)
    protection = Protection(Side.BUY, Guards(Level(percent=Decimal(2)), time_stop_s=60 if is_late else None))
    now = QUOTE.at + timedelta(seconds=61)

    due = guard(protection, view, progress, entry_pending=False, now=now)

    sales = [one for one in orders if one.terms.side is Side.SELL]
    gone = sum((one.remaining for one in sales), Decimal(0))
    ours = sum((one.remaining for one in sales if one.terms.rests and one.purpose is Purpose.EXIT), Decimal(0))
    free = max(held - gone, Decimal(0))
    sold = sum((one.terms.quantity for _, one in due.exits), Decimal(0))
    placed = sum((one.terms.quantity for _, one in due.place), Decimal(0))
    assert sold <= max(held - gone + ours, Decimal(0)), "an exit of everything may take our own sales back"
    assert placed <= max(free - sold, Decimal(0))
    assert all(is_on_grid(one.terms.quantity, LOT) for _, one in (*due.exits, *due.place))
    if (is_kept or is_late) and held - gone + ours >= LOT:
        assert sold > 0
    elif not is_kept and free >= LOT:
        assert placed > free - LOT


def test_what_rests_in_a_sale_is_not_taken_for_unprotected() -> None:
    """No stop can be for coins that wait in somebody's sale: closed for it, the position would be lost to its owner."""
    sale = _other(1, Purpose.FOREIGN, OrderType.LIMIT, Decimal("0.004"))
    for quantity, is_enough in (("0.006", True), ("0.005", False)):
        stop = replace(_stop(quantity), place="stop")
        assert stands(STOP, _view("0.01", sale, stop), Progress()) is is_enough
