"""A grid: open at each level away from the first price, close each one nearer to it, again and again."""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

from pilothouse.core.rounding import down
from pilothouse.strategies.builtin.exactly import amount, over, part, times
from pilothouse.strategies.parameters import Parameter, Params, choice, number, whole
from pilothouse.strategies.sdk import Bar, Filled, Happening, Turn, Want

ZERO, ONE = Decimal(0), Decimal(1)
GRAIN = Decimal("0.000000000001")
GEOMETRIC, ARITHMETIC = "geometric", "arithmetic"
LONG, NEUTRAL, SHORT = "long", "neutral", "short"
SIGNS = {LONG: (1,), NEUTRAL: (1, -1), SHORT: (-1,)}


class Level(NamedTuple):
    """One level: 1 buys first, -1 sells first; where it opens and closes, as parts of the first close."""

    sign: int
    opens: Decimal
    closes: Decimal
    is_base: bool = False

    def side(self, *, opens: bool) -> str:
        """Return what its order that opens, or the one that closes, is called."""
        return "buy" if (self.sign > 0) is opens else "sell"


class Grid:
    """Levels away from the first close, each one step further than the one before.

    Long: levels below, which buy and sell again higher. Short: levels above, which sell and buy back lower. Neutral:
    both, with as many levels on each side, so that what is held may turn round. A step is a percentage of the level
    before (geometric) or of the first close (arithmetic). The first level is one step away from that close. What a
    level opened is closed one step nearer, or so many percent away as are told, then it opens again. With a base order
    a long or short grid also opens at the market at once, closes that like a level, and waits at the first close.
    If a bar closes beyond the stop, all is closed at the market and the grid has ended.

    State: top (quote, the first close), ended, levels: for each its round, bought and sold (base), first those below,
    then those above, the base order last; numbers as text.
    """

    name: ClassVar[str] = "grid"
    title: ClassVar[str] = "Grid"
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "side": choice(LONG, (LONG, NEUTRAL, SHORT), label="Side", help="Levels below, on both sides, or above"),
        "levels": whole(10, 1, 200, label="Levels", help="On each side"),
        "step": number(1.0, 0.05, 50.0, step=0.25, label="Step %", help="From one level to the next"),
        "spacing": choice(GEOMETRIC, (GEOMETRIC, ARITHMETIC), label="Spacing", help="Of what a step is a percentage"),
        "take": number(0.0, 0.0, 1_000.0, label="Take profit %", help="From where a level opened; 0: one step"),
        "order": number(100.0, 0.01, 1e9, label="Order", help="Quote currency at each level"),
        "base": number(0.0, 0.0, 1e9, label="Base order", help="Quote currency, at once; 0: none; not if neutral"),
        "stop_loss": number(5.0, 0.0, 99.0, label="Stop loss %", help="Beyond the furthest level; 0: none"),
    }

    def begin(self, p: Params) -> dict[str, Any]:
        """Return the state before the first bar."""
        none = {"round": 0, "bought": "0", "sold": "0"}
        return {"top": "", "ended": False, "levels": [dict(none) for _ in levels(p)]}

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
            wants = (_opening(now, number_of, bar.symbol, p, at_once=True) for number_of in range(len(levels(p))))
            return Turn(now, tuple(wants))
        below, above = bounds(p)
        top = Decimal(state["top"])
        fell = below is not None and bar.close < times(top, below)
        if not fell and (above is None or bar.close <= times(top, above)):
            return Turn(state)
        held = sum((Decimal(level["bought"]) - Decimal(level["sold"]) for level in state["levels"]), ZERO)
        keys = tuple(
            f"{side}-{number_of}-{level['round']}"
            for number_of, level in enumerate(state["levels"])
            for side in ("buy", "sell")
        )
        out = (Want("stop", bar.symbol, -held, reduce_only=True),) if held else ()
        note = "the price fell below the grid" if fell else "the price rose above the grid"
        return Turn({**state, "ended": True}, out, keys, note=note)

    def _filled(self, state: dict[str, Any], fill: Filled, p: Params) -> Turn:
        side, _, rest = fill.key.partition("-")
        if state["ended"] or side not in {"buy", "sell"}:
            return self._after_the_end(state, fill, p)
        number_of, _, round_of = rest.partition("-")
        place = int(number_of)
        told, level = state["levels"][place], levels(p)[place]
        opens = side == level.side(opens=True)
        if int(round_of) != told["round"] and not opens:
            return Turn(state, note=f"{fill.key} filled after its round had ended")
        # What an old order opened while it was being called off belongs to the level now, and is closed with the rest.
        name = "bought" if side == "buy" else "sold"
        told = {**told, name: str(Decimal(told[name]) + abs(fill.quantity))}
        if opens:
            now = _with(state, place, told)
            return Turn(now, (_closing(now, place, fill.symbol, p),))
        left = (Decimal(told["bought"]) - Decimal(told["sold"])) * level.sign
        if left > 0:
            return Turn(_with(state, place, told))
        now = _with(state, place, {"round": told["round"] + 1, "bought": "0", "sold": "0"})
        # Should a rest of the old opening still stand, it is called off: the level begins anew with a whole order.
        old = f"{level.side(opens=True)}-{place}-{told['round']}"
        return Turn(now, (_opening(now, place, fill.symbol, p),), cancels=(old,))

    def _after_the_end(self, state: dict[str, Any], fill: Filled, p: Params) -> Turn:
        """Close what an opening brought that filled while it was being called off."""
        side, _, rest = fill.key.partition("-")
        if side not in {"buy", "sell"} or side != levels(p)[int(rest.partition("-")[0])].side(opens=True):
            return Turn(state)
        back = Want(f"stop-{fill.key}-{fill.at_ms}", fill.symbol, -fill.quantity, reduce_only=True)
        return Turn(state, (back,))


@lru_cache(maxsize=32)
def levels(p: Params) -> tuple[Level, ...]:
    """Return the levels: those below, those above, the base order. Prices are cut to twelve digits of the first close.

    A level that would lie at zero or below does not exist, and none behind it.
    """
    step, take, found = part(p.step), part(p.take), []
    for sign in SIGNS[p.side]:
        at = before = ONE
        for _ in range(p.levels):
            at = down(times(at, ONE - sign * step), GRAIN) if p.spacing == GEOMETRIC else at - sign * step
            if at <= 0:
                break
            found.append(Level(sign, at, max(times(at, ONE + sign * take), ZERO) if take else before))
            before = at
    if p.base > 0 and p.side != NEUTRAL:
        sign = SIGNS[p.side][0]
        found.append(Level(sign, ONE, max(ONE + sign * (take or step), ZERO), is_base=True))
    return tuple(found)


@lru_cache(maxsize=32)
def bounds(p: Params) -> tuple[Decimal | None, Decimal | None]:
    """Return below and above which part of the first close a close ends the grid; None where it does not."""
    if p.stop_loss == 0:
        return None, None
    away, every = part(p.stop_loss), [level.opens for level in levels(p)]
    below = None if p.side == SHORT else times(min(every), ONE - away)
    return below, None if p.side == LONG else times(max(every), ONE + away)


def _opening(state: dict[str, Any], place: int, symbol: str, p: Params, *, at_once: bool = False) -> Want:
    level = levels(p)[place]
    price = times(Decimal(state["top"]), level.opens)
    quantity = level.sign * over(amount(p.base if level.is_base else p.order), price)
    key = f"{level.side(opens=True)}-{place}-{state['levels'][place]['round']}"
    return Want(key, symbol, quantity, price=None if at_once and level.is_base else price)


def _closing(state: dict[str, Any], place: int, symbol: str, p: Params) -> Want:
    """Return what closes what the level opened in this round; the same order grows with each fill.

    In a neutral grid the other side may have closed it already, so there it may also open.
    """
    told, level = state["levels"][place], levels(p)[place]
    key = f"{level.side(opens=False)}-{place}-{told['round']}"
    price = times(Decimal(state["top"]), level.closes)
    opened = Decimal(told["bought"] if level.sign > 0 else told["sold"])
    return Want(key, symbol, -level.sign * opened, price=price, reduce_only=p.side != NEUTRAL)


def _with(state: dict[str, Any], place: int, told: dict[str, Any]) -> dict[str, Any]:
    every = list(state["levels"])
    every[place] = told
    return {**state, "levels": every}
