"""The way out: one letter to one address through Apprise, which knows the many kinds there are.

The library is loaded when the first address is there; a house without addresses never loads it.
"""

import logging
import threading
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pilothouse.kit.redaction import Redactor
from pilothouse.notifications.addresses import Address, AddressNotUnderstood, secrets_of
from pilothouse.notifications.letters import Letter
from pilothouse.notifications.words import Grade

CONNECT_S, READ_S = 5.0, 10.0
"""No address is waited for longer, whatever it asks for itself."""

CRY_EVERY_S, HICCUP_S = 1_800.0, 60.0
_REASON_LENGTH_MAX = 300


class Post:
    """Sends letters. Addresses are checked when it is made; nothing is sent before `send`."""

    def __init__(self, addresses: Sequence[Address] = ()) -> None:
        """Know `addresses`; raises AddressNotUnderstood for one that no service fits."""
        self.addresses = tuple(addresses)
        self._cried: float | None = None
        self._asked: float | None = None
        self._by_key = {one.key: (one, _opened(one, f"alarm address {n}")) for n, one in enumerate(addresses, 1)}

    def __contains__(self, key: str) -> bool:
        """Say whether there is an address of this key."""
        return key in self._by_key

    def label(self, key: str) -> str:
        """Return what may be shown of an address that there is."""
        return self._by_key[key][0].label

    def cry_out(self, letter: Letter, monotonic: float) -> int:
        """Send a letter to every address without any record of it; return how many took it.

        For what must be told when nothing can be written. It is left out when it is asked for the first time in a
        minute, because once may be a hiccup, and when one went out within CRY_EVERY_S.
        """
        asked, self._asked = self._asked, monotonic
        if asked is None or monotonic - asked > HICCUP_S:
            return 0
        if self._cried is not None and monotonic - self._cried < CRY_EVERY_S:
            return 0
        self._cried = monotonic
        with ThreadPoolExecutor(8, thread_name_prefix="pilothouse-cry") as pool:
            return sum(not error for error in pool.map(lambda one: self.send(one.key, letter), self.addresses))

    def send(self, key: str, letter: Letter) -> str:
        """Send a letter to an address that there is; return why it did not arrive, empty if it did.

        Waits for some seconds at most for each step of the address's protocol. Never raises for what is out there.
        """
        return _send(*self._by_key[key], letter)


def send_once(url: str, letter: Letter) -> str:
    """Send a letter to any address; return why it did not arrive. Raises AddressNotUnderstood."""
    one = Address("", "", url)
    return _send(one, _opened(one, "address"), letter)


def _send(address: Address, opened: Any, letter: Letter) -> str:
    redactor = Redactor()
    redactor.hide(*secrets_of(address.url))
    kind = "failure" if letter.grade is Grade.CRITICAL else "warning"
    with _reasons.kept() as said:
        try:
            arrived = opened.notify(body=letter.body, title=letter.title, notify_type=kind, body_format="text")
        except (OSError, ValueError, TypeError, LookupError, RuntimeError, AttributeError) as error:
            # Services of many hands: what one of them raises is a reason like any other.
            said.append(f"{type(error).__name__}: {error}")
            arrived = False
    if arrived:
        return ""
    return redactor.text("; ".join(said) or "the service did not say why")[:_REASON_LENGTH_MAX]


def _opened(address: Address, which: str) -> Any:
    """Return the service behind an address; raises AddressNotUnderstood."""
    apprise = _library()
    with _reasons.kept():
        opened = apprise.Apprise.instantiate(address.url)
    if opened is None:
        raise AddressNotUnderstood(which)
    opened.socket_connect_timeout = min(float(opened.socket_connect_timeout or CONNECT_S), CONNECT_S)
    opened.socket_read_timeout = min(float(opened.socket_read_timeout or READ_S), READ_S)
    opened.retry = 0  # who tries again, and when, is decided in one place
    return opened


def _library() -> Any:
    """Return Apprise, loaded; what it says in its own log goes to who asked, never into ours: it may name addresses."""
    with _loading, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise  # noqa: PLC0415 - it takes a second, and most houses have no address

        apprise.Apprise.instantiate("json://localhost")  # it loads its services with the first one that is asked for
        logger = logging.getLogger("apprise")
        logger.propagate = False
        logger.setLevel(logging.WARNING)
        if _reasons not in logger.handlers:
            logger.addHandler(_reasons)
        return apprise


class _Reasons(logging.Handler):
    """Keeps what is said on a thread while it sends."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._of_thread = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        said = getattr(self._of_thread, "said", None)
        if said is not None:
            said.append(record.getMessage())

    def kept(self) -> "_Kept":
        return _Kept(self._of_thread)


class _Kept:
    def __init__(self, of_thread: threading.local) -> None:
        self._of_thread = of_thread

    def __enter__(self) -> list[str]:
        said: list[str] = []
        self._of_thread.said = said
        return said

    def __exit__(self, *_: object) -> None:
        self._of_thread.said = None


_reasons = _Reasons()
_loading = threading.Lock()
