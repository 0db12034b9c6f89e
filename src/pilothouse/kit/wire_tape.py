"""What went over the wire in one call, for the record: each request as it was sent and what came back, without secrets.

In: a call to a venue inside of `taped()`. Out: its exchanges, in order. Headers are not kept, because keys stand in
them; signatures are masked, as is everything else that bears the name of a secret.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from pilothouse.kit.redaction import Redactor, is_secret_name
from pilothouse.kit.sealed import MASK

SENT_MAX: Final = 2_000
SAID_MAX: Final = 4_000

_PAIR = re.compile(r"([^&=]+)=([^&]*)")
_NAMES = re.compile(r"sign|key|pass", re.IGNORECASE)
_REDACTOR = Redactor()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer.

    sent     query or body, secrets masked, at most SENT_MAX characters
    status   None: no answer came, and `said` tells what is known of it
    said     the answer's body, at most SAID_MAX characters
    took_ms  from handing over the request to the whole answer, whole milliseconds
    """

    method: str
    path: str
    sent: str
    status: int | None
    said: str
    took_ms: int


_tape: ContextVar[list[Exchange] | None] = ContextVar("wire_tape", default=None)


@contextmanager
def taped() -> Iterator[list[Exchange]]:
    """Keep every request that this thread sends inside of the `with`, and its answer."""
    exchanges: list[Exchange] = []
    token = _tape.set(exchanges)
    try:
        yield exchanges
    finally:
        _tape.reset(token)


def is_running() -> bool:
    """Say whether what is sent now is kept."""
    return _tape.get() is not None


def keep(method: str, path: str, sent: bytes, status: int | None, said: bytes, took_s: float) -> None:
    """Keep one exchange; never fails, whatever the bytes are."""
    tape = _tape.get()
    if tape is not None:
        text = _bounded(_masked(sent.decode("utf-8", "replace")), SENT_MAX)
        answer = _bounded(_REDACTOR.text(said[: SAID_MAX * 4].decode("utf-8", "replace")), SAID_MAX)
        tape.append(Exchange(method, path, text, status, answer, int(took_s * 1_000)))


def _masked(text: str) -> str:
    """Return what was sent, as form or as JSON, without signatures and keys."""
    if text[:1] in {"{", "["}:
        try:
            return json.dumps(_without_secrets(json.loads(text)), separators=(",", ":"))
        except (ValueError, RecursionError):
            return _REDACTOR.text(text)
    return _PAIR.sub(lambda pair: f"{pair[1]}={MASK}" if _is_secret(pair[1]) else pair[0], text)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: MASK if _is_secret(name) else _without_secrets(inner) for name, inner in value.items()}
    return [_without_secrets(inner) for inner in value] if isinstance(value, list) else value


def _is_secret(name: str) -> bool:
    return is_secret_name(name) or _NAMES.search(name) is not None


def _bounded(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
