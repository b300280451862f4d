"""Kills tiny studies at random moments, runs them again, and compares with those that nobody killed.

    python benchmarks/kills.py 200 --seed 1 --jobs 2

draws for each kill a study, a victim, a signal and a moment; sometimes the second run is struck too. Then the
same command is run to its end. Predictions, weights and all else below models/ are to have the SHA-256 of the
uninterrupted study's, and results.json the same figures but for times, memory and paths. Nothing of
Headstart's scratch, and no process, is to be left. `--device cuda` does the same on a GPU.
`--warm` forks the commands from this process, which has loaded everything: quicker, and one at a time.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol

import psutil

from kill_compare import Snapshot, list_differences, take_snapshot
from kill_studies import STUDIES, write_fixtures, write_study

#: Longer than any of these studies takes on a busy machine: who takes longer hangs.
MOST_SECONDS: Final = 300.0
#: A study whose main process was stopped goes on after these.
STOPPED_SECONDS: Final = 2.0
#: Processes that lost their parent are given these to end.
ORPHAN_SECONDS: Final = 60.0

#: Of these studies' workers: none is silent for long that works, however busy the machine.
SILENCE_SECONDS: Final = 20.0
#: What is run, in the study's folder.
WORDS: Final = ("run", "study.yaml", "out=out")

_VICTIMS: Final = ("main", "main", "group", "worker", "worker", "workers", "forkserver")
_SIGNALS: Final = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSTOP)


@dataclass(frozen=True)
class Blow:
    """A signal, to whom, and when: the share of the uninterrupted study's time."""

    victim: str
    signal: str
    share: float


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


class Command(Protocol):
    """A command that runs, as `subprocess` has it."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended."""

    def kill(self) -> None:
        """End it."""


StartCommand = Callable[[Path, dict[str, str]], Command]


def start_command(folder: Path, environment: dict[str, str]) -> Command:
    """The command, by a new Python."""
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "headstart", *WORDS],
            cwd=folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def start_fork(folder: Path, environment: dict[str, str]) -> Command:
    """The command in a fork of this process."""
    import headstart.experiment
    import headstart.training.train_pack  # noqa: F401

    sys.stdout.flush()
    pid = os.fork()
    return Fork(pid) if pid else _become_command(folder, environment)


def _become_command(folder: Path, environment: dict[str, str]) -> NoReturn:
    from headstart.cli import main as run

    os.setsid()
    os.chdir(folder)
    os.environ |= environment
    log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    code = 1
    try:
        code = run(list(WORDS))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Fork:
    """A child of this process, as `subprocess` would have it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, or minus the signal's number."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended.

        Raises:
            TimeoutError: it has not.
        """
        began = time.monotonic()
        while (code := self.poll()) is None:
            if timeout is not None and time.monotonic() - began > timeout:
                raise TimeoutError
            time.sleep(0.01)
        return code

    def kill(self) -> None:
        """End it."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


@dataclass(frozen=True)
class Base:
    """An uninterrupted study: what it left, and how long it took."""

    snapshot: Snapshot
    seconds: float


def main() -> int:
    """Give 0 where all studies ended, and equal."""
    wanted = _parse()
    work = wanted.work or Path(tempfile.mkdtemp(prefix="kills-"))
    bench = Bench(work, wanted.device, start_fork if wanted.warm else start_command)
    bench.prepare()
    if wanted.warm:
        bench.warm_up()
    names = wanted.only.split(",") if wanted.only else list(STUDIES)
    kills = draw_kills(wanted.kills, wanted.seed, names)
    with ThreadPoolExecutor(wanted.jobs) as pool:
        at_once: Any = map if wanted.warm else pool.map  # who forks has no other threads
        bases = dict(zip(names, at_once(bench.run_uninterrupted, names), strict=True))
        outcomes = list(at_once(lambda kill: bench.try_kill(kill, bases[kill.study]), kills))
    if wanted.work is None:
        shutil.rmtree(work, ignore_errors=True)
    return summarise(outcomes)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kills", type=int, nargs="?", default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="studies side by side")
    parser.add_argument("--warm", action="store_true", help="fork the commands from this process")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", default="", help=f"some of {', '.join(STUDIES)}, by commas")
    parser.add_argument(
        "--work", type=Path, help="a folder that stays, with kills.jsonl; else a temporary one"
    )
    return parser.parse_args()


def draw_kills(count: int, seed: int, names: Sequence[str]) -> list[Kill]:
    """The kills, each a function of the seed and its number; each study in its turn."""
    return [
        _draw_kill(number, names[number % len(names)], random.Random(f"{seed} {number}"))
        for number in range(count)
    ]


def _draw_kill(number: int, name: str, draw: random.Random) -> Kill:
    blows = 2 if draw.random() < 0.2 else 1
    has_workers = STUDIES[name].get("workers") != 0
    return Kill(
        number,
        name,
        tuple(_draw_blow(draw, has_workers) for _ in range(blows)),
        state_seconds=draw.choice((0.0, 0.0, 60.0)),
        waits=draw.random() < 0.5,
    )


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
                f"the last run ended with code {outcome.codes[-1]}: {_read_tail(folder, 300)}"
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
        kill = outcome.kill
        for words in (outcome.failures, outcome.differences):
            if words:
                blows = ", ".join(f"{blow.signal} to {blow.victim} at {blow.share}" for blow in kill.blows)
                more = f" and {len(words) - 3} more" if len(words) > 3 else ""
                print(f"kill {kill.number}, {kill.study}, {blows}: {'; '.join(words[:3])}{more}", flush=True)

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


class Family:
    """A command's processes: itself, the server that its workers are forked from, and they."""

    def __init__(self, process: Command) -> None:
        self._process, self._seen = process, dict[int, psutil.Process]()

    def watch_until(self, moment: float) -> None:
        """Wait, and remember who was there."""
        while time.monotonic() < moment and self._process.poll() is None:
            self._look()
            time.sleep(0.02)

    def _look(self) -> list[psutil.Process]:
        try:
            children = list(psutil.Process(self._process.pid).children(recursive=True))
        except psutil.Error:
            return []
        self._seen |= {child.pid: child for child in children}
        return children

    def strike(self, blow: Blow) -> bool:
        """Send the signal; False where the victim is not there."""
        number = signal.Signals[blow.signal]
        targets = self._find(blow.victim)
        sent = [_send(target, number) for target in targets]
        if number == signal.SIGSTOP and blow.victim in ("main", "group"):
            time.sleep(STOPPED_SECONDS)
            for target in targets:
                _send(target, signal.SIGCONT)
        return any(sent)

    def _find(self, victim: str) -> list[int]:
        children = self._look()
        servers = [child.pid for child in children if "forkserver" in _name(child)]
        trackers = [child.pid for child in children if "resource_tracker" in _name(child)]
        workers = [child.pid for child in children if _ask(0, child.ppid) in servers]
        match victim:
            case "main":
                return [self._process.pid] if self._process.poll() is None else []
            case "group":
                return [
                    pid
                    for pid in (self._process.pid, *servers, *workers, *trackers)
                    if self._process.poll() is None
                ]
            case "worker":
                return workers[:1]
            case "workers":
                return workers
            case _:
                return servers[:1]

    def wait(self, most: float) -> bool:
        """Wait for the command to end; one that does not is killed, with all of its own: False."""
        end = time.monotonic() + most
        while self._process.poll() is None and time.monotonic() < end:
            self._look()
            time.sleep(0.05)
        if self._process.poll() is not None:
            return True
        self.end()
        return False

    def end(self) -> None:
        """Kill what is left of it."""
        for process in self._list_living():
            _send(process.pid, signal.SIGKILL)
        self._process.kill()

    def wait_for_orphans(self, most: float) -> list[str]:
        """Wait until all have ended; kills those that do not, and names them."""
        end = time.monotonic() + most
        while (living := self._list_living()) and time.monotonic() < end:
            time.sleep(0.05)
        names = [_name(process)[:120] for process in living]
        self.end()
        return names

    def _list_living(self) -> list[psutil.Process]:
        return [process for process in self._seen.values() if _lives(process)]


def _ask(default: Any, ask: Callable[[], Any]) -> Any:
    """What a process says of itself, or the default where it has ended."""
    try:
        return ask()
    except psutil.Error:
        return default


def _lives(process: psutil.Process) -> bool:
    return bool(process.is_running()) and _ask(psutil.STATUS_ZOMBIE, process.status) != psutil.STATUS_ZOMBIE


def _name(process: psutil.Process) -> str:
    return " ".join(_ask([], process.cmdline))


def _send(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


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
