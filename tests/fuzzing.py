"""What every fuzzer asks: a good end or one HeadstartError, in time, in memory, with nothing left over.

A fuzzer is a hypothesis test in `tests/fuzz/` that calls `run_to_end`. `HEADSTART_FUZZ_SECONDS` has each go
on for so many seconds of CPU time; without it they are short, and the same in every run.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import resource
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

from headstart.data.controls import escape_controls
from headstart.errors import HeadstartError
from headstart.report.console import make_console

#: Memory that one example may add, in bytes.
MOST_GROWTH: Final = 2 << 30
#: Against a hang: no example takes near so long, on a busy machine either.
MOST_SECONDS: Final = 60
#: Characters of the longest message; what was got is quoted in it, and not printed out.
MOST_CHARACTERS: Final = 20_000
_STATUS: Final = Path("/proc/self/status")
_CLEAR: Final = Path("/proc/self/clear_refs")


@dataclass
class Tally:
    """What a fuzzer has done so far; growth in bytes over what the process had before an example."""

    examples: int = 0
    refused: int = 0
    largest_growth: int = 0

    def write(self, file: Path) -> None:
        """Leave the figures for who started the fuzzer."""
        file.write_text(json.dumps(vars(self)), encoding="utf-8")


TALLY: Final = Tally()


class HangError(BaseException):
    """An example that did not end; no handler of errors in the code takes it for one of its own."""


def count_descriptors() -> int:
    """How many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def run_to_end(function: Callable[..., Any], *args: Any, folder: Path | None = None, **kwargs: Any) -> Any:
    """What a call gives, or None where it was refused in a HeadstartError as people should get it.

    Args:
        folder: where a call that is refused may leave nothing.

    Raises:
        AssertionError: the message is none for people, the call left a file, or it took too much memory.
    """
    TALLY.examples += 1
    if is_unlimited():
        faulthandler.dump_traceback_later(10 * MOST_SECONDS, exit=True)  # where it hangs outside Python
    before = list_files(folder)
    with _note_example(kwargs, args), limit_seconds(), limit_growth():
        try:
            return function(*args, **kwargs)
        except HeadstartError as error:
            TALLY.refused += 1
            check_message(error)
            left = list_files(folder) - before
            assert not left, f"left over: {sorted(left)}"
    return None


def check_message(error: HeadstartError) -> None:
    """See that what a terminal gets of an error is something, not endless, and obeyed by no terminal."""
    message = str(error)
    assert error.got.strip(), f"{error!r} says nothing"
    assert len(message) <= MOST_CHARACTERS, f"{len(message)} characters, which begin {message[:200]!r}"
    check_shown(print_as_people_see(message))


def print_as_people_see(renderable: Any) -> str:
    """What a terminal gets."""
    console = make_console()
    with console.capture() as shown:
        console.print(renderable, markup=False, highlight=False, soft_wrap=True)
    return shown.get()


def check_shown(text: str) -> None:
    """See that no character of a text is one that a terminal obeys, besides line ends and tabs."""
    assert text == escape_controls(text), f"obeyed by a terminal: {text!r}"
    text.encode("utf-8")  # half a surrogate pair is no character


def list_files(folder: Path | None) -> set[str]:
    """The files below a folder, hidden ones too."""
    return set() if folder is None else {str(file.relative_to(folder)) for file in folder.rglob("*")}


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder for one example: hypothesis runs many in one test, which has one `tmp_path`."""
    folder = Path(tempfile.mkdtemp(prefix="headstart-fuzz-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def damage(content: bytes, changes: list[tuple[int, int]], cut: int) -> bytes:
    """The content with some bytes changed, and some of its last ones cut off."""
    changed = bytearray(content)
    for place, value in changes:
        changed[place % len(changed)] = value
    return bytes(changed[: len(changed) - cut % len(changed)])


@contextmanager
def limit_seconds(seconds: int = MOST_SECONDS) -> Iterator[None]:
    """Raise HangError where the block does not end."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise HangError(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def limit_growth(most: int = MOST_GROWTH) -> Iterator[None]:
    """Have allocations fail that would add more than `most` bytes, where the system can; note the largest."""
    if not _STATUS.is_file():
        yield
        return
    # RLIMIT_DATA and not RLIMIT_AS: torch maps far more than it uses.
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    _CLEAR.write_text("5", encoding="ascii")  # the peak begins anew
    start = _read_bytes("VmRSS")
    resource.setrlimit(resource.RLIMIT_DATA, (_read_bytes("VmData") + most, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, limits)
        growth = _read_bytes("VmHWM") - start
        TALLY.largest_growth = max(TALLY.largest_growth, growth)
    assert growth <= most, f"{growth >> 20} MiB more than before"


def _read_bytes(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


@contextmanager
def _note_example(*parts: Any) -> Iterator[None]:
    """Keep what is tried in a file while it runs, for an example that ends the process itself."""
    name = os.environ.get("HEADSTART_FUZZ_NOTE")
    if name is None:
        yield
        return
    note = Path(name)
    note.write_text(ascii(parts), encoding="ascii")
    yield
    note.unlink()


def read_seconds() -> float | None:
    """CPU seconds for which each fuzzer is to go on; None for the short ones."""
    given = os.environ.get("HEADSTART_FUZZ_SECONDS")
    return None if given is None else float(given)


def is_unlimited() -> bool:
    """Whether fuzzers go on by time."""
    return read_seconds() is not None
