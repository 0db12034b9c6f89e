"""Ask everything that must always be true; what is not is told once and stops what it concerns.

In: an open house. Out: what was found. A breach halts new exposure on its account, or of its user, or of the house,
which may still reduce; what is only late is told and halts nothing, until it is stuck. Each (invariant, account) is
told once, and once more when lateness becomes a breach, and stays told until it holds again, so a person who resumes an
account after looking at it is not halted for the same thing a minute later. A restart forgets what was told: then it is
told once more, and halted unless a person has resumed after a halt for the very same finding.
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from pilothouse.core.errors import Unavailable
from pilothouse.core.facts import Fact, FactKind
from pilothouse.core.halts import HaltKind
from pilothouse.execution import halt_store, halts
from pilothouse.execution.limit_sets import HOUSE, Level, Scope
from pilothouse.kit.db import Tx
from pilothouse.observability.invariants.bots_add_up import BOTS_ADD_UP
from pilothouse.observability.invariants.client_ids_are_unique import CLIENT_IDS_ARE_UNIQUE
from pilothouse.observability.invariants.every_alert_has_an_outcome import EVERY_ALERT_HAS_AN_OUTCOME
from pilothouse.observability.invariants.fills_are_posted import FILLS_ARE_POSTED
from pilothouse.observability.invariants.ledger_balances import LEDGER_BALANCES
from pilothouse.observability.invariants.nothing_stays_unknown import NOTHING_STAYS_UNKNOWN
from pilothouse.observability.invariants.outbox_moves import OUTBOX_MOVES
from pilothouse.observability.invariants.positions_are_folds import POSITIONS_ARE_FOLDS
from pilothouse.observability.invariants.protection_stands import PROTECTION_STANDS
from pilothouse.observability.invariants.record_is_whole import RECORD_IS_WHOLE
from pilothouse.observability.invariants.rule import Finding, Gravity, Invariant, Looking
from pilothouse.observability.living import Living

BY = "watch"
"""Who halts for a broken invariant."""

INVARIANTS: tuple[Invariant, ...] = (
    LEDGER_BALANCES,
    FILLS_ARE_POSTED,
    POSITIONS_ARE_FOLDS,
    NOTHING_STAYS_UNKNOWN,
    OUTBOX_MOVES,
    EVERY_ALERT_HAS_AN_OUTCOME,
    CLIENT_IDS_ARE_UNIQUE,
    PROTECTION_STANDS,
    BOTS_ADD_UP,
    RECORD_IS_WHOLE,
)


def run(house: Living, invariants: Sequence[Invariant] = INVARIANTS) -> list[Finding]:
    """Look, tell what is newly wrong, halt what it concerns, set the gauge; return everything that is wrong.

    What merely waits for a reason is left out: see `survey`. Raises Unavailable if the database does not answer;
    what was not told then is told by the next run.
    """
    with house.remembered.lock:
        wrong = [one for one in _look(house, invariants) if one.gravity is not Gravity.WAITING]
        by_key: dict[tuple[str, str | None], list[Finding]] = {}
        for one in wrong:
            by_key.setdefault((one.invariant, one.account_id), []).append(one)
        for found in by_key.values():
            found.sort(key=lambda one: one.gravity is not Gravity.BREACH)
        before = house.remembered.standing
        fresh = {key: found for key, found in by_key.items() if _is_news(found[0], before.get(key))}
        if fresh:
            house.database.write(lambda tx: _tell(tx, house, list(fresh.values())), name="watch", urgent=True)
        asked = {invariant.name for invariant in invariants}
        kept = {key: one for key, one in before.items() if key[0] not in asked}
        standing = kept | {
            key: before[key] if key in before and not _is_news(found[0], before[key]) else found[0]
            for key, found in by_key.items()
        }
        house.remembered.standing = standing
        for invariant in invariants:
            broken = sum(1 for name, _ in standing if name == invariant.name)
            house.meters.invariants_broken.labels(invariant=invariant.name).set(broken)
        return wrong


def _is_news(worst: Finding, told: Finding | None) -> bool:
    """Say whether a finding is to be told: it is new, or what was only late has become a breach."""
    return told is None or (worst.gravity is Gravity.BREACH and told.gravity is not Gravity.BREACH)


def survey(house: Living, invariants: Sequence[Invariant] = INVARIANTS) -> list[Finding]:
    """Look and return everything, also what waits for a reason; tell nobody and halt nothing."""
    with house.remembered.lock:
        return _look(house, invariants)


def _look(house: Living, invariants: Sequence[Invariant]) -> list[Finding]:
    """Ask each invariant, each in a snapshot of its own: a long one must not hold old rows for the others."""
    now = house.clock.now()

    def quote_age(venue: str, symbol: str) -> timedelta | None:
        try:
            return house.quotes.age(venue, symbol, now)
        except Unavailable:
            return None

    within = timedelta(seconds=house.desk.protect_within_s)
    looking = Looking(now, house.clock.tick(), house.remembered, quote_age, protect_within=within)
    return [one for invariant in invariants for one in house.database.read(partial(_ask, invariant, looking))]


def _ask(invariant: Invariant, looking: Looking, tx: Tx) -> Sequence[Finding]:
    return invariant.check(tx, looking)


def _tell(tx: Tx, house: Living, groups: Sequence[Sequence[Finding]]) -> None:
    """Announce each group of findings, the gravest first in it, and halt what it concerns if that is a breach."""
    now = house.clock.now()
    for group in groups:
        first = group[0]
        owner_id = first.owner_id or house.operator_id
        scope = _concerned(first, house.operator_id)
        payload = {
            "invariant": first.invariant,
            "gravity": first.gravity.value,
            "words": first.words,
            "numbers": dict(first.numbers),
            "findings": len(group),
            "level": scope.level.value,
        }
        tx.announce(Fact(FactKind.INVARIANT_BROKEN, owner_id, now, first.account_id, payload))
        if first.gravity is not Gravity.BREACH:
            continue
        more = f", and {len(group) - 1} more" if len(group) > 1 else ""
        reason = f"invariant {first.invariant} does not hold: {first.words}{more}"
        if not halt_store.was_resumed(tx, scope, reason):
            halts.halt_at(tx, house.desk, scope, HaltKind.NO_NEW_EXPOSURE, reason=reason, by=BY)


def _concerned(one: Finding, operator_id: str) -> Scope:
    """Return what a finding concerns: its account, every account of its user, or the house."""
    if one.account_id is not None and one.owner_id is not None:
        return Scope(Level.ACCOUNT, one.account_id, one.owner_id, one.account_id)
    if one.owner_id is not None:
        return Scope(Level.USER, one.owner_id, one.owner_id)
    return Scope(Level.HOUSE, HOUSE, operator_id)
