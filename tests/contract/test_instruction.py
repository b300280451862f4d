"""Whole studies of a language model: tuned, asked, saved, loaded by the ecosystem, asked again."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from sacrebleu.metrics import CHRF
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

import headstart
from answering_studies import write_answering_study
from headstart.cli import main
from headstart.models import initialise as models_initialise
from headstart.records import RunRecord
from headstart.store.runs import RunStore
from judged_studies import fill_sheet

peft = pytest.importorskip("peft")
Write = Callable[..., Path]
ARMS: dict[str, Any] = {
    "base": {"method": "none"},
    "full": {},
    "lora": {"method": "lora", "lora": {"r": 8, "target": "all"}},
    "narrow": {"method": "lora", "lora": {"r": 2, "target": "all"}},
    "random": {"init": "random"},
}
SAMPLES = ["say a 80", "say b 81"]


def _rows(start: int, count: int) -> Iterator[dict[str, str]]:
    """Prompts whose letter no digit gives away: a model that learnt the numbers would answer wrongly."""
    for i in range(start, start + count):
        letter = "ab"[i.bit_count() % 2]
        yield {"prompt": f"say {letter} {i}", "response": letter * 3}


def _write(folder: Path, tiny_bloom: Path, **changes: Any) -> Path:
    keys = {
        "arms": {"full": {}, "base": {"method": "none"}},
        "control": "base",
        "training": {"epochs": 30, "batch_size": 4, "learning_rate": 5e-3, "precision": "fp32"},
        "generation": {"max_new_tokens": 8},
    }
    rows = {"train": _rows(10, 50), "valid": _rows(60, 8), "test": _rows(68, 12)}
    return write_answering_study(folder, tiny_bloom, rows, **(keys | changes))


@pytest.fixture(scope="module")
def done(tiny_bloom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a study of all methods, in packs."""
    folder = tmp_path_factory.mktemp("speech")
    study = _write(folder, tiny_bloom, arms=ARMS, seeds=[0, 1], samples=SAMPLES, pack=4, confounded=True)
    assert main(["run", str(study)]) == 0
    return folder / "out"


def _records(out: Path) -> dict[str, RunRecord]:
    return {record.key: record for record in RunStore(out).read_records()}


def test_the_end_shows_what_was_written(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """chrF as sacrebleu has it, exact match and stopped of every arm, and two answers before and after."""
    answers = json.loads((done / "results.json").read_text("utf-8"))["answers"]
    rows = {row["arm"]: row for row in answers["rows"]}
    assert list(rows) == list(ARMS)
    for arm, row in rows.items():
        tables = [
            pq.read_table(done / f"runs/{arm}/all/{seed}/predictions.parquet").to_pydict() for seed in (0, 1)
        ]
        chrf = [CHRF().corpus_score(one["answer"], [one["response"]]).score for one in tables]
        assert row["chrf"] == pytest.approx(np.mean(chrf), abs=1e-6)
        assert row["stopped"] == pytest.approx(np.mean([one["stopped"] for one in tables]))
    assert len(answers["samples"]) == 2
    for sample in answers["samples"]:
        assert sample["prompt"].startswith("say ")
        assert sample["after"] == sample["reference"] == sample["prompt"].split()[1] * 3
        assert sample["before"] != sample["after"]
    capsys.readouterr()
    for command in (["compare", str(done)], ["run", str(done / "study.yaml")]):
        assert main(command) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert "answers to test prompts" in shown
        assert "arm chrF exact match, % stopped, %" in shown
        assert f"reference {answers['samples'][0]['reference']} before training" in shown
    assert main(["compare", str(done), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answers"] == answers


def test_answers_are_learnt_and_stop(done: Path) -> None:
    for key in ("full/all/0", "full/all/1"):
        test = _records(done)[key].test
        assert test is not None
        assert test["exact_match"] == test["stopped"] == 1.0
        assert test["chrf"] == pytest.approx(100)
        assert test["token_accuracy"] == 1.0
        assert test["perplexity"] < 1.5
        valid = _records(done)[key].valid
        assert valid is not None
        assert valid.keys() == test.keys()
        assert valid["stopped"] == 1.0
    base = _records(done)["base/all/0"]
    assert base.test is not None
    assert base.test["exact_match"] == base.test["stopped"] == 0.0
    assert (base.best_epoch, base.parameters.trainable if base.parameters else None) == (0, 0)


def test_arms_differ_and_packs_share(done: Path) -> None:
    records = _records(done)
    packs = {key: record.execution.pack_size for key, record in records.items() if record.execution}
    assert packs["full/all/0"] == packs["lora/all/1"] == packs["narrow/all/0"] == 4
    losses = [record.test["loss"] for key, record in records.items() if record.test and "base" not in key]
    assert len(set(losses)) == len(losses) == 8
    lowest = {arm: records[f"{arm}/all/0"].test for arm in ("base", "narrow", "lora", "full")}
    found = [scores["loss"] for scores in lowest.values() if scores]
    assert found == sorted(found, reverse=True)


def test_figures_are_those_of_the_answers_written(done: Path) -> None:
    record = _records(done)["lora/all/0"]
    assert record.test is not None
    rows = pq.read_table(done / "runs" / "lora/all/0" / "predictions.parquet").to_pylist()
    assert len(rows) == 12
    assert [row["prompt"] for row in rows[:2]] == ["say a 68", "say b 69"]
    exact = sum(row["answer"] == row["response"] for row in rows) / len(rows)
    assert record.test["exact_match"] == pytest.approx(exact)
    assert record.test["stopped"] == pytest.approx(sum(row["stopped"] for row in rows) / len(rows))
    score = CHRF().corpus_score([row["answer"] for row in rows], [[row["response"] for row in rows]]).score
    assert record.test["chrf"] == pytest.approx(score)
    assert record.test["token_f1"] == pytest.approx(sum(row["token_f1"] for row in rows) / len(rows))
    assert record.test["exact_match"] == sum(row["exact_match"] for row in rows) / len(rows)


@pytest.mark.parametrize(
    "metric", ["loss", "perplexity", "token_accuracy", "exact_match", "stopped", "chrf", "token_f1"]
)
def test_arms_are_compared_example_by_example(done: Path, metric: str) -> None:
    """Sums over each example's tokens, and answers one by one, make the metrics that the records have."""
    comparison = headstart.compare(done, metric=metric, control="random")
    for scores in comparison.scores:
        assert scores.n_examples == 12
        for seed, measure in scores.measures.items():
            assert measure.on_resamples(np.ones((1, 12)))[0] == pytest.approx(scores.by_seed[seed])
            assert measure.by_example is not None
            assert measure.by_example.mean() == pytest.approx(scores.by_seed[seed])
        assert scores.measures.keys() == scores.by_seed.keys()
    assert {row.test_examples for row in comparison.contrasts} == {12}


def _read_curve(out: Path, key: str, tag: str) -> list[tuple[int, Any]]:
    events = EventAccumulator(str(out / "tensorboard" / key)).Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


@pytest.mark.parametrize("part", ["valid", "test"])
@pytest.mark.parametrize("metric", ["exact_match", "chrf", "token_f1", "stopped"])
def test_answers_and_the_untrained_arm_are_in_tensorboard(done: Path, part: str, metric: str) -> None:
    """By TensorBoard's own reader: at the epoch chosen, and of the checkpoint as it is at epoch 0."""
    for key, record in _records(done).items():
        scores = getattr(record, part)
        assert _read_curve(done, key, f"{part}/{metric}") == [
            (record.best_epoch, pytest.approx(scores[metric]))
        ]
    assert _records(done)["base/all/0"].best_epoch == 0


def test_the_untrained_arm_has_the_tags_of_the_others(done: Path) -> None:
    base, full = (
        set(EventAccumulator(str(done / "tensorboard" / key)).Reload().Tags()["scalars"])
        for key in ("base/all/0", "full/all/0")
    )
    assert full - base == {"train/loss", "train/lr"}
    assert base < full
    valid = _records(done)["base/all/0"].valid
    assert valid is not None
    assert _read_curve(done, "base/all/0", "best/valid_loss") == [(0, pytest.approx(valid["loss"]))]


def test_a_tuned_arm_wins_the_prompts(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of answers that are all right, against those of an arm that gives none right: won, all of them."""
    comparison = headstart.compare(done, metric="exact_match")
    won = next(row.win_rate for row in comparison.contrasts if row.arm == "full")
    assert won is not None
    assert (won.rate, won.ties, won.high) == (1.0, 0.0, 1.0)
    assert won.low is not None
    assert 0.5 < won.low < 1
    assert main(["compare", str(done), "--metric", "chrf"]) == 0
    out = capsys.readouterr().out
    assert "prompts won" in out
    assert "100.0% (" in out


def test_people_judge_a_studys_answers(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = str(tmp_path / "pairs.csv")
    assert main(["judge", str(done), "--arm", "full", "-o", sheet, "--reference"]) == 0
    judged = fill_sheet(
        Path(sheet), tmp_path / "me.csv", lambda row: "1" if row["answer_1"] == row["reference"] else "2"
    )
    assert main(["judge", str(done), "--read", str(judged)]) == 0
    assert "full beats base: its answer is preferred on 100.0%" in capsys.readouterr().out


def test_samples_stand_side_by_side(done: Path) -> None:
    record = _records(done)["full/all/0"]
    assert [(s.prompt, s.after, s.stopped_after) for s in record.samples] == [
        ("say a 80", "aaa", True),
        ("say b 81", "bbb", True),
    ]
    assert not any(s.stopped_before or s.before == s.after for s in record.samples)
    events = EventAccumulator(str(done / "tensorboard" / "full/all/0"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == list(range(1, 391))
    tags = [tag for tag in events.Tags()["tensors"] if not tag.startswith("_hparams_")]
    assert tags == ["samples/0", "samples/1"]
    (text,) = events.Tensors("samples/0")[0].tensor_proto.string_val
    assert b"say a 80" in text
    assert b"| after | aaa | yes |" in text


def _ask(model: Any, folder: Path) -> str:
    """As the ecosystem asks: the tokenizer's own chat template, the model's own generate."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": "say b 77"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    output_ids = model.generate(
        **inputs, max_new_tokens=8, do_sample=False, eos_token_id=tokenizer.eos_token_id
    )
    text: str = tokenizer.decode(output_ids[0, inputs["input_ids"].shape[1] :])
    return text


def test_the_library_loads_and_asks_the_tuned_model(done: Path) -> None:
    folder = done / "models" / "full"
    assert _ask(AutoModelForCausalLM.from_pretrained(folder), folder) == " bbb</s>"


def test_peft_loads_the_adapter(done: Path, tiny_bloom: Path) -> None:
    folder = done / "models" / "lora"
    base = AutoModelForCausalLM.from_pretrained(tiny_bloom)
    before = _ask(base, folder)
    model = peft.PeftModel.from_pretrained(base, folder)
    assert _ask(model.eval(), folder) != before
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["task_type"], config["r"], config["lora_alpha"]) == ("CAUSAL_LM", 8, 23)


@pytest.mark.parametrize("arm", ["full", "lora"])
def test_generate_answers_prompts_and_files(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arm: str
) -> None:
    model = str(done / "models" / arm)
    assert main(["generate", model, "say b 77", "--max-new-tokens", "8"]) == 0
    aloud = capsys.readouterr().out.strip()
    source = done.parent / "test.jsonl"
    files = ["-f", str(source), "-o", str(tmp_path / "o.jsonl"), "--max-new-tokens", "8"]
    assert main(["generate", model, *files]) == 0
    rows = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()]
    run = json.loads((done / "models" / arm / "headstart.json").read_text(encoding="utf-8"))["run"]
    expected = pq.read_table(done / "runs" / run / "predictions.parquet").to_pylist()
    if arm == "full":
        assert aloud == "bbb"
        assert [(r["answer"], r["stopped"]) for r in rows] == [(e["answer"], e["stopped"]) for e in expected]
    assert [r["prompt"] for r in rows] == [e["prompt"] for e in expected]


def test_the_same_from_python(done: Path, tmp_path: Path) -> None:
    model = done / "models" / "full"
    (answer,) = headstart.generate(str(model), ["say b 77"])
    assert (answer.text, answer.stopped) == ("bbb", True)
    headstart.export(done / "models" / "lora", tmp_path / "whole")
    assert (tmp_path / "whole" / "model.safetensors").is_file()


def test_an_adapter_is_merged_into_a_whole_model(done: Path, tmp_path: Path) -> None:
    folder, whole = done / "models" / "lora", tmp_path / "whole"
    assert main(["export", str(folder), "--merge", "-o", str(whole)]) == 0
    base = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
    adapted = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder).eval()
    merged = AutoModelForCausalLM.from_pretrained(whole).eval()
    ids = torch.arange(5, 40)[None]
    with torch.inference_mode():
        assert float((adapted(ids).logits - merged(ids).logits).abs().max()) < 1e-4
    assert _ask(merged, whole) == _ask(adapted, folder)


def test_the_card_and_the_table_say_how_to_ask(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(done.parent / "study.yaml")]) == 0
    assert "headstart generate" in capsys.readouterr().out
    assert "text-generation" in (done / "models" / "full" / "README.md").read_text(encoding="utf-8")
    assert "PeftModel" in (done / "models" / "lora" / "README.md").read_text(encoding="utf-8")


def test_a_four_bit_base(tiny_bloom: Path, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    arms = {"qlora": {"method": "qlora", "lora": {"r": 8, "target": "all"}}, "base": {"method": "none"}}
    assert main(["run", str(_write(tmp_path, tiny_bloom, arms=arms))]) == 0
    record = _records(tmp_path / "out")["qlora/all/0"]
    assert record.parameters is not None
    assert record.epochs[-1].train_loss < 0.8 * record.epochs[0].train_loss
    n_parameters = sum(p.numel() for p in AutoModelForCausalLM.from_pretrained(tiny_bloom).parameters())
    assert record.parameters.total == n_parameters + record.parameters.trainable
    assert main(["generate", str(tmp_path / "out/models/qlora"), "say a 1", "--max-new-tokens", "4"]) == 0


def test_a_four_bit_gpt2(tiny_bloom: Path, tmp_path: Path) -> None:
    """Its layers are put into four bits, trained beside, saved, asked, and merged in full precision."""
    pytest.importorskip("bitsandbytes")
    tiny_gpt2, tokenizer = tmp_path / "gpt2", AutoTokenizer.from_pretrained(tiny_bloom)
    ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
    shape = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64, "initializer_range": 0.1}
    torch.manual_seed(1)
    config = GPT2Config(vocab_size=len(tokenizer), **shape, **ids)
    GPT2LMHeadModel(config).save_pretrained(tiny_gpt2)
    tokenizer.save_pretrained(tiny_gpt2)
    arms = {"qlora": {"method": "qlora", "lora": {"r": 8, "target": "all"}}, "base": {"method": "none"}}
    training = {"epochs": 8, "batch_size": 4, "learning_rate": 5e-3, "precision": "fp32"}
    assert main(["run", str(_write(tmp_path, tiny_gpt2, arms=arms, training=training))]) == 0
    record = _records(tmp_path / "out")["qlora/all/0"]
    assert record.epochs[-1].train_loss < 0.8 * record.epochs[0].train_loss
    folder, whole = tmp_path / "out/models/qlora", tmp_path / "whole"
    assert main(["generate", str(folder), "say a 1", "--max-new-tokens", "4"]) == 0
    assert main(["export", str(folder), "--merge", "-o", str(whole)]) == 0
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    base = AutoModelForCausalLM.from_pretrained(config["base_model_name_or_path"])
    adapted, merged = (
        peft.PeftModel.from_pretrained(base, folder),
        AutoModelForCausalLM.from_pretrained(whole),
    )
    prompt = torch.arange(5, 40)[None]
    with torch.inference_mode():
        assert float((adapted.eval()(prompt).logits - merged.eval()(prompt).logits).abs().max()) < 1e-4
    assert config["fan_in_fan_out"]  # which loaders that do not look at the layers go by


def test_messages_and_templates(tiny_bloom: Path, tmp_path: Path) -> None:
    study = _write(tmp_path, tiny_bloom)
    for part in ("train", "valid", "test"):
        rows = map(json.loads, (tmp_path / f"{part}.jsonl").read_text(encoding="utf-8").splitlines())
        chat = (
            [{"role": "user", "content": r["prompt"]}, {"role": "assistant", "content": r["response"]}]
            for r in rows
        )
        lines = (json.dumps({"messages": messages}) + "\n" for messages in chat)
        (tmp_path / f"{part}.jsonl").write_text("".join(lines), encoding="utf-8")
    template = tmp_path / "own.jinja"
    template.write_text(
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}",
        encoding="utf-8",
    )
    changes = ["data.messages=messages", f"prompts.template={template}"]
    assert main(["run", str(study), *changes]) == 0
    record = _records(tmp_path / "out")["full/all/0"]
    assert record.test is not None
    assert record.test["exact_match"] == 1.0
    kept = (tmp_path / "out/models/full/chat_template.jinja").read_text(encoding="utf-8")
    assert kept == template.read_text(encoding="utf-8")


def test_messages_before_the_last_prompt_stand_beside_it(tiny_bloom: Path, tmp_path: Path) -> None:
    study = _write(tmp_path, tiny_bloom, arms={"base": {"method": "none"}})
    for part in ("train", "valid", "test"):
        rows = map(json.loads, (tmp_path / f"{part}.jsonl").read_text(encoding="utf-8").splitlines())
        turns = (("user", "hi"), ("assistant", "yes"))
        chats = ([*turns, ("user", row["prompt"]), ("assistant", row["response"])] for row in rows)
        lines = (
            json.dumps({"messages": [{"role": role, "content": text} for role, text in chat]}) + "\n"
            for chat in chats
        )
        (tmp_path / f"{part}.jsonl").write_text("".join(lines), encoding="utf-8")
    assert main(["run", str(study), "data.messages=messages"]) == 0
    rows = pq.read_table(tmp_path / "out/runs/base/all/0/predictions.parquet").to_pylist()
    assert rows[0]["prompt"] == "say a 68"
    assert {row["earlier"] for row in rows} == {"user: hi\nassistant: yes"}


def test_texts_may_share_rows(tiny_bloom: Path, tmp_path: Path) -> None:
    """The same losses, for a batch is what it was; alone, adapted, and through PEFT's own model."""
    arms: dict[str, Any] = {
        "full": {},
        "lora": {"method": "lora", "lora": {"r": 2, "dropout": 0.0}},
        "ia3": {"method": "peft", "peft": {"peft_type": "IA3"}},
    }
    losses = []
    for packs_sequences in (False, True):
        folder = tmp_path / str(packs_sequences)
        folder.mkdir()
        changes = {
            "arms": arms,
            "control": "full",
            "prompts": {"packing": packs_sequences},
            "pack": 2,
            "seeds": [0, 1],
        }
        assert main(["run", str(_write(folder, tiny_bloom, **changes)), "training.epochs=2"]) == 0
        records = _records(folder / "out")
        losses.append({key: record.epochs[-1].train_loss for key, record in records.items()})
    assert len(losses[0]) == 6
    assert losses[1] == pytest.approx(losses[0], abs=2e-3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arms": {"p": {"method": "probe"}}, "control": None}, ["arms.p.method", "needs generated answers"]),
        ({"prompts": {"template": "chat"}}, ["no chat template"]),
        ({"prompts": {"template": "none.jinja"}}, ["none.jinja", "cannot be read"]),
        ({"training": {"max_length": 8}}, ["leaves room for an answer in 8 tokens"]),
        ({"select": {"metric": "accuracy"}}, ["select.metric", "perplexity"]),
        ({"task": "classification", "samples": ["x"]}, ["samples", "task: instruction"]),
    ],
)
def test_mistakes_are_one_message(
    tiny_bloom: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    words: list[str],
) -> None:
    assert main(["run", str(_write(tmp_path, tiny_bloom, **changes))]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert all(word in message for word in words), message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["x"], ["x", "a prompt", "-f", "f.csv"], ["x", "-f", "f.csv"]])
def test_generate_wants_a_prompt_or_a_file(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", *arguments]) == 2
    assert "either a prompt or --file with -o expected" in capsys.readouterr().err


def test_predict_and_generate_know_their_models(
    done: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = done.parent / "test.jsonl"
    assert main(["predict", str(done / "models/full"), str(source), "-o", str(tmp_path / "o.jsonl")]) == 2
    assert "headstart generate" in capsys.readouterr().err
    assert main(["generate", str(tmp_path / "nowhere"), "a prompt"]) == 2
    assert "nowhere" in capsys.readouterr().err
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"prompt": ""}\n', encoding="utf-8")
    assert main(["generate", str(done / "models/full"), "-f", str(bad), "-o", str(tmp_path / "o.jsonl")]) == 2
    assert "bad.jsonl:1" in capsys.readouterr().err
    assert not (tmp_path / "o.jsonl").exists()


def test_a_language_models_plan_knows_what_it_costs(tiny_bloom: Path, tmp_path: Path) -> None:
    arms = {"base": {"method": "none"}, "full": {}, "lora": {"method": "lora", "lora": {"r": 2}}}
    packing = {"packing": True}
    study = headstart.load_study(_write(tmp_path, tiny_bloom, arms=arms, prompts=packing, confounded=True))
    values = headstart.plan(study, probe=True).to_dict()
    known = {group["runs"][0].partition("/")[0]: group for group in values["groups"]}
    assert known["base"]["memory_bytes"] is None
    assert known["lora"]["memory_bytes"]["low"] > 0
    assert known["full"]["measured"]["seconds_per_step"] > 0
    assert values["parameters"]["base"]["trainable"] == 0
    assert values["parameters"]["lora"]["trainable"] == 2 * 2 * (32 + 96)
    assert values["label_statistics"] == {}
    assert 0 <= values["cost"]["seconds"]["low"] < values["cost"]["seconds"]["high"]


def test_records_of_language_models_hold_estimate_and_truth(done: Path) -> None:
    for record in _records(done).values():
        assert record.estimate is not None
        assert (record.estimate.memory_bytes is None) == (record.arm == "base")


def test_a_lora_run_with_samples_builds_its_base_twice(
    tiny_bloom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once to train, once to be asked before and after; the first is gone by then, none proves the save."""
    built: list[weakref.ref[Any]] = []
    alive: list[int] = []

    def initialise(*given: Any, **named: Any) -> Any:
        gc.collect()
        alive.append(sum(reference() is not None for reference in built))
        model = models_initialise.initialise_model(*given, **named)
        built.append(weakref.ref(model))
        return model

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("the base was loaded once more")

    monkeypatch.setattr("headstart.methods.base.initialise_model", initialise)
    monkeypatch.setattr("headstart.methods.load_adapters.load_adapter", refuse)
    arms = {"lora": ARMS["lora"], "base": {"method": "none"}}
    training = {"epochs": 2, "batch_size": 8, "learning_rate": 5e-3, "precision": "fp32"}
    study = _write(tmp_path, tiny_bloom, arms=arms, samples=SAMPLES, training=training)
    assert main(["run", str(study)]) == 0
    record = _records(tmp_path / "out")["lora/all/0"]
    assert [sample.prompt for sample in record.samples] == SAMPLES
    assert alive == [0, 0, 0], "of two runs, one that trains and one that is asked as it is"
