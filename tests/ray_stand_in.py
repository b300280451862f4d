"""Stands in for a Ray cluster: tasks run in this process with the fate that a test names; time is its own."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headstart.config.runs import Pack
from headstart.execute.ray.calls import Handle, Letter, LostTaskError, Needs, NoAnswerError, Node
from headstart.execute.ray.task import PackOrder

#: What becomes of a task: nothing, it is lost with something, says nothing more, or never begins.
Fate = Literal["", "node", "memory", "process", "silent", "never"]
GIB = 2**30


@dataclass(frozen=True)
class Submitted:
    """A task as it came in."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    needs: Needs
    fate: Fate

    @property
    def order(self) -> PackOrder:
        """Of a task that trains."""
        order = self.args[0]
        assert isinstance(order, PackOrder)
        return order

    @property
    def pack(self) -> Pack:
        """What it trains."""
        return self.order.pack


class _Box:
    def __init__(self, letters: list[Letter]) -> None:
        self._letters = letters

    def put(self, letter: Letter) -> None:
        self._letters.append(letter)

    def flush(self, seconds: float) -> None:
        """All is there already."""


class _Shared:
    """A value as another process gets it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def take(self) -> Any:
        return pickle.loads(self._content)


class StandIn:
    """As `Cluster`; the task of each place among those submitted has the fate of that place."""

    def __init__(self, *fates: Fate, nodes: Sequence[Node] = (), free: Sequence[Node] | None = None) -> None:
        self.nodes = list(nodes) or [Node("a", "10.0.0.1", 2, 0, 8 * GIB)]
        self.free = self.nodes if free is None else list(free)
        self.now, self.is_mute = 0.0, False
        self.tasks: list[Submitted] = []
        self.ended: list[tuple[int, bool]] = []
        self.on_wait: Callable[[], None] = lambda: None
        self._fates, self._letters = fates, list[Letter]()

    def clock(self) -> float:
        """Seconds that have passed by waiting."""
        return self.now

    def list_nodes(self) -> list[Node]:
        return self.nodes

    def list_free(self) -> list[Node]:
        return self.free

    def share(self, value: object) -> _Shared:
        return _Shared(pickle.dumps(value))

    def open_mailbox(self) -> _Box:
        return _Box(self._letters)

    def submit(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        needs: Needs,
        node: Node | None = None,
        *,
        alone: bool = False,
    ) -> Handle:
        place = len(self.tasks)
        fate = self._fates[place] if place < len(self._fates) else ""
        self.tasks.append(Submitted(function, tuple(args), needs, fate))
        if fate == "silent":
            self._letters.append(Letter(args[0].attempt))
        return place

    def wait(self, handles: Sequence[Handle], seconds: float) -> list[Handle]:
        self.now += seconds
        self.on_wait()
        dead = {place for place, _ in self.ended}
        return [one for one in handles if self.tasks[one].fate not in ("silent", "never") or one in dead]

    def fetch(self, handle: Handle) -> Any:
        task = self.tasks[handle]
        if handle in {place for place, _ in self.ended}:
            raise LostTaskError("ended", "was ended")
        if task.fate in ("node", "memory", "process"):
            kind: Any = task.fate
            raise LostTaskError(kind, f"was lost: {kind}")
        return task.function(*task.args)

    def end(self, handle: Handle, *, force: bool) -> None:
        self.ended.append((handle, force))

    def read_letters(self) -> list[Letter]:
        if self.is_mute:
            raise NoAnswerError("timed out")
        letters = list(self._letters)
        self._letters.clear()
        return letters

    def close(self) -> None:
        """Nothing was begun."""
