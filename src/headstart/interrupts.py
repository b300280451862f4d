"""Has signals end a program in order, by an error that unwinds it; and at the second at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final

import psutil

#: What a terminal sends for Ctrl-C and when it closes, and what a scheduler sends; where a system has them.
_NAMES: Final = ("SIGINT", "SIGTERM", "SIGHUP")
#: A second one sooner than this is the same: some send it to a process and to its group.
_SAME_SECONDS: Final = 0.3
#: In the command line of multiprocessing's process that removes what others leave: it ends by itself.
_TRACKER: Final = "resource_tracker"


class Interrupted(BaseException):
    """A signal asked the program to end; no `Exception`, so that nothing takes it for a fault of a run."""

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)
        super().__init__(self.signal.name)

    @property
    def exit_code(self) -> int:
        """As shells have it: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + int(self.signal)


def name_interrupt(interrupt: BaseException) -> tuple[str, int]:
    """The name of the signal that ended a command, and the exit code that says so; Ctrl-C where it is no
    `Interrupted`."""
    if isinstance(interrupt, Interrupted):
        return interrupt.signal.name, interrupt.exit_code
    return signal.SIGINT.name, 128 + int(signal.SIGINT)


class Deferred:
    """A signal that was noted, to end the program where it suits."""

    def __init__(self) -> None:
        self.seen: int | None = None

    def note(self, number: int, frame: FrameType | None) -> None:
        """Take the signal."""
        self.seen = self.seen or number

    def raise_seen(self) -> None:
        """Raise what was noted, if anything was.

        Raises:
            Interrupted: a signal came since.
        """
        if self.seen is not None:
            raise Interrupted(self.seen)


@contextmanager
def raise_interrupts() -> Iterator[Deferred]:
    """Raise `Interrupted` inside the block, once; a second signal ends this process, and its own, at once.

    Signals that are ignored, as under nohup, stay so. Does nothing but in the main thread. Gives the one that
    was raised: where Python drops errors, as while it collects garbage, nobody else hears of it.
    """
    raised = Deferred()
    if threading.current_thread() is not threading.main_thread():
        yield raised
        return
    watched = [number for number, handler in _read_handlers().items() if handler != signal.SIG_IGN]
    with _watch_for_second(frozenset(watched)), keep_handlers():
        for number in watched:
            signal.signal(number, _Raiser(raised))
        yield raised


class _Raiser:
    """Raises at the first signal; what comes after is the watcher's."""

    def __init__(self, raised: Deferred) -> None:
        self._raised = raised

    def __call__(self, number: int, frame: FrameType | None) -> Any:
        if self._raised.seen is None:
            self._raised.note(number, frame)
            raise Interrupted(number)


@contextmanager
def defer_interrupts() -> Iterator[Deferred]:
    """Note signals inside the block that would end this process, or raise `Interrupted`; raise at its end.

    Handlers of others, such as Python's own for Ctrl-C, stay as they are. A second signal still ends the
    command at once. Does nothing but in the main thread.
    """
    deferred = Deferred()
    if threading.current_thread() is not threading.main_thread():
        yield deferred
        return
    former = {
        number: handler
        for number, handler in _read_handlers().items()
        if handler == signal.SIG_DFL or isinstance(handler, _Raiser)
    }
    try:
        for number in former:
            signal.signal(number, deferred.note)
        yield deferred
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    deferred.raise_seen()


@contextmanager
def keep_handlers() -> Iterator[None]:
    """Have handlers of signals afterwards that were there before, whatever a library sets inside the block.

    Does nothing but in the main thread.
    """
    former = _read_handlers() if threading.current_thread() is threading.main_thread() else {}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _read_handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in _list_known()}


def _list_known() -> list[int]:
    return [int(getattr(signal, name)) for name in _NAMES if hasattr(signal, name)]


def ignore_interrupts() -> None:
    """Take no signal any more: all is done and said, and only Python's own end is to come."""
    for number in _list_known():
        signal.signal(number, signal.SIG_IGN)


def end_by(interrupt: Interrupted) -> None:
    """End this process as the signal would have ended it, for who asks how it ended."""
    signal.signal(interrupt.signal, signal.SIG_DFL)
    os.kill(os.getpid(), interrupt.signal)


@contextmanager
def _watch_for_second(numbers: frozenset[int]) -> Iterator[None]:
    """Have a thread see signals: Python's own handlers do not where the main thread waits in a library."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    former = signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    watcher = threading.Thread(target=_end_at_second, args=(readable, numbers), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(former)
        os.close(writable)
        watcher.join()
        os.close(readable)


def _end_at_second(readable: int, numbers: frozenset[int]) -> None:
    """Read signals until the other end closes."""
    first: float | None = None
    while byte := os.read(readable, 1):
        if byte[0] not in numbers:
            continue
        if first is not None and time.monotonic() - first > _SAME_SECONDS:
            end_children()
            os._exit(128 + byte[0])
        first = first or time.monotonic()


def end_children() -> None:
    """Kill all processes that this one began, and theirs, stopped ones too."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if any(_TRACKER in word for word in child.cmdline()):
                continue_process(child)  # it ends when this process does, unless it is stopped
            else:
                child.kill()


def continue_children() -> None:
    """Let own children go on that somebody stopped: a server of workers that is would never answer."""
    for child in psutil.Process().children():
        continue_stopped(child)


def continue_stopped(process: psutil.Process) -> None:
    """Let it go on if somebody stopped it."""
    with suppress(psutil.Error):
        if process.status() == psutil.STATUS_STOPPED:
            continue_process(process)


def continue_process(process: psutil.Process) -> None:
    """Let it go on."""
    if hasattr(signal, "SIGCONT"):
        process.send_signal(signal.SIGCONT)
