"""A chat model whose turns end with a token that is not its tokenizer's end, through whole studies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

import headstart
from answering_studies import write_answering_study
from chat_models import HEADERS, TEMPLATES, TURN_END, make_chat_tokenizer
from headstart.cli import main
from headstart.records import RunRecord
from headstart.store.runs import RunStore

pytest.importorskip("peft")
#: Names ends of turns, of which none ends this answer.
RESPONSE = "a <|turn_end|> b <|end|>"


def _save_chat_model(folder: Path, template: str) -> Path:
    """Random weights, with settings of sampling that the library loads and would refuse to save changed."""
    tokenizer = make_chat_tokenizer(template)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=256, **sizes, **ids)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    own = ids | {"eos_token_id": [2, 7], "temperature": 0.6, "top_p": 0.9, "repetition_penalty": 1.5}
    (folder / "generation_config.json").write_text(json.dumps(own), encoding="utf-8")
    return folder


def _write_study(folder: Path, model: Path, **changes: Any) -> Path:
    rows = {"path": [{"prompt": f"say it {i}", "response": RESPONSE} for i in range(40)]}
    keys = {
        "arms": {"base": {"method": "none"}},
        "training": {"epochs": 15, "batch_size": 8, "learning_rate": 1e-2, "precision": "fp32"},
        "generation": {"max_new_tokens": 40, "texts": 4},
    }
    return write_answering_study(folder, model, rows, **(keys | changes))


def _read_records(folder: Path) -> dict[str, RunRecord]:
    return {record.arm: record for record in RunStore(folder / "out").read_records()}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that taught a chat model one answer, whole and by an adapter."""
    folder = tmp_path_factory.mktemp("chat")
    model = _save_chat_model(folder / "model", HEADERS)
    arms = {"base": {"method": "none"}, "full": {}, "lora": {"method": "lora", "lora": {"r": 8}}}
    study = _write_study(folder, model, arms=arms, control="base")
    assert main(["run", str(study)]) == 0
    return folder


def test_an_answer_that_names_ends_is_learnt_whole_and_stops(tuned: Path) -> None:
    test = _read_records(tuned)["full"].test
    assert test is not None
    assert (test["exact_match"], test["stopped"]) == (1.0, 1.0)
    rows = pq.read_table(tuned / "out/runs/full/all/0/predictions.parquet").to_pylist()
    assert {row["answer"] for row in rows} == {row["response"] for row in rows} == {RESPONSE}


@pytest.mark.parametrize("arm", ["full", "lora"])
def test_the_saved_model_stops_in_anybodys_hands(tuned: Path, arm: str, tmp_path: Path) -> None:
    """Its generation configuration has the turn's end, beside what the checkpoint had."""
    folder = tuned / "out/models" / arm
    whole = folder
    if arm == "lora":
        whole = tmp_path / "whole"
        headstart.export(folder, whole)
    for place in (folder, whole):
        settings = json.loads((place / "generation_config.json").read_text(encoding="utf-8"))
        assert settings["eos_token_id"] == [2, 3, 7]
        assert settings["repetition_penalty"] == 1.5
    tokenizer, model = AutoTokenizer.from_pretrained(whole), AutoModelForCausalLM.from_pretrained(whole)
    asked = [{"role": "user", "content": "say it 3"}]
    inputs = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt")
    ids = model.generate(**inputs, max_new_tokens=60, repetition_penalty=1.0)[0].tolist()
    if arm == "full":
        assert tokenizer.decode(ids[inputs.input_ids.shape[1] :]) == RESPONSE + TURN_END
        assert ids[-1] == tokenizer.convert_tokens_to_ids(TURN_END)


def test_generate_stops_there_and_says_how_it_asks(tuned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", str(tuned / "out/models/full"), "say it 3"]) == 0
    shown = capsys.readouterr()
    assert shown.out.strip() == RESPONSE
    assert "prompted with its own chat template; a turn ends with <|turn_end|>" in " ".join(shown.err.split())


def test_a_chat_model_is_measured_as_it_was_made(tuned: Path, tmp_path: Path) -> None:
    """Untuned, by default in its own template; loss is the library's of what the template writes."""
    made = tuned / "out/models/full"
    assert main(["run", str(_write_study(tmp_path, made, samples=["say it 3"]))]) == 0
    record = _read_records(tmp_path)["base"]
    assert record.test is not None
    assert (record.test["exact_match"], record.test["stopped"]) == (1.0, 1.0)
    assert (record.samples[0].after, record.samples[0].stopped_after) == (RESPONSE, True)
    rows = pq.read_table(tmp_path / "out/runs/base/all/0/tokens.parquet").to_pylist()
    tokenizer, model = AutoTokenizer.from_pretrained(made), AutoModelForCausalLM.from_pretrained(made)
    for row in rows:
        count, loss = _compute_loss(model, tokenizer, f"say it {row['id']}")
        assert row["tokens"] == count
        assert row["loss"] == pytest.approx(loss, rel=1e-3)
    assert record.test["loss"] == pytest.approx(sum(r["loss"] for r in rows) / sum(r["tokens"] for r in rows))


def _compute_loss(model: Any, tokenizer: Any, prompt: str) -> tuple[int, float]:
    """By the library: how many tokens the template writes for the response, and the sum of their losses."""
    asked = [{"role": "user", "content": prompt}]
    told = [*asked, {"role": "assistant", "content": RESPONSE}]
    before = tokenizer.apply_chat_template(
        asked, add_generation_prompt=True, sanitize_control_tokens=True
    ).input_ids
    ids = torch.tensor([tokenizer.apply_chat_template(told, sanitize_control_tokens=True).input_ids])
    labels = ids.clone()
    labels[:, : len(before)] = -100
    count = int((labels >= 0).sum())
    with torch.inference_mode():
        return count, count * float(model(input_ids=ids, labels=labels).loss)


def test_plan_says_in_which_template_and_where_turns_end(
    tuned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = _write_study(tmp_path, tuned / "model")
    assert main(["plan", str(study)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "prompted with its own chat template; a turn ends with <|turn_end|>" in shown
    assert "40 examples with names of special tokens" in shown
    assert main(["plan", str(study), "prompts.template=human"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "prompted as <human>: and <assistant>:, although it has a chat template" in shown


def test_several_turns_of_an_unstable_template_train_on_the_last_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = _save_chat_model(tmp_path / "model", TEMPLATES["thinking"])
    said = [("user", "Why?"), ("assistant", "Because."), ("user", "Oh?"), ("assistant", "Yes")]
    row = json.dumps({"messages": [{"role": role, "content": content} for role, content in said]})
    data = tmp_path / "turns.jsonl"
    data.write_text("\n".join([row] * 40), encoding="utf-8")
    arms = {"full": {}, "base": {"method": "none"}}
    changes = {"data": {"path": str(data), "messages": "messages"}, "arms": arms, "control": "base"}
    study = _write_study(tmp_path, model, **changes)
    assert main(["plan", str(study)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "conversations of train only the last answer is learnt" in shown
    assert main(["run", str(study)]) == 0
    test = _read_records(tmp_path)["full"].test
    assert test is not None
    assert (test["exact_match"], test["stopped"]) == (1.0, 1.0)
