"""CUDA graphs of a step's parts: each is run as it is when it first comes, and captured when it comes again.

A body that is captured must be a pure function over fixed buffers: it allocates nothing that outlives it and
reads nothing on the host. Where capturing fails, bodies run as they are, and the reason is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

import torch
from torch import nn

from headstart import cuda
from headstart.engine.attention_kernels import refuse_cudnn_attention
from headstart.engine.capture_hints import pretend_capture
from headstart.engine.gradient_order import keep_settings
from headstart.engine.losses import fix_shapes
from headstart.engine.memory import is_out_of_memory
from headstart.engine.plain_functions import use_plain_functions

Body = Callable[[], None]
#: Graphs that are kept of one pack: lengths of batches are few, and a graph is small beside its pool.
_MOST_GRAPHS: Final = 96


@contextmanager
def make_capturable(module: nn.Module) -> Iterator[None]:
    """Have a module's code, the library and the losses read no tensor within the block, captured or not; and
    torch choose no kernel that is not to be trusted."""
    with (
        pretend_capture(),
        fix_shapes(),
        use_plain_functions(module),
        refuse_cudnn_attention(),
        keep_settings(),
    ):
        yield


class Capture(Protocol):
    """Records what a body does, without doing it, and gives what repeats it."""

    def __call__(self, body: Body) -> Body:
        """The replay.

        Raises:
            RuntimeError: the body does what cannot be captured.
        """

    def release_memory(self) -> None:
        """Give back what graphs hold that nobody replays any more."""


class CudaCapture:
    """Captures on the current stream, which is not the default one; all graphs share one pool of memory.

    That is safe: they run one after the other, and nothing that lies in the pool is read by another.
    """

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()
        # The last graph: torch forgets a pool that no graph uses, and takes its name for no other.
        self._last: torch.cuda.CUDAGraph | None = None

    def __call__(self, body: Body) -> Body:
        """As `Capture`."""
        graph = torch.cuda.CUDAGraph()
        _make_room()
        try:
            # Other threads of this process (a tracker's) may call CUDA meanwhile: only this one is watched.
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                body()
            finally:
                graph.capture_end()
        except RuntimeError:
            self._repair()
            raise
        self._last = graph
        replay: Body = graph.replay
        return replay

    def release_memory(self) -> None:
        """Let go of the pool, once nobody replays a graph any more; later ones are of another."""
        self._pool, self._last = torch.cuda.graph_pool_handle(), None

    def _repair(self) -> None:
        """Close what torch before 2.12 leaves open where the end of a capture fails (pytorch#180395).

        Its allocator would take the capture to go on and give nothing back, its generator refuse to draw.
        """
        try:
            torch._C._cuda_endAllocateToPool(torch.cuda.current_device(), self._pool)
        except RuntimeError:
            return  # it is closed
        torch._C._cuda_releasePool(torch.cuda.current_device(), self._pool)
        self.release_memory()
        whole = torch.cuda.CUDAGraph()  # one that succeeds takes the generator out of its capture
        whole.capture_begin(capture_error_mode="thread_local")
        torch.zeros(1, device="cuda")
        whole.capture_end()


def _make_room() -> None:
    """Give back memory of freed tensors where little is free: during a capture torch cannot."""
    free, _ = torch.cuda.mem_get_info()
    if free < torch.cuda.memory_reserved():
        torch.cuda.empty_cache()


@dataclass
class Capturing:
    """Whether bodies are captured, and if not, the `reason`; shared by all graphs of a training."""

    capture: Capture | None
    reason: str | None = None
    has_captured: bool = False

    @property
    def is_on(self) -> bool:
        """Whether the next body that comes again is captured."""
        return self.capture is not None and self.reason is None

    @property
    def works(self) -> bool:
        """Whether bodies were captured, and still are."""
        return self.is_on and self.has_captured


@dataclass
class Graphs:
    """The graphs of one pack's buffers, by key; bodies beyond the most that are kept run as they are.

    A body is captured once it has run `plain_runs` times as it is. That memory runs out in a capture is an
    error, for who can make the pack smaller; with `survives_memory` it is a reason to run bodies as they are.
    """

    capturing: Capturing
    plain_runs: int = 1
    survives_memory: bool = False
    _replays: dict[Hashable, Body] = field(default_factory=dict)
    _runs: Counter[Hashable] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self._replays)

    def run(self, key: Hashable, body: Body) -> None:
        """Do what `body` does; the same key stands for the same body over the same buffers."""
        if key not in self._replays and not self._capture(key, body):
            body()
            return
        self._replays[key]()

    def _capture(self, key: Hashable, body: Body) -> bool:
        """Capture a body that has run once, which has loaded all that it needs; whether there is a graph."""
        # A bound without eviction: bodies come in turn, and each would be evicted just before it comes again.
        is_full = len(self._replays) >= _MOST_GRAPHS
        if is_full or not self.capturing.is_on or self._runs[key] < self.plain_runs:
            self._runs[key] += 1
            return False
        assert self.capturing.capture is not None
        try:
            self._replays[key] = self.capturing.capture(body)
        except RuntimeError as error:
            if _is_about_memory(error):
                if not self.survives_memory:
                    raise
                cuda.release_memory()
            self.capturing.reason = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            return False
        self.capturing.has_captured = True
        return True


def _is_about_memory(error: BaseException | None) -> bool:
    """Whether memory ran out: what ends a capture may hide what went wrong inside."""
    while error is not None:
        if is_out_of_memory(error):
            return True
        error = error.__cause__ or error.__context__
    return False
