"""Times LoRA steps of a causal model: Headstart with one adapter and with some as one, PEFT in Trainer, TRL.

    python benchmarks/lora.py --shapes "small;wide" --adapters 1,4 --steps 20 --rounds 2 --json lora.json

Participants are processes of their own, each once a round, in turn; all make the same steps of the same
random texts, of which the second half carries loss. Leaves out TRL where it is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, replace
from io import StringIO
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from machine import machine

if TYPE_CHECKING:
    from headstart.engine.runtime import StepNotes

WARM, VOCABULARY, PAD, RATE = 3, 8000, 3, 2e-4
Kind = Literal["headstart", "trainer", "trl"]


@dataclass(frozen=True)
class Shape:
    """A BLOOM and its texts: `layers` of `width`, `batch` texts of `tokens`; perhaps in four bits."""

    layers: int
    width: int
    batch: int
    tokens: int
    four_bits: bool = False
    vocabulary: int = VOCABULARY


SHAPES = {
    "small": Shape(6, 256, 4, 64),
    "long": Shape(6, 256, 4, 256),
    "wide": Shape(4, 1024, 2, 16),
    "wide, 4 bits": Shape(4, 1024, 2, 16, four_bits=True),
    "few tokens, 4 bits": Shape(4, 1024, 1, 8, four_bits=True),
}


@dataclass(frozen=True)
class Part:
    """One participant: `adapters` trained as one, in Headstart alone.

    `captures` and `compiles` are what a study's execution section allows on a GPU.
    """

    kind: Kind
    shape: str
    steps: int
    threads: int
    adapters: int = 1
    bf16: bool = True
    device: Literal["cpu", "cuda"] = "cpu"
    captures: Literal["auto", "off"] = "auto"
    compiles: Literal["auto", "on", "off"] = "off"


# --- what all of them share ---------------------------------------------------------------------------


def _model(shape: Shape, dtype: Any = None, device: str = "cpu") -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        "bloom",
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        n_layer=shape.layers,
        n_head=shape.width // 64,
        pad_token_id=PAD,
        use_cache=False,
    )
    torch.manual_seed(0)
    with torch.device(device):
        return AutoModelForCausalLM.from_config(config, dtype=dtype or torch.float32).train()


def _texts(shape: Shape, steps: int) -> np.ndarray:
    """Random ids [N, T], enough for all steps."""
    count = shape.batch * (WARM + steps)
    return np.random.default_rng(0).integers(4, shape.vocabulary, (count, shape.tokens)).astype(np.int32)


def count_targets(shape: Shape) -> int:
    """Tokens of a text that carry loss."""
    return shape.tokens - shape.tokens // 2


def be(part: Part) -> dict[str, float]:
    """Measure one participant in this process: seconds a step, and the peak of memory in MiB."""
    import torch

    from headstart.engine.memory import keep_freed_memory, read_peak_bytes

    torch.set_num_threads(part.threads)
    shape = SHAPES[part.shape]
    if part.kind == "headstart":
        keep_freed_memory()
        marks = _headstart(part, shape)
    else:
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
            marks = (_trainer if part.kind == "trainer" else _trl)(part, shape, folder)
    timed = marks[WARM - 1 :]
    return {"seconds": (timed[-1] - timed[0]) / (len(timed) - 1), "peak": read_peak_bytes() / 2**20}


# --- Headstart ----------------------------------------------------------------------------------------


def _headstart(part: Part, shape: Shape) -> list[float]:
    return [time.perf_counter() for _ in islice(make_adapter_steps(part, shape), WARM + part.steps)]


def make_adapter_steps(part: Part, shape: Shape, read_every: int = 1) -> Iterator[StepNotes]:
    """Headstart's own steps of all adapters; `read_every` as the engine's."""
    import torch

    from headstart.config.runs import Run
    from headstart.config.study import Lora, Training
    from headstart.data.tokenise import Tokens
    from headstart.engine.join_weights import join_weights
    from headstart.engine.kind import uses_device_engine
    from headstart.engine.member import Member, PackContext, TokenisedExamples
    from headstart.engine.train import iter_training_steps
    from headstart.methods.four_bits import quantise_model
    from headstart.methods.lora_layers import cast_base_to_bf16, inject_adapters
    from headstart.tasks import load_task

    ids = _texts(shape, part.steps)
    starts = np.arange(len(ids) + 1) * shape.tokens
    flags = np.tile(np.arange(shape.tokens) >= shape.tokens - count_targets(shape), len(ids))
    texts = TokenisedExamples(
        Tokens(ids.ravel(), starts, None, 0, loss_mask=flags), np.zeros(len(ids), np.int64)
    )
    device, lora = torch.device(part.device), Lora(r=16, target=("query_key_value",))
    context = PackContext(
        task=load_task("instruction"),
        outputs=1,
        pad_id=PAD,
        metric="loss",
        curves=(),
        parts={"train": texts, "valid": texts, "test": texts},
        device=device,
        precision="bf16" if part.bf16 else "fp32",
        captures=part.captures,
        compiles=part.compiles,
    )

    def adapted(seed: int) -> Any:
        model = _model(shape, device=part.device)
        if shape.four_bits:
            quantise_model(model, device, torch.bfloat16 if part.bf16 else torch.float32)
        inject_adapters(model, lora, seed)
        return model.to(device)

    training = Training(batch_size=shape.batch, learning_rate=RATE, epochs=1)
    runs = [
        Run("lora", "all", seed, "lora", "bloom", True, training, lora=lora) for seed in range(part.adapters)
    ]
    weights = join_weights(map(adapted, range(part.adapters)), part.adapters)
    if part.bf16:
        cast_base_to_bf16(weights.module)
        if uses_device_engine(device):
            weights.keep_narrow_copy()
    members = [Member(run, np.arange(len(ids))) for run in runs]
    return iter_training_steps(members, weights, context, read_every=read_every)


# --- the peers ----------------------------------------------------------------------------------------


def _rows(shape: Shape, steps: int) -> list[dict[str, Any]]:
    first = shape.tokens - count_targets(shape)
    return [
        {"input_ids": row.tolist(), "attention_mask": [1] * len(row)}
        | {"labels": [-100] * first + row[first:].tolist()}
        for row in _texts(shape, steps)
    ]


def _base(part: Part, shape: Shape) -> Any:
    """The base as PEFT's users have it: whole, on a GPU in bf16 where steps are, or loaded in four bits."""
    import torch

    if not shape.four_bits:
        return _model(shape, torch.bfloat16 if part.bf16 and part.device == "cuda" else None, part.device)
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    with tempfile.TemporaryDirectory() as folder:
        _model(shape).save_pretrained(folder)
        how = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16 if part.bf16 else torch.float32,
        )
        return AutoModelForCausalLM.from_pretrained(folder, quantization_config=how, device_map=part.device)


def _config() -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=16, lora_alpha=32, lora_dropout=0.05, target_modules=["query_key_value"], task_type="CAUSAL_LM"
    )


def _common(part: Part, shape: Shape, folder: str) -> dict[str, Any]:
    return {
        "output_dir": folder,
        "per_device_train_batch_size": shape.batch,
        "max_steps": WARM + part.steps,
        "learning_rate": RATE,
        "bf16": part.bf16,
        "use_cpu": part.device == "cpu",
        "report_to": [],
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
        "gradient_checkpointing": False,
    }


def _marks() -> tuple[list[float], Any]:
    from transformers import TrainerCallback

    marks: list[float] = []

    class Marks(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            marks.append(time.perf_counter())

    return marks, Marks()


def _trainer(part: Part, shape: Shape, folder: str) -> list[float]:
    marks, callback = _marks()
    run_peft_trainer(part, shape, folder, callback)
    return marks


def run_peft_trainer(part: Part, shape: Shape, folder: str, callback: Any) -> None:
    """Have a Trainer make the steps of PEFT's adapter, or fewer if the callback stops it."""
    from peft import get_peft_model
    from transformers import Trainer, TrainingArguments, default_data_collator

    Trainer(
        model=get_peft_model(_base(part, shape), _config()),
        args=TrainingArguments(**_common(part, shape, folder)),
        train_dataset=_rows(shape, part.steps),
        data_collator=default_data_collator,
        callbacks=[callback],
    ).train()


def _trl(part: Part, shape: Shape, folder: str) -> list[float]:
    from datasets import Dataset
    from transformers import default_data_collator
    from trl import SFTConfig, SFTTrainer

    marks, callback = _marks()
    more: dict[str, Any] = {"max_length": None, "dataset_kwargs": {"skip_prepare_dataset": True}}
    more["remove_unused_columns"] = False
    SFTTrainer(
        model=_base(part, shape),
        args=SFTConfig(**_common(part, shape, folder), **more),
        train_dataset=Dataset.from_list(_rows(shape, part.steps)),
        data_collator=default_data_collator,
        processing_class=_tokenizer(),
        peft_config=_config(),
        callbacks=[callback],
    ).train()
    return marks


def _tokenizer() -> Any:
    """TRL wants one; these texts are ids already."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = {"<unk>": 0, "<s>": 1, "</s>": 2, "<pad>": PAD}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="<unk>")),
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
    )


# --- the rounds ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """The command line."""

    shapes: list[str]
    adapters: list[int]
    steps: int
    rounds: int
    threads: int
    json: Path | None
    part: str | None


def options(arguments: Sequence[str]) -> Options:
    """The command line, checked."""
    from headstart.processors import count_processors

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--shapes", type=lambda text: text.split(";"), default=list(SHAPES), help=f"of {';'.join(SHAPES)}")
    add("--adapters", type=lambda text: [int(n) for n in text.split(",")], default=[1, 4])
    add("--steps", type=int, default=20, help=f"steps timed, after {WARM} that are not")
    add("--rounds", type=int, default=2, help="each holds every participant once")
    add("--threads", type=int, default=count_processors())
    add("--json", type=Path, help="file for the numbers")
    add("--part", help=argparse.SUPPRESS)
    parsed = Options(**vars(parser.parse_args(arguments)))
    if not set(parsed.shapes) <= set(SHAPES):
        parser.error(f"--shapes {';'.join(parsed.shapes)}: some of {'; '.join(SHAPES)} expected")
    if min(parsed.steps, parsed.rounds, parsed.threads, *parsed.adapters) < 1:
        parser.error("counts of at least 1 expected")
    return parsed


def participants(name: str, wanted: Options) -> dict[str, Part]:
    """Each by name."""
    part = Part("headstart", name, wanted.steps, wanted.threads)
    parts = {f"Headstart, {n} as one, bf16": replace(part, adapters=n) for n in wanted.adapters}
    parts["Headstart, 1, fp32"] = replace(part, bf16=False)
    peers: dict[Kind, str] = {"trainer": "PEFT in Trainer", "trl": "TRL's SFTTrainer"}
    for kind, title in peers.items():
        if kind == "trl" and importlib.util.find_spec("trl") is None:
            continue
        parts[f"{title}, bf16"] = replace(part, kind=kind)
        parts[f"{title}, fp32"] = replace(part, kind=kind, bf16=False)
    return parts


def main(arguments: Sequence[str]) -> None:
    """Be one participant, or lead the rounds."""
    wanted = options(arguments)
    if wanted.part is not None:
        print(json.dumps(be(Part(**json.loads(wanted.part)))))
        return
    print("  ".join(f"{name}: {value}" for name, value in machine().items()))
    numbers: dict[str, Any] = {"machine": machine()}
    for name in wanted.shapes:
        parts = participants(name, wanted)
        rounds = []
        for number in range(wanted.rounds):
            order = list(parts) if number % 2 == 0 else list(reversed(parts))
            rounds.append({title: _told(title, _child(parts[title])) for title in order})
        numbers[name] = rounds
        print(report(name, parts, rounds), flush=True)
        if wanted.json is not None:
            wanted.json.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")


def _child(part: Part) -> dict[str, float]:
    command = [sys.executable, __file__, "--part", json.dumps(asdict(part))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{part} exited with code {done.returncode}")
    outcome: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return outcome


def _told(title: str, outcome: dict[str, float]) -> dict[str, float]:
    print(f"  {title}: {1e3 * outcome['seconds']:.1f} ms", file=sys.stderr, flush=True)
    return outcome


def report(name: str, parts: dict[str, Part], rounds: list[dict[str, dict[str, float]]]) -> str:
    """A line for each participant: medians over the rounds, and ratios of the same round."""
    shape = SHAPES[name]
    first = next(iter(parts))
    lines = [
        f"\n{name}: {shape.layers} layers of {shape.width}, {shape.batch} texts of {shape.tokens} tokens",
        f"{'':32}{'ms a step':>10}{'spread':>16}{'targets/s':>11}{'MiB':>7}  time / {first}",
    ]
    for title, part in parts.items():
        ms = [1e3 * outcomes[title]["seconds"] for outcomes in rounds]
        spread = f"{min(ms):.1f}-{max(ms):.1f}"
        rate = 1e3 * part.adapters * shape.batch * count_targets(shape) / median(ms)
        peak = median(outcomes[title]["peak"] for outcomes in rounds)
        times = median(outcomes[title]["seconds"] / outcomes[first]["seconds"] for outcomes in rounds)
        lines.append(f"{title:32}{median(ms):10.1f}{spread:>16}{rate:11.0f}{peak:7.0f}  {times:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
