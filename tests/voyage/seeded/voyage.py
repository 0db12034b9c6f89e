"""One voyage: the whole house under one seed, through storms and deaths, until it comes to rest.

Its threads are moved in an order that the seed draws. What happens is a trace; the same seed makes the same trace.

    python -m tests.voyage.seeded.voyage 17 [--trace]      sails seed 17 and tells how it ended
"""

import hashlib
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from pilothouse.simexchange.front import Reply
from pilothouse.simexchange.requests import Request
from tests.voyage.seeded.alerts import drawn
from tests.voyage.seeded.chance import Chance, no_other_chance
from tests.voyage.seeded.laws import Laws, Wrong
from tests.voyage.seeded.life import Crash, Hand, Life, afloat
from tests.voyage.seeded.port import HomePort, Port
from tests.voyage.seeded.sea import STRIDE_S, HouseClock, Sea
from tests.voyage.seeded.senders import Senders
from tests.voyage.seeded.storms import Storms
from tests.voyage.seeded.worlds import FIRST, World
from tests.voyage.seeded.worlds import drawn as drawn_world

_STEPS_MOST = 60_000
_DEPTH_MOST = 2
_SWELL_S = 16.0
_RESTS_S = 12.0
"""Longer than it takes until an account is compared with its exchange again."""

_NAMES = ("newClientOrderId", "origClientOrderId", "clientAlgoId")
_HOUSEKEEPING = frozenset({"claim", "again", "done", "alarms", "writers", "stream", "budgets", "heard", "standing"})
"""Names of commits that change nothing that a law is about: messages, leases, budgets."""

_DEADLY = {"before:alert": 5, "alert": 5, "before:settle": 5}
"""Commits at which a process dies more often: those between the sender's answer, the record and the wire."""


@dataclass(frozen=True)
class Course:
    """What a voyage is like.

    alerts       how many are sent, within the storm
    storm_s      how long things go wrong
    storm_every_s  mean time between two things that go wrong
    crash_every  mean numbers of commits between two deaths, each seen before and after, housekeeping left out; 0: none;
                 one of them is drawn, since a house that dies often never comes to what it does rarely
    world        where it sails; None: where the seed says
    watched      whether a watcher asks for what is unprotected
    dies         whether the house is stopped and killed at all
    rest_s       how long it may take at most, after the storm, until everything has come to rest
    """

    alerts: int = 14
    storm_s: float = 40.0
    storm_every_s: float = 1.5
    crash_every: tuple[int, ...] = (20, 60, 250)
    world: World | None = None
    dies: bool = True
    watched: bool = False
    rest_s: float = 400.0


@dataclass
class Ended:
    """How a voyage ended. `wrong`: the law that did not hold; None: all did."""

    seed: int
    world: World
    trace: list[str]
    wrong: Wrong | None
    struck: "Counter[str]"
    lives: int
    steps: int
    commits: int

    @property
    def digest(self) -> str:
        """Return what tells two voyages apart: the hash of everything that happened."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    def told(self, lines: int = 40) -> str:
        """Say how to sail it again, what was wrong, and what happened last."""
        again = f"VOYAGE_SEED={self.seed}: .venv/bin/python -m tests.voyage.seeded.voyage {self.seed} --trace"
        return "\n".join([*self.trace[-lines:], f"{self.wrong}", again])


@dataclass
class Voyage:
    """A house at sea. `place` is an empty folder; databases with every table and no row come from the `port`."""

    seed: int
    place: Path
    port: Port
    course: Course = field(default_factory=Course)
    crash_at: int | None = None
    trace: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw what the seed says."""
        self.chance = Chance(self.seed)
        self.world = self.course.world or drawn_world(self.chance)
        self.sea = Sea(self.seed, self.world)
        self.clock = HouseClock(self.sea)
        self.alerts = drawn(
            self.chance, self.course.alerts, self.course.storm_s, self.world.protection, is_spot=self.world.is_spot
        )
        self.laws = Laws(self.sea, self.alerts)
        self.senders = Senders(self.chance, self.sea, self._note)
        self.storms = Storms(self.chance, self.sea, self.clock)
        self.life: Life | None = None
        self.lives = 0
        self.steps = 0
        self.commits = 0
        self._crash_every = self.chance.of("crash").choice(self.course.crash_every)
        self._crash_in = self._next_crash()
        self._depth = 0
        self._weights: dict[str, float] = {}
        self._order = self.chance.of("order")
        self._is_storm = True
        self._is_changed = False

    # ── From port to port ─────────────────────────────────────────────────────────────────────────

    def sail(self) -> Ended:
        """Sail, and return how it ended."""
        wrong = None
        self._note(f"sails at {self.world}")
        with (
            self.port.books(self.world.database, self.place) as self._url,
            no_other_chance(self.chance),
            self._sailing(),
        ):
            try:
                self._set_out()
                self._through_the_storm()
                self._to_rest()
            except Wrong as found:
                wrong = found
                self._note(f"WRONG {found}")
            finally:
                self._lose()
        return Ended(self.seed, self.world, self.trace, wrong, self.storms.struck, self.lives, self.steps, self.commits)

    def _sailing(self) -> AbstractContextManager[None]:
        return afloat(self._at_sea)

    def _at_sea(self) -> Life:
        assert self.life is not None, "a house is open"
        return self.life

    def _note(self, words: str) -> None:
        self.trace.append(f"{self.sea.now():.6f} {'  ' * self._depth}{words}")

    def _set_out(self) -> None:
        """Open the house for the first time, with its account and its hook, in fair weather."""
        self._is_storm = False
        self._open()
        life = self._at_sea()
        self.laws.account = life.new_account()
        self.senders.token, self.senders.secret = life.new_hook(self.laws.account)
        while not life.house.instruments.all(self.world.key):  # whoever adds an account has it examined first
            self._guarded(self._step)
        while self.world.is_shared and not life.has_begun(self.laws.account):  # what was there before is nobody's trade
            self._guarded(self._step)
        self._is_storm = True

    def _through_the_storm(self) -> None:
        weather = self.chance.of("weather")
        next_storm = weather.expovariate(1 / self.course.storm_every_s)
        while self.sea.now() < self.course.storm_s:
            if self.sea.now() >= next_storm:
                next_storm += weather.expovariate(1 / self.course.storm_every_s)
                self._storm(weather.random())
            self._guarded(self._step)

    def _storm(self, what: float) -> None:
        """Let something go wrong: with the house as a whole, now and then, else outside of it."""
        weather = self.chance.of("weather")
        if what < 0.04 and self.course.dies:
            self._note("stopped in order")
            self._guarded(self._stop)
        elif what < 0.10:
            span = weather.choice((1.0, 6.0, 20.0))
            self._note(f"frozen for {span} s")
            self.sea.pass_time(span)
        elif what < 0.14 and self.course.dies:
            self._note("killed")
            self._lose()
        else:
            self._note(self.storms.strike())

    def _to_rest(self) -> None:
        """Let nothing go wrong any more; then let questions go unanswered while positions are held; then rest."""
        self._note("the storm is over")
        self._is_storm = self.senders.is_storm = False
        self.storms.end()
        self.laws.clock_jumped = bool(self.storms.struck["clock"])
        self._until_nothing_moves(2.0)
        ends = self.sea.now() + _SWELL_S
        while self.sea.now() < ends:
            self._note(self.storms.swell())
            until = self.sea.now() + _SWELL_S / 4
            while self.sea.now() < until:
                self._guarded(self._step)
        self.storms.end()
        self._until_nothing_moves(_RESTS_S)
        self.laws.at_rest(self._at_sea())

    def _until_nothing_moves(self, for_s: float) -> None:
        """Go on until nothing has moved for so many seconds."""
        ends, rests_since = self.sea.now() + self.course.rest_s, float("inf")
        while self.sea.now() < rests_since + for_s:
            self._guarded(self._step)
            unrest = self.laws.unrest(self._at_sea()) if self.life is not None else "no house is open"
            if unrest:
                rests_since = float("inf")
                if self.sea.now() > ends:
                    raise Wrong("it comes to rest", unrest)
            elif rests_since == float("inf"):
                rests_since = self.sea.now()

    # ── One step ──────────────────────────────────────────────────────────────────────────────────

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do something that the house may die of; then what is true of the exchange must be true all the same."""
        try:
            work()
        except Crash:
            self._note("DIED")
            self._lose()
        self.laws.after_step(self.life, is_changed=self._is_changed)
        self._is_changed = False

    def _step(self) -> None:
        """Do the next thing: one piece of one thread's work, one delivery, or a moment in which nothing is done."""
        self.steps += 1
        if self.steps > _STEPS_MOST:
            raise Wrong("it comes to rest", f"not within {_STEPS_MOST} steps")
        if self.life is None:
            if self._order.random() < 0.3:
                self.sea.pass_time(self._order.choice((0.05, 1.0, 5.0)))
            self._open()
            return
        if self._deliver():
            return
        hand = self._drawn_hand()
        if hand is None or (self._is_storm and self._order.random() < 0.05):
            self._wait()
        else:
            self._move(hand)

    def _drawn_hand(self) -> Hand | None:
        life, now = self._at_sea(), self.sea.now()
        ready = [hand for hand in life.hands if not hand.is_busy and hand.due() <= now]
        if not ready:
            return None
        return self._order.choices(ready, [self._weights[hand.name] for hand in ready])[0]

    def _wait(self) -> None:
        now = self.sea.now()
        due = min(hand.due() for hand in self._at_sea().hands if not hand.is_busy)
        due = min(due, self.sea.next_at(), *(one.due for one in self.alerts))
        self.sea.pass_time(min(STRIDE_S, max(due - now, 0.001)) if due > now else self._order.uniform(0.001, 0.1))

    def _move(self, hand: Hand) -> None:
        self._note(hand.name)
        self._depth += 1
        try:
            self._at_sea().move(hand)
        finally:
            self._depth -= 1

    def _while_away(self, seconds: float) -> None:
        """Let time pass on the wire; other threads of the house may go on meanwhile."""
        until = self.sea.now() + seconds
        while self._depth < _DEPTH_MOST and self._order.random() < 0.25:
            hand = self._drawn_hand()
            if hand is not None:
                self._move(hand)
            self.sea.pass_time(min(seconds, 0.001))
        if self.sea.now() < until:
            self.sea.pass_time(until - self.sea.now())

    # ── Lives ─────────────────────────────────────────────────────────────────────────────────────

    def _open(self) -> None:
        self.lives += 1
        self._note(f"life {self.lives}")
        life = self.life = Life(
            self.sea,
            self.clock,
            self.place,
            self._url,
            self.lives,
            self.chance.of("noise").randbytes(4),
            self._fuse,
            self._leaves,
            self._came_back,
            self._while_away,
            self._order.random,
            self.course.watched,
        )
        self.sea.pass_time(0.01)
        life.open()
        self._weights = {hand.name: self._order.choice((0.3, 1.0, 3.0)) for hand in life.hands}

    def _lose(self) -> None:
        life, self.life = self.life, None
        if life is None:
            return
        life.die()
        # Nobody sends again for as long as a machine takes to start: of a body without an id, nothing else would tell.
        may_come_again = any(one.attempts and one.may_come_again and b"alert_id" not in one.body for one in self.alerts)
        jumps = self.world.clock_most_s > FIRST.clock_most_s
        if jumps and not may_come_again and self.chance.happens("boots", 0.3):
            self._note("the machine is started anew")
            self.sea.time.boot = f"boot {self.lives}"

    def _stop(self) -> None:
        if self.life is not None:
            self.life.stop()
            self.life = None

    def _next_crash(self) -> float:
        every = self._crash_every
        return 1 + int(self.chance.of("crash").expovariate(1 / every)) if every else float("inf")

    def _fuse(self, name: str) -> None:
        """See a commit, right before and right after; die of it when it is time."""
        self._note(f"commit {name}")
        self.commits += 1
        matters = not _HOUSEKEEPING.issuperset(name.removeprefix("before:").split("+"))
        self._is_changed = self._is_changed or matters
        if not self._is_storm:
            return
        if self.crash_at is not None:
            if self.commits == self.crash_at:
                raise Crash
            return
        self._crash_in -= _DEADLY.get(name, 1) if matters else self.chance.happens("housekeeping", 0.05)
        if self._crash_in <= 0:
            self._crash_in = self._next_crash()
            raise Crash

    # ── The wire ──────────────────────────────────────────────────────────────────────────────────

    def _leaves(self, life: Life, request: Request) -> None:
        named = next((request.params[each] for each in _NAMES if request.params.get(each)), "")
        self._note(f"> {request.method} {request.path} {named}")
        self.laws.leaves(life, request)

    def _came_back(self, request: Request, reply: Reply | None) -> None:
        self._note(f"< {request.path} {reply.status if reply is not None else 'nothing'}")
        self.laws.came_back(request, reply)

    # ── Alerts ────────────────────────────────────────────────────────────────────────────────────

    def _deliver(self) -> bool:
        """Deliver one alert that is due; say whether there was one."""
        due = [one for one in self.alerts if one.due <= self.sea.now()]
        if not due:
            return False
        self.senders.send(self._at_sea(), self._order.choice(due))
        return True


def sail(seed: int, port: Port, course: Course | None = None, crash_at: int | None = None) -> Ended:
    """Sail one seed in an empty folder, the same for all voyages of this process."""
    place = port.folder / "sea"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return Voyage(seed, place, port, course or Course(), crash_at).sail()


def main(arguments: list[str]) -> int:
    """Sail the seeds that are named; returns 1 if a law was broken."""
    seeds = [int(each) for each in arguments if each.isdigit()]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="voyage-") as folder, ExitStack() as stack:
        port = HomePort(Path(folder))
        stack.callback(port.close)
        for seed in seeds:
            ended = sail(seed, port)
            failed += ended.wrong is not None
            if "--trace" in arguments:
                print("\n".join(ended.trace))
            verdict = "all laws hold" if ended.wrong is None else f"WRONG {ended.wrong}"
            sailed = f"{ended.lives} lives, {ended.steps} steps, {ended.digest[:16]}"
            print(f"seed {seed} at {ended.world}: {verdict}; {sailed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
