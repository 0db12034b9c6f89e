"""Which facts alarm, how grave they are, and what a person is told: what happened, what was done, what to do.

In: a fact. Out: the alarm that begins or goes on with it, the one that ends with it, or nothing.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from pilothouse.core.facts import Fact, FactKind


class Grade(StrEnum):
    """How soon somebody should look: `critical` at once, also at night; `warning` today."""

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an alarm of one code means.

    did, todo   what the house did about it, and what a person should do
    stands      it is so until its end is told
    hold        it is told only if it is still so after this time
    """

    grade: Grade
    headline: str
    did: str
    todo: str
    stands: bool = False
    hold: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that a fact raises: the same code, account and `about` is the same alarm."""

    code: str
    about: str
    meaning: Meaning
    message: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The alarm that a fact ends."""

    code: str
    about: str = ""


ORDER_UNKNOWN = "order_unknown"
POSITION_UNPROTECTED = "position_unprotected"
ACCOUNT_NOT_HEARD = "account_not_heard"
ACCOUNT_HALTED = "account_halted"
WALLET_DIFFERS = "wallet_differs"
DAILY_LOSS = "daily_loss"
DAILY_LOSS_NEAR = "daily_loss_near"
DRAWDOWN = "drawdown"
DRAWDOWN_NEAR = "drawdown_near"
LIMIT_WARNING = "limit_warning"
DEADMAN_ACTED = "deadman_acted"
DISK_LOW = "disk_low"
CLOCK_OFF = "clock_off"
LEASE_LOST = "lease_lost"
WATCHER_IN_CHARGE = "watcher_in_charge"
MESSAGE_PARKED = "message_parked"
ADDRESS_FAILS = "alarm_address_fails"
HOOK_SILENT = "hook_silent"
HOOK_NOT_THERE = "hook_not_there"
TEST = "test"
INVARIANT = "invariant."
"""Codes of broken invariants begin so."""

BY_THE_HOUSE = frozenset({"watch", "dispatch", "reconcile"})
"""Who halts accounts without being a person."""

_HALTS = MappingProxyType(
    {
        "reduce_only": "halted, and what could add cancelled,",
        "cancel_all": "halted, and what rests cancelled,",
        "flatten": "halted, and every position closed,",
    }
)
_INVARIANT_HALTS = "Nothing that adds is sent on the account any more; what reduces goes on, and stops stay."
_INVARIANT_HALTS_AT = MappingProxyType(
    {
        "user": "Nothing that adds is sent on any account of its user any more; what reduces goes on, and stops stay.",
        "house": "Nothing that adds is sent on any account any more; what reduces goes on, and stops stay.",
    }
)
_ADVICE = "Run `pilothouse doctor`, compare the account with the venue's own page, then `pilothouse resume`."

_ADVICE_OF = MappingProxyType(
    {
        "record_is_whole": "Run `pilothouse audit verify`: it names each row that does not fit. Look who "
        "can write to the database before `pilothouse resume`.",
    }
)
"""What a person should do about one invariant in particular."""

MEANINGS = MappingProxyType(
    {
        ORDER_UNKNOWN: Meaning(
            Grade.CRITICAL,
            "Nobody knows what became of an order",
            "The venue is asked about it again and again and nothing is sent twice; what would add in this instrument "
            "waits.",
            "Look on the venue's own page whether the order is there. If the venue is away, nothing else can be done "
            "but to watch the position; the question is answered as soon as the venue answers.",
            stands=True,
        ),
        POSITION_UNPROTECTED: Meaning(
            Grade.CRITICAL,
            "A position is without its stop",
            "The stop is placed again and again.",
            "Set a stop on the venue's own page, or close the position: `pilothouse positions close SYMBOL`.",
            stands=True,
        ),
        "protection_refused": Meaning(
            Grade.CRITICAL,
            "The venue refused a stop",
            "The position is being closed at the market.",
            "See that the position is closed: `pilothouse positions`.",
        ),
        ACCOUNT_NOT_HEARD: Meaning(
            Grade.WARNING,
            "An account is not heard at its venue",
            "The stream is opened again and again. Only what reduces is decided; alerts that add wait.",
            "Look whether the venue or this machine's network is away. Stops stand at the venue meanwhile.",
            stands=True,
            hold=timedelta(seconds=20),  # it is raised after ten seconds: told when 30 have passed
        ),
        ACCOUNT_HALTED: Meaning(
            Grade.CRITICAL,
            "Trading on an account is halted",
            _INVARIANT_HALTS,
            "Read the reason, compare the account with the venue's own page, then `pilothouse resume`.",
            stands=True,
        ),
        WALLET_DIFFERS: Meaning(
            Grade.CRITICAL,
            "The wallet is not what the books say",
            "Nothing is halted: positions and orders agree. It is compared again and again.",
            "Look at the account's history on the venue's own page: a deposit, a withdrawal, a fee in another coin or "
            "a payment that was not told. `pilothouse reconcile --adopt` books it, with your reason.",
            stands=True,
        ),
        DAILY_LOSS: Meaning(
            Grade.CRITICAL,
            "An account has lost what it may lose in a day",
            "Nothing that adds is sent until midnight UTC; what reduces goes on, and stops stay.",
            "Look at the positions that are open: `pilothouse positions`. The limit is shown by `pilothouse limits`.",
            stands=True,
        ),
        DAILY_LOSS_NEAR: Meaning(
            Grade.WARNING,
            "The loss of the day has reached its warning level",
            "Trading goes on: only the limit itself stops it.",
            "Look at what is open: `pilothouse positions`. Both levels are shown by `pilothouse limits`.",
            stands=True,
        ),
        DRAWDOWN: Meaning(
            Grade.CRITICAL,
            "An account has fallen as far from its highest equity as it may",
            "Nothing that adds is sent; what reduces goes on, and stops stay.",
            "Look at what is open. `pilothouse limits anew` measures from what the account is worth now.",
            stands=True,
        ),
        DRAWDOWN_NEAR: Meaning(
            Grade.WARNING,
            "The fall from the highest equity has reached its warning level",
            "Trading goes on: only the limit itself stops it.",
            "Look at what is open: `pilothouse positions`. Both levels are shown by `pilothouse limits`.",
            stands=True,
        ),
        DEADMAN_ACTED: Meaning(
            Grade.CRITICAL,
            "The dead man's switch has acted",
            "What rested is cancelled and every position closed, without the house.",
            "Find out why the house was gone. Look on the venue's own page that the account is flat; then start the "
            "house and `pilothouse resume`.",
        ),
        LIMIT_WARNING: Meaning(
            Grade.WARNING,
            "A warning level is reached",
            "The order was made: only the limit itself stops one.",
            "Look at the number beside the limit: `pilothouse limits`.",
        ),
        DISK_LOW: Meaning(
            Grade.CRITICAL,
            "The disk is nearly full",
            "Work goes on as long as it can be written; an alert that cannot be stored is refused, not lost.",
            "Make room on the disk of the data folder; old backups and logs lie there too.",
            stands=True,
        ),
        CLOCK_OFF: Meaning(
            Grade.CRITICAL,
            "This machine's clock is not that of a venue",
            "Requests are stamped, and the age of alerts is measured, by the venue's clock; nothing is sent twice.",
            "Set the clock: `timedatectl set-ntp true`. If it is right, the venue's is wrong: look at its status page.",
            stands=True,
        ),
        HOOK_SILENT: Meaning(
            Grade.CRITICAL,
            "A strategy is silent",
            "Nothing is traded for it without an alert; positions and their stops stay as they are.",
            "Look whether the alert still runs at TradingView, and whether it reaches this house. The next alert that "
            "says where the position shall be brings it there.",
            stands=True,
        ),
        HOOK_NOT_THERE: Meaning(
            Grade.CRITICAL,
            "A position is not what the strategy says",
            "The next alert that says where the position shall be brings it there.",
            "Look why: `pilothouse signals` shows what was refused; a stop, a liquidation or a hand may have moved it.",
            stands=True,
        ),
        "hook_gap": Meaning(
            Grade.CRITICAL,
            "An alert never came",
            "What the alert that showed it asks for is carried out as always.",
            "Compare the position with the strategy's; look at TradingView's alert log why it was not sent.",
        ),
        "hook_disagrees": Meaning(
            Grade.CRITICAL,
            "The account held something else than the strategy",
            "What the alert that showed it asks for is carried out as always.",
            "Look what was missed: `pilothouse signals`. Two strategies in one instrument cannot both be watched so.",
        ),
        WATCHER_IN_CHARGE: Meaning(
            Grade.CRITICAL,
            "The watcher keeps up the protection alone",
            "The house did not answer and its hold on this account had ended, so the watcher took it over: stops are "
            "kept up, or positions closed as the account wants; nothing that adds is sent.",
            "Start Pilothouse again, or see why it hangs: `pilothouse doctor`. The watcher then gives the account "
            "back.",
        ),
        LEASE_LOST: Meaning(
            Grade.WARNING,
            "A process lost its hold on an account",
            "It stopped listening and sending for this account; it, or another process, takes the account over and "
            "compares it in full before anything is decided.",
            "If it happens again, look whether the machine is overloaded or asleep at times, or its clock wrong.",
        ),
        MESSAGE_PARKED: Meaning(
            Grade.CRITICAL,
            "Work failed too often and was put aside",
            "It is kept, with the error, and not tried any more.",
            "See `pilothouse parked`; when what was wrong is mended, `pilothouse parked retry ID`.",
        ),
        "foreign_order": Meaning(
            Grade.WARNING,
            "An order was found that was not made here",
            "It is shown and booked, and never touched.",
            "If nobody made it by hand, change the keys of the account at the venue at once.",
        ),
        "liquidation_order": Meaning(
            Grade.CRITICAL,
            "The venue liquidates",
            "What it fills is booked.",
            "Look at the margin of the account on the venue's own page now.",
        ),
        ADDRESS_FAILS: Meaning(
            Grade.WARNING,
            "An alarm address cannot be reached",
            "What it should be told waits for a day and is tried again and again.",
            "Try it with `pilothouse alarm test`, and mend it in PILOTHOUSE_ALARM_URLS.",
        ),
        TEST: Meaning(
            Grade.WARNING,
            "This is a test",
            "Somebody asked for it; nothing is wrong.",
            "Nothing: alarms reach you here.",
        ),
    }
)
"""Each code with its meaning. A code that is not listed is told with what its fact says."""

_UNLISTED = Meaning(
    Grade.WARNING,
    "Something wants a look",
    "It is in the record: `pilothouse watch`.",
    "Look at the account it names.",
)

_BY_A_PERSON = Meaning(
    Grade.WARNING,
    "Somebody halted trading on an account",
    _INVARIANT_HALTS,
    "If it was not you or a colleague, look who holds tokens; `pilothouse resume` lets it trade again.",
)

_QUESTIONS = MappingProxyType(
    {
        "ledger_balances": "The books do not add up",
        "fills_are_posted": "A fill is not booked",
        "positions_are_folds": "A position differs from its entries",
        "nothing_stays_unknown": "An order stays unknown although its venue answers",
        "outbox_moves": "Work that is due is not done",
        "every_alert_has_an_outcome": "An alert is not decided",
        "client_ids_are_unique": "Two orders share an id",
        "protection_stands": "A position is without its stop",
        "bots_add_up": "What hooks hold does not add up to the account",
        "record_is_whole": "The record was changed",
    }
)


def heard(fact: Fact) -> Alarm | Ended | None:
    """Return what a fact means for alarms; None: nothing."""
    told = fact.payload
    match fact.kind:
        case FactKind.ALARM_RAISED:
            code = str(told.get("code", "unnamed"))
            about = str(told.get("about") or told.get("symbol") or "")
            return Alarm(code, about, MEANINGS.get(code, _UNLISTED), str(told.get("message", code)))
        case FactKind.INVARIANT_BROKEN:
            return _invariant(fact)
        case FactKind.ACCOUNT_HALTED:
            by = str(told.get("by", ""))
            if by == "watch":
                return None  # the broken invariant is told, and says that it halts
            message = f"{_HALTS.get(str(told.get('kind')), 'halted')} by {by}: {told.get('reason', '')}"
            about = str(told.get("hook_id", ""))
            return Alarm(
                ACCOUNT_HALTED, about, MEANINGS[ACCOUNT_HALTED] if by in BY_THE_HOUSE else _BY_A_PERSON, message
            )
        case FactKind.ACCOUNT_RESUMED:
            return Ended(ACCOUNT_HALTED, str(told.get("hook_id", "")))
        case _:
            return None


def _invariant(fact: Fact) -> Alarm:
    told = fact.payload
    name = str(told["invariant"])
    more = int(told.get("findings", 1)) - 1
    # What the ledger finds while it books carries numbers alone.
    words = told.get("words") or ", ".join(f"{key} {value}" for key, value in told.items() if key != "invariant")
    message = f"{words}{f', and {more} more' if more else ''}"
    headline = _QUESTIONS.get(name, f"Invariant {name} does not hold")
    if told.get("gravity") == "breach":
        did = _INVARIANT_HALTS_AT.get(str(told.get("level")), _INVARIANT_HALTS)
        meaning = Meaning(Grade.CRITICAL, headline, did, _ADVICE_OF.get(name, _ADVICE), stands=True)
    else:
        did = "It is tried again; nothing is halted for what is only late."
        meaning = Meaning(Grade.WARNING, headline, did, "See `pilothouse doctor` and `pilothouse parked`.", stands=True)
    return Alarm(f"{INVARIANT}{name}", "", meaning, message)
