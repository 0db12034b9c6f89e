"""Grids and averaging entries in exact decimals, slowly: the oracle that the compiled loop and the turns must equal.

Written for reading, from the rules that the pages of the two strategies tell: nothing of `kernels`, `turns` or the
strategies is used.
"""

from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, Final

from pilothouse.backtest.inside import Finer
from pilothouse.backtest.reference_inputs import parts_of
from pilothouse.backtest.reference_ladder_desk import CENT_OF_MILLIONTH, MILLIONTH, ONE, ZERO, Desk, Order, Outcome, Row
from pilothouse.backtest.result import Reason, Result
from pilothouse.backtest.spec import BacktestSpec
from pilothouse.core.candles import Candles
from pilothouse.core.rounding import EXACT, divided, down, nearest


def reference_ladder(spec: BacktestSpec, candles: Candles, finer: Finer | None = None) -> Outcome:
    """Return what the built-in `grid` or `dca` that the spec names leads to, with all its parameters told."""
    with localcontext(EXACT):
        desk = _DESKS[spec.strategy](spec, candles)
        parts = list(parts_of(candles, finer))
        for number, (bar, _, _, *prices, _) in enumerate(parts):
            ends = number + 1 == len(parts) or parts[number + 1][0] != bar
            desk.one_part(number, bar, Row(*prices), ends=ends)
        return desk.ended()


@dataclass
class Level:
    """Where a level of a grid opens and closes, whether it buys first, and what it has open."""

    name: str
    buys: bool
    opens: Decimal
    closes: Decimal
    amount: Decimal
    opened: Decimal = ZERO
    closed: Decimal = ZERO


class GridDesk(Desk):
    """Levels away from the first close; what one opened is closed nearer to it, then it opens again."""

    def __init__(self, spec: BacktestSpec, candles: Candles) -> None:
        """Begin without a grid."""
        super().__init__(spec, candles)
        self.levels: dict[str, Level] = {}
        self.has_ended = False

    def lay_out(self, top: Decimal) -> None:
        """Say where each level lies."""
        for word in {"long": ("below",), "short": ("above",)}.get(str(self.p["side"]), ("below", "above")):
            self.lay_out_one(top, word)
        if self.p["base"] and self.p["side"] != "neutral":
            buys = self.p["side"] == "long"
            away = self.percent("take") if self.p["take"] else self.percent("step")
            closes = max(top * (1 + away if buys else 1 - away), ZERO)
            self.levels["base"] = Level("base", buys, top, closes, self.quote("base"))

    def lay_out_one(self, top: Decimal, word: str) -> None:
        """Say where the levels of one side lie."""
        buys = word == "below"
        step, take = self.percent("step") * (-1 if buys else 1), self.percent("take") * (1 if buys else -1)
        part = nearer = ONE
        for number in range(int(self.p["levels"])):
            geometric = self.p["spacing"] == "geometric"
            part = down(part * (1 + step), Decimal("0.000000000001")) if geometric else part + step
            if part <= 0:
                break
            closes = top * (max(part * (1 + take), ZERO) if take else nearer)
            self.levels[f"{word}{number}"] = Level(f"{word}{number}", buys, top * part, closes, self.quote("order"))
            nearer = part

    def closed(self) -> None:
        """Begin with the first close; give up beyond the stop."""
        if not self.levels:
            self.lay_out(self.row.close)
            for level in self.levels.values():
                self.open_level(level, at_once=level.name == "base")
        elif not self.has_ended and self.p["stop_loss"]:
            away, prices = self.percent("stop_loss"), [level.opens for level in self.levels.values()]
            fell = self.p["side"] != "short" and self.row.close < min(prices) * (1 - away)
            rose = self.p["side"] != "long" and self.row.close > max(prices) * (1 + away)
            if not fell and not rose:
                return
            self.has_ended = True
            self.call_off(("open", "close"))
            if self.held:
                self.ask("stop", abs(self.held), buys=self.held < 0, reduces=True)

    def open_level(self, level: Level, *, at_once: bool = False) -> None:
        """Ask for what a level opens."""
        quantity = level.amount / level.opens
        self.ask(f"open {level.name}", quantity, buys=level.buys, limit=None if at_once else level.opens)

    def filled(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        """Turn a level round."""
        what, _, name = order.name.partition(" ")
        if what == "stop":
            return
        level = self.levels[name]
        if what == "open":
            level.opened += abs(quantity)
            reduces = self.p["side"] != "neutral"
            self.ask(f"close {name}", level.opened, buys=not level.buys, limit=level.closes, reduces=reduces)
            return
        level.closed += abs(quantity)
        if level.closed >= level.opened:
            level.opened = level.closed = ZERO
            self.open_level(level)


class AveragingDesk(Desk):
    """A base order, safety orders below it, one stop and three targets from the average price."""

    def __init__(self, spec: BacktestSpec, candles: Candles) -> None:
        """Begin before the first cycle."""
        super().__init__(spec, candles)
        self.bought = self.paid = self.entry = ZERO
        self.reached = self.waits = 0

    def closed(self) -> None:
        """Ask for the base order at the close, while nothing is held and nothing is to be waited for."""
        if self.held:
            return
        if self.waits:
            self.waits -= 1
            return
        self.entry = self.row.close
        self.ask("entry", self.quote("base") / self.entry, buys=True, limit=self.entry)

    def filled(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        """Move the exits with the average; end the cycle when nothing is left."""
        if quantity > 0:
            if not self.bought:
                self.ask_for_safeties()
            self.bought, self.paid = self.bought + quantity, self.paid + quantity * price
        elif not self.held:
            self.call_off(("",))
            self.bought = self.paid = ZERO
            self.reached, self.waits = 0, int(self.p["cooldown"])
            return
        elif order.name.startswith("take"):
            self.reached = max(self.reached, int(order.name[-1]))
            self.call_off(("entry", "safety"))
        self.ask_for_exits()

    def ask_for_safeties(self) -> None:
        """Ask for the purchases below the entry."""
        part, step, wanted = ONE, self.percent("deviation"), self.quote("safety")
        for number in range(int(self.p["safety_most"])):
            part -= step
            if part <= 0 or not wanted:
                return
            price = self.entry * part
            self.ask(f"safety {number}", wanted / price, buys=True, limit=price)
            step = down(step * nearest(Decimal(str(self.p["scale"])), MILLIONTH), MILLIONTH)
            wanted = down(wanted * nearest(Decimal(str(self.p["volume_scale"])), MILLIONTH), CENT_OF_MILLIONTH)

    def ask_for_exits(self) -> None:
        """Ask for the stop and for what is left of the targets."""
        first = ONE + self.percent("take_1")
        if self.reached or self.p["stop_loss"]:
            stands = {0: ONE - self.percent("stop_loss"), 1: ONE}.get(self.reached, first)
            # Divided last and cut to the tick, so that no digit is lost before.
            level = divided(self.paid * stands, self.bought, self.tick)
            self.ask("stop", self.held, buys=False, trigger=level, reduces=True)
        left = self.held
        for number in (1, 2, 3):
            if number == 3:
                part = left
            elif number > self.reached:
                part = min(self.bought * self.percent(f"share_{number}"), left)
            else:
                continue
            left -= part
            if part:
                gain = ONE + self.percent(f"take_{number}")
                level = divided(self.paid * gain, self.bought, self.tick, upward=True)
                self.ask(f"take {number}", part, buys=False, limit=level, reduces=True)


_DESKS: Final[dict[str, type[Desk]]] = {"grid": GridDesk, "dca": AveragingDesk}


def same_ladder(outcome: Outcome, result: Result) -> str:
    """Return the first difference between the oracle's outcome and a result in words; nothing if equal."""
    scale, f, t = result.scale, result.fills, result.trades
    for bar, (ours, theirs) in enumerate(zip(outcome.equity, result.equity.tolist(), strict=True)):
        if ours != theirs * scale.unit:
            return f"equity at bar {bar}: {ours} and {theirs * scale.unit}"
    if (len(outcome.fills), len(outcome.trades)) != (len(f), len(t)):
        return f"{len(outcome.fills)} fills, {len(outcome.trades)} trades and {len(f)}, {len(t)}"
    for row, fill in enumerate(outcome.fills):
        told: tuple[Any, ...] = (
            int(f.bar[row]), f.lots[row] * scale.lot, f.price[row] * scale.tick, f.fee[row] * scale.unit,
            Reason(f.reason[row]), bool(f.maker[row]),
        )  # fmt: skip
        if fill != told:
            return f"fill {row}: {fill} and {told}"
    for row, trade in enumerate(outcome.trades):
        ours_: tuple[Any, ...] = (
            trade.opened_bar, trade.closed_bar, trade.entered, trade.opened_value, trade.closed_value, trade.fees,
            trade.worst, trade.best, trade.first_price, trade.last_price, trade.reason_out, trade.side, trade.pnl,
        )  # fmt: skip
        theirs_ = (
            int(t.opened_bar[row]), int(t.closed_bar[row]), t.lots[row] * scale.lot,
            t.opened_value[row] * scale.unit, t.closed_value[row] * scale.unit, t.fees[row] * scale.unit,
            t.worst[row] * scale.tick, t.best[row] * scale.tick, t.first_price[row] * scale.tick,
            t.last_price[row] * scale.tick, Reason(t.reason_out[row]), int(t.side[row]), t.pnl[row] * scale.unit,
        )  # fmt: skip
        if ours_ != theirs_:
            return f"trade {row}: {ours_} and {theirs_}"
    return "" if outcome.skipped == result.skipped else f"skipped: {outcome.skipped} and {result.skipped}"
