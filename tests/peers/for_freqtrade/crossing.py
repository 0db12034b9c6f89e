"""What freqtrade is asked to trade: it reads its strategies from files in a folder, by the names of their classes."""

from datetime import datetime
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from freqtrade.persistence import LocalTrade
from freqtrade.strategy import IStrategy

from tests.peers.frame import FAST, FEE, LOT, SLOW, STOP, TAKE, crossings, lots_wanted, sma

NEVER = 10.0
"""A share of the price that no trade of these candles comes to: its stop and its target cannot be left out."""


class Crossing(IStrategy):
    """One, long or short, turned round where the averages have crossed."""

    INTERFACE_VERSION = 3
    timeframe = "1m"
    can_short = True
    startup_candle_count = 0
    minimal_roi: ClassVar = {"0": NEVER}
    stoploss = -0.99
    use_exit_signal = True
    process_only_new_candles = True
    order_types: ClassVar = {"entry": "market", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False}

    def populate_indicators(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Find where the averages cross."""
        close = dataframe["close"].to_numpy()
        dataframe["above"], dataframe["below"] = crossings(sma(close, FAST), sma(close, SLOW))
        return dataframe

    def populate_entry_trend(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Enter on either side."""
        dataframe["enter_long"] = dataframe["above"].astype(int)
        dataframe["enter_short"] = dataframe["below"].astype(int)
        return dataframe

    def populate_exit_trend(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Leave where the other side is entered."""
        dataframe["exit_long"] = dataframe["below"].astype(int)
        dataframe["exit_short"] = dataframe["above"].astype(int)
        return dataframe

    def custom_stake_amount(self, pair: str, current_time: datetime, current_rate: float, **told: Any) -> float:
        """Pay for one, and for half a lot more, because what is bought is cut to whole lots."""
        return current_rate * (1 + LOT / 2)


class Guarded(Crossing):
    """With a stop and a target."""

    stoploss = -STOP
    use_custom_roi = True

    def custom_roi(self, pair: str, trade: LocalTrade, current_time: datetime, side: str, **told: Any) -> float:
        """Return the gain at the target: it counts gains behind both fees, ours is a distance of the price."""
        if side == "long":
            return (1 + TAKE) * (1 - FEE) / (1 + FEE) - 1
        return 1 - (1 - TAKE) * (1 + FEE) / (1 - FEE)


class Sharing(Crossing):
    """Many instruments on one account, long: a tenth of equity each, who comes first by number."""

    can_short = False
    closes: dict[str, np.ndarray[Any, Any]]
    entered: np.ndarray[Any, Any]

    def populate_indicators(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Keep the closes, which say what is held is worth, and the bars at which anything may be entered."""
        found = super().populate_indicators(dataframe, metadata)
        self.closes[metadata["pair"]] = found["close"].to_numpy()
        self.entered |= found["above"].to_numpy()
        return found

    def advise_all_indicators(self, data: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
        """Begin with no columns."""
        bars = len(next(iter(data.values())))
        self.closes, self.entered, self.at = {}, np.zeros(bars, np.bool_), 0
        found: dict[str, pd.DataFrame] = super().advise_all_indicators(data)
        return found

    def populate_entry_trend(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Enter long."""
        dataframe["enter_long"] = dataframe["above"].astype(int)
        return dataframe

    def populate_exit_trend(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Leave where they have crossed below."""
        dataframe["exit_long"] = dataframe["below"].astype(int)
        return dataframe

    def bot_loop_start(self, current_time: datetime, **told: Any) -> None:
        """Tell what the account is worth at the close that decides, before anything leaves."""
        # It begins with the second bar. So this is the number of the bar that has just closed.
        if self.entered[self.at]:
            held = sum(each.amount * self.closes[each.pair][self.at] for each in LocalTrade.bt_trades_open)
            self.worth = self._cash() + float(held)
        self.at += 1

    def custom_stake_amount(self, pair: str, current_time: datetime, current_rate: float, **told: Any) -> float:
        """Return what a tenth comes to in whole lots, and half a lot more, which is cut off."""
        lots = lots_wanted(self.worth, self._cash(), current_rate)
        return float((lots + 0.5) * LOT * current_rate) if lots else 0.0

    def _cash(self) -> float:
        """Return what is left: its wallet takes the fee of an entry only when that is closed."""
        spent = sum(each.stake_amount for each in LocalTrade.bt_trades_open)
        return float(self.wallets.get_free("USDT") - FEE * spent)
