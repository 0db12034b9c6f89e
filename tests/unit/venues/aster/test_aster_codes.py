"""What every error of AsterDEX means: one outcome each, written down a second time, from the venue's pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.venues.aster.codes import OUTCOMES, Outcome, outcome_of
from pilothouse.venues.aster.rest import Failed, failure_of

REJECTED, NOT_NOW, UNKNOWN = Outcome.REJECTED, Outcome.NOT_NOW, Outcome.UNKNOWN

STATED = [
    (400, -1021, Outcome.STALE, "outside of the nonce window"),
    (400, -1022, REJECTED, "bad signature"),
    (400, -1102, REJECTED, "mandatory parameter"),
    (400, -1111, REJECTED, "too many decimals"),
    (400, -1125, REJECTED, "no such listen key"),
    (401, -2014, REJECTED, "key format"),
    (400, -2014, REJECTED, "key format"),
    (401, -2015, REJECTED, "key, address or permission"),
    (400, -2015, REJECTED, "key, address or permission"),
    (400, -4225, Outcome.STALE, "nonce used or expired"),
    (400, -2010, REJECTED, "new order rejected"),
    (400, -2011, Outcome.GONE, "unknown order to cancel"),
    (400, -2013, Outcome.ABSENT, "no such order"),
    (400, -2019, REJECTED, "margin is insufficient"),
    (400, -2021, REJECTED, "would trigger at once"),
    (400, -2022, REJECTED, "reduce-only rejected"),
    (400, -2027, REJECTED, "position too large for the leverage"),
    (400, -4061, REJECTED, "position side and mode do not fit"),
    (400, -4014, REJECTED, "tick"),
    (400, -4023, REJECTED, "step"),
    (400, -4016, REJECTED, "above the price band"),
    (400, -4024, REJECTED, "below the price band"),
    (400, -4131, REJECTED, "market order outside of the band"),
    (400, -4164, REJECTED, "worth too little"),
    (400, -4015, REJECTED, "client id malformed"),
    (400, -4116, Outcome.EXISTS, "client id is in use"),
    (400, -20132, Outcome.EXISTS, "client id of a conditional order is in use"),
    (400, -4120, REJECTED, "another endpoint is right"),
    (400, -5021, REJECTED, "fill-or-kill could not be honoured"),
    (400, -5022, REJECTED, "post-only could not be honoured"),
    (400, -4046, Outcome.NO_CHANGE, "margin type is so already"),
    (400, -4059, Outcome.NO_CHANGE, "position mode is so already"),
    (400, -4047, REJECTED, "margin type with orders"),
    (400, -4048, REJECTED, "margin type with a position"),
    (400, -4067, REJECTED, "position mode with orders"),
    (400, -4068, REJECTED, "position mode with a position"),
    (400, -4137, REJECTED, "closePosition with a quantity"),
    (400, -4161, REJECTED, "less leverage with an isolated position"),
    (400, -4168, REJECTED, "isolated with several assets"),
    (429, -1003, NOT_NOW, "too many requests"),
    (418, -1003, NOT_NOW, "banned for a while"),
    (429, -1015, NOT_NOW, "too many orders"),
    (400, -1003, NOT_NOW, "too many requests, told as a bad one"),
    (429, None, NOT_NOW, "too many requests, without a word"),
    (418, None, NOT_NOW, "banned, without a word"),
    (503, -1008, NOT_NOW, "throttled: it was not looked at"),
    (400, -1008, NOT_NOW, "throttled, whatever the status"),
    (408, -1007, UNKNOWN, "timed out behind the door"),
    (503, -1007, UNKNOWN, "timed out behind the door"),
    (400, -1007, UNKNOWN, "timed out behind the door, told as a bad request"),
    (400, -1006, UNKNOWN, "an unexpected answer from behind"),
    (400, -1001, UNKNOWN, "disconnected behind the door"),
    (503, -1000, UNKNOWN, "unknown error"),
    (400, -1000, UNKNOWN, "unknown error, told as a bad request"),
    (503, 0, UNKNOWN, "code 0"),
    (503, None, UNKNOWN, "no code"),
    (502, None, UNKNOWN, "a page of a gateway"),
    (500, None, UNKNOWN, "a page of a server"),
    (504, None, UNKNOWN, "a gateway that waited in vain"),
    (403, None, UNKNOWN, "a wall between: nothing certain is said of it"),
    (302, None, UNKNOWN, "sent elsewhere, where we do not go"),
    (400, None, UNKNOWN, "refused without a code"),
    (400, 0, UNKNOWN, "code 0"),
]


@pytest.mark.parametrize(("status", "code", "outcome", "what"), STATED)
def test_a_stated_error_has_its_outcome(status: int, code: int | None, outcome: Outcome, what: str) -> None:
    """An order that is called failed and stands, or the other way about, is a position nobody knows of."""
    assert outcome_of(status, code) is outcome, what


TEXTS_OF_503 = [
    ({"code": -1000, "msg": "Unknown error, please check your request or try again later."}, UNKNOWN),
    ({"code": 0, "msg": "Service Unavailable."}, UNKNOWN),
    ({"code": -1001, "msg": "Internal error; unable to process your request. Please try again."}, UNKNOWN),
    ({"code": -1008, "msg": "Server is currently overloaded with other requests."}, NOT_NOW),
    (None, UNKNOWN),
]


@pytest.mark.parametrize(("body", "outcome"), TEXTS_OF_503)
def test_a_503_is_no_failure_whatever_its_text(body: object, outcome: Outcome) -> None:
    """AsterDEX says of every 503 that it may have been a success; only what was throttled was never looked at.

    Its sibling calls two of these texts a failure. To ask costs a minute; to be wrong costs a second position.
    """
    assert failure_of(503, body).outcome is outcome


@given(
    st.integers(-30_000, 30_000).filter(lambda code: code not in OUTCOMES), st.sampled_from([200, 400, 401, 403, 404])
)
def test_an_unlisted_error_is_unknown(code: int, status: int) -> None:
    """The venue adds codes without asking us."""
    assert outcome_of(status, code) is UNKNOWN


@given(st.integers(500, 599), st.sampled_from(sorted(set(OUTCOMES) - {-1008})))
def test_no_code_makes_a_5xx_certain(status: int, code: int) -> None:
    """The status comes from whoever gave up waiting; the code may be of another attempt."""
    assert outcome_of(status, code) is UNKNOWN


def test_a_code_may_be_written_as_text() -> None:
    """The venue writes its codes both ways."""
    assert failure_of(400, {"code": "-2019", "msg": "Margin is insufficient."}) == Failed(
        REJECTED, "-2019", "Margin is insufficient."
    )
