"""Files of torch.save: tensors are those that were saved; damaged and hostile files are refused, unrun."""

from __future__ import annotations

import zipfile
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch

from fuzzing import limit_growth
from headstart.errors import HeadstartError, ModelError
from headstart.models.fairseq.archive import open_checkpoint_file
from headstart.models.fairseq.pickle_values import TensorRef

TENSORS = {
    "plain": torch.arange(12.0).view(3, 4),
    "turned": torch.arange(12.0).view(3, 4).T,
    "part": torch.arange(12.0)[3:9],
    "half": torch.arange(5).half(),
    "bfloat16": torch.arange(5).bfloat16(),
    "double": torch.arange(5).double(),
    "scalar": torch.tensor(2.5),
    "empty": torch.zeros(0, 3),
    "whole": torch.arange(3),
    "parameter": torch.nn.Parameter(torch.ones(2)),
}


@pytest.mark.parametrize("is_new", [True, False])
def test_tensors_are_read_as_they_were_saved(tmp_path: Path, is_new: bool) -> None:
    file = tmp_path / "model.pt"
    torch.save({"model": TENSORS}, file, _use_new_zipfile_serialization=is_new)
    with open_checkpoint_file(file) as opened:
        for name, expected in TENSORS.items():
            found = opened.read_tensor(opened.content["model"][name])
            assert found.dtype == expected.dtype
            assert torch.equal(found, expected.detach())


@pytest.mark.parametrize("is_new", [True, False])
def test_an_optimisers_state_is_not_read(tmp_path: Path, is_new: bool) -> None:
    file = tmp_path / "model.pt"
    big = {"state": {i: torch.zeros(16 << 20) for i in range(4)}}
    content = {"last_optimizer_state": big, "model": {"a": torch.ones(3)}}
    torch.save(content, file, _use_new_zipfile_serialization=is_new)
    del content, big
    with limit_growth(64 << 20), open_checkpoint_file(file) as opened:
        assert torch.equal(opened.read_tensor(opened.content["model"]["a"]), torch.ones(3))
        assert isinstance(opened.content["last_optimizer_state"]["state"][0], TensorRef)


def rewrite(file: Path, change: Any, compression: int = zipfile.ZIP_STORED) -> None:
    """The same archive with its entries changed: `change(name, bytes)` gives the new bytes, or None."""
    with zipfile.ZipFile(file) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries:
            changed = change(name, content)
            if changed is not None:
                archive.writestr(name, changed)


def read_all(file: Path) -> None:
    with open_checkpoint_file(file) as opened:
        for ref in opened.content["model"].values():
            opened.read_tensor(ref)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda n, b: None if n.endswith("data/0") else b, "data/0 is missing"),
        (lambda n, b: b[:-4] if n.endswith("data/0") else b, "not its 12 numbers"),
        (lambda n, b: b + bytes(4) if n.endswith("data/0") else b, "not its 12 numbers"),
        (lambda n, b: None if n.endswith("data.pkl") else b, r"without data\.pkl"),
        (lambda n, b: b[:20] if n.endswith("data.pkl") else b, "not a checkpoint that can be read"),
        (lambda n, b: b"big" if n.endswith("byteorder") else b, "byte order"),
    ],
)
def test_archives_that_were_changed_are_refused(tmp_path: Path, change: Any, told: str) -> None:
    file = tmp_path / "model.pt"
    torch.save({"model": {"a": torch.arange(12.0)}}, file)
    rewrite(file, change)
    with pytest.raises(ModelError, match=told):
        read_all(file)


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    torch.save({"model": {"a": torch.zeros(1 << 20)}}, file)
    rewrite(file, lambda _, content: content, zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelError, match="is compressed"):
        read_all(file)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_cut_file_is_refused(tmp_path: Path, is_new: bool) -> None:
    file = tmp_path / "model.pt"
    torch.save({"model": {"a": torch.arange(12.0)}}, file, _use_new_zipfile_serialization=is_new)
    whole = file.read_bytes()
    for end in range(0, len(whole), 37):
        file.write_bytes(whole[:end])
        with pytest.raises(HeadstartError):
            read_all(file)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_malicious_file_is_refused_by_name_and_not_run(
    tmp_path: Path, is_new: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    class Attack:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.system, ("touch run-by-a-pickle",)

    file = tmp_path / "model.pt"
    content = {"args": Namespace(arch=Attack()), "model": {}}
    torch.save(content, file, _use_new_zipfile_serialization=is_new)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"names '(posix|nt|os)\.system'.*nothing of it was run"):
        read_all(file)
    assert [one.name for one in tmp_path.iterdir()] == ["model.pt"]


@pytest.mark.parametrize(
    "content", [b"<html>", b"version https://git-lfs.github.com/spec/v1\n", b"", b"\x80\x02."]
)
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(content)
    with pytest.raises(ModelError), open_checkpoint_file(file):
        pass


def test_a_version_of_zip_that_is_not_out_yet_is_damage(tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    torch.save({"a": torch.ones(2)}, file)
    content = bytearray(file.read_bytes())
    content[content.find(b"PK\x01\x02") + 6] = 99
    file.write_bytes(content)
    with pytest.raises(ModelError, match="cut or damaged"), open_checkpoint_file(file):
        pass


def test_a_text_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_text("hello\n", encoding="utf-8")
    with (
        pytest.raises(ModelError, match=r"not of torch\.save"),
        open_checkpoint_file(tmp_path / "model.pt"),
    ):
        pass


def test_a_name_in_the_archive_that_is_no_text_is_damage(tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    torch.save({"model": {"a": torch.arange(12.0)}}, file)
    content = file.read_bytes()
    place = content.rindex(b"PK\x01\x02")  # the last entry of the directory; its flags say UTF-8
    name = place + 46
    broken = bytearray(content)
    broken[place + 9] |= 0x08
    broken[name] = 0x80
    file.write_bytes(bytes(broken))
    with pytest.raises(ModelError, match="damaged"):
        read_all(file)


@pytest.mark.parametrize("offset", [1, 1 << 20, 0xFFFFFFFE, (1 << 63) - 1, (1 << 64) - 2])
@pytest.mark.parametrize("field", ["offset", "size"])
@pytest.mark.parametrize("is_wide", [False, True])
def test_a_directory_that_lies_outside_the_file_is_damage(
    tmp_path: Path, offset: int, field: str, is_wide: bool
) -> None:
    """Where the list of entries begins, and its bytes, as the end of the file has it; in torch's own
    files in 64 bits too."""
    file = tmp_path / "model.pt"
    torch.save({"model": {"a": torch.ones(3)}}, file)
    if not is_wide:
        rewrite(file, lambda name, entry: entry)
    content = bytearray(file.read_bytes())
    if is_wide:
        place, width = content.index(b"PK\x06\x06") + (48 if field == "offset" else 40), 8
    else:
        place, width = len(content) - (6 if field == "offset" else 10), 4
        offset = min(offset, 0xFFFFFFFE)
    content[place : place + width] = offset.to_bytes(width, "little")
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"not a checkpoint|is cut or damaged") as raised:
        read_all(file)
    assert str(tmp_path) in str(raised.value)


def test_entries_whose_places_lie_outside_the_file_are_damage(tmp_path: Path) -> None:
    torch.save({"model": {"a": torch.ones(3)}}, tmp_path / "model.pt")
    content = (tmp_path / "model.pt").read_bytes()
    place = content.index(b"PK\x01\x02")
    for offset in (1, len(content), 0xFFFFFFFE):
        changed = content[: place + 42] + offset.to_bytes(4, "little") + content[place + 46 :]
        (tmp_path / "model.pt").write_bytes(changed)
        with pytest.raises(ModelError, match="not a checkpoint that can be read"):
            read_all(tmp_path / "model.pt")
