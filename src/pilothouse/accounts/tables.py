"""What is stored of users, their tokens, their trading accounts and their hooks.

Of tokens and hook secrets only the SHA-256 digest is kept. What must be used again, to sign at a venue, is sealed.
"""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from pilothouse.kit.columns import Exact, Id, Instant, JsonText, metadata

users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True, doc="the owner_id of everything that is theirs"),
    Column("email", String(254), unique=True),
    Column("name", String(120), nullable=False),
    Column("role", String(16), nullable=False, doc="operator or member"),
    Column("created_at", Instant, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("digest", String(64), nullable=False, unique=True, doc="SHA-256 of the token, hexadecimal"),
    Column("label", String(120), nullable=False),
    Column("scopes", JsonText, nullable=False, doc="list of scope names"),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Index("tokens_by_owner", "owner_id"),
)

trading_accounts = Table(
    "trading_accounts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("name", String(120), nullable=False),
    Column("venue", String(200), nullable=False, doc="key of the venue, such as paper or aster"),
    Column("mode", String(16), nullable=False, doc="paper, testnet or live"),
    Column("currency", String(16), nullable=False, doc="settlement currency"),
    Column("state", String(16), nullable=False, doc="active or closed"),
    Column("generation", Integer, nullable=False, doc="1, and one more at each start over of a paper account"),
    Column("armed_at", Instant, doc="since when a live account may send; null: it shows and decides only"),
    Column("endpoint", JsonText, doc="{base_url, stream_url} where they are not the venue's own, or null"),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("owner_id", "name", name="trading_accounts_name_once_per_owner"),
)

venue_keys = Table(
    "venue_keys",
    metadata,
    Column("account_id", Id, ForeignKey("trading_accounts.id"), primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("label", String(120), nullable=False, doc="what may be shown of it, such as the signer's address"),
    Column("parts", JsonText, nullable=False, doc="names of what is sealed"),
    Column("sealed", Text, nullable=False, doc="AES-256-GCM, bound to this row"),
    Column("created_at", Instant, nullable=False),
    Column("sealed_at", Instant, nullable=False, doc="when it was last sealed, with the key of then"),
)

account_setups = Table(
    "account_setups",
    metadata,
    # An account without a row was never asked to be tested: a paper account on the first deposit of all.
    Column("account_id", Id, ForeignKey("trading_accounts.id"), primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("deposit", Exact, doc="first deposit of a paper account; null: the usual one"),
    Column("withdrawals_allowed", Boolean, nullable=False, doc="somebody said that its key may withdraw"),
    Column("armed_by_setting_at", Instant, doc="when PILOTHOUSE_LIVE armed it, which it does once"),
    Column("tested_at", Instant, doc="when its venue was last asked about it; null: not yet"),
    Column("passed", Boolean, doc="whether it may be traded as it was found"),
    Column("message", Text, doc="why not"),
    Column("found", JsonText, doc="what the venue said; null: nothing"),
)

hooks = Table(
    "hooks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("account_id", Id, ForeignKey("trading_accounts.id"), nullable=False),
    Column("name", String(120), nullable=False),
    Column("token_digest", String(64), nullable=False, unique=True, doc="of the token in the address"),
    Column("secret_digest", String(64), nullable=False, unique=True, doc="of the secret in body or header"),
    Column("default_size", JsonText, doc="{kind, value} for alerts that name no size, or null"),
    Column("symbols", JsonText, doc="list of the symbols it may trade; null: all"),
    Column("window_s", Integer, nullable=False, doc="an equal body within so many seconds is the same alert"),
    Column("max_age_s", Integer, doc="older alerts are refused, seconds; null: any age"),
    Column("rate_per_s", Integer, nullable=False, doc="alerts within one second, at most"),
    Column("dry", Boolean, nullable=False, doc="decide and show, send nothing"),
    Column("state", String(16), nullable=False, doc="active or revoked"),
    Column("created_at", Instant, nullable=False),
    Column("rotated_at", Instant),
    Column("expects", JsonText, doc="what is missed if it does not come: see accounts/hook_settings; null: nothing"),
    Index("hooks_by_owner", "owner_id"),
)

house = Table(
    "house",
    metadata,
    # The house's own values have no owner: salts, and what was made when it first started.
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("owner_id", Id, ForeignKey("users.id"), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("request_digest", String(64), nullable=False, doc="SHA-256 of method, path and body"),
    Column("status", Integer, nullable=False, doc="HTTP status that was answered"),
    Column("answer", Text, nullable=False, doc="body that was answered"),
    Column("created_at", Instant, nullable=False),
    Index("idempotency_by_age", "created_at"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("who", String(120), nullable=False, doc="token label, hook, cli or the house itself"),
    Column("what", String(64), nullable=False, doc="a verb and its object, such as hook.rotated"),
    Column("detail", JsonText, nullable=False),
    Index("audit_by_owner", "owner_id", "id"),
)
