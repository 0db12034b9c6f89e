"""A strategy by columns as one in turns: its wishes and rules become orders, placed as the prices of a bar come. Pure.

For runs that no compiled loop carries out, such as those with a limit that only the whole gate asks. What is sent is
what the loop would send: an entry, a stop that moves, the next target, and the order that leaves; so both come to the
same result wherever the loop can run.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.result import Reason, Result
from pilothouse.backtest.simulate import Funding, Plan, planned
from pilothouse.backtest.spec import PPM, BacktestSpec, Market
from pilothouse.backtest.turn_lanes import lanes_of
from pilothouse.backtest.turn_orders import ALL, LEAVE, Leg, Open, Ticket
from pilothouse.backtest.turn_run import CLOSE, INSIDE, TurnRun
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.limits import NOTHING
from pilothouse.core.rounding import QUOTE_UNIT
from pilothouse.strategies.parameters import Parameter, Params
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Bar, Denied, Filled, Happening, Quoted, Signals, Turn

ENTRY: Final = "entry"
STOP: Final = "stop"
TARGET: Final = "target"
_NOTHING_WANTED: Final = QUOTE_UNIT  # of a ticket it is the lots that count


def simulate_in_turns(
    spec: BacktestSpec,
    market: Market,
    candles: Candles,
    signals: Signals,
    rules: Rules,
    *,
    warm_up: int,
    funding: Funding | None = None,
) -> Result:
    """Return what `simulate` would return, turn by turn and with every limit of the gate.

    Raises as `simulate`, and Invalid for a walk inside the bars or a latency in milliseconds, which it does not know.
    """
    if spec.fills.finer is not None or spec.fills.latency_ms:
        named = "fills.latency_ms" if spec.fills.latency_ms else "fills.finer"
        allowed = "none: columns with a limit that no loop asks walk the bars themselves"
        raise Invalid([Problem(named, "is not known to this run in turns", allowed)])
    free = replace(spec, limits=NOTHING)
    plan = planned(free, market, candles, signals, rules, warm_up=warm_up, funding=funding)
    lanes = lanes_of(spec, {market.symbol: candles}, {} if funding is None else {market.symbol: funding})
    run = TurnRun(spec, lanes, ColumnsAsTurns(plan), Params({}))
    run.through()
    return replace(run.result(), tags=signals.tags)


class ColumnsAsTurns:
    """Sends what the wishes of a plan and its rules ask for. It sits beside the account and looks into it."""

    name: ClassVar[str] = "columns"
    title: ClassVar[str] = "Columns, turn by turn"
    parameters: ClassVar[Mapping[str, Parameter]] = {}
    carries_rules: Final = True

    def __init__(self, plan: Plan) -> None:
        """Read the plan."""
        self.p: list[int] = plan.settings.tolist()
        self.flags: list[int] = plan.flags.tolist()
        self.rows = plan.rows
        self.kinds: list[list[int]] = plan.wanted.kinds.tolist()
        self.shares: list[int] = plan.wanted.shares.tolist()
        self.run: TurnRun
        self.leg: Leg
        self.trade: Open | None = None
        self.adds = self.cool_until = self.decided = self.entered_by = self.target_at = 0
        self.time_at, self.no_take, self.target_left = ALL, -1, -1
        self.was_added = False
        self.distances: dict[int, int] = {}

    def seat(self, run: TurnRun) -> None:
        """Take the place from which the account is seen."""
        self.run, self.leg = run, run.account.legs[0]

    def begin(self, p: Params) -> dict[str, Any]:
        """Return no state: it is kept here."""
        return {}

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Return the orders that follow from what happened."""
        wants: list[Ticket] = []
        cancels: list[str] = []
        match happening:
            case Quoted():
                self._at_open(wants, cancels)
            case Filled():
                self._filled(wants, cancels)
            case Denied(key="entry"):
                self.adds -= self.was_added
            case Bar():
                self._at_close(wants, cancels)
            case _:
                pass
        return Turn(state, tuple(wants), tuple(cancels))

    # ── wishes ────────────────────────────────────────────────────────────────────────────────────

    def _at_open(self, wants: list[Ticket], cancels: list[str]) -> None:
        step = self.run.account.step
        flag = self.flags[step]
        if flag & k.WISHES and not self.p[k.AT_CLOSE]:
            decided = step - self.p[k.SHIFT]
            self._wish(flag, decided, self.run.account.equity[decided], wants, cancels)

    def _at_close(self, wants: list[Ticket], cancels: list[str]) -> None:
        account, leg = self.run.account, self.leg
        step, at_close = account.step, self.p[k.AT_CLOSE]
        if leg.pos and LEAVE not in leg.orders and step + (not at_close) >= self.time_at:
            wants.append(self._leaves(Reason.TIME, ALL))
        flag = self.flags[step]
        if at_close and flag & k.WISHES:
            decided = step - self.p[k.SHIFT]
            self._wish(flag, decided, account.worth() if decided == step else account.equity[decided], wants, cancels)
        if leg.pos and self.trade is not None:
            _instead(STOP, self._stop(), wants, cancels)

    def _wish(self, flag: int, decided: int, equity: int, wants: list[Ticket], cancels: list[str]) -> None:
        """Turn the wishes of bar `decided` into what is left and entered; the order of questions is the loop's."""
        p, leg = self.p, self.leg
        held = (leg.pos > 0) - (leg.pos < 0)
        enters = 1 if flag & k.LONG else -1 if flag & k.SHORT else 0
        leaves = {side for side, bit in ((1, k.LEAVE_LONG), (-1, k.LEAVE_SHORT)) if flag & bit}
        flips = held * enters < 0
        waits = leg.orders.get(ENTRY)
        if flips or held in leaves:
            wants.append(self._leaves(Reason.FLIP if flips and p[k.FLIPS] else Reason.LEAVE, ALL))
            cancels.append(ENTRY)
            waits = None
            if not flips or not p[k.FLIPS] or p[k.COOLDOWN] > 0:
                return
        if waits is not None and waits.sign in leaves:
            cancels.append(ENTRY)
        if enters == 0 or enters in leaves or self.run.account.step < self.cool_until:
            return
        resizes = held == enters and flag & k.RESIZE
        if held == enters and not resizes and self.adds >= p[k.PYRAMIDING]:
            return
        price = leg.lane.columns[3][decided]
        lots = self._size(decided, price, equity)
        if resizes:
            lots -= abs(leg.pos)
            if lots < 0:
                wants[:] = [each for each in wants if each.key != LEAVE]
                wants.append(self._leaves(Reason.LEAVE, -lots))
            if lots <= 0:
                cancels.append(ENTRY)
                return
        if lots < p[k.LOTS_MIN] or lots < -(-p[k.NOTIONAL_MIN] // (price * p[k.UNITS])):
            self.run.account.skipped += 1
            cancels.append(ENTRY)
            return
        self.was_added = held == enters
        self.adds += self.was_added
        wants.append(self._entry(enters, lots, decided, Reason.FLIP if flips else Reason.SIGNAL))

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

    def _entry(self, sign: int, lots: int, decided: int, reason: Reason) -> Ticket:
        self.entered_by = decided
        until = self.run.account.step + self.p[k.AT_CLOSE] + self.p[k.REST] - 1
        return Ticket(
            ENTRY, self._symbol, _NOTHING_WANTED * sign, sign=sign, lots=lots, limit=self._row(k.ROW_LIMIT, decided),
            trigger=self._row(k.ROW_TRIGGER, decided), reason=reason, decided=decided, until=until,
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
        return self._exit(LEAVE, lots, reason)

    def _filled(self, wants: list[Ticket], cancels: list[str]) -> None:
        """Place what a changed position needs; take away what it no longer does."""
        leg, account = self.leg, self.run.account
        trade = leg.trade
        if trade is None:
            side = self.trade.side if self.trade is not None else 0
            self.trade, self.time_at = None, ALL
            wait = self.p[k.COOLDOWN]
            self.cool_until = account.step + wait + 1 if wait > 0 else account.step
            cancels += [LEAVE, STOP, TARGET]
            if ENTRY in leg.orders and leg.orders[ENTRY].sign == side:
                cancels.append(ENTRY)
            return
        is_new = trade is not self.trade
        if is_new:
            self._begun(trade)
        if self.run.phase == INSIDE and account.fills[-1][1] * leg.pos > 0:
            self.no_take = account.step
        if not is_new and TARGET not in leg.orders and account.fills[-1][4] == Reason.TARGET:
            self.target_at, self.target_left = self.target_at + 1, -1
        _instead(STOP, self._stop(), wants, cancels)
        _instead(TARGET, self._target(trade), wants, cancels)

    def _begun(self, trade: Open) -> None:
        p, step = self.p, self.run.account.step
        self.trade, self.decided, self.adds = trade, self.entered_by, 0
        self.target_at, self.target_left = 0, -1
        self.distances = {
            slot: self._distance(slot, self.decided, trade.first_price)
            for slot in (k.D_STOP, k.D_TRAIL, k.D_AFTER, k.D_EVEN)
        }
        self.time_at = step + p[k.BARS_MOST] + p[k.LATENCY] if p[k.BARS_MOST] > 0 else ALL

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
        return [self._exit(STOP, ALL, reason, trigger=level)]

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
        stands = leg.orders.get(TARGET)
        if stands is not None and stands.frozen:
            self.target_left = stands.lots
        takes_all = at == count - 1 and self.shares[count] == PPM
        lots = ALL if takes_all else max(trade.lots * self.shares[at] // PPM, 1)
        if self.target_left >= 0:
            lots = self.target_left
        return [self._exit(TARGET, lots, Reason.TARGET, limit=level, late=self.no_take)]


def _instead(key: str, made: list[Ticket], wants: list[Ticket], cancels: list[str]) -> None:
    """Let an order stand in the place of what stood under its name; nothing, where there is none any more."""
    wants += made
    cancels += [] if made else [key]
