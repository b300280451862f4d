"""Prompts near the end of a model's positions: planned, answered up to there, and no reason to lose a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

import headstart
from answering_studies import write_answering_study
from headstart.cli import main
from headstart.errors import HeadstartError
from headstart.records import RunRecord
from headstart.store.runs import RunStore
from headstart.tasks import instruction
from headstart.tasks.instruction import Instruction
from headstart.training import resume

P, NEW = 48, 12
#: What the template writes around a prompt, in bytes: `<human>: `, a line's end, `<assistant>:`.
AROUND = 9 + 1 + 12
#: Of what length prompts are, in tokens: the last leave 5, 1, none and less than none of the positions.
LENGTHS = (AROUND + 4, AROUND + 8, P - 5, P - 1, P, P + 9)


def _rows() -> list[dict[str, str]]:
    return [{"prompt": "x" * (length - AROUND), "response": "ab"} for length in LENGTHS]


def _save_model(family: str, folder: Path, tiny_bloom: Path, most: int) -> Path:
    tokenizer = AutoTokenizer.from_pretrained(tiny_bloom, model_max_length=most)
    names = {"vocab_size": len(tokenizer), "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
    torch.manual_seed(0)
    if family == "gpt2":
        config: Any = GPT2Config(n_positions=P, n_embd=32, n_layer=1, n_head=2, **names)
        model: Any = GPT2LMHeadModel(config)
    else:
        shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        model = LlamaForCausalLM(LlamaConfig(max_position_embeddings=P, **shape, **names))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _write(folder: Path, model: Path, **changes: Any) -> Path:
    train = [{"prompt": f"say {i}", "response": "ab"} for i in range(8)]
    keys = {
        "arms": {"full": {}},
        "training": {"epochs": 1, "batch_size": 4, "precision": "fp32"},
        "generation": {"max_new_tokens": NEW},
        "samples": ["say 1"],
    }
    rows = {"train": train, "valid": _rows()[:2], "test": _rows()}
    return write_answering_study(folder, model, rows, **(keys | changes))


def _read_record(folder: Path) -> RunRecord:
    (record,) = RunStore(folder / "out").read_records()
    return record


def _answer_with_the_library(folder: Path, prompt: str, room: int) -> str:
    """Greedily, `room` tokens at most; nothing without room."""
    if room <= 0:
        return ""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = tokenizer(f"<human>: {prompt}\n<assistant>:", return_tensors="pt").input_ids
    whole = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=room, do_sample=False)
    return str(tokenizer.decode(whole[0, ids.shape[1] :], skip_special_tokens=True)).strip()


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize("most", [P // 2 + 16, P, 10**30])
def test_answers_end_where_positions_do(family: str, most: int, tiny_bloom: Path, tmp_path: Path) -> None:
    """Whatever the tokenizer says of lengths; rotary positions go on."""
    model = _save_model(family, tmp_path / "model", tiny_bloom, most)
    assert main(["run", str(_write(tmp_path, model))]) == 0
    record = _read_record(tmp_path)
    assert record.status == "done"
    assert record.test is not None
    assert "chrf" in record.test
    rows = pq.read_table(tmp_path / "out/runs/full/all/0/predictions.parquet").to_pylist()
    rooms = [NEW if family == "llama" else min(NEW, P - length) for length in LENGTHS]
    saved = tmp_path / "out/models/full"
    expected = [_answer_with_the_library(saved, row["prompt"], n) for row, n in zip(rows, rooms, strict=True)]
    assert [row["answer"] for row in rows] == expected


def test_a_plan_says_which_prompts_positions_concern(
    tiny_bloom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = _save_model("gpt2", tmp_path / "model", tiny_bloom, 10**30)
    file = _write(tmp_path, model)
    plan = headstart.plan(headstart.load_study(file))
    told = [warning.message for warning in plan.warnings if warning.kind == "positions"]
    assert told == [
        f"2 of 9 prompts to be answered (2 of test) leave none of the {P} positions of {model} for an "
        "answer, which will be empty",
        f"2 of 9 prompts to be answered (2 of test) leave fewer of the {P} positions of {model} than "
        f"generation.max_new_tokens, {NEW}: answers end with the positions",
    ]
    (statistics,) = plan.to_dict()["conversations"].values()
    assert statistics["prompts"] == {
        "asked": {"valid": 2, "test": 6, "samples": 1},
        "longest": max(LENGTHS),
        "positions": P,
        "trained_positions": P,
        "max_new_tokens": NEW,
        "answers_cut_by_positions": {"test": 2},
        "without_room": {"test": 2},
    }
    # An answer is a space, two letters and the end token; positions leave all, 1 token, none.
    test = statistics["parts"]["test"]
    assert (test["loss_tokens"], test["answers_cut"], test["without_answer"]) == (4 + 4 + 4 + 1, 1, 2)
    assert statistics["parts"]["train"]["loss_tokens"] == 8 * 4
    assert statistics["padding_share"] == 0
    assert main(["plan", str(file)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "tokens in the loss: 32 of" in shown
    assert "answers cut by training.max_length: 1 of test" in shown
    assert "prompts that leave no room for an answer to learn: 2 of test" in shown
    assert f"longest of 9 prompts to be answered: {max(LENGTHS)} tokens, of {P} positions" in shown


def test_rotary_positions_beyond_those_of_the_checkpoint_are_said(tiny_bloom: Path, tmp_path: Path) -> None:
    model = _save_model("llama", tmp_path / "model", tiny_bloom, 10**30)
    plan = headstart.plan(headstart.load_study(_write(tmp_path, model)))
    (told,) = [warning.message for warning in plan.warnings if warning.kind == "positions"]
    assert told.startswith("4 of 9 prompts to be answered (4 of test) may pass with their answers the 48")


def _fail(*_: Any) -> Any:
    raise IndexError("index out of range in self")


def test_a_run_that_cannot_answer_is_kept_and_said(
    tiny_bloom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = _save_model("gpt2", tmp_path / "model", tiny_bloom, 10**30)
    monkeypatch.setattr(instruction, "generate_answers", _fail)
    assert main(["run", str(_write(tmp_path, model))]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    record = _read_record(tmp_path)
    assert record.status == "done"
    assert record.test is not None
    assert record.test.keys() == {"loss", "perplexity", "token_accuracy"}
    assert "generate_answers" in (record.traceback or "")
    assert (tmp_path / "out/models/full/model.safetensors").is_file()
    left_out = [one.message for one in record.warnings if one.kind == "answers-left-out"]
    assert len(left_out) == 4  # samples before and after, test, valid
    assert left_out[1] == (
        "full/all/0: metrics of answers to test prompts are left out, as answering failed: "
        "IndexError: index out of range in self"
    )
    assert all(message in shown for message in left_out)


def _count_steps(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    from headstart.engine.pack_trainer import PackTrainer

    steps: list[Any] = []
    step: Callable[..., bool] = PackTrainer.step

    def count(self: PackTrainer, batches: Any) -> bool:
        steps.append(batches)
        return step(self, batches)

    monkeypatch.setattr(PackTrainer, "step", count)
    return steps


def test_what_was_learnt_is_tested_by_the_next_call(
    tiny_bloom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that fails, for memory or a full disk, costs no training."""
    model = _save_model("gpt2", tmp_path / "model", tiny_bloom, 10**30)
    study = headstart.load_study(_write(tmp_path, model, training={"epochs": 2, "batch_size": 4}))
    whole = headstart.load_study(
        _write(tmp_path, model, training={"epochs": 2, "batch_size": 4}, out=str(tmp_path / "whole"))
    )
    headstart.run(whole)
    (expected,) = RunStore(tmp_path / "whole").read_records()
    with monkeypatch.context() as patch:
        patch.setattr(Instruction, "test", _fail)
        with pytest.raises(HeadstartError, match="every run failed"):
            headstart.run(study)
    failed = _read_record(tmp_path)
    assert failed.status == "failed"
    assert "is saved: run again to resume from there" in (failed.error or "")
    steps = _count_steps(monkeypatch)
    headstart.run(study)
    record = _read_record(tmp_path)
    assert (record.status, steps) == ("done", [])
    assert (record.test, record.valid, record.best_epoch) == (
        expected.test,
        expected.valid,
        expected.best_epoch,
    )


def _die(*_: Any) -> Any:
    raise KeyboardInterrupt


def test_a_process_that_dies_while_it_tests_loses_no_training(
    tiny_bloom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of runs that took long enough, as here all do, the state is written before they are asked."""
    monkeypatch.setattr(resume, "SAVE_INTERVAL", 0)
    monkeypatch.setattr(resume, "MAX_TIME_SHARE", 1e9)
    model = _save_model("gpt2", tmp_path / "model", tiny_bloom, 10**30)
    study = headstart.load_study(_write(tmp_path, model))
    with monkeypatch.context() as patch:
        patch.setattr(Instruction, "test", _die)
        with pytest.raises(KeyboardInterrupt):
            headstart.run(study)
    steps = _count_steps(monkeypatch)
    headstart.run(study)
    assert (_read_record(tmp_path).status, steps) == ("done", [])


def test_a_prompt_without_room_is_one_sentence(
    tiny_bloom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = _save_model("gpt2", tmp_path / "model", tiny_bloom, 10**30)
    assert main(["generate", str(model), "x" * P]) == 2
    assert (
        f"the prompt has {AROUND + P} tokens, but the model has only {P} positions" in capsys.readouterr().err
    )
    source = tmp_path / "in.jsonl"
    source.write_text('{"prompt": "a"}\n' + json.dumps({"prompt": "x" * P}) + "\n", encoding="utf-8")
    assert main(["generate", str(model), "-f", str(source), "-o", str(tmp_path / "out.jsonl")]) == 2
    assert f"{source}:2: the prompt has" in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()
    (answer,) = headstart.generate(str(model), ["x" * (P - AROUND - 1)])
    assert not answer.stopped
