"""The made-up market: the same seed is the same path, and its prices are always ones that could be traded."""

import hypothesis.strategies as st
from hypothesis import given, settings

from pilothouse.simulation.book import flow, ladder
from pilothouse.simulation.contracts import CONTRACTS, Contract
from pilothouse.simulation.market import FINE, advance, moved_to, opening, prices

seeds = st.integers(0, 2**63)
contracts = st.sampled_from(list(CONTRACTS.values()))


def test_a_seed_is_one_path_for_ever() -> None:
    """A backtest, a bug report and a demonstration name a seed; a changed path would make all of them lies."""
    state = opening(CONTRACTS["BTCUSDT"])
    for _ in range(1_000):
        state = advance(CONTRACTS["BTCUSDT"], state, 42)

    assert (state.step, state.level, state.last) == (1_000, 651_170_351_274, 651_171)


@given(seeds, contracts)
@settings(max_examples=20)
def test_a_market_goes_on_from_its_state_alone(seed: int, found: Contract) -> None:
    """After a restart there is nothing but the stored state."""
    whole = opening(found)
    for _ in range(40):
        whole = advance(found, whole, seed)
    half = opening(found)
    for _ in range(20):
        half = advance(found, half, seed)
    again = type(half)(half.symbol, half.step, half.level, half.anchor, half.last)
    for _ in range(20):
        again = advance(found, again, seed)

    assert again == whole


@given(seeds, contracts, st.integers(1, 60))
@settings(max_examples=60)
def test_the_book_never_crosses(seed: int, found: Contract, steps: int) -> None:
    """A bid at or above the ask would be free money, and no venue shows one."""
    state = opening(found)
    for _ in range(steps):
        state = advance(found, state, seed)
        bid, mark, ask, last = prices(state, seed)
        assert 0 < bid < mark <= ask
        assert bid <= last <= ask


@given(seeds, contracts)
def test_a_ladder_begins_at_the_quote_and_gets_worse(seed: int, found: Contract) -> None:
    """A small order trades at the price that was shown; a large one at worse prices, step by step."""
    state = advance(found, opening(found), seed)
    best = prices(state, seed)
    asks, bids = (ladder(found, state, best, seed, sign) for sign in (1, -1))

    assert (asks.best(), bids.best()) == (best.ask, best.bid)
    bought, sold = asks.take(10**9, None), bids.take(10**9, None)
    assert [ticks for ticks, _ in bought] == sorted({ticks for ticks, _ in bought})
    assert [ticks for ticks, _ in sold] == sorted({ticks for ticks, _ in sold}, reverse=True)
    assert all(found.depth_min <= lots <= found.depth_max for _, lots in bought + sold)
    assert asks.best() is None
    assert found.flow_min <= flow(found, state, seed, 1) <= found.flow_max


@given(seeds, st.integers(20, 5_000_000))
@settings(max_examples=30)
def test_a_price_set_by_hand_stands_and_the_market_goes_on_from_it(seed: int, ticks: int) -> None:
    """A demonstration moves the price and expects the next one near it, not a jump back."""
    contract = CONTRACTS["BTCUSDT"]
    state = moved_to(opening(contract), ticks)

    assert prices(state, seed).mark == prices(state, seed).last == ticks
    later = advance(contract, state, seed)
    assert abs(later.level - state.level) * 1_000 <= max(state.level, 1_000 * FINE)


def test_a_market_stays_in_calm_waters() -> None:
    """Ten hours of steps on one seed: a paper account is not ruined by the price process itself."""
    for contract in CONTRACTS.values():
        state = opening(contract)
        for _ in range(20_000):
            state = advance(contract, state, 1)
        assert abs(state.level - state.anchor) * 10 < state.anchor
