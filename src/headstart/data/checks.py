"""Turns rows into labelled examples; raises errors for unusable data, and warns of doubtful data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from headstart.config.study import Data, Study
from headstart.data.corpus import PARTS, Corpus, Examples, Part, Row
from headstart.data.groups import choose_group_column, group_texts
from headstart.data.labels.alike import find_alike
from headstart.data.labels.base import LabelKey, LabelType
from headstart.data.labels.registry import get_label_type
from headstart.data.one_class import find_one_class
from headstart.data.sources import read_parts
from headstart.data.splits import split_rows
from headstart.data.texts import make_text_key
from headstart.data.training_texts import check_folds, number_groups
from headstart.errors import DataError
from headstart.records import StudyWarning, describe_wide_gaps
from headstart.stats.worth import find_wide_gaps
from headstart.wording import format_count


def load_corpus(study: Study) -> Corpus:
    """Read, split and check the study's data.

    Raises:
        DataError: anything that makes the study meaningless: empty text, a missing column, a label that
            training never shows, a single class, a number that is none.
    """
    data, label_type = study.data, get_label_type(study.task)
    sources = read_parts(data, study.task)
    given = label_type.settle({part: read.rows for part, read in sources.items()}, data)
    rows = split_rows(given, data.split, stratify=label_type.is_stratified)
    for part in PARTS:
        if not rows[part]:
            raise DataError("no rows", where=f"data, part {part}", expected="at least one")
    names = label_type.collect_names(rows, data)
    parts = {part: _make_examples(rows[part], names, label_type, data) for part in PARTS}
    train = parts["train"]
    label_type.check_learnable(train.labels, names)
    _check_sizes(train, study)
    parts["train"] = replace(train, groups=number_groups(rows["train"]))
    check_folds(parts["train"], data)
    grouped = group_texts(rows["test"], data, choose_group_column(data, label_type))
    parts["test"] = replace(parts["test"], groups=grouped.groups)
    warnings = (
        *(doubt for read in sources.values() for doubt in read.find_doubts()),
        *_find_duplicates(rows, data),
        *grouped.warnings,
        *_find_leaks(rows, label_type, data),
        *label_type.find_doubts(train.labels, names),
        *find_alike(names),
        *find_one_class(parts, names, label_type, study),
        *_find_size_gaps(train, study),
    )
    return Corpus(
        study.task, parts, names, warnings, grouped.source, label_type.identify_cells(given["train"])
    )


def _make_examples(
    rows: Sequence[Row], names: tuple[str, ...], label_type: LabelType, data: Data
) -> Examples:
    labels = label_type.encode(rows, names, data)
    return Examples([row.text for row in rows], labels, [row.id for row in rows])


def _check_sizes(train: Examples, study: Study) -> None:
    for size in study.sizes:
        if size != "all" and size > len(train):
            raise DataError(
                f"size {size} is more than the {len(train)} training texts",
                where="sizes",
                expected=f"at most {len(train)}, or all",
            )


def _find_size_gaps(train: Examples, study: Study) -> Iterator[StudyWarning]:
    """Sizes too far apart to read label worth between."""
    sizes = sorted({len(train) if size == "all" else size for size in study.sizes})
    gaps = find_wide_gaps(sizes)
    if gaps and study.control_arm is not None:
        yield StudyWarning(kind="sizes-apart", message=f"sizes: {describe_wide_gaps(gaps, 'labels')}")


def _find_duplicates(rows: dict[Part, list[Row]], data: Data) -> Iterator[StudyWarning]:
    for part in PARTS:
        count = len(rows[part]) - len({make_text_key(row.text) for row in rows[part]})
        if count:
            verb = "repeats" if count == 1 else "repeat"
            grouped = ": identical ones count as one group" if part == "test" and data.group else ""
            yield StudyWarning(
                kind="duplicates",
                message=f"{format_count(count, 'text')} of {part} ({_format_share(count, rows[part])}) "
                f"{verb} an earlier one of the same part{grouped}",
            )


def _find_leaks(rows: dict[Part, list[Row]], label_type: LabelType, data: Data) -> Iterator[StudyWarning]:
    """Examples of valid or test that are in train too, with the same or with another label."""
    seen: dict[str, set[LabelKey]] = defaultdict(set)
    for row in rows["train"]:
        seen[make_text_key(row.text)].add(label_type.make_key(row, data))
    for part in ("valid", "test"):
        leaked = [row for row in rows[part] if make_text_key(row.text) in seen]
        relabelled = sum(
            label_type.make_key(row, data) not in seen[make_text_key(row.text)] for row in leaked
        )
        if leaked:
            also = f", {relabelled} of them with another label" if relabelled else ""
            share, verb = _format_share(len(leaked), rows[part]), "is" if len(leaked) == 1 else "are"
            yield StudyWarning(
                kind="leak",
                message=f"{format_count(len(leaked), 'text')} of {part} ({share}) {verb} in train too{also}",
            )


def _format_share(count: int, rows: Sequence[Row]) -> str:
    return f"{100 * count / len(rows):.1f}%"
