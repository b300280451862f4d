"""Draws rows spread over a whole source, however it is sorted: a uniform sample in the source's order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from headstart.data.formats import Cells
from headstart.seeds import make_generator

#: Rows that are looked at.
MOST_ROWS: Final = 5000


@dataclass(frozen=True)
class Sample:
    """Rows of a source with `total` rows."""

    rows: tuple[dict[str, Any], ...]
    total: int


def sample_rows(source: Iterable[Cells], most: int = MOST_ROWS) -> Sample:
    """At most `most` rows, each row of the source with the same chance; all of them where there are no more.

    One pass (Li 1994, "Reservoir-sampling algorithms of time complexity O(n(1 + log(N/n)))", algorithm L): a
    file sorted by label shows every label, and rows that come in turns do too.
    """
    rows = enumerate(cells for _, cells in source)
    kept = list(islice(rows, most))
    total = len(kept)
    draws = make_generator(0, "sample")
    skips = _draw_skips(most)
    due = total + next(skips)
    for index, cells in rows:
        total = index + 1
        if index == due:
            kept[int(draws.integers(most))] = index, cells
            due += next(skips) + 1
    return Sample(tuple(cells for _, cells in sorted(kept, key=lambda row: row[0])), total)


def _draw_skips(most: int) -> Iterator[int]:
    """How many rows to pass by before each one that takes another's place."""
    draws = make_generator(0, "sample", "skips")
    weight = 1.0
    while True:
        weight *= math.exp(math.log1p(-draws.random()) / most)
        yield math.floor(math.log1p(-draws.random()) / math.log1p(-weight)) if weight < 1 else 0
