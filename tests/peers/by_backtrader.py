"""backtrader: a strategy object called at each bar, orders through its broker; averages carried by the strategy."""

import time
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any

import backtrader as bt

from tests.peers.frame import (
    CAPITAL,
    FAST,
    FEE,
    LOT,
    PAIRS,
    PLACES,
    SLOW,
    STOP,
    SWEEP_BARS,
    TAKE,
    TRAIL,
    Averages,
    Came,
    Market,
    Run,
    Unfinished,
    crossings,
    lots_wanted,
    sma,
)

PACKAGE = "backtrader"
TOLD = "no statistics"
WHY = {"trail": "its trailing order follows closes, where ours follows highs and lows"}


class Columns(bt.feed.DataBase):
    """A feed from lists in memory."""

    params = (("rows", ()),)

    def start(self) -> None:
        """Begin at the first bar."""
        super().start()
        self.waiting = iter(self.p.rows)

    def _load(self) -> bool:
        row = next(self.waiting, None)
        if row is None:
            return False
        lines = self.lines
        lines.datetime[0], lines.open[0], lines.high[0], lines.low[0], lines.close[0] = row
        lines.volume[0] = lines.openinterest[0] = 0.0
        return True


def _rows(market: Market) -> list[tuple[float, ...]]:
    first = bt.date2num(datetime.fromtimestamp(market.opened_ms[0] / 1000, UTC).replace(tzinfo=None))
    days = first + (market.opened_ms - market.opened_ms[0]) / 86_400_000
    columns = (days, market.open, market.high, market.low, market.close)
    return list(zip(*(each.tolist() for each in columns), strict=True))


class Crossing(bt.Strategy):
    """Closes what is held and opens the other side, where the averages have crossed."""

    params: tuple[tuple[str, Any], ...] = (("deadline", 0.0), ("bars", 0), ("pair", (FAST, SLOW)))

    def __init__(self) -> None:
        """Begin with no closes."""
        self.averages = Averages(*self.p.pair)
        self.opened = 0
        self.left = count(1)

    def next(self) -> None:
        """Turn round."""
        self.hurry()
        sign = self.averages.turn(self.data.close[0])
        if sign:
            self.turn_round(sign)

    def hurry(self) -> None:
        """Stop where the time is over."""
        done = next(self.left)
        if done % 1_000 == 0 and time.perf_counter() > self.p.deadline:
            raise Unfinished(f"{done:,} of {self.p.bars:,} bars")

    def turn_round(self, sign: int) -> None:
        """Ask for one of the other side."""
        self.order_target_size(target=sign)

    def notify_trade(self, trade: Any) -> None:
        """Count what is opened."""
        self.opened += trade.justopened


class Guarded(Crossing):
    """With a stop and a target, one cancels the other, as soon as the entry is known."""

    params: tuple[tuple[str, Any], ...] = (("trails", False),)

    def __init__(self) -> None:
        """Begin without orders."""
        super().__init__()
        self.guards: list[Any] = []

    def turn_round(self, sign: int) -> None:
        """Close, which ends the guards, and open."""
        if self.position.size:
            self.close()
        for guard in self.guards:
            self.cancel(guard)
        self.guards = []
        self.entry = (self.buy if sign > 0 else self.sell)(size=1)

    def notify_order(self, order: Any) -> None:
        """Guard an entry that has been filled."""
        if order.status != order.Completed or order.ref != self.entry.ref:
            return
        price, side = order.executed.price, 1 if order.isbuy() else -1
        leave = self.sell if side > 0 else self.buy
        if self.p.trails:
            # The price that is followed, not that of the stop: it takes the distance off by itself.
            stop = leave(size=1, exectype=bt.Order.StopTrail, price=price, trailamount=price * TRAIL)
        else:
            stop = leave(size=1, exectype=bt.Order.Stop, price=price * (1 - side * STOP))
        self.guards = [stop, leave(size=1, exectype=bt.Order.Limit, price=price * (1 + side * TAKE), oco=stop)]


class Sharing(Crossing):
    """Many instruments on one account: a tenth of equity each, at most ten, who comes first by number."""

    params: tuple[tuple[str, Any], ...] = (("above", ()), ("below", ()))

    def next(self) -> None:
        """Leave what has crossed below, enter what has crossed above while there is a place."""
        self.hurry()
        at = len(self) - 1
        held, worth, cash = 0, self.broker.getvalue(), self.broker.getcash()
        for data, below in zip(self.datas, self.p.below, strict=True):
            size = self.getposition(data).size
            if size and below[at]:
                self.close(data)
                # The next open is not known; the close stands for it.
                cash += size * data.close[0] * (1 - FEE)
            elif size:
                held += 1
        for data, above in zip(self.datas, self.p.above, strict=True):
            if held < PLACES and above[at] and not self.getposition(data).size:
                lots = lots_wanted(worth, cash, data.close[0])
                if lots:
                    self.buy(data, size=lots * LOT)
                    cash -= lots * LOT * data.close[0] * (1 + FEE)
                    held += 1


def _came(strategy: type[bt.Strategy], feeds: list[list[tuple[float, ...]]], **settings: object) -> Came:
    cerebro = bt.Cerebro(stdstats=False)
    for rows in feeds:
        cerebro.adddata(Columns(rows=rows))
    cerebro.addstrategy(strategy, bars=len(feeds[0]), **settings)
    cerebro.broker.setcash(CAPITAL)
    cerebro.broker.set_checksubmit(False)
    cerebro.broker.setcommission(commission=FEE)
    (ran,) = cerebro.run()
    return Came(ran.opened, float(cerebro.broker.getvalue()), TOLD)


def _one(strategy: type[bt.Strategy], market: Market, deadline: float, **settings: object) -> Run:
    rows = _rows(market)
    return lambda: _came(strategy, [rows], deadline=deadline, **settings)


def _sweep(market: Market, deadline: float) -> Run:
    rows = _rows(market.before(SWEEP_BARS))

    def run() -> Came:
        found: list[Came] = []
        for pair in PAIRS:
            try:
                found.append(_came(Crossing, [rows], deadline=deadline, pair=pair))
            except Unfinished:
                raise Unfinished(f"{len(found)} of {len(PAIRS)} pairs") from None
        return Came(sum(each.trades for each in found), sum(each.final for each in found), TOLD)

    return run


def _portfolio(market: Market, deadline: float) -> Run:
    feeds = [_rows(each) for each in market.each()]
    signs = [crossings(sma(each.close, FAST), sma(each.close, SLOW)) for each in market.each()]
    above, below = zip(*((up.tolist(), down.tolist()) for up, down in signs), strict=True)
    return lambda: _came(Sharing, feeds, deadline=deadline, above=above, below=below)


ROWS = {
    "flip": partial(_one, Crossing),
    "stops": partial(_one, Guarded),
    "trail": partial(_one, Guarded, trails=True),
    "sweep": _sweep,
    "portfolio": _portfolio,
    "turns": partial(_one, Crossing),
}
