"""Several instruments on one account in exact decimals: the oracle of the compiled portfolio, slow and plain.

What happens to one instrument is told in `reference.py`; here stands what they share: cash, places, who goes first, the
volume of a bar, fees by what the whole account has traded, and the margin that stands for all of them.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, localcontext
from typing import Any

from pilothouse.backtest.inside import Finer
from pilothouse.backtest.portfolio import sides_of
from pilothouse.backtest.reference_account import PPM, ZERO
from pilothouse.backtest.reference_inputs import Wish, divided_bars, feed_of
from pilothouse.backtest.reference_leg import Leg, Shared, Step, Volume
from pilothouse.backtest.simulate import Funding
from pilothouse.backtest.spec import BacktestSpec, FillAt, Margin, Ranking
from pilothouse.core.candles import Candles
from pilothouse.core.rounding import EXACT, divided, down, up
from pilothouse.strategies.rules import Rules, Side
from pilothouse.strategies.sdk import Signals

_YEAR_MS = 365 * 86_400_000


def reference_many(
    spec: BacktestSpec,
    data: Mapping[str, Candles],
    signals: Mapping[str, Signals],
    rules: Rules,
    *,
    warm_up: int,
    funding: Mapping[str, Funding] | None = None,
    finer: Mapping[str, Finer] | None = None,
) -> Shared:
    """Return what `simulate_many` should; without checks, it is given what that has accepted."""
    with localcontext(EXACT):
        house = _House(spec, data, signals, rules, warm_up, funding or {}, finer or {})
        over = 0
        for place, at in enumerate(house.calendar):
            while over < place and house.ends[over] <= at[0]:
                house.close_step(over)
                over += 1
            house.open_step(place, at)
        for place in range(over, len(house.calendar)):
            house.close_step(place)
        for leg in house.legs:
            if leg.trade is not None:
                leg.trade.closed_value += leg.trade.held * leg.now.close
                leg.trade.closed_bar, leg.trade.last_price = leg.now.index, leg.now.close
                house.shared.out.trades.append(leg.trade)
                house.shared.closed.append(leg)
        house.shared.out.equity = [house.shared.out.equity[place] for place in house.last.values()]
        return house.shared


class _House:
    """The account with all its legs, in order of name, long before short."""

    def __init__(
        self, spec: BacktestSpec, data: Mapping[str, Candles], signals: Mapping[str, Signals], rules: Rules,
        warm_up: int, funding: Mapping[str, Funding], finer: Mapping[str, Finer],
    ) -> None:  # fmt: skip
        self.spec, self.shared = spec, Shared(ZERO)
        self.legs: list[Leg] = []
        self.queue: list[Leg] = []
        traded = {market.symbol: data[market.symbol] for market in spec.markets}
        whole = _whole(traded, finer) if finer else frozenset()
        for market in sorted(spec.markets, key=lambda each: each.symbol):
            candles, volume = data[market.symbol], Volume()
            alone = replace(spec, markets=(market,), costs=replace(spec.costs_of(market), borrow_ppm_year=0))
            every = [(signals[market.symbol], rules)]
            if spec.hedge:
                long, short = sides_of(signals[market.symbol])
                every = [(long, replace(rules, side=Side.LONG)), (short, replace(rules, side=Side.SHORT))]
                every = [pair for pair in every if rules.side in {Side.BOTH, pair[1].side}]
            for wishes, followed in every:
                feed = feed_of(alone, market, candles, wishes, followed, warm_up, funding.get(market.symbol),
                               finer.get(market.symbol), whole)  # fmt: skip
                leg = Leg(alone, market, followed, feed, self.shared, volume)
                leg.rank = wishes.rank if spec.ranking is Ranking.COLUMN else None
                opened = [bar.opened_ms for bar in feed.bars]
                # Of several parts of one millisecond, the first of each instrument come together, then the second.
                places = [at - opened.index(each) for at, each in enumerate(opened)]
                leg.bars = dict(zip(zip(opened, places, strict=True), feed.bars, strict=True))
                leg.openings = candles.opened_ms.tolist()
                self.legs.append(leg)
        unit = min(leg.feed.unit for leg in self.legs)
        for leg in self.legs:
            leg.unit = unit
            leg.others = [other for other in self.legs if other is not leg]
        self.shared.cash = down(spec.capital, unit)
        self.calendar: list[Step] = sorted({at for leg in self.legs for at in leg.bars})
        self.bar_at = [
            max(leg.openings[leg.bars[at].part_of] for leg in self.legs if at in leg.bars) for at in self.calendar
        ]
        self.last = {opened: place for place, opened in enumerate(self.bar_at)}
        """Of each bar, by its opening, the last step: then it has closed."""
        closed = [max(leg.bars[at].closed_ms for leg in self.legs if at in leg.bars) for at in self.calendar]
        self.ends = [at[0] for at in self.calendar] if finer else self._ends()
        self.shared.closed_ms = [min(closed[place:]) for place in range(len(closed))]
        for leg in self.legs:
            leg.known_at = [self.last[leg.openings[bar.part_of]] for bar in leg.feed.bars]

    def _ends(self) -> list[int]:
        """Return when each step is over: its bars have closed, or an instrument of it opens again."""
        follows: dict[Step, list[int]] = {at: [] for at in self.calendar}
        for leg in self.legs:
            steps = sorted(leg.bars)
            for at, after in zip(steps, [*steps[1:], None], strict=True):
                closed = leg.bars[at].closed_ms
                follows[at].append(closed if after is None else min(closed, after[0]))
        return [min(follows[at]) for at in self.calendar]

    @property
    def held(self) -> list[Leg]:
        return [leg for leg in self.legs if leg.trade is not None]

    @property
    def here(self) -> list[Leg]:
        return [leg for leg in self.legs if leg.here]

    def open_step(self, place: int, at: Step) -> None:
        for leg in self.legs:
            leg.begin(at)
        for leg in self.here:
            leg.fund(leg.now.funding_at_open)
        self._interest(place)
        self._judge(inside=False)
        for leg in self.here:
            leg.open()
        if self.spec.fills.at is FillAt.OPEN:
            for turn in range(max(len(leg.now.wishes) for leg in self.here)):
                self._wishes(self.here, ZERO, turn, self.here)
                for leg in [leg for leg in self.queue if leg.here]:
                    leg.enter()
        for leg in [leg for leg in self.queue if leg.here]:
            leg.enter()

    def close_step(self, place: int) -> None:
        for leg in self.legs:
            leg.here = leg.under_way and leg.bars.get(self.calendar[place]) is leg.now
        for leg in self.here:
            leg.fund(leg.now.funding_inside)
            leg.came = leg.now.open
        for leg in [leg for leg in self.queue if leg.here]:
            leg.enter_inside()
        self._judge(inside=True)
        for leg in self.here:
            leg.walk()
        opened = self.bar_at[place]
        closing = [leg for leg in self.legs if place == self.last[opened] and opened in leg.openings]
        if self.spec.fills.at is FillAt.CLOSE:
            ending = [leg for leg in self.legs if leg.here or leg in closing]
            for leg in ending:
                leg.close()
            self._wishes(closing, self.worth(), 0, ending)
            for leg in [leg for leg in self.queue if leg in ending]:
                leg.enter()
        for leg in self.here:
            leg.end()
            leg.at_close, leg.under_way = True, False
        for leg in [leg for leg in self.legs if leg.here or leg in closing]:
            leg.wait_no_longer()
        self.queue = [leg for leg in self.queue if leg.waiting is not None]
        self.shared.out.equity.append(self.worth())

    def worth(self) -> Decimal:
        return self.shared.cash + sum((leg.value for leg in self.legs), ZERO)

    def _interest(self, place: int) -> None:
        """Charge what was borrowed: coins to whoever is short, cash to those who are long, in order."""
        lacks = max(-self.shared.cash, ZERO)
        longs = [leg for leg in self.held if leg.value > 0]
        for leg in self.held:
            if leg.value < 0:
                leg.pay(-leg.value, self._due(self.spec.costs_of(leg.market).borrow_ppm_year, place))
                continue
            owed = lacks if leg is longs[-1] else min(lacks, leg.value)
            lacks -= owed
            leg.pay(owed, self._due(self.spec.costs.borrow_ppm_year, place))

    def _due(self, ppm_year: int, place: int) -> Decimal:
        first = self.calendar[0][0]
        parts = [(self.calendar[at][0] - first) * ppm_year * 1_000 // _YEAR_MS for at in (max(place - 1, 0), place)]
        return (parts[1] - parts[0]) * Decimal("1e-9")

    def _judge(self, *, inside: bool) -> None:
        """Close everything if the account is not worth what its positions must be worth together."""
        held = self.held
        if self.spec.margin is not Margin.CROSS or not held:
            return
        for leg in held:
            if not inside or not leg.here:
                leg.came = leg.mark
        first = self.shared.cash + sum((leg.free(leg.came) for leg in held), ZERO)
        worst = self.shared.cash + sum((leg.free(leg.worst()) for leg in held), ZERO) if inside else first
        if first > 0 and worst > 0:
            return
        share = ZERO
        if first > 0:
            share = Decimal(1) if worst == 0 else min(divided(first, first - worst, PPM) + PPM, Decimal(1))
        for leg in held:
            assert leg.trade is not None, "it is held"
            way = abs(leg.came - leg.worst()) if inside else ZERO
            leg.came -= leg.trade.side * up(way * share, leg.tick)
        for leg in held:
            if leg.here:
                leg.force()

    def _wishes(self, legs: list[Leg], worth: Decimal, turn: int, leaving: list[Leg]) -> None:
        """Carry out what was wished: who leaves first, then who enters, the best ranked first.

        turn     which of several wishes that arrive together at an instrument
        leaving  who may leave what is to be left
        """
        told = [(leg, leg.now.wishes[turn]) for leg in legs if turn < len(leg.now.wishes)]
        before = {leg: (leg.trade is not None, leg.waiting is not None) for leg, _ in told}
        for leg, wish in told:
            if any(before[leg]):
                leg.decide(wish, self._known(leg, wish, worth))
        for leg in leaving:
            leg.leave()
        fresh: list[tuple[Leg, Wish, bool]] = []
        for leg, wish in told:
            was_held, waited = before[leg]
            if not was_held and not waited:
                if wish.enters and wish.enters not in wish.leaves and leg.now.index >= leg.no_opening_before:
                    fresh.append((leg, wish, True))
            elif leg.waiting is not None and leg.waiting.wish is wish:
                fresh.append((leg, wish, was_held and leg.trade is None))
        wants = {leg for leg, _, needs in fresh if needs}
        used = sum((leg.trade is not None or leg.waiting is not None) and leg not in wants for leg in self.legs)
        for leg, wish, needs in sorted(fresh, key=_goes_first):
            if needs and used >= self.spec.positions_most:
                self.shared.crowded += 1
                leg.waiting = None
                continue
            if not any(before[leg]):
                leg.decide(wish, self._known(leg, wish, worth))
                if leg.waiting is None:
                    continue
            used += needs
            self.queue = [each for each in self.queue if each is not leg] + [leg]

    def _known(self, leg: Leg, wish: Wish, worth: Decimal) -> Decimal:
        """Return what the account was worth when a wish was made."""
        known = leg.known_at[wish.bar]
        return worth if known == len(self.shared.out.equity) else self.shared.out.equity[known]


def _whole(data: Mapping[str, Candles], finer: Mapping[str, Finer]) -> frozenset[int]:
    """Return the openings of bars that are not walked inside, because of some instrument nothing tells the same."""
    untold = set()
    for symbol, candles in data.items():
        told = divided_bars(candles, finer.get(symbol))
        untold |= {int(candles.opened_ms[bar]) for bar in range(len(candles)) if bar not in told}
    return frozenset(untold)


def _goes_first(fresh: tuple[Leg, Wish, bool]) -> float:
    leg, wish, _ = fresh
    rank = 0.0 if leg.rank is None else float(leg.rank[leg.feed.bars[wish.bar].part_of])
    return math.inf if math.isnan(rank) else -rank


def same_many(shared: Shared, result: Any) -> str:
    """Return the first difference between the oracle and a compiled portfolio in words; nothing if equal."""
    out, unit = shared.out, result.scale.unit
    for bar, (ours, theirs) in enumerate(zip(out.equity, result.equity.tolist(), strict=True)):
        if ours != theirs * unit:
            return f"equity at bar {bar}: {ours} and {theirs * unit}"
    if len(out.fills) != len(result.fills) or len(out.trades) != len(result.trades):
        return f"{len(out.fills)} fills, {len(out.trades)} trades and {len(result.fills)}, {len(result.trades)}"
    place = {int(at): row for row, at in enumerate(result.opened_ms.tolist())}

    def at(leg: Leg, bar: int) -> int:
        return place[leg.openings[leg.feed.bars[bar].part_of]]

    f, t = result.fills, result.trades
    for row, (leg, (bar, quantity, price, fee, why, maker)) in enumerate(zip(shared.filled, out.fills, strict=True)):
        scale = result.scales[result.fill_market[row]]
        ours_told = (leg.market.symbol, at(leg, bar), quantity, price, fee, int(why), maker)
        told = (
            result.symbols[result.fill_market[row]], int(f.bar[row]), int(f.lots[row]) * scale.lot,
            int(f.price[row]) * scale.tick, int(f.fee[row]) * unit, int(f.reason[row]), bool(f.maker[row]),
        )  # fmt: skip
        if ours_told != told:
            return f"fill {row}: {ours_told} and {told}"
    for row, (leg, trade) in enumerate(zip(shared.closed, out.trades, strict=True)):
        scale = result.scales[result.trade_market[row]]
        pairs: list[tuple[str, Any, Any]] = [
            ("symbol", leg.market.symbol, result.symbols[result.trade_market[row]]),
            ("lots", trade.entered, int(t.lots[row]) * scale.lot),
        ]
        pairs += [
            (name, at(leg, getattr(trade, name)), int(getattr(t, name)[row])) for name in ("opened_bar", "closed_bar")
        ]
        pairs += [
            (name, int(getattr(trade, name)), int(getattr(t, name)[row]))
            for name in ("side", "reason_in", "reason_out")
        ]
        for names, step in (
            (("opened_value", "closed_value", "fees", "funding", "pnl"), unit),
            (("worst", "best", "first_price", "last_price"), scale.tick),
        ):
            pairs += [(name, getattr(trade, name), int(getattr(t, name)[row]) * step) for name in names]
        for name, one, other in pairs:
            if one != other:
                return f"trade {row}, {name}: {one} and {other}"
    denied = [(each.symbol, each.at_ms, each.side.sign * each.quantity, each.reasons) for each in result.denials.listed]
    ours_denied = [(leg.market.symbol, *each) for leg, each in zip(shared.stopped, out.denied, strict=True)]
    if ours_denied[: len(denied)] != denied or len(ours_denied) != result.denials.count:
        return f"denied: {ours_denied} and {denied}"
    counts = (result.skipped, result.crowded)
    return "" if (out.skipped, shared.crowded) == counts else f"skipped and crowded: {out.skipped}, {shared.crowded}"
