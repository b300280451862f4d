"""What `headstart params` shows: a table by part with formulas, the sum as by hand, memory, and adapters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_PLACES = {
    "embeddings": "embeddings",
    "block": "each layer",
    "body": "body",
    "pooler": "pooler",
    "head": "head",
    "lm-head": "language-model head",
}


def params_view(facts: Mapping[str, Any]) -> RenderableType:
    """The facts of `Sizes` for a terminal."""
    parts: list[RenderableType] = [_table(facts), *map(Text, _sums(facts))]
    if "lora" in facts:
        parts += [Text(), Text("LoRA", style="bold"), *map(Text, _lora_lines(facts)), _costs(facts["lora"])]
    return Group(*parts, *map(Text, _memory(facts)))


def _table(facts: Mapping[str, Any]) -> Table:
    title = f"{facts['model']}: {facts['family']}, head: {facts['head']}"
    table = Table(title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for name in ("part", "formula"):
        table.add_column(name, no_wrap=True)
    for name in ("parameters", "walked"):
        table.add_column(name, justify="right", no_wrap=True)
    for (place, times), rows in groupby(facts["parts"], key=lambda row: (row["place"], row["times"])):
        own = list(rows)
        table.add_row(*_head_row(place, times, own), style="bold")
        for row in own:
            table.add_row(f"  {row['part']}", *_cells(row))
    table.caption = Text(_legend(facts))
    table.caption_justify = "left"
    return table


def _head_row(place: str, times: int, rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """A place, and of a layer that stands several times its whole."""
    if place != "block":
        return _PLACES[place], "", "", ""
    walked = sum(row["count"] for row in rows)
    return _PLACES[place], "", f"{times} x {sum(row['each'] for row in rows):,}", f"{walked:,}"


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    if not row["formula"]:
        return "= token embedding", "0", "0"
    times = f"{row['times']} x " if row["place"] == "block" else ""
    return row["formula"], f"{times}{row['each']:,}", f"{row['count']:,}"


def _legend(facts: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{symbol} {value:,} {facts['meanings'][symbol]}" for symbol, value in facts["symbols"].items()
    )


def _sums(facts: Mapping[str, Any]) -> Iterator[str]:
    total, hand = f"{facts['total']:,}", facts["by_hand"]
    yield f"{total} parameters" + (f" = {hand}" if hand != total else "")
    if facts["omitted"]:
        yield f"left out: {', '.join(facts['omitted'])}"
    yield "formulas and walk agree on every part"


def _lora_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    own, settings = facts["lora"], facts["lora"]["settings"]
    names = dict.fromkeys(path.rpartition(".")[2] for path in own["layers"])
    yield f"{len(own['layers'])} layers have an adapter: {', '.join(names)}"
    yield f"{own['adapters']:,} adapter weights = {own['by_hand']}"
    if own["head"]:
        yield f"{own['head']:,} weights of the head train whole beside them"
    if own["biases"]:
        yield f"{own['biases']:,} biases train"
    share = 100 * own["trainable"] / facts["total"] if facts["total"] else 0.0
    yield f"{own['trainable']:,} trainable, {share:.2f}% of {facts['total']:,}; scale {settings['scale']:g}"
    yield f"the adapter's file: {size(own['file_bytes'])}"


def _costs(own: Mapping[str, Any]) -> Table:
    """What each other setting would cost, all else as asked."""
    table = Table("other settings", box=box.SIMPLE_HEAD)
    table.add_column("would train", justify="right")
    for rank, number in own["ranks"].items():
        table.add_row(f"r={rank}", f"{number:,}")
    for role, number in own["targets"].items():
        table.add_row(f"target={role}", f"{number:,}")
    for kind, number in own["bias"].items():
        table.add_row(f"bias={kind}", f"+{number:,}")
    return table


def _memory(facts: Mapping[str, Any]) -> Iterator[str]:
    own = facts["memory"]
    in_four = f", {own['quantised']:,} of them in 4 bits and the rest in 32" if own["quantised"] else ""
    bits = "" if in_four else f" in {own['bits']} bits"
    yield f"all weights take {size(own['weight_bytes'])}{bits}{in_four}"
    if "lora" in facts:
        yield f"training so, without activations: {size(own['training_bytes'])}"
    yield f"full tuning, without activations: {size(own['full_training_bytes'])}"


def size(count: float) -> str:
    """A number of bytes for people: `87.0 MiB`."""
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} bytes" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.2f} GiB"
