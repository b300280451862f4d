"""What is known of a pack's task that was submitted, and when it counts as lost although Ray says nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from headstart.config.runs import Pack
from headstart.execute.ray.calls import Handle, Needs
from headstart.records import format_duration
from headstart.store.fences import Fence

#: A task may take so many times what was expected of it at most, and never less than so many seconds; after
#: that it may go on as long as something happened within the latter.
_MANY_TIMES: Final = 5.0
_LONG_SECONDS: Final = 1800.0


@dataclass
class Flight:
    """A pack's task under way.

    `seconds` have passed since it began, `silence` since anything was heard, `quiet` since more than signs of
    life were: counted only while the cluster answers. `ended` are the keys of runs that were told of.
    """

    pack: Pack
    handle: Handle
    attempt: str
    needs: Needs
    fence: Fence
    has_begun: bool = False
    seconds: float = 0.0
    silence: float = 0.0
    quiet: float = 0.0
    ended: set[str] = field(default_factory=set)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its runs."""
        return tuple(run.key for run in self.pack.runs)

    def hear(self, *, news: bool) -> None:
        """Count the silence from here."""
        self.has_begun, self.silence = True, 0.0
        if news:
            self.quiet = 0.0

    def wait_longer(self, seconds: float) -> None:
        """Count seconds in which nothing was heard; one in Ray's queue is not expected to speak."""
        if self.has_begun:
            self.seconds += seconds
            self.silence += seconds
            self.quiet += seconds

    def find_fault(self, most_silence: float) -> str | None:
        """Why it counts as lost, in words; None where it does not."""
        if self.silence >= most_silence:
            return f"was silent for {format_duration(self.silence)}, and was ended"
        if self.seconds >= find_deadline(self.pack) and self.quiet >= _LONG_SECONDS:
            took, quiet = format_duration(self.seconds), format_duration(self.quiet)
            return f"had taken {took}, reported nothing for {quiet}, and was ended"
        return None


def find_deadline(pack: Pack) -> float:
    """Seconds after which a pack's task must show that it makes progress."""
    expected = pack.estimate.seconds if pack.estimate is not None else None
    return max(_LONG_SECONDS, _MANY_TIMES * expected.high) if expected is not None else _LONG_SECONDS
