"""What each listed error of Bybit, OKX, Hyperliquid and Alpaca means; one that is not listed is unknown."""

from collections.abc import Callable

import pytest

from pilothouse.venues.ccxt import codes_alpaca, codes_bybit, codes_hyperliquid, codes_okx
from pilothouse.venues.ccxt.codes import Fault, Outcome

EVERY: tuple[Callable[[Fault], Outcome], ...] = (
    codes_bybit.outcome_of,
    codes_okx.outcome_of,
    codes_hyperliquid.outcome_of,
    codes_alpaca.outcome_of,
)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("110072", Outcome.EXISTS),
        ("170141", Outcome.EXISTS),
        ("12141", Outcome.EXISTS),
        ("10000", Outcome.UNKNOWN),
        ("10016", Outcome.UNKNOWN),
        ("10014", Outcome.UNKNOWN),
        ("170007", Outcome.UNKNOWN),
        ("170146", Outcome.UNKNOWN),
        ("110001", Outcome.ABSENT),
        ("170213", Outcome.ABSENT),
        ("110008", Outcome.GONE),
        ("110010", Outcome.GONE),
        ("170139", Outcome.GONE),
        ("10002", Outcome.STALE),
        ("10006", Outcome.NOT_NOW),
        ("10018", Outcome.NOT_NOW),
        ("110025", Outcome.NO_CHANGE),
        ("110026", Outcome.NO_CHANGE),
        ("110043", Outcome.NO_CHANGE),
        ("10001", Outcome.REJECTED),
        ("10003", Outcome.REJECTED),
        ("10005", Outcome.REJECTED),
        ("110003", Outcome.REJECTED),
        ("110007", Outcome.REJECTED),
        ("110017", Outcome.REJECTED),
        ("110092", Outcome.REJECTED),
        ("110094", Outcome.REJECTED),
        ("170131", Outcome.REJECTED),
        ("170140", Outcome.REJECTED),
    ],
)
def test_a_code_of_bybit_has_one_outcome(code: str, outcome: Outcome) -> None:
    """Errors come with HTTP 200; the same code with 500 would say nothing."""
    assert codes_bybit.outcome_of(Fault(200, code, "")) is outcome
    assert codes_bybit.outcome_of(Fault(500, code, "")) is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("51016", Outcome.EXISTS),
        ("51065", Outcome.EXISTS),
        ("51068", Outcome.EXISTS),
        ("50004", Outcome.UNKNOWN),
        ("51149", Outcome.UNKNOWN),
        ("51054", Outcome.UNKNOWN),
        ("50026", Outcome.UNKNOWN),
        ("51410", Outcome.UNKNOWN),
        ("1", Outcome.UNKNOWN),
        ("51603", Outcome.ABSENT),
        ("51503", Outcome.ABSENT),
        ("51400", Outcome.GONE),
        ("51401", Outcome.GONE),
        ("51402", Outcome.GONE),
        ("51510", Outcome.GONE),
        ("50102", Outcome.STALE),
        ("50011", Outcome.NOT_NOW),
        ("50061", Outcome.NOT_NOW),
        ("51030", Outcome.NOT_NOW),
        ("51000", Outcome.REJECTED),
        ("51006", Outcome.REJECTED),
        ("51008", Outcome.REJECTED),
        ("51020", Outcome.REJECTED),
        ("51119", Outcome.REJECTED),
        ("51121", Outcome.REJECTED),
        ("51205", Outcome.REJECTED),
        ("51278", Outcome.REJECTED),
        ("50105", Outcome.REJECTED),
        ("50113", Outcome.REJECTED),
    ],
)
def test_a_code_of_okx_has_one_outcome(code: str, outcome: Outcome) -> None:
    """Errors come with HTTP 200 or 400; the same code with 500 would say nothing."""
    assert codes_okx.outcome_of(Fault(200, code, "")) is outcome
    assert codes_okx.outcome_of(Fault(400, code, "")) is outcome
    assert codes_okx.outcome_of(Fault(500, code, "")) is Outcome.UNKNOWN


def test_a_busy_system_of_okx_is_no_limit() -> None:
    """Both come with 429, and only the limit says that the order was not looked at."""
    assert codes_okx.outcome_of(Fault(429, "50011", "")) is Outcome.NOT_NOW
    assert codes_okx.outcome_of(Fault(429, "50013", "")) is Outcome.UNKNOWN


@pytest.mark.parametrize("begins", sorted(codes_hyperliquid.SENTENCES))
def test_a_sentence_of_hyperliquid_has_one_outcome(begins: str) -> None:
    """It goes on with what it was about."""
    expected = codes_hyperliquid.SENTENCES[begins]

    assert codes_hyperliquid.outcome_of(Fault(200, "", f"{begins}. asset=3")) is expected
    assert codes_hyperliquid.outcome_of(Fault(500, "", f"{begins}. asset=3")) is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("status", "code", "text", "outcome"),
    [
        (422, "40010001", "client_order_id must be unique", Outcome.EXISTS),
        (422, "40010001", "client order id must be unique", Outcome.EXISTS),
        (422, "40010001", "qty must be integer", Outcome.REJECTED),
        (403, "40310000", "insufficient buying power", Outcome.REJECTED),
        (403, "40310000", "potential wash trade detected. use complex orders", Outcome.REJECTED),
        (403, "", "forbidden.", Outcome.REJECTED),
        (401, "40110000", "request is not authorized", Outcome.REJECTED),
        (404, "40410000", "order is not found.", Outcome.ABSENT),
        (422, "42210000", 'order is already in "filled" state', Outcome.GONE),
        (422, "42210000", "invalid time_in_force", Outcome.REJECTED),
        (429, "42910000", "rate limit exceeded", Outcome.NOT_NOW),
        (500, "50010000", "internal server error occurred", Outcome.UNKNOWN),
        (503, "", "service unavailable", Outcome.UNKNOWN),
        (504, "", "", Outcome.UNKNOWN),
        (408, "", "", Outcome.UNKNOWN),
        (422, "", "something new", Outcome.UNKNOWN),
    ],
)
def test_an_error_of_alpaca_has_one_outcome(status: int, code: str, text: str, outcome: Outcome) -> None:
    """One code stands for several things, which the words tell apart."""
    assert codes_alpaca.outcome_of(Fault(status, code, text)) is outcome


@pytest.mark.parametrize("outcome_of", EVERY)
@pytest.mark.parametrize("status", [200, 400, 403, 404, 408, 500, 502, 503, 504])
def test_an_error_that_is_not_listed_is_unknown(outcome_of: Callable[[Fault], Outcome], status: int) -> None:
    """Called failed, an order that stands would be sent again."""
    assert outcome_of(Fault(status, "987654321", "something new")) is Outcome.UNKNOWN


@pytest.mark.parametrize("outcome_of", EVERY)
def test_a_limit_of_the_rate_is_certain(outcome_of: Callable[[Fault], Outcome]) -> None:
    """It is refused before it is looked at."""
    assert outcome_of(Fault(429, "", "slow down")) is Outcome.NOT_NOW


def test_no_code_says_that_a_stop_would_trigger_without_saying_that_it_was_refused() -> None:
    """The bot would act on it at the market."""
    assert {codes_bybit.OUTCOMES[code] for code in codes_bybit.WOULD_TRIGGER} == {Outcome.REJECTED}
    assert {codes_okx.OUTCOMES[code] for code in codes_okx.WOULD_TRIGGER} == {Outcome.REJECTED}
    assert codes_hyperliquid.SENTENCES[codes_hyperliquid.WOULD_TRIGGER] is Outcome.REJECTED
