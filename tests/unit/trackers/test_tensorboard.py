"""What TensorBoard's own reader finds in a run's file."""

from __future__ import annotations

import json
import re
import resource
import shutil
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.custom_scalar.custom_scalars_plugin import CustomScalarsPlugin
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

from headstart.cli.bugs import escape_tracebacks
from headstart.config.trackers import NoSettings
from headstart.events import EpochDone, RunEnded, RunStarted, StepDone
from headstart.os_faults import MachineError
from headstart.records import Sample
from headstart.trackers.base import Tracker
from headstart.trackers.tensorboard import TensorBoardTracker
from small_studies import make_record
from tracked_runs import CURVES, list_events, make_point, make_run, make_tracked, tell


def open_tracker(folder: Path, metric: str) -> TensorBoardTracker:
    tracked = replace(make_tracked(folder, metric=metric), folder=folder)
    return TensorBoardTracker(tracked, NoSettings())


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def read_curve(folder: Path, tag: str) -> list[tuple[int, Any]]:
    return [(event.step, pytest.approx(event.value)) for event in read(folder).Scalars(tag)]


def test_steps_have_their_loss_and_rate(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with closing(open_tracker(tmp_path, "accuracy")) as tracker:
        for step, loss in enumerate((0.7, 0.5), start=1):
            tracker.on_event(StepDone(run, step, 2, loss, 1e-3 / step))
    assert read_curve(tmp_path, "train/loss") == [(1, 0.7), (2, 0.5)]
    assert read_curve(tmp_path, "train/lr") == [(1, 1e-3), (2, 5e-4)]


def test_epochs_have_every_metric_and_those_of_the_best_so_far(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    points = [make_point(1, 0.5, 0.4), make_point(2, 0.8, 0.6), make_point(3, 0.7, 0.9)]
    with closing(open_tracker(tmp_path, "accuracy")) as tracker:
        for point, best in zip(points, (points[0], points[1], points[1]), strict=True):
            tracker.on_event(EpochDone(run, point, best))
    assert read_curve(tmp_path, "valid/accuracy") == [(1, 0.5), (2, 0.8), (3, 0.7)]
    assert read_curve(tmp_path, "valid/loss") == [(1, 0.5), (2, 0.2), (3, 0.3)]
    assert read_curve(tmp_path, "test/accuracy") == [(1, 0.4), (2, 0.6), (3, 0.9)]
    assert read_curve(tmp_path, "best/valid_accuracy") == [(1, 0.5), (2, 0.8), (3, 0.8)]
    # The test never chooses: 0.9 came at an epoch that was not the best on valid.
    assert read_curve(tmp_path, "best/test_accuracy") == [(1, 0.4), (2, 0.6), (3, 0.6)]


def test_without_test_curves_there_are_none(tmp_path: Path) -> None:
    with closing(open_tracker(tmp_path, "accuracy")) as tracker:
        tracker.on_event(EpochDone(make_run(tmp_path), make_point(1, 0.5), make_point(1, 0.5)))
    tags = read(tmp_path).Tags()["scalars"]
    assert sorted(tags) == ["best/valid_accuracy", "valid/accuracy", "valid/loss"]


SAMPLE = Sample(
    prompt="two | three\nhow many?",
    before="<b>one</b>",
    after="five",
    stopped_before=False,
    stopped_after=True,
)


def test_samples_of_a_run_that_ended_are_a_table_that_holds_its_cells(tmp_path: Path) -> None:
    with closing(open_tracker(tmp_path, "loss")) as tracker:
        tracker.on_event(RunEnded(make_record(samples=(SAMPLE,))))
    (event,) = read(tmp_path).Tensors("samples/0")
    assert event.tensor_proto.string_val[0].decode().splitlines() == [
        r"**two \| three how many?**",
        "",
        "| | answer | stopped |",
        "|-|-|-|",
        "| before | &lt;b&gt;one&lt;/b&gt; | no |",
        "| after | five | yes |",
    ]


def test_start_brings_nothing_to_show(tmp_path: Path) -> None:
    with closing(open_tracker(tmp_path, "accuracy")) as tracker:
        tracker.on_event(RunStarted(make_run(tmp_path)))
    assert read(tmp_path).Tags()["scalars"] == []
    assert read(tmp_path).Tags()["tensors"] == ["_hparams_/session_start_info"]


def test_what_was_told_is_on_disk_when_it_is_closed(tmp_path: Path) -> None:
    tracker: Tracker = open_tracker(tmp_path, "accuracy")
    tracker.on_event(StepDone(make_run(tmp_path), 1, 1, 0.5, 0.1))
    tracker.close()
    assert read_curve(tmp_path, "train/loss") == [(1, 0.5)]


def test_file_is_finished_though_the_block_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with closing(open_tracker(tmp_path, "accuracy")) as tracker:
            tracker.on_event(StepDone(make_run(tmp_path), 1, 1, 0.5, 0.1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert read_curve(tmp_path, "train/loss") == [(1, 0.5)]


def test_what_answers_are_worth_stands_at_the_epoch_that_was_chosen(tmp_path: Path) -> None:
    points = (make_point(1, 0.5), make_point(2, 0.8))
    valid = {"accuracy": 0.8, "loss": 0.2, "chrf": 61.5}
    record = make_record(epochs=points, best_epoch=2).model_copy(
        update={"valid": valid, "test": {"chrf": 60.0}}
    )
    with closing(open_tracker(tmp_path, "accuracy")) as tracker:
        tracker.on_event(RunEnded(record))
    assert read_curve(tmp_path, "valid/chrf") == [(2, 61.5)]
    assert read_curve(tmp_path, "test/chrf") == [(2, 60.0)]
    assert "valid/accuracy" not in read(tmp_path).Tags()["scalars"], "its epochs have brought that"


def test_a_run_without_training_stands_at_epoch_0(tmp_path: Path) -> None:
    with closing(open_tracker(tmp_path, "accuracy")) as tracker:
        tracker.on_event(RunEnded(make_record(best_epoch=0, valid=0.25)))
    for tag in ("valid/accuracy", "test/accuracy", "best/valid_accuracy", "best/test_accuracy"):
        assert read_curve(tmp_path, tag) == [(0, 0.25)]


def test_a_run_that_only_chooses_shows_nothing_of_the_test(tmp_path: Path) -> None:
    record = make_record(best_epoch=1, for_tuning=True).model_copy(update={"test": None})
    with closing(open_tracker(tmp_path, "accuracy")) as tracker:
        tracker.on_event(RunEnded(record))
    assert not any("test" in tag for tag in read(tmp_path).Tags()["scalars"])


def test_a_folder_that_is_removed_meanwhile_is_said_to_who_writes_and_leaves_no_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, folder = make_run(tmp_path), tmp_path / "curves"
    for module in (sys, threading):
        monkeypatch.setattr(module, "excepthook", module.excepthook)
    escape_tracebacks()  # as the command line does
    tracker = open_tracker(folder, "accuracy")
    shutil.rmtree(folder)

    def write() -> None:
        for step in range(100_000):
            tracker.on_event(StepDone(run, step, 100_000, 1.0, 0.1))
            tracker._writer.flush()

    with pytest.raises(OSError, match="curves"):
        write()
    assert capsys.readouterr().err == ""


def test_pages_on_a_full_disk_are_said_leave_no_trace_and_are_written_once_there_is_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages that were cut would else pass for whole: they are not written again."""
    study, run = make_tracked(tmp_path).study, make_run(tmp_path)
    for module in (sys, threading):
        monkeypatch.setattr(module, "excepthook", module.excepthook)
    escape_tracebacks()  # as the command line does
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for most in (0, 100):
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
        try:
            with pytest.raises((OSError, MachineError)):
                TensorBoardTracker.begin_study(study, NoSettings(), [run])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert capsys.readouterr().err == ""
    assert not list((tmp_path / "tensorboard").glob("*"))
    TensorBoardTracker.begin_study(study, NoSettings(), [run])
    (file,) = (tmp_path / "tensorboard").glob("*")
    assert len(list(EventFileLoader(str(file)).Load())) == 3, "the version, and both pages"


def serve(folder: Path) -> MultiplexerDataProvider:
    """What TensorBoard's server has of a folder."""
    events = EventMultiplexer()
    events.AddRunsFromDirectory(str(folder))
    events.Reload()
    return MultiplexerDataProvider(events, str(folder))


def write_study(out: Path) -> None:
    """A run that is done, one of another arm that failed, and what they share."""
    lora = {"method": "lora", "lora": {"r": 4}}
    runs = [make_run(out, arm, arms={"pretrained": {}, "lora": lora}) for arm in ("pretrained", "lora")]
    study = make_tracked(out).study
    for _ in range(2):  # the second call changes nothing
        TensorBoardTracker.begin_study(study, NoSettings(), runs)
    for run, status in zip(runs, ("done", "failed"), strict=True):
        tell(TensorBoardTracker(make_tracked(out, run), NoSettings()), list_events(run, status=status))


def test_hparams_page_has_a_row_for_each_run_with_its_settings_and_scores_and_end(tmp_path: Path) -> None:
    write_study(tmp_path)
    context = backend_context.Context(TBContext(data_provider=serve(tmp_path / "tensorboard")))
    asked = RequestContext()
    metadata = context.hparams_metadata(asked, "")
    experiment = context.experiment_from_metadata(
        asked, "", include_metrics=True, hparams_run_to_tag_to_content=metadata, data_provider_hparams=None
    )
    columns = {info.name: info.type for info in experiment.hparam_infos}
    assert columns["arm"] == columns["size"] == api_pb2.DATA_TYPE_STRING
    assert columns["learning_rate"] == columns["seed"] == columns["lora.r"] == api_pb2.DATA_TYPE_FLOAT64
    assert [info.name.tag for info in experiment.metric_infos] == [
        "best/valid_accuracy",
        "best/test_accuracy",
    ]
    asked_for = api_pb2.ListSessionGroupsRequest(
        slice_size=10,
        col_params=[api_pb2.ColParams(metric=info.name) for info in experiment.metric_infos],
        allowed_statuses=[api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE],
    )
    answer = list_session_groups.Handler(asked, context, "", asked_for).run()
    failed, done = sorted(answer.session_groups, key=lambda group: group.name)
    assert (done.name, failed.name) == ("pretrained/all/0", "lora/all/0")
    assert [group.sessions[0].status for group in (done, failed)] == [
        api_pb2.STATUS_SUCCESS,
        api_pb2.STATUS_FAILURE,
    ]
    assert done.hparams["learning_rate"].number_value == 3e-5
    assert (failed.hparams["arm"].string_value, failed.hparams["lora.r"].number_value) == ("lora", 4)
    found = {value.name.tag: value.value for value in done.metric_values}
    assert found == {"best/valid_accuracy": 0.75, "best/test_accuracy": 0.625}


def test_custom_scalars_page_draws_the_arms_side_by_side_and_each_chart_has_tags(tmp_path: Path) -> None:
    write_study(tmp_path)
    provider = serve(tmp_path / "tensorboard")
    plugin = CustomScalarsPlugin(TBContext(data_provider=provider))
    layout = json.loads(plugin.layout_impl(RequestContext(), ""))
    charts = {chart["title"]: chart for part in layout["category"] for chart in part["chart"]}
    assert [part["title"] for part in layout["category"]] == ["accuracy", "training", "other metrics"]
    runs = provider.list_scalars(RequestContext(), experiment_id="", plugin_name="scalars")
    for title in ("valid/accuracy", "best/valid_accuracy", "train/loss", "valid/loss"):
        (pattern,) = charts[title]["multiline"]["tag"]
        drawn = {run for run, tags in runs.items() for tag in tags if re.search(pattern, tag)}
        assert drawn == {"pretrained/all/0", "lora/all/0"}
    assert len(list((tmp_path / "tensorboard").glob("events.*"))) == 1


def test_every_tag_of_a_run_is_found(tmp_path: Path) -> None:
    write_study(tmp_path)
    folder = tmp_path / "tensorboard/pretrained/all/0"
    assert {tag: read_curve(folder, tag) for tag in read(folder).Tags()["scalars"]} == CURVES
