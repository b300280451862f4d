"""What of texts is cut, dropped or not learnt is counted before anything trains."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import normalizers

from plans import plan_study
from tiny_checkpoints import make_tokenizer, write_checkpoint

StudyFile = Callable[..., Path]
ARMS = {"random": {"init": "random"}, "words": None}


def test_texts_of_which_nothing_is_left_are_counted(
    study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = make_tokenizer()
    tokenizer.backend_tokenizer.normalizer = normalizers.BertNormalizer()
    model = write_checkpoint(tmp_path / "m", "bert", tokenizer=tokenizer)
    file = study_file(model=str(model), arms=ARMS)
    assert "returns no tokens for" not in plan_study(file, capsys)[1]
    train = tmp_path / "reviews" / "train.jsonl"
    lines = [json.dumps({"text": text, "label": "good"}) for text in ("\u200b\u200d", "\u0001")]
    train.write_text("\n".join([train.read_text("utf-8").rstrip(), *lines]), encoding="utf-8")
    code, text = plan_study(file, capsys)
    assert code == 0
    assert "its tokenizer returns no tokens for 2 texts: remove these rows" in text


def test_cut_texts_are_counted_with_the_length_that_keeps_more(
    study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_checkpoint(tmp_path / "m", "bert")
    code, text = plan_study(study_file(model=str(model), arms=ARMS, training={"max_length": 4}), capsys)
    assert code == 0
    assert f"are cut at 4 tokens: {model} takes up to 40 (training.max_length)" in text
    most = study_file(model=str(model), arms=ARMS, training={"max_length": 40})
    assert "cut at" not in plan_study(most, capsys)[1]
