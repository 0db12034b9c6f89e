"""AsterDEX signatures: typed data (EIP-712) over the parameter string exactly as it came; the signer comes out.

Written from the published scheme: domain `AsterSignTransaction`, version 1, and one string `msg`.
"""

import re
from functools import lru_cache
from urllib.parse import unquote_plus

from coincurve import PublicKey

from pilothouse.simexchange.keccak import keccak256

CHAIN_IDS = (1666, 714, 56)
"""Mainnet, testnet, and the chain that management calls name."""

_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_MESSAGE_TYPE = keccak256(b"Message(string msg)")
_SIGNATURE = re.compile(r"(?:0[xX])?([0-9a-fA-F]{130})")
_SIGNED_BEFORE = re.compile(r"&?signature=[^&]*")
_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")


def is_address(text: str) -> bool:
    """Say whether a text is an address of a wallet."""
    return _ADDRESS.fullmatch(text) is not None


@lru_cache(maxsize=64)
def domain_separator(chain_id: int) -> bytes:
    """Return the digest of the domain on one chain."""
    return keccak256(
        keccak256(_DOMAIN_TYPE)
        + keccak256(b"AsterSignTransaction")
        + keccak256(b"1")
        + chain_id.to_bytes(32, "big")
        + bytes(32)
    )


def message_digest(message: str, chain_id: int) -> bytes:
    """Return what is signed for a parameter string."""
    struct = keccak256(_MESSAGE_TYPE + keccak256(message.encode()))
    return keccak256(b"\x19\x01" + domain_separator(chain_id) + struct)


def operation_digest(operation: str, fields: list[tuple[str, str]], chain_id: int) -> bytes:
    """Return what is signed for a management call: a struct named like the operation.

    fields   name and value as they came, in order; names get a capital first letter, whole numbers become uint256,
             truth values bool, all else string
    """
    types, encoded = [], b""
    for name, value in fields:
        if re.fullmatch(r"[0-9]{1,70}", value):
            kind, word = "uint256", int(value).to_bytes(32, "big")
        elif value.lower() in {"true", "false"}:
            kind, word = "bool", int(value.lower() == "true").to_bytes(32, "big")
        else:
            kind, word = "string", keccak256(value.encode())
        types.append(f"{kind} {name[:1].upper()}{name[1:]}")
        encoded += word
    primary = f"{operation[:1].upper()}{operation[1:]}({','.join(types)})"
    struct = keccak256(keccak256(primary.encode()) + encoded)
    return keccak256(b"\x19\x01" + domain_separator(chain_id) + struct)


def recovered(digest: bytes, signature: str) -> str | None:
    """Return the address (lower case) whose key signed `digest`; None if the signature is no signature."""
    found = _SIGNATURE.fullmatch(signature)
    if found is None:
        return None
    raw = bytes.fromhex(found.group(1))
    turn = raw[64] - 27 if raw[64] >= 27 else raw[64]
    if turn not in {0, 1}:
        return None
    try:
        key = PublicKey.from_signature_and_message(raw[:64] + bytes([turn]), digest, hasher=None)
    except ValueError:
        return None
    return address_of(key)


def address_of(key: PublicKey) -> str:
    """Return the address of a public key, in lower case."""
    return "0x" + keccak256(key.format(compressed=False)[1:])[12:].hex()


def without_signature(text: str) -> str:
    """Return a raw parameter string up to, and without, its signature."""
    return _SIGNED_BEFORE.sub("", text, count=1).removeprefix("&")


def fields_of(text: str) -> list[tuple[str, str]]:
    """Return the pairs of a raw parameter string, decoded, in order."""
    pairs = (pair.partition("=") for pair in text.split("&") if pair)
    return [(unquote_plus(name), unquote_plus(value)) for name, _, value in pairs]
