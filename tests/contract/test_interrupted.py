"""Ctrl-C in the midst of a study: what it says is true, and who repeats the command gets the same bits."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from headstart.cli import main
from headstart.events import Event, StepDone
from headstart.report import study_summary
from headstart.report.progress import StudyProgress

StudyFile = Callable[..., Path]
_ARMS = {"pretrained": {"init": "pretrained"}, "random": {"init": "random"}, "words": None}
_TRAINING = {"epochs": 4, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp64"}


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """What runs in the background of a shell ignores Ctrl-C, and so do its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _interrupt_at(step: int, number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Send this process a signal when it hears of this step; gives the first step heard of each run."""
    heard: dict[str, int] = {}
    on_event = StudyProgress.on_event

    def listen(self: StudyProgress, event: Event) -> None:
        on_event(self, event)
        if isinstance(event, StepDone):
            heard.setdefault(event.run.key, event.step)
            if event.step >= step:
                os.kill(os.getpid(), number)

    monkeypatch.setattr(StudyProgress, "on_event", listen)
    return heard


def _figures(out: Path) -> list[Any]:
    runs = json.loads((out / "results.json").read_text("utf-8"))["runs"]
    return [[run["arm"], run["seed"], run["test"], run["best_epoch"], run["epochs"]] for run in runs]


def _forget_times(figures: list[Any]) -> list[Any]:
    for *_, epochs in figures:
        for epoch in epochs or []:
            epoch.pop("seconds")
    return figures


@pytest.mark.parametrize(
    ("workers", "pack", "number"),
    [
        (0, 1, signal.SIGINT),
        (0, 2, signal.SIGTERM),
        pytest.param(2, 1, signal.SIGINT, marks=pytest.mark.long),
    ],
)
def test_an_interrupted_study_says_what_is_kept_and_resumes_from_there(
    workers: int,
    pack: int,
    number: signal.Signals,
    study_in: StudyFile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    changes = {"arms": _ARMS, "training": _TRAINING, "workers": workers, "pack": pack}
    for name in ("whole", "halted"):
        (tmp_path / name).mkdir()
    assert main(["run", str(study_in(tmp_path / "whole", **changes))]) == 0
    file = study_in(tmp_path / "halted", **changes)
    capsys.readouterr()
    with monkeypatch.context() as patch:
        _interrupt_at(19, number, patch)
        assert main(["run", str(file)]) == 128 + number
    shown = capsys.readouterr().err
    by = "" if number == signal.SIGINT else " by SIGTERM"
    assert f"interrupted{by}: 0 of 2 runs finished; repeat the command to resume\n" in shown
    kept = dict(re.findall(r"^  (\S+) is kept up to step (\d+), in epoch \d of 4$", shown, re.MULTILINE))
    for key in kept:
        assert (tmp_path / "halted" / "out" / "runs" / key / "checkpoint" / "state.safetensors").is_file()
    if workers == 0:
        assert set(kept.values()) == {"19"}, "not a step is lost"
        assert len(kept) == pack
    with monkeypatch.context() as patch:
        heard = _interrupt_at(10**9, number, patch)
        assert main(["run", str(file)]) == 0
    for key, step in kept.items():
        assert heard[key] > int(step), "no step is made again"
    whole, halted = (_forget_times(_figures(tmp_path / name / "out")) for name in ("whole", "halted"))
    assert halted == whole


def test_a_study_that_was_interrupted_before_it_trains_has_kept_nothing(
    study_file: StudyFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(self: StudyProgress, runs: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(StudyProgress, "begin", interrupt)
    assert main(["run", str(study_file(arms=_ARMS))]) == 130
    shown = capsys.readouterr().err
    assert shown.endswith("interrupted: 0 of 2 runs finished; repeat the command to resume\n")


_WORDS = {"words": {"method": "bag-of-words"}}
_DONE = "interrupted{by}: 1 of 1 run finished; repeat the command to see the findings\n"


@pytest.mark.parametrize(("number", "by"), [(signal.SIGINT, ""), (signal.SIGTERM, " by SIGTERM")])
@pytest.mark.parametrize("moment", ["closing line", "summary"])
def test_a_signal_when_all_is_written_says_so_and_is_the_exit_code(
    moment: str,
    number: signal.Signals,
    by: str,
    study_file: StudyFile,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log, render = StudyProgress.log, study_summary.render_study_summary

    def listen(self: StudyProgress, sentence: str) -> None:
        log(self, sentence)
        if moment == "closing line" and sentence.startswith("1 run"):
            os.kill(os.getpid(), number)

    def interrupt(*words: Any) -> Any:
        if moment == "summary":
            os.kill(os.getpid(), number)
        return render(*words)

    file = study_file(arms=_WORDS)
    with monkeypatch.context() as patch:
        patch.setattr(StudyProgress, "log", listen)
        patch.setattr(study_summary, "render_study_summary", interrupt)
        assert main(["run", str(file)]) == 128 + number
    assert capsys.readouterr().err.endswith(_DONE.format(by=by))
    before = _figures(file.parent / "out")
    assert main(["run", str(file)]) == 0
    assert _figures(file.parent / "out") == before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_python_drops_is_the_exit_code_too(
    study_file: StudyFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error in `__del__` goes nowhere: the command goes on to its end, and says then what it was sent."""

    class Dropped:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(StudyProgress, "begin", lambda self, runs: Dropped() and None)
    assert main(["run", str(study_file(arms=_WORDS))]) == 130
    shown = capsys.readouterr()
    assert "words" in shown.out
    assert shown.err.endswith("interrupted by SIGINT: no partial files are left\n")
