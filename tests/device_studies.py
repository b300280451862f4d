"""Whole studies of every method and task, with tiny checkpoints, by the device's engine: on a GPU, or on the
CPU in its place."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from ruamel.yaml import YAML
from transformers import LlamaConfig, LlamaForCausalLM

from captured import CountingCapture
from device_packs import use_device_engine
from headstart.cli import main
from headstart.engine.runtime import StepNotes
from headstart.engine.train import train
from headstart.records import RunRecord
from headstart.store.runs import RunStore
from headstart.training import train_pack as packs

_GOOD, _BAD, _PLAIN = (
    ("good", "lovely", "warm"),
    ("bad", "dull", "flat"),
    ("the", "film", "was", "and", "story"),
)
#: Columns of a run's tables: floats, or anything that is equal or not.
Columns = dict[str, Any]


def make_arms(kind: str, *, dropout: float = 0.0, random: bool = True) -> dict[str, Any]:
    """An arm of each method that learns labels, or conversations, and of whatever trains differently.

    Args:
        kind: `labels` or `conversations`.
        dropout: of adapters; the checkpoint's is in its configuration.
    """
    lora = {"r": 4, "dropout": dropout, "target": "all"}
    arms: dict[str, Any] = {
        "full": {},
        "lora": {"method": "lora", "lora": lora},
        "peft": {"method": "peft", "peft": {"peft_type": "IA3"}},
    }
    if find_spec("bitsandbytes"):
        arms["qlora"] = {"method": "qlora", "lora": lora}
    if random:
        arms["random"] = {"init": "random"}
    if kind == "labels":
        return arms | {"probe": {"method": "probe"}, "words": {"method": "bag-of-words"}}
    narrow = {"method": "lora", "lora": {**lora, "r": 2}}
    return arms | {"narrow": narrow, "base": {"method": "none"}}


#: A study of each task by name: what differs from the common one.
STUDIES: dict[str, dict[str, Any]] = {
    "classification": {"arms": make_arms("labels"), "training": {"accumulation": 2}},
    "multi-label": {
        "arms": {
            "full": {},
            "gentle": {"training": {"learning_rate": 1e-3, "weight_decay": 0.3}},
            "random": {"init": "random"},
            "lora": make_arms("labels")["lora"],
            "words": None,
        },
        "training": {"gradient_checkpointing": True, "precision": "fp32"},
    },
    "regression": {"training": {"patience": 1, "clip": 0.3, "schedule": "cosine"}, "vocabulary": "full"},
    "instruction": {"arms": make_arms("conversations", random=False), "samples": ["say a 80"]},
    "instruction, packed": {
        "prompts": {"packing": True},
        "training": {"accumulation": 2, "gradient_checkpointing": True},
    },
}


@dataclass(frozen=True)
class Done:
    """A study that was run, and how the steps of its packs in this process were made."""

    out: Path
    notes: list[StepNotes] = field(default_factory=list)

    @property
    def records(self) -> dict[str, RunRecord]:
        """The records by run."""
        return {record.key: record for record in RunStore(self.out).read_records()}

    def read_columns(self, key: str) -> Columns:
        """All that a run says of the test examples."""
        files = sorted((self.out / "runs" / key).glob("*.parquet"))
        assert files, key
        columns: Columns = {}
        for file in files:
            columns |= {f"{file.stem}.{name}": v for name, v in pq.read_table(file).to_pydict().items()}
        return columns

    def read_points(self, key: str) -> list[Any]:
        """What a run's epochs measured, but for the time they took."""
        return [point.model_dump(exclude={"seconds"}) for point in self.records[key].epochs]


# --- Writing ----------------------------------------------------------------------------------------------


def copy_checkpoint(model: Path, folder: Path, dropout: float) -> Path:
    """The checkpoint with this share of dropout wherever its family has any."""
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    shares = {name: dropout for name, value in config.items() if "drop" in name and isinstance(value, float)}
    (folder / "config.json").write_text(json.dumps(config | shares), encoding="utf-8")
    return folder


def make_tiny_llama(bloom: Path, folder: Path, dropout: float) -> Path:
    """A random LLaMA of 2 layers, 32 wide, that reads bytes by the tokenizer of the tiny BLOOM."""
    shutil.copytree(bloom, folder, ignore=shutil.ignore_patterns("*config.json", "*.safetensors"))
    shutil.copy(bloom / "tokenizer_config.json", folder)
    config = LlamaConfig(
        **(_BODY | {"vocab_size": json.loads((bloom / "config.json").read_text("utf-8"))["vocab_size"]}),
        attention_dropout=dropout,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        LlamaForCausalLM(config).save_pretrained(folder)
    return folder


_BODY: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 64,
    "initializer_range": 0.1,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
}


def write_study(folder: Path, name: str, model: Path, **changes: Any) -> Path:
    """A study of `STUDIES`, on the CPU, with changes; those of `training` are added to its own."""
    folder.mkdir(parents=True, exist_ok=True)
    task, own = name.partition(",")[0], STUDIES[name]
    training = {"epochs": 2, "batch_size": 6, "learning_rate": 5e-3, "precision": "fp64"}
    study = {
        "task": task,
        "data": {part: _write_rows(folder, task, part) for part in _PARTS},
        "model": str(model),
        "arms": {"full": {}, "lora": make_arms("labels")["lora"], "words": None},
        "confounded": True,
        "seeds": [0, 1],
        "curves": ["valid", "test"],
        "generation": {"max_new_tokens": 3, "texts": 2},
        "workers": 0,
        "report": False,
        "pack": 6,
        "device": "cpu",
        "out": str(folder / "out"),
    }
    study |= own | changes
    study["training"] = training | own.get("training", {}) | changes.get("training", {})
    with (folder / "study.yaml").open("w", encoding="utf-8") as stream:
        YAML().dump(study, stream)
    return folder / "study.yaml"


_PARTS = {"train": range(34), "valid": range(34, 46), "test": range(46, 58)}


def _write_rows(folder: Path, task: str, part: str) -> str:
    file = folder / f"{part}.jsonl"
    lines = (json.dumps(_make_row(task, i)) + "\n" for i in _PARTS[part])
    file.write_text("".join(lines), encoding="utf-8")
    return str(file)


def _make_row(task: str, i: int) -> dict[str, Any]:
    """The i-th example: its words tell its label, and how many they are is no hint."""
    if task == "instruction":
        letter = "ab"[i.bit_count() % 2]
        return {"prompt": f"say {letter} {i}", "response": letter * (1 + i % 5)}
    words = [_PLAIN[i // 5**power % 5] for power in range(2 + i % 7)]
    words += [(_BAD, _GOOD)[i % 2][i // 2 % 3]] * (1 + i % 3)
    labels: dict[str, Any] = {
        "classification": ("bad", "good")[i % 2],
        "multi-label": [name for name, has in (("good", i % 2), ("much", i % 3 == 2)) if has],
        "regression": (i % 2 or -1) * (1 + i % 3) / 2,
    }
    return {"text": " ".join(words), "label": labels[task]}


# --- Running ----------------------------------------------------------------------------------------------


def run_study(file: Path, device: torch.device) -> Done:
    """Run a study in this process by the device's engine."""
    notes: list[StepNotes] = []
    with pytest.MonkeyPatch.context() as patch, use_device_engine(device):
        patch.setattr(packs, "train", _watch_training(device, notes))
        main(["run", str(file)])  # of runs that fail, records tell more than its exit code does
    return Done(_find_out(file), notes)


def _watch_training(device: torch.device, notes: list[StepNotes]) -> Callable[..., StepNotes]:
    """`train` that keeps how steps were made; on a CPU with what stands for captures, read late."""

    def watch(*inputs: Any, **more: Any) -> StepNotes:
        if device.type == "cpu":
            more |= {"capture": CountingCapture(), "read_every": 4}
        notes.append(train(*inputs, **more))
        return notes[-1]

    return watch


def run_on_host(file: Path) -> Done:
    """Run a study in this process by the host's engine."""
    assert main(["run", str(file)]) == 0
    return Done(_find_out(file))


def run_elsewhere(file: Path, device: torch.device, *, killed_at: int | None = None) -> Done:
    """Run a study in a process of its own, which may be killed as an epoch of that number ends."""
    command = [sys.executable, str(Path(__file__).with_name("killed.py")), str(file), device.type]
    done = subprocess.run(
        [*command, str(killed_at or 0)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == (-9 if killed_at else 0), done.stderr
    return Done(_find_out(file))


def _find_out(file: Path) -> Path:
    return Path(YAML(typ="safe").load(file.read_text("utf-8"))["out"])


@contextmanager
def own_cache(folder: Path) -> Iterator[None]:
    """A cache for what is run inside: features are computed, and not taken from another engine's run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADSTART_CACHE", str(folder))
        yield


# --- Comparing --------------------------------------------------------------------------------------------


def assert_all_done(done: Done, name: str) -> None:
    """Every run ended well, and where it made steps on a device they were captured, as its record says."""
    failed = {key: r.traceback or r.error for key, r in done.records.items() if r.status != "done"}
    assert not failed, f"{name}: {json.dumps(failed, indent=1)}"
    eager = {notes.eager_reason for notes in done.notes if not notes.captured}
    executed = [record.execution for record in done.records.values() if record.execution]
    eager |= {one.eager_reason for one in executed if one.captured is False and done.notes}
    assert not eager, f"{name}: not captured: {eager}"


def assert_equal_studies(first: Done, second: Done, name: str) -> None:
    """All that is said of examples, and all epochs, are equal."""
    assert first.records.keys() == second.records.keys()
    for key in first.records:
        assert first.read_columns(key) == second.read_columns(key), f"{name}: {key}"
        assert first.read_points(key) == second.read_points(key), f"{name}: {key}"


def find_gaps(first: Done, second: Done) -> dict[str, float]:
    """By run, the largest difference of a number that two studies say of an example."""
    assert first.records.keys() == second.records.keys()
    return {key: _find_gap(first.read_columns(key), second.read_columns(key)) for key in first.records}


def _find_gap(first: Mapping[str, Any], second: Mapping[str, Any]) -> float:
    assert first.keys() == second.keys()
    floats = [name for name, values in first.items() if isinstance(values[0], float)]
    assert floats
    return max(float(np.abs(np.subtract(first[name], second[name])).max()) for name in floats)
