"""What many strategies are asked in the same words: sides, exits in percent, sizes; and columns moved in time."""

from typing import Final

import numpy as np

from pilothouse.strategies.parameters import Parameter, Params, choice, number
from pilothouse.strategies.rules import By, Distance, Exits, Rules, Side, Size, SizeBy, Target
from pilothouse.strategies.sdk import Floats, Truths

SIDE: Final = choice("both", ("both", "long", "short"), label="Side", help="Which way it may go")


def stop_loss(percent: float) -> Parameter:
    """Return the parameter `stop_loss`, percent of the entry price; 0 is none."""
    return number(percent, 0.0, 90.0, step=0.5, label="Stop loss %", help="Percent below the entry; 0: none")


def take_profit(percent: float) -> Parameter:
    """Return the parameter `take_profit`, percent of the entry price; 0 is none."""
    return number(percent, 0.0, 1_000.0, step=0.5, label="Take profit %", help="Percent above the entry; 0: none")


def size(percent: float) -> Parameter:
    """Return the parameter `size`, percent of equity."""
    return number(percent, 0.1, 100.0, label="Size %", help="Percent of equity in one position")


def risk(percent: float) -> Parameter:
    """Return the parameter `risk`, percent of equity that the stop loses."""
    return number(percent, 0.01, 20.0, label="Risk %", help="Percent of equity that is lost if the stop fills")


def away(percent: float) -> Distance | None:
    """Return a distance in percent, None for 0."""
    return Distance(percent, By.PERCENT) if percent > 0 else None


def exits(p: Params) -> Exits:
    """Return stop and target of the parameters `stop_loss` and `take_profit`."""
    target = away(p.take_profit)
    return Exits(stop=away(p.stop_loss), targets=(Target(target),) if target else ())


def rules(p: Params, *, exits: Exits, side: str = "both", flips: bool = True) -> Rules:
    """Return rules sized by the parameter `size` (percent of equity) or `risk` (percent lost at the stop)."""
    if "risk" in p and exits.stop is not None:
        sized = Size(p.risk, SizeBy.RISK)
    else:
        # Without a stop all of a position is at risk, so that the share that may be lost is the share that is bought.
        sized = Size(float(p.get("size", p.get("risk", 100.0))), SizeBy.PERCENT)
    return Rules(exits=exits, size=sized, side=Side(side), flips=flips)


def shifted(values: Floats, bars: int = 1) -> Floats:
    """Return the values of so many bars before; NaN where there are none."""
    moved = np.full(len(values), np.nan)
    if bars < len(values):
        moved[bars:] = values[: len(values) - bars]
    return moved


def truth_before(values: Truths, bars: int = 1) -> Truths:
    """Return the truths of so many bars before; False where there are none."""
    moved = np.zeros(len(values), bool)
    if bars < len(values):
        moved[bars:] = values[: len(values) - bars]
    return moved


def kept(event: Truths, values: Floats, session: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Floats:
    """Return, at each bar, the value at the latest event of its session; NaN before it."""
    if not len(values):
        return values
    latest = np.maximum.accumulate(np.where(event, np.arange(len(values)), -1))
    known = (latest >= 0) & (session[np.maximum(latest, 0)] == session)
    return np.where(known, values[np.maximum(latest, 0)], np.nan)


DAY_MS: Final = 86_400_000
# A local day has 25 hours when clocks are turned back; behind it, a bar belongs to a day that began in the history.
WHOLE_DAY_MS: Final = 26 * 3_600_000


def ema_settled(period: int) -> int:
    """Return after how many bars an exponential average has forgotten how it began, but for a part in 20,000."""
    return 5 * period


def rma_settled(period: int) -> int:
    """Return the same for Wilder's average, which forgets half as fast."""
    return 10 * period
