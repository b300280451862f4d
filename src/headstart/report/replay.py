"""Renders a replay of a run: what is equal to the bit, what differs and by how much, and what it means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from headstart.analysis.replay import Condition, MetricDifference, Replay
from headstart.analysis.replay_files import ColumnDifference, FileKind
from headstart.records import format_duration
from headstart.report.tables import Column, TerminalTable
from headstart.wording import capitalise, format_count, format_names

#: Figures, columns and names that are listed: all are in `--json`.
_SHOWN: Final = 6
_SAME: Final = "equal to the bit"
_NAMES: Final[dict[FileKind, str]] = {
    "predictions": "predictions",
    "weights": "weights",
    "model": "model's other files",
}
_STYLES: Final = {"equal": "bold green", "different": "bold yellow", "altered": "bold red"}


def render_replay(replay: Replay) -> RenderableType:
    """What `headstart replay` prints."""
    parts: list[RenderableType] = [Text(describe_replay(replay), style=_STYLES[replay.verdict]), Text()]
    parts.append(_make_table(("what", "beside its record"), list(_list_parts(replay))))
    if replay.conditions:
        rows = [[one.name, one.then, one.now] for one in replay.conditions]
        parts += [Text(), _make_table(("other conditions", "on record", "now"), rows)]
    lines = list(_list_lines(replay))
    return Group(*parts, *([Text()] if lines else []), *map(Text, lines))


def describe_replay(replay: Replay) -> str:
    """The verdict in a line, without its full stop."""
    told = {
        "equal": _SAME,
        "different": "differs from its record",
        "altered": "the record, or a file beside it, is not what the run wrote",
    }
    return f"{replay.run}: {told[replay.verdict]}"


def _make_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> TerminalTable:
    first, *others = heads
    columns = (Column(first, "left"), *(Column(head, "left", wraps=True) for head in others))
    return TerminalTable(columns, rows)


def _list_parts(replay: Replay) -> Iterator[list[str]]:
    """A row for each kind of thing that was compared."""
    for kind, name in _NAMES.items():
        files = [file for file in replay.files if file.kind == kind]
        if files:
            differing = [file.name for file in files if not file.is_same]
            told = _describe_files(replay, kind, differing) if differing else _SAME
            yield [name, told]
    yield ["metrics", _describe_metrics(replay) if replay.metrics else f"{_SAME}, all {replay.count}"]
    if replay.others:
        yield ["other results", f"differ: {format_names([_name_key(key) for key in replay.others], _SHOWN)}"]


def _name_key(key: str) -> str:
    return key.replace("_", " ")


def _describe_files(replay: Replay, kind: FileKind, differing: Sequence[str]) -> str:
    if kind == "predictions" and replay.columns:
        return f"differ: {'; '.join(_describe_columns(replay.columns))}"
    if kind == "weights" and replay.weights is not None:
        return f"differ, by {replay.weights:.2g} at most"
    names = format_names(differing, _SHOWN)
    return f"differ: {names}" if kind != "model" else f"differ, without a weight in them: {names}"


def _describe_columns(columns: Sequence[ColumnDifference]) -> Iterator[str]:
    """Of probabilities the most that one differs; of others how many rows do."""
    probabilities = [one for one in columns if one.column.startswith("p_") and one.largest is not None]
    if probabilities:
        rows, n_rows = max(one.rows for one in probabilities), probabilities[0].n_rows
        largest = max(one.largest or 0.0 for one in probabilities)
        yield f"probabilities: {rows:,} of {n_rows:,} test examples, by {largest:.2g} at most"
    others = [one for one in columns if one not in probabilities]
    for one in others[:_SHOWN]:
        by = "" if one.largest is None else f", by {one.largest:.2g} at most"
        yield f"{one.column}: {one.rows:,} of {one.n_rows:,} test examples{by}"
    if len(others) > _SHOWN:
        yield f"and {format_count(len(others) - _SHOWN, 'more column')}"


def _describe_metrics(replay: Replay) -> str:
    """`differ: 3 of 24; test accuracy 0.9 on record, 0.875 now; ...`."""
    shown = [_describe_metric(one) for one in replay.metrics[:_SHOWN]]
    more = len(replay.metrics) - len(shown)
    shown += [f"and {more:,} more"] if more else []
    return f"{len(replay.metrics):,} of {replay.count:,} differ: {'; '.join(shown)}"


def _describe_metric(one: MetricDifference) -> str:
    epoch = "" if one.epoch is None else f"epoch {one.epoch} "
    then, now = _format_pair(one.recorded, one.replayed)
    return f"{epoch}{one.part} {_name_key(one.metric)} {then} on record, {now} now"


def _format_pair(then: float | None, now: float | None) -> tuple[str, str]:
    """Both with as many digits as tell them apart."""
    for digits in (4, 8, 12):
        first, second = _format_figure(then, digits), _format_figure(now, digits)
        if first != second:
            return first, second
    return _format_figure(then, 17), _format_figure(now, 17)


def _format_figure(value: float | None, digits: int) -> str:
    return "none" if value is None else f"{value:.{digits}g}"


def _list_lines(replay: Replay) -> Iterator[str]:
    yield from (f"Changed: {sentence}." for sentence in replay.alterations)
    yield from (f"Note: {sentence}." for sentence in replay.notes)
    if sentence := _explain(replay):
        yield sentence
    yield _describe_training(replay)
    if replay.kept is not None:
        yield f"What was trained is in {replay.kept}."


def _explain(replay: Replay) -> str:
    """What differences may come from."""
    if replay.verdict == "altered":
        says = "The replay gives what the record says of predictions, weights and metrics."
        return says if replay.gives_the_same else ""
    if replay.verdict == "equal":
        return "The other conditions changed nothing." if replay.conditions else ""
    if replay.conditions:
        names = format_names([one.name for one in replay.conditions], _SHOWN)
        return f"{capitalise(names)} {_verb(replay.conditions)} not as on record, and may round otherwise."
    return (
        "All conditions on record are the same: either the record was changed with its digest, or what is "
        "not on record differs, such as another library's version."
    )


def _verb(conditions: Sequence[Condition]) -> str:
    return "is" if len(conditions) == 1 else "are"


def _describe_training(replay: Replay) -> str:
    then, now = map(format_duration, replay.seconds)
    runs = "" if len(replay.pack) == 1 else f", {len(replay.pack)} runs as one"
    return f"Trained in {now}{runs}; on record {then}."
