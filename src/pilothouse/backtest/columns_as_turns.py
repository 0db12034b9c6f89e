"""A strategy by columns as one in turns: its wishes and rules become orders, placed as the prices of a bar come. Pure.

For runs that no compiled loop carries out, such as those with a limit that only the whole gate asks. What is sent is
what the loop would send: an entry, a stop that moves, the next target, and the order that leaves; so both come to the
same result wherever the loop can run.
"""

from typing import Final, Protocol

from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.order_log import UNSIZED, OrderLog
from pilothouse.backtest.orders import Outcome
from pilothouse.backtest.result import Reason
from pilothouse.backtest.simulate import Plan
from pilothouse.backtest.spec import PPM
from pilothouse.backtest.turn_account import Account
from pilothouse.backtest.turn_orders import ALL, LEAVE, Leg, Open, Order, Ticket
from pilothouse.backtest.turn_run import CLOSE, INSIDE
from pilothouse.core.rounding import QUOTE_UNIT
from pilothouse.strategies.sdk import Turn

ENTRY: Final = "entry"
STOP: Final = "stop"
TARGET: Final = "target"
_NOTHING: Final = Turn({})
_NOTHING_WANTED: Final = QUOTE_UNIT  # of a ticket it is the lots that count


class Seat(Protocol):
    """The run, as far as a position of rules looks into it."""

    account: Account
    phase: int
    log: OrderLog | None


class ColumnsAsTurns:
    """Says what the wishes of a plan and its rules ask for one position. It sits beside the account and looks into it.

    Bars are those of its instrument, or their pieces where the run walks inside them.
    """

    def __init__(self, plan: Plan, leg: Leg, run: Seat, name: str) -> None:
        """Read the plan. `name`: what its orders' keys end with, so that no two positions have the same."""
        self.p: list[int] = plan.settings.tolist()
        self.flags: list[int] = plan.flags.tolist()
        self.rows = plan.rows
        self.kinds: list[list[int]] = plan.wanted.kinds.tolist()
        self.shares: list[int] = plan.wanted.shares.tolist()
        self.run, self.leg = run, leg
        self.entry, self.stop, self.target = (f"{kind}{name}" for kind in (ENTRY, STOP, TARGET))
        leg.leave = f"{LEAVE}{name}"
        self.trade: Open | None = None
        self.adds = self.cool_until = self.decided = self.entered_by = self.target_at = 0
        self.time_at, self.no_take, self.target_left = ALL, -1, -1
        self.was_added = False
        self.distances: dict[int, int] = {}

    @property
    def waits(self) -> Order | None:
        """Return the entry that waits."""
        return self.leg.orders.get(self.entry)

    def denied(self, key: str) -> None:
        """Hear that an order was not made."""
        if key == self.entry:
            self.adds -= self.was_added

    # ── wishes ────────────────────────────────────────────────────────────────────────────────────

    def wishes(self) -> list[int]:
        """Return the bars whose wishes are carried out in this one, in order."""
        p, bar = self.p, self.leg.lane.bar
        if not self.flags[bar] & k.WISHES:
            return []
        if p[k.ROW_BAR] < 0:
            return [bar - p[k.SHIFT]]
        due = self._row(k.ROW_DUE, bar)
        if p[k.AT_CLOSE]:
            return [self._row(k.ROW_LAST, due)]
        found = []
        for wished in range(due, self._row(k.ROW_BAR, self.rows.shape[1] - 1) + 1):
            if self._row(k.ROW_ARRIVES, wished) != bar:
                break
            if self._row(k.ROW_WISH, wished):
                found.append(self._row(k.ROW_LAST, wished))
        return found

    def flag_of(self, decided: int) -> int:
        """Return what was wished at the close of a bar."""
        p, bar = self.p, self.leg.lane.bar
        if p[k.ROW_BAR] < 0 or p[k.AT_CLOSE]:
            return self.flags[bar]
        return self._row(k.ROW_WISH, self._row(k.ROW_BAR, decided))

    def opens(self, decided: int) -> bool:
        """Say whether a wish opens a position that is flat and has cooled down."""
        flag = self.flag_of(decided)
        enters = (flag & k.LONG and not flag & k.LEAVE_LONG) or (flag & k.SHORT and not flag & k.LEAVE_SHORT)
        return bool(enters) and self.leg.lane.bar >= self.cool_until

    def wish(self, decided: int, worth: int) -> Turn:
        """Return what follows from the wish of bar `decided`. `worth`: of the account now, if that is this bar."""
        equities, known = self.run.account.equity, self.leg.lane.known[decided]
        equity = worth if known == len(equities) else equities[known]
        wants: list[Ticket] = []
        cancels: list[str] = []
        self._wish(self.flag_of(decided), decided, equity, wants, cancels)
        return Turn({}, tuple(wants), tuple(cancels))

    def time(self, ahead: int) -> Turn:
        """Return the order that leaves what is held for so long, if it is `ahead` bars on."""
        leg = self.leg
        if leg.pos and leg.leave not in leg.orders and leg.lane.bar + ahead >= self.time_at:
            return Turn({}, (self._leaves(Reason.TIME, ALL),))
        return _NOTHING

    def follow_prices(self) -> Turn:
        """Return the stop as it stands from the next bar on."""
        if not self.leg.pos or self.trade is None:
            return _NOTHING
        wants: list[Ticket] = []
        cancels: list[str] = []
        _instead(self.stop, self._stop(), wants, cancels)
        return Turn({}, tuple(wants), tuple(cancels))

    def _wish(self, flag: int, decided: int, equity: int, wants: list[Ticket], cancels: list[str]) -> None:
        """Turn the wishes of bar `decided` into what is left and entered; the order of questions is the loop's."""
        p, leg = self.p, self.leg
        held = (leg.pos > 0) - (leg.pos < 0)
        enters = 1 if flag & k.LONG else -1 if flag & k.SHORT else 0
        leaves = {side for side, bit in ((1, k.LEAVE_LONG), (-1, k.LEAVE_SHORT)) if flag & bit}
        flips = held * enters < 0
        waits = self.waits
        if flips or held in leaves:
            wants.append(self._leaves(Reason.FLIP if flips and p[k.FLIPS] else Reason.LEAVE, ALL))
            cancels.append(self.entry)
            waits = None
            if not flips or not p[k.FLIPS] or p[k.COOLDOWN] > 0:
                return
        if waits is not None and waits.sign in leaves:
            cancels.append(self.entry)
        if enters == 0 or enters in leaves or leg.lane.bar < self.cool_until:
            return
        resizes = held == enters and flag & k.RESIZE
        if held == enters and not resizes and self.adds >= p[k.PYRAMIDING]:
            return
        price = leg.lane.columns[3][decided]
        lots = self._size(decided, price, equity)
        if resizes:
            lots -= abs(leg.pos)
            if lots < 0:
                wants[:] = [each for each in wants if each.key != leg.leave]
                wants.append(self._leaves(Reason.LEAVE, -lots))
            if lots <= 0:
                cancels.append(self.entry)
                return
        if lots < p[k.LOTS_MIN] or lots < -(-p[k.NOTIONAL_MIN] // (price * p[k.UNITS])):
            self.run.account.skipped += 1
            cancels.append(self.entry)
            self._too_small(enters, lots)
            return
        self.was_added = held == enters
        self.adds += self.was_added
        wants.append(self._entry(enters, lots, decided, equity, Reason.FLIP if flips else Reason.SIGNAL))

    def _too_small(self, sign: int, lots: int) -> None:
        if self.run.log is None:
            return
        market = self.leg.lane.market
        words = f"{market.lots_min} lots, worth {market.notional_min}, are the least"
        self.run.log.never(self.leg, self.entry, sign, max(lots, 0) or UNSIZED, Outcome.TOO_SMALL, words)

    def way(self, decided: int) -> int:
        """Return whether the wish of a bar buys (1) or sells (-1)."""
        return 1 if self.flag_of(decided) & k.LONG else -1

    def _size(self, decided: int, price: int, equity: int) -> int:
        p = self.p
        by, each = p[k.SIZE_BY], price * p[k.UNITS]
        if by not in {k.SIZE_LOTS, k.SIZE_QUOTE} and equity <= 0:
            return 0
        match by:
            case k.SIZE_LOTS:
                lots = p[k.SIZE]
            case k.SIZE_QUOTE:
                lots = p[k.SIZE] // each
            case k.SIZE_PPM:
                share = self._row(k.ROW_SIZE, decided) if p[k.ROW_SIZE] >= 0 else p[k.SIZE]
                lots = equity * share // PPM // each
            case k.SIZE_RISK:
                away = self._distance(k.D_STOP, decided, price)
                lots = equity * p[k.SIZE] // PPM // (away * p[k.UNITS]) if away > 0 else 0
            case _:
                lots = equity * self._kelly() // PPM // each
        if p[k.ROW_WEIGHT] >= 0:
            lots = lots * self._row(k.ROW_WEIGHT, decided) // PPM
        return min(lots, p[k.LOTS_MOST])

    def _kelly(self) -> int:
        cap, trades = self.p[k.SIZE], self.run.account.trades[-self.p[k.LOOKBACK] :]
        results = [trade[k.TRADE_PNL] for trade in trades]
        if len(results) < 10:
            return cap // 10
        won, lost = sum(each for each in results if each > 0), -sum(each for each in results if each <= 0)
        if won <= lost:
            return cap // 100
        wins, edge = sum(each > 0 for each in results), (won - lost) * PPM // won
        return min(max(wins * edge // len(results), cap // 100), cap)

    def _row(self, slot: int, bar: int) -> int:
        return int(self.rows[self.p[slot], bar]) if self.p[slot] >= 0 else 0

    def _distance(self, slot: int, bar: int, price: int) -> int:
        """Return a distance in ticks as it was decided at `bar`, 0 for none."""
        ppm, ticks, row = self.kinds[slot]
        if row >= 0 and self.rows[row, bar] > 0:
            return int(self.rows[row, bar])
        return ticks if ticks > 0 else -(-price * ppm // PPM)

    # ── orders ────────────────────────────────────────────────────────────────────────────────────

    def _entry(self, sign: int, lots: int, decided: int, worth: int, reason: Reason) -> Ticket:
        self.entered_by = decided
        until = self._last_piece(self.leg.lane.bar + self.p[k.AT_CLOSE], self.p[k.REST] - 1)
        return Ticket(
            self.entry, self._symbol, _NOTHING_WANTED * sign, sign=sign, lots=lots,
            limit=self._row(k.ROW_LIMIT, decided), trigger=self._row(k.ROW_TRIGGER, decided), reason=reason,
            decided=decided, worth=worth, until=until,
            tag=self._row(k.ROW_TAG, decided) if self.p[k.ROW_TAG] >= 0 else -1,
        )  # fmt: skip

    @property
    def _symbol(self) -> str:
        return self.leg.lane.market.symbol

    def _exit(self, key: str, lots: int, reason: Reason, *, limit: int = 0, trigger: int = 0, late: int = -1) -> Ticket:
        sign = -1 if self.leg.pos > 0 else 1
        return Ticket(
            key, self._symbol, _NOTHING_WANTED * sign, reduce_only=True, sign=sign, lots=lots, limit=limit,
            trigger=trigger, reason=reason, late=late,
        )  # fmt: skip

    def _leaves(self, reason: Reason, lots: int) -> Ticket:
        return self._exit(self.leg.leave, lots, reason)

    def _last_piece(self, bar: int, more: int) -> int:
        """Return the last piece of the bar that comes `more` bars behind that of a piece; a bar is one, or several."""
        if self.p[k.ROW_BAR] < 0:
            return bar + more
        last = self.rows.shape[1] - 1
        at, end = self._row(k.ROW_BAR, min(bar, last)) + more, self._row(k.ROW_BAR, last)
        return self._row(k.ROW_LAST, at) if at <= end else ALL

    def _time_is_up(self, bar: int) -> int:
        """Return where a position that is opened here has been held as long as it may be."""
        p = self.p
        if not p[k.BARS_MOST]:
            return ALL
        if p[k.ROW_BAR] < 0 or p[k.AT_CLOSE]:
            return self._last_piece(bar, p[k.BARS_MOST] + p[k.LATENCY])
        at, end = self._row(k.ROW_BAR, bar) + p[k.BARS_MOST] - 1, self._row(k.ROW_BAR, self.rows.shape[1] - 1)
        return self._row(k.ROW_ARRIVES, at) if at <= end else ALL

    def filled(self) -> Turn:
        """Return what follows from a fill."""
        wants: list[Ticket] = []
        cancels: list[str] = []
        self._filled(wants, cancels)
        return Turn({}, tuple(wants), tuple(cancels))

    def _filled(self, wants: list[Ticket], cancels: list[str]) -> None:
        """Place what a changed position needs; take away what it no longer does."""
        leg, account = self.leg, self.run.account
        trade = leg.trade
        if trade is None:
            side = self.trade.side if self.trade is not None else 0
            self.trade, self.time_at = None, ALL
            wait, bar = self.p[k.COOLDOWN], leg.lane.bar
            self.cool_until = self._last_piece(bar, wait) + 1 if wait > 0 else bar
            cancels += [leg.leave, self.stop, self.target]
            if self.waits is not None and self.waits.sign == side:
                cancels.append(self.entry)
            return
        is_new = trade is not self.trade
        if is_new:
            self._begun(trade)
        if self.run.phase == INSIDE and account.fills[-1].lots * leg.pos > 0:
            self.no_take = account.step
        if not is_new and self.target not in leg.orders and account.fills[-1].reason == Reason.TARGET:
            self.target_at, self.target_left = self.target_at + 1, -1
        _instead(self.stop, self._stop(), wants, cancels)
        _instead(self.target, self._target(trade), wants, cancels)

    def _begun(self, trade: Open) -> None:
        self.trade, self.decided, self.adds = trade, self.entered_by, 0
        self.target_at, self.target_left = 0, -1
        self.distances = {
            slot: self._distance(slot, self.decided, trade.first_price)
            for slot in (k.D_STOP, k.D_TRAIL, k.D_AFTER, k.D_EVEN)
        }
        self.time_at = self._time_is_up(self.leg.lane.bar)

    def _stop(self) -> list[Ticket]:
        """Return the nearest of stop, trailing stop and break-even, as the price stands from the next bar on."""
        leg, trade = self.leg, self.trade
        if trade is None:
            return []
        account, side = self.run.account, trade.side
        average, best = account.average(leg), trade.best
        if self.run.phase == CLOSE and trade.fresh != account.step:
            best = max(best, leg.lane.high) if side > 0 else min(best, leg.lane.low)
        gone, away = (best - average) * side, self.distances
        found: list[tuple[int, Reason]] = []
        if away[k.D_STOP] > 0:
            found.append((average - side * away[k.D_STOP], Reason.STOP))
        if away[k.D_TRAIL] > 0 and gone >= away[k.D_AFTER]:
            found.append((best - side * away[k.D_TRAIL], Reason.TRAIL))
        if away[k.D_EVEN] > 0 and gone >= away[k.D_EVEN]:
            found.append((average, Reason.BREAK_EVEN))
        found = [each for each in found if each[0] > 0 or side < 0]
        if not found:
            return []
        level, reason = max(found, key=lambda each: each[0] * side)
        return [self._exit(self.stop, ALL, reason, trigger=level)]

    def _target(self, trade: Open) -> list[Ticket]:
        """Return the next target, as large as its share of what was entered."""
        at, leg = self.target_at, self.leg
        count = self.p[k.TARGETS]
        if at >= count:
            return []
        away = self._distance(k.D_TARGET + at, self.decided, trade.first_price)
        level = self.run.account.average(leg) + trade.side * away
        if away <= 0 or level <= 0:
            return []
        stands = leg.orders.get(self.target)
        if stands is not None and stands.frozen:
            self.target_left = stands.lots
        takes_all = at == count - 1 and self.shares[count] == PPM
        lots = ALL if takes_all else max(trade.lots * self.shares[at] // PPM, 1)
        if self.target_left >= 0:
            lots = self.target_left
        return [self._exit(self.target, lots, Reason.TARGET, limit=level, late=self.no_take)]


def _instead(key: str, made: list[Ticket], wants: list[Ticket], cancels: list[str]) -> None:
    """Let an order stand in the place of what stood under its name; nothing, where there is none any more."""
    wants += made
    cancels += [] if made else [key]
