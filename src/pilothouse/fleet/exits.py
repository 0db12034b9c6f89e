"""What the protection of a position closes at the market: what the house keeps, or what cannot be protected.

On spot, what is to be sold has to be let go first: stops, and before everything is sold our own resting sales. An exit
that was refused again and again, or that the gate denied, waits before it is asked for again.
"""

from dataclasses import replace
from datetime import timedelta
from functools import partial

from pilothouse.bots.bracket import STOP, TIME, Guarding, place_of
from pilothouse.bots.follow import Planned
from pilothouse.bots.free import at_hand, our_sales
from pilothouse.bots.view import LiveOrder
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms, OrderType, Purpose
from pilothouse.execution import cancel
from pilothouse.execution.gate import DeniedByRisk
from pilothouse.fleet.scene import Scene
from pilothouse.fleet.turn import REFUSALS_MAX, Turn, alarm, make, refused_in_a_row, whose

EXIT_AGAIN = timedelta(seconds=10)
"""After so many refused exits, or one that the gate denied, the next one waits so long: what said no has to change."""

_DENIALS_FORGOTTEN = timedelta(hours=1)


def close_due(turn: Turn, scene: Scene, due: Guarding) -> Scene:
    """Close at the market what the house keeps and whose price, or time, has come."""
    for place, planned in due.exits:
        scene = close_part(turn, scene, place, planned)
    return scene


def close_part(turn: Turn, scene: Scene, place: str, planned: Planned) -> Scene:
    """Close a part at the market; where stops lock the coins, they are asked to let go and the order waits for it."""
    if must_wait(turn, place, planned):
        return scene
    if any(place_of(order) == place and not order.purpose.protects for order in scene.view.orders):
        return scene
    if place in {STOP, TIME}:
        planned = replace(planned, reason=planned.reason + scene.what_stays())
    locks = _in_the_way(scene, place) if planned.terms.side is Side.SELL else ()
    try:
        scene = make(turn, scene, place, planned, waits=bool(locks))
    except DeniedByRisk as denied:
        _denied(turn, place, denied)
        return scene
    turn.tx.after_commit(partial(turn.desk.exits_denied.pop, f"{turn.record.id}:{place}", None))
    for lock in locks:
        cancel.ask(turn.tx, turn.desk, scene.order(lock.id), by="protection, which sells what it locks")
    return scene


def _in_the_way(scene: Scene, place: str) -> tuple[LiveOrder, ...]:
    """Return what keeps coins that an exit sells: stops and targets, and before all is sold our own resting sales."""
    return scene.view.locked() + (our_sales(scene.view) if place in {STOP, TIME} else ())


def must_wait(turn: Turn, place: str, planned: Planned) -> bool:
    """Say whether an exit waits because the venue refused it again and again, or the gate denied it a moment ago."""
    denied_at = turn.desk.exits_denied.get(f"{turn.record.id}:{place}")
    if denied_at is not None and turn.now - denied_at < EXIT_AGAIN:
        return True
    refused = refused_in_a_row(turn.made.in_place(place), planned.terms)
    return len(refused) >= REFUSALS_MAX and turn.now - refused[-1].updated_at < EXIT_AGAIN


def _denied(turn: Turn, place: str, denied: DeniedByRisk) -> None:
    """Let an exit wait that the gate denied, and tell a person when it is denied first.

    No limit and no halt stands against a reduce-only order at the market, which is all that a protection asks for, so
    this is for what is not thought of; it must not be asked, recorded and told twice a second.
    """
    known, key = turn.desk.exits_denied, f"{turn.record.id}:{place}"

    def note() -> None:
        for old in [name for name, at in tuple(known.items()) if turn.now - at > _DENIALS_FORGOTTEN]:
            known.pop(old, None)
        known[key] = turn.now

    turn.tx.after_commit(note)
    if key not in known:
        message = f"an exit that the protection of {turn.record.symbol} asks for was denied: {denied}"
        alarm(turn.tx, turn.trader, turn.now, "protection_refused", message, {"symbol": turn.record.symbol})


def flatten(turn: Turn, scene: Scene, reason: str, message: str) -> Scene:
    """Close the position that cannot be protected, once, and raise an alarm."""
    if any(order.purpose is Purpose.EXIT and not order.terms.rests for order in scene.view.orders):
        return scene
    held = at_hand(scene.view, our_sales(scene.view))
    if held == 0 or Side.of(held) is not turn.record.protection.side:
        return scene
    terms = OrderTerms(
        symbol=turn.record.symbol,
        side=Side.of(-held),
        type=OrderType.MARKET,
        quantity=scene.view.instrument.quantity_down(abs(held)),
        reduce_only=True,
    )
    after = close_part(turn, scene, STOP, Planned(terms, Purpose.EXIT, reason))
    if after is not scene:
        detail = {"symbol": turn.record.symbol, **whose(turn.record)}
        alarm(turn.tx, turn.trader, turn.now, "protection_refused", message + scene.what_stays(), detail)
    return after
