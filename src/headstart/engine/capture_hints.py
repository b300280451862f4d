"""Has transformers skip what looks into a tensor, as it does in a captured CUDA graph; captures nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from transformers.utils import import_utils

#: What `import_utils.is_tracing` looks up each time it is asked; versions before it ask nothing.
_ASKED = "is_cuda_stream_capturing"
_lock = threading.Lock()
_threads = threading.local()
#: The library's own answer, once for each block that is under way in any thread.
_replaced: list[Callable[[], bool]] = []


@contextmanager
def pretend_capture() -> Iterator[None]:
    """Within the block and in this thread, transformers takes a CUDA graph to be under capture.

    Its masks are then made without a look at the tensors (such as whether anything is padded at all), which
    would have the host wait for the device. So an eager pass does what a captured one does, on any device.
    """
    if not hasattr(import_utils, _ASKED):
        yield
        return
    with _lock:
        _replaced.append(_replaced[-1] if _replaced else getattr(import_utils, _ASKED))
        setattr(import_utils, _ASKED, _is_capturing)
    _threads.depth = getattr(_threads, "depth", 0) + 1
    try:
        yield
    finally:
        _threads.depth -= 1
        with _lock:
            own = _replaced.pop()
            if not _replaced:
                setattr(import_utils, _ASKED, own)


def _is_capturing() -> bool:
    own = _replaced[-1] if _replaced else None
    return getattr(_threads, "depth", 0) > 0 or (own is not None and own())
