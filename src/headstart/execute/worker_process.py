"""A worker process as its backend has it: begun, listened to, counted silent, and ended within seconds."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any, Final

import psutil

from headstart.config.runs import Pack
from headstart.environment import read_seconds
from headstart.execute.safe_start import keep_out_current_folder, keep_out_interrupts
from headstart.execute.server_watch import keep_server_going
from headstart.execute.worker import Heartbeat, PackJob, serve_jobs
from headstart.interrupts import continue_children
from headstart.os_faults import beginning
from headstart.planning.step_benchmark import StepBenchmark
from headstart.prepared import PreparedStudy
from headstart.store.runs import RunStore

#: Seconds for which a worker is awaited that was asked to end, and that was killed.
_END_SECONDS: Final = 5.0
#: And one that has nothing to do, before it is sent a signal.
_IDLE_SECONDS: Final = 2.0
_SILENCE_VARIABLE: Final = "HEADSTART_SILENCE_SECONDS"


@dataclass(frozen=True)
class Patience:
    """Seconds between heartbeats, until silence is spoken of, and until a silent worker is ended."""

    beat: float
    said_after: float
    ended_after: float


def read_patience() -> Patience:
    """As the environment's HEADSTART_SILENCE_SECONDS has it, or two minutes: 24 heartbeats.

    Raises:
        HeadstartError: that is no number above zero.
    """
    ended_after = read_seconds(_SILENCE_VARIABLE, 120.0)
    return Patience(min(5.0, ended_after / 8), ended_after / 4, ended_after)


class WorkerProcess:
    """One process, its pipe, its GPU if it has one, and the pack it has in hand.

    `ended` are the keys of that pack's runs that were told of, `silence` the seconds for which nothing was
    heard, and `quiet` those for which nothing but heartbeats were.
    """

    def __init__(
        self, context: BaseContext, study: PreparedStudy, store: RunStore, gpu: int | None, patience: Patience
    ) -> None:
        self.gpu = gpu
        self.pipe: Connection
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=serve_jobs, args=(theirs, study, store, patience.beat), daemon=True
        )
        with (  # first of all: the others begin a thread and a process of their own
            beginning("a worker process"),
            keep_server_going(patience.beat),
            keep_out_current_folder(),
            keep_out_interrupts(),
        ):
            self.process.start()
        theirs.close()
        self._handle = _find_process(self.process.pid)
        self.pack: Pack | None = None
        self.ended: set[str] = set()
        self._worked = 0.0
        self.hear(None)

    def hear(self, message: object) -> None:
        """Count the silence from here."""
        self.silence, self.is_spoken_of = 0.0, False
        if not isinstance(message, Heartbeat):
            self.quiet, self.is_quiet_said = 0.0, False

    def wait_longer(self, seconds: float) -> None:
        """Count seconds in which nothing was heard."""
        if not self.silence:
            self._worked = self._read_processor_seconds()
        self.silence += seconds
        self.quiet += seconds

    def train(self, job: PackJob) -> None:
        """Have it train a pack, which it has in hand until that has ended."""
        self.pack, self.ended = job.pack, set()
        self.send(job)

    def send(self, task: PackJob | StepBenchmark) -> None:
        """Send it something to do."""
        self.hear(None)
        with suppress(OSError):  # one that died idle is noticed when its pipe is read
            self.pipe.send(task)

    @property
    def works(self) -> bool:
        """Whether it has used a processor since it fell silent, and is not stopped: a long computation may
        keep the thread waiting that says that it lives."""
        return not self.is_stopped and self._read_processor_seconds() - self._worked > 0.5

    @property
    def is_stopped(self) -> bool:
        """Whether somebody has stopped it (SIGSTOP)."""
        return bool(_read(self._handle, "status", None) == psutil.STATUS_STOPPED)

    def _read_processor_seconds(self) -> float:
        times = _read(self._handle, "cpu_times", None)
        return float(times.user + times.system) if times is not None else 0.0

    def ask_to_end(self) -> None:
        """Ask it to end; what it has not finished is not on disk.

        An idle one ends in order when its pipe closes, and gives back what libraries hold of the system.
        """
        if self.pack is None:
            self.pipe.close()
        elif self.process.is_alive():
            self.process.terminate()

    def kill(self) -> None:
        """End it, stopped or not, also where its server has died and its exit will never be known."""
        if self._handle is not None:
            with suppress(psutil.Error):
                self._handle.kill()

    def stop(self) -> None:
        """End the process, whatever it does, within some seconds."""
        self.ask_to_end()
        if self.is_stopped:
            self.kill()  # it would hear nothing else
        self.process.join(_IDLE_SECONDS if self.pack is None else _END_SECONDS)
        if self.process.is_alive():
            self.process.terminate()  # it was no pack that it had in hand, but steps to time
            self.process.join(_END_SECONDS)
        self.kill()
        continue_children()  # the server, which tells that it has ended
        self.process.join(_END_SECONDS)
        self.pipe.close()

    def await_end(self) -> int | None:
        """How it ended that has closed its pipe: minus the signal's number, or its code; None if unknown."""
        self.process.join(_END_SECONDS)
        self.kill()
        self.process.join(_END_SECONDS)
        return self.process.exitcode


def _find_process(pid: int | None) -> psutil.Process | None:
    with suppress(psutil.Error):
        return psutil.Process(pid)
    return None


def _read(process: psutil.Process | None, what: str, default: Any) -> Any:
    """What a process says of itself; the default where it has ended."""
    if process is not None:
        with suppress(psutil.Error):
            return getattr(process, what)()
    return default
