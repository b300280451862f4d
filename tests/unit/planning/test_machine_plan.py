"""A plan on many machines by timed steps, by the folder's runs, or an honest word that nothing is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headstart import load_study, plan, run
from headstart.cli import main
from headstart.errors import HeadstartError
from headstart.planning.pack_seconds import RECORDS, STEPS

StudyFile = Callable[..., Path]


def test_without_a_probe_or_runs_nothing_is_invented(study_file: StudyFile) -> None:
    many = plan(load_study(study_file()), machines=8).machines
    assert many is not None
    assert many.unknown == "no step was timed: add --probe"
    assert (many.rows, many.bound, many.enough) == ((), None, None)


def test_a_gpu_that_is_not_here_is_not_guessed_at(study_file: StudyFile) -> None:
    many = plan(load_study(study_file(device="cpu")), machines=8, gpus=1, probe=True).machines
    assert many is not None
    assert "this machine has no GPU" in many.unknown
    assert (many.workers, many.device, many.rows) == (1, "cuda", ())


def test_timed_steps_are_shared_out(study_file: StudyFile) -> None:
    many = plan(load_study(study_file(workers=1)), machines=4, probe=True).machines
    assert many is not None
    assert many.sources == (STEPS,)
    assert many.packs == (3,)
    assert [row.machines for row in many.rows] == [1, 2, 4]
    first, last = many.rows[0].seconds, many.rows[-1].seconds
    assert last.high < first.high
    assert many.bound is not None
    assert many.bound.high <= last.high
    assert many.enough == 2, "two arms train, and a bag of words takes none"


def test_runs_on_record_come_first_and_need_no_probe(study_file: StudyFile) -> None:
    file = study_file(seeds=1)
    run(load_study(file))
    assert plan(load_study(file), machines=2).machines is None, "nothing is left to train"
    more = load_study(file, ["seeds=3"])
    for probe in (False, True):
        many = plan(more, machines=2, workers=1, probe=probe).machines
        assert many is not None
        assert many.sources == (RECORDS,)
        assert [row.machines for row in many.rows] == [1, 2]


def test_numbers_that_make_no_sense_are_refused_at_once(study_file: StudyFile) -> None:
    study = load_study(study_file())
    wrong: tuple[dict[str, Any], ...] = (
        {"machines": 0},
        {"machines": 10**9},
        {"machines": 1, "gpus": -1},
        {"gpus": 1},
        {"workers": 2},
    )
    for options in wrong:
        with pytest.raises(HeadstartError):
            plan(study, **options)


def test_the_command_prints_it_and_json_holds_it(
    study_file: StudyFile, capfd: pytest.CaptureFixture[str]
) -> None:
    file = str(study_file(workers=1))
    assert main(["plan", file, "--machines", "2", "--probe", "--json"]) == 0
    values = json.loads(capfd.readouterr().out)["machines"]
    assert (values["machines"], values["workers"], values["device"]) == (2, 1, "cpu")
    assert main(["plan", file, "--machines", "2", "--probe", "-q"]) == 0
    shown = " ".join(capfd.readouterr().out.split())
    assert "on 2 machines with 1 worker process each (CPU)" in shown
    assert "one machine more saves nothing: 2 machines are enough" in shown
    assert main(["plan", file, "--gpus", "1"]) == 2
    assert "machines as well" in capfd.readouterr().err
