"""What the tools store: messages that wait, facts that were told, leases that are held, budgets that were spent."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from pilothouse.kit.columns import Id, Instant, JsonText, Name, Serial, metadata

outbox = Table(
    "outbox",
    metadata,
    Column("id", Id, primary_key=True),
    Column("topic", Name, nullable=False),
    Column("key", Name, nullable=False),
    Column("dedupe_key", Name, nullable=True, unique=True),
    Column("payload", JsonText, nullable=False),
    Column("state", Name, nullable=False),
    Column("attempt", Integer, nullable=False),
    # When it is due: for a leased message, when its lease ends.
    Column("available_at", Instant, nullable=False),
    Column("lease_until", Instant, nullable=True),
    Column("lease_owner", Name, nullable=True),
    Column("error", Text, nullable=True),
    Column("created_at", Instant, nullable=False),
    # How many of the attempts say nothing against it: put off, given back, the other side away.
    Column("excused", Integer, nullable=False, server_default="0"),
    Index("ix_outbox_state_available_at", "state", "available_at"),
)
"""Committed work that waits for its handler. States: ready, leased, parked; what is done is deleted."""

facts = Table(
    "facts",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("owner_id", Id, nullable=False),
    Column("account_id", Id, nullable=True),
    Column("kind", Name, nullable=False),
    Column("payload", JsonText, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_autoincrement=True,  # an id is never given twice, even after old facts were forgotten
)
"""Everything that was told, in the order in which it was committed."""

leases = Table(
    "leases",
    metadata,
    Column("name", Name, primary_key=True),
    Column("owner", Name, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("until", Instant, nullable=False),
)
"""Who may do what nobody else may do meanwhile. The epoch grows with each holder and is never given twice."""

budgets = Table(
    "budgets",
    metadata,
    Column("name", Name, primary_key=True),
    # Windows are counted from 1970: the number of a window times its length is when it began.
    Column("window_no", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("blocked_until", Instant, nullable=True),
)
"""What all processes together have spent of each budget in its present window, and until when nothing may be spent."""

records = Table(
    "records",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    # No index keeps these two unique, since each alert would pay for it: the hashes do, and whoever verifies them.
    Column("chain", Id, nullable=False, doc="the account, or the owner for what concerns no account"),
    Column("number", BigInteger, nullable=False, doc="from 1, without a gap"),
    Column("about", Name, nullable=False, doc="the alert it tells of, or the order, payment or account without one"),
    Column("at", Instant, nullable=False),
    Column("body", Text, nullable=False, doc="what happened: a JSON array of [event, particulars]"),
    Column("hash", String(64), nullable=False, doc="SHA-256 of the hash before it and of all of the above"),
    Index("ix_records_about", "about"),
)
"""What happened, for ever: appended, never changed, each row bound to the one before it. See `kit/chain.py`."""

record_heads = Table(
    "record_heads",
    metadata,
    Column("chain", Id, primary_key=True),
    Column("number", BigInteger, nullable=False, doc="of the last row; 0: nothing happened yet"),
    Column("hash", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    Column("note", Text, nullable=False, doc="what is not in the chain, where it began later than its account"),
)
"""The last row of every chain, once more: so a row that was cut off the end is missed."""
