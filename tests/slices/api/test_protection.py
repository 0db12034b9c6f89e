"""What guards an open position is shown, set and taken away over the wire."""

from typing import Any

from tests.slices.api.conftest import Served, until

OPEN: dict[str, Any] = {"action": "open", "side": "BUY", "quantity": "0.010"}
PATH = "/api/v1/positions/BTCUSDT/protection"


def _standing(served: Served, count: int) -> dict[str, Any]:
    """Return what guards the position once so many orders stand."""

    def look() -> dict[str, Any] | None:
        told: dict[str, Any] = served.api.get(PATH).json()
        states = [each["state"] for each in told["orders"]]
        return told if (states, told["stands"]) == (["working"] * count, True if count else None) else None

    found: dict[str, Any] = until(look)
    return found


def test_a_position_is_guarded_by_hand_and_all_of_it_is_shown(running: Served) -> None:
    """Set over an open position: it replaces what the alert had asked for."""
    running.alert(**OPEN, stop_loss="5%")
    _standing(running, 1)
    body = {"stop_loss": "3%", "take_profits": [{"percent": 2, "share": "50"}, "5%"], "break_even_after": 1}

    set_ = running.api.put(PATH, json=body)
    assert set_.status_code == 200, set_.text
    shown = _standing(running, 3)

    assert {each["place"] for each in shown["orders"]} == {"stop", "target:0", "target:1"}
    assert (shown["stands"], shown["unprotected_s"]) == (True, "0")
    assert shown["wanted"]["break_even_after"] == 1
    assert shown["asked_by"] not in {None, "alert"}
    position = running.api.get("/api/v1/positions/BTCUSDT").json()
    assert position["protection_stands"] is True
    assert float(position["unprotected_total_s"]) >= 0
    listed = running.api.get("/api/v1/protection").json()["items"]
    assert [(row["symbol"], row["stands"]) for row in listed] == [("BTCUSDT", True)]


def test_what_guarded_a_position_is_taken_away(running: Served) -> None:
    """Its orders go; the position stays, and is shown as guarded by nothing."""
    running.alert(**OPEN, stop_loss="5%")
    _standing(running, 1)

    assert running.api.delete(PATH).status_code == 200
    shown = _standing(running, 0)

    assert (shown["wanted"], shown["stands"]) == (None, None)
    assert running.api.get("/api/v1/positions/BTCUSDT").json()["protection_stands"] is None
    assert running.api.delete(PATH).json()["code"] == "not_protected"


def test_wrong_words_are_named_and_change_nothing(running: Served) -> None:
    """Form, sense, and the price of now: each with the field it is about."""
    assert running.api.put(PATH, json={"stop_loss": "1%"}).status_code == 404, "flat"
    running.alert(**OPEN)

    def wrong(**body: Any) -> list[str]:
        answer = running.api.put(PATH, json=body)
        assert answer.status_code == 400, answer.text
        return [each["field"] for each in answer.json()["errors"]]

    assert wrong() == ["stop_loss"]
    assert wrong(take_profits=[{"percent": "2"}, {"percent": "3"}]) == ["take_profits[1].share"]
    assert wrong(stop_loss={"price": "1000000"}) == ["stop_loss"]
    assert wrong(take_profits=["90000", {"price": "10"}], stop_loss="1%") == ["take_profits[1].share"]
    assert wrong(take_profit="10") == ["take_profits[0]"]
    assert wrong(trailing_stop={"percent": "0"}) == ["trailing_stop"]
    assert running.api.put(PATH, json={"stop_loss": 0.5}).status_code == 400
    assert running.api.put(PATH, json={"stop_los": "1%"}).status_code == 400
    assert running.api.get(PATH).json()["wanted"] is None


def test_an_account_says_what_is_done_without_protection(running: Served) -> None:
    """Until it does, the settings of the house hold."""
    path = "/api/v1/protection/policy"
    told = running.api.get(path).json()
    assert (told["within_s"], told["then"]) == (5, "flatten")
    changed = running.api.put(path, json={"then": "alarm"}).json()
    assert (changed["within_s"], changed["then"]) == (5, "alarm")
    assert running.api.put(path, json={"within_s": 0}).status_code == 400
    assert running.api.get(path).json() == changed
