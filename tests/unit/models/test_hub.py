"""Ids of the hub: a pinned revision is the one that is read; of others the commit is noted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import pytest

from headstart.errors import HeadstartError, ModelError
from headstart.models.checkpoints import open_checkpoint, resolve_location
from headstart.models.digests import digest_files
from headstart.models.hub import is_pinned
from headstart.store.runs import RunStore
from small_studies import make_record

FIRST, SECOND = "1" * 40, "2" * 40
Move = Callable[[str], None]


@pytest.fixture
def hub(tmp_path: Path, tiny_model: Path, tiny_roberta: Path, monkeypatch: pytest.MonkeyPatch) -> Move:
    """A cache of the hub with two commits of `org/tiny`; moves its main branch from the first to another."""
    folder = tmp_path / "models--org--tiny"
    for commit, model in ((FIRST, tiny_model), (SECOND, tiny_roberta)):
        shutil.copytree(model, folder / "snapshots" / commit)

    def move(commit: str) -> None:
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / "main").write_text(commit, encoding="ascii")

    move(FIRST)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("transformers.utils.hub.constants.HF_HUB_CACHE", str(tmp_path))
    return move


def open_tiny(name: str) -> tuple[str, str]:
    """The model's family, and what tells the checkpoint from others."""
    checkpoint = open_checkpoint(name, "classification", ("bad", "good"))
    return checkpoint.config.model_type, checkpoint.digest


def test_a_commit_that_is_pinned_is_read_wherever_the_branch_is(hub: Move) -> None:
    first = open_tiny(f"org/tiny@{FIRST}")
    hub(SECOND)
    assert open_tiny(f"org/tiny@{FIRST}") == first
    assert first[0] == "bert"
    assert open_tiny(f"org/tiny@{SECOND}")[0] == "roberta"


def test_a_branch_may_be_named(hub: Move) -> None:
    hub(SECOND)
    assert resolve_location("org/tiny@main").endswith(SECOND)


def test_the_commit_of_an_id_alone_is_noted(hub: Move) -> None:
    assert open_tiny("org/tiny") == ("bert", FIRST)
    hub(SECOND)
    assert open_tiny("org/tiny") == ("roberta", SECOND)


def test_a_folder_of_runs_refuses_an_id_whose_commit_is_another_now(hub: Move, tmp_path: Path) -> None:
    store = RunStore(tmp_path / "out")
    before = open_checkpoint("org/tiny", "classification", ("bad", "good")).source
    hub(SECOND)
    now = open_checkpoint("org/tiny", "classification", ("bad", "good")).source
    record = make_record(provenance=make_provenance(before.digest))
    store.check_sources([record], "d", [before])
    with pytest.raises(HeadstartError, match="another checkpoint"):
        store.check_sources([record], "d", [now])
    unknown = make_record(provenance=make_provenance("unknown"))  # as older versions noted
    store.check_sources([unknown], "d", [now])


def make_provenance(checkpoint: str) -> dict[str, object]:
    names = ("headstart", "python", "torch", "transformers", "numpy", "platform", "processor", "started")
    return dict.fromkeys(names, "1") | {"commit": None, "data_digest": "d", "checkpoint_digest": checkpoint}


def test_the_files_of_an_id_s_commit_are_noted(hub: Move, tiny_model: Path) -> None:
    source = open_checkpoint("org/tiny", "classification", ("bad", "good")).source
    assert source.digest == FIRST
    assert source.files == digest_files(tiny_model)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= source.files.keys()


@pytest.mark.parametrize("name", ["org/tiny@nowhere", f"org/other@{FIRST}"])
@pytest.mark.usefixtures("hub")
def test_what_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="no usable checkpoint") as caught:
        open_tiny(name)
    assert caught.value.where == name


def test_a_folder_with_such_a_name_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_pinned("tiny@v1")
    (tmp_path / "tiny@v1").mkdir()
    assert not is_pinned("tiny@v1")


@pytest.mark.parametrize("name", ["a@b@c", "../a@b", "/a@b", "a/b/c@d", "a@", "@b", "a@../b/..//c"])
def test_other_names_pin_nothing(name: str) -> None:
    assert not is_pinned(name)
