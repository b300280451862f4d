"""A study's page is served as its folder is: before, while and after it trains."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

import headstart
from headstart.errors import HeadstartError
from headstart.store import predictions
from headstart.store.layout import StudyLayout
from headstart.store.study_lock import find_holder, hold_study_folder
from report_studies import write_report_study


@contextmanager
def watched(folder: Path) -> Iterator[http.client.HTTPConnection]:
    with headstart.watch(folder) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
        finally:
            server.shutdown()
            thread.join()


def write_scalars(folder: Path, values: dict[str, float]) -> None:
    """Of the first step, or epoch."""
    writer = EventFileWriter(str(folder))
    for tag, value in values.items():
        writer.add_event(Event(step=1, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)])))
    writer.close()


def ask(connection: http.client.HTTPConnection, path: str = "/") -> str:
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 200
    return answer.read().decode()


def test_a_look_reads_predictions_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = write_report_study(tmp_path, seeds=2)
    with watched(out) as connection:
        read: list[Path] = []
        read_file = predictions._read_file

        def count(file: Path) -> Any:
            read.append(file)
            return read_file(file)

        monkeypatch.setattr(predictions, "_read_file", count)
        monkeypatch.setattr("headstart.commands.watch.draw_figures", lambda details: ())
        ask(connection)
    assert sorted(read) == sorted(out.rglob("predictions.parquet"))
    assert len(read) == 4


def test_the_page_follows_the_folder(tmp_path: Path) -> None:
    out = write_report_study(tmp_path, seeds=2)
    record = StudyLayout(out).record_file("random/all/1")
    later = record.rename(tmp_path / "later.json")
    with watched(out) as connection:
        first, version = ask(connection), ask(connection, "/version")
        assert "3 of 4 runs are done." in first
        assert f'data-version="{version}"' in first
        assert ask(connection) == first
        later.rename(record)
        assert ask(connection, "/version") != version
        assert "4 of 4 runs are done." in ask(connection)


@pytest.mark.parametrize("file", ["judgements/abcdefghijkl.json", "adapted/seed-0-model/adapted.json"])
def test_what_was_judged_or_adapted_since_makes_another_page(tmp_path: Path, file: str) -> None:
    out = write_report_study(tmp_path, seeds=1)
    with watched(out) as connection:
        before = ask(connection, "/version")
        (out / file).parent.mkdir(parents=True)
        (out / file).write_text("{}")
        assert ask(connection, "/version") != before


def test_a_run_under_way_is_in_the_table_and_in_the_curves(tmp_path: Path) -> None:
    out = write_report_study(tmp_path, seeds=2)
    layout = StudyLayout(out)
    layout.record_file("pretrained/all/1").unlink()
    write_scalars(layout.get_curves_folder("pretrained/all/1"), {"valid/accuracy": 0.875, "train/loss": 0.25})
    with watched(out) as connection:
        page = ask(connection)
    assert "3 of 4 runs are done." in page
    assert "Runs that began and have not ended" in page
    words = re.sub(r"<[^>]+>|\s+", " ", page).split()
    place = words.index("1", words.index("pretrained"))
    assert "pretrained all 1 1 of 3 1 87.5 0.250" in " ".join(words), words[place - 5 : place + 20]


def test_who_trains_is_told(tmp_path: Path) -> None:
    out = write_report_study(tmp_path, seeds=1)
    assert find_holder(out) is None
    with watched(out) as connection:
        assert "Nobody trains it now." in ask(connection)
        with hold_study_folder(out):
            assert find_holder(out) is not None
            assert "The study is being trained." in ask(connection)
        assert "Nobody trains it now." in ask(connection)


def test_a_damaged_record_is_told_and_the_next_look_may_find_it_whole(tmp_path: Path) -> None:
    out = write_report_study(tmp_path, seeds=1)
    record = StudyLayout(out).record_file("random/all/0")
    content = record.read_bytes()
    with watched(out) as connection:
        record.write_bytes(content[: len(content) // 2])
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert str(record) in answer.read().decode()
        assert answer.headers["Refresh"] == "5"
        record.write_bytes(content)
        assert "2 of 2 runs are done." in ask(connection)


def test_the_folder_stays_as_it_was(tmp_path: Path) -> None:
    out = write_report_study(tmp_path, seeds=1)
    before = {file: file.stat().st_mtime_ns for file in sorted(out.rglob("*"))}
    with watched(out) as connection:
        ask(connection)
    assert {file: file.stat().st_mtime_ns for file in sorted(out.rglob("*"))} == before


@pytest.mark.parametrize(("trackers", "is_told"), [(["tensorboard"], False), ([], True)])
def test_without_the_tracker_whose_files_have_curves_it_is_said(
    tmp_path: Path, trackers: list[str], is_told: bool
) -> None:
    out = write_report_study(tmp_path, seeds=1, trackers=trackers)
    with watched(out) as connection:
        page = ask(connection)
    assert ("no tracker tensorboard: a run&#39;s curves are shown once it has ended" in page) is is_told


def test_what_is_no_study_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(HeadstartError, match="holds no study"):
        headstart.watch(tmp_path)
