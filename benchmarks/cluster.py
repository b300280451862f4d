"""Simulates workers that take packs of a study from a shared folder by leases: how long, and what stops it.

Nothing is measured: which pack a worker tries, which leases it watches and how long it waits are Headstart's
own functions (`store.taking`), its constants those of `store.lease`; the folder, packs and losses are drawn.
"""

from __future__ import annotations

import argparse
import heapq
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np

from headstart.planning.time_left import find_makespan
from headstart.store.lease import BEAT_SECONDS, STALE_SECONDS
from headstart.store.taking import MOST_TRIES, choose_next, choose_wait, choose_watched

Layout = Literal["flat", "folders", "shards"]
#: Packs of a folder of the layout `shards`.
SHARD = 100
WAITING, TAKEN, ENDED = 0, 1, 2


@dataclass(frozen=True)
class Folder:
    """A shared folder: seconds of an operation, how many it serves a second, names that it lists a second,
    and for how long a listing may be old.

    `layout` says where leases lie: `flat`, all beside each other, so that each step of a lease lists all;
    `folders`, each pack's in one of its own, with the marks of all packs in one; or `shards`, a hundred packs
    in each folder, with their leases and marks. `take`, `give_back`, `beat` and `fail` are operations and
    listings of a lease taken, given back (with the mark that the pack has ended), renewed and tried in vain:
    calls in `store.lease`, whose sum for a pack, 12, `lease_calls.py` counts.
    """

    latency: float = 0.005
    rate: float = 5000.0
    names: float = 500_000.0
    stale: float = 5.0
    layout: Layout = "folders"
    take: tuple[int, int] = (8, 3)
    give_back: tuple[int, int] = (4, 1)
    beat: tuple[int, int] = (3, 1)
    fail: tuple[int, int] = (3, 1)


@dataclass(frozen=True)
class Setting:
    """Packs, workers, how many hours a worker lives on average, seconds until another is in its place, and
    seconds between two training states."""

    packs: int = 10_000
    workers: int = 100
    life_hours: float = 24.0
    restart: float = 300.0
    state: float = 60.0
    seed: int = 0
    folder: Folder = field(default_factory=Folder)


@dataclass
class Outcome:
    """What came of it. `again` are packs begun anew whose holder had died, `twice` those that two trained."""

    makespan: float = 0.0
    operations: int = 0
    tries: int = 0
    failed: int = 0
    looks: int = 0
    again: int = 0
    twice: int = 0
    busiest: float = 0.0


def draw_seconds(packs: int, seed: int) -> np.ndarray:
    """What packs take, the one expected to be longest first: ten minutes on average, and one of a hundred
    takes much longer than expected (a Pareto tail, at most twenty times)."""
    rng = np.random.default_rng(seed)
    expected = np.sort(rng.lognormal(np.log(600) - 0.5, 1.0, packs))[::-1]
    drift = rng.lognormal(0.0, 0.15, packs)
    late = np.where(rng.random(packs) < 0.01, np.minimum(20.0, 1 + rng.pareto(1.5, packs)), 1.0)
    return np.asarray(expected * drift * late)


def find_bound(seconds: Sequence[float] | np.ndarray, workers: int) -> float:
    """What no schedule beats."""
    return max(float(np.sum(seconds)) / workers, float(np.max(seconds)))


class Server:
    """Serves operations in turn, beside the renewals of all who hold a lease."""

    def __init__(self, folder: Folder, packs: int) -> None:
        self._folder, self._free_at = folder, 0.0
        self._listed = {"flat": 2 * packs, "folders": 3, "shards": 2 * SHARD}[folder.layout]
        self.holders, self.operations, self.busiest = 0, 0, 0.0

    def price(self, cost: tuple[int, int]) -> float:
        """Seconds of its time that operations take, so many of them listings of a lease's folder."""
        operations, listings = cost
        return operations / self._folder.rate + listings * self._listed / self._folder.names

    @property
    def load(self) -> float:
        """The share of its time that renewals take; more than one where they wait for each other."""
        return self.holders * self.price(self._folder.beat) / BEAT_SECONDS

    @property
    def beat_seconds(self) -> float:
        """How long after one another a holder's renewals are seen."""
        return BEAT_SECONDS * max(1.0, self.load)

    def serve(self, now: float, cost: tuple[int, int], names: int = 0) -> float:
        """When it has been served, who asks now."""
        load = self.load
        self.busiest = max(self.busiest, load)
        own = self.price(cost) + names / self._folder.names
        slowed = own / (1 - load) if load < 0.9 else own * 10 * max(1.0, load / 0.9)
        self._free_at = max(now, self._free_at) + slowed
        self.operations += cost[0]
        return self._free_at + self._folder.latency * cost[0]


class Cluster:
    """One study on one shared folder, from the first look to the last pack's end."""

    def __init__(self, setting: Setting, seconds: np.ndarray) -> None:
        self._setting, self._left = setting, seconds.astype(float).copy()
        self._draw, self._server = Random(setting.seed), Server(setting.folder, setting.packs)
        self._state = np.zeros(setting.packs, np.int8)
        self._before, self._changed = self._state.copy(), np.full(setting.packs, -np.inf)
        self._holder = np.full(setting.packs, -1)
        self._turn = np.zeros(setting.packs, int)
        self._started = np.zeros(setting.packs)
        self._died = np.full(setting.packs, np.inf)
        self._watched: list[dict[int, tuple[tuple[int, int], float]]] = [{} for _ in range(setting.workers)]
        self._idle = [0] * setting.workers
        self._shards = -(-setting.packs // SHARD) if setting.folder.layout == "shards" else 1
        self._open = [list(range(self._shards)) for _ in range(setting.workers)]
        self._over: list[set[int]] = [set() for _ in range(setting.workers)]
        self._events: list[tuple[float, int, str, int, int, int]] = []
        self._count, self._ended, self.out = 0, 0, Outcome()

    def run(self) -> Outcome:
        """Let it go on until all packs have ended."""
        for worker in range(self._setting.workers):
            self._push(0.0, "look", worker)
        while self._ended < self._setting.packs:
            now, _, what, worker, pack, turn = heapq.heappop(self._events)
            if what == "look":
                self._look(now, worker)
            elif what == "end":
                self._end(now, worker, pack, turn)
            else:
                self._die(now, worker, pack, turn)
            self.out.makespan = now
        self.out.operations, self.out.busiest = self._server.operations, self._server.busiest
        return self.out

    def _push(self, at: float, what: str, worker: int, pack: int = -1, turn: int = 0) -> None:
        self._count += 1
        heapq.heappush(self._events, (at, self._count, what, worker, pack, turn))

    def _set(self, now: float, pack: int, state: int) -> None:
        self._before[pack], self._changed[pack], self._state[pack] = self._state[pack], now, state

    def _look(self, now: float, worker: int) -> None:
        """List the marks of some folders, and take a pack that is over or waits; else wait."""
        self.out.looks += 1
        shards = self._open[worker]
        for passed in range(MOST_TRIES):
            shard = choose_next(shards, 0, self._draw, failures=passed)
            if shard is None:
                break
            has_taken, is_open, now = self._look_into(now, worker, shard)
            if has_taken:
                return
            if not is_open:
                shards.remove(shard)
        if not shards:  # nothing waits anywhere: those not ended are looked at again later
            self._open[worker] = [shard for shard in range(self._shards) if shard not in self._over[worker]]
            self._idle[worker] += 1
        self._push(now + choose_wait(self._idle[worker], self._draw), "look", worker)

    def _look_into(self, now: float, worker: int, shard: int) -> tuple[bool, bool, float]:
        """Whether a pack of this folder was taken, whether others wait there, and when that is known."""
        size = self._setting.packs if self._shards == 1 else SHARD
        first, last = shard * size, min((shard + 1) * size, self._setting.packs)
        seen_at = now - self._draw.uniform(0, self._setting.folder.stale)
        part = slice(first, last)
        view = np.where(self._changed[part] > seen_at, self._before[part], self._state[part])
        now = self._server.serve(now, (1, 0), names=2 * (last - first))
        if (view == ENDED).all():
            self._over[worker].add(shard)
            return False, False, now
        held = (first + np.flatnonzero(view == TAKEN)).tolist()
        over, now = self._read_watched(now, worker, held)
        if over is not None and self._try(now, worker, over):
            return True, True, now
        waiting = (first + np.flatnonzero(view == WAITING)).tolist()
        for failures in range(MOST_TRIES):
            pack = choose_next(waiting, len(held), self._draw, failures=failures)
            if pack is None:
                break
            if self._try(now, worker, pack):
                return True, True, now
            now = self._server.serve(now, self._setting.folder.fail)
            self.out.failed += 1
            waiting.remove(pack)
        return False, bool(waiting), now

    def _read_watched(self, now: float, worker: int, held: list[int]) -> tuple[int | None, float]:
        """A pack whose lease nobody has renewed for so long that its holder counts as ended, if any."""
        known = self._watched[worker]
        chosen = choose_watched(held, [pack for pack in known if pack in held], self._draw)
        now = self._server.serve(now, (len(chosen), 0)) if chosen else now
        over = None
        for pack in chosen:
            content = (int(self._turn[pack]), self._count_beats(pack, now))
            if pack not in known or known[pack][0] != content:
                known[pack] = (content, now)
            elif now - known[pack][1] > STALE_SECONDS and self._state[pack] == TAKEN:
                over = pack
        if self._shards == 1 or len(known) > 4 * len(chosen):
            self._watched[worker] = {pack: known[pack] for pack in chosen}
        return over, now

    def _count_beats(self, pack: int, now: float) -> int:
        until = min(now, self._died[pack])
        return int((until - self._started[pack]) / self._server.beat_seconds)

    def _try(self, now: float, worker: int, pack: int) -> bool:
        """Take a pack's lease, if it is free or its holder counts as ended."""
        self.out.tries += 1
        is_over = self._state[pack] == TAKEN and pack in self._watched[worker]
        if self._state[pack] == ENDED or (self._state[pack] == TAKEN and not is_over):
            return False
        if is_over:
            is_dead = np.isfinite(self._died[pack])
            self.out.again += bool(is_dead)
            self.out.twice += not is_dead
            self._server.holders -= not is_dead
        now = self._server.serve(now, self._setting.folder.take)
        self._idle[worker] = 0
        self._turn[pack] += 1
        self._started[pack], self._died[pack], self._holder[pack] = now, np.inf, worker
        self._set(now, pack, TAKEN)
        self._server.holders += 1
        life = self._draw.expovariate(1 / (3600 * self._setting.life_hours))
        what, at = ("die", life) if life < self._left[pack] else ("end", self._left[pack])
        self._push(now + at, what, worker, pack, int(self._turn[pack]))
        return True

    def _end(self, now: float, worker: int, pack: int, turn: int) -> None:
        if self._turn[pack] == turn:  # else another has it, and the fence kept this one from writing
            now = self._server.serve(now, self._setting.folder.give_back)
            self._server.holders -= 1
            self._set(now, pack, ENDED)
            self._ended += 1
        self._push(now, "look", worker)

    def _die(self, now: float, worker: int, pack: int, turn: int) -> None:
        if self._turn[pack] == turn:
            self._died[pack] = now
            self._server.holders -= 1
            step = self._setting.state
            self._left[pack] -= step * int((now - self._started[pack]) / step)
        self._watched[worker] = {}
        self._push(now + self._setting.restart, "look", worker)


def simulate(setting: Setting) -> dict[str, Any]:
    """One row: what so many workers take beside the bound, and what they ask of the folder."""
    seconds = draw_seconds(setting.packs, setting.seed)
    outcome, bound = Cluster(setting, seconds).run(), find_bound(seconds, setting.workers)
    return asdict(outcome) | {
        "workers": setting.workers,
        "layout": setting.folder.layout,
        "rate": setting.folder.rate,
        "bound": bound,
        "ideal": find_makespan([], seconds.tolist(), setting.workers) / bound,
        "ratio": outcome.makespan / bound,
        "operations a pack": outcome.operations / setting.packs,
        "operations a second": outcome.operations / outcome.makespan,
    }


def render(rows: Sequence[dict[str, Any]]) -> str:
    """One line for each row."""
    names = "layout,rate,workers,bound h,no leases,ratio,ops/pack,ops/s,failed/pack,again,twice,renewals"
    head = names.split(",")
    lines = ["".join(f"{name:>12}" for name in head)]
    for row in rows:
        packs = row["operations"] / row["operations a pack"]
        cells = (
            row["layout"],
            f"{row['rate']:.0f}",
            str(row["workers"]),
            f"{row['bound'] / 3600:.2f}",
            f"{row['ideal']:.3f}",
            f"{row['ratio']:.3f}",
            f"{row['operations a pack']:.1f}",
            f"{row['operations a second']:.0f}",
            f"{row['failed'] / packs:.2f}",
            str(row["again"]),
            str(row["twice"]),
            f"{row['busiest']:.1%}",
        )
        lines.append("".join(f"{cell:>12}" for cell in cells))
    return "\n".join(lines)


def main() -> None:
    """Simulate each number of workers on each folder, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packs", type=int, default=10_000)
    parser.add_argument("--workers", default="1,10,100,300,1000")
    parser.add_argument("--layouts", default="shards,folders,flat")
    parser.add_argument("--rates", default="5000", help="operations a second that the folder serves")
    parser.add_argument("--life", type=float, default=24.0, help="hours that a worker lives on average")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for layout in arguments.layouts.split(","):
        for rate in map(float, arguments.rates.split(",")):
            folder = Folder(rate=rate, names=100 * rate, layout=layout)
            for workers in map(int, arguments.workers.split(",")):
                setting = Setting(
                    arguments.packs, workers, arguments.life, seed=arguments.seed, folder=folder
                )
                rows.append(simulate(setting))
                print("\n".join(render(rows).splitlines()[0 if len(rows) == 1 else -1 :]), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
