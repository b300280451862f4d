"""Says of a replayed run what is equal to its record to the bit, and what differs, by how much, and why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from headstart.analysis.replay_files import (
    ColumnDifference,
    FileMatch,
    compare_weights,
    list_column_differences,
    match_files,
)
from headstart.records import SCHEMA_VERSION, EpochPoint, RunRecord, Scores
from headstart.shown import Shown
from headstart.store.alterations import RecordAsItIs
from headstart.store.layout import StudyLayout
from headstart.wording import format_names

Verdict = Literal["equal", "different", "altered"]
#: What bits depend on besides the seed, as records have it, and as people call it.
_VERSIONS: Final = {name: name for name in ("headstart", "torch", "transformers", "numpy", "python")}
_MACHINE: Final = {"processor": "processor", "platform": "system"}
_EXECUTION: Final = {
    "device": "device",
    "precision": "precision",
    "threads": "threads",
    "pack_size": "runs in its pack",
    "parallel": "how several processes train it",
    "processes": "processes that train it together",
    "vocabulary_rows": "embedding rows in training",
    "pinned": "kept to own processors",
    "captured": "CUDA graphs",
    "compiled": "compiled steps",
}
#: What else is the same of a run each time that it is trained.
_OTHERS: Final = ("best_epoch", "train_examples", "selection", "parameters", "resolved", "samples")


@dataclass(frozen=True)
class MetricDifference:
    """A figure that the replay gives otherwise; `epoch` is None of the finished run."""

    part: str
    metric: str
    recorded: float | None
    replayed: float | None
    epoch: int | None = None

    @property
    def distance(self) -> float | None:
        """Between the two; None where one of them is no number."""
        if self.recorded is None or self.replayed is None:
            return None
        distance = abs(self.recorded - self.replayed)
        return distance if math.isfinite(distance) else None


@dataclass(frozen=True)
class Condition:
    """What was not the same: a version, the machine, or how the run was computed."""

    name: str
    then: str
    now: str


@dataclass(frozen=True, repr=False)
class Replay(Shown, view="headstart.report.views.replay:REPLAY"):
    """What `headstart.replay` gives.

    Example:
        replay = headstart.replay("runs/study", "pretrained/all/0")
        assert replay.verdict == "equal", replay

    Attributes:
        verdict: `equal` to the bit; `different`; or `altered`, where the record, or a file beside it, is not
            what the run wrote.
        pack: the runs that were trained, as one: the run's own, and those with which it was trained.
        files: predictions and what was saved of the model, by their SHA-256.
        metrics: the figures that differ; `count` of them were compared.
        columns: the columns of predictions that differ.
        weights: the largest difference of a weight; None where none differs, or the former are not there.
        others: further keys of the record that differ.
        conditions: what was not the same as on record.
        alterations: what was changed after the run wrote it.
        notes: what could not be compared, and why.
        seconds: of the training, then and now.
        kept: the folder that keeps what was trained; None where nothing was.
    """

    study: Path
    run: str
    verdict: Verdict
    pack: tuple[str, ...]
    files: tuple[FileMatch, ...]
    count: int
    metrics: tuple[MetricDifference, ...]
    columns: tuple[ColumnDifference, ...]
    weights: float | None
    others: tuple[str, ...]
    conditions: tuple[Condition, ...]
    alterations: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: tuple[float, float]
    kept: Path | None = None

    @property
    def gives_the_same(self) -> bool:
        """Whether files that count, figures and other results are all those on record."""
        return _are_same(self.files, self.metrics, self.others)

    @property
    def exit_code(self) -> int:
        """Of `headstart replay`: 0 equal, 3 different, 4 altered."""
        return {"equal": 0, "different": 3, "altered": 4}[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "study": str(self.study),
            "run": self.run,
            "verdict": self.verdict,
            "pack": list(self.pack),
            "files": [asdict(file) | {"same": file.is_same} for file in self.files],
            "metrics_compared": self.count,
            "metrics": [_describe_metric(one) for one in self.metrics],
            "columns": [asdict(column) for column in self.columns],
            "largest_weight_difference": self.weights,
            "others": list(self.others),
            "conditions": [asdict(condition) for condition in self.conditions],
            "alterations": list(self.alterations),
            "notes": list(self.notes),
            "seconds": {"then": self.seconds[0], "now": self.seconds[1]},
            "kept": None if self.kept is None else str(self.kept),
        }


def _describe_metric(one: MetricDifference) -> dict[str, Any]:
    values = asdict(one) | {"difference": one.distance}
    return {name: None if _is_no_number(value) else value for name, value in values.items()}


def _is_no_number(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def compare_replay(
    layout: StudyLayout,
    found: RecordAsItIs,
    replayed: RunRecord,
    replay: StudyLayout,
    *,
    pack: tuple[str, ...],
    notes: tuple[str, ...] = (),
    kept: Path | None = None,
) -> Replay:
    """Hold the replay, whose files lie in the folder of `replay`, against the record of a run."""
    record, told = found.record, list(notes)
    files = tuple(match_files(layout, record, replayed, told))
    then, now = dict(_list_figures(record)), dict(_list_figures(replayed))
    metrics = tuple(_list_metric_differences(then, now))
    others = tuple(name for name in _OTHERS if getattr(record, name) != getattr(replayed, name))
    conditions = tuple(_list_conditions(record, replayed))
    alterations = (*found.alterations, *_find_altered(files, metrics, others, conditions))
    is_equal = _are_same(files, metrics, others)
    return Replay(
        study=layout.out,
        run=record.key,
        verdict="altered" if alterations else "equal" if is_equal else "different",
        pack=pack,
        files=files,
        count=len(then),
        metrics=metrics,
        columns=tuple(list_column_differences(layout, record, replay, files, told)),
        weights=compare_weights(layout, record, replay, files, told),
        others=others,
        conditions=conditions,
        alterations=alterations,
        notes=tuple(told),
        seconds=(record.seconds, replayed.seconds),
        kept=kept,
    )


def _are_same(files: Sequence[FileMatch], metrics: Sequence[object], others: Sequence[str]) -> bool:
    return all(file.is_same for file in files if file.counts) and not metrics and not others


_Place = tuple[int | None, str, str]


def _list_figures(record: RunRecord) -> Iterator[tuple[_Place, float]]:
    """Every figure of a record that the same training gives again, by epoch, part and metric."""
    for part, scores in (("test", record.test), ("valid", record.valid)):
        yield from _list_scores(None, part, scores)
    for point in record.epochs:
        yield from _list_epoch(point)


def _list_epoch(point: EpochPoint) -> Iterator[tuple[_Place, float]]:
    for name in ("train_loss", "learning_rate", "step"):
        yield (point.epoch, "train", name), float(getattr(point, name))
    yield from _list_scores(point.epoch, "valid", point.valid)
    yield from _list_scores(point.epoch, "test", point.test)


def _list_scores(epoch: int | None, part: str, scores: Scores | None) -> Iterator[tuple[_Place, float]]:
    yield from (((epoch, part, name), value) for name, value in (scores or {}).items())


def _list_metric_differences(
    then: Mapping[_Place, float], now: Mapping[_Place, float]
) -> Iterator[MetricDifference]:
    for place in dict.fromkeys((*then, *now)):
        recorded, replayed = then.get(place), now.get(place)
        both_none = recorded != recorded and replayed != replayed  # NaN, which equals nothing
        if recorded != replayed and not both_none:
            epoch, part, metric = place
            yield MetricDifference(part, metric, recorded, replayed, epoch)


def _list_conditions(record: RunRecord, replayed: RunRecord) -> Iterator[Condition]:
    parts = (
        (record.provenance, replayed.provenance, _VERSIONS),
        (record.execution, replayed.execution, _EXECUTION),
        (record.provenance, replayed.provenance, _MACHINE),
    )
    for then, now, names in parts:
        for key, name in names.items():
            if then is not None and now is not None and getattr(then, key) != getattr(now, key):
                yield Condition(name, _say(getattr(then, key)), _say(getattr(now, key)))


def _say(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "all" if value is None else str(value)


def _find_altered(
    files: tuple[FileMatch, ...],
    metrics: tuple[MetricDifference, ...],
    others: tuple[str, ...],
    conditions: tuple[Condition, ...],
) -> Iterator[str]:
    """A record whose digests are those of the replay, and whose figures are not: both are functions of the
    same training, in the same versions."""
    counted = [file for file in files if file.counts]
    has_files = bool(counted) and all(file.is_same for file in counted)
    is_same_version = not {condition.name for condition in conditions} & set(_VERSIONS)
    if has_files and is_same_version and (metrics or others):
        names = dict.fromkeys((*(f"{one.part} {one.metric}" for one in metrics), *others))
        yield (
            f"record.json holds figures that are not the run's, {format_names(list(names))}: what they are "
            "computed from is equal to the bit, so it was changed, and its digest with it"
        )
