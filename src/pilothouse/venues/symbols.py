"""Which instrument a symbol means, however it is spelled: text in, the venue's instrument out.

Pure. Charts, brokers and exchanges spell one perpetual many ways: BTCUSDT, BTCUSDT.P, BINANCE:BTCUSDT.P,
BTC/USDT:USDT, BTC-USDT-SWAP, BTCUSDTPERP. What stays different after spelling is another instrument and never guessed:
a dated future keeps its date.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from pilothouse.core.errors import Refused
from pilothouse.core.instrument import Instrument

_CHARS_MAX: Final = 64
_NEAREST_MAX: Final = 3

# What marks a perpetual, or a delayed feed, behind the pair itself.
_SUFFIX = re.compile(r"(?:_DLY?|\.P|[-_.]?PERP|[-_]SWAP)$")
_SEPARATORS = str.maketrans("", "", "/-_")


class SymbolUnknown(Refused):
    """No instrument of the venue is spelled so."""

    code = "symbol_unknown"

    def __init__(self, text: str, nearest: tuple[str, ...] = ()) -> None:
        """Keep the text, bounded and escaped, and the names that come nearest to it, nearest first."""
        self.text = ascii(text[:_CHARS_MAX])[1:-1][:_CHARS_MAX]
        self.nearest = nearest
        hint = f"; did you mean {', '.join(nearest)}?" if nearest else ""
        super().__init__(f"no instrument is called {self.text or 'nothing'}{hint}")


class SymbolAmbiguous(Refused):
    """Several instruments of the venue are spelled so."""

    code = "symbol_ambiguous"

    def __init__(self, text: str, matches: tuple[str, ...]) -> None:
        """Keep the text, bounded and escaped, and the venue's names that it may mean."""
        self.text = ascii(text[:_CHARS_MAX])[1:-1][:_CHARS_MAX]
        self.matches = matches
        super().__init__(f"{self.text} may mean {', '.join(matches)}: send the venue's own name")


@lru_cache(maxsize=4096)
def normalise(text: str) -> str:
    """Return the one spelling of `text`: upper case, without exchange, separators, settlement or perpetual marks.

    text   1 to 64 ASCII characters; blanks around it do not count

    Applied twice it is the same as once. Raises SymbolUnknown for a text that cannot be a symbol.
    """
    name = text.strip()
    if not name or len(name) > _CHARS_MAX or not name.isascii() or not name.isprintable():
        raise SymbolUnknown(text)
    name = _without_exchange(name.upper())
    while True:
        shorter = _SUFFIX.sub("", name).translate(_SEPARATORS)
        if not shorter or shorter == name:
            break
        name = shorter
    name = name.translate(_SEPARATORS)
    if not name:
        raise SymbolUnknown(text)
    return name


def resolve(text: str, instruments: Iterable[Instrument]) -> Instrument:
    """Return the instrument that `text` means; the venue's own name, exactly, goes before every other reading.

    Raises SymbolUnknown, with the nearest names, or SymbolAmbiguous.
    """
    known = list(instruments)
    own_name = text.strip().upper()
    for instrument in known:
        if instrument.symbol == own_name:
            return instrument
    wanted = normalise(text)
    matches = [instrument for instrument in known if normalise(instrument.symbol) == wanted]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise SymbolAmbiguous(text, tuple(instrument.symbol for instrument in matches[:_NEAREST_MAX]))
    names = [instrument.symbol for instrument in known]
    raise SymbolUnknown(text, tuple(get_close_matches(wanted, names, n=_NEAREST_MAX, cutoff=0.5)))


def _without_exchange(name: str) -> str:
    """Return `name` without "EXCHANGE:" in front and ":SETTLEMENT" behind; no colon is left.

    What follows a settlement is an expiry (BTC/USDT:USDT-260327): a dated future, which keeps its date.
    """
    before, colon, after = name.partition(":")
    if not colon:
        return name
    if "/" in before:
        _, dash, expiry = after.partition("-")
        return (before + dash + expiry).replace(":", "")
    return _without_exchange(after) if after else before
