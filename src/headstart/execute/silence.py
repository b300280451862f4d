"""Says which worker process is silent, and ends one that is stopped or does nothing for too long."""

from __future__ import annotations

from headstart.config.runs import Pack
from headstart.events import Log
from headstart.execute.worker_process import Patience, WorkerProcess
from headstart.records import format_duration
from headstart.wording import Caution

#: A pack that tells nothing for so many times what all of it was to take is spoken of, if also for so long.
_MANY_TIMES, _LONG_SECONDS = 3.0, 600.0


class SilenceWatch:
    """Looks at workers that have said nothing.

    One that says nothing at all while it uses a processor is left alone, however slow the machine: only who
    is stopped, or waits for something that does not come, is ended; its pack is then trained again.
    """

    def __init__(self, patience: Patience, log: Log) -> None:
        self._patience, self._tell = patience, log

    def check(self, worker: WorkerProcess) -> None:
        """Speak of the worker, or end it, if it is time."""
        if worker.silence >= self._patience.ended_after:
            self._end(worker)
        elif worker.silence >= self._patience.said_after and not worker.is_spoken_of:
            worker.is_spoken_of = True
            self._say_silent(worker)
        elif worker.quiet >= _find_quiet_limit(worker.pack) and not worker.is_quiet_said:
            worker.is_quiet_said = True
            self._say_quiet(worker)

    def _log(self, sentence: str) -> None:
        self._tell(Caution(sentence))

    def _end(self, worker: WorkerProcess) -> None:
        if worker.works:
            worker.hear(None)  # and counted anew
            return
        self._log(
            f"worker process {worker.process.pid} has been silent for "
            f"{format_duration(worker.silence)} and is being stopped; it was running "
            f"{_name_pack(worker.pack)}"
        )
        worker.kill()

    def _say_silent(self, worker: WorkerProcess) -> None:
        pid, why, advice = worker.process.pid, "has been silent", "Ctrl-C stops the study"
        if worker.is_stopped:
            why, advice = "is stopped", f"kill -CONT {pid} resumes it"
        self._log(
            f"worker process {pid} {why} for {format_duration(worker.silence)}; it is running "
            f"{_name_pack(worker.pack)}; {advice}; if it stays silent and idle, it is stopped after "
            f"{format_duration(self._patience.ended_after)} and its runs are retried"
        )

    def _say_quiet(self, worker: WorkerProcess) -> None:
        self._log(
            f"worker process {worker.process.pid} is alive but has reported nothing for "
            f"{format_duration(worker.quiet)}; it is running {_name_pack(worker.pack)}; possibly a "
            "slow step or a large evaluation; Ctrl-C stops the study, and the same command resumes it"
        )


def _find_quiet_limit(pack: Pack | None) -> float:
    """Seconds without news from a pack that are worth a sentence: a multiple of all that was expected."""
    expected = pack.estimate.seconds if pack is not None and pack.estimate is not None else None
    return max(_LONG_SECONDS, _MANY_TIMES * expected.high) if expected is not None else _LONG_SECONDS


def _name_pack(pack: Pack | None) -> str:
    return "the timing of training steps" if pack is None else ", ".join(run.key for run in pack.runs)
