"""What `headstart params` shows: a table by part with formulas, the total as a sum, memory, and adapters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.text import Text

from headstart.models.accounting.breakdown import PartCount, Place
from headstart.models.accounting.sizes import LoraCount, ModelSize
from headstart.report.tables import Column, TerminalTable, make_table
from headstart.report.units import format_bytes

#: How a table calls them.
PLACES: dict[Place, str] = {
    "embeddings": "embeddings",
    "block": "each layer",
    "body": "body",
    "pooler": "pooler",
    "head": "head",
    "lm-head": "language-model head",
}


def render_params(size: ModelSize) -> RenderableType:
    """A model's size for a terminal."""
    elements: list[RenderableType] = [_render_parts(size), Text(), *map(Text, _describe_total(size))]
    if size.lora:
        elements += [Text(), Text("LoRA", style="bold"), *map(Text, _describe_lora(size, size.lora))]
        elements += [Text(), _render_other_settings(size.lora), Text()]
    return Group(*elements, *map(Text, _describe_memory(size)))


def _render_parts(size: ModelSize) -> TerminalTable:
    rows: list[tuple[str, ...]] = []
    row_styles: dict[int, str] = {}
    for (place, times), parts in groupby(size.counted.parts, key=lambda part: (part.place, part.times)):
        section = list(parts)
        row_styles[len(rows)] = "bold"
        rows.append(_format_place(place, times, section))
        rows += [(f"  {part.part}", *_format_part(part)) for part in section]
    legend = [f"{symbol} {value:,} {meaning}" for symbol, value, meaning in size.counted.legend]
    return TerminalTable(
        (
            Column("part", "left"),
            Column("formula", "left", wraps=True),
            Column("parameters"),
            Column("walked"),
        ),
        rows,
        title=f"{size.name}: {size.family}, head: {size.head}",
        caption=", ".join(legend),
        row_styles=row_styles,
    )


def _format_place(place: Place, times: int, parts: Sequence[PartCount]) -> tuple[str, ...]:
    """A place, and of a layer that stands several times its total."""
    if place != "block":
        return PLACES[place], "", "", ""
    each, walked = sum(part.each for part in parts), sum(part.count for part in parts)
    return PLACES[place], "", f"{times} x {each:,}", f"{walked:,}"


def _format_part(part: PartCount) -> tuple[str, ...]:
    if not part.formula:
        return "= token embedding", "0", "0"
    times = f"{part.times} x " if part.place == "block" else ""
    return part.formula, f"{times}{part.each:,}", f"{part.count:,}"


def _describe_total(size: ModelSize) -> Iterator[str]:
    total, as_sum = f"{size.total:,}", size.counted.as_sum
    yield f"{total} parameters" + (f" = {as_sum}" if as_sum != total else "")
    if size.omitted:
        yield f"excluded: {', '.join(size.omitted)}"
    yield "formulas and walk agree on every part"


def _describe_lora(size: ModelSize, lora: LoraCount) -> Iterator[str]:
    yield f"{len(lora.layers)} layers have an adapter: {', '.join(lora.layer_names)}"
    yield f"{lora.adapters:,} adapter weights = {lora.as_sum}"
    if lora.head:
        yield f"{lora.head:,} weights of the head train in full as well"
    if lora.biases:
        yield f"{lora.biases:,} biases train"
    share = 100 * lora.trainable / size.total if size.total else 0.0
    yield f"{lora.trainable:,} trainable, {share:.2f}% of {size.total:,}; scale {lora.settings.scale:g}"
    yield f"the adapter's file: {format_bytes(lora.file_bytes)}"


def _render_other_settings(lora: LoraCount) -> TerminalTable:
    """What each other setting would cost, all else as asked."""
    rows = [["other settings", "would train"]]
    rows += [[f"r={rank}", f"{weights:,}"] for rank, weights in lora.by_rank.items()]
    rows += [[f"target={role}", f"{target.weights:,}"] for role, target in lora.by_target.items()]
    rows += [[f"bias={bias}", f"+{weights:,}"] for bias, weights in lora.by_bias.items()]
    return make_table(rows)


def _describe_memory(size: ModelSize) -> Iterator[str]:
    weights = f"all weights: {format_bytes(size.weight_bytes)}"
    if size.quantised:
        yield f"{weights}, {size.quantised:,} of them in 4 bits and the rest in 32"
    else:
        yield f"{weights} in {size.bits} bits"
    if size.lora:
        yield f"training with this adapter, without activations: {format_bytes(size.training_bytes)}"
    yield f"full fine-tuning, without activations: {format_bytes(size.full_training_bytes)}"
