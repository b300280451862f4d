"""What `headstart pretrain` shows at its end: the loss beside the unigram entropy, accuracy and speed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from headstart.records import format_duration
from headstart.records.pretraining import PretrainingRecord
from headstart.report.sparklines import draw_sparkline

_MILLION: Final = 1_000_000


def render_pretraining(record: PretrainingRecord, model: Path) -> RenderableType:
    """The result for a terminal."""
    losses = [point.valid["loss"] for point in record.points]
    curve = (
        f"valid loss {draw_sparkline(losses, min(losses), max(losses))} {losses[0]:.2f} to {losses[-1]:.2f}"
    )
    lines = [*describe_result(record), curve, f"model: {model}"]
    return Group(*map(Text, lines))


def describe_result(record: PretrainingRecord) -> Iterator[str]:
    """The figures, a line each."""
    beats = record.valid_loss < record.unigram_entropy
    yield (
        f"valid loss {record.valid_loss:.3f} nats per token, "
        f"{'below' if beats else 'not below'} the unigram entropy of {record.unigram_entropy:.3f}"
    )
    masked = record.settings["task"] == "masked-lm"
    name = "masked accuracy" if masked else "accuracy"
    yield f"{name} {100 * record.valid_accuracy:.1f}%, {record.bits_per_byte:.3f} bits per byte" + (
        " (of masked tokens; not a code length)" if masked else ""
    )
    speed = f"{record.tokens_per_second:,.0f} tokens/s"
    share = "" if record.flops_share is None else f", {100 * record.flops_share:.1f}% of the device's peak"
    yield (
        f"{record.tokens / _MILLION:,.2f} M tokens in {format_duration(record.seconds)}, {speed}{share} "
        f"({record.device}, {record.precision})"
    )
    yield f"{record.parameters:,} parameters, {record.steps:,} steps"
    if record.eager_reason:
        yield f"steps on the device: {record.eager_reason}"
