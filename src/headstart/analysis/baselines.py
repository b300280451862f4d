"""Pretrained arms compared with a baseline that has no checkpoint, such as a bag of words; says nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from headstart.analysis.contrasts import contrast_pairs
from headstart.analysis.judging import Judging
from headstart.analysis.scores import ArmScores, Cell
from headstart.config.arm_settings import is_adapted, is_pretrained
from headstart.config.study import Study
from headstart.config.traits import get_method_traits
from headstart.records import Contrast


def compare_with_baselines(
    study: Study, scores: Sequence[ArmScores], judging: Judging, seed: int
) -> tuple[Contrast, ...]:
    """The contrasts at the largest size of each pretrained arm with each baseline that is not the control.

    They are a family of their own: their intervals hold for all of them at once, and the study's own
    contrasts, which ask its question, keep their whole chance to err. No margin is about them.

    Args:
        scores: of the study's metric.
        seed: of sampled sign flips.
    """
    by_cell = {arm_scores.cell: arm_scores for arm_scores in scores}
    pairs = [
        (by_cell[arm], by_cell[base]) for arm, base in _list_pairs(study) if {arm, base} <= by_cell.keys()
    ]
    return contrast_pairs(pairs, replace(judging, margin=None), np.random.default_rng(seed))


def _list_pairs(study: Study) -> Iterator[tuple[Cell, Cell]]:
    size = study.sizes[-1]
    has_model = {name: get_method_traits(arm.method).has_checkpoint for name, arm in study.arms.items()}
    for baseline in (name for name in study.arms if not has_model[name] and name != study.control_arm):
        for name, arm in study.arms.items():
            if is_pretrained(arm) or is_adapted(arm):
                yield (name, size), (baseline, size)
