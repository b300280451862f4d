"""How many of a thing a study may ask for: generous, and far from where a machine's memory ends."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

#: At 10,000 an interval over seeds is a hundredth as wide as these scatter; a date is a larger count.
MOST_SEEDS: Final = 10_000
#: What numpy and torch take as a seed without folding it.
LARGEST_SEED: Final = 2**63 - 1
#: Each arm is a folder, a row of every table and a test to be adjusted for.
MOST_ARMS: Final = 10_000
MOST_SIZES: Final = 1_000
#: Texts: more than any machine's files of them hold.
MOST_TEXTS: Final = 1_000_000_000
#: Points of one arm's grid, each of which trains once with every tuning seed.
MOST_GRID_POINTS: Final = 10_000
#: Runs: each has a folder, a record and a line of `plan`, which hold some kilobytes of memory.
MOST_RUNS: Final = 100_000
#: Passes over the texts, each of which is measured and written to the run's record.
MOST_EPOCHS: Final = 100_000
MOST_STEPS: Final = 1_000_000_000
#: Texts of one step; the largest batches in print are some ten thousand.
MOST_IN_BATCH: Final = 1_000_000
#: Tokens of a text: ten times the longest context that a published model states, ten million.
MOST_TOKENS: Final = 100_000_000
#: Tokens of an answer, which are made one after another.
MOST_NEW_TOKENS: Final = 1_000_000
#: Prompts that are written into a study by hand.
MOST_SAMPLES: Final = 10_000
MOST_WORKERS: Final = 1_024
#: Processes that train one model.
MOST_RANKS: Final = 1_024
MOST_IN_PACK: Final = 10_000
#: Columns and names that a study lists.
MOST_NAMES: Final = 100_000
#: Parts of a division into folds.
MOST_FOLDS: Final = 10_000

Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]


def check_seed_count(count: int) -> int:
    """A count of seeds, which is expanded into as many.

    Raises:
        ValueError: there are none, or more than anybody trains: a date, or a seed that should be a list.
    """
    if count < 1:
        raise ValueError(f"at least 1 seed expected, got {count}")
    if count > MOST_SEEDS:
        shown = str(count) if count <= LARGEST_SEED else "a number of so many digits"
        meant = f"; did you mean the one seed [{count}]?" if count <= LARGEST_SEED else ""
        raise ValueError(f"{shown} is a count of seeds, at most {MOST_SEEDS:,} expected{meant}")
    return count
