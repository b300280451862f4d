"""Opens where scores are read from: the folder of a study, or a file with a table of scores."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from headstart.analysis.grid_search import describe_choice
from headstart.analysis.judging import Judging, choose_judging, find_margin, list_earlier_looks
from headstart.analysis.outcomes import find_collapses, list_outcomes
from headstart.analysis.ranking import find_left_out
from headstart.analysis.references import find_reference
from headstart.analysis.score_files import read_score_file
from headstart.analysis.scores import ArmScores, collect_scores
from headstart.analysis.study_runs import StudyRuns, order_runs
from headstart.analysis.written_answers import collect_answers
from headstart.config.fairness import DIFFERS
from headstart.config.metrics import MetricInfo, describe_metric, settle_metric
from headstart.data.equal_texts import LEAK
from headstart.data.leaked_groups import GROUP_LEAK
from headstart.errors import HeadstartError
from headstart.os_faults import check_lookup
from headstart.records import Look, Margin, OutcomeRow, Reference, RunRecord, StoppingRule
from headstart.records.answers import WrittenAnswers
from headstart.stages import tell_stage
from headstart.stats.answers import count_unspaced
from headstart.store.answer_columns import read_answered_prompts
from headstart.store.predictions import PREDICTIONS_FILE, PredictionReader
from headstart.store.runs import RunStore


@dataclass(frozen=True)
class ScoreSource:
    """Scores of one metric, and the arm that is usually the control; of a table no `runs` are known.

    `judging` is what its verdicts go by, with the `margin` that the study states. `grid_choice` says how grid
    points were chosen; empty where nothing was tuned. `notes` say what of a file was not used. `left_out` is
    the arm that is not ranked among the others, as it starts from random weights.
    """

    scores: tuple[ArmScores, ...]
    metric: MetricInfo
    control: str
    judging: Judging
    runs: tuple[RunRecord, ...] = ()
    stopping_rule: StoppingRule | None = None
    margin: Margin | None = None
    grid_choice: str = ""
    earlier_looks: tuple[Look, ...] = ()
    notes: tuple[str, ...] = ()
    outcomes: tuple[OutcomeRow, ...] = ()
    left_out: str | None = None
    answers: WrittenAnswers | None = None
    reference: Reference | None = None

    def check_control(self, control: str | None) -> str:
        """The arm asked for, or the usual one.

        Raises:
            HeadstartError: there is no such arm.
        """
        arms = list(dict.fromkeys(arm_scores.arm for arm_scores in self.scores))
        control = control or self.control
        if control not in arms:
            raise HeadstartError(
                f"no arm is called {control!r}", where="--control", expected=f"one of {', '.join(arms)}"
            )
        return control


def open_source(path: Path, metric: str | None, lower_is_better: bool | None = None) -> ScoreSource:
    """The scores in the folder of a study, or in a table with columns arm, seed and a metric.

    Args:
        metric: the study's, or the only further column, by default.
        lower_is_better: what the user says of a metric whose name does not tell.

    Raises:
        HeadstartError: there is nothing, no such metric, or a row that cannot be read; it is not known which
            way the metric is better.
    """
    tell_stage(f"reading {path}")
    check_lookup(path)
    if not path.exists():
        raise HeadstartError(
            "no such file or folder",
            where=str(path),
            expected="the `out` folder of `headstart run`, or a file with columns arm, seed and a metric",
        )
    if path.is_dir():
        return _open_study(path, metric, lower_is_better)
    return _open_table(path, metric, lower_is_better)


def _open_table(file: Path, metric: str | None, lower_is_better: bool | None) -> ScoreSource:
    table = read_score_file(file, metric, lower_is_better=lower_is_better)
    arms = [arm_scores.arm for arm_scores in table.scores]
    control = "random" if "random" in arms else arms[0]
    ignored = ", ".join(table.ignored)
    notes = (f"The metric is {table.metric.name}; ignored columns: {ignored}.",) if ignored else ()
    left_out = "random" if "random" in arms else None
    judging = Judging(table.metric)
    return ScoreSource(table.scores, table.metric, control, judging, notes=notes, left_out=left_out)


def is_study(folder: Path) -> bool:
    """Whether a folder is one that `headstart run` wrote."""
    return RunStore(folder).study_file.is_file()


def _open_study(folder: Path, metric: str | None, lower_is_better: bool | None) -> ScoreSource:
    store = RunStore(folder)
    if not store.study_file.is_file():
        raise HeadstartError(
            "contains no study and no per-item results",
            where=str(folder),
            expected="the `out` folder of `headstart run`, or files of per-item results",
        )
    study = store.read_study()
    read = PredictionReader(store.get_run_folder)
    runs = order_runs(study, store.read_verified(study, read))
    metric = metric or study.metric
    if metric not in runs.metrics:
        raise HeadstartError(
            f"no run has a test {metric!r}",
            where="--metric",
            expected=f"one of {', '.join(runs.metrics) or 'none: no run is finished'}",
        )
    info = settle_metric(metric, lower_is_better, describe_metric(metric), str(folder))
    scores = tuple(collect_scores(runs, [metric], read)[metric])
    if not scores:  # as of a tuned study that stopped before the runs by which its arms are judged
        raise HeadstartError(
            f"none of the runs that count has a test {metric!r} yet",
            where=str(folder),
            fix="finish the study: repeat `headstart run` with its study file",
        )
    control = study.control_arm or scores[0].arm
    looks, rule = store.read_looks(), store.read_stopping_rule()
    margin = find_margin(study, metric, looks)
    return ScoreSource(
        scores,
        info,
        control,
        choose_judging(runs, metric, margin, rule, looks),
        tuple(runs.chosen),
        rule,
        margin,
        describe_choice(study),
        list_earlier_looks(looks, study.seeds),
        notes=(
            *_list_notes(runs, (DIFFERS,)),
            *_list_notes(runs, (LEAK, GROUP_LEAK)),
            *(_explain_unspaced(store, runs.chosen) if metric == "token_f1" else ()),
        ),
        left_out=find_left_out(study),
        outcomes=tuple(list_outcomes(runs, find_collapses(runs, read), read)),
        reference=find_reference(runs, read, store.read_label_statistics()),
        answers=collect_answers(runs, store.get_run_folder),
    )


def _list_notes(runs: StudyRuns, kinds: Collection[str]) -> Iterator[str]:
    """What the study and its records say of these kinds: in what arms differ from the control besides their
    claim, or what stands in train and in test."""
    warnings = (*runs.warnings, *(one for run in runs.chosen for one in run.warnings))
    return (one.message for one in dict.fromkeys(warnings) if one.kind in kinds)


def _explain_unspaced(store: RunStore, runs: Sequence[RunRecord]) -> Iterator[str]:
    """Where responses are in a script without spaces, what token F1 makes of them."""
    files = (store.get_run_folder(run.key) / PREDICTIONS_FILE for run in runs)
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        return
    references = read_answered_prompts(file).references
    if count := count_unspaced(references):
        yield (
            f"{count:,} of {len(references):,} responses are in a script without spaces between "
            "words: token F1 counts a whole sentence as one word. Prefer chrf."
        )
