"""What MLflow's own client finds of runs, in a database on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headstart.config.trackers import MlflowSettings
from headstart.trackers.mlflow import MlflowTracker
from tracked_runs import CURVES, list_events, make_run, make_tracked, tell

pytest.importorskip("mlflow")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> MlflowSettings:
    """One database for all tests: making its tables takes seconds."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    return MlflowSettings(tracking_uri=f"sqlite:///{file}", experiment="tests")


def find_runs(settings: MlflowSettings, out: Path) -> dict[str, Any]:
    """The runs of the study in `out`, by name."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=settings.tracking_uri)
    experiment = client.get_experiment_by_name("tests")
    assert experiment is not None
    study = make_tracked(out).study.id
    runs = client.search_runs([experiment.experiment_id], f"tags.`headstart.id` LIKE '{study}%'")
    assert len({run.info.run_name for run in runs}) == len(runs), "no run is there twice"
    return {run.info.run_name: run for run in runs}


def read_curves(settings: MlflowSettings, run: Any) -> dict[str, list[tuple[int, float]]]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=settings.tracking_uri)
    history = {tag: client.get_metric_history(run.info.run_id, tag) for tag in run.data.metrics}
    return {tag: sorted((one.step, one.value) for one in points) for tag, points in history.items()}


def track(out: Path, settings: MlflowSettings, **events: Any) -> None:
    tracked = make_tracked(out)
    tell(MlflowTracker(tracked, settings), list_events(tracked.run, **events))


def test_a_study_is_one_run_and_its_runs_are_nested_in_it(tmp_path: Path, settings: MlflowSettings) -> None:
    study = make_tracked(tmp_path).study
    MlflowTracker.begin_study(study, settings, [])
    track(tmp_path, settings)
    random = make_run(tmp_path, "random")
    tracker = MlflowTracker(make_tracked(tmp_path, random), settings)
    tell(tracker, list_events(random, epochs=1, status="failed"))
    MlflowTracker.end_study(study, settings, "finished")
    runs = find_runs(settings, tmp_path)
    assert runs.keys() == {"study", "pretrained/all/0", "random/all/0"}
    done, failed = runs["pretrained/all/0"], runs["random/all/0"]
    assert (
        done.data.tags["mlflow.parentRunId"]
        == runs["study"].info.run_id
        == failed.data.tags["mlflow.parentRunId"]
    )
    assert [run.info.status for run in (runs["study"], done, failed)] == ["FINISHED", "FINISHED", "FAILED"]
    assert (done.data.params["arm"], done.data.params["learning_rate"]) == ("pretrained", "3e-05")
    assert (done.data.tags["best_epoch"], failed.data.tags["error"]) == ("1", "it broke")
    assert read_curves(settings, done) == CURVES


def test_a_later_call_goes_on_with_the_run_and_tells_nothing_twice(
    tmp_path: Path, settings: MlflowSettings
) -> None:
    MlflowTracker.begin_study(make_tracked(tmp_path).study, settings, [])
    track(tmp_path, settings, epochs=1, status=None)
    assert find_runs(settings, tmp_path)["pretrained/all/0"].info.status == "KILLED"
    MlflowTracker.begin_study(make_tracked(tmp_path).study, settings, [])
    track(tmp_path, settings)  # from its start: the saved state was before it
    run = find_runs(settings, tmp_path)["pretrained/all/0"]
    assert run.info.status == "FINISHED"
    assert read_curves(settings, run) == CURVES


def test_without_a_place_runs_lie_in_the_studys_folder(
    tmp_path: Path, settings: MlflowSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is looked at first: the study file, the environment, the folder."""
    import shutil

    file = str(settings.tracking_uri).removeprefix("sqlite:///")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(file, tmp_path / "mlflow.db")
    track(tmp_path, MlflowSettings(experiment="here"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
    track(tmp_path, MlflowSettings(experiment="there"))
    from mlflow import MlflowClient

    own = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert own.get_experiment_by_name("here") is not None
    assert own.get_experiment_by_name("there") is None
