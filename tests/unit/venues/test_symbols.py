"""How symbols are spelled, and what they mean."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.instrument import Instrument
from pilothouse.venues.symbols import SymbolAmbiguous, SymbolUnknown, normalise, resolve


def instrument(symbol: str) -> Instrument:
    """Return an instrument of that name; its numbers do not matter here."""
    one = Decimal(1)
    return Instrument(symbol, symbol.removesuffix("USDT"), "USDT", one, one, one, one, one, one, one, 10)


HOUSE = [instrument("BTCUSDT"), instrument("ETHUSDT"), instrument("SOLUSDT"), instrument("1000PEPEUSDT")]


@pytest.mark.parametrize(
    "text",
    [
        "BTCUSDT",
        "btcusdt",
        " BTCUSDT ",
        "BTCUSDT.P",
        "btcusdt.p",
        "BINANCE:BTCUSDT",
        "BINANCE:BTCUSDT.P",
        "BYBIT:BTCUSDT.P",
        "BINANCE_DLY:BTCUSDT",
        "BTCUSDT_DL",
        "BTCUSDT.P_DLY",
        "BTC/USDT",
        "BTC/USDT:USDT",
        "BINANCE:BTC/USDT:USDT",
        "BTC-USDT",
        "BTC_USDT",
        "BTC-USDT-SWAP",
        "BTC-USDT-PERP",
        "BTCUSDTPERP",
        "BTCUSDT_PERP",
        "BTCUSDT-PERP",
    ],
)
def test_one_perpetual_is_found_under_every_spelling(text: str) -> None:
    """Charts, brokers and exchanges each have their own."""
    assert normalise(text) == "BTCUSDT"
    assert resolve(text, HOUSE).symbol == "BTCUSDT"


@pytest.mark.parametrize(
    "text",
    ["BTC/USDT:USDT-260327", "BTC-USDT-260327", "BTCUSDT_260327", "BTCUSD.P", "BTCUSDC", "BTC", "PERP", "UBTCUSDT"],
)
def test_another_instrument_is_never_taken_for_the_perpetual(text: str) -> None:
    """A dated future or another quote currency has another price."""
    with pytest.raises(SymbolUnknown):
        resolve(text, HOUSE)


def test_a_coin_whose_name_looks_like_a_mark_keeps_it() -> None:
    """There is a coin called PERP, and one called SWAP."""
    assert normalise("PERPUSDT.P") == "PERPUSDT"
    assert normalise("SWAP-USDT-SWAP") == "SWAPUSDT"
    assert normalise("BINANCE:1000PEPEUSDT.P") == "1000PEPEUSDT"


def test_an_unknown_symbol_is_told_the_nearest_ones() -> None:
    """Most of them are slips of a finger."""
    with pytest.raises(SymbolUnknown, match="did you mean BTCUSDT") as refused:
        resolve("BTCUSTD", HOUSE)

    assert refused.value.nearest[0] == "BTCUSDT"


def test_a_symbol_that_may_mean_two_instruments_is_refused() -> None:
    """Unless it is, exactly, the venue's own name of one."""
    both = [instrument("BTC-USDT"), instrument("BTCUSDT_PERP")]

    with pytest.raises(SymbolAmbiguous, match="BTC-USDT, BTCUSDT_PERP"):
        resolve("BTCUSDT", both)
    assert resolve("btc-usdt", both) is both[0]


@pytest.mark.parametrize("text", ["", "   ", "BTC\x00USDT", "ＢＴＣＵＳＤＴ", "BTCUSDT" * 20])
def test_what_cannot_be_a_symbol_is_refused_in_few_words(text: str) -> None:
    """Look-alike letters and endless texts too."""
    with pytest.raises(SymbolUnknown) as refused:
        resolve(text, HOUSE)

    assert len(str(refused.value)) < 200
    assert str(refused.value).isprintable()


@given(st.text(alphabet="ABpP.:/_-DLYERSWUT0", min_size=1, max_size=64))
def test_a_spelling_is_normalised_once_and_for_all(text: str) -> None:
    """What is stored as normalised must be found again."""
    try:
        once = normalise(text)
    except SymbolUnknown:
        return

    assert 0 < len(once) <= len(text)
    assert normalise(once) == once


@given(st.text(max_size=80))
def test_any_text_is_an_instrument_or_refused(text: str) -> None:
    """It comes from outside."""
    try:
        told = resolve(text, HOUSE).symbol
    except SymbolUnknown as refused:
        told = str(refused)

    assert len(told) < 200
