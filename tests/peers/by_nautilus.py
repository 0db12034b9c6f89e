"""nautilus_trader: an event engine with a simulated exchange; a strategy object called at each bar.

A market order fills at the close at which it was decided. In these candles that is the next open.
"""

import time
from decimal import Decimal
from functools import partial
from itertools import count

import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide, TimeInForce
from nautilus_trader.model.events import PositionClosed, PositionOpened
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

from tests.peers.frame import (
    CAPITAL,
    FAST,
    FEE,
    LOT,
    PAIRS,
    PLACES,
    SLOW,
    SPAN_MS,
    STOP,
    SWEEP_BARS,
    TAKE,
    TRAIL,
    Averages,
    Came,
    Market,
    Run,
    Unfinished,
    lots_wanted,
)

PACKAGE = "nautilus_trader"
TOLD = "no statistics"
VENUE = Venue("BENCH")
WHY: dict[str, str] = {}


def _instrument(name: str) -> CryptoPerpetual:
    return CryptoPerpetual(
        instrument_id=InstrumentId(Symbol(name), VENUE), raw_symbol=Symbol(name), base_currency=BTC,
        quote_currency=USDT, settlement_currency=USDT, is_inverse=False, price_precision=2, size_precision=3,
        price_increment=Price.from_str("0.01"), size_increment=Quantity.from_str("0.001"), ts_event=0, ts_init=0,
        margin_init=Decimal("0.01"), margin_maint=Decimal("0.005"), maker_fee=Decimal(str(FEE)),
        taker_fee=Decimal(str(FEE)),
    )  # fmt: skip


def _bars(instrument: CryptoPerpetual, market: Market) -> list[Bar]:
    names = ("open", "high", "low", "close")
    closed = pd.to_datetime(market.opened_ms + SPAN_MS, unit="ms", utc=True)
    frame = pd.DataFrame({name: getattr(market, name) for name in names} | {"volume": 1_000_000.0}, index=closed)
    return list(BarDataWrangler(_bar_type(instrument), instrument).process(frame))


def _bar_type(instrument: CryptoPerpetual) -> BarType:
    return BarType.from_str(f"{instrument.id}-1-MINUTE-LAST-EXTERNAL")


class Crossing(Strategy):
    """Turns round where the averages have crossed."""

    def __init__(self, instruments: list[CryptoPerpetual], pair: tuple[int, int], deadline: float) -> None:
        """Begin with no closes."""
        super().__init__(StrategyConfig(order_id_tag="1"))
        self.instruments = {each.id: each for each in instruments}
        self.averages = {each.id: Averages(*pair) for each in instruments}
        self.closes: dict[InstrumentId, float] = {}
        self.deadline = deadline
        self.opened = 0
        self.held = 0
        self.left = count(1)

    def on_start(self) -> None:
        """Ask for bars."""
        for instrument in self.instruments.values():
            self.subscribe_bars(_bar_type(instrument))

    def on_bar(self, bar: Bar) -> None:
        """Turn round."""
        done = next(self.left)
        if done % 1_000 == 0 and time.perf_counter() > self.deadline:
            raise Unfinished(f"{done:,} bars")
        name = bar.bar_type.instrument_id
        self.before(bar)
        close = self.closes[name] = float(bar.close)
        sign = self.averages[name].turn(close)
        if sign:
            self.turn_round(bar, sign)

    def before(self, bar: Bar) -> None:
        """Do nothing more."""

    def turn_round(self, bar: Bar, sign: int) -> None:
        """Close one and open one."""
        name = bar.bar_type.instrument_id
        self.market(name, sign, Quantity.from_int(2 if self.held else 1))

    def market(self, name: InstrumentId, side: int, quantity: Quantity, *, closes: bool = False) -> None:
        """Send an order at the market."""
        order = self.order_factory.market(
            name, OrderSide.BUY if side > 0 else OrderSide.SELL, self.instruments[name].make_qty(quantity),
            time_in_force=TimeInForce.IOC, reduce_only=closes,
        )  # fmt: skip
        self.submit_order(order)

    def on_position_opened(self, event: PositionOpened) -> None:
        """Count it."""
        self.opened += 1
        self.held += 1

    def on_position_closed(self, event: PositionClosed) -> None:
        """Count it."""
        self.held -= 1


class Guarded(Crossing):
    """With a stop and a target at the exchange as soon as the entry is filled."""

    trails = False

    def turn_round(self, bar: Bar, sign: int) -> None:
        """Take the guards away, close, open."""
        name = bar.bar_type.instrument_id
        self.cancel_all_orders(name)
        super().turn_round(bar, sign)

    def on_position_opened(self, event: PositionOpened) -> None:
        """Guard it."""
        super().on_position_opened(event)
        self.entry, self.side = event.avg_px_open, 1 if event.entry == OrderSide.BUY else -1
        self.best = self.entry
        instrument, leave = self.instruments[event.instrument_id], OrderSide.SELL if self.side > 0 else OrderSide.BUY
        away = TRAIL if self.trails else STOP
        one = instrument.make_qty(1)
        self.guard = self.order_factory.stop_market(
            instrument.id, leave, one, instrument.make_price(self.entry * (1 - self.side * away)), reduce_only=True
        )
        self.submit_order(self.guard)
        self.submit_order(
            self.order_factory.limit(
                instrument.id, leave, one, instrument.make_price(self.entry * (1 + self.side * TAKE)), reduce_only=True
            )
        )

    def on_position_closed(self, event: PositionClosed) -> None:
        """Take what is left of the guards away."""
        super().on_position_closed(event)
        self.cancel_all_orders(event.instrument_id)


class Trailed(Guarded):
    """The stop follows the best price of the bars before."""

    trails = True

    def before(self, bar: Bar) -> None:
        """Move the stop."""
        if not self.held:
            return
        best = max(self.best, float(bar.high)) if self.side > 0 else min(self.best, float(bar.low))
        if best != self.best:
            self.best = best
            level = best - self.side * self.entry * TRAIL
            self.modify_order(self.guard, trigger_price=self.instruments[bar.bar_type.instrument_id].make_price(level))


class Sharing(Crossing):
    """Many instruments on one account; decides with the last bar of a minute, who comes first by number."""

    def on_start(self) -> None:
        """Begin without wishes."""
        super().on_start()
        self.signs: dict[InstrumentId, int] = {}
        self.last = list(self.instruments)[-1]

    def turn_round(self, bar: Bar, sign: int) -> None:
        """Keep it until all have told theirs."""
        self.signs[bar.bar_type.instrument_id] = sign

    def on_bar(self, bar: Bar) -> None:
        """Leave first, then enter."""
        super().on_bar(bar)
        if bar.bar_type.instrument_id != self.last or not self.signs:
            return
        worth = _worth(self)
        held = {each.instrument_id: float(each.quantity) * self.closes[each.instrument_id]
                for each in self.cache.positions_open()}  # fmt: skip
        cash = worth - sum(held.values())
        for name, sign in self.signs.items():
            if sign < 0 and name in held:
                self.close_all_positions(name)
                cash += held.pop(name) * (1 - FEE)
        for name, sign in self.signs.items():
            if sign > 0 and len(held) < PLACES and name not in held:
                lots = lots_wanted(worth, cash, self.closes[name])
                if lots:
                    held[name] = lots * LOT * self.closes[name]
                    cash -= held[name] * (1 + FEE)
                    self.market(name, 1, lots * Decimal(str(LOT)))
        self.signs.clear()


def _worth(strategy: Crossing) -> float:
    balance = float(strategy.portfolio.account(VENUE).balance_total(USDT))
    held = strategy.cache.positions_open()
    made = sum((strategy.closes[e.instrument_id] - e.avg_px_open) * float(e.signed_qty) for e in held)
    return balance + float(made)


def _engine(many: dict[CryptoPerpetual, list[Bar]]) -> BacktestEngine:
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False))
    engine.add_venue(
        VENUE, oms_type=OmsType.NETTING, account_type=AccountType.MARGIN, base_currency=None,
        starting_balances=[Money(CAPITAL, USDT)], default_leverage=Decimal(1),
    )  # fmt: skip
    for instrument, bars in many.items():
        engine.add_instrument(instrument)
        engine.add_data(bars)
    return engine


def _came(engine: BacktestEngine, strategy: Crossing) -> Came:
    engine.add_strategy(strategy)
    engine.run()
    found = Came(strategy.opened, _worth(strategy), TOLD)
    engine.reset()
    engine.clear_strategies()
    return found


def _one(kind: type[Crossing], market: Market, deadline: float) -> Run:
    instrument = _instrument("BTCUSDT")
    engine = _engine({instrument: _bars(instrument, market)})
    return lambda: _came(engine, kind([instrument], (FAST, SLOW), deadline))


def _sweep(market: Market, deadline: float) -> Run:
    instrument = _instrument("BTCUSDT")
    engine = _engine({instrument: _bars(instrument, market.before(SWEEP_BARS))})

    def run() -> Came:
        found: list[Came] = []
        for pair in PAIRS:
            try:
                found.append(_came(engine, Crossing([instrument], pair, deadline)))
            except Unfinished:
                raise Unfinished(f"{len(found)} of {len(PAIRS)} pairs") from None
        return Came(sum(each.trades for each in found), sum(each.final for each in found), TOLD)

    return run


def _portfolio(market: Market, deadline: float) -> Run:
    many = {}
    for number, each in enumerate(market.each()):
        instrument = _instrument(f"C{number:02}USDT")
        many[instrument] = _bars(instrument, each)
    engine = _engine(many)
    return lambda: _came(engine, Sharing(list(many), (FAST, SLOW), deadline))


ROWS = {
    "flip": partial(_one, Crossing),
    "stops": partial(_one, Guarded),
    "trail": partial(_one, Trailed),
    "sweep": _sweep,
    "portfolio": _portfolio,
    "turns": partial(_one, Crossing),
}
