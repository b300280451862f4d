"""What packs that are about to train are expected to take in all, in figures and in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.config.runs import Pack
from headstart.config.traits import get_method_traits
from headstart.planning.placement import Placement
from headstart.planning.time_model import estimate_total_seconds
from headstart.records import Range, format_duration
from headstart.wording import format_count, join_ends


def predict_seconds(packs: Sequence[Pack], placement: Placement) -> Range | None:
    """What the packs take in all; None where steps of some that make steps were not timed."""
    stepping = [pack for pack in packs if get_method_traits(pack.runs[0].method).has_steps]
    spans = [pack.estimate.seconds for pack in stepping if pack.estimate and pack.estimate.seconds]
    if not spans or len(spans) < len(stepping):
        return None
    return estimate_total_seconds(spans, placement.workers)


def describe_expected(packs: Sequence[Pack], placement: Placement) -> str:
    """What is expected of packs that are about to train, in a sentence; empty where nothing is known."""
    seconds = predict_seconds(packs, placement)
    parts = [join_ends(format_duration(seconds.low), format_duration(seconds.high))] if seconds else []
    estimates = [pack.estimate for pack in packs if pack.estimate]
    for sizes, what in (
        ([estimate.memory_bytes for estimate in estimates], "memory"),
        ([estimate.device_memory_bytes for estimate in estimates], "GPU memory"),
    ):
        if known := [size for size in sizes if size]:
            low, high = max(size.low for size in known), max(size.high for size in known)
            size = join_ends(f"{low / 2**30:.1f}", f"{high / 2**30:.1f}")
            parts.append(f"{size} GiB of {what} a process")
    return f"expected: {', '.join(parts)}" if parts else ""


def describe_end(runs: int, seconds: float, expected: Range | None) -> str:
    """How long so many runs took in all, beside what was expected of them."""
    ends = [format_duration(end) for end in (expected.low, expected.high)] if expected else []
    span = f" (expected: {join_ends(*ends)})" if ends else ""
    return f"{format_count(runs, 'run')}, {format_duration(seconds)}{span}"
