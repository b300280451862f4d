"""The few calls of Ray that are used, as a protocol, with what goes in and comes out; imports no Ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

#: A task as it is known to who submitted it.
Handle = Any
#: What ended a task that gave no result: its node, its memory, its process, or we ourselves.
LossKind = Literal["node", "memory", "process", "ended"]


@dataclass(frozen=True)
class Needs:
    """What a task asks of a node: processors, GPUs, and bytes of memory."""

    processors: int
    gpus: int = 0
    memory: int = 0

    def fit(self, node: Node) -> bool:
        """Whether the node has so much, if nothing else ran there."""
        return self.processors <= node.processors and self.gpus <= node.gpus and self.memory <= node.memory

    def count_fitting(self, node: Node) -> int:
        """How many such tasks the node runs at once."""
        parts = [node.processors // max(1, self.processors)]
        parts += [node.gpus // self.gpus] if self.gpus else []
        parts += [node.memory // self.memory] if self.memory else []
        return max(0, min(parts))

    def __str__(self) -> str:
        return _describe(self.processors, self.gpus, self.memory)


@dataclass(frozen=True)
class Node:
    """A node that lives, with all that Ray counts there."""

    id: str
    address: str
    processors: int
    gpus: int
    memory: int

    @property
    def size(self) -> tuple[int, int, int]:
        """By which nodes are compared: GPUs, then processors, then memory."""
        return self.gpus, self.processors, self.memory

    def __str__(self) -> str:
        return f"{self.address}: {_describe(self.processors, self.gpus, self.memory)}"


def _describe(processors: int, gpus: int, memory: int) -> str:
    parts = [f"{processors} CPU{'s' if processors != 1 else ''}"]
    parts += [f"{gpus} GPU{'s' if gpus != 1 else ''}"] if gpus else []
    parts += [f"{memory / 2**30:.1f} GiB of memory"] if memory else []
    return ", ".join(parts)


class LostTaskError(Exception):
    """A task gave no result: `kind` says what was lost, `how` the same in words."""

    def __init__(self, kind: LossKind, how: str) -> None:
        self.kind, self.how = kind, how
        super().__init__(kind, how)

    def __str__(self) -> str:
        return self.how


class NoAnswerError(Exception):
    """The cluster does not answer now; it may in a while."""


@dataclass(frozen=True)
class Letter:
    """What a task says of itself while it runs: messages, none of which is a mere sign of life."""

    attempt: str
    messages: tuple[Any, ...] = ()


class Shared(Protocol):
    """A value in the object store; goes to another process as a handle, which loads nothing of it."""

    def take(self) -> Any:
        """The value.

        Raises:
            LostTaskError: it is no longer there.
        """


class Mailbox(Protocol):
    """Where tasks put letters; goes to another process as a handle."""

    def put(self, letter: Letter) -> None:
        """Send a letter; waits for nobody."""

    def flush(self, seconds: float) -> None:
        """Wait for so long at most until what was sent has arrived."""


class Cluster(Protocol):
    """A connection to a cluster."""

    def list_nodes(self) -> list[Node]:
        """The nodes that live."""

    def list_free(self) -> list[Node]:
        """The same with what no task holds."""

    def share(self, value: object) -> Shared:
        """Put a value into the object store, once for all tasks that are given it."""

    def open_mailbox(self) -> Mailbox:
        """The mailbox of this connection."""

    def submit(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        needs: Needs,
        node: Node | None = None,
        *,
        alone: bool = False,
    ) -> Handle:
        """Have a function called as a task, once, on `node` if one is named. `alone`: in a process that
        ends with it."""

    def wait(self, handles: Sequence[Handle], seconds: float) -> list[Handle]:
        """Those that have ended, after so long at most."""

    def fetch(self, handle: Handle) -> Any:
        """The result of a task that has ended.

        Raises:
            LostTaskError: there is none. What the task raised is raised as it was.
        """

    def end(self, handle: Handle, *, force: bool) -> None:
        """Interrupt a task, or with `force` kill its process; one that waits is never begun."""

    def read_letters(self) -> list[Letter]:
        """The letters that came since the last call.

        Raises:
            NoAnswerError: the mailbox does not answer now.
        """

    def close(self) -> None:
        """End all that was begun here, and the connection."""
