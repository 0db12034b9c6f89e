"""freqtrade: its backtest over candles from feather files, with a strategy from a file in a folder.

It asks an exchange for its markets before anything else, even for a backtest over local files. Here a stand-in says
them, and nothing leaves the machine. Its last trade is closed at the end of the data; that is taken back.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType, RunMode
from freqtrade.exceptions import DependencyException
from freqtrade.exchange import Binance
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.optimize.optimize_reports import generate_backtest_stats

from tests.peers.frame import CAPITAL, FEE, LOT, PLACES, SPAN_MS, Came, Market, Run, Unfinished

PACKAGE = "freqtrade"
TOLD = "its own statistics"
WHY: dict[str, str] = {}
STRATEGIES = Path(__file__).resolve().parent / "for_freqtrade"
ONE = "BTC/USDT:USDT"
TICK = 0.01
BOOK = {"price_side": "other", "use_order_book": True, "order_book_top": 1}


def _market(pair: str) -> dict[str, Any]:
    """Return what an exchange would say of a pair, in the words of ccxt."""
    base, swap = pair.partition("/")[0], ":" in pair
    return {
        "id": pair.partition(":")[0].replace("/", ""), "symbol": pair, "base": base, "quote": "USDT",
        "baseId": base, "quoteId": "USDT", "settle": "USDT" if swap else None, "settleId": "USDT" if swap else None,
        "type": "swap" if swap else "spot", "spot": not swap, "margin": False, "swap": swap, "future": False,
        "option": False, "contract": swap, "linear": swap or None, "inverse": False if swap else None,
        "contractSize": 1.0 if swap else None, "active": True, "taker": FEE, "maker": FEE, "percentage": True,
        "precision": {"amount": LOT, "price": TICK},
        "limits": {each: {"min": None, "max": None} for each in ("amount", "price", "cost", "leverage")}, "info": {},
    }  # fmt: skip


class StandIn(Binance):
    """An exchange whose markets are said here."""

    async def _api_reload_markets(self, reload: bool = False) -> None:  # noqa: FBT001, FBT002 - the name and the form are its own
        self._api_async.set_markets([_market(pair) for pair in self._config["exchange"]["pair_whitelist"]])


def _columns(market: Market) -> pd.DataFrame:
    names = ("open", "high", "low", "close")
    found = pd.DataFrame({name: getattr(market, name) for name in names})
    found.insert(0, "date", pd.to_datetime(market.opened_ms, unit="ms", utc=True))
    found["volume"] = 1e6
    return found


def _written(place: Path, markets: Mapping[str, Market], kind: CandleType) -> None:
    """Write candles where it looks for them, and what it asks for perpetuals: marks, and funding of nothing."""
    handler = get_datahandler(place, "feather")
    for pair, market in markets.items():
        candles = _columns(market)
        handler.ohlcv_store(pair, "1m", candles, kind)
        if kind is CandleType.FUTURES:
            hours = candles[candles["date"].dt.minute == 0]
            handler.ohlcv_store(pair, "1h", hours, CandleType.MARK)
            handler.ohlcv_store(pair, "1h", hours[["date"]].assign(funding_rate=0.0), CandleType.FUNDING_RATE)


def _ready(strategy: str, markets: Mapping[str, Market], *, short: bool, places: int) -> Backtesting:
    place = Path.cwd() / "freqtrade" / ("perpetual" if short else "spot")
    place.mkdir(parents=True, exist_ok=True)
    kind = CandleType.FUTURES if short else CandleType.SPOT
    _written(place, markets, kind)
    config: dict[str, Any] = {
        "runmode": RunMode.BACKTEST, "dry_run": True, "dry_run_wallet": CAPITAL, "fee": FEE,
        "stake_currency": "USDT", "stake_amount": "unlimited", "tradable_balance_ratio": 1.0, "max_open_trades": places,
        "timeframe": "1m", "trading_mode": "futures" if short else "spot", "margin_mode": "isolated" if short else "",
        "candle_type_def": kind, "datadir": place, "user_data_dir": place, "dataformat_ohlcv": "feather",
        "strategy": strategy, "strategy_path": str(STRATEGIES), "export": "none",
        "exchange": {"name": "binance", "pair_whitelist": list(markets), "pair_blacklist": []},
        "pairlists": [{"method": "StaticPairList"}],
        "entry_pricing": BOOK, "exit_pricing": BOOK,
    }  # fmt: skip
    return Backtesting(config, StandIn(config, load_leverage_tiers=True))


def _came(test: Backtesting, data: dict[str, pd.DataFrame], timerange: Any) -> Came:
    (strategy,) = test.strategylist
    first, last = test.backtest_one_strategy(strategy, {pair: frame.copy() for pair, frame in data.items()}, timerange)
    generate_backtest_stats(data, test.all_bt_content, min_date=first, max_date=last)
    trades = test.all_bt_content[strategy.get_strategy_name()]["results"]
    ended = trades["exit_reason"] == "force_exit"
    final = CAPITAL + trades.loc[~ended, "profit_abs"].sum()
    for each in trades[ended].itertuples():
        close = data[each.pair]["close"].iloc[-1]
        made = (each.open_rate - close) if each.is_short else (close - each.open_rate)
        final += each.amount * (made - each.open_rate * FEE)
    return Came(len(trades), float(final), TOLD)


def _run(strategy: str, market: Market, deadline: float, *, short: bool = True, places: int = 1) -> Run:
    logging.disable(logging.INFO)
    asyncio.set_event_loop(asyncio.new_event_loop())
    markets = {ONE: market} if short else {f"C{at:02}/USDT": each for at, each in enumerate(market.each())}
    test = _ready(strategy, markets, short=short, places=places)
    data, timerange = test.load_bt_data()

    def run() -> Came:
        hurry = threading.Timer(deadline - time.perf_counter(), setattr, (test, "abort", True))
        hurry.daemon = True
        hurry.start()
        try:
            return _came(test, data, timerange)
        except DependencyException:
            done = (test.wallet_captures[-1][0].timestamp() * 1_000 - market.opened_ms[0]) // SPAN_MS
            raise Unfinished(f"{int(done):,} of {len(market.opened_ms):,} bars") from None
        finally:
            hurry.cancel()

    return run


ROWS = {
    "flip": partial(_run, "Crossing"),
    "stops": partial(_run, "Guarded"),
    "portfolio": partial(_run, "Sharing", short=False, places=PLACES),
}
