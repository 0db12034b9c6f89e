"""Which of two protections is in force where an order on its way may turn a position round: that of the side held."""

from pilothouse.core.instrument import Side
from pilothouse.execution.store import OrderRecord
from pilothouse.execution.trader import Trader
from pilothouse.fleet import protections
from pilothouse.fleet.protections import ProtectionRecord
from pilothouse.fleet.scene import Scene
from pilothouse.kit.db import Tx


def want(tx: Tx, scene: Scene, wanted: ProtectionRecord) -> None:
    """Set a protection; what is held on the other side, or may still be opened there, keeps its own meanwhile.

    An order that is to turn a position round may fill in part, late or never: until then the old side is protected as
    before, and the new protection is awaited.
    """
    account_id, symbol, side = wanted.account_id, wanted.symbol, wanted.protection.side
    before, held = protections.of(tx, account_id, symbol), scene.view.held()
    if before is None or before.protection.side is side:
        protections.put(tx, wanted)
        behind = protections.awaited(tx, account_id, symbol)
        if behind is not None and behind.protection.side is side:
            protections.forget_awaited(tx, account_id, symbol)
    elif held != 0 and Side.of(held) is before.protection.side:
        protections.put_awaited(tx, wanted)
    else:
        protections.put(tx, wanted)
        _await(tx, scene, before)


def _await(tx: Tx, scene: Scene, record: ProtectionRecord) -> None:
    """Let a protection wait behind the one of the other side as long as an order may open what it is for."""
    if entries_of(record, scene):
        protections.put_awaited(tx, record)
    else:
        protections.forget_awaited(tx, record.account_id, record.symbol)


def of_the_held_side(tx: Tx, trader: Trader, scene: Scene) -> ProtectionRecord | None:
    """Return the protection of one instrument, the awaited one in its place once the position was turned round."""
    symbol, held = scene.view.instrument.symbol, scene.view.held()
    record = protections.of(tx, trader.account_id, symbol)
    behind = protections.awaited(tx, trader.account_id, symbol)
    if behind is None:
        return record
    was_closed = held == 0 and record is not None and record.position_opened is not None
    may_open = bool(entries_of(behind, scene))
    is_held = held != 0 and Side.of(held) is behind.protection.side
    if not is_held and not may_open:
        protections.forget_awaited(tx, trader.account_id, symbol)
    if not is_held and not (was_closed and may_open):
        return record
    protections.put(tx, behind)
    protections.forget_awaited(tx, trader.account_id, symbol)
    if record is not None:  # an order of its side that is still on its way was asked for, too: it is not cancelled
        _await(tx, scene, record)
    return behind


def entries_of(record: ProtectionRecord, scene: Scene) -> list[OrderRecord]:
    """Return the orders that could still open the protected position."""
    return [
        order
        for order in scene.records
        if order.terms.side is record.protection.side and not order.terms.reduce_only and not order.purpose.protects
    ]
