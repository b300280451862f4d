"""Going on in a study's folder: what may change, what may not, and what an interruption leaves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headstart.cli import main
from headstart.events import EpochDone, Event, StepDone

StudyFile = Callable[..., Path]


@pytest.fixture
def ended(study_file: StudyFile) -> Path:
    """The file of a study with one neural arm that has been run."""
    file = study_file(arms={"pretrained": {"init": "pretrained"}, "words": None})
    assert main(["run", str(file)]) == 0
    return file


def _refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(words) == 2
    return capsys.readouterr().err


def _plan(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What `plan` prints, which writes nothing and so may look at any study."""
    capsys.readouterr()
    assert main(["plan", *words]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_texts_that_changed_since_are_refused(ended: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ended.parent / "reviews" / "train.jsonl"
    data.write_text(data.read_text("utf-8").replace("film", "book"), encoding="utf-8")
    assert "`run` needs another folder" in _plan([str(ended), "seeds=2"], capsys)
    message = _refused(["run", str(ended), "seeds=2"], capsys)
    assert "run pretrained/all/0 was trained with other data: a file has changed since" in message


def _append_space(file: str) -> Callable[[Path], None]:
    def change(model: Path) -> None:
        (model / file).write_text((model / file).read_text("utf-8") + " ", encoding="utf-8")

    return change


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda model: _nudge(model), "model.safetensors"),
        (_append_space("tokenizer_config.json"), "tokenizer_config.json"),
        (_append_space("config.json"), "config.json"),
    ],
)
def test_a_checkpoint_that_was_changed_since_is_refused(
    change: Callable[[Path], None],
    name: str,
    study_file: StudyFile,
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    file = study_file(model=str(model), arms={"pretrained": {"init": "pretrained"}, "words": None})
    assert main(["run", str(file)]) == 0
    assert main(["plan", str(file), "seeds=2"]) == 0
    change(model)
    message = " ".join(_refused(["run", str(file), "seeds=2"], capsys).split())
    assert f"was trained with another checkpoint: {name} has changed since" in message


def _nudge(model: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(model / "model.safetensors")
    first = sorted(weights)[0]
    save_file(weights | {first: weights[first] + 1}, model / "model.safetensors", metadata={"format": "pt"})


def test_an_arms_own_setting_counts_even_where_it_is_the_default(
    ended: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = [str(ended), "arms.pretrained.training.epochs=3"]
    assert "`run` needs another folder" in _plan(changed, capsys)
    message = _refused(["run", *changed], capsys)
    assert "arms.pretrained.epochs was 1, is 3" in message


def test_a_model_that_was_not_promoted_is_promoted_by_the_next_call(ended: Path) -> None:
    out = ended.parent / "out"
    best = out / "models" / "pretrained"
    best.rename(out / "runs" / "pretrained" / "all" / "0" / "model")
    assert main(["run", str(ended)]) == 0
    assert json.loads((best / "headstart.json").read_text("utf-8"))["run"] == "pretrained/all/0"


class _InterruptedError(BaseException):
    """What a key stroke or a lost machine does."""


def _interrupt_at(epoch: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have every state kept, and training end with the given epoch; gives the steps made since."""
    from headstart.training import resume as keep
    from headstart.training.curves import Curves

    monkeypatch.setattr(keep, "SAVE_INTERVAL", 0.0)
    monkeypatch.setattr(keep, "MAX_TIME_SHARE", float("inf"))
    show, steps = Curves.on_event, list[int]()

    def on_event(self: Any, event: Event) -> None:
        if isinstance(event, StepDone):
            steps.append(event.step)
        show(self, event)
        if isinstance(event, EpochDone) and event.epoch.epoch == epoch and steps:
            raise _InterruptedError

    monkeypatch.setattr(Curves, "on_event", on_event)
    return steps


@pytest.mark.parametrize("pack", [pytest.param(1, marks=pytest.mark.long), 2])
def test_a_run_goes_on_where_it_was_interrupted(
    pack: int, study_in: StudyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {
        "arms": {"pretrained": {"init": "pretrained"}, "random": {"init": "random"}, "words": None},
        "training": {"epochs": 4, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp64"},
        "pack": pack,
    }
    (tmp_path / "whole").mkdir()
    (tmp_path / "halted").mkdir()
    assert main(["run", str(study_in(tmp_path / "whole", **changes))]) == 0
    file = study_in(tmp_path / "halted", **changes)
    with monkeypatch.context() as patch:
        _interrupt_at(3, patch)
        with pytest.raises(_InterruptedError):
            main(["run", str(file)])
        states = list((tmp_path / "halted" / "out" / "runs").glob("*/all/0/checkpoint/state.safetensors"))
        assert len(states) == pack
    with monkeypatch.context() as patch:
        steps = _interrupt_at(99, patch)
        assert main(["run", str(file)]) == 0
    assert min(steps[:pack]) == 17, "the first two epochs, of 8 steps, are not made again"
    assert _figures(tmp_path / "halted") == _figures(tmp_path / "whole")
    assert not list((tmp_path / "halted" / "out" / "runs").glob("*/*/*/checkpoint"))


def test_a_state_whose_weights_lie_in_another_order_is_not_taken_and_that_is_recorded(
    study_file: StudyFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As one that another version wrote: its rows would be read as other parameters."""
    training = {"epochs": 3, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp64"}
    file = study_file(arms={"pretrained": {"init": "pretrained"}, "words": None}, training=training)
    with monkeypatch.context() as patch:
        # No linear maps: so their weights do not lie side by side.
        patch.setattr("headstart.engine.weights_layout.is_linear_map", lambda module: False)
        _interrupt_at(2, patch)
        with pytest.raises(_InterruptedError):
            main(["run", str(file)])
    assert list((file.parent / "out" / "runs").glob("*/all/0/checkpoint/state.safetensors"))
    steps = _interrupt_at(99, monkeypatch)
    assert main(["run", str(file)]) == 0
    assert steps[0] == 1
    (record,) = [run for run in _read_runs(file.parent) if run["arm"] == "pretrained"]
    (warning,) = [one for one in record["warnings"] if one["kind"] == "state-not-used"]
    assert warning["message"].startswith(
        "run pretrained/all/0 restarted from the beginning: the saved training state is from other"
    )
    assert capsys.readouterr().err.count(warning["message"]) == 1


def _read_runs(folder: Path) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = json.loads((folder / "out" / "results.json").read_text("utf-8"))["runs"]
    return runs


def _figures(folder: Path) -> list[Any]:
    runs = json.loads((folder / "out" / "results.json").read_text("utf-8"))["runs"]
    return [[run["arm"], run["test"], run["best_epoch"], [e["valid"] for e in run["epochs"]]] for run in runs]


def test_confounded_arms_are_named_by_line(study_file: StudyFile, capsys: pytest.CaptureFixture[str]) -> None:
    arms = {"pretrained": {"init": "pretrained", "training": {"epochs": 2}}, "random": {"init": "random"}}
    file = study_file(arms=arms)
    line = 1 + file.read_text("utf-8").splitlines().index("      epochs: 2")
    message = _refused(["run", str(file)], capsys)
    assert f"{file}:{line}: arms.pretrained.training.epochs: is 2 for pretrained and 1" in message
