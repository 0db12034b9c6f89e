"""The slow simulator in exact decimals: the oracle that the compiled loops must equal, to the last unit.

Written for reading, from the rules and not from the loops, over plain objects: nothing of `kernels` or `simulation` is
used. It takes some ten thousand bars a second, so it serves tests and doubts, not searches.
"""

import itertools
from decimal import Decimal, localcontext
from typing import Any

from pilothouse.backtest.inside import Finer
from pilothouse.backtest.reference_account import PPM, ZERO, Outcome, Trade
from pilothouse.backtest.reference_inputs import Bar, Feed, feed_of
from pilothouse.backtest.reference_wishes import Wishes
from pilothouse.backtest.result import Reason
from pilothouse.backtest.simulate import Funding
from pilothouse.backtest.spec import BacktestSpec, FillAt, Market
from pilothouse.core.candles import Candles
from pilothouse.core.rounding import EXACT, down
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Signals


def reference(
    spec: BacktestSpec,
    market: Market,
    candles: Candles,
    signals: Signals,
    rules: Rules,
    *,
    warm_up: int,
    funding: Funding | None = None,
    finer: Finer | None = None,
) -> Outcome:
    """Return what trading `signals` by `rules` leads to. Without checks: it is given what `simulate` has accepted."""
    with localcontext(EXACT):
        feed = feed_of(spec, market, candles, signals, rules, warm_up, funding, finer)
        desk = Desk(spec, market, rules, feed)
        for bar in feed.bars:
            desk.one_bar(bar)
        if desk.trade is not None:
            last = feed.bars[-1]
            desk.trade.closed_value += desk.trade.held * last.close
            desk.trade.closed_bar, desk.trade.last_price = last.index, last.close
            desk.out.trades.append(desk.trade)
        return _on_bars(desk.out, feed)


def _on_bars(out: Outcome, feed: Feed) -> Outcome:
    """Return the outcome of parts as one of the bars that they are part of."""
    for trade in out.trades:
        trade.opened_bar, trade.closed_bar = (feed.bars[at].part_of for at in (trade.opened_bar, trade.closed_bar))
    out.fills = [(feed.bars[fill[0]].part_of, *fill[1:]) for fill in out.fills]
    out.equity = [out.equity[at] for at in feed.last]
    return out


class Desk(Wishes):
    """An account that trades one instrument over bars."""

    # ── one bar ───────────────────────────────────────────────────────────────────────────────────

    def one_bar(self, bar: Bar) -> None:
        """Carry out one bar, in the order that the rules give."""
        self.now = bar
        self.took_inside = False
        share = self.spec.fills.volume_ppm
        self.room = None if share is None else down(bar.volume * share * PPM, self.lot)
        self._begin_day(bar.day)
        self._pay_at_open(bar)
        self._open(bar)
        at_open = self.spec.fills.at is FillAt.OPEN
        for wish in bar.wishes if at_open else ():
            self._decide(wish, self.out.equity[wish.bar])
            self._leave_at_market(bar.open)
            self._enter_at_open(bar.open)
        self._enter_at_open(bar.open)
        if self.trade is not None and bar.funding_inside:
            self._charge(self.trade.held * bar.open, self.trade.side * bar.funding_inside)
        came = self._enter_inside(bar)
        self._path(bar, came)
        if not at_open:
            self._close(bar)
        trade = self.trade
        if trade is not None and not trade.fresh:
            better, worse = (bar.high, bar.low) if trade.side > 0 else (bar.low, bar.high)
            trade.best, trade.worst = self._better(trade, better), self._worse(trade, worse)
        if trade is not None:
            trade.fresh = False
        self.out.equity.append(self.cash + (trade.side * trade.held * bar.close if trade else ZERO))
        waits = self.waiting
        if waits is not None and (waits.limit is not None or waits.trigger is not None) and bar.index >= waits.until:
            self.waiting = None

    def _pay_at_open(self, bar: Bar) -> None:
        if self.trade is None:
            return
        value = self.trade.held * bar.open
        if bar.funding_at_open:
            self._charge(value, self.trade.side * bar.funding_at_open)
        if bar.interest:
            owed = value if self.trade.side < 0 else -self.cash
            if owed > 0:
                self._charge(owed, bar.interest)

    # ── what ends a position ──────────────────────────────────────────────────────────────────────

    def _open(self, bar: Bar) -> None:
        trade = self.trade
        if trade is None:
            self.leaving = None
            return
        side = trade.side
        liquid = self._liquidation(trade)
        if liquid is not None and bar.open * side <= liquid * side:
            self._liquidate(trade, liquid, bar.open)
            return
        at_open = self.spec.fills.at is FillAt.OPEN
        if self.leaving is None and at_open and self._time_is_up(trade, bar):
            self.leaving = (Reason.TIME, None)
        stop = self._stop(trade)
        if self.leaving is None and stop is not None and bar.open * side <= stop[0] * side:
            self.leaving = (stop[1], None)
        self._leave_at_market(bar.open)
        self._take_targets(bar.open)

    def _time_is_up(self, trade: Trade, bar: Bar) -> bool:
        most = self.rules.exits.bars
        if most is None:
            return False
        if self.spec.fills.at is FillAt.CLOSE:
            return bar.index >= self.feed.last_of(trade.opened_bar, most + self.spec.fills.latency)
        decides = self.feed.bars[trade.opened_bar].part_of + most - 1
        return decides < len(self.feed.last) and bar.index >= self.feed.arrives[decides]

    def _path(self, bar: Bar, came: Decimal) -> None:
        trade = self.trade
        if trade is None:
            return
        side = trade.side
        worse = bar.low if side > 0 else bar.high
        stop, liquid = self._stop(trade), self._liquidation(trade)
        is_stopped = stop is not None and worse * side <= stop[0] * side
        is_liquid = liquid is not None and worse * side <= liquid * side
        if (
            liquid is not None
            and is_liquid
            and not (is_stopped and stop is not None and stop[0] * side > liquid * side)
        ):
            self._liquidate(trade, liquid, came)
            return
        if stop is not None and is_stopped and self.leaving is None:
            self.leaving = (stop[1], None)
            self._leave_at_market(min(stop[0] * side, came * side) * side)
            if self.trade is not None:
                again = self._liquidation(trade)
                if again is not None and worse * side <= again * side:
                    self._liquidate(trade, again, came)
            return
        if not self.took_inside:
            self._take_targets(bar.high if side > 0 else bar.low)

    def _liquidate(self, trade: Trade, level: Decimal, came: Decimal) -> None:
        side = trade.side
        worse = min(level * side, came * side)
        price = max(worse, self._bankrupt(trade) * side) * side
        self._leave(trade, trade.held, max(price, self.tick), Reason.LIQUIDATION, maker=False)

    def _leave_at_market(self, price: Decimal) -> None:
        trade = self.trade
        if trade is None or self.leaving is None:
            return
        why, wanted = self.leaving
        quantity = min(trade.held, wanted if wanted is not None else trade.held)
        if self.room is not None:
            quantity = min(quantity, self.room)
        if quantity <= 0:
            return
        if wanted is not None:
            self.leaving = (why, wanted - quantity) if wanted > quantity else None
        self._leave(trade, quantity, self._slipped(price, -trade.side, quantity), why, maker=False)

    def _take_targets(self, furthest: Decimal) -> None:
        reach = self.tick if self.spec.fills.through else ZERO
        while (trade := self.trade) is not None:
            level = self._target(trade)
            if level is None or (furthest - level) * trade.side < reach:
                return
            shares = [share for _, share in trade.wish.targets(trade.first_price)]
            if trade.target_left is None:
                is_last = trade.target == len(shares) - 1 and sum(shares) >= 1
                part = max(down(trade.entered * shares[trade.target], self.lot), self.lot)
                trade.target_left = trade.held if is_last else part
            quantity = min(trade.held, trade.target_left)
            if self.room is not None:
                quantity = min(quantity, self.room)
            if quantity <= 0:
                return
            trade.target_left -= quantity
            if trade.target_left == 0:
                trade.target, trade.target_left = trade.target + 1, None
            self._leave(trade, quantity, level, Reason.TARGET, maker=True)

    def _close(self, bar: Bar) -> None:
        bar.closing = True
        trade = self.trade
        if trade is not None and self.leaving is None and self._time_is_up(trade, bar):
            self.leaving = (Reason.TIME, None)
        for wish in bar.wishes:
            now = self.cash + (trade.side * trade.held * bar.close if trade else ZERO)
            self._decide(wish, now if wish.bar == bar.index else self.out.equity[wish.bar])
        self._leave_at_market(bar.close)
        waits = self._ready()
        if waits is not None and waits.limit is None and waits.trigger is None:
            self._enter(waits, bar.close, maker=False, inside=False)


def same(outcome: Outcome, result: Any) -> str:
    """Return the first difference between the oracle's outcome and a compiled result in words; nothing if equal."""
    scale = result.scale
    for bar, (ours, theirs) in enumerate(zip(outcome.equity, result.equity.tolist(), strict=True)):
        if ours != theirs * scale.unit:
            return f"equity at bar {bar}: {ours} and {theirs * scale.unit}"
    if len(outcome.fills) != len(result.fills) or len(outcome.trades) != len(result.trades):
        return f"{len(outcome.fills)} fills, {len(outcome.trades)} trades and {len(result.fills)}, {len(result.trades)}"
    f = result.fills
    for row, (bar, quantity, price, fee, why, maker) in enumerate(outcome.fills):
        told = (f.bar[row], f.lots[row] * scale.lot, f.price[row] * scale.tick, f.fee[row] * scale.unit, f.reason[row])
        if (bar, quantity, price, fee, why) != told or maker != bool(f.maker[row]):
            return f"fill {row}: {(bar, quantity, price, fee, why, maker)} and {told}, {f.maker[row]}"
    t = result.trades
    names = ("opened_bar", "closed_bar", "side", "reason_in", "reason_out")
    money = ("opened_value", "closed_value", "fees", "funding", "pnl")
    for row, trade in enumerate(outcome.trades):
        pairs = [(name, getattr(trade, name), int(getattr(t, name)[row])) for name in names]
        pairs += [(name, getattr(trade, name), int(getattr(t, name)[row]) * scale.unit) for name in money]
        prices = ("worst", "best", "first_price", "last_price")
        pairs += [(name, getattr(trade, name), int(getattr(t, name)[row]) * scale.tick) for name in prices]
        pairs += [("lots", trade.entered, int(t.lots[row]) * scale.lot)]
        for name, ours, theirs in itertools.chain(pairs):
            if ours != theirs:
                return f"trade {row}, {name}: {ours} and {theirs}"
    denied = [(each.at_ms, each.side.sign * each.quantity, each.reasons) for each in result.denials.listed]
    if outcome.denied[: len(denied)] != denied or len(outcome.denied) != result.denials.count:
        return f"denied: {outcome.denied} and {denied}"
    if outcome.skipped != result.skipped:
        return f"skipped: {outcome.skipped} and {result.skipped}"
    return ""
