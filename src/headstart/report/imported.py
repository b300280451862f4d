"""What `headstart import` shows: the checkpoint, its parts, what became of them, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from headstart.data.controls import escape_hidden
from headstart.models.fairseq.imported import ImportedModel
from headstart.wording import format_count, format_names

#: Names that a line lists.
_SHOWN = 8


def render_import(imported: ImportedModel) -> RenderableType:
    """What was read and written, for a terminal."""
    return Group(*(Text(escape_hidden(line)) for line in _list_lines(imported)))


def _list_lines(imported: ImportedModel) -> Iterator[str]:
    sizes, parameters = imported.sizes, imported.parameters
    trained = ", ".join(part for part in (imported.arch, imported.task) if part)
    origin = f"settings from {imported.settings_from}"
    yield f"read {imported.source}: {', '.join(filter(None, (trained, origin)))}"
    parts = ", ".join(f"{part} {count:,}" for part, count in parameters.items())
    yield f"{imported.total:,} parameters: {parts}"
    yield (
        f"{format_count(sizes.layers, 'layer')}, width {sizes.width:,}, feed-forward {sizes.inner_width:,}, "
        f"{format_count(sizes.heads, 'attention head')}, vocabulary {sizes.vocabulary:,}, "
        f"{sizes.positions:,} rows of positions"
    )
    yield f"heads: {_name_heads(imported)}"
    if imported.labels:
        file = f" ({imported.label_file})" if imported.label_file else ""
        yield f"labels: {format_names(imported.labels, _SHOWN)}{file}"
    yield f"dictionary: {imported.dictionary}; tokenizer: {imported.tokenizer or 'none'}"
    if imported.left_out:
        yield f"left out: {format_names(imported.left_out, _SHOWN)}"
    if imported.dropped:
        yield f"dropped buffers: {format_names(imported.dropped, _SHOWN)}"
    yield from (f"note: {note}" for note in imported.notes)
    yield f"wrote {imported.path}: {imported.family}"


def _name_heads(imported: ImportedModel) -> str:
    names = [f"{name} ({format_count(n, 'output')})" for name, n in imported.heads.items()]
    names += ["lm_head"] if "lm_head" in imported.parameters else []
    return f"{format_names(names, _SHOWN) or 'none'}; taken: {imported.head or 'none'}"
