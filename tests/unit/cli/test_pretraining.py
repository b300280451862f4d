"""The command pretrain: what it prints, as text and as JSON, and how mistakes end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from headstart.cli import main

FILE = """\
data: {train: texts.txt, valid_share: 0.2}
tokenizer: {train: bpe, size: 270}
sizes: {layers: 1, width: 16, heads: 2, feed_forward: 16, positions: 20}
training: {block: 16, batch_size: 4, steps: 2, precision: fp32}
device: cpu
trackers: []
out: out
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # The setting lasts as long as a process, which here does more than train.
    monkeypatch.setattr("headstart.engine.memory.keep_freed_memory", lambda: False)
    lines = [f"the sun and the moon and tree number {i} by the river" for i in range(60)]
    (tmp_path / "texts.txt").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "pretrain.yaml").write_text(FILE, encoding="utf-8")
    return tmp_path / "pretrain.yaml"


def test_it_tells_validations_and_the_result_and_again_as_json(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pretrain", str(file)]) == 0
    printed = capsys.readouterr()
    assert "unigram entropy" in printed.out
    assert "step 2: train loss" in printed.err
    assert main(["pretrain", str(file), "--json", "-q"]) == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert printed.err == ""
    assert told["model"] == str(file.parent / "out" / "model")
    assert (told["schema_version"], told["steps"]) == (1, 2)


def test_a_mistake_is_one_message_and_leaves_nothing(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", str(file), "training.stepz=3", "-q"]) == 2
    assert "error: command line: training.stepz: unknown key; did you mean" in capsys.readouterr().err
    assert not (file.parent / "out").exists()


def test_the_schema_of_pretraining_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--pretraining"]) == 0
    assert "masking" in json.loads(capsys.readouterr().out)["properties"]


def test_a_mistake_that_is_corrected_is_no_other_pretraining(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pretrain", str(file), "sizes.heads=3"]) == 2
    assert "width 16 and 3 heads" in capsys.readouterr().err
    assert main(["pretrain", str(file)]) == 0


@pytest.mark.parametrize("change", ["model=[]", "sizes.layers=1000000", "sizes.width=99999998"])
def test_odd_networks_end_in_one_message(file: Path, change: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", str(file), change]) == 2
    assert capsys.readouterr().err.count("error: ") == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("data.valid=absent.txt", ("absent.txt: no such file or folder", "a file of text")),
        ("sizes.positions=1", ("at most 0", "sizes.positions=18")),
    ],
)
def test_what_is_absent_or_too_small_is_told_as_it_is(
    change: str, words: tuple[str, ...], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pretrain", str(file), change]) == 2
    told = capsys.readouterr().err
    assert [word for word in words if word not in told] == []
    assert "valid_share" not in told


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_told_before_a_tokenizer_is_trained(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pretrain", str(file), "device=cuda"]) == 2
    told = capsys.readouterr().err
    assert "torch finds no CUDA device" in told
    assert "tokenizer" not in told
