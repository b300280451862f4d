"""Renders what `headstart push` sent, or would send: the repository, every file, the notes, and the card."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from headstart.data.controls import escape_hidden
from headstart.models.pushed_model import PushedModel
from headstart.report.tables import make_table
from headstart.report.units import format_bytes
from headstart.wording import format_count, format_names

#: Names that a line lists.
_SHOWN = 8
#: Digits of a digest: all are in `--json`.
_DIGITS = 16


def render_push(pushed: PushedModel) -> RenderableType:
    """What went out, for a terminal; of a dry run the files and the card as well."""
    lines = [Text(line) for line in _list_lines(pushed)]
    if not pushed.dry_run:
        return Group(*lines)
    rows = [["file", "bytes", f"SHA-256, first {_DIGITS}"]]
    rows += [[file.path, f"{file.size:,}", file.sha256[:_DIGITS]] for file in pushed.files]
    card = Text(escape_hidden(pushed.card))
    return Group(make_table(rows), Text(), *lines, Text(), Text("README.md, the model card:"), Text(), card)


def _list_lines(pushed: PushedModel) -> list[str]:
    told = [_describe(pushed)]
    if changed := [file.path for file in pushed.files if file.changed]:
        told.append(f"names in place of paths of this machine: {format_names(changed, _SHOWN)}")
    if pushed.left_out:
        told.append(f"not sent: {format_names([escape_hidden(name) for name in pushed.left_out], _SHOWN)}")
    if pushed.removed:
        told.append(f"removed from the repository: {format_names(pushed.removed, _SHOWN)}")
    return told + [f"note: {note}" for note in pushed.notes]


def _describe(pushed: PushedModel) -> str:
    """`pushed 7 files (48.3 MB) to https://... (private), commit 0123456`."""
    sizes = format_bytes(sum(file.size for file in pushed.files))
    files = f"{format_count(len(pushed.files), 'file')} ({sizes})"
    seen = "private" if pushed.private else "public"
    if pushed.dry_run:
        return (
            f"dry run, nothing was sent: {files} would go to {pushed.url}, branch {pushed.revision}, "
            f"{seen} if new, as “{escape_hidden(pushed.message)}”"
        )
    if pushed.unchanged:
        return f"nothing to push: {pushed.url} ({seen}) has all {files} already"
    return f"pushed {files} to {pushed.url} ({seen}), commit {(pushed.commit or '')[:7]}"
