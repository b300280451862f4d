"""One process at a time writes into a study's folder; the others are refused, or wait."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import headstart
from hashed import hash_results
from headstart.cli import main
from headstart.store.runs import RunStore
from headstart.store.study_lock import hold_study_folder
from judged_studies import write_answered_study

StudyFile = Callable[..., Path]
ARMS = {"pretrained": {}, "random": {"init": "random"}, "words": {"method": "bag-of-words"}}
WORDS_ONLY = {"words": {"method": "bag-of-words"}}
BY_THIS = re.compile(r"/out: in use by this process \(process \d+ on host \S+, since \d{4}-.* UTC\)")
IN_USE = re.compile(r"/out: in use by another headstart: process \d+ on host \S+, since \d{4}-.* UTC\n")


def snapshot(out: Path) -> dict[str, bytes]:
    """All files with their content; of a lease that is held, which is renewed meanwhile, the name alone."""
    files = [path for path in out.rglob("*") if path.is_file()]
    return {str(path): b"" if path.suffix == ".held" else path.read_bytes() for path in files}


def start(*words: object) -> subprocess.Popen[str]:
    """A `headstart` of its own."""
    command = [sys.executable, "-m", "headstart", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("words", [[], ["--until-decided", "50"]])
def test_a_run_is_refused_where_another_is_at_work_and_touches_nothing(
    study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    file = study_file(arms={**WORDS_ONLY, "more": {"method": "bag-of-words"}}, control="words")
    with hold_study_folder(tmp_path / "out"):
        before = snapshot(tmp_path / "out")
        assert main(["run", str(file), *words]) == 2
        assert snapshot(tmp_path / "out") == before
    said = capsys.readouterr().err
    assert BY_THIS.search(said)
    assert "fix: let that call end first, or name another folder: out=FOLDER" in said


def test_a_run_is_refused_where_another_process_is_at_work(study_file: StudyFile, tmp_path: Path) -> None:
    file = study_file(arms=WORDS_ONLY)
    with hold_study_folder(tmp_path / "out"):
        said = start("run", file).communicate(timeout=300)[1]
    assert IN_USE.search(said)
    assert "fix: wait for it (--wait, or wait=True in Python), or name another folder: out=FOLDER" in said


def test_who_only_reads_is_never_refused(
    study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = study_file(arms={**WORDS_ONLY, "more": {"method": "bag-of-words"}}, control="words", seeds=[0, 1])
    assert main(["run", str(file)]) == 0
    with hold_study_folder(tmp_path / "out"):
        for words in (["plan", file], ["compare", tmp_path / "out"]):
            assert main([str(word) for word in words]) == 0
        main(["power", str(tmp_path / "out")])
    assert "in use" not in capsys.readouterr().err


def test_a_sheet_is_not_written_while_a_run_is_at_work(tmp_path: Path) -> None:
    store: RunStore = write_answered_study(tmp_path / "out")
    with (
        hold_study_folder(store.out),
        pytest.raises(headstart.HeadstartError, match="in use by this process"),
    ):
        headstart.judge_pairs(store.out, tmp_path / "sheet.csv", arm="tuned")
    assert not (tmp_path / "sheet.csv").exists()
    assert not store.judging_folder.exists()
    headstart.judge_pairs(store.out, tmp_path / "sheet.csv", arm="tuned")


@pytest.mark.parametrize("words", [pytest.param([], marks=pytest.mark.long), ["--wait"]])
def test_two_runs_at_once_give_what_one_gives(
    study_file: StudyFile, tmp_path: Path, words: list[str]
) -> None:
    file = study_file(arms=ARMS, seeds=[0], workers=0)
    # A process of its own too: the threads of this one are others', and bits hang on their number.
    alone = start("run", file, f"out={tmp_path / 'alone'}")
    said = alone.communicate(timeout=300)[1]
    assert alone.returncode == 0, said
    both = [start("run", file, *words) for _ in range(2)]
    said = "".join(process.communicate(timeout=300)[1] for process in both)
    codes = sorted(process.returncode for process in both)
    assert codes == ([0, 0] if words else [0, 2]), said
    assert ("waiting for process" if words else "in use by another headstart: process") in said
    assert hash_results(tmp_path / "out") == hash_results(tmp_path / "alone")
    assert [path.name for path in (tmp_path / "out").rglob(".*")] == [".headstart"]


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_a_run_goes_on_at_once_where_one_was_ended_and_no_worker_outlives_it(
    study_file: StudyFile, tmp_path: Path, number: signal.Signals
) -> None:
    study = study_file(arms={"pretrained": {}, "words": None}, workers=1, training={"epochs": 4000})
    first = start("run", study)
    steps = tmp_path / "out" / "tensorboard"
    deadline = time.monotonic() + 240
    while not any(steps.rglob("events*")):  # it trains
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    family = psutil.Process(first.pid).children(recursive=True)
    os.kill(first.pid, number)
    said = first.communicate(timeout=60)[1]
    assert first.returncode == (-9 if number == signal.SIGKILL else 143), said
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []
    held = [path.suffix for path in (tmp_path / "out" / ".headstart").glob("folder.*.*")]
    assert held == [".held" if number == signal.SIGKILL else ".free"]
    with hold_study_folder(tmp_path / "out"):  # without waiting
        assert not (tmp_path / "out/runs/pretrained/all/0/record.json").exists()


def test_an_out_that_holds_the_study_file_is_refused(
    study_file: StudyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By whatever path; and so is one that holds another study file of the user's."""
    file = study_file(arms=WORDS_ONLY, out=".")
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "other.yaml").write_bytes(file.read_bytes())
    monkeypatch.chdir(tmp_path)
    before = snapshot(tmp_path)
    calls = [[str(file)], *([str(file), f"out={out}"] for out in (".", tmp_path, "link", "below/.."))]
    for words in (*calls, ["below/other.yaml", "out=."]):
        for command in ("plan", "run"):
            assert main([command, *words]) == 2
            assert (
                "study file that headstart did not write, and would be overwritten" in capsys.readouterr().err
            )
    assert snapshot(tmp_path) == before


def test_the_study_file_that_a_run_left_can_be_run_again(study_file: StudyFile, tmp_path: Path) -> None:
    assert main(["run", str(study_file(arms=WORDS_ONLY))]) == 0
    assert main(["run", str(tmp_path / "out" / "study.yaml"), "seeds=2"]) == 0
    assert len(list(RunStore(tmp_path / "out").read_records())) == 2
