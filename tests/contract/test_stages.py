"""What a person sees from the first second on, with standard error in a pipe: a plain line for each stage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headstart.cli import main, stages

StudyFile = Callable[..., Path]
_ARMS = {"pretrained": {"init": "pretrained"}, "words": {"method": "bag-of-words"}}


def _run(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[str, list[str]]:
    """What the command prints on standard output, and its lines on standard error."""
    capsys.readouterr()
    assert main(words) == 0
    shown = capsys.readouterr()
    assert all(character == "\n" or character.isprintable() for character in shown.err)
    return shown.out, shown.err.splitlines()


def _find_in_order(lines: list[str], beginnings: list[str]) -> None:
    """See that there are lines that begin so, in this order."""
    places = [next((i for i, line in enumerate(lines) if line.startswith(one)), -1) for one in beginnings]
    assert -1 not in places, (beginnings, lines)
    assert places == sorted(places), (beginnings, lines)


@pytest.fixture
def study(study_file: StudyFile) -> Path:
    return study_file(arms=_ARMS)


def _list_first(study: Path, model: str) -> list[str]:
    reviews = study.parent / "reviews"
    return [
        f"reading {study}",
        "loading PyTorch",
        *(f"reading {reviews / f'{part}.jsonl'}" for part in ("train", "valid", "test")),
        f"opening {model}",
        f"loading the weights of {model}",
        f"tokenising 104 texts for {model}",
        "hashing the files of ",
        "estimating memory and disk",
    ]


def test_a_run_tells_each_stage_before_it_trains(
    study: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, lines = _run(["run", str(study)], capsys)
    first = _list_first(study, str(tiny_model))
    assert lines[0] == first[0]
    _find_in_order(lines, [*first, "pretrained/all/0: epoch 1", "pretrained/all/0: valid", "comparing arms"])


@pytest.mark.parametrize("probe", [False, True])
def test_a_plan_tells_each_stage_and_its_json_stays_whole(
    probe: bool, study: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, lines = _run(["plan", str(study), "--json", *(["--probe"] if probe else [])], capsys)
    assert out.startswith("{")
    assert out.endswith("}\n")
    timed = ["starting 1 worker process", "timing training steps of pretrained"] if probe else []
    _find_in_order(lines, [*_list_first(study, str(tiny_model)), *timed])


def test_what_takes_less_than_a_second_says_nothing(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And all that takes longer says what it does."""
    assert main(["run", str(study)]) == 0
    out = study.parent / "out"
    model, texts, labelled = (
        out / "models" / "pretrained",
        study.parent / "new.jsonl",
        study.parent / "p.jsonl",
    )
    texts.write_text('{"text": "a film"}\n', "utf-8")
    told = {
        ("compare", str(out)): [f"reading {out}", "comparing arms"],
        ("predict", str(model), str(texts), "-o", str(labelled)): [
            "loading PyTorch",
            f"loading {model}",
            f"labelling the texts of {texts}",
        ],
    }
    for words, beginnings in told.items():
        with monkeypatch.context() as patch:
            patch.setattr(stages, "_PATIENCE", 0.0)
            _find_in_order(_run([*words], capsys)[1], beginnings)
        labelled.unlink(missing_ok=True)
        with monkeypatch.context() as patch:
            patch.setattr(stages, "_PATIENCE", 600.0)
            assert _run([*words], capsys)[1] == []
