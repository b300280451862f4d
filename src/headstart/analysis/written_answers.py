"""Collects what a study's language models wrote: metrics of answers by arm, and two answers to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Final

from headstart.analysis.study_runs import StudyRuns
from headstart.config.metrics import LOWER_IS_BETTER
from headstart.config.traits import get_method_traits, get_task_traits
from headstart.records import RunRecord
from headstart.records.answers import AnswerRow, AnswerSample, WrittenAnswers
from headstart.store.answer_columns import AnsweredPrompts, read_answered_prompts
from headstart.store.predictions import PREDICTIONS_FILE

#: Prompts that are shown.
_SHOWN: Final = 2
GetFolder = Callable[[str], Path]


def collect_answers(runs: StudyRuns, get_folder: GetFolder) -> WrittenAnswers | None:
    """What arms wrote after training on most examples; None of a study that writes nothing.

    Args:
        get_folder: gives the folder of a run by its key.

    Raises:
        DamagedFileError: a file of answers cannot be read.
    """
    study = runs.study
    if not get_task_traits(study.task).generates:
        return None
    by_arm = {arm: runs.select_chosen(arm, study.sizes[-1]) for arm in study.arms}
    rows = tuple(_make_row(arm, done) for arm, done in by_arm.items() if done)
    tuned = [done for arm, done in by_arm.items() if done and _has_steps(runs, arm)]
    best = max(tuned, key=lambda done: _rate(done, study.metric), default=None)
    untrained = [run for arm, done in by_arm.items() if not _has_steps(runs, arm) for run in done]
    samples = () if best is None else tuple(_pick_samples(best[0], untrained, get_folder))
    return WrittenAnswers(rows=rows, samples=samples[:_SHOWN])


def _has_steps(runs: StudyRuns, arm: str) -> bool:
    return get_method_traits(runs.study.arms[arm].method).has_steps


def _make_row(arm: str, done: Sequence[RunRecord]) -> AnswerRow:
    means = {metric: _average(done, metric) for metric in ("chrf", "exact_match", "stopped")}
    return AnswerRow(arm=arm, size=done[0].size, n_seeds=len(done), **means)


def _average(done: Sequence[RunRecord], metric: str) -> float | None:
    values = [run.test[metric] for run in done if run.test and metric in run.test]
    return fmean(values) if values else None


def _rate(done: Sequence[RunRecord], metric: str) -> float:
    """The mean test metric, higher for better."""
    mean = _average(done, metric)
    if mean is None or mean != mean:
        return float("-inf")
    return -mean if metric in LOWER_IS_BETTER else mean


def _pick_samples(
    run: RunRecord, untrained: Sequence[RunRecord], get_folder: GetFolder
) -> Iterator[AnswerSample]:
    """The first test prompts, answered before by an arm that is not trained; then the study's own samples."""
    after = _read_answers(run, get_folder)
    before = next(filter(None, (_read_answers(other, get_folder) for other in untrained)), None)
    if after is not None and before is not None:
        earlier = dict(zip(before.ids, before.answers, strict=True))
        texts = zip(after.ids, after.prompts, after.references, after.answers, strict=True)
        for number, prompt, reference, answer in texts:
            yield AnswerSample(
                run=run.key, prompt=prompt, reference=reference, before=earlier.get(number), after=answer
            )
    for sample in run.samples:
        yield AnswerSample(
            run=run.key, prompt=sample.prompt, reference=None, before=sample.before, after=sample.after
        )
    if after is not None and before is None:
        for prompt, reference, answer in zip(after.prompts, after.references, after.answers, strict=True):
            yield AnswerSample(run=run.key, prompt=prompt, reference=reference, before=None, after=answer)


def _read_answers(run: RunRecord, get_folder: GetFolder) -> AnsweredPrompts | None:
    """None where the file was deleted, or has no prompt."""
    file = get_folder(run.key) / PREDICTIONS_FILE
    answers = read_answered_prompts(file) if file.is_file() else None
    return answers if answers is not None and answers.ids else None
