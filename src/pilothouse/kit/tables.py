"""What the tools store: messages that wait, facts that were told, leases that are held, budgets that were spent."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

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
    Index("ix_facts_owner_id_id", "owner_id", "id"),
    Index("ix_facts_at", "at"),
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
