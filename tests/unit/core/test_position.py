"""A position is a fold of its fills, and the fold loses nothing."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.instrument import Side
from pilothouse.core.position import Applied, Position, apply
from pilothouse.core.rounding import EXACT, QUOTE_UNIT

Trade = tuple[Side, Decimal, Decimal]
sides = st.sampled_from(Side)
quantities = st.decimals(min_value="0.001", max_value="50", places=3)
prices = st.decimals(min_value="0.1", max_value="200000", places=2)
trades = st.lists(st.tuples(sides, quantities, prices), max_size=30)
# As many digits as a column holds: Python's own arithmetic would round these at 28.
wide = st.tuples(
    sides,
    st.decimals(min_value="0.000000000000000001", max_value="1e15", places=18),
    st.decimals(min_value="0.000000000000000001", max_value="1e15", places=18),
)


def fold(told: list[Trade]) -> tuple[Position, Decimal]:
    """Return the position after all trades, and what they realised together."""
    position, realised = Position("BTCUSDT"), Decimal(0)
    for side, quantity, price in told:
        applied = apply(position, side, quantity, price)
        position, realised = applied.position, EXACT.add(realised, applied.realised)
    return position, realised


def cash(told: list[Trade]) -> Decimal:
    """Return what the trades brought in: sold less bought, exactly."""
    total = Decimal(0)
    for side, quantity, price in told:
        total = EXACT.subtract(total, EXACT.multiply(EXACT.multiply(quantity, Decimal(side.sign)), price))
    return total


@given(trades)
def test_cost_and_result_together_are_the_cash_that_moved(told: list[Trade]) -> None:
    """The law the whole ledger stands on: no unit appears or disappears, however positions were built and closed."""
    position, realised = fold(told)

    assert EXACT.subtract(realised, position.cost) == cash(told)


@given(st.lists(wide, max_size=12))
def test_the_law_holds_for_as_many_digits_as_a_column_keeps(told: list[Trade]) -> None:
    """Arithmetic that rounds behind our back shows here first."""
    position, realised = fold(told)
    held = Decimal(0)
    for side, quantity, _ in told:
        held = EXACT.add(held, quantity if side is Side.BUY else EXACT.minus(quantity))

    assert position.quantity == held
    assert EXACT.subtract(realised, position.cost) == cash(told)


@given(trades)
def test_a_flat_position_owes_nothing_and_its_result_is_the_cash(told: list[Trade]) -> None:
    """Once everything is closed, profit is what came in less what went out, to the last unit."""
    position, _ = fold(told)
    if position.quantity:
        side = Side.of(position.quantity).opposite
        told = [*told, (side, abs(position.quantity), Decimal("100.5"))]
    position, realised = fold(told)

    assert (position.quantity, position.cost) == (0, 0)
    assert position.side is None
    assert position.entry_price() is None
    assert realised == cash(told)


@given(trades)
def test_the_quantity_is_the_sum_of_the_fills(told: list[Trade]) -> None:
    """Nothing else is remembered."""
    position, _ = fold(told)

    assert position.quantity == sum((side.sign * quantity for side, quantity, _ in told), Decimal(0))
    assert position.cost == 0 or (position.cost > 0) == (position.quantity > 0)


@given(trades, quantities, prices)
def test_adding_to_a_position_realises_nothing(told: list[Trade], quantity: Decimal, price: Decimal) -> None:
    """Only closing makes a result."""
    position, _ = fold(told)
    side = position.side or Side.BUY
    applied = apply(position, side, quantity, price)

    assert applied.realised == applied.closed == 0
    assert applied.cost_change == side.sign * quantity * price


@given(trades.filter(lambda told: bool(fold(told)[0].quantity)), quantities, prices)
def test_a_flip_closes_all_and_opens_the_rest_at_the_new_price(
    told: list[Trade], beyond: Decimal, price: Decimal
) -> None:
    """One fill through zero is a close and an open: the new entry price is the fill's."""
    position, _ = fold(told)
    held = abs(position.quantity)
    assert position.side
    side = position.side.opposite
    flipped = apply(position, side, held + beyond, price)
    closed = apply(position, side, held, price)
    opened = apply(closed.position, side, beyond, price)

    assert flipped.closed == held
    assert flipped.realised == closed.realised
    assert flipped.position == opened.position
    assert flipped.position.entry_price() == price
    assert flipped.position.quantity == side.sign * beyond


@given(trades.filter(lambda told: bool(fold(told)[0].quantity)), st.data(), prices)
def test_a_part_takes_its_share_of_the_cost_to_the_nearest_unit(
    told: list[Trade], data: st.DataObject, price: Decimal
) -> None:
    """Average cost: what is closed leaves at the average, and what stays keeps it."""
    position, _ = fold(told)
    held = abs(position.quantity)
    part = data.draw(st.decimals(min_value="0.001", max_value=held, places=3))
    assert position.side
    applied: Applied = apply(position, position.side.opposite, part, price)
    taken = EXACT.subtract(position.cost, applied.position.cost)

    assert abs(taken * held - position.cost * part) <= held * QUOTE_UNIT / 2


@given(quantities, prices, prices)
def test_the_open_result_becomes_the_realised_one(quantity: Decimal, entry: Decimal, mark: Decimal) -> None:
    """What the console shows at the mark is what closing at the mark pays."""
    for side in Side:
        position = apply(Position("BTCUSDT"), side, quantity, entry).position

        assert position.entry_price() == entry
        assert position.unrealised(mark) == (mark - entry) * quantity * side.sign
        assert apply(position, side.opposite, quantity, mark).realised == position.unrealised(mark)


@given(told=trades, lot=st.sampled_from([Decimal("0.001"), Decimal("0.01"), Decimal(1)]))
def test_the_part_in_lots_can_be_traded_and_the_rest_is_less_than_one(told: list[Trade], lot: Decimal) -> None:
    """A fee taken in the coin leaves dust: a stop for it would be refused, and with it the stop for all the rest."""
    position, _ = fold(told)
    whole = position.in_lots(lot)

    assert whole.quantity % lot == 0
    assert abs(whole.quantity) <= abs(position.quantity) < abs(whole.quantity) + lot
    assert whole.quantity == 0 or (whole.quantity > 0) == (position.quantity > 0)
    if whole.quantity:
        # The cost is rounded once to the quote unit, so the average price moves by less than a unit for each lot.
        assert abs(whole.cost * position.quantity - position.cost * whole.quantity) <= QUOTE_UNIT * abs(
            position.quantity
        )
    else:
        assert whole.cost == 0
