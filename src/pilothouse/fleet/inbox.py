"""Take one alert once: check it, find its double, store it and drive its instrument, in one transaction.

What was answered with 200 is remembered: the same alert again is the same answer. What was refused for its form
(400) or for want of a position (404) did nothing and is not remembered: it may come again and then do something. That
holds for what its sender was told: an alert that was answered 200, waited and is refused in its turn is remembered.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Final

from pilothouse.accounts import hooks, trading_accounts
from pilothouse.accounts.hooks import Hook
from pilothouse.bots.alert import Alert, AlertInvalid, Shape
from pilothouse.core.clock import iso, micros
from pilothouse.core.errors import Conflict, Forbidden, Invalid, NotFound, Problem, Refused
from pilothouse.core.instrument import Instrument
from pilothouse.core.signals import SignalKind
from pilothouse.execution.desk import Desk
from pilothouse.execution.trader import Trader
from pilothouse.fleet import drive, expect, keep, store
from pilothouse.fleet.expect import AHEAD_MOST
from pilothouse.fleet.store import SignalRecord, SignalState
from pilothouse.kit.db import Tx

BODY_BYTES_MAX = 65_536

BODIES_MOST: Final = 20_000
"""So many bodies are remembered by the monotonic clock; of older ones the wall clock tells."""


class Door(StrEnum):
    """Where an alert came in."""

    ORDER = Shape.ORDER.value
    STRATEGY = Shape.STRATEGY.value
    HOOK = "/hooks"

    @property
    def shape(self) -> Shape:
        """Return how bodies at this door are read."""
        return Shape.EITHER if self is Door.HOOK else Shape(self.value)


class HookUnknown(NotFound):
    """There is no hook under this address."""

    code = "hook_not_found"


class SecretMissing(Forbidden):
    """The webhook secret is required."""

    code = "secret_missing"


class SecretWrong(Forbidden):
    """The webhook secret opens no hook."""

    code = "secret_wrong"


class AlertIdTaken(Conflict):
    """The same alert id came with another body."""

    code = "alert_id_taken"


@dataclass(frozen=True, slots=True)
class Taken:
    """An alert that is stored, or was before.

    held   whether it was only stored, because there is a crowd: it is decided in its turn
    """

    signal: SignalRecord
    duplicate: bool
    held: bool = False


def hook_by_token(tx: Tx, url_token: str) -> Hook:
    """Return the hook behind an address; raises HookUnknown."""
    hook = hooks.by_token(tx, url_token)
    if hook is None:
        raise HookUnknown("there is no such hook")
    return hook


def hook_by_secret(tx: Tx, secret: str | None) -> Hook:
    """Return the hook that a secret opens; raises SecretMissing or SecretWrong."""
    if not secret:
        raise SecretMissing("Webhook secret required but not provided")
    hook = hooks.by_secret(tx, secret)
    if hook is None:
        raise SecretWrong("Invalid webhook secret")
    return hook


def take(
    tx: Tx,
    desk: Desk,
    hook: Hook,
    door: Door,
    read: Alert | Invalid,
    *,
    fingerprint: str,
    received_at: datetime,
    undecided: bool = False,
) -> Taken:
    """Store an alert and decide it; the same alert again is only counted.

    read          what `bots.alert.read` made of the body, or why it could not
    fingerprint   SHA-256 of the body, hexadecimal
    undecided     only store it: it is decided in its turn, as in a crowd

    Raises AlertIdTaken; Unavailable if there is no price to decide with: then nothing is stored.
    """
    account = trading_accounts.by_id(tx, hook.account_id)
    trader = Trader.of(account)
    tx.lock(f"account:{account.id}")
    key = _key(read, fingerprint, received_at)
    double = _double(tx, desk, hook, read, fingerprint, received_at)
    if double is not None:
        store.delivered_again(tx, double.id)
        tx.record(account.id, double.id, "again", {"at": received_at, "fingerprint": fingerprint})
        return Taken(double, duplicate=True)
    record = _new(desk, hook, door, read, key, fingerprint, received_at)
    if isinstance(read, Alert) and read.signal.alert_id is None:
        tx.after_commit(partial(_remember, desk, hook.id, fingerprint, record.id))
    came = {"hook": hook.id, "door": door, "key": key, "sha256": fingerprint, "at": received_at, "body": record.body}
    tx.record(account.id, record.id, "alert", came)
    if isinstance(read, Invalid):
        return Taken(_refuse(tx, record, _with_symbol(desk, hook, trader, read)), duplicate=False)
    if read.signal.kind is SignalKind.HEARTBEAT:
        expect.arrived(tx, desk, hook, record)
        return Taken(
            keep.nothing_to_do(tx, record, SignalState.NOOP, "A sign of life: nothing was to do"), duplicate=False
        )
    return _drive(tx, desk, hook, trader, record, read, undecided=undecided)


def _drive(
    tx: Tx, desk: Desk, hook: Hook, trader: Trader, record: SignalRecord, read: Alert, *, undecided: bool
) -> Taken:
    """Decide a fresh alert, or store it to be decided in its turn; one that came too late is only stored."""
    try:
        instrument = _instrument(desk, hook, trader, read.signal.symbol)
        by_venue = record.received_at + desk.clock_ahead(trader.venue)
        _refuse_stale(hook, read, by_venue)
    except Refused as refusal:
        return Taken(_refuse(tx, record, refusal), duplicate=False)
    record = record.but(symbol=instrument.symbol)
    expect.arrived(tx, desk, hook, record)
    older = expect.older_than(tx, hook, record, by_venue)
    if older is not None:
        superseded = keep.nothing_to_do(tx, record, SignalState.SUPERSEDED, f"Superseded: {older}", code="older_alert")
        return Taken(superseded, duplicate=False)
    if undecided or desk.database.is_crowded:
        return Taken(drive.hold(tx, desk, record), duplicate=False, held=True)
    decided = drive.advance(tx, desk, trader, instrument.symbol, drive.HookBook(hook), record)
    assert decided is not None, "a fresh alert is always decided or stored as pending"
    return Taken(decided, duplicate=False)


def _new(
    desk: Desk, hook: Hook, door: Door, read: Alert | Invalid, key: str, fingerprint: str, received_at: datetime
) -> SignalRecord:
    """Return an alert as it is stored first: nothing is decided of it."""
    return SignalRecord(
        id=desk.ids.fresh("sig"),
        owner_id=hook.owner_id,
        account_id=hook.account_id,
        hook_id=hook.id,
        shape=door.value,
        alert_key=key,
        fingerprint=fingerprint,
        body=read.masked if isinstance(read, Alert) else {},
        signal=read.signal if isinstance(read, Alert) else None,
        symbol=None,
        received_at=received_at,
        state=SignalState.PENDING,
        step=0,
        code=None,
        message="",
        http_status=200,
        detail=None,
        deliveries=1,
        changed_at=received_at,
        heard=desk.clock.tick(),
    )


class StaleAlert(Refused):
    """The alert is older than its hook allows, or does not say how old it is."""

    code = "stale_alert"


def _key(read: Alert | Invalid, fingerprint: str, received_at: datetime) -> str:
    """Return what makes the alert this alert: the sender's own id, else its body and the time it first came."""
    if isinstance(read, Alert) and read.signal.alert_id is not None:
        return f"id:{read.signal.alert_id}"
    return f"body:{fingerprint}:{micros(received_at)}"


def _remember(desk: Desk, hook_id: str, fingerprint: str, signal_id: str) -> None:
    """Remember when a body came by the clock that nobody sets; the oldest are forgotten."""
    heard = desk.bodies_heard
    heard.pop((hook_id, fingerprint), None)
    while len(heard) >= BODIES_MOST:
        heard.pop(next(iter(heard)), None)
    heard[hook_id, fingerprint] = (signal_id, desk.clock.monotonic())


def _by_body(tx: Tx, desk: Desk, hook: Hook, fingerprint: str, received_at: datetime) -> SignalRecord | None:
    """Return the alert that brought the same body within the hook's window.

    By the monotonic clock where this process heard it, by the machine's count where another one on the same boot did: a
    wall clock that is set meanwhile, forward or back, must make neither a repetition new nor a new alert a repetition.
    By the wall clock otherwise.
    """
    signal_id, at = desk.bodies_heard.get((hook.id, fingerprint), ("", 0.0))
    if signal_id and desk.clock.monotonic() - at <= hook.window_s:
        known = store.get(tx, signal_id)
        if known is not None and known.alert_key is not None:
            return known
    within = timedelta(seconds=hook.window_s)
    found = store.by_body(tx, hook.id, fingerprint, within, received_at, desk.clock.tick())
    return None if found is not None and found.id == signal_id else found


def _double(
    tx: Tx, desk: Desk, hook: Hook, read: Alert | Invalid, fingerprint: str, received_at: datetime
) -> SignalRecord | None:
    """Return the alert that this one repeats, or None; raises AlertIdTaken."""
    if isinstance(read, Invalid):
        return None
    alert_id = read.signal.alert_id
    if alert_id is None:
        return _by_body(tx, desk, hook, fingerprint, received_at)
    known = store.by_key(tx, hook.id, f"id:{alert_id}")
    if known is not None and known.fingerprint != fingerprint:
        raise AlertIdTaken(
            f"alert_id {alert_id[:80]!r} came before, at {iso(known.received_at)}, with another body: "
            "another alert needs another alert_id"
        )
    return known


def _with_symbol(desk: Desk, hook: Hook, trader: Trader, read: Invalid) -> Invalid:
    """Return what is wrong with an alert, its symbol included: every wrong field is told at once."""
    if not isinstance(read, AlertInvalid) or not read.symbol:
        return read
    try:
        _instrument(desk, hook, trader, read.symbol)
    except Invalid as unknown:
        return Invalid([*read.problems, *unknown.problems])
    return read


def _instrument(desk: Desk, hook: Hook, trader: Trader, symbol: str) -> Instrument:
    """Return the instrument that the alert names; raises Invalid naming the field."""
    try:
        instrument = desk.resolve(trader.venue, symbol)
    except Refused as unknown:
        raise Invalid([Problem("symbol", str(unknown), "a symbol of this account's venue", unknown.code)]) from None
    if not hook.allows(instrument.symbol):
        allowed = f"one of {', '.join(hook.symbols or ())}"
        came = f"{instrument.symbol} is not allowed on this hook"
        raise Invalid([Problem("symbol", came, allowed, "symbol_not_allowed")])
    return instrument


def _refuse_stale(hook: Hook, read: Alert, received_at: datetime) -> None:
    """Raise StaleAlert for one that is too old, or whose age cannot be told. `received_at`: by the venue's clock."""
    if hook.max_age_s is None:
        return
    sent_at = read.signal.sent_at
    if sent_at is None:
        raise StaleAlert(
            f"this hook takes alerts of at most {hook.max_age_s} s, and the alert carries no time that can be read: "
            'add "timenow": "{{timenow}}"'
        )
    age = received_at - sent_at
    if age > timedelta(seconds=hook.max_age_s):
        raise StaleAlert(
            f"the alert was sent at {iso(sent_at)}, {age.total_seconds():.0f} s before it came; this hook takes "
            f"alerts of at most {hook.max_age_s} s"
        )
    if -age > AHEAD_MOST:
        raise StaleAlert(
            f"the alert says that it was sent at {iso(sent_at)}, {-age.total_seconds():.0f} s after it came: this "
            "machine's clock or the sender's is wrong, so nobody can say how old it is"
        )


def _refuse(tx: Tx, record: SignalRecord, refusal: Refused) -> SignalRecord:
    """Store an alert that is refused before anything is looked at."""
    refused = keep.refused(record, refusal)
    store.add(tx, refused)
    keep.tell(tx, refused)
    return refused
