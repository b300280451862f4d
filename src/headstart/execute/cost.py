"""How long packs will take, from steps that were timed; and with what certainty. Times nothing itself.

A step's seconds are taken as a + b * tokens, an evaluation's as proportional to its tokens: a by how many
steps there are, b by how long the texts of each are, which the run's own order of batches says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from scipy.optimize import nnls

from headstart.config.expand import Run
from headstart.engine.member import member_turns, turn_tokens
from headstart.execute.probe import Timing, reading_tokens
from headstart.prepared import PreparedStudy as Prepared
from headstart.records import Range
from headstart.training.build import make_context, make_members

#: What a shared machine's speed drifts by within an hour, as a share.
DRIFT = 0.15
#: Models made and loaded when a run ends, for its test and the check of what was saved, in those made at
#: its start.
_ENDS = 2.0


@dataclass(frozen=True)
class Work:
    """What a run will do: steps and their tokens, and tokens read in evaluations, padding included.

    `least` is the share of it that is done at the least, where patience may end it early.
    """

    steps: int
    tokens: int
    reading: int
    least: float = 1.0


@dataclass(frozen=True)
class Rates:
    """Seconds of a run's step beside others in its pack: `a + b * tokens`; of a token read; of a start.

    `spread` is how far the truth may lie from that, as a share.
    """

    a: float
    b: float
    reading: float
    start: float
    spread: float

    def seconds(self, work: Work) -> float:
        """What one run takes, alone or as its share of a pack."""
        steps = self.a * work.steps + self.b * work.tokens
        return steps + self.reading * work.reading + (1 + _ENDS) * self.start


def work_of(run: Run, prepared: Prepared) -> Work:
    """What a run will do, from its texts, its seed and its settings."""
    setting = make_context(prepared.select(run))
    (member,) = make_members([prepared.select(run)])
    turns = [(turn.epoch, turn_tokens(turn, setting)) for turn in member_turns(member, setting)]
    epochs = turns[-1][0]
    read = {part: reading_tokens(setting.parts[part].tokens) for part in {*setting.measured, "test"}}
    each = sum(read[part] for part in setting.measured)
    patience = run.training.patience
    least = 1.0 if patience is None else min(1.0, (1 + patience) / epochs)
    return Work(len(turns), sum(tokens for _, tokens in turns), epochs * each + read["test"], least)


def rates_of(timings: Sequence[Timing], runs: int) -> Rates | None:
    """The rates behind timings of packs of so many runs, from processes that worked at once; None without."""
    steps = [step for timing in timings for step in timing.steps]
    readings = [timing.reading for timing in timings if timing.reading]
    if not steps or not readings:
        return None
    tokens, seconds = np.array(steps, float).T
    seconds = seconds / runs
    (a, b), _ = nnls(np.stack([np.ones_like(tokens), tokens], 1), seconds)
    error = np.std(seconds - a - b * tokens) / np.sqrt(len(steps)) / max(float(np.mean(seconds)), 1e-12)
    reading = sum(span for _, span in readings) / runs / sum(count for count, _ in readings)
    start = float(np.mean([timing.start for timing in timings])) / runs
    return Rates(float(a), float(b), reading, start, float(np.hypot(DRIFT, 2 * error)))


def pack_seconds(runs: Sequence[Run], rates: Rates | None, prepared: Prepared) -> Range | None:
    """What a pack takes from its first step to its records; None where no steps were timed."""
    if rates is None:
        return None
    work = [work_of(run, prepared) for run in runs]
    seconds = [rates.seconds(one) for one in work]
    least = sum(one.least * span for one, span in zip(work, seconds, strict=True))
    return Range(low=least * (1 - rates.spread), high=sum(seconds) * (1 + rates.spread))


def total_seconds(packs: Sequence[Range], workers: int) -> Range:
    """What packs take one after another on so many workers, each handed to the first that is idle."""
    ends = [_makespan([end(pack) for pack in packs], max(1, workers)) for end in (_low, _high)]
    return Range(low=ends[0], high=ends[1])


def _low(one: Range) -> float:
    return one.low


def _high(one: Range) -> float:
    return one.high


def _makespan(spans: Sequence[float], workers: int) -> float:
    free = [0.0] * workers
    for span in spans:
        heappush(free, heappop(free) + span)
    return max(free)
