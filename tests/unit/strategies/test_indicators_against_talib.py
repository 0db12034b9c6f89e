"""The same numbers as TA-Lib gives, on a seeded market, wherever both know the formula.

Where TA-Lib begins an average differently (it lets MACD's fast average begin late, sums one bar less for ADX), the two
meet after some time: `from_bar` says from where on they are compared. What TA-Lib defines otherwise is told in the
docstring of ours (CMO) or turned here (place of a window's first bar).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import talib

from tests.unit.strategies.markets import market
from tests.unit.strategies.uncompiled import catalogue

BARS = 900
LATE = 600  # an average of 30 bars has forgotten how it began: its weight there is below 1e-15
COLUMNS = market(BARS, 42, calm=True)
C: dict[str, Any] = {name: COLUMNS[name] for name in ("open", "high", "low", "close", "volume", "other")}
HLC = (C["high"], C["low"], C["close"])
HLCV = (*HLC, C["volume"])

# TA-Lib's numbers of its averages; its stubs do not export the names.
SIMPLE: Any = 0
EXPONENTIAL: Any = 1

Case = tuple[str, dict[str, float], Callable[[], Any], int]


def from_start(column: Any) -> Any:
    """Return a running sum as it grows from its first bar on: what it counted before has no meaning."""
    return column - column[0]


def ema_kind(function: Any, *bars: int) -> Any:
    """Call a function of TA-Lib with exponential averages."""
    return function(C["close"], *bars, EXPONENTIAL)


CASES: list[Case] = [
    ("sma", {"period": 20}, lambda: talib.SMA(C["close"], 20), 0),
    ("ema", {"period": 20}, lambda: talib.EMA(C["close"], 20), 0),
    ("wma", {"period": 20}, lambda: talib.WMA(C["close"], 20), 0),
    ("trima", {"period": 20}, lambda: talib.TRIMA(C["close"], 20), 0),
    ("trima", {"period": 21}, lambda: talib.TRIMA(C["close"], 21), 0),
    ("dema", {"period": 20}, lambda: talib.DEMA(C["close"], 20), 0),
    ("tema", {"period": 20}, lambda: talib.TEMA(C["close"], 20), 0),
    ("t3", {"period": 5, "hump": 0.7}, lambda: talib.T3(C["close"], 5, 0.7), LATE),
    ("kama", {"period": 10}, lambda: talib.KAMA(C["close"], 10), 0),
    ("rsi", {"period": 14}, lambda: talib.RSI(C["close"], 14), 0),
    ("momentum", {"period": 10}, lambda: talib.MOM(C["close"], 10), 0),
    ("roc", {"period": 10}, lambda: talib.ROC(C["close"], 10), 0),
    ("stochastic", {"period": 5}, lambda: talib.STOCH(*HLC, 5, 3, SIMPLE, 3, SIMPLE), 8),
    ("stoch_rsi", {"smooth": 1}, lambda: talib.STOCHRSI(C["close"], 14, 14, 3, SIMPLE), 40),
    ("williams_r", {"period": 14}, lambda: talib.WILLR(*HLC, 14), 0),
    ("cci", {"period": 20}, lambda: talib.CCI(*HLC, 20), 0),
    ("apo", {}, lambda: ema_kind(talib.APO, 12, 26), LATE),
    ("macd", {}, lambda: talib.MACD(C["close"], 12, 26, 9), LATE),
    ("ppo", {}, lambda: ema_kind(talib.PPO, 12, 26), LATE),
    ("trix", {"period": 15}, lambda: talib.TRIX(C["close"], 15), 0),
    ("ultimate", {}, lambda: talib.ULTOSC(*HLC, 7, 14, 28), 0),
    ("true_range", {}, lambda: talib.TRANGE(*HLC), 0),
    ("atr", {"period": 14}, lambda: talib.ATR(*HLC, 14), 0),
    ("natr", {"period": 14}, lambda: talib.NATR(*HLC, 14), 0),
    ("bollinger", {"period": 20}, lambda: talib.BBANDS(C["close"], 20, 2.0, 2.0, SIMPLE), 0),
    ("dmi", {}, lambda: (talib.PLUS_DI(*HLC, 14), talib.MINUS_DI(*HLC, 14), talib.DX(*HLC, 14)), LATE),
    ("adx", {}, lambda: (talib.ADX(*HLC, 14), talib.ADXR(*HLC, 14)), LATE),
    ("aroon", {}, lambda: (*talib.AROON(*HLC[:2], 14)[::-1], talib.AROONOSC(*HLC[:2], 14)), 0),
    ("psar", {}, lambda: talib.SAR(*HLC[:2], 0.02, 0.2), 0),
    ("obv", {}, lambda: from_start(talib.OBV(C["close"], C["volume"])), 0),
    ("ad", {}, lambda: talib.AD(*HLCV), 0),
    ("adosc", {}, lambda: talib.ADOSC(*HLCV, 3, 10), LATE),
    ("mfi", {"period": 14}, lambda: talib.MFI(*HLCV, 14), 0),
    ("variance", {"period": 20}, lambda: talib.VAR(C["close"], 20, 1.0), 0),
    ("std_dev", {"period": 20}, lambda: talib.STDDEV(C["close"], 20, 1.0), 0),
    (
        "linear_regression",
        {"period": 14},
        lambda: tuple(
            getattr(talib, f"LINEARREG{part}")(C["close"], 14) for part in ("", "_SLOPE", "_ANGLE", "_INTERCEPT")
        ),
        0,
    ),
    ("correlation", {"period": 30}, lambda: talib.CORREL(C["close"], C["other"], 30), 0),
    ("beta", {"period": 30}, lambda: talib.BETA(C["other"], C["close"], 30), 0),
    ("highest", {"period": 20}, lambda: talib.MAX(C["close"], 20), 0),
    ("lowest", {"period": 20}, lambda: talib.MIN(C["close"], 20), 0),
    ("typical_price", {}, lambda: talib.TYPPRICE(*HLC), 0),
    ("median_price", {}, lambda: talib.MEDPRICE(*HLC[:2]), 0),
    ("weighted_close", {}, lambda: talib.WCLPRICE(*HLC), 0),
]


@pytest.mark.parametrize(("name", "chosen", "theirs", "from_bar"), CASES, ids=[case[0] for case in CASES])
def test_it_is_what_talib_says(name: str, chosen: dict[str, float], theirs: Callable[[], Any], from_bar: int) -> None:
    """Users compare with their charts first, and most charts compute as TA-Lib does."""
    ours = list(catalogue()[name].calculate(COLUMNS, **chosen).values())
    answer = theirs()
    for mine, his in zip(ours, answer if isinstance(answer, tuple) else (answer,), strict=False):
        # TA-Lib tells some functions from a later bar on; where it tells, ours tells the same.
        told = ~np.isnan(his)
        told[:from_bar] = False
        assert told.sum() > 250
        np.testing.assert_allclose(mine[told], his[told], rtol=1e-9, atol=1e-9)


def test_the_relative_strength_is_the_cmo_of_talib() -> None:
    """TA-Lib's CMO smooths as the RSI does, so that it is twice the RSI less 100; ours sums, as Chande wrote."""
    strength = catalogue()["rsi"].calculate(COLUMNS, period=14)["rsi"]

    np.testing.assert_allclose(2.0 * strength[20:] - 100.0, talib.CMO(C["close"], 14)[20:], rtol=1e-9, atol=1e-9)


def test_engulfing_bodies_are_those_of_talib() -> None:
    """TA-Lib counts bodies that only touch as well; whatever ours finds, TA-Lib finds."""
    ours = catalogue()["engulfing"].calculate(COLUMNS)["pattern"]
    theirs = talib.CDLENGULFING(C["open"], C["high"], C["low"], C["close"])
    found = np.nan_to_num(ours) != 0.0

    assert found.sum() > 20
    np.testing.assert_array_equal(np.sign(theirs[found]), ours[found])
