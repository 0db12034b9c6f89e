"""Where to learn and where to be examined: a length of history goes in; pairs of spans come out. Pure.

A span is a pair of row numbers, the first that counts and the first that does not. Whatever is learned in one of them
and tried in the other must not share a single bar, nor a trade that is open over the border: hence purge and embargo.
"""

import itertools
from dataclasses import dataclass
from typing import Final

from pilothouse.core.errors import Invalid, Problem

Span = tuple[int, int]

PARTS_MOST: Final = 16


@dataclass(frozen=True, slots=True)
class Split:
    """One lesson and its examination.

    train   spans to learn in, in order, none of them empty
    test    spans to be examined in, in order
    """

    train: tuple[Span, ...]
    test: tuple[Span, ...]


def walk_forward(
    rows: int, *, train: int, test: int, step: int | None = None, anchored: bool = False, purge: int = 0
) -> list[Split]:
    """Return lessons that walk through history, each examined in what came right after it.

    rows       length of the history, bars
    train      length of a lesson, bars; of the first one, if anchored
    test       length of an examination, bars; the last one may be shorter, but not by more than half
    step       how far the next lesson begins behind; as long as an examination, unless told otherwise
    anchored   every lesson begins with the first bar, so that they grow; else they roll
    purge      bars left out between lesson and examination: as many as a trade or a warm-up may span

    Raises Invalid that names every number that does not fit.
    """
    step = test if step is None else step
    wrong = [
        Problem(name, str(value), f"{least} or more", "out_of_range")
        for name, value, least in (("train", train, 2), ("test", test, 1), ("step", step, 1), ("purge", purge, 0))
        if value < least
    ]
    if not wrong and train + purge + (test + 1) // 2 > rows:
        wrong = [Problem("train", f"{train} + {purge} + {test} bars", f"at most the {rows} that there are", "too_long")]
    if wrong:
        raise Invalid(wrong)
    found: list[Split] = []
    for shift in itertools.count(0, step):
        begins = train + shift + purge
        ends = min(begins + test, rows)
        if 2 * (ends - begins) < test:
            return found
        first = 0 if anchored else shift
        found.append(Split(((first, train + shift),), ((begins, ends),)))
    return found


def folds(rows: int, parts: int, *, purge: int = 0, embargo: int = 0) -> list[Split]:
    """Return as many lessons as there are parts, each examined in one part and taught by all others.

    rows      length of the history, bars
    parts     2 to 16, as equal as can be
    purge     bars left out on both sides of an examination
    embargo   bars left out behind an examination besides, because what happened there lingers

    Raises Invalid. Source: M. López de Prado, Advances in Financial Machine Learning, 2018, chapter 7.
    """
    _check_parts(rows, parts, purge, embargo)
    return [_around(rows, [part], purge, embargo) for part in _cut(rows, parts)]


def combinations(rows: int, parts: int, tested: int, *, purge: int = 0, embargo: int = 0) -> list[Split]:
    """Return a lesson for every choice of `tested` parts out of `parts`, examined in the chosen ones.

    rows, parts, purge, embargo   as in `folds`
    tested                        1 up to parts - 1

    Raises Invalid. Source: as `folds`, chapter 12 (combinatorial purged cross-validation).
    """
    _check_parts(rows, parts, purge, embargo)
    if not 1 <= tested < parts:
        raise Invalid([Problem("tested", str(tested), f"1 to {parts - 1}", "out_of_range")])
    cut = _cut(rows, parts)
    return [_around(rows, list(chosen), purge, embargo) for chosen in itertools.combinations(cut, tested)]


def _check_parts(rows: int, parts: int, purge: int, embargo: int) -> None:
    problems = []
    if not 2 <= parts <= PARTS_MOST:
        problems.append(Problem("parts", str(parts), f"2 to {PARTS_MOST}", "out_of_range"))
    elif rows < 2 * parts:
        problems.append(Problem("rows", str(rows), f"{2 * parts} bars or more for {parts} parts", "too_few"))
    problems += [
        Problem(name, str(value), "0 or more", "out_of_range")
        for name, value in (("purge", purge), ("embargo", embargo))
        if value < 0
    ]
    if problems:
        raise Invalid(problems)


def _cut(rows: int, parts: int) -> list[Span]:
    edges = [rows * number // parts for number in range(parts + 1)]
    return list(itertools.pairwise(edges))


def _around(rows: int, tested: list[Span], purge: int, embargo: int) -> Split:
    """Return the lesson that is left when examinations and their surroundings are taken away."""
    train: list[Span] = []
    begins = 0
    for first, end in tested:
        if first - purge > begins:
            train.append((begins, first - purge))
        begins = max(begins, end + purge + embargo)
    if begins < rows:
        train.append((begins, rows))
    joined: list[Span] = []
    for first, end in tested:
        if joined and joined[-1][1] == first:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((first, end))
    return Split(tuple(train), tuple(joined))
