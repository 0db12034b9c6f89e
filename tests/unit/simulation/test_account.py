"""The account as a fold: equal to the books' own arithmetic, to the unit."""

from decimal import Decimal

import hypothesis.strategies as st
from hypothesis import given, settings

from pilothouse.core.instrument import Side
from pilothouse.core.position import Position, apply
from pilothouse.core.rounding import QUOTE_UNIT
from pilothouse.simulation.account import Holding
from pilothouse.simulation.contracts import CONTRACTS

trades = st.lists(
    st.tuples(st.sampled_from([1, -1]), st.integers(1, 2_000_000), st.integers(1, 50_000)), min_size=1, max_size=60
)


@given(st.sampled_from(sorted(CONTRACTS)), trades)
@settings(max_examples=300)
def test_venue_and_books_agree_to_the_unit(symbol: str, told: list[tuple[int, int, int]]) -> None:
    """Realised results are booked as the venue reports them and checked against ours; a unit apart is an alarm."""
    contract = CONTRACTS[symbol]
    instrument = contract.instrument
    holding, position = Holding(), Position(symbol)
    for sign, ticks, lots in told:
        realised = holding.trade(contract, sign, ticks, lots)
        side = Side.BUY if sign > 0 else Side.SELL
        applied = apply(position, side, lots * instrument.lot, ticks * instrument.tick)
        position = applied.position

        assert realised * QUOTE_UNIT == applied.realised
        assert holding.cost * QUOTE_UNIT == position.cost
        assert holding.lots * instrument.lot == position.quantity
        assert Decimal(holding.unrealised(contract, ticks)) * QUOTE_UNIT == position.unrealised(ticks * instrument.tick)


@given(trades, st.integers(1, 125))
def test_an_isolated_position_gives_back_all_it_set_aside(told: list[tuple[int, int, int]], leverage: int) -> None:
    """Margin that stayed behind after a close would be money that nobody can use."""
    contract = CONTRACTS["BTCUSDT"]
    holding = Holding(leverage=leverage, is_isolated=True)
    for sign, ticks, lots in told:
        holding.trade(contract, sign, ticks, lots)
        assert holding.isolated >= 0
    if holding.lots:
        holding.trade(contract, -1 if holding.lots > 0 else 1, 650_000, abs(holding.lots))

    assert (holding.lots, holding.cost, holding.isolated) == (0, 0, 0)
