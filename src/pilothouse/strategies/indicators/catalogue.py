"""Every indicator, by name: what it takes, its settings with their bounds, what it answers, and after how many bars."""

from collections.abc import Callable
from types import ModuleType

from pilothouse.core.errors import NotFound
from pilothouse.strategies.indicators import (
    averages,
    bands,
    lagless,
    momentum,
    oscillators,
    prices,
    sessions,
    statistics,
    stops,
    trend,
    volatility,
    volume,
    volume_price,
)
from pilothouse.strategies.indicators.indicator import Indicator, Memory, Setting

VALUES = ("values",)
HL = ("high", "low")
HLC = ("high", "low", "close")
HLCV = ("high", "low", "close", "volume")
CV = ("close", "volume")
OHLC = ("open", "high", "low", "close")
WINDOW, FADING, ALL = Memory.WINDOW, Memory.FADING, Memory.ALL
MOST_BARS = 5_000


class NoSuchIndicator(NotFound):
    """The catalogue has no indicator of this name."""

    code = "no_such_indicator"

    def __init__(self, name: str) -> None:
        """Keep the name that was asked for."""
        super().__init__(f"no indicator is called '{name}'; the catalogue is docs/reference/indicators.md")
        self.name = name


def find(name: str) -> Indicator:
    """Return the indicator of this name. Raises NoSuchIndicator."""
    if name not in CATALOGUE:
        raise NoSuchIndicator(name)
    return CATALOGUE[name]


def _bars(name: str, default: int, least: int = 1) -> Setting:
    return Setting(name, default, least, MOST_BARS)


def _period(default: int, least: int = 1) -> Setting:
    return _bars("period", default, least)


def _width(default: float) -> Setting:
    return Setting("width", default, 0.0, 100.0)


def _of(
    name: str,
    family: str,
    module: ModuleType,
    inputs: tuple[str, ...],
    settings: tuple[Setting, ...],
    outputs: tuple[str, ...],
    warm_up: Callable[..., int],
    memory: Memory = WINDOW,
) -> Indicator:
    """Return the entry of the function `name` in `module`; its twin has the same name, written as classes are."""
    twin = getattr(module, "".join(part.capitalize() for part in name.split("_")))
    return Indicator(name, family, getattr(module, name), twin, inputs, settings, outputs, warm_up, memory)


def _before(period: int, *_: float) -> int:
    return period - 1


def _all(period: int, *_: float) -> int:
    return period


def _none(*_: float) -> int:
    return 0


def _one(*_: float) -> int:
    return 1


YEAR = Setting("bars_per_year", 365.0, 1.0, 32_000_000.0)

AVERAGES = (
    _of("sma", "averages", averages, VALUES, (_period(20),), ("sma",), _before, WINDOW),
    _of("ema", "averages", averages, VALUES, (_period(20),), ("ema",), _before, FADING),
    _of("rma", "averages", averages, VALUES, (_period(14),), ("rma",), _before, FADING),
    _of("wma", "averages", averages, VALUES, (_period(20),), ("wma",), _before, WINDOW),
    _of("trima", "averages", averages, VALUES, (_period(20),), ("trima",), _before, WINDOW),
    _of("vwma", "averages", averages, ("values", "volume"), (_period(20),), ("vwma",), _before),
    _of(
        "alma",
        "averages",
        averages,
        VALUES,
        (_period(9), Setting("offset", 0.85, 0.0, 1.0), Setting("sigma", 6.0, 0.1, 100.0)),
        ("alma",),
        lambda period, _offset, _sigma: period - 1,
    ),
    _of("dema", "averages", lagless, VALUES, (_period(20),), ("dema",), lambda period: 2 * (period - 1), FADING),
    _of("tema", "averages", lagless, VALUES, (_period(20),), ("tema",), lambda period: 3 * (period - 1), FADING),
    _of(
        "hma",
        "averages",
        lagless,
        VALUES,
        (_period(16, 2),),
        ("hma",),
        lambda period: period + int(period**0.5 + 0.5) - 2,
        WINDOW,
    ),
    _of(
        "zlema",
        "averages",
        lagless,
        VALUES,
        (_period(20),),
        ("zlema",),
        lambda period: (period - 1) // 2 + period - 1,
        FADING,
    ),
    _of(
        "kama",
        "averages",
        lagless,
        VALUES,
        (_period(10), _bars("fast", 2), _bars("slow", 30)),
        ("kama",),
        lambda period, _fast, _slow: period,
        FADING,
    ),
    _of(
        "t3",
        "averages",
        lagless,
        VALUES,
        (_period(5), Setting("hump", 0.7, 0.0, 1.0)),
        ("t3",),
        lambda period, _hump: 6 * (period - 1),
        FADING,
    ),
    _of(
        "mcginley",
        "averages",
        lagless,
        VALUES,
        (_period(14), Setting("constant", 0.6, 0.1, 10.0)),
        ("mcginley",),
        lambda period, _constant: period - 1,
        FADING,
    ),
)

MOMENTUM = (
    _of("rsi", "momentum", momentum, VALUES, (_period(14),), ("rsi",), _all, FADING),
    _of("momentum", "momentum", momentum, VALUES, (_period(10),), ("momentum",), _all),
    _of("roc", "momentum", momentum, VALUES, (_period(10),), ("roc",), _all),
    _of("cmo", "momentum", momentum, VALUES, (_period(14),), ("cmo",), _all),
    _of(
        "stochastic",
        "momentum",
        momentum,
        HLC,
        (_period(14), _bars("smooth", 3), _bars("signal", 3)),
        ("k", "d"),
        lambda period, smooth, signal: period + smooth + signal - 3,
    ),
    _of(
        "stoch_rsi",
        "momentum",
        momentum,
        VALUES,
        (_period(14), _bars("window", 14), _bars("smooth", 3), _bars("signal", 3)),
        ("k", "d"),
        lambda period, window, smooth, signal: period + window + smooth + signal - 3,
        FADING,
    ),
    _of("williams_r", "momentum", momentum, HLC, (_period(14),), ("williams_r",), _before),
    _of("cci", "momentum", momentum, HLC, (_period(20),), ("cci",), _before),
    _of(
        "coppock",
        "momentum",
        momentum,
        VALUES,
        (_bars("slow", 14), _bars("fast", 11), _period(10)),
        ("coppock",),
        lambda slow, fast, period: max(slow, fast) + period - 1,
    ),
    _of(
        "tsi",
        "momentum",
        momentum,
        VALUES,
        (_bars("slow", 25), _bars("fast", 13), _bars("signal", 7)),
        ("tsi", "signal"),
        lambda slow, fast, signal: slow + fast + signal - 2,
        FADING,
    ),
)

FAST, SLOW, SIGNAL = _bars("fast", 12), _bars("slow", 26), _bars("signal", 9)

OSCILLATORS = (
    _of(
        "apo",
        "oscillators",
        oscillators,
        VALUES,
        (FAST, SLOW),
        ("apo",),
        lambda fast, slow: max(fast, slow) - 1,
        FADING,
    ),
    _of(
        "macd",
        "oscillators",
        oscillators,
        VALUES,
        (FAST, SLOW, SIGNAL),
        ("macd", "signal", "histogram"),
        lambda fast, slow, signal: max(fast, slow) + signal - 2,
        FADING,
    ),
    _of(
        "ppo",
        "oscillators",
        oscillators,
        VALUES,
        (FAST, SLOW, SIGNAL),
        ("ppo", "signal", "histogram"),
        lambda fast, slow, signal: max(fast, slow) + signal - 2,
        FADING,
    ),
    _of(
        "trix",
        "oscillators",
        oscillators,
        VALUES,
        (_period(15),),
        ("trix",),
        lambda period: 3 * (period - 1) + 1,
        FADING,
    ),
    _of(
        "awesome",
        "oscillators",
        oscillators,
        HL,
        (_bars("fast", 5), _bars("slow", 34)),
        ("awesome",),
        lambda fast, slow: max(fast, slow) - 1,
    ),
    _of(
        "ultimate",
        "oscillators",
        oscillators,
        HLC,
        (_bars("fast", 7), _bars("middle", 14), _bars("slow", 28)),
        ("ultimate",),
        lambda *bars: max(bars),
    ),
    _of(
        "dpo",
        "oscillators",
        oscillators,
        VALUES,
        (_period(20, 2),),
        ("dpo",),
        lambda period: max(period - 1, period // 2 + 1),
    ),
    _of(
        "fisher",
        "oscillators",
        oscillators,
        HL,
        (_period(9),),
        ("fisher", "before"),
        _all,
        FADING,
    ),
    _of(
        "elder_ray",
        "oscillators",
        oscillators,
        HLC,
        (_period(13),),
        ("bull", "bear"),
        _before,
        FADING,
    ),
)

VOLATILITY = (
    _of("true_range", "volatility", volatility, HLC, (), ("true_range",), _one),
    _of("atr", "volatility", volatility, HLC, (_period(14),), ("atr",), _all, FADING),
    _of("natr", "volatility", volatility, HLC, (_period(14),), ("natr",), _all, FADING),
    _of(
        "realised_volatility",
        "volatility",
        volatility,
        VALUES,
        (_period(20, 2), YEAR),
        ("volatility",),
        lambda period, _year: period,
    ),
    _of(
        "parkinson",
        "volatility",
        volatility,
        HL,
        (_period(20), YEAR),
        ("volatility",),
        lambda period, _year: period - 1,
    ),
    _of(
        "chaikin_volatility",
        "volatility",
        volatility,
        HL,
        (_period(10), _bars("change", 10)),
        ("change",),
        lambda period, change: period - 1 + change,
        FADING,
    ),
    _of(
        "ulcer",
        "volatility",
        volatility,
        VALUES,
        (_period(14),),
        ("ulcer",),
        lambda period: 2 * (period - 1),
    ),
    _of(
        "choppiness",
        "volatility",
        volatility,
        HLC,
        (_period(14, 2),),
        ("choppiness",),
        _all,
    ),
    _of(
        "mass_index",
        "volatility",
        volatility,
        HL,
        (_period(9), _bars("window", 25)),
        ("mass_index",),
        lambda period, window: 2 * (period - 1) + window - 1,
        FADING,
    ),
)

BAND = ("upper", "middle", "lower")

BANDS = (
    _of(
        "bollinger",
        "bands",
        bands,
        VALUES,
        (_period(20), _width(2.0)),
        BAND,
        _before,
    ),
    _of(
        "bollinger_place",
        "bands",
        bands,
        VALUES,
        (_period(20), _width(2.0)),
        ("place", "width"),
        _before,
    ),
    _of(
        "keltner",
        "bands",
        bands,
        HLC,
        (_period(20), _bars("range_period", 10), _width(2.0)),
        BAND,
        lambda period, range_period, _width: max(period - 1, range_period),
        FADING,
    ),
    _of("donchian", "bands", bands, HL, (_period(20),), BAND, _before),
    _of(
        "nadaraya_watson",
        "bands",
        bands,
        VALUES,
        (_period(100), Setting("bandwidth", 8.0, 0.1, 1000.0), _width(3.0)),
        BAND,
        lambda period, _bandwidth, _width: 2 * (period - 1),
    ),
)

TREND = (
    _of("dmi", "trend", trend, HLC, (_period(14),), ("plus", "minus", "dx"), _all, FADING),
    _of("adx", "trend", trend, HLC, (_period(14),), ("adx", "adxr"), lambda period: 3 * period - 2, FADING),
    _of("aroon", "trend", trend, HL, (_period(14),), ("up", "down", "oscillator"), _all),
    _of("vortex", "trend", trend, HLC, (_period(14),), ("plus", "minus"), _all),
    _of(
        "ichimoku",
        "trend",
        trend,
        HL,
        (_bars("fast", 9), _bars("slow", 26), _bars("cloud", 52), _bars("shift", 26)),
        ("conversion", "base", "edge_a", "edge_b"),
        lambda fast, slow, cloud, shift: max(fast, slow, cloud) - 1 + shift,
    ),
    _of(
        "efficiency_ratio",
        "trend",
        lagless,
        VALUES,
        (_period(10),),
        ("ratio",),
        _all,
    ),
    _of(
        "supertrend",
        "trend",
        stops,
        HLC,
        (_period(10), _width(3.0)),
        ("line", "way"),
        _all,
        ALL,
    ),
    _of(
        "psar",
        "trend",
        stops,
        HL,
        (Setting("step", 0.02, 0.0001, 1.0), Setting("most", 0.2, 0.0001, 1.0)),
        ("stop", "way"),
        lambda _step, _most: 1,
        ALL,
    ),
    _of(
        "chandelier",
        "trend",
        stops,
        HLC,
        (_period(22), _width(3.0)),
        ("long", "short"),
        _all,
        FADING,
    ),
)

VOLUME = (
    _of("obv", "volume", volume, CV, (), ("obv",), _none, ALL),
    _of("ad", "volume", volume, HLCV, (), ("ad",), _none, ALL),
    _of(
        "adosc",
        "volume",
        volume,
        HLCV,
        (_bars("fast", 3), _bars("slow", 10)),
        ("adosc",),
        lambda fast, slow: max(fast, slow) - 1,
        FADING,
    ),
    _of("cmf", "volume", volume, HLCV, (_period(20),), ("cmf",), _before),
    _of("mfi", "volume", volume, HLCV, (_period(14),), ("mfi",), _all),
    _of("efi", "volume", volume, CV, (_period(13),), ("efi",), _all, FADING),
    _of("pvt", "volume", volume, CV, (), ("pvt",), _one, ALL),
    _of("nvi", "volume", volume_price, CV, (), ("nvi",), _none, ALL),
    _of("pvi", "volume", volume_price, CV, (), ("pvi",), _none, ALL),
    _of("rolling_vwap", "volume", volume_price, HLCV, (_period(20),), ("vwap",), _before),
    _of(
        "session_vwap",
        "volume",
        volume_price,
        (*HLCV, "session"),
        (_width(2.0),),
        BAND,
        _none,
        ALL,
    ),
    _of(
        "ease_of_movement",
        "volume",
        volume_price,
        ("high", "low", "volume"),
        (_period(14),),
        ("ease",),
        _all,
    ),
)

STATISTICS = (
    _of("variance", "statistics", statistics, VALUES, (_period(20),), ("variance",), _before),
    _of("std_dev", "statistics", statistics, VALUES, (_period(20),), ("std_dev",), _before),
    _of("z_score", "statistics", statistics, VALUES, (_period(20),), ("z_score",), _before),
    _of(
        "linear_regression",
        "statistics",
        statistics,
        VALUES,
        (_period(14, 2),),
        ("end", "slope", "angle", "begin"),
        _before,
    ),
    _of(
        "correlation",
        "statistics",
        statistics,
        ("values", "other"),
        (_period(30, 2),),
        ("correlation",),
        _before,
    ),
    _of(
        "beta",
        "statistics",
        statistics,
        ("values", "market"),
        (_period(30, 2),),
        ("beta",),
        _all,
    ),
    _of(
        "percent_rank",
        "statistics",
        statistics,
        VALUES,
        (_period(100),),
        ("rank",),
        _all,
    ),
    _of("highest", "statistics", statistics, VALUES, (_period(20),), ("highest",), _before),
    _of("lowest", "statistics", statistics, VALUES, (_period(20),), ("lowest",), _before),
    _of("median", "statistics", statistics, VALUES, (_period(20),), ("median",), _before),
    _of("hurst", "statistics", statistics, VALUES, (_period(100, 8),), ("hurst",), _before),
)

PRICES = (
    _of("typical_price", "prices", prices, HLC, (), ("price",), _none),
    _of("median_price", "prices", prices, HL, (), ("price",), _none),
    _of("weighted_close", "prices", prices, HLC, (), ("price",), _none),
    _of("heikin_ashi", "prices", prices, OHLC, (), OHLC, _none, FADING),
    _of(
        "swings",
        "prices",
        prices,
        HL,
        (_bars("left", 2), _bars("right", 2)),
        ("new_high", "new_low", "last_high", "last_low"),
        lambda left, right: left + right,
        ALL,
    ),
    _of("engulfing", "prices", prices, ("open", "close"), (), ("pattern",), _one),
    _of("pin_bar", "prices", prices, OHLC, (Setting("most", 0.34, 0.0, 1.0),), ("pattern",), lambda _most: 0),
    _of("inside_bar", "prices", prices, HL, (), ("pattern",), _one),
)

SESSIONS = (
    _of(
        "pivots",
        "sessions",
        sessions,
        (*HLC, "session"),
        (),
        ("pivot", "tc", "bc", "r1", "s1", "r2", "s2", "r3", "s3"),
        lambda: 2,
        ALL,
    ),
    _of(
        "opening_range",
        "sessions",
        sessions,
        (*HL, "session", "minute"),
        (Setting("begin", 570, 0, 1_439), Setting("minutes", 15, 1, 1_440)),
        ("high", "low"),
        lambda _begin, _minutes: 1,
        ALL,
    ),
)

CATALOGUE: dict[str, Indicator] = {
    indicator.name: indicator
    for family in (AVERAGES, MOMENTUM, OSCILLATORS, BANDS, VOLATILITY, TREND, VOLUME, STATISTICS, PRICES, SESSIONS)
    for indicator in family
}
