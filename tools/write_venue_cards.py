"""Write the pages of the venue cards from the tests themselves: tests/cards/README.md and docs/operate/venues.md.

    python -m tools.write_venue_cards            writes the pages
    python -m tools.write_venue_cards --check    exits 1 if they are not what it would write

Which adapter takes which card is what the tests do; why one is let off is what its Card says.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.cards.adapters import EXEMPT, STANDS, card_of
from tests.cards.numbering import GROUPS, Number, all_numbers, all_taped

ROOT = Path(__file__).resolve().parent.parent

_README = """\
# Venue cards

<!-- Written by tools/write_venue_cards.py from the tests; do not edit it here. -->

What every adapter must do, once and for all of them. Each card is one test, taken by each adapter in
[adapters.py](adapters.py) on a stand of its own: the adapter, the venue behind it, a market that the card moves, and a
truth that never comes from the adapter.

- A number stays for ever. A card that is no longer asked leaves its number behind, and no other takes it.
- An adapter is let off a card only by a capability of its own Card that is exempt or to do, and says why.
- An exchange that cannot be simulated here shows what recorded answers can show: the tests in
  `tests/slices/venues/ccxt/test_replayed_*.py` that are marked `taped` with the numbers of the cards
  (`pytest -m taped`). None of their answers is typed by hand.
- A new adapter gets a stand (`*_stand.py`) and a line in `adapters.py`; it takes every card it is not let off.
- `python -m tools.write_venue_cards` writes this page and [docs/operate/venues.md](../../docs/operate/venues.md).
"""

_OPERATE = """\
# What is proved of each venue

<!-- Written by tools/write_venue_cards.py from the tests; do not edit it here. -->

Every adapter takes the same numbered cards: paper on its own made-up market, the others on the simulated exchange,
which shares no line of wire code with them, with faults on the wire and its own books as the truth. **yes**: the card
is a test that this version passes. A number in brackets: the adapter is let off, and the reason stands below, as it
stands on the adapter's card. `binance` is Binance spot; `paper-aster` is paper money on the prices of `aster`.

The exchanges to the right of these are not simulated here. **tape**: what an answer can show of the card, its reading,
is shown by answers that somebody else recorded or published (`tests/fixtures/tapes`); there, nothing moves and nothing
goes wrong. A dash: not replayed.

A simulated exchange is what its venue is said to do. What a venue really does is known on the venue alone: begin with
little money.
"""


def readme() -> str:
    """Return the page for who writes adapters."""
    parts = [_README]
    for title, numbers in _groups():
        rows = [f"| {each.number} | {each.words} | `{each.test.partition('::')[0]}` |" for each in numbers]
        parts += [f"## {title}", "", "| card | | test |", "| --- | --- | --- |", *rows, ""]
    return "\n".join(parts)


def operate() -> str:
    """Return the page for who trades."""
    adapters, taped = list(STANDS), all_taped()
    exchanges = list(dict.fromkeys(each.exchange for each in taped))
    on_tape = {(each.exchange, number) for each in taped for number in each.numbers}
    notes = list(dict.fromkeys((adapter, name) for adapter in adapters for name in EXEMPT.get(adapter, {}).values()))

    def cell(adapter: str, number: str) -> str:
        name = EXEMPT.get(adapter, {}).get(number)
        return "yes" if name is None else f"({notes.index((adapter, name)) + 1})"

    parts = [_OPERATE]
    for title, numbers in _groups():
        columns = [*adapters, *exchanges]
        parts += [f"## {title}", "", f"| card | | {' | '.join(columns)} |", f"| --- | --- |{' --- |' * len(columns)}"]
        for each in numbers:
            cells = [cell(adapter, each.number) for adapter in adapters]
            cells += ["tape" if (exchange, each.number) in on_tape else "–" for exchange in exchanges]
            parts.append(f"| {each.number} | {each.words} | {' | '.join(cells)} |")
        parts.append("")
    parts += ["## Why a card is not taken", ""]
    for place, (adapter, name) in enumerate(notes, start=1):
        capability = next(each for each in card_of(adapter).capabilities if each.name == name)
        parts.append(f"{place}. {adapter}, {name} ({capability.state}): {capability.reason}")
    return "\n".join([*parts, ""])


PAGES = {ROOT / "tests" / "cards" / "README.md": readme, ROOT / "docs" / "operate" / "venues.md": operate}
"""Page -> what returns it as it has to be."""


def _groups() -> Iterator[tuple[str, list[Number]]]:
    found = all_numbers()
    for start, title in GROUPS.items():
        yield title, [each for each in found if each.number.startswith(start)]


def main() -> int:
    """Write the pages, or compare them."""
    stale = [page for page, text in PAGES.items() if not page.exists() or page.read_text(encoding="utf-8") != text()]
    if "--check" in sys.argv[1:]:
        for page in stale:
            print(f"{page} is out of date: run python -m tools.write_venue_cards", file=sys.stderr)
        return 1 if stale else 0
    for page in stale:
        page.write_text(PAGES[page](), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
