"""AsterDEX signatures of the older scheme, for clients that still use it: parameters in, digests that were signed out.

Written from the published scheme: the values as a JSON object with sorted names, packed with user, signer and nonce as
a contract would pack them, hashed; then signed as a personal message, or (as some clients do) bare.
"""

import json
from collections.abc import Mapping

from pilothouse.simexchange.keccak import keccak256

_NOT_SIGNED = frozenset({"nonce", "user", "signer", "signature"})
_PERSONAL = b"\x19Ethereum Signed Message:\n32"
_WORD = 32


def old_digests(params: Mapping[str, str], user: str, signer: str, nonce: int) -> tuple[bytes, bytes]:
    """Return what is signed as a personal message, and the bare hash.

    user, signer   addresses: 0x and forty hex digits
    nonce          microseconds since 1970
    """
    words = {name: value for name, value in params.items() if name not in _NOT_SIGNED}
    text = json.dumps(words, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    padded = text + bytes(-len(text) % _WORD)
    head = _number(4 * _WORD) + _address(user) + _address(signer) + _number(nonce)
    bare = keccak256(head + _number(len(text)) + padded)
    return keccak256(_PERSONAL + bare), bare


def _number(value: int) -> bytes:
    return value.to_bytes(_WORD, "big")


def _address(text: str) -> bytes:
    return bytes.fromhex(text[2:]).rjust(_WORD, b"\0")
