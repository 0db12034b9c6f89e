"""The record over the wire: where its chains end, and whether it is whole."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from pilothouse.accounts import trading_accounts
from pilothouse.api import audit_shapes, shapes
from pilothouse.api.deps import Caller, Guarded, Reading
from pilothouse.core.clock import iso
from pilothouse.core.errors import Invalid, Problem
from pilothouse.kit.chain import stored_heads
from pilothouse.kit.db import Tx
from pilothouse.observability.record import anchors
from pilothouse.observability.record.verify import Verified, verify
from pilothouse.observability.walk import Anchor

router = APIRouter(prefix="/api/v1/audit", tags=["audit"], route_class=Guarded)

_HEAD = re.compile(r"([A-Za-z0-9_]{1,64}):([0-9]{1,18}):([0-9a-f]{64})")

KnownHeads = Annotated[
    list[str] | None,
    Query(
        alias="head",
        description="Heads that were noted elsewhere, as `CHAIN:NUMBER:HASH`; each must be in the record.",
        max_length=100,
    ),
]


@router.get(
    "/heads",
    summary="Show where the record ends",
    response_model=shapes.Page[audit_shapes.HeadShown],
    responses=shapes.LOOKING,
)
def heads(caller: Reading) -> Response:
    """Show the last row of every chain of yours: note them elsewhere, and nobody can cut the record unseen."""

    def work(tx: Tx) -> list[dict[str, Any]]:
        mine = _chains(tx, caller)
        return [
            {
                "chain": one.chain,
                "name": mine[one.chain],
                "number": one.number,
                "hash": one.hash,
                "at": iso(one.at),
                "note": one.note,
                "head": f"{one.chain}:{one.number}:{one.hash}",
            }
            for one in stored_heads(tx)
            if one.chain in mine
        ]

    return shapes.answer({"items": caller.read(work), "next_cursor": None})


@router.get(
    "/verify",
    summary="Verify the record",
    response_model=audit_shapes.VerifiedShown,
    responses=shapes.LOOKING,
)
def verified(caller: Reading, head: KnownHeads = None) -> Response:
    """Read the whole record, sum every hash again, and compare it with the heads that are kept and with the books."""
    known = [*anchors.read(caller.house.settings.data / anchors.FILE), *noted_heads(head or [])]

    def work(tx: Tx) -> tuple[dict[str, str], Verified]:
        return _chains(tx, caller), verify(tx, known)

    mine, found = caller.read(work)
    return shapes.answer(shown(found, mine))


def shown(found: Verified, names: dict[str, str]) -> dict[str, Any]:
    """Return what was found in the chains that are named, as it is shown."""
    chains = [one for one in found.chains if one.chain in names]
    return {
        "ok": not any(one.faults_in_all for one in chains),
        "rows": sum(one.rows for one in chains),
        "anchors": found.anchors,
        "orders": found.orders,
        "chains": [
            {
                "chain": one.chain,
                "name": names[one.chain],
                "rows": one.rows,
                "number": one.number,
                "hash": one.hash,
                "note": one.note,
                "faults_in_all": one.faults_in_all,
                "faults": [{"number": fault.number, "words": fault.words} for fault in one.faults],
            }
            for one in chains
        ],
    }


def _chains(tx: Tx, caller: Caller) -> dict[str, str]:
    """Return the chains that the caller may see, with the names of their accounts."""
    mine = trading_accounts.list_accounts(tx, caller.owner_id)
    return {caller.owner_id: "house", **{account.id: account.name for account in mine}}


def noted_heads(heads: list[str]) -> list[Anchor]:
    """Return heads that somebody noted; raises Invalid for one that is none."""
    found, problems = [], []
    for text in heads:
        said = _HEAD.fullmatch(text.strip())
        if said is None:
            allowed = "CHAIN:NUMBER:HASH, as `pilothouse audit heads` shows it"
            problems.append(Problem("head", f"{text[:80]!a} came", allowed, "not_a_head"))
        else:
            found.append(Anchor(said[1], int(said[2]), said[3], "the head that you noted"))
    if problems:
        raise Invalid(problems)
    return found
