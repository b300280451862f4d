"""Which pack of a queue a worker tries next, which leases it keeps an eye on, and when it looks again.

Pure: it knows no files and no clock, so that `benchmarks/cluster.py` simulates a thousand workers with it.
Packs are numbers, in the queue's order, the longest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

#: Packs among which a worker draws where it knows of no others at work, and the most by which failed tries
#: double that.
FIRST_ONES: Final = 4
_MOST_DOUBLINGS: Final = 10
#: Tries in a row at which others were faster, after which the folder is looked at again.
MOST_TRIES: Final = 4
#: Leases of others that a worker compares with what it read of them before, each time that it looks.
WATCHED: Final = 4
#: Seconds between two looks where all is taken: the first wait and the longest.
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 30.0


def choose_next(waiting: Sequence[int], taken: int, draw: Random, *, failures: int = 0) -> int | None:
    """The pack to try: one of the first that wait, at random, so that many workers do not all ask for one.

    Among as many as others are known to hold, and twice as many with each try that failed.

    Args:
        waiting: those not known to be taken or ended, in order.
        taken: how many others are known to hold.
        failures: tries in a row at which another was faster.
    """
    if not waiting:
        return None
    first = max(FIRST_ONES, taken) << min(failures, _MOST_DOUBLINGS)
    return waiting[draw.randrange(min(first, len(waiting)))]


def choose_watched(
    held: Sequence[int], watched: Sequence[int], draw: Random, *, most: int = WATCHED
) -> list[int]:
    """The packs whose leases are read at this look: those watched that are still held, and others at random.

    A lease that nobody renews is known only to one who read it twice: so the same ones are kept.
    """
    there = set(held)
    kept = [pack for pack in watched if pack in there][:most]
    others = [pack for pack in held if pack not in set(kept)]
    return [*kept, *draw.sample(others, min(most - len(kept), len(others)))]


def choose_wait(looks: int, draw: Random) -> float:
    """Seconds until the next look, after so many in a row at which nothing was there to take."""
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(looks, _MOST_DOUBLINGS))
    return draw.uniform(longest / 2, longest)
