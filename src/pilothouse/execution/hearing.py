"""How well each account is heard at its venue, as the process that listens has said: nothing is decided in the dark.

What is kept is kept for all processes of the house, and holds no longer than the listener's lease: a process that died
while it listened leaves an account that is not heard. An account without a row is told from inside of this house.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, insert, select, update

from pilothouse.core.clock import iso
from pilothouse.core.facts import Fact, FactKind
from pilothouse.execution.desk import Patience
from pilothouse.execution.tables import hearing
from pilothouse.kit.db import Tx
from pilothouse.kit.hot import hot
from pilothouse.kit.lease import Held, still_held
from pilothouse.venues.port import StreamState

LOST: Final = StreamState.LOST
LIVE: Final = StreamState.LIVE

_CELLS = hearing.c
_SELECT = select(hearing)
_INSERT = insert(hearing)
_OF = _CELLS.account_id == bindparam("of_account")
_CHANGE = update(hearing).where(_OF)


@dataclass(frozen=True, slots=True)
class Hearing:
    """How one account is heard; see `execution/tables.py`."""

    account_id: str
    owner_id: str
    state: StreamState
    since: datetime
    until: datetime
    holder: str
    alarmed_at: datetime | None
    compared_at: datetime | None

    def deaf_since(self, now: datetime) -> datetime | None:
        """Return since when it is not heard; None: it is."""
        if self.state is not StreamState.LIVE:
            return self.since
        return self.until if now >= self.until else None

    def shown(self, now: datetime) -> StreamState:
        """Return its state, which is lost once its holder's lease has ended."""
        return self.state if now < self.until else StreamState.LOST


def _hearing(row: Row[Any]) -> Hearing:
    return Hearing(
        row.account_id,
        row.owner_id,
        StreamState(row.state),
        row.since,
        row.until,
        row.holder,
        row.alarmed_at,
        row.compared_at,
    )


# Asked with each alert.
_GET = hot(_SELECT.where(_OF), _hearing)


def of(tx: Tx, account_id: str) -> Hearing | None:
    """Return how an account is heard; None: it is told from inside of this house."""
    found: Hearing | None = tx.execute(_GET, {"of_account": account_id}).first()
    return found


def all_accounts(tx: Tx) -> list[Hearing]:
    """Return how every account is heard that has a stream, oldest account first."""
    return [_hearing(row) for row in tx.execute(_SELECT.order_by(_CELLS.account_id))]


def deaf_since(tx: Tx, account_id: str, now: datetime) -> datetime | None:
    """Return since when an account is not heard; None: it is."""
    found = of(tx, account_id)
    return None if found is None else found.deaf_since(now)


def expect(tx: Tx, account_id: str, owner_id: str, now: datetime) -> None:
    """Know that an account is to be heard by a stream: until it is, nothing is decided for it."""
    tx.lock(f"account:{account_id}")
    if of(tx, account_id) is None:
        tx.execute(
            _INSERT,
            {
                "account_id": account_id,
                "owner_id": owner_id,
                "state": StreamState.LOST.value,
                "since": now,
                "until": now,
                "holder": "",
                "alarmed_at": None,
                "compared_at": None,
            },
        )


def forget(tx: Tx, account_id: str) -> None:
    """Expect to hear an account no more."""
    tx.execute(delete(hearing).where(_CELLS.account_id == account_id))


def lose_all(tx: Tx, now: datetime) -> None:
    """Know that nobody listens to any account: for the one process that knows that all others are dead."""
    heard = (_CELLS.state == StreamState.LIVE.value, _CELLS.until > now)
    tx.execute(update(hearing).where(*heard).values(state=StreamState.LOST.value, since=now, until=now))


def begin(tx: Tx, held: Held, account_id: str, now: datetime) -> None:
    """Take over: the holder of the lease `held` begins to listen, and has heard nothing yet."""
    was = of(tx, account_id)
    if was is None:
        return
    since = was.deaf_since(now) or now
    values = {"state": StreamState.LOST.value, "since": since, "until": held.until, "holder": held.owner}
    tx.execute(_CHANGE, {"of_account": account_id, **values})


def prolong(tx: Tx, held: Held, account_id: str) -> None:
    """Let what was said hold until the end of the lease that was renewed."""
    tx.execute(_CHANGE, {"of_account": account_id, "until": held.until})


def say(tx: Tx, held: Held, account_id: str, told: str, now: datetime) -> bool:
    """Keep how an account is heard from now on; False if the lease was lost: then another one says it.

    told   a StreamState
    """
    state = StreamState(told)
    tx.lock(f"account:{account_id}")
    was = of(tx, account_id)
    if was is None or not still_held(tx, held, now=now):
        return False
    if was.state is state:
        return True
    turned = StreamState.LIVE in {was.state, state}
    values: dict[str, object] = {"state": state.value, "since": now if turned else was.since}
    if state is StreamState.LIVE:
        values["alarmed_at"] = None
    tx.execute(_CHANGE, {"of_account": account_id, **values})
    payload = {"state": state.value, "was": was.state.value, "holder": held.owner, "at": iso(now)}
    tx.announce(Fact(FactKind.ACCOUNT_HEARD, was.owner_id, now, account_id, payload))
    return True


def compared(tx: Tx, account_id: str, now: datetime) -> None:
    """Note that an account was reconciled in full."""
    tx.execute(_CHANGE, {"of_account": account_id, "compared_at": now})


def raise_alarms(tx: Tx, patience: Patience, now: datetime) -> int:
    """Tell, once each, of accounts that are not heard for longer than is put up with; return how many are told now."""
    told = 0
    for each in all_accounts(tx):
        since = each.deaf_since(now)
        if since is None or each.alarmed_at is not None or now - since <= patience.deaf:
            continue
        seconds = (now - since).total_seconds()
        message = f"the account is not heard at its venue for {seconds:.0f} s: only what reduces is decided"
        payload = {"code": "account_not_heard", "message": message, "since": iso(since)}
        tx.announce(Fact(FactKind.ALARM_RAISED, each.owner_id, now, each.account_id, payload))
        tx.execute(_CHANGE, {"of_account": each.account_id, "alarmed_at": now})
        told += 1
    return told
