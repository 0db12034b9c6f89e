"""The risk gate over history: an order and what the simulated account knew go in; the house's own gate answers. Pure.

It is `core.risk.check` that is asked, the same as before an order with real money. Of a candle, its close is bid, ask
and mark: a history of candles knows no spread and no old price.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.denials import Denials, Stopped
from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.result import Scale
from pilothouse.backtest.spec import Market
from pilothouse.core.candles import Ints
from pilothouse.core.errors import Broken
from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.limits import KERNELS, Limits
from pilothouse.core.order import OrderTerms, OrderType
from pilothouse.core.quote import Quote
from pilothouse.core.risk import Activity, Denied, Exposure, check
from pilothouse.core.rounding import is_on_grid

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FAR: Final = Decimal(10) ** 15
_QUOTES: Final = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD", "EUR", "BTC", "ETH", "BNB")
_PERCENT_STEP: Final = Decimal("0.0001")
_TIMES_STEP: Final = Decimal("0.000001")


def at(ms: int) -> datetime:
    """Return an instant of milliseconds since 1970."""
    return _EPOCH + timedelta(milliseconds=ms)


def instrument_of(market: Market, tick: Decimal) -> Instrument:
    """Return what a market lets trade, as the gate wants to know it; its currencies as the symbol tells them."""
    symbol = market.symbol
    quote = next((each for each in _QUOTES if symbol.endswith(each) and len(symbol) > len(each)), "")
    base = symbol.removesuffix(quote).rstrip("/-_:") if quote else symbol
    most = _FAR if market.lots_most is None else market.lots_most * market.lot
    return Instrument(
        symbol, base, quote or "quote", tick, market.lot, market.lots_min * market.lot, most, market.notional_min,
        tick, _FAR, 200,
    )  # fmt: skip


def quote_of(symbol: str, close: Decimal, ms: int) -> Quote:
    """Return the price that is known at the close of a candle."""
    return Quote(symbol, close, close, close, close, at(ms), "candles")


def terms_of(
    symbol: str, side: Side, quantity: Decimal, limit: Decimal | None, trigger: Decimal | None, *, reduces: bool = False
) -> OrderTerms:
    """Return what is asked of the venue; `limit` and `trigger`: None for none."""
    if trigger is not None:
        kind = OrderType.STOP_MARKET if limit is None else OrderType.STOP
    else:
        kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    return OrderTerms(symbol, side, kind, quantity, limit, trigger, reduce_only=reduces)


def beyond_kernels(limits: Limits, *, parts: bool) -> list[str]:
    """Return the limits that a compiled run does not ask: it is then walked turn by turn, with every rule.

    parts   whether an order may be filled in parts: then a loop does not know which fills are one order
    """
    found = []
    for name, value in limits.named().items():
        is_fine = True
        if name.endswith("_percent_max"):
            is_fine = isinstance(value, Decimal) and is_on_grid(value, _PERCENT_STEP)
        elif name in {"position_equity_ratio_max", "leverage_max"}:
            is_fine = isinstance(value, Decimal) and is_on_grid(value, _TIMES_STEP)
        elif name in {"losses_in_a_row_max", "cooldown_s"}:
            is_fine = not parts
        if name not in KERNELS or not is_fine:
            found.append(name)
    return found


def settings_of(limits: Limits, p: Ints, scale: Scale) -> None:
    """Write the limits of a compiled run into its settings; those that `beyond_kernels` names must not be set."""

    def counted(value: Decimal | None, step: Decimal) -> int:
        return k.BIG if value is None else min(int(value / step), k.BIG)

    worths = (limits.position_notional_max, limits.gross_notional_max, limits.net_notional_max)
    times = [each for each in (limits.position_equity_ratio_max, limits.leverage_max) if each is not None]
    p[k.GATED] = 1
    p[k.G_LOTS] = counted(limits.order_quantity_max, scale.lot)
    p[k.G_ORDER] = counted(limits.order_notional_max, scale.unit)
    # One instrument: its position is all there is, gross and net.
    p[k.G_WORTH] = min(counted(each, scale.unit) for each in worths)
    p[k.G_TIMES_PPM] = int(min(times) * k.MILLION) if times else 0
    p[k.G_DAY_PPM] = int((limits.daily_loss_percent_max or 0) * 10_000)
    p[k.G_HIGH_PPM] = int((limits.drawdown_percent_max or 0) * 10_000)
    p[k.G_LOSSES] = limits.losses_in_a_row_max or k.BIG
    # Rounded up: a pause in whole milliseconds is over when the exact one is.
    p[k.G_PAUSE_MS] = int(-(-(limits.cooldown_s or 0) * 1_000 // 1))


def denials_of(limits: Limits, market: Market, scale: Scale, rows: NDArray[np.int64], p: Ints, closes: Ints) -> Denials:
    """Return what a compiled run did not let through, in the words of the gate.

    The gate is asked again with the numbers that the loop had. Raises Broken if it would have said something else: then
    every number of the run is in doubt.
    """
    return Denials.of(_told(limits, market, scale, rows, p, closes))


def _told(
    limits: Limits, market: Market, scale: Scale, rows: NDArray[np.int64], p: Ints, closes: Ints
) -> Iterator[Stopped]:
    instrument = instrument_of(market, scale.tick)
    first, clock = int(p[k.ROW_DENIED]), rows[p[k.ROW_AT]]
    for bar in np.flatnonzero(rows[first]).tolist():
        lots, held, decided, equity, midnight, high, losses, lost_at = rows[first : first + 8, bar].tolist()
        now = int(clock[decided])
        side = Side.BUY if lots > 0 else Side.SELL
        prices = [int(rows[p[slot], decided]) if p[slot] >= 0 else 0 for slot in (k.ROW_LIMIT, k.ROW_TRIGGER)]
        limit, trigger = (price * scale.tick if price else None for price in prices)
        done = Activity(
            losses_in_a_row=losses, since_loss_s=None if lost_at < 0 else Decimal(max(now - lost_at, 0)) / 1_000
        )
        exposure = Exposure(
            held * scale.lot, Decimal(0), Decimal(0), equity * scale.unit, midnight * scale.unit, high * scale.unit,
            done=done,
        )  # fmt: skip
        terms = terms_of(market.symbol, side, abs(lots) * scale.lot, limit, trigger)
        mark = quote_of(market.symbol, int(closes[decided]) * scale.tick, now)
        answer = check(terms, exposure, limits, instrument, mark, at(now))
        if not isinstance(answer, Denied):
            raise Broken(f"the loop denied {terms} at {at(now)}, and the gate allows it")
        yield Stopped(now, market.symbol, side, terms.quantity, answer.reasons)
