"""The record, the story of an order and what hooks expect, as a client of the API meets them."""

from typing import Any

from sqlalchemy import update

from pilothouse.kit.tables import records
from tests.slices.api.conftest import Served, until

OPEN: dict[str, Any] = {"action": "open", "side": "BUY", "quantity": "0.01"}


def filled(running: Served) -> str:
    """Let an alert be filled and return its order's id."""
    signal_id = running.alert(**OPEN).json()["signal_id"]
    shown = until(lambda: (s := running.api.get(f"/api/v1/signals/{signal_id}").json())["outcome"] == "filled" and s)
    return str(shown["orders"][0]["id"])


def test_an_order_is_explained_and_decided_again_over_the_api(running: Served) -> None:
    """From the alert to the entries, with the rows of the record that tell it."""
    order_id = filled(running)
    told = running.api.get(f"/api/v1/orders/{order_id}/story").json()
    again = running.api.get(f"/api/v1/orders/{order_id}/replay").json()

    assert told["is_recorded"]
    assert told["order"]["id"] == order_id
    assert told["told"][0]["event"] == "alert"
    assert all(len(one["hash"]) == 64 for one in told["told"])
    assert again["same"] is True
    assert [one["rule"] for one in again["judgements"]] == ["follow.decide", "risk.check"]
    assert running.api.get("/api/v1/orders/ord_none/story").status_code == 404
    assert running.api.get("/api/v1/orders/ord_none/replay").status_code == 404


def test_the_record_is_verified_over_the_api_also_against_heads_that_were_noted(running: Served) -> None:
    """A head on a piece of paper is worth more than everything in the database."""
    filled(running)
    heads = running.api.get("/api/v1/audit/heads").json()["items"]
    noted = next(one["head"] for one in heads if one["name"] != "house")
    filled(running)

    assert running.api.get("/api/v1/audit/verify", params={"head": noted}).json()["ok"] is True
    forged = f"{noted[:-1]}{'0' if noted[-1] != '0' else '1'}"
    answer = running.api.get("/api/v1/audit/verify", params={"head": forged}).json()
    assert answer["ok"] is False
    assert "is another one than the head that you noted" in str(answer["chains"])
    refused = running.api.get("/api/v1/audit/verify", params={"head": "nonsense"})
    assert refused.status_code == 400
    assert "CHAIN:NUMBER:HASH" in refused.text


def test_a_record_that_was_changed_is_shown_with_the_row(running: Served) -> None:
    """Whoever asks must be able to look it up."""
    filled(running)
    spoil = update(records).where(records.c.number == 2, records.c.chain == running.account).values(body="[]")
    running.house.database.write(lambda tx: tx.execute(spoil).close(), name="spoil")
    answer = running.api.get("/api/v1/audit/verify").json()

    assert answer["ok"] is False
    assert next(fault["number"] for one in answer["chains"] for fault in one["faults"]) == 2


def test_what_a_hook_expects_is_set_shown_and_taken_back_over_the_api(running: Served) -> None:
    """It is one field of the hook, and has a page that says what came of it."""
    hook = running.api.get("/api/v1/hooks").json()["items"][0]["id"]
    wanted = {"every_s": 300, "counter": True, "position": True}
    shown = running.api.patch(f"/api/v1/hooks/{hook}", json={"expects": wanted}).json()["expects"]
    assert {name: shown[name] for name in wanted} == wanted
    assert shown["within_s"] == 60
    running.alert(symbol="BTCUSDT", position_size="0.02", counter=4)
    told = until(lambda: (e := running.api.get(f"/api/v1/hooks/{hook}/expectation").json())["last_counter"] and e)

    assert told["last_counter"] == 4
    assert [(one["symbol"], one["target"]) for one in told["marks"]] == [("BTCUSDT", "0.02")]
    assert told["standing"] == []
    wrong = running.api.patch(f"/api/v1/hooks/{hook}", json={"expects": {"every_s": 1}})
    assert wrong.status_code == 400
    assert running.api.patch(f"/api/v1/hooks/{hook}", json={"expects": None}).json()["expects"] is None
    assert running.api.get(f"/api/v1/hooks/{hook}/expectation").json()["expects"] is None
