"""Renews a lease while its holder makes headway, so that processes elsewhere see that it lives."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from headstart.store.fences import Fence
from headstart.store.lease_files import COUNT_DIGITS


class Pulse:
    """Whether the holder of a lease still makes headway, so that it is renewed; and whether it was lost.

    This one always does, as long as its process lives.
    """

    def __init__(self) -> None:
        self.is_lost = False

    @property
    def lives(self) -> bool:
        """Whether the lease is to be renewed."""
        return True


class Heart(threading.Thread):
    """Renews the count in a lease's file, while it is in force."""

    def __init__(self, fence: Fence, interval: float, pulse: Pulse) -> None:
        super().__init__(name="headstart-lease", daemon=True)
        self._fence, self._interval, self._pulse = fence, interval, pulse
        self._end = threading.Event()

    def run(self) -> None:
        """Count, until it is stopped or another has the lease."""
        beats = 0
        while not self._end.wait(self._interval):
            # A disk that fails for a while, or no more open files: the next renewal may do.
            with suppress(OSError):
                if not self._fence.is_held:
                    self._pulse.is_lost = True
                    return
                if self._pulse.lives:
                    beats += 1
                    self._renew(beats)

    def _renew(self, beats: int) -> None:
        with self._fence.file.open("rb+") as stream:
            stream.seek(-COUNT_DIGITS - 1, os.SEEK_END)
            stream.write(f"{beats:0{COUNT_DIGITS}d}".encode())

    def stop(self) -> None:
        """Count no more."""
        self._end.set()
        self.join()
