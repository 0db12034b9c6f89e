"""From the sealed credentials in the books to adapters that sign with them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pilothouse.accounts import venue_keys
from pilothouse.core.errors import Invalid, Problem
from pilothouse.kit.db import Database
from pilothouse.kit.sealed import Sealer, Secret, load_or_make_key
from pilothouse.venues.aster.adapter import Accounts
from pilothouse.venues.aster.sign import AsterKeys, Signer
from pilothouse.venues.port import VenueAccount

KEY_FILE = "sealing.key"
"""What seals credentials, in the data folder (mode 0600); without it they do not open."""

OLDER_KEYS = "sealing.key.old-*"
"""Keys from before a rotation: they open until everything was sealed anew."""

USER, SIGNER, PRIVATE_KEY = "user", "signer", "private_key"


def open_sealer(data: Path) -> Sealer:
    """Return the sealer of a data folder, whose key is made at the first start. Raises KeyFileUnsafe."""
    older = [load_or_make_key(path) for path in sorted(data.glob(OLDER_KEYS))]
    return Sealer(load_or_make_key(data / KEY_FILE), *older)


def aster_parts(user: str, signer: str, private_key: Secret, chain_id: int) -> dict[str, Secret]:
    """Return a credential for AsterDEX as it is kept, once it is certain that it fits together.

    Raises KeyNotUsable or KeyNotOfSigner, and Invalid for an address that is none.
    """
    problems = [
        Problem(name, "no address", "0x and 40 hex digits")
        for name, text in ((USER, user), (SIGNER, signer))
        if not _is_address(text)
    ]
    if problems:
        raise Invalid(problems)
    Signer.of(AsterKeys(user, signer, private_key), chain_id)
    return {USER: Secret(user.strip()), SIGNER: Secret(signer.strip()), PRIVATE_KEY: private_key}


def aster_accounts(database: Database, sealer: Sealer, venue: str) -> Accounts:
    """Return the accounts at `venue` that can sign. Keys are opened once, and again when the adapter is opened anew."""
    opened: dict[str, AsterKeys] = {}

    def keys_of(account: VenueAccount) -> AsterKeys:
        keys = opened.get(account.id)
        if keys is None:
            parts: Mapping[str, Secret] = database.read(lambda tx: venue_keys.reveal(tx, sealer, account.id))
            keys = AsterKeys(parts[USER].reveal(), parts[SIGNER].reveal(), parts[PRIVATE_KEY])
            opened[account.id] = keys
        return keys

    def every_account() -> Sequence[VenueAccount]:
        return [VenueAccount(*each) for each in database.read(lambda tx: venue_keys.with_keys(tx, venue))]

    return Accounts(keys_of=keys_of, all=every_account)


def _is_address(text: str) -> bool:
    digits = text.strip().lower().removeprefix("0x")
    return (
        text.strip().lower().startswith("0x")
        and len(digits) == 40
        and all(each in "0123456789abcdef" for each in digits)
    )
