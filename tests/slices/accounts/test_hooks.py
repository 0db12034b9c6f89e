"""Hooks: found by token or secret, shown once, bounded, rotated, revoked, and nobody else's."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from pilothouse.accounts import hooks, trading_accounts, users
from pilothouse.accounts.audit import list_audit
from pilothouse.accounts.hook_settings import checked
from pilothouse.accounts.hooks import AccountClosed, Hook, HookNotFound, HookRevoked, HookState, Rotation
from pilothouse.accounts.tables import audit
from pilothouse.accounts.tables import hooks as hooks_table
from pilothouse.accounts.trading_accounts import AccountNotFound, Mode
from pilothouse.core.errors import Invalid
from pilothouse.core.signals import Size, SizeKind
from pilothouse.kit.db import Database, Tx
from tests.conftest import NOON

Made = tuple[Hook, str, str]


def owner(tx: Tx, name: str = "a") -> tuple[str, str]:
    """Return a new owner and their account."""
    user = users.add_user(tx, name=name, role="member", now=NOON)
    account = trading_accounts.open_account(
        tx, owner_id=user.id, name="paper", venue="paper", mode=Mode.PAPER, currency="USDT", now=NOON
    )
    return user.id, account.id


def make(database: Database, whose: tuple[str, str], **fields: Any) -> Made:
    """Return a new hook with its token and its secret in plain."""
    owner_id, account_id = whose

    def work(tx: Tx) -> Made:
        hook, token, secret = hooks.create(
            tx, owner_id=owner_id, account_id=account_id, name="hook", now=NOON, fields=fields
        )
        return hook, token.reveal(), secret.reveal()

    return database.write(work, name="hook")


def test_a_hook_is_found_by_its_token_and_by_its_secret(database: Database) -> None:
    """TradingView sends one or the other, and neither opens the other's door."""
    whose = database.write(owner, name="owner")
    hook, token, secret = make(database, whose)
    other, *_ = make(database, whose)

    assert hook.id != other.id
    assert database.read(lambda tx: hooks.by_token(tx, token)) == hook
    assert database.read(lambda tx: hooks.by_secret(tx, secret)) == hook
    assert database.read(lambda tx: hooks.by_token(tx, secret)) is None
    assert database.read(lambda tx: hooks.by_secret(tx, token)) is None
    for wrong in ("", token[:-1], token.upper(), token + " ", "\ud800", "x" * 10_000):
        assert database.read(partial(hooks.by_token, url_token=wrong)) is None


def test_a_new_hook_restricts_nothing(database: Database) -> None:
    """A first alert plays."""
    hook, token, secret = make(database, database.write(owner, name="owner"))

    assert (hook.window_s, hook.max_age_s, hook.rate_per_s, hook.dry) == (60, None, 1000, False)
    assert hook.default_size is None
    assert hook.allows("ANYTHING")
    assert hook.state is HookState.ACTIVE
    assert all(len(text) == 32 and text.isalnum() and text.isascii() for text in (token, secret))


def test_no_secret_is_stored_or_audited(database: Database) -> None:
    """Whoever steals the database cannot send alerts."""
    whose = database.write(owner, name="owner")
    hook, token, secret = make(database, whose)
    database.write(lambda tx: hooks.rotate(tx, whose[0], hook.id, Rotation.BOTH, now=NOON), name="rotate")
    rows = database.read(lambda tx: [*tx.execute(select(hooks_table)), *tx.execute(select(audit))])

    assert token not in str(rows)
    assert secret not in str(rows)


@pytest.mark.parametrize("which", Rotation)
def test_what_is_rotated_is_worthless_at_once(database: Database, which: Rotation) -> None:
    """And what is not rotated goes on working."""
    whose = database.write(owner, name="owner")
    hook, token, secret = make(database, whose)
    rotated = database.write(lambda tx: hooks.rotate(tx, whose[0], hook.id, which, now=NOON), name="rotate")

    assert (rotated.url_token is None) == (which is Rotation.SECRET)
    assert (rotated.secret is None) == (which is Rotation.TOKEN)
    assert (database.read(lambda tx: hooks.by_token(tx, token)) is None) == (which is not Rotation.SECRET)
    assert (database.read(lambda tx: hooks.by_secret(tx, secret)) is None) == (which is not Rotation.TOKEN)
    if rotated.url_token:
        fresh = rotated.url_token.reveal()
        assert database.read(lambda tx: hooks.by_token(tx, fresh)) == rotated.hook
    assert rotated.hook.rotated_at == NOON


def test_a_revoked_hook_is_silent_for_good(database: Database) -> None:
    """It stays in the list, because its alerts do."""
    whose = database.write(owner, name="owner")
    hook, token, secret = make(database, whose)
    for _ in range(2):
        revoked = database.write(lambda tx: hooks.revoke(tx, whose[0], hook.id, now=NOON), name="revoke")
        assert revoked.state is HookState.REVOKED

    assert database.read(lambda tx: hooks.by_token(tx, token)) is None
    assert database.read(lambda tx: hooks.by_secret(tx, secret)) is None
    assert [each.id for each in database.read(lambda tx: hooks.list_hooks(tx, whose[0]))] == [hook.id]
    for again in (
        lambda tx: hooks.rotate(tx, whose[0], hook.id, Rotation.BOTH, now=NOON),
        lambda tx: hooks.change(tx, whose[0], hook.id, {"dry": True}, now=NOON),
    ):
        with pytest.raises(HookRevoked):
            database.write(again, name="again")


def test_a_hook_is_changed_field_by_field(database: Database) -> None:
    """What is not named stays."""
    whose = database.write(owner, name="owner")
    hook, *_ = make(database, whose, symbols=["ETHUSDT"])
    fields = {
        "name": " night ",
        "default_size": {"kind": "equity_percent", "value": "2.50"},
        "max_age_s": 30,
        "window_s": 0,
        "dry": True,
    }
    changed = database.write(lambda tx: hooks.change(tx, whose[0], hook.id, fields, now=NOON), name="change")

    assert changed.default_size == Size(SizeKind.EQUITY_PERCENT, Decimal("2.5"))
    assert (changed.name, changed.max_age_s, changed.window_s, changed.dry) == ("night", 30, 0, True)
    assert changed.symbols == ("ETHUSDT",)
    assert changed.allows("ETHUSDT")
    assert not changed.allows("BTCUSDT")
    cleared = database.write(
        lambda tx: hooks.change(tx, whose[0], hook.id, {"symbols": None, "default_size": None}, now=NOON), name="change"
    )
    assert cleared.symbols is cleared.default_size is None
    lines = database.read(lambda tx: list_audit(tx, whose[0]))
    assert [line.what for line in lines] == ["hook.changed", "hook.changed", "hook.created", "account.opened"]


def test_every_wrong_field_is_named() -> None:
    """At once, with what came and what is allowed."""
    with pytest.raises(Invalid) as caught:
        checked(
            {
                "name": "",
                "default_size": {"kind": "lots", "value": "1"},
                "symbols": [],
                "window_s": -1,
                "max_age_s": True,
                "rate_per_s": "10",
                "dry": 1,
                "owner_id": "usr_b",
            }
        )

    assert [problem.field for problem in caught.value.problems] == [
        "name",
        "default_size",
        "symbols",
        "window_s",
        "max_age_s",
        "rate_per_s",
        "dry",
        "owner_id",
    ]
    assert all(problem.came and problem.allowed for problem in caught.value.problems)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from([*hooks.DEFAULTS, "name", "state", "id"])
sizes = st.fixed_dictionaries(
    {"kind": json | st.sampled_from(SizeKind), "value": json | st.sampled_from(["1", "0", "1e999999999"])}
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(names, json | sizes, max_size=4))
def test_whatever_is_sent_is_kept_whole_or_refused(fields: dict[str, Any]) -> None:
    """No surprise reaches the table, and no other error the caller."""
    try:
        values = checked(fields)
    except Invalid as invalid:
        problems = invalid.problems
    else:
        assert set(values) == set(fields)
        assert checked(values) == values
        problems = ()
    assert all(len(str(problem)) < 400 for problem in problems)


def test_nobody_reaches_the_hooks_of_another_owner(database: Database) -> None:
    """Not by guessing ids, and the answer is the same as for a hook that is not there."""
    mine, theirs = (database.write(partial(owner, name=name), name="owner") for name in "ab")
    hook, *_ = make(database, theirs)
    tries: list[Callable[[Tx], object]] = [
        lambda tx: hooks.get(tx, mine[0], hook.id),
        lambda tx: hooks.change(tx, mine[0], hook.id, {"dry": True}, now=NOON),
        lambda tx: hooks.rotate(tx, mine[0], hook.id, Rotation.BOTH, now=NOON),
        lambda tx: hooks.revoke(tx, mine[0], hook.id, now=NOON),
        lambda tx: hooks.get(tx, mine[0], "hok_nothing"),
    ]

    for attempt in tries:
        with pytest.raises(HookNotFound):
            database.write(attempt, name="attempt")
    assert database.read(lambda tx: hooks.list_hooks(tx, mine[0])) == []
    assert database.read(lambda tx: hooks.get(tx, theirs[0], hook.id)) == hook
    with pytest.raises(AccountNotFound):
        make(database, (mine[0], theirs[1]))


def test_a_hook_needs_an_account_that_trades(database: Database) -> None:
    """A closed one would swallow every alert."""
    whose = database.write(owner, name="owner")
    database.write(lambda tx: trading_accounts.close(tx, *whose, now=NOON), name="close")

    with pytest.raises(AccountClosed):
        make(database, whose)
