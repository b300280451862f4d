"""Opens where scores are read from: the folder of a study, or a file with a table of scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from headstart.analysis.judging import Judging, choose_judging, find_margin
from headstart.analysis.outcomes import list_outcomes
from headstart.analysis.score_files import read_score_file
from headstart.analysis.scores import ArmScores, collect_scores
from headstart.analysis.study_runs import order_runs
from headstart.config.load import load_study
from headstart.errors import HeadstartError
from headstart.records import Margin, OutcomeRow, RunRecord, StoppingRule
from headstart.store.runs import RunStore


@dataclass(frozen=True)
class ScoreSource:
    """Scores of one metric, and the arm that is usually the control; of a table no `runs` are known.

    `judging` is what its verdicts go by, with the `margin` that the study states.
    """

    scores: tuple[ArmScores, ...]
    metric: str
    control: str
    judging: Judging
    runs: tuple[RunRecord, ...] = ()
    stopping_rule: StoppingRule | None = None
    margin: Margin | None = None
    outcomes: tuple[OutcomeRow, ...] = ()

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


def open_source(path: Path, metric: str | None) -> ScoreSource:
    """The scores in the folder of a study, or in a table with columns arm, seed and a metric.

    Args:
        metric: the study's, or the only further column, by default.

    Raises:
        HeadstartError: there is nothing, no such metric, or a row that cannot be read.
    """
    if not path.exists():
        raise HeadstartError(
            "no such file or folder",
            where=str(path),
            expected="the `out` folder of `headstart run`, or a file with columns arm, seed and a metric",
        )
    return _open_study(path, metric) if path.is_dir() else _open_table(path, metric)


def _open_table(file: Path, metric: str | None) -> ScoreSource:
    scores, metric = read_score_file(file, metric)
    arms = [arm_scores.arm for arm_scores in scores]
    control = "random" if "random" in arms else arms[0]
    return ScoreSource(tuple(scores), metric, control, Judging(metric))


def _open_study(folder: Path, metric: str | None) -> ScoreSource:
    store = RunStore(folder)
    if not store.study_file.is_file():
        raise HeadstartError(
            "holds no study", where=str(folder), expected="the `out` folder of `headstart run`"
        )
    study = load_study(store.study_file)
    runs = order_runs(study, list(store.read_records()))
    metric = metric or study.metric
    if metric not in runs.metrics:
        raise HeadstartError(
            f"no run has a test {metric!r}",
            where="--metric",
            expected=f"one of {', '.join(runs.metrics) or 'none: no run is done'}",
        )
    scores = tuple(collect_scores(runs, [metric], store.read_predictions)[metric])
    control = study.control_arm or scores[0].arm
    margin, rule = find_margin(study, metric), store.read_stopping_rule()
    judging = choose_judging(runs, metric, margin, rule)
    outcomes = tuple(list_outcomes(runs, scores))
    return ScoreSource(scores, metric, control, judging, tuple(runs.chosen), rule, margin, outcomes)
