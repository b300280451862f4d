"""Which kernels torch may choose for attention on a GPU: not cuDNN's, whose gradients may be no numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def refuse_cudnn_attention() -> Iterator[None]:
    """Within the block, torch chooses among its own kernels of `F.scaled_dot_product_attention`."""
    was_allowed = torch.backends.cuda.cudnn_sdp_enabled()  # type: ignore[no-untyped-call]
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(was_allowed)
