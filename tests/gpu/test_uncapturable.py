"""What cannot be captured runs as it is, and what comes after is none the worse. The last of these tests: it
asks CUDA for what it refuses."""

from __future__ import annotations

import torch

from device_packs import EVEN, Setting, Trained, assert_captured, assert_same_bits
from headstart.engine.graphs import Capturing, CudaCapture, Graphs


def test_a_body_that_reads_a_number_runs_as_it_is(gpu: torch.device) -> None:
    setting = Setting(gpu)
    before = Trained(EVEN, setting)
    x, stream = torch.zeros(4, device=gpu), torch.cuda.Stream(gpu)  # type: ignore[no-untyped-call]

    def add_one() -> None:
        x.add_(1 if float(x.sum()) >= 0 else 0)

    stream.wait_stream(torch.cuda.current_stream(gpu))
    with torch.cuda.stream(stream):
        capturing = Capturing(CudaCapture())
        graphs = Graphs(capturing)
        for _ in range(4):
            graphs.run("it", add_one)
    torch.cuda.synchronize(gpu)
    assert capturing.reason
    assert x.tolist() == [4.0] * 4
    after = Trained(EVEN, setting)
    assert_captured(after)
    assert_same_bits(before, after)
