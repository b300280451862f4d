"""What runs leave comes whole from a node's own folder into the study's, or not at all."""

from __future__ import annotations

import io
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest

from headstart.execute.ray.calls import LostTaskError
from headstart.execute.ray.folders import pack_results, pack_states, take_in, unpack
from headstart.store.layout import StudyLayout
from headstart.store.runs import RunStore
from tiny import make_tiny_run

RUN = make_tiny_run(3)


def _write(layout: StudyLayout, text: str) -> None:
    for file in (
        layout.record_file(RUN.key),
        layout.get_run_folder(RUN.key) / "predictions.parquet",
        layout.get_curves_folder(RUN.key) / "events",
        layout.out / "wandb" / "offline-run-1" / "log",
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="ascii")


def _make_link(name: str, target: str) -> tarfile.TarInfo:
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.SYMTYPE, target
    return link


def test_runs_come_without_their_records_and_replace_what_an_attempt_left(tmp_path: Path) -> None:
    there, store = StudyLayout(tmp_path / "there"), RunStore(tmp_path / "here")
    _write(there, "new")
    _write(store, "old")
    (store.get_run_folder(RUN.key) / "left").write_text("old", encoding="ascii")
    take_in(pack_results(there, [RUN]), store, [RUN])
    files = {str(file.relative_to(store.out)): file for file in store.out.rglob("*") if file.is_file()}
    assert sorted(files) == [
        f"runs/{RUN.key}/predictions.parquet",
        f"tensorboard/{RUN.key}/events",
        "wandb/offline-run-1/log",
    ]
    assert {file.read_text(encoding="ascii") for file in files.values()} == {"new"}
    assert list(store.own_folder.iterdir()) == []


def test_what_cannot_be_read_touches_nothing(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "here")
    _write(store, "old")
    with pytest.raises(LostTaskError, match="cannot be read"):
        take_in(b"no archive" * 100, store, [RUN])
    assert store.record_file(RUN.key).read_text(encoding="ascii") == "old"
    assert list(store.own_folder.iterdir()) == []


@pytest.mark.parametrize(
    "member",
    [
        tarfile.TarInfo("../outside"),
        tarfile.TarInfo("/tmp/headstart-outside"),
        _make_link("runs/link", "/etc"),
        _make_link("runs/link", "../../outside"),
    ],
    ids=["upwards", "absolute", "link", "link-upwards"],
)
def test_what_a_node_sends_stays_in_the_folder(tmp_path: Path, member: tarfile.TarInfo) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(member, io.BytesIO())
    store = RunStore(tmp_path / "here")
    _write(store, "old")
    before = sorted(tmp_path.rglob("*"))
    with suppress(LostTaskError):  # an absolute name is taken for one inside
        take_in(stream.getvalue(), store, [RUN])
    assert sorted(tmp_path.rglob("*")) == sorted([*before, store.own_folder])
    assert not Path("/tmp/headstart-outside").exists()


def test_training_states_go_along_where_there_are_any(tmp_path: Path) -> None:
    here, there = StudyLayout(tmp_path / "here"), StudyLayout(tmp_path / "there")
    assert pack_states(here, [RUN]) is None
    state = here.get_state_folder(RUN.key) / "state.safetensors"
    state.parent.mkdir(parents=True)
    state.write_bytes(b"state")
    states = pack_states(here, [RUN])
    assert states is not None
    there.out.mkdir()
    unpack(states, there)
    assert (there.get_state_folder(RUN.key) / "state.safetensors").read_bytes() == b"state"
