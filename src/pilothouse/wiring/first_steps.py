"""What the very first start makes: an operator with a token, a paper account, a hook. Later starts find it again.

Tokens and secrets are stored as digests only, so the file `first-steps.json` (mode 0600) is the one place that
shows them. It is drafted before the commit and put in its place after it: a crash in between loses neither.
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import structlog

from pilothouse.accounts import hooks, setups, tokens, trading_accounts
from pilothouse.accounts.access import ALL_SCOPES
from pilothouse.accounts.trading_accounts import Mode
from pilothouse.core.errors import Refused, Unavailable
from pilothouse.kit.db import Tx
from pilothouse.kit.sealed import write_private
from pilothouse.wiring.build import PAPER, PAPER_DEPOSIT, open_paper_account
from pilothouse.wiring.house import House

_log = structlog.get_logger("pilothouse.first_steps")

FILE = "first-steps.json"
_DRAFT = "first-steps.draft.json"
ACCOUNT_NAME = "paper"
HOOK_NAME = "first hook"


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """What a newcomer needs; secrets are plain here, so this is shown and never logged."""

    url: str
    operator_token: str
    hook_url: str
    webhook_secret: str
    account: str

    def as_dict(self) -> dict[str, str]:
        """Return the facts by name, as they stand in the file."""
        return {
            "url": self.url,
            "operator_token": self.operator_token,
            "hook_url": self.hook_url,
            "webhook_secret": self.webhook_secret,
            "account": self.account,
        }


def take(house: House) -> tuple[FirstSteps | None, bool]:
    """Make what the first start makes, once; returns (the facts, whether they were made now).

    The facts are None if they were made earlier and their file is gone: the secrets can then only be rotated.
    """
    made = house.database.read(lambda tx: trading_accounts.list_accounts(tx, house.operator_id)) != []
    if not made:
        house.database.write(lambda tx: _make(tx, house), name="first steps")
    _put_in_place(house.settings.data)
    for account in house.database.read(trading_accounts.active_accounts):
        if account.venue == PAPER:
            open_paper_account(house, account.id, _deposit_of(house, account.id))
        elif account.mode is Mode.PAPER:  # a crash may have come between its row and its money
            try:
                open_paper_account(house, account.id, _deposit_of(house, account.id))
            except (Refused, Unavailable) as error:
                _log.warning("paper_account_not_opened", account=account.id, venue=account.venue, why=str(error))
    return _known(house), not made


def _deposit_of(house: House, account_id: str) -> Decimal:
    """Return the first deposit that was asked for, or the usual one."""
    setup = house.database.read(lambda tx: setups.of_account(tx, account_id))
    return PAPER_DEPOSIT if setup is None or setup.deposit is None else setup.deposit


def _make(tx: Tx, house: House) -> None:
    """Make everything in one transaction, and draft the file before it commits."""
    now = house.clock.now()
    account = trading_accounts.open_account(
        tx, owner_id=house.operator_id, name=ACCOUNT_NAME, venue=PAPER, mode=Mode.PAPER, currency="USDT", now=now
    )
    _, token = tokens.issue(tx, owner_id=house.operator_id, label="first operator token", scopes=ALL_SCOPES, now=now)
    _, url_token, secret = hooks.create(tx, owner_id=house.operator_id, account_id=account.id, name=HOOK_NAME, now=now)
    address = house.settings.address
    facts = FirstSteps(
        url=address,
        operator_token=token.reveal(),
        hook_url=f"{address}/hooks/{url_token.reveal()}",
        webhook_secret=secret.reveal(),
        account=account.id,
    )
    write_private(house.settings.data / _DRAFT, _text(facts.as_dict()))


def _put_in_place(data: Path) -> None:
    """Give a draft whose transaction was committed its name."""
    draft = data / _DRAFT
    if draft.exists():
        draft.replace(data / FILE)


def _known(house: House) -> FirstSteps | None:
    """Return the facts in the file, with the address the house has now; None if the file is gone or unreadable."""
    path = house.settings.data / FILE
    try:
        known: dict[str, Any] = json.loads(path.read_text("utf-8"))
        address = house.settings.address
        facts = FirstSteps(
            url=address,
            operator_token=known["operator_token"],
            hook_url=f"{address}/hooks/{known['hook_url'].rpartition('/')[2]}",
            webhook_secret=known["webhook_secret"],
            account=known["account"],
        )
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    if facts.as_dict() != known:
        write_private(path, _text(facts.as_dict()))
    return facts


def _text(facts: dict[str, str]) -> str:
    return json.dumps(facts, indent=2) + "\n"
