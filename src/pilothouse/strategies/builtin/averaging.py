"""DCA: buy, buy more below, sell in three parts above; the stop moves up with what was reached."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from pilothouse.core.rounding import QUOTE_UNIT, down
from pilothouse.strategies.builtin.exactly import MILLIONTH, amount, factor, over, part, times
from pilothouse.strategies.parameters import Parameter, Params, number, whole
from pilothouse.strategies.sdk import Bar, Filled, Happening, Turn, Want

ONE = Decimal(1)
TARGETS = (1, 2, 3)


class Averaging:
    """Base order at the last price, safety orders below it, one stop and three targets from the average price.

    Long only. After the first target the stop stands at the average price and nothing more is bought; after the second
    it stands at the first. When all is sold, what still rests is called off and the next cycle begins at the next bar.

    State: cycle, held (base), bought (base), cost (quote), reached (targets), entry (quote); numbers as text.
    """

    name: ClassVar[str] = "dca"
    title: ClassVar[str] = "Averaging in (DCA)"
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "base": number(10.0, 0.01, 1e9, label="Base order", help="Quote currency"),
        "safety": number(10.0, 0.0, 1e9, label="Safety order", help="Quote currency each; 0: none"),
        "safety_most": whole(5, 0, 50, label="Safety orders"),
        "deviation": number(1.0, 0.01, 50.0, step=0.25, label="Deviation %", help="From one safety order to the next"),
        "scale": number(1.0, 0.5, 5.0, step=0.25, label="Scale", help="Each deviation is so much of the one before"),
        "volume_scale": number(
            1.0, 0.5, 5.0, step=0.25, label="Volume scale", help="Each safety order is so much of the one before"
        ),
        "take_1": number(1.0, 0.01, 1_000.0, label="First target %", help="Above the average price"),
        "share_1": number(40.0, 1.0, 98.0, label="Sold there %"),
        "take_2": number(3.0, 0.01, 1_000.0, label="Second target %"),
        "share_2": number(40.0, 1.0, 98.0, label="Sold there %"),
        "take_3": number(20.0, 0.01, 1_000.0, label="Third target %", help="The rest is sold there"),
        "stop_loss": number(5.0, 0.0, 99.0, label="Stop loss %", help="Below the average price; 0: none at first"),
        "cooldown": whole(0, 0, 10_000, label="Cooldown", help="Bars between the end of a cycle and the next one"),
    }

    def begin(self, p: Params) -> dict[str, Any]:
        """Return the state before the first bar."""
        return {"cycle": 0, "held": "0", "bought": "0", "cost": "0", "reached": 0, "entry": "", "wait": 0}

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
        """Ask for the base order at the last price while nothing is held: the same order, moved, not a second one."""
        if Decimal(state["held"]) != 0:
            return Turn(state)
        if state["wait"] > 0:
            return Turn({**state, "wait": state["wait"] - 1})
        quantity = over(amount(p.base), bar.close)
        want = Want(f"{state['cycle']}-base", bar.symbol, quantity, price=bar.close)
        return Turn({**state, "entry": str(bar.close)}, (want,))

    def _filled(self, state: dict[str, Any], fill: Filled, p: Params) -> Turn:
        cycle, _, order = fill.key.partition("-")
        if cycle != str(state["cycle"]):
            return _late(state, fill)
        if fill.quantity > 0:
            return self._bought(state, fill, p, first=Decimal(state["bought"]) == 0)
        held = Decimal(state["held"]) + fill.quantity
        if held <= 0:
            now = {**self.begin(p), "cycle": state["cycle"] + 1, "wait": p.cooldown}
            return Turn(now, cancels=_every_key(state, p))
        reached = (
            max(state["reached"], int(order.removeprefix("take-"))) if order.startswith("take-") else state["reached"]
        )
        now = {**state, "held": str(held), "reached": reached}
        no_more = tuple(key for key in _every_key(state, p) if "-safety-" in key or key.endswith("-base"))
        return Turn(now, _exits(now, fill.symbol, p), cancels=no_more if reached and not state["reached"] else ())

    def _bought(self, state: dict[str, Any], fill: Filled, p: Params, *, first: bool) -> Turn:
        now = {
            **state,
            "held": str(Decimal(state["held"]) + fill.quantity),
            "bought": str(Decimal(state["bought"]) + fill.quantity),
            "cost": str(Decimal(state["cost"]) + times(fill.quantity, fill.price)),
        }
        safeties = _safeties(now, fill.symbol, p) if first else ()
        return Turn(now, safeties + _exits(now, fill.symbol, p))


def _late(state: dict[str, Any], fill: Filled) -> Turn:
    """Sell again what an order of an ended cycle bought while it was being called off: no cycle would look after it."""
    note = f"{fill.key} filled after its cycle had ended"
    if fill.quantity <= 0:
        return Turn(state, note=note)
    back = Want(f"late-{fill.key}-{fill.at_ms}", fill.symbol, -fill.quantity, reduce_only=True)
    return Turn(state, (back,), note=note)


def safeties(p: Params) -> tuple[tuple[Decimal, Decimal], ...]:
    """Return for each safety order its price as a part of the entry's, and its amount, quote currency.

    Deviations are whole millionths and amounts whole units at every step; an order at zero or below, or for nothing, is
    left out with all behind it.
    """
    found, at = [], ONE
    step, wanted = part(p.deviation), amount(p.safety)
    for _ in range(p.safety_most):
        at -= step
        if at <= 0 or wanted <= 0:
            break
        found.append((at, wanted))
        step = down(times(step, factor(p.scale)), MILLIONTH)
        wanted = down(times(wanted, factor(p.volume_scale)), QUOTE_UNIT)
    return tuple(found)


def _safeties(state: dict[str, Any], symbol: str, p: Params) -> tuple[Want, ...]:
    """Return the safety orders below the price of the base order."""
    wants = []
    for number_of, (at, wanted) in enumerate(safeties(p), 1):
        price = times(Decimal(state["entry"]), at)
        wants.append(Want(f"{state['cycle']}-safety-{number_of}", symbol, over(wanted, price), price=price))
    return tuple(wants)


def _exits(state: dict[str, Any], symbol: str, p: Params) -> tuple[Want, ...]:
    """Return stop and targets for what is held now. All only reduce, so together they never sell more than there is."""
    held, bought, reached = Decimal(state["held"]), Decimal(state["bought"]), state["reached"]
    cost = Decimal(state["cost"])
    above = {target: over(times(cost, ONE + part(getattr(p, f"take_{target}"))), bought) for target in TARGETS}
    stops = {0: over(times(cost, ONE - part(p.stop_loss)), bought), 1: over(cost, bought), 2: above[1]}
    wants = []
    if reached or p.stop_loss > 0:
        stop = stops[min(reached, 2)]
        wants.append(Want(f"{state['cycle']}-stop", symbol, -held, stop=stop, reduce_only=True))
    left = held
    for target in TARGETS:
        if target <= reached and target != TARGETS[-1]:
            continue
        taken = left if target == TARGETS[-1] else min(times(bought, part(getattr(p, f"share_{target}"))), left)
        left -= taken
        if taken > 0:
            key = f"{state['cycle']}-take-{target}"
            wants.append(Want(key, symbol, -taken, price=above[target], reduce_only=True))
    return tuple(wants)


def _every_key(state: dict[str, Any], p: Params) -> tuple[str, ...]:
    """Return the keys of all orders that this cycle may have."""
    safeties = [f"safety-{number_of}" for number_of in range(1, p.safety_most + 1)]
    names = ["base", *safeties, "stop", *(f"take-{target}" for target in TARGETS)]
    return tuple(f"{state['cycle']}-{name}" for name in names)
