"""What came out of a backtest: trades, fills and equity as columns, exact to the unit. Pure.

Prices are ticks, quantities lots, money whole quote units; `Scale` says what each is worth. Floats are made of them
only for metrics and charts.
"""

import hashlib
import math
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.curves import Curve, TradeTable
from pilothouse.backtest.denials import NONE, Denials
from pilothouse.backtest.kernels.statistics import NAMES, core_statistics
from pilothouse.core.candles import Floats, Ints

TRADE_COLUMNS: Final = (
    "opened_bar", "closed_bar", "side", "lots", "opened_value", "closed_value", "fees", "funding", "pnl", "reason_in",
    "reason_out", "worst", "best", "first_price", "last_price", "tag",
)  # fmt: skip
FILL_COLUMNS: Final = ("bar", "lots", "price", "fee", "reason", "trade", "maker")


class Reason(IntEnum):
    """Why an order was filled."""

    SIGNAL = 1
    FLIP = 2
    LEAVE = 3
    STOP = 4
    TRAIL = 5
    BREAK_EVEN = 6
    TARGET = 7
    TIME = 8
    LIQUIDATION = 9
    OPEN = 10
    """Not closed: valued at the last close, without a fee."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What counts are worth.

    tick   quote per base
    lot    base
    unit   quote; tick x lot is a whole number of units
    """

    tick: Decimal
    lot: Decimal
    unit: Decimal

    @property
    def units(self) -> int:
        """Return how many units one lot costs at one tick."""
        return int(self.tick * self.lot / self.unit)


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """From flat to flat, one row each, in order of their end; int64[m].

    opened_bar, closed_bar       bars of the first and the last fill
    side                         1 long, -1 short
    lots                         all that was entered, above zero
    opened_value, closed_value   units; sums over the fills, before fees
    fees, funding                units; fees paid, zero or more; funding and interest received less paid
    pnl                          units; what the trade changed the account by, everything in
    reason_in, reason_out        see Reason; the last fill's
    worst, best                  ticks; the most adverse and favourable price while it was certainly held: whole bars
                                 with high and low, the bars of entry and exit with the prices of the fills
    first_price, last_price      ticks, of the first and the last fill
    tag                          what the strategy called it; -1: nothing
    """

    opened_bar: Ints
    closed_bar: Ints
    side: Ints
    lots: Ints
    opened_value: Ints
    closed_value: Ints
    fees: Ints
    funding: Ints
    pnl: Ints
    reason_in: Ints
    reason_out: Ints
    worst: Ints
    best: Ints
    first_price: Ints
    last_price: Ints
    tag: Ints

    @classmethod
    def of(cls, rows: NDArray[np.int64]) -> "Trades":
        """Return trades of int64[m, 16], in the order of TRADE_COLUMNS."""
        return cls(*(rows[:, place] for place in range(len(TRADE_COLUMNS))))

    def __len__(self) -> int:
        return len(self.side)


@dataclass(frozen=True, slots=True, eq=False)
class FillTable:
    """Every fill, in order; int64[k].

    bar     in which it happened
    lots    above zero bought, below zero sold
    price   ticks, slippage in
    fee     units
    reason  see Reason
    trade   row in the trades
    maker   1 where the order rested at its price, 0 where it took
    """

    bar: Ints
    lots: Ints
    price: Ints
    fee: Ints
    reason: Ints
    trade: Ints
    maker: Ints

    @classmethod
    def of(cls, rows: NDArray[np.int64]) -> "FillTable":
        """Return fills of int64[k, 7], in the order of FILL_COLUMNS."""
        return cls(*(rows[:, place] for place in range(len(FILL_COLUMNS))))

    def __len__(self) -> int:
        return len(self.bar)


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One run.

    capital    units, at the start
    equity     int64[n], units, at the close of each bar
    skipped    how many entries were wanted and not made, because they were too small or nothing was left to pay them
    exposed    how many bars ended with a position
    costless   whether trading cost nothing: such a result is no measure of anything, and is shown so
    denials    orders that the risk gate did not let through
    pessimistic  in how many bars the pessimistic path was taken because nothing finer told their way; None where the
                 run did not want to walk inside
    """

    scale: Scale
    capital: int
    opened_ms: Ints
    span_ms: int
    trades: Trades
    fills: FillTable
    equity: Ints
    skipped: int
    exposed: int
    costless: bool
    tags: tuple[str, ...] = ()
    denials: Denials = NONE
    pessimistic: int | None = None

    def money(self, units: Ints | int) -> Floats:
        """Return units as float64, quote currency: for metrics and charts."""
        found: Floats = np.asarray(units, dtype=np.float64) * float(self.scale.unit)
        return found

    def symbol_of(self, trade: int, alone: str) -> str:
        """Return the symbol of a trade: the one there is, unless several share the account."""
        return alone

    def scale_of(self, trade: int) -> Scale:
        """Return what ticks and lots of a trade are worth."""
        return self.scale

    @property
    def final(self) -> Decimal:
        """Return what the account was worth in the end, quote currency, exactly."""
        return (int(self.equity[-1]) if len(self.equity) else self.capital) * self.scale.unit

    def drawdown(self) -> Floats:
        """Return how far equity stood below its highest, 0 to 1, at each bar."""
        high = np.maximum(np.maximum.accumulate(self.equity), self.capital) if len(self.equity) else self.equity
        found: Floats = (high - self.equity) / high
        return found

    def curve(self) -> Curve:
        """Return equity with the start before it, for metrics."""
        at = np.concatenate((self.opened_ms[:1], self.opened_ms + self.span_ms))
        return Curve(at, self.money(np.concatenate((np.array([self.capital], np.int64)[: len(self)], self.equity))))

    def core(self) -> dict[str, float | None]:
        """Return the eight numbers that a search looks at, of all trades; None for what is not defined."""
        found = core_statistics(self.opened_ms, self.span_ms, self.capital, self.equity, self.trades.pnl)
        return {name: None if math.isnan(value) else float(value) for name, value in zip(NAMES, found, strict=True)}

    def table(self) -> TradeTable:
        """Return trades in quote currency, for metrics."""
        trades = self.trades
        turned = trades.opened_value + trades.closed_value
        bars = (trades.closed_bar - trades.opened_bar).astype(np.float64)
        return TradeTable(
            self.money(trades.pnl), self.money(trades.fees), self.money(trades.funding), bars, self.money(turned)
        )

    def __len__(self) -> int:
        return len(self.equity)

    def digest(self) -> str:
        """Return the SHA-256 over everything that came out: the same spec has the same, byte for byte."""
        told = f"{self.scale} {self.capital} {self.span_ms} {self.skipped} {self.exposed} {self.costless} {self.tags}"
        told += f" {self.denials}" if self.denials.count else ""
        digest = hashlib.sha256(told.encode())
        columns = [getattr(self.trades, name) for name in TRADE_COLUMNS]
        columns += [getattr(self.fills, name) for name in FILL_COLUMNS]
        for column in (*columns, self.equity, self.opened_ms):
            digest.update(np.ascontiguousarray(column, dtype="<i8").data)
        return digest.hexdigest()
