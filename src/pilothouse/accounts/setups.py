"""How a trading account was set up, and what its venue said when it was last tested."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, insert, select, update

from pilothouse.accounts.tables import account_setups
from pilothouse.kit.db import Tx

_CELLS = account_setups.c
_COLUMNS = (
    _CELLS.account_id,
    _CELLS.owner_id,
    _CELLS.deposit,
    _CELLS.withdrawals_allowed,
    _CELLS.armed_by_setting_at,
    _CELLS.tested_at,
    _CELLS.passed,
    _CELLS.message,
    _CELLS.found,
)


@dataclass(frozen=True, slots=True)
class Setup:
    """How one account was set up.

    deposit               first deposit of a paper account, settlement currency; None: the usual one
    withdrawals_allowed   somebody said that its key may withdraw
    armed_by_setting_at   when the setting that arms live accounts armed this one, which it does once
    tested_at             when its venue was last asked about it; None: not yet
    passed                whether it may be traded as it was found
    message               why not
    found                 what the venue said, as plain data without secrets
    """

    account_id: str
    owner_id: str
    deposit: Decimal | None = None
    withdrawals_allowed: bool = False
    armed_by_setting_at: datetime | None = None
    tested_at: datetime | None = None
    passed: bool | None = None
    message: str | None = None
    found: Mapping[str, Any] | None = None


def of_account(tx: Tx, account_id: str) -> Setup | None:
    """Return how an account was set up; None for the paper account of the first start."""
    row = tx.execute(select(*_COLUMNS).where(_CELLS.account_id == account_id)).one_or_none()
    return None if row is None else Setup(*row)


def every_setup(tx: Tx) -> dict[str, Setup]:
    """Return how each account was set up, by its id."""
    return {row.account_id: Setup(*row) for row in tx.execute(select(*_COLUMNS))}


def keep(tx: Tx, setup: Setup) -> None:
    """Keep how an account was set up; what was kept before is replaced."""
    values = {name: getattr(setup, name) for name in Setup.__dataclass_fields__}
    values["found"] = None if setup.found is None else dict(setup.found)
    if tx.execute(update(account_setups).where(_CELLS.account_id == setup.account_id), values).rowcount == 0:
        tx.execute(insert(account_setups), values)


def forget(tx: Tx, account_id: str) -> None:
    """Forget how an account was set up that is no more."""
    tx.execute(delete(account_setups).where(_CELLS.account_id == account_id))
