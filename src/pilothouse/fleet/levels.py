"""Which protections ask for a turn because a price or the clock moved, and nothing else did.

Pure over the record and quotes: a trail to follow, a level that the house keeps, a time stop. What stands at the
venue needs nobody to look.
"""

from datetime import datetime

from pilothouse.bots.bracket import is_due
from pilothouse.bots.ladder import best_price
from pilothouse.core.errors import Unavailable
from pilothouse.execution.desk import Desk
from pilothouse.execution.trader import Trader
from pilothouse.fleet import protections
from pilothouse.fleet.protections import ProtectionRecord
from pilothouse.fleet.scene import Scene, look
from pilothouse.kit.db import Tx


def needs_looking(desk: Desk, trader: Trader, record: ProtectionRecord) -> bool:
    """Say whether a protection has a part that nobody but the house watches."""
    guards = record.protection.guards
    if guards.trailing is not None or guards.time_stop_s is not None or record.kept_here:
        return True
    return not desk.carries_stops(trader.venue) or (bool(guards.targets) and desk.holds_coins(trader.venue))


def asks_for_a_turn(tx: Tx, desk: Desk, trader: Trader, record: ProtectionRecord, now: datetime) -> bool:
    """Say whether its trail has moved, or a level of it, or its time, has come; False while there is no price."""
    try:
        scene: Scene = look(tx, desk, trader, record.symbol)
    except Unavailable:
        return False
    view, protection = scene.view, record.protection
    entry = view.position.entry_price()
    if entry is None:
        return False
    trailing, mark = protection.guards.trailing, view.quote.mark
    best = best_price(trailing, record.best_price, mark, entry, protection.side, view.instrument)
    if best != record.best_price:
        return True
    if not protection.guards.time_stop_s and not _keeps_anything(desk, trader, record):
        return False
    made = protections.made_for(tx, record)
    return is_due(protection, scene.placed(made.places()).view, made.progress(record, now, desk.clock.tick()), now)


def _keeps_anything(desk: Desk, trader: Trader, record: ProtectionRecord) -> bool:
    return bool(record.kept_here) or not desk.carries_stops(trader.venue) or desk.holds_coins(trader.venue)
