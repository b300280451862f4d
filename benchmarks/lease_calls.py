"""Counts what the leases of a queue ask of a folder: real leases of empty packs, by several processes."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from headstart.errors import OutputError
from headstart.store.lease import hold_lease
from headstart.store.taking import choose_next

#: Python's audit events that are operations on a folder, each about one call on a shared one.
EVENTS = ("open", "os.listdir", "os.scandir", "os.link", "os.remove", "os.rename", "os.chmod", "os.mkdir")


def take_all(
    folder: str, packs: int, seed: int, flat: bool, results: multiprocessing.SimpleQueue[Any]
) -> None:
    """Take every pack, mark it as ended if none did, and send what that cost."""
    counts: Counter[str] = Counter()
    root = Path(folder)

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event in EVENTS and str(folder) in str(arguments[0]):
            counts[event] += 1

    sys.addaudithook(note)
    draw, failures, taken = Random(seed), 0, 0
    waiting = list(range(packs))
    while (pack := choose_next(waiting, 0, draw, failures=failures)) is not None:
        where, mark = (root if flat else root / str(pack)), root / "ended" / str(pack)
        try:
            with hold_lease(where, f"pack-{pack}", thing=where, fix="take another"):
                if not mark.exists():
                    mark.touch()
                    taken += 1
            failures = 0
        except OutputError:
            failures += 1
        waiting.remove(pack)
    results.put((dict(counts), taken, packs))


def measure(folder: Path, packs: int, workers: int, *, flat: bool) -> dict[str, float]:
    """Operations, seconds and wasted tries a pack, where so many processes take so many empty packs.

    A pack that another has ended is taken once more in vain by each: no marks are listed here.
    """
    (folder / "ended").mkdir(parents=True)
    results: multiprocessing.SimpleQueue[Any] = multiprocessing.SimpleQueue()
    began = time.monotonic()
    processes = [
        multiprocessing.Process(target=take_all, args=(str(folder), packs, seed, flat, results))
        for seed in range(workers)
    ]
    for process in processes:
        process.start()
    found = [results.get() for _ in processes]
    for process in processes:
        process.join()
    total = sum(sum(counts.values()) for counts, _, _ in found)
    tries = sum(tried for _, _, tried in found)
    return {
        "packs": packs,
        "workers": workers,
        "calls a try": total / tries,
        "taken": sum(taken for _, taken, _ in found),
        "ms a try": 1e3 * (time.monotonic() - began) * workers / tries,
    }


def main() -> None:
    """Measure with leases beside each other, and each in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packs", type=int, default=1000)
    parser.add_argument("--workers", default="1,2,4,16")
    arguments = parser.parse_args()
    for flat in (False, True):
        for workers in map(int, arguments.workers.split(",")):
            with tempfile.TemporaryDirectory() as name:
                found = measure(Path(name) / "queue", arguments.packs, workers, flat=flat)
            shown = "  ".join(f"{key}: {value:.4g}" for key, value in found.items())
            print("flat" if flat else "folders", shown, sep="  ", flush=True)


if __name__ == "__main__":
    main()
