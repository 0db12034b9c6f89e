"""What the watcher asks for when a position is without its protection for too long; one step each time it is asked.

First the stop is placed in the venue's next form. If it does not stand so long again, what the account wants is done:
the position is closed at the market, or a person is told and the house watches the price itself. Asked too early, or
for what stands, it does nothing, so that any number of watchers do no more than one.
"""

from datetime import timedelta
from enum import StrEnum

from pilothouse.bots.bracket import STOP, stands
from pilothouse.core.instrument import Side
from pilothouse.execution.desk import Desk
from pilothouse.execution.trader import Trader
from pilothouse.fleet import protections
from pilothouse.fleet.exits import flatten
from pilothouse.fleet.guard import begin, guard_position, of_this_position
from pilothouse.fleet.protections import Then
from pilothouse.fleet.scene import Scene, look
from pilothouse.fleet.turn import Turn, alarm, keep_here, policy_of
from pilothouse.kit.db import Tx

_TRIED, _DONE = 1, 2


class Did(StrEnum):
    """What came of it."""

    STANDS = "stands"
    WAITS = "waits"
    TRIED_OTHERWISE = "tried_otherwise"
    FLATTENED = "flattened"
    ALARMED = "alarmed"


def escalate(tx: Tx, desk: Desk, trader: Trader, symbol: str) -> Did:
    """Do the next step for a position that is without its protection. Raises Unavailable without a price."""
    tx.lock(f"account:{trader.account_id}")
    scene = look(tx, desk, trader, symbol)
    if not trader.may_send:
        return Did.WAITS
    guard_position(tx, desk, trader, scene)  # what lacks is placed first, in whatever way it is placed now
    scene = look(tx, desk, trader, symbol)
    record = of_this_position(tx, desk, trader, scene, protections.of(tx, trader.account_id, symbol))
    if record is None:
        return Did.STANDS
    turn, scene = begin(tx, desk, trader, scene, record)
    if stands(record.protection, scene.view, turn.progress):
        return Did.STANDS
    policy = policy_of(tx, desk, trader.account_id)
    within = timedelta(seconds=policy.within_s)
    waited = record.naked_for(turn.now, desk.clock.tick())  # zero where the turn above found it standing
    if record.watched_step < _TRIED:
        return _otherwise(turn, scene) if waited >= within else Did.WAITS
    if waited < 2 * within:
        return Did.WAITS
    return _as_wanted(turn, scene, policy.then)


def _otherwise(turn: Turn, scene: Scene) -> Did:
    """Place the stop in the venue's next form, whatever became of the one before."""
    record = turn.record
    way = min(record.way + 1, len(scene.view.stop_ways) - 1)
    protections.change(turn.tx, record, turn.now, watched_step=_TRIED, way=way)
    guard_position(turn.tx, turn.desk, turn.trader, scene)
    return Did.TRIED_OTHERWISE


def _as_wanted(turn: Turn, scene: Scene, then: Then) -> Did:
    """Close the position, or tell a person once and let the house watch its price."""
    record, symbol = turn.record, turn.record.symbol
    was_done = record.watched_step >= _DONE
    protections.change(turn.tx, record, turn.now, watched_step=_DONE)
    if then is Then.FLATTEN:
        message = f"the protection of {symbol} did not stand in time, in no way: the position is closed at the market"
        flatten(turn, scene, "not protected in time", message)
        return Did.FLATTENED
    if not was_done:
        keep_here(turn, STOP)
        held = scene.view.held()
        side = "long" if held and Side.of(held) is Side.BUY else "short"
        message = f"the {side} position in {symbol} is without its stop, in whatever way it was placed: look after it"
        alarm(turn.tx, turn.trader, turn.now, "protection_refused", message, {"symbol": symbol})
    return Did.ALARMED
