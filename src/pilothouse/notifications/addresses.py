"""Where alarms go: the setting's text in, one address each out. An address is a secret; what is shown is a label."""

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pilothouse.core.errors import Invalid, Problem

# Addresses may hold commas themselves, so a new one begins only where a scheme does.
_BETWEEN = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]{0,31}://)")
_ONE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}://\S+")
_SECRET_LENGTH_MIN = 6


@dataclass(frozen=True, slots=True)
class Address:
    """One place that is told.

    key     stands for it in records: a digest, so that no record holds the secret
    label   may be shown: its kind and the beginning of the digest, such as ntfy:3fa9c1
    """

    key: str
    label: str
    url: str

    def __repr__(self) -> str:
        """Show the label only."""
        return f"Address({self.label})"


class AddressNotUnderstood(Invalid):
    """What was given is no address that can be told anything."""

    code = "address_not_understood"

    def __init__(self, which: str) -> None:
        """Say which one, without repeating it."""
        allowed = "an address such as ntfy://host/topic, tgram://token/chat, mailto://..., json://host/path"
        super().__init__([Problem(which, "not understood", allowed, self.code)])


def address(url: str) -> Address:
    """Return one address."""
    key = hashlib.sha256(url.encode()).hexdigest()[:12]
    return Address(key, f"{url.split('://', 1)[0].lower()}:{key[:6]}", url)


def read(text: str) -> tuple[Address, ...]:
    """Return the addresses in `text`, between spaces or commas, each once.

    Raises AddressNotUnderstood for what has not the form of one, without repeating it.
    """
    found: dict[str, Address] = {}
    for number, part in enumerate(_BETWEEN.split(text.strip().strip(",")) if text.strip(" ,") else [], start=1):
        url = part.strip().strip(",")
        if not _ONE.fullmatch(url):
            raise AddressNotUnderstood(f"alarm address {number}")
        found.setdefault(url, address(url))
    return tuple(found.values())


def secrets_of(url: str) -> list[str]:
    """Return what of an address must not be shown: the whole, and each part that may be a key; not its host."""
    rest = url.partition("://")[2]
    host = urlsplit(url).hostname or ""
    public = {host} if "." in host or host == "localhost" else set()
    pieces = {url, rest, *re.split(r"[/:@?&=,]", rest)} - public
    known = {each for each in pieces if len(each) >= _SECRET_LENGTH_MIN}
    return sorted({*known, *(unquote(each) for each in known)})


def hidden_in_logs(url: str) -> list[str]:
    """Return what of an address no log line may hold: without plain words, which would be hidden everywhere."""
    return [each for each in secrets_of(url) if not re.fullmatch(r"[A-Za-z-]{1,12}", each)]
