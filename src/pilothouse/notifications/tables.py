"""What is stored of alarms: each one from its beginning to its end, and what was told of it to which address."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from pilothouse.kit.columns import Id, Instant, Name, metadata

alarms = Table(
    "alarms",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("account_id", Id),
    Column("code", Name, nullable=False, doc="what kind of alarm, such as order_unknown"),
    Column("about", Name, nullable=False, doc="the instrument, or whatever else tells one from another; empty: none"),
    Column("grade", String(16), nullable=False, doc="warning or critical"),
    Column("headline", Text, nullable=False),
    Column("message", Text, nullable=False, doc="what happened, as it was told last"),
    Column("did", Text, nullable=False, doc="what the house did"),
    Column("todo", Text, nullable=False, doc="what a person should do"),
    Column("stands", Boolean, nullable=False, doc="it is so until its end is told; else it happens and is past"),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("times", BigInteger, nullable=False, doc="how often it happened"),
    Column("news", BigInteger, nullable=False, doc="how often since it was told last"),
    Column("step", Integer, nullable=False, doc="which pause comes next"),
    Column("told_at", Instant, doc="when it was told last; null: not yet"),
    Column("next_at", Instant, doc="when it may be told next; null: nothing is to be told"),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", String(120)),
    Column("over_at", Instant, doc="when it ended, or was quiet for long; null: it is open"),
    # The message that told of it last: delivered once more, it is not counted once more.
    Column("last_message", Id, nullable=False),
    Index("ix_alarms_listed", "owner_id", "id"),
    Index("ix_alarms_open", "over_at", "code"),
    Index("ix_alarms_same", "code", "account_id", "about", "id"),
)

alarm_tellings = Table(
    "alarm_tellings",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("alarm_id", Id, nullable=False),
    # Addresses are secrets: what is kept is a digest, and a label that shows only the kind.
    Column("address", String(16), nullable=False),
    Column("label", String(64), nullable=False),
    Column("grade", String(16), nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tried_at", Instant, doc="when it was last sent, with whatever success"),
    Column("error", Text, doc="why the last attempt failed"),
    Column("settled_at", Instant, doc="when it arrived or was given up; null: it waits"),
    Column("arrived", Boolean, doc="null: it waits"),
    Index("ix_alarm_tellings_waiting", "address", "settled_at", "id"),
    Index("ix_alarm_tellings_tried", "address", "tried_at"),
    Index("ix_alarm_tellings_of", "alarm_id", "id"),
)
