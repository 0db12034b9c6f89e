"""The life of an order, written out a second time: whoever changes the table has to mean it."""

import itertools
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.errors import Broken
from pilothouse.core.instrument import Side
from pilothouse.core.order import (
    FINAL,
    LIVE,
    TRANSITIONS,
    OrderEvent,
    OrderState,
    OrderTerms,
    OrderType,
    TimeInForce,
    UnlistedTransition,
    after,
)

# One row for each state, one column for each event; a dot is Broken.
TABLE = """
state         send    lose    accept        reject   fill_part     fill_rest cancel   expire  deny     withdraw put_off
intended      sending .       .             .        .             .         .        .       .        canceled .
sending       .       unknown working       rejected partly_filled filled    canceled expired .        .        intended
unknown       .       unknown working       rejected partly_filled filled    canceled expired intended .        .
working       .       .       working       .        partly_filled filled    canceled expired .        .        .
partly_filled .       .       partly_filled .        partly_filled filled    canceled expired .        .        .
filled        .       .       filled        .        .             .         .        .       .        .        .
canceled      .       .       canceled      .        canceled      filled    canceled .       .        .        .
expired       .       .       expired       .        expired       filled    .        expired .        .        .
rejected      .       .       .             rejected .             .         .        .       .        .        .
"""


def listed() -> dict[tuple[str, str], str]:
    """Return every cell of TABLE."""
    head, *rows = [line.split() for line in TABLE.strip().splitlines()]
    return {(row[0], event): cell for row in rows for event, cell in zip(head[1:], row[1:], strict=True)}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(OrderState, OrderEvent)))
def test_every_pair_of_state_and_event_is_listed_or_stops_trading(state: OrderState, event: OrderEvent) -> None:
    """What nobody thought of must not pass as if somebody had."""
    cell = listed()[state, event]
    if cell == ".":
        with pytest.raises(UnlistedTransition, match=f"{state} cannot meet '{event}'"):
            after(state, event)
    else:
        assert after(state, event) is OrderState(cell)


def test_an_unlisted_pair_is_a_broken_law() -> None:
    """It halts the account; it is not a line in a log."""
    assert issubclass(UnlistedTransition, Broken)


def test_the_table_cannot_be_changed_while_the_house_runs() -> None:
    """Laws are not edited at night."""
    with pytest.raises(TypeError):
        TRANSITIONS[OrderState.FILLED, OrderEvent.SEND] = OrderState.SENDING  # type: ignore[index]  # that is what is tested


def test_only_money_that_really_moved_leads_out_of_a_final_state() -> None:
    """A fill from before the cancel may be told after it; nothing else brings an order back."""
    out = {(s, e) for (s, e), then in TRANSITIONS.items() if s in FINAL and then is not s}

    assert out == {(OrderState.CANCELED, OrderEvent.FILL_REST), (OrderState.EXPIRED, OrderEvent.FILL_REST)}
    assert all(then in FINAL for (s, _), then in TRANSITIONS.items() if s in FINAL)


def test_an_order_is_sent_from_one_state_only() -> None:
    """Nothing that may stand at the venue is sent again: it was denied, or its sender knows that it never left."""
    assert {s for s, e in TRANSITIONS if e is OrderEvent.SEND} == {OrderState.INTENDED}
    assert {pair for pair, then in TRANSITIONS.items() if then is OrderState.INTENDED} == {
        (OrderState.UNKNOWN, OrderEvent.DENY),
        (OrderState.SENDING, OrderEvent.PUT_OFF),
    }


def test_every_state_is_either_live_or_final() -> None:
    """And every live one has a way to an end."""
    assert frozenset(OrderState) == FINAL | LIVE
    assert not FINAL & LIVE
    ends = set(FINAL)
    for _ in OrderState:
        ends |= {s for (s, _), then in TRANSITIONS.items() if then in ends}
    assert ends == set(OrderState)
    assert [state for state in OrderState if state.is_resting] == [OrderState.WORKING, OrderState.PARTLY_FILLED]
    assert {state for state in OrderState if state.is_final} == FINAL


@given(st.lists(st.sampled_from(OrderEvent), max_size=30))
def test_a_life_told_twice_word_by_word_ends_the_same(events: list[OrderEvent]) -> None:
    """Stream and answer repeat each other; a repeated word that is allowed changes nothing more."""
    state = OrderState.INTENDED
    for event in events:
        if (state, event) not in TRANSITIONS:
            continue
        state = after(state, event)
        again = TRANSITIONS.get((state, event))
        assert again in {None, state} or event is OrderEvent.LOSE


def terms(**changes: Any) -> OrderTerms:
    """Return the terms of a market order, with changes."""
    plain: dict[str, Any] = {"symbol": "BTCUSDT", "side": Side.BUY, "type": OrderType.MARKET, "quantity": Decimal(1)}
    return OrderTerms(**plain | changes)


@pytest.mark.parametrize("kind", OrderType)
def test_terms_carry_exactly_the_prices_their_type_needs(kind: OrderType) -> None:
    """No venue may read an order in two ways."""
    trails = kind is OrderType.TRAILING_STOP_MARKET
    for price, stop, trail in itertools.product([None, Decimal(5)], [None, Decimal(6)], [None, Decimal(1)]):
        fits = (price is not None) == kind.has_limit and (trail is not None) == trails
        fits = fits and (trails or (stop is not None) == kind.is_conditional)  # it may trail from now on
        given = {"type": kind, "price": price, "stop_price": stop, "trail_percent": trail}
        if fits:
            assert terms(**given).type is kind
        else:
            with pytest.raises(AssertionError):
                terms(**given)


@pytest.mark.parametrize("kind", OrderType)
def test_only_what_reduces_at_the_market_closes_a_whole_position(kind: OrderType) -> None:
    """An entry that takes "everything" is for nothing that anybody could name."""
    limit, stop = Decimal(5) if kind.has_limit else None, Decimal(6) if kind.is_conditional else None
    trail = Decimal(1) if kind is OrderType.TRAILING_STOP_MARKET else None
    given = {"type": kind, "price": limit, "stop_price": stop, "trail_percent": trail, "whole_position": True}
    with pytest.raises(AssertionError):
        terms(**given)
    if kind in {OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET}:
        assert terms(**given, reduce_only=True).whole_position
    else:
        with pytest.raises(AssertionError):
            terms(**given, reduce_only=True)


@pytest.mark.parametrize("quantity", ["0", "-1"])
def test_an_order_is_for_something(quantity: str) -> None:
    """A quantity has no sign and is not nothing."""
    with pytest.raises(AssertionError):
        terms(quantity=Decimal(quantity))


def test_it_is_known_which_orders_may_rest() -> None:
    """What rests must be watched and cancelled."""
    limit = {"type": OrderType.LIMIT, "price": Decimal(5)}
    rests = {force for force in TimeInForce if terms(**limit, time_in_force=force).rests}

    assert rests == {TimeInForce.GTC, TimeInForce.GTX}
    assert not terms().rests
    assert terms(type=OrderType.STOP_MARKET, stop_price=Decimal(5)).rests
