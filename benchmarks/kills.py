"""Kills tiny studies at random moments, runs them again, and compares with those that nobody killed.

    python benchmarks/kills.py 200 --seed 1 --jobs 2 --warm

draws for each kill a study, a victim, a signal and a moment; sometimes the second run is struck too. Then the
same command is run to its end. Predictions, weights and all else below models/ are to have the SHA-256 of the
uninterrupted study's, and results.json the same figures but for times, memory and paths. Nothing of
Headstart's scratch, and no process, is to be left. A line tells of each kill, the last one of all.
`--number 72` is that one of the seed's kills alone, `--victim forkserver` strikes nobody else.
`--device cuda` does the same on a GPU. `--warm` forks the commands from processes that have loaded
everything, one for each job: quicker, and on a CPU alone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from kill_commands import Command, StartCommand, start_command, start_fork
from kill_compare import Snapshot, list_differences, take_snapshot
from kill_family import Blow, Family
from kill_studies import STUDIES, write_fixtures, write_study

#: Longer than any of these studies takes on a busy machine: who takes longer hangs.
MOST_SECONDS: Final = 300.0
#: Processes that lost their parent are given these to end.
ORPHAN_SECONDS: Final = 60.0

#: Of these studies' workers: none is silent for long that works, however busy the machine.
SILENCE_SECONDS: Final = 20.0
_VICTIMS: Final = ("main", "main", "group", "worker", "worker", "workers", "forkserver")
_SIGNALS: Final = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSTOP)


@dataclass(frozen=True)
class Kill:
    """One study and what befalls it; `waits` until processes without parents have ended, or runs at once."""

    number: int
    study: str
    blows: tuple[Blow, ...]
    state_seconds: float
    waits: bool


@dataclass
class Outcome:
    """What became of it; `codes` are the exit codes of its runs, and an empty `failures` says all is well."""

    kill: Kill
    codes: list[int] = field(default_factory=list)
    struck: list[bool] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Base:
    """An uninterrupted study: what it left, and how long it took."""

    snapshot: Snapshot
    seconds: float


def main() -> int:
    """Give 0 where all studies ended, and equal."""
    wanted = _parse()
    work = wanted.work or Path(tempfile.mkdtemp(prefix="kills-"))
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded: its threads would not be there in a fork
    bench = Bench(work, wanted.device, start_fork if wanted.warm else start_command)
    bench.prepare()
    if wanted.warm:
        bench.warm_up()
    kills = choose_kills(wanted)
    names = sorted({kill.study for kill in kills})
    with _open_pool(wanted) as at_once:
        bases = dict(zip(names, at_once(bench.run_uninterrupted, names), strict=True))
        outcomes = list(at_once(bench.try_kill, kills, [bases[kill.study] for kill in kills]))
    if wanted.work is None:
        shutil.rmtree(work, ignore_errors=True)
    return summarise(outcomes)


@contextmanager
def _open_pool(wanted: argparse.Namespace) -> Iterator[Callable[..., Iterable[Any]]]:
    """A `map` for so many jobs: who forks has no other threads."""
    if wanted.jobs == 1:
        yield map
    elif wanted.warm:
        with ProcessPoolExecutor(wanted.jobs, multiprocessing.get_context("fork")) as processes:
            yield processes.map
    else:
        with ThreadPoolExecutor(wanted.jobs) as threads:
            yield threads.map


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kills", type=int, nargs="?", default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="studies side by side")
    parser.add_argument("--warm", action="store_true", help="fork the commands from this process")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--number", help="these of the seed's kills alone, by commas")
    parser.add_argument("--victim", choices=sorted({*_VICTIMS}), help="whom every blow strikes")
    parser.add_argument("--only", default="", help=f"some of {', '.join(STUDIES)}, by commas")
    parser.add_argument(
        "--work", type=Path, help="a folder that stays, with kills.jsonl; else a temporary one"
    )
    wanted = parser.parse_args()
    if wanted.warm and wanted.device != "cpu":
        parser.error("--warm is for a CPU: a fork cannot use a GPU that its parent has used")
    return wanted


def choose_kills(wanted: argparse.Namespace) -> list[Kill]:
    """The kills that are asked for: of a seed all, or some numbers; and whom they strike."""
    names = wanted.only.split(",") if wanted.only else list(STUDIES)
    if wanted.victim not in (None, "main", "group"):
        names = [name for name in names if _has_workers(name)]
    numbers = [int(number) for number in wanted.number.split(",")] if wanted.number else range(wanted.kills)
    kills = draw_kills(max(numbers) + 1, wanted.seed, names)
    return [_aim(kills[number], wanted.victim) for number in numbers]


def _aim(kill: Kill, victim: str | None) -> Kill:
    """The same, at whom is asked for."""
    if victim is None:
        return kill
    return replace(kill, blows=tuple(replace(blow, victim=victim) for blow in kill.blows))


def draw_kills(count: int, seed: int, names: Sequence[str]) -> list[Kill]:
    """The kills, each a function of the seed and its number; each study in its turn."""
    return [
        _draw_kill(number, names[number % len(names)], random.Random(f"{seed} {number}"))
        for number in range(count)
    ]


def _draw_kill(number: int, name: str, draw: random.Random) -> Kill:
    blows = 2 if draw.random() < 0.2 else 1
    has_workers = _has_workers(name)
    return Kill(
        number,
        name,
        tuple(_draw_blow(draw, has_workers) for _ in range(blows)),
        state_seconds=draw.choice((0.0, 0.0, 60.0)),
        waits=draw.random() < 0.5,
    )


def _has_workers(name: str) -> bool:
    return STUDIES[name].get("workers") != 0


def _draw_blow(draw: random.Random, has_workers: bool) -> Blow:
    victim = draw.choice(_VICTIMS if has_workers else ("main", "group"))
    return Blow(victim, draw.choice(_SIGNALS).name, round(draw.uniform(0.2, 1.0), 3))


class Bench:
    """Where it all lies, and how a study is run there."""

    def __init__(self, work: Path, device: str, start: StartCommand) -> None:
        self._work, self._device, self._start_command = work.resolve(), device, start
        self._log = self._work / "kills.jsonl"

    def prepare(self) -> None:
        """Make what the studies need."""
        write_fixtures(self._work / "fixtures")

    def warm_up(self) -> None:
        """Run a study in this process, so that all is loaded that its forks need."""
        from headstart.cli import main as run

        os.environ |= self._list_variables(60.0)
        folder = self._make_folder("warm", next(iter(STUDIES)))
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            run(["run", str(folder / "study.yaml"), f"out={folder / 'out'}", "seeds=1"])

    def run_uninterrupted(self, name: str) -> Base:
        """Run the study as it is.

        Raises:
            SystemExit: it fails by itself.
        """
        folder = self._make_folder(f"base-{name}", name)
        began = time.monotonic()
        code = self._start(folder, 60.0).wait(MOST_SECONDS)
        seconds = time.monotonic() - began
        if code:
            raise SystemExit(f"{name} fails without a kill, code {code}:\n{_read_tail(folder)}")
        print(f"{name}: {seconds:.1f} s without a kill", flush=True)
        return Base(take_snapshot(folder / "out"), seconds)

    def _make_folder(self, label: str, name: str) -> Path:
        folder = self._work / label
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_study(name, self._work / "fixtures", folder, self._device)
        return folder

    def _start(self, folder: Path, state_seconds: float) -> Command:
        """The command, in a group of its own; one thread for each process, states as often as asked."""
        return self._start_command(folder, self._list_variables(state_seconds))

    def _list_variables(self, state_seconds: float) -> dict[str, str]:
        return {
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "HEADSTART_CACHE": str(self._work / "cache"),
            "HEADSTART_STATE_SECONDS": str(state_seconds),
            "HEADSTART_SILENCE_SECONDS": str(SILENCE_SECONDS),
        }

    def try_kill(self, kill: Kill, base: Base) -> Outcome:
        """Let it befall the study, run the study to its end, and compare; a line is logged."""
        outcome, folder = Outcome(kill), self._make_folder(f"kill-{kill.number:03}", kill.study)
        for blow in kill.blows:
            self._run(outcome, folder, blow, base.seconds)
        self._run(outcome, folder, None, base.seconds)
        if outcome.codes[-1] != 0:
            outcome.failures.append(
                f"the last run exited with code {outcome.codes[-1]}: {_read_tail(folder, 300)}"
            )
        snapshot = take_snapshot(folder / "out")
        outcome.failures += [f"left: {path}" for path in snapshot.scratch]
        outcome.differences += list_differences(base.snapshot, snapshot)
        self._tell(outcome)
        if not outcome.failures and not outcome.differences:
            shutil.rmtree(folder)
        return outcome

    def _tell(self, outcome: Outcome) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(asdict(outcome)) + "\n")
        print(_describe(outcome), flush=True)

    def _run(self, outcome: Outcome, folder: Path, blow: Blow | None, seconds: float) -> None:
        """Run the command, struck if a blow is given; note its code and what it leaves running."""
        began = time.monotonic()
        process = self._start(folder, outcome.kill.state_seconds)
        family = Family(process)
        if blow is not None:
            family.watch_until(began + blow.share * seconds)
            outcome.struck.append(family.strike(blow))
        hangs = not family.wait(MOST_SECONDS)
        if hangs:
            outcome.failures.append(f"run {len(outcome.codes) + 1} hangs")
        outcome.codes.append(process.wait())
        outcome.seconds.append(round(time.monotonic() - began, 2))
        if blow is None or outcome.kill.waits:
            left = family.wait_for_orphans(ORPHAN_SECONDS)
            if left:
                outcome.failures.append(f"processes left: {', '.join(left)}")
        elif hangs:
            family.end()


def _describe(outcome: Outcome) -> str:
    kill, words = outcome.kill, [*outcome.failures, *outcome.differences]
    blows = ", ".join(f"{blow.signal} to {blow.victim} at {blow.share}" for blow in kill.blows)
    more = f" and {len(words) - 3} more" if len(words) > 3 else ""
    told = "; ".join(words[:3]) + more if words else "ends, equal"
    return f"kill {kill.number}, {kill.study}, {blows}, {sum(outcome.seconds):.0f} s: {told}"


def _read_tail(folder: Path, characters: int = 2000) -> str:
    return (folder / "log").read_text("utf-8", errors="replace")[-characters:]


def summarise(outcomes: Sequence[Outcome]) -> int:
    """Print what is true of all, and give the exit code."""
    count, ended = len(outcomes), sum(not outcome.failures for outcome in outcomes)
    equal = sum(not outcome.differences for outcome in outcomes)
    struck = sum(any(outcome.struck) for outcome in outcomes)
    print(f"{ended} of {count} studies end; {equal} equal ({struck} met a process)")
    return 0 if ended == equal == count else 1


if __name__ == "__main__":
    sys.exit(main())
