"""Progress without a terminal: one plain line for each piece of news."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from headstart.config.runs import Run
from headstart.config.study import Training
from headstart.events import EpochDone, PacksPlanned, PackWork, RunEnded, RunStarted, StepDone
from headstart.records import EpochPoint, RunRecord, format_duration
from headstart.report.progress import StudyProgress

RUN = Run("tuned", "all", 0, "full", "m", True, Training())


def point(epoch: int, accuracy: float) -> EpochPoint:
    return EpochPoint(
        epoch=epoch,
        step=epoch,
        train_loss=0.5,
        learning_rate=1e-5,
        valid={"accuracy": accuracy},
        seconds=1.0,
    )


def record(*, error: str | None = None) -> RunRecord:
    done = {"best_epoch": 2, "valid": {"accuracy": 0.75}, "test": {"accuracy": 0.7}} if error is None else {}
    return RunRecord.model_validate(
        {
            "arm": "tuned",
            "size": "all",
            "seed": 0,
            "status": "failed" if error else "done",
            "train_examples": 8,
            "error": error,
            "seconds": 12.4,
            **done,
        }
    )


def news(ending: RunRecord) -> list[str]:
    """What a run of two epochs prints."""
    stream = StringIO()
    with StudyProgress("accuracy", Console(file=stream, width=40)) as progress:
        progress.log("2 texts are cut")
        progress.begin(1)
        progress.on_event(RunStarted(RUN))
        progress.on_event(StepDone(RUN, 1, 2, 0.6, 1e-5))
        progress.on_event(EpochDone(RUN, point(1, 0.5), point(1, 0.5)))
        progress.on_event(EpochDone(RUN, point(2, 0.75), point(2, 0.75)))
        progress.on_event(RunEnded(ending))
    return stream.getvalue().splitlines()


def test_each_epoch_and_each_run_is_one_line_however_narrow() -> None:
    assert news(record()) == [
        "2 texts are cut",
        "tuned/all/0: epoch 1: loss 0.500, valid accuracy 50.0",
        "tuned/all/0: epoch 2: loss 0.500, valid accuracy 75.0",
        "tuned/all/0: valid accuracy 75.0 (best epoch 2), test 70.0, 12 s; 1 of 1 runs finished",
    ]


def test_failed_run_says_why() -> None:
    assert news(record(error="loss [nan] at step 2"))[-1] == (
        "tuned/all/0: failed: loss [nan] at step 2; 1 of 1 runs finished"
    )


def test_baseline_names_no_epoch() -> None:
    assert news(record().model_copy(update={"best_epoch": None}))[-1] == (
        "tuned/all/0: valid accuracy 75.0, test 70.0, 12 s; 1 of 1 runs finished"
    )


def _watch_terminal(*rounds: int) -> tuple[StudyProgress, Console]:
    """Progress on a terminal, of as many runs as the last of these rounds holds."""
    console = Console(file=StringIO(), width=100, force_terminal=True)
    progress = StudyProgress("accuracy", console)
    for runs in rounds:
        progress.begin(runs)
    return progress, console


def test_a_terminal_shows_a_bar_for_the_study_and_one_for_each_run() -> None:
    progress, _ = _watch_terminal(4)
    progress.on_event(RunStarted(RUN))
    progress.on_event(EpochDone(RUN, point(1, 0.5), point(1, 0.5)))
    progress.on_event(StepDone(RUN, 3, 4, 0.25, 1e-5))
    study, run = progress._bars.tasks
    assert (study.completed, study.total) == (0, 4)
    assert (run.description, run.completed, run.total) == ("  tuned/all/0", 3, 4)
    assert run.fields["note"] == "loss 0.250, best valid accuracy 50.0 (epoch 1)"
    progress.on_event(RunEnded(record()))
    (study,) = progress._bars.tasks
    assert (study.completed, study.total) == (1, 4)


def _plan(seconds: float) -> PacksPlanned:
    work = tuple(PackWork((f"tuned/all/{seed}",), seconds, 0.0) for seed in range(4))
    return PacksPlanned(work, (), workers=1, is_timed=True)


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_bar_shows_the_time_left_once_it_is_known() -> None:
    clock = _Clock()
    progress = StudyProgress(
        "accuracy", Console(file=StringIO(), width=100, force_terminal=True, _environ={}), clock
    )
    progress.begin(4)
    progress.on_event(_plan(100.0))
    progress.on_event(RunStarted(RUN))
    notes = []
    for step in (1, 2, 3):
        clock.now += 10.0
        progress.on_event(StepDone(RUN, step, 10, 0.25, 1e-5))
        notes.append(progress._bars.tasks[0].fields["note"]())
    progress.hide()
    assert notes == ["", "about 6 min left", "about 6 min left"]


def test_the_time_left_goes_down_by_the_clock_while_nothing_is_told() -> None:
    """As while a run is tested: no event comes then. The bar is drawn all the time."""
    clock, stream = _Clock(), StringIO()
    progress = StudyProgress(
        "accuracy", Console(file=stream, width=100, force_terminal=True, _environ={}), clock
    )
    progress.begin(4)
    progress.on_event(_plan(100.0))
    progress.on_event(RunStarted(RUN))
    for step in (1, 2):
        clock.now += 10.0
        progress.on_event(StepDone(RUN, step, 10, 0.25, 1e-5))
    note = progress._bars.tasks[0].fields["note"]
    told = []
    for _ in range(5):
        told.append(note())
        clock.now += 100.0
    progress._bars.refresh()
    progress.hide()
    assert told[:2] == ["about 6 min left", "about 5 min left"]
    assert told[-1] == "almost done", "never below zero"
    assert "almost done" in stream.getvalue()


def test_a_log_tells_the_time_left_with_each_run_and_at_most_every_half_minute_without() -> None:
    clock, stream = _Clock(), StringIO()
    with StudyProgress("accuracy", Console(file=stream, width=40), clock) as progress:
        progress.begin(4)
        progress.on_event(_plan(100.0))
        progress.on_event(RunStarted(RUN))
        for step in range(1, 11):
            clock.now += 10.0
            progress.on_event(StepDone(RUN, step, 10, 0.25, 1e-5))
        progress.on_event(RunEnded(record()))
    assert stream.getvalue().splitlines() == [
        "0 of 4 runs finished, about 6 min left",
        "0 of 4 runs finished, about 6 min left",
        "0 of 4 runs finished, about 5 min left",
        "tuned/all/0: valid accuracy 75.0 (best epoch 2), test 70.0, 12 s; 1 of 4 runs finished, "
        "about 5 min left",
    ]


def test_stages_are_lines_of_a_log_until_runs_have_lines() -> None:
    stream = StringIO()
    with StudyProgress("accuracy", Console(file=stream, width=40)) as progress:
        progress.on_stage("reading a.jsonl")
        progress.on_stage("reading a.jsonl")
        progress.on_stage("tokenising 1,200 texts for a checkpoint with a very long name")
        progress.begin(1)
        progress.on_event(RunStarted(RUN))
        progress.on_stage("starting 2 worker processes")  # in place of one that died
        progress.on_event(RunEnded(record()))
        progress.on_stage("comparing arms")
    text = stream.getvalue()
    assert text.splitlines() == [
        "reading a.jsonl",
        "tokenising 1,200 texts for a checkpoint with a very long name",
        "tuned/all/0: valid accuracy 75.0 (best epoch 2), test 70.0, 12 s; 1 of 1 runs finished",
        "comparing arms",
    ]
    assert all(character == "\n" or character.isprintable() for character in text)


def test_a_run_that_begins_anew_has_one_bar() -> None:
    progress, _ = _watch_terminal(1)
    progress.on_event(RunStarted(RUN))
    progress.on_event(RunStarted(RUN))
    assert len(progress._bars.tasks) == 2


def test_another_round_of_runs_begins_the_bar_anew() -> None:
    progress, _ = _watch_terminal(3)
    progress.on_event(RunStarted(RUN))
    progress.on_event(RunEnded(record()))
    progress.begin(2)
    (study,) = progress._bars.tasks
    assert (study.completed, study.total) == (0, 2)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (5400, "1 h 30 min"), (7260, "2 h 01 min")],
)
def test_durations_are_said_as_people_do(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_a_run_that_only_chooses_has_a_key_of_its_own_and_no_test() -> None:
    ended = record().model_copy(update={"for_tuning": True, "test": None, "seed": 1000})
    assert (
        news(ended)[-1]
        == "tuned/all/tuning-1000: valid accuracy 75.0 (best epoch 2), 12 s; 1 of 1 runs finished"
    )
