"""The strategies that come with the product: what each is, when it fails, and the hash that names its version. Pure."""

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilothouse.core.errors import NotFound
from pilothouse.strategies import calendar, parameters, rules, sdk, view
from pilothouse.strategies.builtin import (
    averaging,
    bollinger_reversion,
    buy_and_hold,
    central_pivots,
    donchian,
    ema_cross,
    ema_rsi,
    gainers_losers,
    grid,
    macd_timeframes,
    many,
    momentum_rotation,
    nadaraya_watson,
    opening_range,
    orphan,
    pairs,
    premarket,
    rsi_divergence,
    supertrend,
    usual,
)
from pilothouse.strategies.indicators import compiling
from pilothouse.strategies.sdk import Columns, Turns

Strategy = Columns | Turns

# What every strategy stands on: a change there may change its signals, so it changes its version.
_GROUND = (calendar, parameters, rules, sdk, view, usual, many)


class NoSuchStrategy(NotFound):
    """No strategy has this name."""

    code = "no_such_strategy"

    def __init__(self, name: str) -> None:
        """Keep the name that was asked for; the message lists those there are."""
        super().__init__(f"there is no strategy {name[:60]!r}; there are: {', '.join(BUILT_IN)}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Described:
    """One strategy as a user meets it.

    kind          trend, breakout, reversion, ladder, rotation, pair or benchmark
    instruments   one; two: it needs exactly one other; many: it compares itself with others, and does something alone
    idea          why it should earn anything
    fails         when it loses: said before it is run, not after
    """

    strategy: Strategy
    kind: str
    instruments: str
    idea: str
    fails: str

    @property
    def name(self) -> str:
        """Its name, as commands and addresses have it."""
        return self.strategy.name

    @property
    def written(self) -> str:
        """How it is written: by columns, or in turns."""
        return "columns" if isinstance(self.strategy, Columns) else "turns"

    @property
    def rule(self) -> str:
        """What it does, as its own docstring says."""
        return inspect.getdoc(type(self.strategy)) or ""

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of its parameters."""
        return parameters.schema(self.strategy.parameters)

    @property
    def version(self) -> str:
        """SHA-256 over everything that its signals are made of, hexadecimal."""
        kind: type[Any] = type(self.strategy)
        return version_of(kind)


def version_of(kind: type[Any]) -> str:
    """Return the version of a strategy's class: a hash over its file, what it stands on, and the indicators."""
    file = Path(str(getattr(inspect.getmodule(kind), "__file__", "")))
    return _hashed(file.name.encode() + b"\0" + file.read_bytes())


def version_on(content: str) -> str:
    """Return the version of a user's strategy: a hash over the content of its file, and what it stands on."""
    return _hashed(content.encode())


def _hashed(own: bytes) -> str:
    digest = hashlib.sha256(compiling.sources_stamp(Path(compiling.__file__).parent).encode())
    for module in _GROUND:
        file = Path(str(getattr(module, "__file__", "")))
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    digest.update(own)
    return digest.hexdigest()


def find(name: str) -> Described:
    """Return the strategy of this name. Raises NoSuchStrategy, which lists those there are."""
    if name not in BUILT_IN:
        raise NoSuchStrategy(name)
    return BUILT_IN[name]


_ALL = (
    Described(
        buy_and_hold.BuyAndHold(),
        "benchmark",
        "one",
        "It is in whenever there is something to be in, and pays once. What does not beat it after costs is not "
        "worth the attention it takes.",
        "It falls as far as the market falls, and stays there as long: 80 % and two years are ordinary for coins.",
    ),
    Described(
        ema_cross.EmaCross(),
        "trend",
        "one",
        "Large moves take time. Two averages give up the beginning and the end of a move, to be in its middle.",
        "In a market without a trend the averages cross again and again, and each cross loses the way between the "
        "cross and the price, and fees twice. Most trades lose; without a few long ones the account only shrinks.",
    ),
    Described(
        ema_rsi.EmaRsi(),
        "trend",
        "one",
        "On short bars a trend is followed only while it is not overheated, with a close stop and a target three "
        "times as far.",
        "It enters again at once after each stop while the state holds, so that one bad hour is many losses. Its "
        "stop of 0.5 % is a few times the cost of a trade at the market: with ordinary fees it needs far more "
        "than half of its trades right.",
    ),
    Described(
        donchian.DonchianBreakout(),
        "breakout",
        "one",
        "A price that has not been seen for weeks is news. The position is let run until a shorter range breaks, "
        "and each loses about the same if its stop fills.",
        "Most breakouts come back at once. In quiet years it loses a little again and again, and gaps jump over "
        "its stop.",
    ),
    Described(
        supertrend.SupertrendFollow(),
        "trend",
        "one",
        "The stop follows the price at a distance that grows with volatility; where it is hit, the trend is taken "
        "as over.",
        "It is always in the market. Sideways it turns at the worst end of each swing; a width that fitted the "
        "past rarely fits what comes.",
    ),
    Described(
        macd_timeframes.MacdTimeframes(),
        "trend",
        "one",
        "A cross of the short timeframe is taken only in the direction of a longer one, which filters the crosses "
        "against the trend.",
        "The longer timeframe is late: its direction is known when the move is old. After a sharp turn all "
        "signals of the new direction are filtered for hours.",
    ),
    Described(
        bollinger_reversion.BollingerReversion(),
        "reversion",
        "one",
        "In a market that swings around a middle, the way back from the edge is more likely than the way further out.",
        "Bands are broken for good when a trend begins: then it buys all the way down, stop after stop.",
    ),
    Described(
        nadaraya_watson.NadarayaWatson(),
        "reversion",
        "one",
        "A smooth curve through the past with bands around it; what stands outside is expected to come back.",
        "The well-known drawing of this envelope looks perfect because it uses bars on both sides and is redrawn "
        "with each new one. What is left when only the past counts lags at every turn, and fades strong trends.",
    ),
    Described(
        rsi_divergence.RsiDivergence(),
        "reversion",
        "one",
        "A new extreme on weaker momentum says that fewer follow.",
        "In a strong trend divergences come one after the other, each a loss. An extreme is certain only some "
        "bars later: part of the way back is gone, and a chart that draws it at the extreme shows what nobody "
        "could have traded.",
    ),
    Described(
        orphan.Orphan(),
        "reversion",
        "one",
        "A dip inside a rising market, bought when it is over and something moves; the stop follows closely once "
        "there is a gain.",
        "The close trailing stop is hit by ordinary noise, so that few trades come near the far target. When the "
        "long trend breaks, the last dip is bought as well.",
    ),
    Described(
        central_pivots.CentralPivots(),
        "reversion",
        "one",
        "A day that opens far from yesterday's central range often comes back to it.",
        "With its defaults it waits for an oversold market and a narrow band of distances, and may not trade for "
        "months. On days of news the price goes on from where it opened, and the stop is four times as far as the "
        "target.",
    ),
    Described(
        opening_range.OpeningRange(),
        "breakout",
        "one",
        "The first minutes of a session gather what the night decided; where the price leaves their range, it may "
        "go on.",
        "Markets that trade around the clock have no real opening. Two bars of following through are paid for "
        "with a worse price, and on quiet days both sides break in turn.",
    ),
    Described(
        premarket.Premarket(),
        "breakout",
        "one",
        "The range before the open holds who waits; its break with the open is the day's first decision.",
        "The first break is often the wrong one. With a target of 1 % and a stop of 0.5 % costs decide.",
    ),
    Described(
        pairs.Pairs(),
        "pair",
        "two",
        "Two instruments that are moved by the same things drift apart and come together again, whatever the "
        "market does.",
        "They stop going together: one is listed elsewhere, hacked, or simply changes. Then the distance grows "
        "without end, and giving up at four deviations is the only rule that stands between it and ruin. Costs "
        "are paid on two legs.",
    ),
    Described(
        momentum_rotation.MomentumRotation(),
        "rotation",
        "many",
        "What rose more than the others tends to go on for some weeks.",
        "When the market turns, the strongest fall first and together. A list of instruments that is chosen today "
        "is a list of survivors: the past of those that vanished is missing from it.",
    ),
    Described(
        gainers_losers.GainersLosers(),
        "rotation",
        "many",
        "The largest movers of the last hours attract attention, and a turn of momentum in them is large as well.",
        "It buys what has risen already and sells what has fallen: in thin markets at the worst price of the day. "
        "Slippage decides here, and a backtest without it says nothing.",
    ),
    Described(
        averaging.Averaging(),
        "ladder",
        "one",
        "Buying lower lowers the average price, so that a small rise is enough to leave with a gain.",
        "Many small gains and now and then one large loss: when all safety orders are filled and the price goes "
        "on falling, the stop takes what many cycles earned. A high share of winning trades says nothing here.",
    ),
    Described(
        grid.Grid(),
        "ladder",
        "one",
        "A price that swings inside a range pays one step for every swing.",
        "It holds everything it bought when the price leaves the range downwards, and nothing when it leaves "
        "upwards. The sum of closed steps looks like profit while the open ones lose more.",
    ),
)

BUILT_IN: Mapping[str, Described] = {described.name: described for described in _ALL}
