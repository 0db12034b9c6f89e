"""One turn of one instrument of one account: what is there in; orders, cancels and changed signals out.

Level-triggered: asked again whenever something moved, it does what is due and nothing twice. Alerts are decided one
after the other in order of arrival; while an order is unknown, or an older signal is in the middle of its orders,
the later ones wait, and a newer target or close supersedes the older ones that wait.
"""

from datetime import timedelta

from pilothouse.accounts.hooks import Hook, get
from pilothouse.core.errors import Unavailable
from pilothouse.core.signals import SignalKind
from pilothouse.execution import hearing
from pilothouse.execution.desk import Desk
from pilothouse.execution.tell import MOVED_TOPIC
from pilothouse.execution.trader import Trader
from pilothouse.fleet import protections, store
from pilothouse.fleet.decide import decide
from pilothouse.fleet.guard import guard_position
from pilothouse.fleet.keep import WAITS, keep, why_waiting
from pilothouse.fleet.scene import look
from pilothouse.fleet.store import SignalRecord, SignalState
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx

_ABSOLUTE = (SignalKind.TARGET, SignalKind.CLOSE)
"""Signals that say where the position shall be, whatever older ones wanted."""

TURN_MOST = 32
"""So many signals of one instrument are decided in one transaction; what came behind them has another turn."""

CROWDED_MOST = 1
"""So many are decided while there is a crowd, in which alerts are stored and answered first: it goes on, slowly."""

CROWDED_PAUSE = timedelta(milliseconds=250)


def advance(
    tx: Tx, desk: Desk, trader: Trader, symbol: str, hooks: "HookBook", fresh: SignalRecord | None = None
) -> SignalRecord | None:
    """Do what is due in one instrument; returns `fresh`, stored, as it was decided.

    fresh   an alert that came with this transaction, not stored yet; it is the youngest
    Raises Unavailable if there is no price to decide with: then nothing is stored.
    """
    tx.lock(f"account:{trader.account_id}")
    most = _most_now(desk, trader.account_id, symbol)
    waiting = store.waiting_in(tx, trader.account_id, symbol, most + 1)
    now = desk.clock.now()
    deaf_since = hearing.deaf_since(tx, trader.account_id, now)
    is_deaf = deaf_since is not None
    decided = None
    more_wait = len(waiting) > most
    if more_wait:
        waiting = waiting[:most]
        decided, fresh = (_keep_waiting(tx, desk, fresh) if fresh is not None else None), None
    protection = protections.of(tx, trader.account_id, symbol)
    try:
        scene = look(tx, desk, trader, symbol)
    except Unavailable:
        if not is_deaf or (fresh is None and decided is None):
            raise
        # Nothing is decided for the account now anyway: it is kept, and decided once there is a price and it is heard.
        if fresh is None:
            return decided
        return keep(tx, desk, fresh.but(message=why_waiting(is_deaf=True)), is_fresh=True)
    queue = [*waiting, *([fresh] if fresh else [])]
    kept, was_active = _supersede(tx, desk, queue, fresh)
    held_up = scene.in_doubt() or (was_active and scene.view.moves())
    # What happened meanwhile is not known yet: it would be decided on a position that may be another one.
    is_unsure = deaf_since is not None and now - deaf_since <= desk.patience.deaf
    held_up = held_up or is_unsure
    exit_waits = any(record.state is SignalState.ACTIVE for record in kept)
    for record in kept:
        is_fresh = record is fresh
        if held_up:
            if is_fresh:
                decided = keep(tx, desk, record.but(message=why_waiting(is_deaf=is_deaf)), is_fresh=True)
            continue
        hook = hooks.of(tx, record.owner_id, record.hook_id)
        after, scene = decide(tx, desk, trader, scene, record, hook, is_fresh=is_fresh, is_deaf=is_deaf)
        exit_waits = after.state is SignalState.ACTIVE
        held_up = exit_waits or (after.state is SignalState.PENDING and scene.view.held() == 0)
        decided = after if is_fresh else decided
    # Else what it waits for gives it its turn: an order that ends, an account that is heard.
    if more_wait and not held_up:
        another_turn(tx, desk, trader.account_id, symbol)
    if trader.may_send and (protection is not None or scene.has_protective() or scene.protection_changed):
        guard_position(tx, desk, trader, scene, exit_waits=exit_waits, may_exit=not is_unsure)
    return decided


def _most_now(desk: Desk, account_id: str, symbol: str) -> int:
    """Return how many signals of an instrument a turn may decide; in a crowd a few, and then none for a moment."""
    if not desk.database.is_crowded:
        return TURN_MOST
    now = desk.clock.monotonic()
    last = desk.crowd_turns.get((account_id, symbol))
    if last is not None and 0 <= now - last < CROWDED_PAUSE.total_seconds():
        return 0
    desk.crowd_turns[account_id, symbol] = now
    return CROWDED_MOST


def hold(tx: Tx, desk: Desk, fresh: SignalRecord) -> SignalRecord:
    """Store a fresh alert that is decided later, in its turn; its instrument is given one."""
    assert fresh.symbol is not None, "an alert that waits has an instrument"
    record = _keep_waiting(tx, desk, fresh)
    another_turn(tx, desk, record.account_id, fresh.symbol)
    return record


def _keep_waiting(tx: Tx, desk: Desk, fresh: SignalRecord) -> SignalRecord:
    """Store a fresh alert behind those that wait."""
    record = fresh.but(message=WAITS, changed_at=desk.clock.now())
    store.add(tx, record)
    return record


def another_turn(tx: Tx, desk: Desk, account_id: str, symbol: str) -> None:
    """Let an instrument have another turn: soon, or a little later while there is a crowd."""
    now = desk.clock.now()
    outbox.put(
        tx,
        MOVED_TOPIC,
        key=account_id,
        payload={"account_id": account_id, "symbol": symbol},
        dedupe_key=f"{MOVED_TOPIC}/{account_id}:{symbol}/turn",
        available_at=now + CROWDED_PAUSE if desk.database.is_crowded else now,
        now=now,
    )


class HookBook:
    """Hooks by id, read once each within one turn."""

    def __init__(self, *known: Hook) -> None:
        """Begin with the hooks that were read already."""
        self._known = {hook.id: hook for hook in known}

    def of(self, tx: Tx, owner_id: str, hook_id: str) -> Hook:
        """Return the hook; it exists, since signals are never older than their hook."""
        if hook_id not in self._known:
            self._known[hook_id] = get(tx, owner_id, hook_id)
        return self._known[hook_id]


def _supersede(
    tx: Tx, desk: Desk, queue: list[SignalRecord], fresh: SignalRecord | None
) -> tuple[list[SignalRecord], bool]:
    """Return what is still wanted of a queue, and whether a signal was superseded in the middle of its orders."""
    last_absolute = max(
        (index for index, record in enumerate(queue) if record.signal and record.signal.kind in _ABSOLUTE), default=0
    )
    was_active = False
    for record in queue[:last_absolute]:
        was_active = was_active or record.state is SignalState.ACTIVE
        newer = queue[last_absolute].id
        message = f"superseded by the newer alert {newer}"
        keep(tx, desk, record.but(state=SignalState.SUPERSEDED, message=message), is_fresh=record is fresh)
    return queue[last_absolute:], was_active
