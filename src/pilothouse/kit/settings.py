"""Every setting of the house, declared once: name, default, what is allowed, help. Read once, at start, all or none."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pilothouse.core.errors import Invalid, Problem
from pilothouse.kit.sealed import MASK

_PREFIX = "PILOTHOUSE_"
_KEY, _PARSE = "described", "parse"
_CAME_LENGTH_MAX = 80


@dataclass(frozen=True, slots=True)
class Described:
    """One setting, as documentation shows it."""

    name: str
    default: str
    allowed: str
    help: str
    secret: bool


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a value is read from text, and what text that may be."""

    parse: Callable[[str], Any]
    allowed: str


# ── kinds of values ───────────────────────────────────────────────────────────────────────────────


def _number(lowest: int, highest: int) -> _Kind:
    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", text) or not lowest <= int(text) <= highest:
            raise ValueError(text)
        return int(text)

    return _Kind(parse, f"a whole number from {lowest} to {highest}")


def _one_of(*choices: str) -> _Kind:
    def parse(text: str) -> str:
        for choice in choices:
            if choice.lower() == text.lower():
                return choice
        raise ValueError(text)

    return _Kind(parse, f"one of {', '.join(choices)}")


def _folder(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if "\0" in text or (path.exists() and not path.is_dir()):
        raise ValueError(text)
    return path


def _host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", text):
        raise ValueError(text)
    return text


def _database(text: str) -> str:
    if not re.fullmatch(r"(sqlite:///|postgres(ql)?(\+psycopg)?://).+", text) or ":memory:" in text:
        raise ValueError(text)
    return re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql+psycopg://", text)


def _public_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(text)
    return text.rstrip("/")


def _sealing_keys(text: str) -> str:
    keys = [each.strip().lower() for each in text.split(",")]
    if not all(re.fullmatch(r"[0-9a-f]{64}", each) for each in keys) or len(set(keys)) != len(keys):
        raise ValueError(text)
    return ",".join(keys)


def _file(text: str) -> str:
    if "\0" in text or Path(text).is_dir():
        raise ValueError(text)
    return str(Path(text).expanduser().absolute())


def _addresses(text: str) -> str:
    if not re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]{0,31}://\S+[\s,]*)+", text):
        raise ValueError(text)
    return text


def _setting(default: str, kind: _Kind, help_: str, *, secret: bool = False, shown: str = "") -> Any:
    """Declare a setting; its name is that of its field, in capitals behind PILOTHOUSE_.

    default   as it would be written; empty for one that is worked out, or that may stay unset (then it is "")
    secret    its value is never shown, not even in a complaint about it
    shown     how documentation puts a default that is worked out
    """
    return field(
        default_factory=lambda: kind.parse(default) if default else "",
        repr=not secret,
        metadata={_KEY: Described("", shown or default, kind.allowed, help_, secret), _PARSE: kind.parse},
    )


# ── the settings ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the house was told from outside. Frozen: a changed setting takes a restart."""

    data: Path = _setting(  # noqa: RUF009  (it returns a field)
        "./data",
        _Kind(_folder, "a folder, made if it is not there"),
        "Where everything is kept: database, keys, copies, logs.",
    )
    host: str = _setting(
        "127.0.0.1",
        _Kind(_host, "a host name or an IP address"),
        "The address to listen on. Anything but a loopback address belongs behind TLS.",
    )
    port: int = _setting("8000", _number(1, 65_535), "The port to listen on.")
    database_url: str = _setting(
        "",
        _Kind(_database, "sqlite:////absolute/path or postgresql://user:password@host/name"),
        "The database. SQLite serves one machine; several machines share one PostgreSQL.",
        secret=True,
        shown="pilothouse.db in the data folder",
    )
    market_seed: int = _setting(
        "1",
        _number(0, 2**53),
        "The seed of the simulated market: the same seed is the same market.",
    )
    public_url: str = _setting(
        "",
        _Kind(_public_url, "an http or https address without query"),
        "The address under which this house is reached from outside; hook addresses are printed with it.",
        shown="unset: the host and port above",
    )
    unheard_s: int = _setting(
        "10",
        _number(1, 3_600),
        "An account that is not heard at its venue decides nothing for so many seconds; then an alarm is raised, and "
        "decisions that only reduce go on.",
    )
    reconcile_s: int = _setting(
        "30",
        _number(5, 3_600),
        "An account is compared with its venue in full at least every so many seconds, and after each reconnect; each "
        "time costs of the venue's rate budget.",
    )
    protect_within_s: int = _setting(
        "5",
        _number(1, 3_600),
        "A position whose stop does not stand for so many seconds is looked after by the watcher; an account may say "
        "otherwise.",
    )
    when_unprotected: str = _setting(
        "flatten",
        _one_of("flatten", "alarm"),
        "What is done with a position whose stop the venue does not take, in whatever way: flatten closes it at the "
        "market, alarm tells a person. An account may say otherwise.",
    )
    trail_at: str = _setting(
        "venue",
        _one_of("house", "venue"),
        "venue: a trailing stop is the venue's own order where it has one that trails exactly so; house: this house "
        "moves a stop everywhere.",
    )
    limit_delay_s: int = _setting(
        "0",
        _number(0, 2_592_000),
        "A risk limit that is loosened holds only after so many seconds; one that is tightened holds at once.",
    )
    watcher: str = _setting(
        "yes",
        _one_of("no", "yes"),
        "yes: a second process watches over the protection of every position, also when this one is gone.",
    )
    strategies_dir: str = _setting(
        "",
        _Kind(lambda text: str(_folder(text)), "a folder of Python files"),
        "Where strategies of your own lie; each runs in a process without files, network or keys.",
        shown="unset: strategies in the data folder",
    )
    trusted_strategies: str = _setting(
        "no",
        _one_of("no", "yes"),
        "yes: you vouch for every file in the folder of strategies, and they run also where the kernel lacks a wall.",
    )
    backtest_workers: int = _setting(
        "1",
        _number(0, 64),
        "How many backtests are computed at once, each in a process of its own at a low priority; 0: none here.",
    )
    compute_lease_s: int = _setting(
        "60",
        _number(2, 3_600),
        "So many seconds after a process that computed was killed, another one takes up what it was at.",
    )
    backtests_at_once: int = _setting(
        "20",
        _number(0, 100_000),
        "How many backtests of one user may be queued or running at the same time.",
    )
    backtests_per_day: int = _setting(
        "1000",
        _number(0, 1_000_000),
        "How many backtests one user may ask for in a day (UTC); what is found and not run does not count.",
    )
    backtest_work: int = _setting(
        "20000000000",
        _number(1, 10**15),
        "Bars times combinations that one request may ask for; a year of minutes is 525,600 bars.",
    )
    uploads: int = _setting(
        "50",
        _number(0, 100_000),
        "How many files of candles one user may send; 0: none.",
    )
    upload_mb: int = _setting(
        "64",
        _number(1, 4_096),
        "How large one such file may be, in megabytes.",
    )
    live: str = _setting(
        "no",
        _one_of("no", "yes"),
        "yes: live accounts are armed as soon as they were tested, each once; who disarms one later is obeyed.",
    )
    sealing_key: str = _setting(
        "",
        _Kind(_sealing_keys, "64 hex digits; older keys, which only open, behind it with commas between"),
        "The key that seals credentials of venue accounts, instead of a file.",
        secret=True,
        shown="unset: it is kept in a file",
    )
    sealing_key_file: str = _setting(
        "",
        _Kind(_file, "the path of a file with 64 hex digits and mode 0600"),
        "The file that holds the key that seals credentials of venue accounts.",
        shown="sealing.key in the data folder, made at the first start",
    )
    alarm_urls: str = _setting(
        "",
        _Kind(_addresses, "addresses such as ntfy://host/topic or tgram://token/chat, spaces or commas between"),
        "Where alarms go: any number of Apprise addresses (Telegram, Discord, mail, ntfy, webhooks and others).",
        secret=True,
        shown="unset: alarms are logged, listed and on the event stream, and sent nowhere",
    )
    log_level: str = _setting(
        "INFO",
        _one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "The least grave log lines that are written.",
    )
    log_format: str = _setting(
        "json",
        _one_of("json", "text"),
        "json for machines, one object a line; text for people.",
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings from variables such as PILOTHOUSE_PORT; an empty one counts as not set.

        Raises Invalid with every problem at once: each value that is not allowed, and each PILOTHOUSE_ name that is
        no setting, with the nearest name that is one.
        """
        values: dict[str, Any] = {}
        problems: list[Problem] = []
        names = {_PREFIX + each.name.upper(): each for each in fields(cls)}
        for name, each in names.items():
            text = environment.get(name, "").strip()
            if not text:
                continue
            try:
                values[each.name] = each.metadata[_PARSE](text)
            except ValueError:
                described: Described = each.metadata[_KEY]
                came = MASK if described.secret else repr(text[:_CAME_LENGTH_MAX])
                problems.append(Problem(name, came, described.allowed))
        problems += [
            _unknown(name, list(names)) for name in sorted(environment) if _is_ours(name) and name not in names
        ]
        if problems:
            raise Invalid(problems)
        return cls(**values)

    def __post_init__(self) -> None:
        """Work out where the database is, if nobody said."""
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{self.data / 'pilothouse.db'}")

    @property
    def address(self) -> str:
        """Where this house is reached: what it is called outside, or else the address it listens on."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104  (compared, not bound)
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def described() -> list[Described]:
    """Return every setting in the order of its declaration, for documentation and for deploy checks."""
    return [replace(each.metadata[_KEY], name=_PREFIX + each.name.upper()) for each in fields(Settings)]


def _is_ours(name: str) -> bool:
    return name.startswith(_PREFIX)


def _unknown(name: str, known: list[str]) -> Problem:
    """Say that `name` is no setting, and which one may have been meant."""
    nearest = get_close_matches(name, known, n=1, cutoff=0.0)[0]
    return Problem(name, "no such setting", f"did you mean {nearest}? Settings: {', '.join(known)}", "unknown_setting")
