"""What every peer is handed is what our own engine decides by: the same crossings, in columns and in turns."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pilothouse.strategies.indicators.averages import sma as our_sma
from pilothouse.strategies.sdk import crossings as our_crossings
from tests.peers import frame
from tests.peers.__main__ import SCRIPTS, _told, main
from tests.peers.environments import ROOT, pins
from tests.peers.frame import FAST, SLOW, Averages, Came, Market, crossings, lots_wanted, sma


def coarse(seed: int) -> frame.Floats:
    """Return closes of few different prices, so that averages often are equal, of which floats hold few exactly."""
    return 655.0 + np.cumsum(np.random.default_rng(seed).integers(-2, 3, 4_000)) / 100.0


@pytest.mark.parametrize("seed", range(3))
def test_peers_are_handed_our_own_crossings(seed: int) -> None:
    """Averages in floats that are off by a hair cross a bar early; then engines would differ that do not."""
    close = coarse(seed)
    above, below = crossings(sma(close, FAST), sma(close, SLOW))
    averages = Averages()
    turns = np.array([averages.turn(each) for each in close])
    ticks = np.rint(close * 100)
    ours = our_crossings(our_sma(ticks, FAST), our_sma(ticks, SLOW))

    assert above.sum() > 20
    for mine, theirs, sign in ((above, ours[0], 1), (below, ours[1], -1)):
        np.testing.assert_array_equal(np.flatnonzero(mine), np.flatnonzero(theirs))
        np.testing.assert_array_equal(mine, turns == sign)


def test_a_size_leaves_room_for_its_fee() -> None:
    """An account that has a tenth left cannot spend all of it and pay for that, too."""
    assert lots_wanted(10_000.0, 1_000.0, 100.0) == 9_996
    assert lots_wanted(10_000.0, 5_000.0, 100.0) == 10_000
    assert lots_wanted(10_000.0, 0.05, 100.0) == 0


def test_a_peer_that_says_two_things_has_failed(tmp_path: Path) -> None:
    """Only what is the same each time can be compared with anything."""
    ticks = np.full(3, 100, np.int64)
    np.savez(tmp_path / "year.npz", opened_ms=np.arange(3) * 60_000, open=ticks, high=ticks, low=ticks, close=ticks)
    said = itertools.count()

    def ready(market: Market, deadline: float) -> frame.Run:
        return lambda: Came(next(said), float(market.close[0]), "nothing")

    assert "differ" in frame.measured("flip", {"flip": ready}, tmp_path, "pytest", 1.0)["failed"]


def test_a_peer_that_breaks_is_told_with_its_own_last_words(tmp_path: Path) -> None:
    """A table with a hole in it says nothing about why."""
    told = _told(Path(sys.executable), "by_nobody", "flip", tmp_path / "data", 20.0)

    assert told == {"failed": "ModuleNotFoundError: No module named 'tests.peers.by_nobody'"}


def test_a_peer_reaches_nothing_outside_of_this_machine() -> None:
    """One that asks its exchange before a backtest would measure the network, and tell others what is run here."""
    tries = "from tests.peers.start import stay_here; stay_here(); import sys; "
    for event, reached in (("socket.connect", "None, ('192.0.2.1', 443)"), ("socket.getaddrinfo", "'a.invalid', 443")):
        done = [
            subprocess.run(
                [sys.executable, "-c", f"{tries} sys.audit('{event}', {address})"],
                capture_output=True, text=True, check=False, cwd=ROOT,
            )
            for address in (reached, reached.replace("192.0.2.1", "127.0.0.1").replace("a.invalid", "localhost"))
        ]  # fmt: skip
        assert "outside of this machine" in done[0].stderr
        assert done[1].returncode == 0, done[1].stderr


@pytest.mark.parametrize("peer", SCRIPTS)
def test_all_that_is_installed_for_a_peer_is_known_by_its_hash(peer: str) -> None:
    """Half of it is other people's, and all of it runs on this machine."""
    text = pins(peer).read_text("ascii").replace("\\\n", " ")
    lines = [each for each in text.splitlines() if each and not each.startswith("#")]

    assert any(line.startswith(f"{peer.replace('_', '-')}==") for line in lines)
    assert [line for line in lines if "--hash=sha256:" not in line] == []


def test_a_peer_that_goes_on_for_ever_is_ended(tmp_path: Path) -> None:
    """It would hold up all the others, and go on when nobody looks any more."""
    stubborn = tmp_path / "python"
    stubborn.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n", "ascii")
    stubborn.chmod(0o755)

    assert "stopped after" in _told(stubborn, "by_nobody", "flip", tmp_path / "data", 0.5)["unfinished"]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [("PEERS", "vectorbtt", "known are raptorbt"), ("ROWS", "flop", "known are flip"), ("EACH_S", "soon", "from 1 to")],
)
def test_a_misspelt_wish_is_refused_before_anything_runs(
    variable: str, value: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an hour later is a bad time to learn that a name was wrong."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit, match=f"{variable}.*{word}"):
        main()
