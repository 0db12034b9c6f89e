"""What signs for a trading account at its venue: sealed at rest, opened only for whoever is about to sign.

A credential is a few named texts (an address, a key, a secret), kept as one sealed value. It is sealed for its own row:
moved to another account, or to another field, it does not open.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, insert, select, update

from pilothouse.accounts.access import owned
from pilothouse.accounts.audit import record
from pilothouse.accounts.tables import trading_accounts, venue_keys
from pilothouse.accounts.trading_accounts import get
from pilothouse.core.errors import Invalid, NotFound, Problem
from pilothouse.kit import exact_json
from pilothouse.kit.db import Tx
from pilothouse.kit.sealed import Sealer, Secret, sealed_by

_CELLS = venue_keys.c
_SEALED = select(_CELLS.sealed).where(_CELLS.account_id == bindparam("of_id"))
_INSERT = insert(venue_keys)
_VALUE_LENGTH_MOST = 4_096


class KeysMissing(NotFound):
    """Nothing is kept that could sign for this account."""

    code = "venue_keys_missing"


@dataclass(frozen=True, slots=True)
class KeysShown:
    """What may be shown of a credential: which parts it has, and since when; never a part itself.

    label   in which a person knows it again, such as the signer's address; it is no secret
    """

    account_id: str
    label: str
    parts: tuple[str, ...]
    created_at: datetime
    sealed_at: datetime


def keep(
    tx: Tx,
    sealer: Sealer,
    owner_id: str,
    account_id: str,
    parts: Mapping[str, Secret],
    *,
    label: str,
    now: datetime,
    who: str = "house",
) -> None:
    """Keep a credential for an account; one that was there is replaced.

    parts   name -> text, at least one; which names there are is the adapter's matter
    label   what may be shown of it

    Raises AccountNotFound, or Invalid for an empty or overlong part.
    """
    get(tx, owner_id, account_id)
    problems = [
        Problem(name, "nothing" if not part else "too long", f"1 to {_VALUE_LENGTH_MOST} characters")
        for name, part in parts.items()
        if not 1 <= len(part.reveal()) <= _VALUE_LENGTH_MOST
    ]
    if problems or not parts:
        raise Invalid(problems or [Problem("parts", "nothing", "at least one part of a credential")])
    plain = exact_json.dumps({name: part.reveal() for name, part in parts.items()}).encode()
    replaced = bool(tx.execute(delete(venue_keys).where(_CELLS.account_id == account_id)).rowcount)
    tx.execute(
        _INSERT,
        {
            "account_id": account_id,
            "owner_id": owner_id,
            "label": label,
            "parts": sorted(parts),
            "sealed": sealer.seal(plain, _place(account_id)),
            "created_at": now,
            "sealed_at": now,
        },
    )
    what = "venue_keys.replaced" if replaced else "venue_keys.kept"
    detail = {"account_id": account_id, "label": label, "parts": sorted(parts)}
    record(tx, owner_id=owner_id, who=who, what=what, now=now, detail=detail)


def reveal(tx: Tx, sealer: Sealer, account_id: str) -> dict[str, Secret]:
    """Return the parts of an account's credential, for whoever signs with it. Raises KeysMissing or SealBroken."""
    sealed = tx.execute(_SEALED, {"of_id": account_id}).scalar_one_or_none()
    if sealed is None:
        raise KeysMissing(f"the account {account_id[:40]!r} has no key at its venue; add one")
    parts: dict[str, str] = exact_json.loads(sealer.open(sealed, _place(account_id)))
    return {name: Secret(part) for name, part in parts.items()}


def shown(tx: Tx, owner_id: str, account_id: str) -> KeysShown | None:
    """Return what may be shown of an account's credential; None if it has none. Raises AccountNotFound."""
    get(tx, owner_id, account_id)
    columns = (_CELLS.account_id, _CELLS.label, _CELLS.parts, _CELLS.created_at, _CELLS.sealed_at)
    row = tx.execute(select(*columns).where(owned(venue_keys, owner_id), _CELLS.account_id == account_id)).one_or_none()
    return None if row is None else KeysShown(row[0], row[1], tuple(row[2]), row[3], row[4])


def remove(tx: Tx, owner_id: str, account_id: str, *, now: datetime, who: str = "house") -> bool:
    """Forget an account's credential; False if it had none. Raises AccountNotFound."""
    get(tx, owner_id, account_id)
    gone = bool(
        tx.execute(delete(venue_keys).where(owned(venue_keys, owner_id), _CELLS.account_id == account_id)).rowcount
    )
    if gone:
        record(tx, owner_id=owner_id, who=who, what="venue_keys.removed", now=now, detail={"account_id": account_id})
    return gone


def with_keys(tx: Tx, venue: str) -> list[tuple[str, str]]:
    """Return (account id, owner id) of every active account at `venue` that has a credential, oldest first."""
    rows = tx.execute(
        select(trading_accounts.c.id, trading_accounts.c.owner_id)
        .join(venue_keys, _CELLS.account_id == trading_accounts.c.id)
        .where(trading_accounts.c.venue == venue, trading_accounts.c.state == "active")
        .order_by(trading_accounts.c.id)
    )
    return [(row[0], row[1]) for row in rows]


def sealed_with(tx: Tx) -> dict[str, int]:
    """Return how many credentials each key has sealed, by the key's id."""
    return dict(Counter(sealed_by(sealed) for (sealed,) in tx.execute(select(_CELLS.sealed))))


def seal_anew(tx: Tx, sealer: Sealer, *, now: datetime) -> int:
    """Seal with the current key what an older one sealed; return how many there were.

    Afterwards the older key opens nothing here any more. Raises SealBroken if one does not open: then none is changed.
    """
    old = [
        (account_id, sealed)
        for account_id, sealed in tx.execute(select(_CELLS.account_id, _CELLS.sealed).order_by(_CELLS.account_id))
        if not sealer.is_current(sealed)
    ]
    for account_id, sealed in old:
        place = _place(account_id)
        anew = sealer.seal(sealer.open(sealed, place), place)
        tx.execute(update(venue_keys).where(_CELLS.account_id == account_id), {"sealed": anew, "sealed_at": now})
    return len(old)


def _place(account_id: str) -> str:
    """Return what the value is sealed for: table, row and field."""
    return f"venue_keys/{account_id}/sealed"
