"""Signatures as AsterDEX futures v3 takes them: the parameters as they are sent go in, 65 bytes in hex come out.

EIP-712 over one field, `Message(string msg)`, where `msg` is the parameter text byte for byte. Domain and type are the
same in every message, so their hashes are made once.
"""

from dataclasses import dataclass
from typing import Final

from coincurve import PrivateKey
from Crypto.Hash import keccak

from pilothouse.core.errors import Refused
from pilothouse.kit.sealed import Secret
from pilothouse.venues.aster.endpoint import MAINNET_CHAIN

_DOMAIN_NAME: Final = b"AsterSignTransaction"
_DOMAIN_VERSION: Final = b"1"
_DOMAIN_TYPE: Final = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_MESSAGE_TYPE: Final = b"Message(string msg)"
_NO_CONTRACT: Final = bytes(32)
_PREFIX: Final = b"\x19\x01"


class KeyNotUsable(Refused):
    """The text is no private key."""

    code = "key_not_usable"


class KeyNotOfSigner(Refused):
    """The private key belongs to another address than the signer's."""

    code = "key_not_of_signer"


def keccak256(data: bytes) -> bytes:
    """Return the Keccak-256 of `data`: as Ethereum has it, which is not SHA3-256."""
    return keccak.new(digest_bits=256, data=data).digest()


_MESSAGE_TYPEHASH: Final = keccak256(_MESSAGE_TYPE)


def domain_separator(chain_id: int) -> bytes:
    """Return the hash of the domain, 32 bytes."""
    return keccak256(
        keccak256(_DOMAIN_TYPE)
        + keccak256(_DOMAIN_NAME)
        + keccak256(_DOMAIN_VERSION)
        + chain_id.to_bytes(32, "big")
        + _NO_CONTRACT
    )


def struct_hash(message: bytes) -> bytes:
    """Return the hash of the message in its type, 32 bytes."""
    return keccak256(_MESSAGE_TYPEHASH + keccak256(message))


@dataclass(frozen=True, slots=True)
class AsterKeys:
    """What signs for one account.

    user         address of the account (the main wallet), 0x and 40 hex digits
    signer       address of the agent that signs; it is the user itself if the account's own key is used
    private_key  of the signer, 64 hex digits, with or without 0x
    """

    user: str
    signer: str
    private_key: Secret


class Signer:
    """Signs for one agent on one chain."""

    def __init__(self, private_key: Secret, chain_id: int = MAINNET_CHAIN) -> None:
        """Take the key. Raises KeyNotUsable, without a word of what it was."""
        text = private_key.reveal().strip().removeprefix("0x").removeprefix("0X")
        try:
            if len(text) != 64:  # a shorter one would be filled up, and sign for some other address
                raise ValueError
            self._key = PrivateKey(bytes.fromhex(text))
        except ValueError:
            raise KeyNotUsable("the private key is not 64 hex digits of a key of secp256k1") from None
        self._before = _PREFIX + domain_separator(chain_id)
        self.address = address_of(self._key.public_key.format(compressed=False))
        """The signer's address, lower case."""

    @classmethod
    def of(cls, keys: AsterKeys, chain_id: int) -> "Signer":
        """Return the signer of `keys`. Raises KeyNotUsable, or KeyNotOfSigner if the key is another address's."""
        signer = cls(keys.private_key, chain_id)
        if signer.address != keys.signer.strip().lower():
            raise KeyNotOfSigner(
                f"the private key belongs to {signer.address}, and the signer is {keys.signer}: "
                "copy the key of the agent whose address it is, or correct the address"
            )
        return signer

    def digest(self, message: bytes) -> bytes:
        """Return what is signed, 32 bytes."""
        return keccak256(self._before + struct_hash(message))

    def sign(self, message: bytes) -> str:
        """Return the signature of `message`: 0x and 130 hex digits, r, s and v (27 or 28). The same each time."""
        made = self._key.sign_recoverable(self.digest(message), hasher=None)
        return f"0x{made[:64].hex()}{made[64] + 27:02x}"


def address_of(public_key: bytes) -> str:
    """Return the address of an uncompressed public key of 65 bytes: 0x and 40 hex digits, lower case."""
    return "0x" + keccak256(public_key[1:])[-20:].hex()
