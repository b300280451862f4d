"""`headstart import` on the command line: what it prints and writes, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fairseq_networks import make_settings, make_state, write_folder, write_lines
from headstart.cli import main
from headstart.models.checkpoints import open_checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A folder with a classifier, its dictionaries and a tokenizer's file."""
    settings = make_settings(task="sentence_prediction")
    folder = write_folder(
        tmp_path / "ck", settings, make_state(settings, {"stars": 2}), name="checkpoint_best.pt"
    )
    (folder / "bpe.codes").write_text("w 0</w> 5\n", encoding="utf-8")
    write_lines(folder / "label_dict.txt", ("bad", "good"))
    return folder


def run(capfd: Any, *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    out, err = capfd.readouterr()
    return code, out, err


def test_the_summary_names_what_was_read(
    checkpoint: Path, tmp_path: Path, capfd: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    code, out, _ = run(capfd, "import", "fairseq", checkpoint, tmp_path / "out")
    assert code == 0
    for told in (
        "checkpoint_best.pt: roberta, sentence_prediction, settings from args",
        "2 layers, width 16, feed-forward 24, 4 attention heads, vocabulary 25, 14 rows of positions",
        "heads: stars (2 outputs), lm_head; taken: stars",
        "labels: bad, good",
        "left out: lm_head",
        "dropped buffers: encoder.sentence_encoder.version",
    ):
        assert told in out
    assert out.splitlines()[-1] == f"wrote {tmp_path / 'out'}: roberta"


def test_json_is_the_same(checkpoint: Path, tmp_path: Path, capfd: Any) -> None:
    code, out, _ = run(capfd, "import", "fairseq", checkpoint, tmp_path / "out", "--json")
    values = json.loads(out)
    assert (code, values["labels"], values["heads"]) == (0, ["bad", "good"], {"stars": 2})


def test_a_study_takes_the_folder(checkpoint: Path, tmp_path: Path, capfd: Any) -> None:
    assert run(capfd, "import", "fairseq", checkpoint, tmp_path / "out")[0] == 0
    opened = open_checkpoint(str(tmp_path / "out"), "classification", ("bad", "good"))
    assert opened.keeps_head
    assert opened.max_length == 12


def test_nothing_is_overwritten_without_force(checkpoint: Path, tmp_path: Path, capfd: Any) -> None:
    assert run(capfd, "import", "fairseq", checkpoint, tmp_path / "out")[0] == 0
    code, _, err = run(capfd, "import", "fairseq", checkpoint, tmp_path / "out")
    assert (code, "already exists" in err) == (2, True)
    assert run(capfd, "import", "fairseq", checkpoint, tmp_path / "out", "--force")[0] == 0
    code, _, err = run(capfd, "import", "fairseq", checkpoint, checkpoint, "--force")
    assert (code, (checkpoint / "checkpoint_best.pt").is_file()) == (2, True)


def test_another_format_is_refused(checkpoint: Path, tmp_path: Path, capfd: Any) -> None:
    code, _, err = run(capfd, "import", "megatron", checkpoint, tmp_path / "out")
    assert (code, "expected: fairseq" in err) == (2, True)


def test_there_and_back_on_the_command_line(checkpoint: Path, tmp_path: Path, capfd: Any) -> None:
    assert run(capfd, "import", "fairseq", checkpoint, tmp_path / "out")[0] == 0
    code, out, _ = run(capfd, "export", tmp_path / "out", "--fairseq", tmp_path / "fs")
    assert (code, "label_dict.txt, model.pt" in out) == (0, True)
    code, out, _ = run(capfd, "export", tmp_path / "out", "--fairseq", tmp_path / "fs2", "--json")
    assert json.loads(out)["head"] == "sentence_classification_head"
    code, _, err = run(capfd, "export", tmp_path / "out", "--fairseq", tmp_path / "fs")
    assert (code, "already exists" in err) == (2, True)
    code, _, err = run(capfd, "export", tmp_path / "out")
    assert (code, "-o FOLDER, or --fairseq FOLDER" in err) == (2, True)
