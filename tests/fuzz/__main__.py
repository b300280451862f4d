"""Runs every fuzzer for some minutes of CPU time, each in its own process, and says what they found.

    python tests/fuzz                                      # all; HEADSTART_FUZZ_MINUTES each, 10 by default
    python tests/fuzz tests/fuzz/test_readers.py -k deep   # some, as pytest is told

An example that takes more than 2 GiB, or does not end, is a fault; a process beyond its limits is ended. On a
machine that others use a fuzzer may take many times as long: it is CPU time that has a limit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

FOLDER: Final = Path(__file__).parent
#: Of a process: its own limits hold each example to 2 GiB over its start, which is some hundred MiB.
MOST_MEMORY: Final = 3 << 30
#: Of its start: torch, transformers and the tests themselves.
FIRST_SECONDS: Final = 60
#: CPU time that a process may take for each second that it was given: its last examples go on beyond them.
PATIENCE: Final = 8
#: A process that gets less than a second of CPU time in so many seconds waits for something.
STUCK_SECONDS: Final = 1200


@dataclass(frozen=True)
class Outcome:
    """What one fuzzer did: examples, faults, growth in bytes, and why it was ended if it was."""

    name: str
    examples: int
    refused: int
    growth: int
    fault: str
    log: Path


def list_fuzzers(words: list[str]) -> Iterator[str]:
    """Every fuzzer as pytest names it, or those that `words` select."""
    names_files = any(Path(word.partition("::")[0]).exists() for word in words)
    places = [] if names_files else [str(FOLDER)]
    command = [sys.executable, "-m", "pytest", *places, "--collect-only", *words]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    yield from (line for line in listed.stdout.splitlines() if "::" in line)


def run_fuzzer(name: str, seconds: float, into: Path) -> Outcome:
    """Run one for so many CPU seconds."""
    place = into / name.rpartition("/")[2].replace("::", ".")
    log, tally, note = (place.with_name(f"{place.name}.{kind}") for kind in ("log", "tally", "note"))
    values = {"HEADSTART_FUZZ_SECONDS": str(seconds), "HEADSTART_FUZZ_TALLY": str(tally)}
    env = os.environ | values | {"HEADSTART_FUZZ_NOTE": str(note), "OMP_NUM_THREADS": "1"}
    with log.open("wb") as stream:
        command = [sys.executable, "-m", "pytest", name, "-q", "-p", "no:cacheprovider", "--tb=short"]
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=env)
        ended = watch(process, PATIENCE * seconds + FIRST_SECONDS)
    figures = json.loads(tally.read_text(encoding="utf-8")) if tally.is_file() else {}
    fault = ended or describe_fault(process.returncode, log)
    if note.is_file():
        fault += f"; it ended with {note}"
    return Outcome(
        name.rpartition("/")[2],
        figures.get("examples", 0),
        figures.get("refused", 0),
        figures.get("largest_growth", 0),
        fault,
        log,
    )


def watch(process: subprocess.Popen[bytes], most_seconds: float) -> str:
    """Wait for a process; why it was ended, if it was: it grew too much, computed for too long, or waited."""
    spent, seen = 0.0, time.monotonic()
    while process.poll() is None:
        time.sleep(0.25)
        memory, used = read_usage(process)
        if used >= spent + 1:
            spent, seen = used, time.monotonic()
        fault = f"ended at {memory >> 20} MiB" if memory > MOST_MEMORY else ""
        if used > most_seconds or time.monotonic() > seen + STUCK_SECONDS:
            fault = fault or f"did not end, after {used:.0f} s of CPU time"
        if fault:
            process.kill()
            process.wait()
            return fault
    return ""


def read_usage(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Memory in bytes, and CPU seconds so far; none of a process that has just ended."""
    with suppress(psutil.NoSuchProcess):
        one = psutil.Process(process.pid)
        times = one.cpu_times()
        return one.memory_info().rss, times.user + times.system
    return 0, 0.0


def describe_fault(code: int, log: Path) -> str:
    """The last line of a log, of a fuzzer that found something."""
    if code == 0:
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"exit code {code}: {lines[-1] if lines else ''}"


def main(words: list[str]) -> int:
    """Run them one after the other, and print a table."""
    seconds = 60 * float(os.environ.get("HEADSTART_FUZZ_MINUTES", "10"))
    into = Path(tempfile.mkdtemp(prefix="headstart-fuzz-"))
    outcomes = []
    for name in list_fuzzers(words):
        outcome = run_fuzzer(name, seconds, into)
        outcomes.append(outcome)
        print_row(outcome)
    print(f"logs: {into}")
    return int(any(outcome.fault for outcome in outcomes))


def print_row(outcome: Outcome) -> None:
    """One fuzzer's figures."""
    growth = f"{outcome.growth / 2**20:.0f} MiB"
    figures = f"{outcome.examples:>9,} examples {outcome.refused:>9,} refused {growth:>9} growth"
    print(f"{outcome.name:60} {figures}  {outcome.fault or 'no fault'}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
