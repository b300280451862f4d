"""Whole studies of PEFT's prompts: scored as PEFT scores, asked, labelled; what does not fit is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from answering_studies import write_answering_study
from headstart.cli import main
from headstart.data.prompts import encode_conversations

peft = pytest.importorskip("peft")

PROMPTS = {
    "prompt": {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 5},
    "encoder": {"peft_type": "P_TUNING", "num_virtual_tokens": 4, "encoder_hidden_size": 16},
    "prefix": {"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 3},
}


def _list_rows(count: int) -> list[dict[str, str]]:
    return [{"prompt": f"say {'ab'[i % 2] * (i % 5)} {i}", "response": "ab"[i % 2] * 3} for i in range(count)]


def _write(folder: Path, model: Path, **changes: Any) -> Path:
    keys = {
        "arms": {name: {"method": "peft", "peft": config} for name, config in PROMPTS.items()}
        | {"base": {"method": "none"}},
        "control": "base",
        "training": {"epochs": 3, "batch_size": 4, "learning_rate": 5e-2, "precision": "fp32"},
        "generation": {"max_new_tokens": 6},
    }
    rows = {"train": _list_rows(24), "valid": _list_rows(6), "test": _list_rows(8)}
    return write_answering_study(folder, model, rows, **(keys | changes))


@pytest.fixture(scope="module")
def done(tiny_bloom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a study of three prompts."""
    folder = tmp_path_factory.mktemp("prompts")
    assert main(["run", str(_write(folder, tiny_bloom))]) == 0
    return folder / "out"


@pytest.mark.parametrize("arm", PROMPTS)
def test_the_scores_of_a_run_are_pefts_own(done: Path, tiny_bloom: Path, arm: str) -> None:
    folder = done / "models" / arm
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_bloom), folder).eval()
    rows = [json.loads(line) for line in (done.parent / "test.jsonl").read_text("utf-8").splitlines()]
    texts = [("user", row["prompt"], "assistant", row["response"]) for row in rows]
    encoded = encode_conversations(texts, tokenizer, 512, all_tokens=False)
    scored = pq.read_table(done / "runs" / arm / "all" / "0" / "tokens.parquet").to_pydict()
    assert encoded.loss_mask is not None
    for start, end, loss in zip(encoded.starts[:-1], encoded.starts[1:], scored["loss"], strict=True):
        ids = torch.from_numpy(encoded.input_ids[start:end]).long()
        own = torch.where(torch.from_numpy(encoded.loss_mask[start:end]), ids, -100)
        with torch.inference_mode():
            expected = model(input_ids=ids[None], labels=own[None]).loss
        assert loss == pytest.approx(float(expected) * int((own >= 0).sum()), rel=1e-4)


@pytest.mark.parametrize("arm", PROMPTS)
def test_answers_from_the_command_line_are_those_of_the_run(
    done: Path, tmp_path: Path, arm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model, target = str(done / "models" / arm), tmp_path / "o.jsonl"
    files = ["-f", str(done.parent / "test.jsonl"), "-o", str(target), "--max-new-tokens", "6"]
    assert main(["generate", model, *files]) == 0
    answers = [json.loads(line)["answer"] for line in target.read_text(encoding="utf-8").splitlines()]
    table = pq.read_table(done / "runs" / arm / "all" / "0" / "predictions.parquet").to_pydict()
    assert answers == table["answer"]
    assert main(["export", model, "--merge", "-o", str(tmp_path / "whole")]) != 0
    assert "cannot be merged into its base's weights" in capsys.readouterr().err
    assert not (tmp_path / "whole").exists()


def test_packing_is_refused(tiny_bloom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(_write(tmp_path, tiny_bloom, prompts={"packing": True}))]) != 0
    assert "virtual tokens are placed before a row" in capsys.readouterr().err


def test_texts_have_fewer_positions_by_the_prompt(
    study_file: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tiny BERT takes 64 tokens."""
    arms = {name: {"method": "peft", "peft": config} for name, config in PROMPTS.items()}
    arms |= {"full": {}}
    training = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2, "precision": "fp32"}
    assert main(["plan", str(study_file(arms=arms, training=training | {"max_length": 64}))]) != 0
    assert "max_length 64 and 5 virtual tokens" in capsys.readouterr().err
    assert main(["run", str(study_file(arms=arms, training=training, seeds=[0]))]) == 0
    model, target = tmp_path / "out" / "models" / "prompt", tmp_path / "o.jsonl"
    assert json.loads((model / "headstart.json").read_text(encoding="utf-8"))["max_length"] == 59
    source = tmp_path / "long.jsonl"
    source.write_text(json.dumps({"text": "the film was good " * 30}) + "\n", encoding="utf-8")
    assert main(["predict", str(model), str(source), "-o", str(target)]) == 0
    config = json.loads((model / "adapter_config.json").read_text(encoding="utf-8"))
    base = AutoModelForSequenceClassification.from_pretrained(config["base_model_name_or_path"], num_labels=2)
    again = peft.PeftModel.from_pretrained(base, model).eval()
    text = json.loads(source.read_text(encoding="utf-8"))["text"]
    batch = AutoTokenizer.from_pretrained(model)([text], truncation=True, max_length=59, return_tensors="pt")
    with torch.inference_mode():
        expected = again(**batch).logits.softmax(-1)[0].numpy()
    row = json.loads(target.read_text(encoding="utf-8"))
    assert np.allclose([row["p_bad"], row["p_good"]], expected, atol=1e-2)  # predict may compute in bf16
