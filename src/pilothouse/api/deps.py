"""Who asks, and through what they act: the credential is checked before anything else of a request is looked at."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive
from starlette.types import Scope as Asgi

from pilothouse.accounts import tokens, trading_accounts
from pilothouse.accounts.access import Scope, Subject
from pilothouse.accounts.hooks import AccountClosed
from pilothouse.accounts.trading_accounts import AccountState, TradingAccount
from pilothouse.api.problems import BodyTooLarge, CredentialMissing
from pilothouse.core.errors import Invalid, NotFound, Problem
from pilothouse.execution.trader import Trader
from pilothouse.kit.db import Tx
from pilothouse.wiring.house import House

T = TypeVar("T")

BODY_BYTES_MAX = 65_536
_TOKEN_LENGTH_MAX = 200
_NUL = "\x00"
_BEARER = HTTPBearer(
    auto_error=False, scheme_name="operator_token", description="The operator token: `Authorization: Bearer ph_op_...`"
)


def subject_behind(house: House, header: str | None) -> Subject:
    """Return who shows the token in an Authorization header; raises CredentialMissing."""
    kind, _, token = (header or "").partition(" ")
    token = token.strip()
    if kind.lower() != "bearer" or not token:
        raise CredentialMissing("this needs the operator token: send it as `Authorization: Bearer ph_op_...`")
    subject = house.database.read(lambda tx: tokens.check(tx, token)) if len(token) <= _TOKEN_LENGTH_MAX else None
    if subject is None:
        raise CredentialMissing("this token is not known here, or was revoked")
    return subject


class Guarded(APIRoute):
    """A route behind a token. Nothing of the request is read, and no field complained of, before the token is."""

    def bytes_max(self, house: House) -> int:
        """Return how long a body may be."""
        return BODY_BYTES_MAX

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with its guard in front."""
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            header = request.headers.get("authorization")
            house = request.app.state.house
            request.state.subject = await run_in_threadpool(subject_behind, house, header)
            _refuse_nul(request)
            most = self.bytes_max(house)
            length = request.headers.get("content-length", "")
            if length.isdigit() and int(length) > most:
                raise BodyTooLarge(f"a request here has at most {most} bytes; {length} were announced")
            return await handler(Request(_as_json(request.scope), _bounded(request.receive, most)))

        return guarded


def _refuse_nul(request: Request) -> None:
    """Refuse the one character that a database cannot look for: PostgreSQL takes it for no text.

    Raises Invalid for a query, naming each parameter; NotFound for an address, because nothing is called so.
    """
    wrong = [name for name, value in request.query_params.multi_items() if _NUL in name or _NUL in value]
    if wrong:
        raise Invalid([Problem(name.replace(_NUL, "?"), "the character NUL came", "text without it") for name in wrong])
    if any(_NUL in str(value) for value in request.path_params.values()):
        raise NotFound("there is nothing with a name that holds the character NUL")


def _as_json(scope: Asgi) -> Asgi:
    """Return `scope` with a body that is JSON, whatever it was called: `curl -d` calls everything a form.

    Safe, because a browser never adds the Authorization header to what another site made it send.
    """
    headers = [header for header in scope["headers"] if header[0] != b"content-type"]
    scope["headers"] = [*headers, (b"content-type", b"application/json")]
    return scope


def _bounded(receive: Receive, most: int) -> Receive:
    """Return `receive`, which raises BodyTooLarge once more than `most` bytes came."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise BodyTooLarge(f"a request here has at most {most} bytes")
        return message

    return bounded


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a valid token, and the house they ask."""

    house: House
    subject: Subject

    @property
    def owner_id(self) -> str:
        """Return whose rows they see."""
        return self.subject.owner_id

    @property
    def name(self) -> str:
        """Return what they are called in records of who did what."""
        return self.subject.label

    def read(self, work: Callable[[Tx], T]) -> T:
        """Return what `work` finds."""
        return self.house.database.read(work)

    def write(self, work: Callable[[Tx], T], name: str) -> T:
        """Do `work` durably and return its result."""
        return self.house.database.write(work, name=name)

    def account(self, tx: Tx, account_id: str | None) -> TradingAccount:
        """Return the account with this id or name, or their first active one; raises AccountNotFound."""
        accounts = trading_accounts.list_accounts(tx, self.owner_id)
        if account_id is not None:
            named = next((each for each in accounts if account_id in {each.id, each.name}), None)
            return named or trading_accounts.get(tx, self.owner_id, account_id)
        active = [each for each in accounts if each.state is AccountState.ACTIVE]
        if not active:
            raise trading_accounts.AccountNotFound("there is no active trading account")
        return active[0]

    def trader(self, tx: Tx, account_id: str | None) -> Trader:
        """Return on whose behalf an order is made; raises AccountNotFound, AccountClosed."""
        account = self.account(tx, account_id)
        if account.state is not AccountState.ACTIVE:
            raise AccountClosed(f"the account {account.name!r} is closed")
        return Trader.of(account)


def may(scope: Scope) -> Callable[..., Caller]:
    """Return a dependency: the caller, if their token is good for `scope`; else ScopeMissing."""

    def caller(request: Request, _: Annotated[object, Security(_BEARER)] = None) -> Caller:
        subject: Subject = request.state.subject
        subject.require(scope)
        return Caller(request.app.state.house, subject)

    return caller


Reading = Annotated[Caller, Depends(may(Scope.READ))]
Trading = Annotated[Caller, Depends(may(Scope.TRADE))]
Administering = Annotated[Caller, Depends(may(Scope.ADMIN))]

AccountName = Annotated[
    str | None,
    Query(
        alias="account",
        description="Id or name of the trading account; the first active one if left out.",
        max_length=64,
        examples=["acc_0006441e8b0c4d2f0000a1b2c3d4"],
    ),
]
