"""Times a whole study on a GPU: `headstart run` as a process of its own, against a script of Trainer's.

    python benchmarks/gpu_study.py trainer FOLDER

is that script: one run of the study that `write_study` put into FOLDER. Two arms of RoBERTa-small's shape,
from a saved checkpoint and from random weights, learn invented reviews over seeds; nothing is downloaded.
The checkpoint is random too: its arm's name says where weights come from, and nothing of what they know.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cells import SHAPES

ARMS = ("pretrained", "random")
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
MAX_LENGTH, RATE, WARMUP = 256, 1e-4, 0.06
PARTS, LABELS = ("train", "valid", "test"), ("bad", "good")


@dataclass(frozen=True)
class StudySize:
    """How much a study holds; `words` are those that its texts are made of, of the table's rows."""

    shape: str
    words: int
    texts: int
    eval_texts: int
    epochs: int
    seeds: int
    batch: int
    device: str

    @property
    def runs(self) -> int:
        """Of both arms."""
        return len(ARMS) * self.seeds


FULL = StudySize("roberta-small", 9_000, 2_000, 500, 5, 3, 8, "cuda")
TINY = StudySize("tiny", 200, 24, 8, 1, 1, 8, "cpu")


# --- what both read -----------------------------------------------------------------------------------


def write_study(size: StudySize, folder: Path) -> Path:
    """Texts, checkpoint and study file, and the sizes for the script; gives the study file."""
    folder.mkdir()
    for part, count in zip(PARTS, (size.texts, size.eval_texts, size.eval_texts), strict=True):
        lines = (json.dumps(row) + "\n" for row in iter_reviews(size.words, count, PARTS.index(part)))
        (folder / f"{part}.jsonl").write_text("".join(lines), "utf-8")
    write_checkpoint(size, folder / "checkpoint")
    (folder / "size.json").write_text(json.dumps(vars(size)), "utf-8")
    path = folder / "study.yaml"
    path.write_text(json.dumps(describe_study(size, folder)), "utf-8")  # JSON is YAML
    return path


def describe_study(size: StudySize, folder: Path) -> dict[str, Any]:
    """The study file, as values; settings that are not there are Headstart's own."""
    return {
        "data": {part: str(folder / f"{part}.jsonl") for part in PARTS},
        "model": str(folder / "checkpoint"),
        "arms": {**{arm: {"init": arm} for arm in ARMS}, "words": None},
        "seeds": size.seeds,
        "device": size.device,
        "training": {
            "batch_size": size.batch,
            "epochs": size.epochs,
            "learning_rate": RATE,
            "warmup": WARMUP,
            "max_length": MAX_LENGTH,
            "precision": "bf16",
        },
        "out": str(folder / "out"),
    }


def iter_reviews(words: int, count: int, seed: int) -> Iterator[dict[str, str]]:
    """Invented reviews: words by Zipf's law, lengths as of film or book reviews (log-normal, median 90).

    Some words in a hundred are of a label's own, so that there is something to learn.
    """
    import numpy as np

    draws = np.random.default_rng(seed)
    weights = 1 / np.arange(1, words + 1)
    for _ in range(count):
        label = int(draws.integers(2))
        length = int(np.clip(draws.lognormal(np.log(90), 0.6), 5, 300))
        ids = draws.choice(words, length, p=weights / weights.sum())
        own = 2 * draws.integers(words // 20, size=length) + label
        ids = np.where(draws.random(length) < 0.04, own, ids)
        yield {"text": " ".join(f"word{i}" for i in ids), "label": LABELS[label]}


def write_checkpoint(size: StudySize, folder: Path) -> None:
    """A random model with its shape's whole table, and a tokenizer of as many words as the texts have."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast
    from transformers.utils import logging as transformers_logging

    vocabulary = {word: i for i, word in enumerate((*SPECIAL, *(f"word{i}" for i in range(size.words))))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = dict(zip(("cls", "pad", "sep", "unk", "mask"), SPECIAL, strict=True))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=MAX_LENGTH,
        model_input_names=["input_ids", "attention_mask"],
        **{f"{kind}_token": name for kind, name in names.items()},
    ).save_pretrained(folder)
    model = SHAPES[size.shape].model(0)
    model.config.pad_token_id = SPECIAL.index("<pad>")
    transformers_logging.disable_progress_bar()
    model.save_pretrained(folder)


# --- Trainer's script ---------------------------------------------------------------------------------


def run_script(folder: Path) -> dict[str, float]:
    """Make one run as the usual script does: its seconds, those of all before it, and its test accuracy."""
    began = time.perf_counter()
    from transformers import AutoTokenizer, Trainer, set_seed

    size = StudySize(**json.loads((folder / "size.json").read_text("utf-8")))
    tokenizer = AutoTokenizer.from_pretrained(folder / "checkpoint")
    rows = {part: _tokenise(folder / f"{part}.jsonl", tokenizer) for part in PARTS}
    started = time.perf_counter()
    set_seed(0)
    trainer = Trainer(**_describe_trainer(size, folder, rows, tokenizer))
    trainer.train()
    accuracy = trainer.evaluate(rows["test"], metric_key_prefix="test")["test_accuracy"]
    ended = time.perf_counter()
    return {"run": ended - started, "before": started - began, "accuracy": float(accuracy)}


def _tokenise(path: Path, tokenizer: Any) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    encoded = tokenizer([row["text"] for row in rows], truncation=True, max_length=MAX_LENGTH)
    return [
        {**{name: encoded[name][i] for name in encoded}, "label": LABELS.index(row["label"])}
        for i, row in enumerate(rows)
    ]


def _describe_trainer(
    size: StudySize, folder: Path, rows: dict[str, list[dict[str, Any]]], tokenizer: Any
) -> dict[str, Any]:
    import torch
    from transformers import AutoModelForSequenceClassification, DataCollatorWithPadding

    return {
        "model": AutoModelForSequenceClassification.from_pretrained(
            folder / "checkpoint", num_labels=2, dtype=torch.float32
        ),
        "args": _make_arguments(size, folder / "trainer"),
        "data_collator": DataCollatorWithPadding(tokenizer),
        "train_dataset": rows["train"],
        "eval_dataset": rows["valid"],
        "compute_metrics": _compute_accuracy,
    }


def _make_arguments(size: StudySize, out: Path) -> Any:
    """bf16 and batches of like lengths, which Trainer's users may choose; Headstart does both by itself."""
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=str(out),
        num_train_epochs=size.epochs,
        per_device_train_batch_size=size.batch,
        per_device_eval_batch_size=64,
        learning_rate=RATE,
        warmup_steps=WARMUP,
        weight_decay=0.01,
        adam_beta2=0.98,
        adam_epsilon=1e-6,
        train_sampling_strategy="group_by_length",
        bf16=True,
        use_cpu=size.device == "cpu",
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="accuracy",
        report_to=[],
        disable_tqdm=True,
    )


def _compute_accuracy(predicted: Any) -> dict[str, float]:
    logits, labels = predicted
    return {"accuracy": float((logits.argmax(-1) == labels).mean())}


def main(arguments: list[str]) -> None:
    """Be the script."""
    with contextlib.redirect_stdout(sys.stderr):  # Trainer prints its logs; stdout is for the one line
        outcome = run_script(Path(arguments[1]))
    print(json.dumps(outcome))


if __name__ == "__main__":
    main(sys.argv[1:])
