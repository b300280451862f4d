"""Weights are looked at before they are loaded: absent, cut, pointers, parts; pickles run no code."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from headstart.errors import ModelError
from headstart.models.checkpoints import open_checkpoint
from headstart.models.initialise import find_missing_keys, load_plain_model
from headstart.models.weight_files import check_weights, find_weight_files
from tiny_checkpoints import write_checkpoint

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4665\nsize 4242\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path, "bert")


def _shard(folder: Path, *, with_index: bool = True) -> None:
    """The weights in two parts, as large checkpoints have them."""
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    files = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(names)}
    for file in set(files.values()):
        part = {name: weights[name] for name in names if files[name] == file}
        save_file(part, folder / file, metadata={"format": "pt"})
    if with_index:
        index = {"metadata": {}, "weight_map": files}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    (folder / "model.safetensors").unlink()


def _pickle(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def _cut(folder: Path, name: str) -> None:
    file = folder / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _open(folder: Path) -> torch.nn.Module:
    return load_plain_model(open_checkpoint(str(folder), "classification", ("bad", "good")))


@pytest.mark.parametrize("change", [_shard, _pickle], ids=["shards", "bin"])
def test_parts_and_pickles_hold_the_same_weights(change: Callable[[Path], None], folder: Path) -> None:
    expected = load_file(folder / "model.safetensors")
    change(folder)
    weights = _open(folder).state_dict()
    assert expected.keys() <= weights.keys()
    assert all(torch.equal(weights[name], value) for name, value in expected.items())


def test_safetensors_come_before_pickles(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"never read")
    assert [file.name for file in find_weight_files(folder)] == ["model.safetensors"]
    _open(folder)


def _drop_part(folder: Path) -> None:
    _shard(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()


def _cut_part(folder: Path) -> None:
    _shard(folder)
    _cut(folder, "model-00002-of-00002.safetensors")


def _cut_pickle(folder: Path) -> None:
    _pickle(folder)
    _cut(folder, "pytorch_model.bin")


def _leave_foreign(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "tf_model.h5")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "model.safetensors").unlink(), "no weights found"),
        (
            lambda f: (f / "model.safetensors").write_text(POINTER),
            "model.safetensors is a Git LFS pointer",
        ),
        (lambda f: _cut(f, "model.safetensors"), r"model.safetensors is cut or damaged, at [\d,]+ bytes"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), "model.safetensors is cut or damaged, at 0"),
        (lambda f: _shard(f, with_index=False), "without the index that joins them"),
        (_drop_part, "1 of 2 parts of the weights are missing, such as model-00002-of-00002.safetensors"),
        (_cut_part, "model-00002-of-00002.safetensors is cut or damaged"),
        (_cut_pickle, "pytorch_model.bin is cut or damaged"),
        (_leave_foreign, "tf_model.h5 is in the format of another program"),
    ],
)
def test_weights_that_cannot_be_whole_are_refused(
    change: Callable[[Path], None], message: str, folder: Path
) -> None:
    change(folder)
    checkpoint = open_checkpoint(str(folder), "classification", ("bad", "good"))  # random weights need none
    with pytest.raises(ModelError, match=message) as caught:
        find_missing_keys(checkpoint)
    assert caught.value.where == str(folder)


class _Trap:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("trapped"),)


def test_a_pickle_with_code_is_refused_and_not_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": _Trap()}, protocol=2))
    with pytest.raises(ModelError, match=r"its \.bin holds more than weights"):
        _open(folder)
    assert not (tmp_path / "trapped").exists()


def test_whole_weights_pass(folder: Path) -> None:
    check_weights(folder)


@pytest.mark.parametrize(("kind", "name"), [(torch.int8, "I8"), (torch.float8_e4m3fn, "F8_E4M3")])
def test_weights_in_few_bits_that_nothing_explains(kind: torch.dtype, name: str, folder: Path) -> None:
    """The library would read them as numbers, without their scales."""
    weights = load_file(folder / "model.safetensors")
    few = {key: value.to(kind) if value.ndim == 2 else value for key, value in weights.items()}
    save_file(few, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=rf"tables of weights in {name}, such as .*quantization_config"):
        check_weights(folder)


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_weights_of_sixteen_bits_and_more_are_read(kind: torch.dtype, folder: Path) -> None:
    file = folder / "model.safetensors"
    save_file({name: value.to(kind) for name, value in load_file(file).items()}, file)
    check_weights(folder)
