"""Turns rows into labelled examples; raises errors for unusable data, and warns of doubtful data."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace

from headstart.config.study import Data, Study
from headstart.data.corpus import PARTS, Corpus, Examples
from headstart.data.equal_texts import find_duplicates, find_leaks, identify_rows
from headstart.data.groups import choose_group_column, group_texts
from headstart.data.labels.alike import find_alike
from headstart.data.labels.base import LabelType
from headstart.data.labels.registry import get_label_type
from headstart.data.leaked_groups import find_leaked_groups
from headstart.data.one_class import find_one_class
from headstart.data.row_table import RowTable
from headstart.data.sources import read_parts
from headstart.data.splits import split_rows
from headstart.data.training_texts import check_folds, number_groups
from headstart.errors import DataError
from headstart.records import StudyWarning, describe_wide_gaps
from headstart.stats.worth import find_wide_gaps


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
        if not len(rows[part]):
            raise DataError("no rows", where=f"data, part {part}", expected="at least one")
    names = label_type.collect_names(rows, data)
    parts = {part: _make_examples(rows[part], names, label_type, data) for part in PARTS}
    train = parts["train"]
    label_type.check_learnable(train.labels, names)
    _check_sizes(train, study)
    parts["train"] = replace(train, groups=number_groups(rows["train"]))
    check_folds(parts["train"], data)
    keys = {part: identify_rows(rows[part], label_type, data) for part in PARTS}
    column = choose_group_column(data, label_type)
    grouped = group_texts(rows["test"], keys["test"].texts, data, column)
    parts["test"] = replace(parts["test"], groups=grouped.groups)
    warnings = (
        *(doubt for read in sources.values() for doubt in read.find_doubts()),
        *find_duplicates(keys, data),
        *grouped.warnings,
        *find_leaks(keys),
        *find_leaked_groups(rows, column, {part for part in PARTS if part not in sources}),
        *label_type.find_doubts(train.labels, names),
        *find_alike(names),
        *find_one_class(parts, names, label_type, study),
        *_find_size_gaps(train, study),
    )
    return Corpus(
        study.task, parts, names, warnings, grouped.source, label_type.identify_cells(given["train"])
    )


def _make_examples(rows: RowTable, names: Sequence[str], label_type: LabelType, data: Data) -> Examples:
    distinct, which = rows.find_distinct()
    labels = label_type.encode(distinct, names, data)[which]
    return Examples(rows.texts, labels, array("q", rows.ids.tobytes()))


def _check_sizes(train: Examples, study: Study) -> None:
    for size in study.sizes:
        if size != "all" and size > len(train):
            raise DataError(
                f"size {size} is more than the {len(train)} training examples",
                where="sizes",
                expected=f"at most {len(train)}, or all",
            )


def _find_size_gaps(train: Examples, study: Study) -> Iterator[StudyWarning]:
    """Sizes too far apart to read label worth between."""
    sizes = sorted({len(train) if size == "all" else size for size in study.sizes})
    gaps = find_wide_gaps(sizes)
    if gaps and study.control_arm is not None:
        yield StudyWarning(kind="sizes-apart", message=f"sizes: {describe_wide_gaps(gaps, 'labels')}")
