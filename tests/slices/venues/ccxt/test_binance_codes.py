"""What each error of Binance means: a table read by status, code and text, because a class alone does not tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.venues.ccxt.codes import Fault, Outcome, plain_outcome
from pilothouse.venues.ccxt.codes_binance import OUTCOMES, outcome_of
from pilothouse.venues.ccxt.exchange import Failed
from pilothouse.venues.ccxt.known import KNOWN

UNKNOWN_TEXT = "Unknown error, please check your request or try again later."


@pytest.mark.parametrize(
    ("status", "code", "text", "outcome"),
    [
        (400, "-1021", "Timestamp for this request is outside of the recvWindow.", Outcome.STALE),
        (400, "-1022", "Signature for this request is not valid.", Outcome.REJECTED),
        (401, "-2014", "API-key format invalid.", Outcome.REJECTED),
        (401, "-2015", "Invalid API-key, IP, or permissions for action.", Outcome.REJECTED),
        (400, "-2010", "Account has insufficient balance for requested action.", Outcome.REJECTED),
        (400, "-2010", "Duplicate order sent.", Outcome.EXISTS),
        (400, "-2011", "Unknown order sent.", Outcome.GONE),
        (400, "-2013", "Order does not exist.", Outcome.ABSENT),
        (400, "-2019", "Margin is insufficient.", Outcome.REJECTED),
        (400, "-2021", "Order would immediately trigger.", Outcome.REJECTED),
        (400, "-2022", "ReduceOnly Order is rejected.", Outcome.REJECTED),
        (400, "-2027", "Exceeded the maximum allowable position at current leverage.", Outcome.REJECTED),
        (400, "-4061", "Order's position side does not match user's setting.", Outcome.REJECTED),
        (400, "-1111", "Precision is over the maximum defined for this asset.", Outcome.REJECTED),
        (400, "-4014", "Price not increased by tick size.", Outcome.REJECTED),
        (400, "-4023", "Qty not increased by step size.", Outcome.REJECTED),
        (400, "-4016", "Price is higher than mark price multiplier cap.", Outcome.REJECTED),
        (400, "-4024", "Price is lower than mark price multiplier floor.", Outcome.REJECTED),
        (400, "-4131", "The counterparty's best price does not meet the PERCENT_PRICE filter limit.", Outcome.REJECTED),
        (400, "-4164", "Order's notional must be no smaller than 5.", Outcome.REJECTED),
        (400, "-4015", "Client order id is not valid.", Outcome.REJECTED),
        (400, "-4116", "ClientOrderId is duplicated.", Outcome.EXISTS),
        (400, "-20132", "clientAlgoId is duplicated.", Outcome.EXISTS),
        (400, "-4120", "Order type not supported for this endpoint.", Outcome.REJECTED),
        (400, "-5021", "The FOK order has been rejected.", Outcome.REJECTED),
        (400, "-5022", "Due to the order could not be executed as maker.", Outcome.REJECTED),
        (400, "-5027", "No need to modify the order.", Outcome.NO_CHANGE),
        (400, "-4046", "No need to change margin type.", Outcome.NO_CHANGE),
        (400, "-4059", "No need to change position side.", Outcome.NO_CHANGE),
        (429, "-1003", "Too many requests.", Outcome.NOT_NOW),
        (418, "-1003", "Way too many requests; banned.", Outcome.NOT_NOW),
        (429, "-1015", "Too many new orders.", Outcome.NOT_NOW),
        (429, "", "<html>", Outcome.NOT_NOW),
        (408, "-1007", "Timeout waiting for response from backend server.", Outcome.UNKNOWN),
        (503, "-1007", "Timeout waiting for response from backend server.", Outcome.UNKNOWN),
        (400, "-1007", "Timeout waiting for response from backend server.", Outcome.UNKNOWN),
        (503, "-1006", "An unexpected response was received from the message bus.", Outcome.UNKNOWN),
        (400, "-1006", "An unexpected response was received from the message bus.", Outcome.UNKNOWN),
        (400, "-1001", "Internal error; unable to process your request.", Outcome.UNKNOWN),
        (503, "-1008", "Request throttled by system-level protection.", Outcome.NOT_NOW),
        (400, "-1008", "Server is currently overloaded with other requests.", Outcome.NOT_NOW),
        (503, "-1000", UNKNOWN_TEXT, Outcome.UNKNOWN),
        (503, "0", UNKNOWN_TEXT, Outcome.UNKNOWN),
        (503, "0", "Service Unavailable.", Outcome.NOT_NOW),
        (503, "", "Service Unavailable.", Outcome.NOT_NOW),
        (503, "0", "Internal error; unable to process your request. Please try again.", Outcome.NOT_NOW),
        (503, "", "<html><body>503 Service Unavailable. No server is available.</body></html>", Outcome.UNKNOWN),
        (500, "", "", Outcome.UNKNOWN),
        (502, "", "<html>502 Bad Gateway</html>", Outcome.UNKNOWN),
        (504, "", "", Outcome.UNKNOWN),
        (504, "-2010", "refused, says somebody in between", Outcome.UNKNOWN),
        (400, "-9999", "a code that nobody has listed", Outcome.UNKNOWN),
        (400, "", "no code at all", Outcome.UNKNOWN),
        (200, "-2011", "Unknown order sent.", Outcome.GONE),
    ],
)  # fmt: skip
def test_every_error_has_one_outcome(status: int, code: str, text: str, outcome: Outcome) -> None:
    """Rejected when it stands is a double position; unknown when it never was is a wait for nothing."""
    assert outcome_of(Fault(status, code, text)) is outcome


@given(st.integers(500, 599), st.sampled_from(sorted(OUTCOMES)))
def test_a_server_error_is_never_a_rejection(status: int, code: str) -> None:
    """Whatever code somebody puts into it: behind a 5xx the order may stand."""
    assert outcome_of(Fault(status, code, "")) in {Outcome.UNKNOWN, Outcome.NOT_NOW}


@given(st.integers(-99_999, -1).map(str).filter(lambda code: code not in OUTCOMES), st.text())
def test_an_error_that_is_not_listed_is_unknown(code: str, text: str) -> None:
    """A new code may mean anything; only a question tells what became of the order."""
    assert outcome_of(Fault(400, code, text)) is Outcome.UNKNOWN


@pytest.mark.parametrize("kind", ["InvalidOrder", "BadRequest", "ExchangeError", "InvalidNonce", "OperationRejected"])
def test_without_a_table_an_error_is_unknown(kind: str) -> None:
    """The class that the client library raises for it is the same for a duplicate and for a refusal."""
    assert plain_outcome(Fault(400, "1234", "no", kind)) is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("status", "kind", "outcome"),
    [
        (429, "RateLimitExceeded", Outcome.NOT_NOW),
        (400, "InsufficientFunds", Outcome.REJECTED),
        (401, "AuthenticationError", Outcome.REJECTED),
        (500, "InsufficientFunds", Outcome.UNKNOWN),
        (400, "OrderNotFound", Outcome.ABSENT),
        (503, "OrderNotFound", Outcome.UNKNOWN),
    ],
)
def test_without_a_table_little_is_certain(status: int, kind: str, outcome: Outcome) -> None:
    """Limits, keys and money are; and that only where the exchange itself has answered."""
    assert plain_outcome(Fault(status, "x", "", kind)) is outcome


@pytest.mark.parametrize(
    ("code", "text", "passed"),
    [
        ("-2021", "Order would immediately trigger.", True),
        ("-2010", "Stop price would trigger immediately.", True),
        ("-2010", "Order would trigger immediately.", True),
        ("-2010", "Account has insufficient balance for requested action.", False),
    ],
)
def test_a_stop_whose_price_was_passed_is_told_apart(code: str, text: str, *, passed: bool) -> None:
    """What was to be protected is then closed at the market; any other refusal is somebody's mistake."""
    for quirks in KNOWN.values():
        if quirks.exchange.startswith("binance"):
            assert quirks.would_trigger(Failed(Outcome.REJECTED, code, text)) is passed
