"""Operator, tokens, trading accounts, idempotency keys, the house's own values, and who sees what."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select

from pilothouse.accounts import house, idempotency, tokens, trading_accounts, users
from pilothouse.accounts.access import ALL_SCOPES, Scope, ScopeMissing, Subject
from pilothouse.accounts.audit import list_audit, record
from pilothouse.accounts.idempotency import Answer, IdempotencyMismatch
from pilothouse.accounts.tables import audit
from pilothouse.accounts.tables import tokens as tokens_table
from pilothouse.accounts.tokens import TokenNotFound
from pilothouse.accounts.trading_accounts import (
    AccountNotFound,
    AccountState,
    Mode,
    NameTaken,
    NotPaper,
    TradingAccount,
)
from pilothouse.core.errors import Invalid
from pilothouse.kit.db import Database, Tx
from tests.conftest import NOON


def user(database: Database, name: str = "a") -> str:
    """Return the id of a new owner."""
    return database.write(lambda tx: users.add_user(tx, name=name, role="member", now=NOON), name="user").id


def issue(database: Database, owner_id: str, *scopes: Scope) -> tuple[str, str]:
    """Return the id and the text of a new token."""

    def work(tx: Tx) -> tuple[str, str]:
        token, plain = tokens.issue(tx, owner_id=owner_id, label="laptop", scopes=scopes, now=NOON)
        return token.id, plain.reveal()

    return database.write(work, name="issue")


def opened(database: Database, owner_id: str, name: str = "paper", mode: Mode = Mode.PAPER) -> TradingAccount:
    """Return a new account."""
    return database.write(
        lambda tx: trading_accounts.open_account(
            tx, owner_id=owner_id, name=name, venue="paper", mode=mode, currency="USDT", now=NOON
        ),
        name="open",
    )


def test_there_is_one_operator_however_often_the_house_starts(database: Database) -> None:
    """Also when two threads start it at once."""
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda _: database.write(lambda tx: users.ensure_operator(tx, now=NOON), name="op"), range(8))
        )

    assert len({each.id for each in found}) == 1
    assert found[0].role == users.OPERATOR


def test_a_token_tells_who_comes_and_what_they_may(database: Database) -> None:
    """And nothing but the very token does."""
    owner_id = user(database)
    token_id, plain = issue(database, owner_id, Scope.READ, Scope.TRADE)
    subject = database.read(lambda tx: tokens.check(tx, plain))

    assert subject == Subject(owner_id, token_id, "laptop", frozenset({Scope.READ, Scope.TRADE}))
    assert plain.startswith("ph_op_")
    assert subject is not None
    subject.require(Scope.TRADE)
    with pytest.raises(ScopeMissing, match="admin"):
        subject.require(Scope.ADMIN)
    for wrong in ("", plain[:-1], plain.upper(), token_id, "\ud800"):
        assert database.read(partial(tokens.check, plain=wrong)) is None


def test_a_token_is_not_stored(database: Database) -> None:
    """Whoever steals the database cannot come in with it."""
    _, plain = issue(database, user(database), *ALL_SCOPES)
    rows = database.read(lambda tx: [*tx.execute(select(tokens_table)), *tx.execute(select(audit))])

    assert plain not in str(rows)
    assert plain.removeprefix("ph_op_") not in str(rows)


def test_a_revoked_token_is_worthless(database: Database) -> None:
    """At once, for good, and only by its owner."""
    mine, theirs = user(database), user(database, "b")
    token_id, plain = issue(database, mine)

    with pytest.raises(TokenNotFound):
        database.write(lambda tx: tokens.revoke(tx, theirs, token_id, now=NOON), name="revoke")
    assert database.read(lambda tx: tokens.check(tx, plain))
    for _ in range(2):
        database.write(lambda tx: tokens.revoke(tx, mine, token_id, now=NOON), name="revoke")
    assert database.read(lambda tx: tokens.check(tx, plain)) is None
    assert [each.revoked_at for each in database.read(lambda tx: tokens.list_tokens(tx, mine))] == [NOON]
    assert database.read(lambda tx: tokens.list_tokens(tx, theirs)) == []
    assert [line.what for line in database.read(lambda tx: list_audit(tx, mine))] == ["token.revoked", "token.issued"]


def test_nobody_reaches_the_account_of_another_owner(database: Database) -> None:
    """The answer is the same as for an account that is not there."""
    mine, theirs = user(database), user(database, "b")
    account = opened(database, theirs)

    for account_id in (account.id, "acc_nothing"):
        with pytest.raises(AccountNotFound):
            database.read(partial(trading_accounts.get, owner_id=mine, account_id=account_id))
        with pytest.raises(AccountNotFound):
            database.write(
                partial(trading_accounts.close, owner_id=mine, account_id=account_id, now=NOON), name="close"
            )
    assert database.read(lambda tx: trading_accounts.list_accounts(tx, mine)) == []
    assert database.read(lambda tx: trading_accounts.get(tx, theirs, account.id)) == account
    assert database.read(lambda tx: trading_accounts.by_id(tx, account.id)) == account
    assert database.read(lambda tx: list_audit(tx, mine)) == []


def test_a_name_is_taken_once_per_owner(database: Database) -> None:
    """Another owner may use the same."""
    mine, theirs = user(database), user(database, "b")
    opened(database, mine)
    opened(database, theirs)

    with pytest.raises(NameTaken):
        opened(database, mine)


def test_a_closed_account_stays_on_record_and_is_not_traded(database: Database) -> None:
    """Its history is part of the books."""
    owner_id = user(database)
    account, other = opened(database, owner_id), opened(database, owner_id, "second")
    for _ in range(2):
        closed = database.write(lambda tx: trading_accounts.close(tx, owner_id, account.id, now=NOON), name="close")
        assert closed.state is AccountState.CLOSED

    assert [each.id for each in database.read(trading_accounts.active_accounts)] == [other.id]
    listed = database.read(lambda tx: trading_accounts.list_accounts(tx, owner_id))
    assert [each.id for each in listed] == [account.id, other.id]


def test_only_paper_starts_over(database: Database) -> None:
    """Real money has no second first day."""
    owner_id = user(database)
    paper, live = opened(database, owner_id), opened(database, owner_id, "live", Mode.LIVE)
    again = database.write(lambda tx: trading_accounts.start_over(tx, owner_id, paper.id, now=NOON), name="over")

    assert (again.id, again.generation) == (paper.id, 2)
    with pytest.raises(NotPaper):
        database.write(lambda tx: trading_accounts.start_over(tx, owner_id, live.id, now=NOON), name="over")


def test_the_same_key_has_the_same_answer_and_acts_once(database: Database) -> None:
    """A client that lost the answer asks again, perhaps on ten connections."""
    owner_id = user(database)
    acted = []

    def act(tx: Tx) -> Answer:
        about = {"owner_id": owner_id, "key": "k-1", "request_digest": "d" * 64}
        before = idempotency.find(tx, **about)
        if before:
            return before
        answer = Answer(201, f'{{"order":"{tx.ids.fresh("ord")}"}}')
        idempotency.store(tx, **about, answer=answer, now=NOON)
        tx.after_commit(lambda: acted.append(answer))
        return answer

    with ThreadPoolExecutor(10) as pool:
        answers = set(pool.map(lambda _: database.write(act, name="act"), range(10)))

    assert answers == set(acted)
    assert len(acted) == 1


def test_a_key_with_another_request_is_refused(database: Database) -> None:
    """It is a mistake of the client, and the wrong answer would hide it. Another owner's key is another key."""
    mine, theirs = user(database), user(database, "b")
    answer = Answer(200, "{}")
    database.write(
        lambda tx: idempotency.store(tx, owner_id=mine, key="k", request_digest="a" * 64, answer=answer, now=NOON),
        name="store",
    )

    with pytest.raises(IdempotencyMismatch):
        database.read(lambda tx: idempotency.find(tx, owner_id=mine, key="k", request_digest="b" * 64))
    assert database.read(lambda tx: idempotency.find(tx, owner_id=theirs, key="k", request_digest="b" * 64)) is None
    assert database.read(lambda tx: idempotency.find(tx, owner_id=mine, key="k", request_digest="a" * 64)) == answer
    assert database.write(lambda tx: idempotency.forget(tx, NOON), name="forget") == 0
    assert database.write(lambda tx: idempotency.forget(tx, NOON + timedelta(seconds=1)), name="forget") == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "ключ", "a\nb"])
def test_an_improper_key_is_refused(database: Database, key: str) -> None:
    """It would not fit its column, or not its header."""
    with pytest.raises(Invalid, match="Idempotency-Key"):
        database.read(lambda tx: idempotency.find(tx, owner_id="usr_a", key=key, request_digest="a" * 64))


def test_what_the_house_keeps_it_keeps_for_ever(database: Database) -> None:
    """A second start must find the salt of the first, or every client id would change."""
    with ThreadPoolExecutor(8) as pool:
        kept = set(
            pool.map(lambda n: database.write(lambda tx: house.keep(tx, "salt", f"salt {n}"), name="keep"), range(8))
        )

    assert len(kept) == 1
    assert database.read(lambda tx: house.value(tx, "salt")) == kept.pop()
    assert database.read(lambda tx: house.value(tx, "nothing")) is None


def test_the_record_of_changes_is_read_page_by_page_by_its_owner(database: Database) -> None:
    """Newest first."""
    mine, theirs = user(database), user(database, "b")
    for number in range(5):
        for owner_id in (mine, theirs):
            told = partial(record, owner_id=owner_id, who="laptop", what=f"thing.{number}", now=NOON, detail={"n": 1})
            database.write(told, name="record")
    first = database.read(lambda tx: list_audit(tx, mine, limit=3))
    rest = database.read(lambda tx: list_audit(tx, mine, before=first[-1].id))

    assert [line.what for line in [*first, *rest]] == [f"thing.{number}" for number in (4, 3, 2, 1, 0)]
    assert {line.owner_id for line in [*first, *rest]} == {mine}
