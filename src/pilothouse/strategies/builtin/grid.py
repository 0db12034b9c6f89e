"""A grid: buy at each level below, sell each purchase one level higher, again and again."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from pilothouse.strategies.parameters import Parameter, Params, number, whole
from pilothouse.strategies.sdk import Bar, Filled, Happening, Turn, Want

HUNDRED = Decimal(100)


class Grid:
    """Levels below the first close, each a fixed percentage under the one above it; long only.

    The first level is one step below that close. What a level bought is sold one step higher, then it buys again.
    If a bar closes below the stop, all is sold at the market and the grid has ended.

    State: top (quote, the first close), ended, levels: for each its round, bought and sold (base); numbers as text.
    """

    name: ClassVar[str] = "grid"
    title: ClassVar[str] = "Grid"
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "levels": whole(10, 1, 200, label="Levels"),
        "step": number(1.0, 0.05, 50.0, step=0.25, label="Step %", help="From one level to the next"),
        "order": number(100.0, 0.01, 1e9, label="Order", help="Quote currency at each level"),
        "stop_loss": number(5.0, 0.0, 99.0, label="Stop loss %", help="Below the lowest level; 0: none"),
    }

    def begin(self, p: Params) -> dict[str, Any]:
        """Return the state before the first bar."""
        return {
            "top": "",
            "ended": False,
            "levels": [{"round": 0, "bought": "0", "sold": "0"} for _ in range(p.levels)],
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
            return Turn(now, tuple(_buy(now, level, bar.symbol, p) for level in range(p.levels)))
        floor = _price(state, p.levels - 1, p) * (1 - Decimal(str(p.stop_loss)) / HUNDRED)
        if p.stop_loss > 0 and bar.close < floor:
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


def _price(state: dict[str, Any], level: int, p: Params) -> Decimal:
    """Return the price of a level; level -1 is the first close."""
    return Decimal(state["top"]) * (1 - Decimal(str(p.step)) / HUNDRED) ** (level + 1)


def _buy(state: dict[str, Any], level: int, symbol: str, p: Params) -> Want:
    price = _price(state, level, p)
    key = f"buy-{level}-{state['levels'][level]['round']}"
    return Want(key, symbol, Decimal(str(p.order)) / price, price=price)


def _sell(state: dict[str, Any], level: int, symbol: str, p: Params) -> Want:
    """Return the sale of what the level bought in this round, one level higher; the same order grows with each fill."""
    told = state["levels"][level]
    key = f"sell-{level}-{told['round']}"
    return Want(key, symbol, -Decimal(told["bought"]), price=_price(state, level - 1, p), reduce_only=True)


def _with(state: dict[str, Any], level: int, told: dict[str, Any]) -> dict[str, Any]:
    levels = list(state["levels"])
    levels[level] = told
    return {**state, "levels": levels}
