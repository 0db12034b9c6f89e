"""The house rules are kept, and whoever breaks one is told what to do instead."""

from pathlib import Path

import pytest

from tools.tidy import CATCH_ALL, HOUSE, ROOT, Finding, check, check_tree, long_places

RETRY = """
while True:
    try:
        send()
    except OSError:
        time.sleep(1)
"""
RETRY_IN_FOR = """
for attempt in range(3):
    try:
        await send()
        break
    except OSError:
        pass
    await asyncio.sleep(attempt)
"""
SWALLOWED = """
try:
    send()
except (OSError, Exception):
    pass
"""
BARE = """
try:
    send()
except:
    pass
"""
RAISED_AGAIN = """
try:
    send()
except BaseException:
    undo()
    raise
"""
SOMETIMES_RAISED = """
while True:
    try:
        send()
    except Exception:
        if over:
            break
        raise
"""


def findings(place: str, code: str) -> list[Finding]:
    """Return what tidy says of `code` if it stood at `place` in the package."""
    return check(HOUSE + place, code)


def test_the_tree_is_tidy() -> None:
    """The rules that types and imports cannot show hold everywhere, today."""
    assert [str(finding) for finding in check_tree(ROOT)] == []


@pytest.mark.parametrize(
    ("place", "code", "said"),
    [
        ("ledger/post.py", "connection.commit()", "only kit/commits.py commits"),
        ("jobs/dispatch.py", "cursor.execute('commit;')", "only kit/commits.py commits"),
        ("accounts/tokens.py", "with engine.begin() as connection: pass", "only kit/commits.py commits"),
        ("core/sizing.py", "round(price, 2)", "only core/rounding.py rounds"),
        ("simulation/fees.py", "fee.quantize(unit)", "only core/rounding.py rounds"),
        ("core/money.py", "float(amount)", "a float in a room where numbers are money"),
        ("ledger/tables.py", "from sqlalchemy import Column, Float", "a Float column"),
        ("fleet/tables.py", "Column('size', sa.REAL)", "a REAL column"),
        ("ledger/store.py", "select(func.sum(entries.c.amount))", "SQL adds up here"),
        ("execution/submit.py", "datetime.now(UTC)", "only kit/clocks.py reads the wall clock"),
        ("kit/outbox.py", "dt.datetime.utcnow()", "only kit/clocks.py reads the wall clock"),
        ("api/hooks.py", "time.time()", "only kit/clocks.py reads the wall clock"),
        ("kit/lease.py", "from time import sleep, time", "only kit/clocks.py reads the wall clock"),
        ("execution/send.py", SWALLOWED, "everything is caught here"),
        ("execution/send.py", BARE, "everything is caught here"),
        ("execution/send.py", SOMETIMES_RAISED, "everything is caught here"),
        ("execution/send.py", "with contextlib.suppress(Exception): pass", "everything is caught here"),
        ("venues/paper.py", RETRY, "a retry loop of its own"),
        ("marketdata/quotes.py", RETRY_IN_FOR, "a retry loop of its own"),
        ("ledger/store.py", "from sqlalchemy.orm import Session", "the ORM is not used here"),
        ("ledger/store.py", "from sqlalchemy import orm", "the ORM is not used here"),
        ("execution/manager.py", "", "'manager' has no end"),
        ("kit/utils.py", "", "'utils' has no end"),
        ("helpers/dates.py", "", "'helpers' has no end"),
        ("core/risk.py", "import os  # noqa", "silenced without naming it"),
        ("core/risk.py", "import os  # noqa: F401", "silenced without a reason"),
        ("core/risk.py", "x = y  # type: ignore", "silenced without naming it"),
        ("core/risk.py", "x = y  # type: ignore[assignment]", "silenced without a reason"),
        ("core/risk.py", "x = 1  # see " + "iss" + "ue #12", "a word of the workshop"),
        ("core/risk.py", "PLACE = '/ho" + "me/ann/pilothouse'", "a word of the workshop"),
    ],
)
def test_a_broken_rule_is_seen(place: str, code: str, said: str) -> None:
    """A rule that nobody can break unseen is a rule; the others are wishes."""
    rules = [finding.rule for finding in findings(place, code)]

    assert len(rules) == 1
    assert said in rules[0]


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("kit/commits.py", "connection.commit()"),
        ("kit/commits.py", SWALLOWED),
        ("core/rounding.py", "value.quantize(step)"),
        ("kit/clocks.py", "datetime.now(UTC)"),
        ("kit/retry.py", RETRY),
        ("kit/meters.py", "float(seconds)"),
        ("execution/send.py", RAISED_AGAIN),
        ("execution/send.py", "clock.now()"),
        ("execution/send.py", "event.wait(1)\ntime.monotonic()"),
        ("ledger/post.py", "sum(entries)\nselect(func.count(), func.sum(counts.c.made))"),
        ("core/risk.py", "import os  # noqa: F401 - kept for the doctest"),
        ("core/risk.py", "x = y  # type: ignore[assignment]  # the stub is wrong"),
        ("migrations/env.py", "with connection.begin(): pass"),
    ],
)
def test_what_the_rules_allow_passes(place: str, code: str) -> None:
    """A rule that cries at honest code is soon silenced."""
    assert findings(place, code) == []


def test_every_message_names_the_remedy() -> None:
    """Whoever is stopped wants to know where to go."""
    (finding,) = findings("ledger/post.py", "tx.connection.commit()")

    assert str(finding) == (
        "src/pilothouse/ledger/post.py:1: only kit/commits.py commits. "
        "Take the caller's Tx, or hand your unit of work to Database.write."
    )


def test_every_catch_all_has_its_reason() -> None:
    """The list of doors stays short because each entry must be defended."""
    assert len(CATCH_ALL) <= 7
    assert all(len(reason.split()) > 4 for reason in CATCH_ALL.values())


def test_long_places_are_shown_and_forbid_nothing(tmp_path: Path) -> None:
    """Length is a reason to look; a hard limit is only cut in two at the wrong place."""
    (tmp_path / "tools").mkdir()
    body = "\n".join(f"    x = {number}" for number in range(70))
    (tmp_path / "tools" / "wide.py").write_text(f"def long_one() -> None:\n{body}\n")

    assert [(place.name, place.lines) for place in long_places(tmp_path)] == [("long_one", 71)]
    assert check_tree(tmp_path) == []
