"""Finds parts, and training subsets, in which all labels are the same: nothing can be told apart there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from headstart.config.sizes import Size
from headstart.config.study import Study
from headstart.data.corpus import Examples, Part
from headstart.data.labels.base import LabelType
from headstart.data.training_texts import draw_training_texts
from headstart.records import StudyWarning

#: Drawn subsets of labels that are not stratified have several values beyond this size.
_LARGEST_UNSTRATIFIED = 50


def find_one_class(
    parts: Mapping[Part, Examples], names: tuple[str, ...], label_type: LabelType, study: Study
) -> Iterator[StudyWarning]:
    """Warns of valid or test examples, or a run's training examples, of a single class (or number)."""
    for part in ("valid", "test"):
        only = label_type.find_only_value(parts[part].labels, names)
        if only is not None and len(parts[part]) > 1:  # of a single text its number says it
            yield _warn(
                f"all {len(parts[part])} texts of {part} have {only}: scores on them mean little; use "
                f"texts with different labels for {part}"
            )
    for size in study.sizes:
        yield from _find_in_subsets(size, parts["train"], names, label_type, study)


def _find_in_subsets(
    size: Size, train: Examples, names: tuple[str, ...], label_type: LabelType, study: Study
) -> Iterator[StudyWarning]:
    if not _may_have_one_class(size, train, study):
        return
    drawn = {seed: draw_training_texts(train, size, seed, study.data) for seed in study.seeds}
    only = {seed: label_type.find_only_value(train.labels[index], names) for seed, index in drawn.items()}
    seeds = [seed for seed, value in only.items() if value is not None]
    if seeds:
        yield _warn(
            f"size {size}: in {len(seeds)} of {len(only)} seeds all training examples have the same label "
            f"(seed {seeds[0]}: {only[seeds[0]]}), so nothing can be learnt from them; use larger sizes"
        )


def _may_have_one_class(size: Size, train: Examples, study: Study) -> bool:
    """False where it is known without drawing that texts of several classes are drawn."""
    if size == "all":
        return study.data.training_texts != "fixed"
    if train.labels.ndim == 1 and train.labels.dtype == np.int64:
        counts = np.sort(np.bincount(train.labels))
        # Stratified subsets have nearly the proportions of the whole.
        return len(counts) > 1 and bool(size * counts[-2] <= 2 * counts[-1])
    return size <= _LARGEST_UNSTRATIFIED


def _warn(message: str) -> StudyWarning:
    return StudyWarning(kind="one-class", message=message)
