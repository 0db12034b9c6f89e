"""A credential for AsterDEX: three texts as a person types them, and the keys that are made of them."""

from collections.abc import Mapping
from typing import Final

from pilothouse.core.errors import Invalid, Problem
from pilothouse.kit.sealed import Secret
from pilothouse.venues.aster.sign import AsterKeys, Signer

USER: Final = "user"
SIGNER: Final = "signer"
PRIVATE_KEY: Final = "private_key"


def checked(parts: Mapping[str, Secret], chain_id: int) -> tuple[dict[str, Secret], str]:
    """Return a credential as it is kept, once it is certain that it fits together, and the signer's address.

    Raises Invalid for an address that is none, KeyNotUsable or KeyNotOfSigner.
    """
    user, signer = (parts[name].reveal().strip() for name in (USER, SIGNER))
    problems = [
        Problem(name, "no address", "0x and 40 hex digits")
        for name, text in ((USER, user), (SIGNER, signer))
        if not _is_address(text)
    ]
    if problems:
        raise Invalid(problems)
    made = Signer.of(AsterKeys(user, signer, parts[PRIVATE_KEY]), chain_id)
    return {USER: Secret(user), SIGNER: Secret(signer), PRIVATE_KEY: parts[PRIVATE_KEY]}, made.address


def keys_of(parts: Mapping[str, Secret]) -> AsterKeys:
    """Return the keys of a credential that was kept."""
    return AsterKeys(parts[USER].reveal(), parts[SIGNER].reveal(), parts[PRIVATE_KEY])


def _is_address(text: str) -> bool:
    digits = text.lower().removeprefix("0x")
    return text.lower().startswith("0x") and len(digits) == 40 and all(each in "0123456789abcdef" for each in digits)
