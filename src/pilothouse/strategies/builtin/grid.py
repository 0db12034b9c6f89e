"""A grid: buy at each level below, sell each purchase higher, again and again."""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, ClassVar

from pilothouse.core.rounding import down
from pilothouse.strategies.builtin.exactly import amount, over, part, times
from pilothouse.strategies.parameters import Parameter, Params, choice, number, whole
from pilothouse.strategies.sdk import Bar, Filled, Happening, Turn, Want

ONE = Decimal(1)
GRAIN = Decimal("0.000000000001")
GEOMETRIC, ARITHMETIC = "geometric", "arithmetic"


class Grid:
    """Levels below the first close, each one step under the one above it; long only.

    A step is a percentage of the level above (geometric) or of the first close (arithmetic). The first level is one
    step below that close. What a level bought is sold one step higher, or so many percent as are told, then it buys
    again. With a base order it also buys at the market at once, sells that like a level, and waits at the first close.
    If a bar closes below the stop, all is sold at the market and the grid has ended.

    State: top (quote, the first close), ended, levels: for each its round, bought and sold (base), the base order as
    the last; numbers as text.
    """

    name: ClassVar[str] = "grid"
    title: ClassVar[str] = "Grid"
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "levels": whole(10, 1, 200, label="Levels"),
        "step": number(1.0, 0.05, 50.0, step=0.25, label="Step %", help="From one level to the next"),
        "spacing": choice(GEOMETRIC, (GEOMETRIC, ARITHMETIC), label="Spacing", help="Of what a step is a percentage"),
        "take": number(0.0, 0.0, 1_000.0, label="Take profit %", help="Above each purchase; 0: one step"),
        "order": number(100.0, 0.01, 1e9, label="Order", help="Quote currency at each level"),
        "base": number(0.0, 0.0, 1e9, label="Base order", help="Quote currency, bought at once; 0: none"),
        "stop_loss": number(5.0, 0.0, 99.0, label="Stop loss %", help="Below the lowest level; 0: none"),
    }

    def begin(self, p: Params) -> dict[str, Any]:
        """Return the state before the first bar."""
        return {
            "top": "",
            "ended": False,
            "levels": [{"round": 0, "bought": "0", "sold": "0"} for _ in range(p.levels + (p.base > 0))],
        }

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Return the orders that follow from a closed bar or a fill; quotes change nothing."""
        match happening:
            case Bar():
                return self._bar(state, happening, p)
            case Filled():
                return self._filled(state, happening, p)
            case _:
                return Turn(state)

    def _bar(self, state: dict[str, Any], bar: Bar, p: Params) -> Turn:
        if state["ended"]:
            return Turn(state)
        if not state["top"]:
            now = {**state, "top": str(bar.close)}
            wants = tuple(_buy(now, level, bar.symbol, p) for level in range(p.levels) if factors(p)[level] > 0)
            if p.base > 0:
                wants += (Want(f"buy-{p.levels}-0", bar.symbol, over(amount(p.base), bar.close)),)
            return Turn(now, wants)
        if p.stop_loss > 0 and bar.close < times(Decimal(state["top"]), floor(p)):
            held = sum((Decimal(level["bought"]) - Decimal(level["sold"]) for level in state["levels"]), Decimal(0))
            keys = tuple(
                f"{side}-{number_of}-{level['round']}"
                for number_of, level in enumerate(state["levels"])
                for side in ("buy", "sell")
            )
            out = (Want("stop", bar.symbol, -held, reduce_only=True),) if held > 0 else ()
            return Turn({**state, "ended": True}, out, keys, note="the price fell below the grid")
        return Turn(state)

    def _filled(self, state: dict[str, Any], fill: Filled, p: Params) -> Turn:
        side, _, rest = fill.key.partition("-")
        if state["ended"] or side not in {"buy", "sell"}:
            return self._after_the_end(state, fill)
        number_of, _, round_of = rest.partition("-")
        level = int(number_of)
        told = state["levels"][level]
        late = int(round_of) != told["round"]
        if late and side == "sell":
            return Turn(state, note=f"{fill.key} filled after its round had ended")
        # What an old order bought while it was being called off belongs to the level now, and is sold with the rest.
        bought, sold = Decimal(told["bought"]), Decimal(told["sold"])
        if side == "buy":
            now = _with(state, level, {**told, "bought": str(bought + fill.quantity)})
            return Turn(now, (_sell(now, level, fill.symbol, p),))
        sold -= fill.quantity  # a sale is told as a negative quantity
        if sold < bought:
            return Turn(_with(state, level, {**told, "sold": str(sold)}))
        now = _with(state, level, {"round": told["round"] + 1, "bought": "0", "sold": "0"})
        # Should a rest of the old purchase still stand, it is called off: the level begins anew with a whole order.
        return Turn(now, (_buy(now, level, fill.symbol, p),), cancels=(f"buy-{level}-{told['round']}",))

    def _after_the_end(self, state: dict[str, Any], fill: Filled) -> Turn:
        """Sell what a purchase brought that filled while it was being called off."""
        if fill.quantity <= 0:
            return Turn(state)
        return Turn(state, (Want(f"stop-{fill.key}-{fill.at_ms}", fill.symbol, -fill.quantity, reduce_only=True),))


@lru_cache(maxsize=32)
def factors(p: Params) -> tuple[Decimal, ...]:
    """Return the prices of the levels as parts of the first close, cut to twelve digits; the base order is the last.

    A level that would lie at zero or below is zero: it does not exist.
    """
    step, found = part(p.step), []
    factor = ONE
    for _ in range(p.levels):
        factor = down(times(factor, ONE - step), GRAIN) if p.spacing == GEOMETRIC else factor - step
        found.append(max(factor, Decimal(0)))
    return (*found, ONE) if p.base > 0 else tuple(found)


@lru_cache(maxsize=32)
def takes(p: Params) -> tuple[Decimal, ...]:
    """Return at which part of the first close each level sells what it bought."""
    prices, step = factors(p), part(p.step)
    if p.take > 0:
        return tuple(times(price, ONE + part(p.take)) for price in prices)
    above = (ONE, *prices[: p.levels - 1])
    return (*above, ONE + step) if p.base > 0 else above


@lru_cache(maxsize=32)
def floor(p: Params) -> Decimal:
    """Return the part of the first close below which a close ends the grid."""
    lowest = min(factor for factor in factors(p) if factor > 0)
    return times(lowest, ONE - part(p.stop_loss))


def _price(state: dict[str, Any], level: int, p: Params) -> Decimal:
    """Return the price of a level."""
    return times(Decimal(state["top"]), factors(p)[level])


def _buy(state: dict[str, Any], level: int, symbol: str, p: Params) -> Want:
    price = _price(state, level, p)
    key = f"buy-{level}-{state['levels'][level]['round']}"
    wanted = amount(p.base if level == p.levels else p.order)
    return Want(key, symbol, over(wanted, price), price=price)


def _sell(state: dict[str, Any], level: int, symbol: str, p: Params) -> Want:
    """Return the sale of what the level bought in this round; the same order grows with each fill."""
    told = state["levels"][level]
    key = f"sell-{level}-{told['round']}"
    price = times(Decimal(state["top"]), takes(p)[level])
    return Want(key, symbol, -Decimal(told["bought"]), price=price, reduce_only=True)


def _with(state: dict[str, Any], level: int, told: dict[str, Any]) -> dict[str, Any]:
    levels = list(state["levels"])
    levels[level] = told
    return {**state, "levels": levels}
