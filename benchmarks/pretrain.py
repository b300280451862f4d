"""Tokens a second of pretraining: Headstart beside the loop of transformers' run_mlm.py, in one run.

    python benchmarks/pretrain.py                   # roberta-small on the CPU, blocks of 128 and 256 tokens
    python benchmarks/pretrain.py --gpu --budget 230 --json pretrain-gpu.json

Models and tokens are random: nothing is downloaded, and no loss is claimed. On the CPU the participants take
turns. `--gpu` measures one variant after the other, what matters most first; one that fails is a line that
says why, and those for which the budget has no time are left out.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import torch
from transformers import AutoModelForMaskedLM, RobertaConfig

from headstart.config.pretraining import PretrainingSettings
from headstart.data.token_blocks import TokenBlocks
from headstart.device import choose_device, choose_precision
from headstart.engine.graphs import Capture
from headstart.engine.memory import keep_freed_memory
from headstart.engine.runtime import open_capture
from headstart.pretraining.batches import StepBatch, draw_ahead
from headstart.pretraining.create_trainer import create_trainer
from headstart.pretraining.flops import count_step_cost, find_peak
from headstart.pretraining.run import make_run
from machine import machine

VOCABULARY = 32_000
#: Steps that are made before any is timed.
WARM_UP = 4


@dataclass(frozen=True)
class Size:
    """The shape of a step."""

    block: int
    batch: int
    layers: int = 4
    width: int = 512
    vocabulary: int = VOCABULARY
    dropout: float = 0.1


def make_model(size: Size) -> Any:
    """roberta-small of DESIGN's sizes (22.8 M parameters) with random weights."""
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=8,
        intermediate_size=size.width,
        max_position_embeddings=size.block + 2,
        type_vocab_size=1,
        hidden_dropout_prob=size.dropout,
        attention_probs_dropout_prob=size.dropout,
    )
    return AutoModelForMaskedLM.from_config(config)


def make_tokenizer() -> Any:
    """What the engine asks of a tokenizer."""
    return SimpleNamespace(all_special_ids=[0, 1, 2, 3, 4], mask_token_id=4, pad_token_id=1)


def make_blocks(size: Size, count: int) -> TokenBlocks:
    """Random tokens."""
    tokens = np.random.default_rng(0).integers(5, size.vocabulary, (count, size.block)).astype(np.uint16)
    return TokenBlocks(tokens, np.ones(tokens.shape, bool), 4 * tokens.size, count, f"{size}")


# --- Headstart ----------------------------------------------------------------------------------------


def make_trainer(size: Size, steps: int, device: Any, capture: Capture | None = None, **training: Any) -> Any:
    """The engine's own trainer, before its first step."""
    settings = PretrainingSettings.model_validate(
        {
            "device": device,
            "trackers": [],
            "training": {"block": size.block, "batch_size": size.batch, "steps": steps} | training,
        }
    )
    blocks = make_blocks(size, 4 * size.batch)
    model = make_model(size)
    trainer: Any = create_trainer(
        settings, model, make_tokenizer(), blocks, blocks, choose_device(device), capture
    )
    trainer.run = make_run(settings, "benchmark")
    trainer._timed = time.perf_counter()
    trainer._is_validation_due = lambda steps: False
    trainer._is_save_due = lambda: False
    return trainer


def iterate_headstart(size: Size, steps: int, device: str, **training: Any) -> Iterator[float]:
    """Seconds of each step, drawing of batches included."""
    trainer = make_trainer(size, steps, device, **training)
    draw = partial(trainer._draw, total_blocks=steps * size.batch)
    began = time.perf_counter()
    for step, batch in enumerate(draw_ahead(draw, 0, steps)):
        trainer._make_step(step, batch)
        if device == "cuda" and step % 10 == 9:
            torch.cuda.synchronize()
        now = time.perf_counter()
        yield now - began
        began = now


# --- transformers -------------------------------------------------------------------------------------


def iterate_trainer(size: Size, steps: int, precision: str, device: str) -> Iterator[float]:
    """Seconds of each step of `Trainer` as run_mlm.py has it: group_texts' blocks, its data collator.

    A callback hands the steps out, one at a time, from a thread of its own.
    """
    import queue
    import threading

    times: queue.Queue[float | BaseException | None] = queue.Queue()
    go = threading.Semaphore(0)

    def work() -> None:
        try:
            run_trainer(size, steps, precision, device, go, times)
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            times.put(error)
        times.put(None)

    threading.Thread(target=work, daemon=True).start()
    for _ in range(steps):
        go.release()
        got = times.get()
        if got is None:
            return
        if isinstance(got, BaseException):
            raise got
        yield got


def run_trainer(size: Size, steps: int, precision: str, device: str, go: Any, times: Any) -> None:
    """Train by `Trainer`; waits for `go` before each step and puts its seconds into `times`."""
    from transformers import DataCollatorForLanguageModeling, Trainer, TrainerCallback, TrainingArguments

    class Pace(TrainerCallback):  # type: ignore[misc]
        began = 0.0

        def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
            go.acquire()
            self.began = time.perf_counter()

        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            if device == "cuda":
                torch.cuda.synchronize()
            times.put(time.perf_counter() - self.began)

    blocks = make_blocks(size, 4 * size.batch)
    rows = [{"input_ids": row} for row in blocks.tokens.astype(np.int64).tolist()]
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=size.batch,
        max_steps=steps,
        bf16=precision == "bf16",
        use_cpu=device == "cpu",
        report_to=[],
        disable_tqdm=True,
        logging_strategy="no",
        save_strategy="no",
        warmup_steps=2,
        learning_rate=5e-4,
    )
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = make_real_tokenizer(size, Path(folder))
    Trainer(
        model=make_model(size),
        args=arguments,
        train_dataset=rows,
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15),
        callbacks=[Pace()],
    ).train()


def make_real_tokenizer(size: Size, folder: Path) -> Any:
    """A fast tokenizer of as many words, as the collator asks for."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    words = {word: i for i, word in enumerate([*special, *(f"w{i}" for i in range(5, size.vocabulary))])}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="<unk>")),
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        mask_token="<mask>",
    )


# --- on the CPU: in turn ------------------------------------------------------------------------------


def compare_on_cpu(size: Size, steps: int) -> dict[str, Any]:
    """All participants' steps in turn, so that whatever else the machine does meets all of them."""
    precision = choose_precision("auto", torch.device("cpu"))
    participants: dict[str, Iterator[float]] = {
        "Headstart": iterate_headstart(size, steps, "cpu"),
        "run_mlm.py's loop, fp32": iterate_trainer(size, steps, "fp32", "cpu"),
    }
    if precision == "bf16":
        participants["run_mlm.py's loop, bf16"] = iterate_trainer(size, steps, "bf16", "cpu")
    times: dict[str, list[float]] = {name: [] for name in participants}
    for _ in range(steps):
        for name, one in participants.items():
            began = time.perf_counter()
            next(one)
            times[name].append(time.perf_counter() - began)
    tokens = size.batch * size.block
    print(f"\n{size.batch} blocks of {size.block} tokens, Headstart in {precision}, steps in turn:")
    first = times["Headstart"][WARM_UP:]
    found: dict[str, Any] = {"size": str(size), "precision": precision}
    for name, each in times.items():
        kept = each[WARM_UP:]
        ratios = sorted(theirs / ours for ours, theirs in zip(first, kept, strict=True))
        seconds = statistics.median(kept)
        found[name] = {"tokens_per_second": tokens / seconds, "ratio": statistics.median(ratios)}
        print(
            f"  {name:26} {1000 * seconds:8.0f} ms a step {tokens / seconds:10,.0f} tokens/s   Headstart "
            f"is {statistics.median(ratios):.2f} times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f})",
            flush=True,
        )
    return found


# --- on a GPU: one after the other --------------------------------------------------------------------


def describe_speed(name: str, size: Size, seconds: float, model: Any, note: str = "") -> dict[str, Any]:
    """Print a variant's line, and give it."""
    tokens = size.batch * size.block
    flops = count_step_cost(model, size.block).count(tokens, int(0.15 * tokens)) / seconds
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    peak = find_peak(device)
    share = f"{100 * flops / peak:5.1f}% of peak" if peak else ""
    memory = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0
    print(
        f"{name:58} {1000 * seconds:8.2f} ms a step {tokens / seconds / 1e6:7.3f} M tokens/s "
        f"{flops / 1e12:6.1f} Tflop/s {share} {memory:5.1f} GiB {note}",
        flush=True,
    )
    return {"name": name, "ms": 1000 * seconds, "tokens_per_second": tokens / seconds, "flops": flops,
            "peak": peak, "note": note}  # fmt: skip


def time_steps(step: Callable[[], None], seconds: float = 2.5, warm_up: int = 3) -> float:
    """Seconds of one call, from as many as fill the time, after a few."""
    for _ in range(warm_up):
        step()
    synchronize()
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < seconds or done < 3:
        for _ in range(5):
            step()
        done += 5
        synchronize()
    return (time.perf_counter() - began) / done


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def measure_engine(
    size: Size, device: str, *, profile: bool = False, **training: Any
) -> list[dict[str, Any]]:
    """The engine's steps: as they are, with the same batch again and again, and captured by the engine."""
    label = ", ".join(f"{key} {value}" for key, value in training.items()) + f", dropout {size.dropout}"
    trainer = make_trainer(size, 10**6, device, **training)
    model, found = trainer.passes.model.model, []
    draw = partial(trainer._draw, total_blocks=10**12)
    batches = draw_ahead(draw, 0, 10**6)
    steps = iter(range(10**6))

    def whole() -> None:
        trainer._make_step(next(steps), next(batches))

    began = time.perf_counter()
    whole()
    synchronize()
    first = f"(first step {time.perf_counter() - began:.0f} s"
    seconds = time_steps(whole)
    reason = f", not compiled: {trainer.passes.reason}" if trainer.passes.reason else ""
    found.append(describe_speed(f"Headstart: {label}", size, seconds, model, first + reason + ")"))
    batches.close()  # type: ignore[attr-defined]
    batch = trainer._draw(0, 10**12)
    found.append(describe_speed("  the same batch again: no drawing, no copies",
                                size, time_steps(partial(repeat_step, trainer, batch)), model))  # fmt: skip
    if device == "cuda":
        try:
            found.append(measure_captured(size, device, batch, **training))
        except RuntimeError as error:
            print(f"  captured: {type(error).__name__}: {str(error).splitlines()[0]}", flush=True)
        if profile:
            print_profile(partial(repeat_step, trainer, batch))
    return found


def repeat_step(trainer: Any, batch: StepBatch) -> None:
    """A step of one batch whose losses nobody reads."""
    trainer.steps.make_step(0, batch, 1e-4)


def measure_captured(size: Size, device: str, batch: StepBatch, **training: Any) -> dict[str, Any]:
    """The engine's step of one batch again and again, captured as `pretrain` captures it."""
    with open_capture(torch.device(device)) as capture:
        trainer = make_trainer(size, 10**6, device, capture, **training)
        seconds = time_steps(partial(repeat_step, trainer, batch))
        if not trainer.steps.captured:
            raise RuntimeError(trainer.steps.reason)
        return describe_speed("  captured as CUDA graphs", size, seconds, trainer.passes.model.model)


def print_profile(step: Callable[[], None]) -> None:
    """Where a step's time on the GPU goes, the longest kernels first."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        for _ in range(3):
            step()
        synchronize()
    rows = sorted(seen.key_averages(), key=lambda row: -row.self_device_time_total)
    total = sum(row.self_device_time_total for row in rows)
    print(f"  kernels of a step: {total / 3000:.2f} ms in all", flush=True)
    for row in rows[:22]:
        print(
            f"    {row.self_device_time_total / 3000:7.3f} ms {row.count // 3:4} x {row.key[:100]}",
            flush=True,
        )


def measure_script(size: Size, device: str) -> list[dict[str, Any]]:
    """A usual script: torch.compile around the model with the head on all tokens, autocast, fused AdamW."""
    model = make_model(size).to(device).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    ids = torch.randint(5, size.vocabulary, (size.batch, size.block), device=device)
    labels = torch.where(torch.rand(ids.shape, device=device) < 0.15, ids, -100)

    def compute() -> torch.Tensor:
        with torch.autocast(device, torch.bfloat16):
            loss: torch.Tensor = model(input_ids=ids, labels=labels).loss
        return loss

    compiled = torch.compile(compute) if device == "cuda" else compute

    def step() -> None:
        compiled().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()

    name = f"script: torch.compile, head on all tokens, {size.batch} blocks"
    return [describe_speed(name, size, time_steps(step), model)]


def measure_trainer(size: Size, device: str) -> list[dict[str, Any]]:
    """The loop of run_mlm.py in bf16."""
    times = list(iterate_trainer(size, 24, "bf16", device))[8:]
    name = f"run_mlm.py's loop, bf16, {size.batch} blocks"
    return [describe_speed(name, size, statistics.median(times), make_model(size))]


def measure_products(size: Size, device: str) -> list[dict[str, Any]]:
    """The matrix products of the model alone, forward and backward, in bf16: what no step can beat."""
    tokens, places, width = size.batch * size.block, int(0.15 * size.batch * size.block), size.width
    shapes = [(tokens, width, width)] * (6 * size.layers) + [(places, width, width)]
    shapes += [(places, width, size.vocabulary)]
    operands = {
        shape: [
            torch.randn(*dims, device=device, dtype=torch.bfloat16)
            for dims in ((shape[0], shape[1]), (shape[1], shape[2]), (shape[0], shape[2]))
        ]
        for shape in set(shapes)
    }

    def step() -> None:
        for shape in shapes:
            rows, weight, out = operands[shape]
            rows @ weight
            out @ weight.T
            rows.T @ out

    return [
        describe_speed("matrix products alone, without attention", size, time_steps(step), make_model(size))
    ]


def measure_on_gpu(budget: float, device: str, size: Size) -> list[dict[str, Any]]:
    """All variants that the budget has time for."""
    no_dropout = Size(**{**vars(size), "dropout": 0.0})
    small = Size(**{**vars(size), "batch": max(1, size.batch // 4)})
    compiled = "on" if device == "cuda" else "off"
    work: list[tuple[float, Callable[[], list[dict[str, Any]]]]] = [
        (5, partial(measure_products, size, device)),
        (40, partial(measure_engine, size, device, precision="bf16", compile=compiled, profile=True)),
        (40, partial(measure_engine, size, device, precision="pure-bf16", compile=compiled, profile=True)),
        (15, partial(measure_trainer, Size(**{**vars(size), "batch": max(1, size.batch // 8)}), device)),
        (40, partial(measure_script, small, device)),
        (40, partial(measure_engine, no_dropout, device, precision="pure-bf16", compile=compiled)),
        (15, partial(measure_engine, size, device, precision="bf16", compile="off")),
        (40, partial(measure_engine, no_dropout, device, precision="bf16", compile=compiled)),
    ]
    began, found = time.perf_counter(), []
    for needed, measure in work:
        if time.perf_counter() - began + needed > budget:
            print(f"no time left for {describe(measure)}", flush=True)
            continue
        try:
            found += measure()
        except Exception as error:  # noqa: BLE001 - a line that says why
            print(f"{describe(measure)}: {type(error).__name__}: {str(error)[:300]}", flush=True)
            traceback.print_exc(limit=-4)
        torch.compiler.reset()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
    return found


def describe(measure: Any) -> str:
    """A variant's name where it has no line."""
    words = [f"{key} {value}" for key, value in measure.keywords.items()]
    return " ".join([measure.func.__name__.removeprefix("measure_"), *words])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--gpu", action="store_true", help="roberta-small, 512 blocks of 256 tokens, on a GPU"
    )
    parser.add_argument("--budget", type=float, default=230.0, help="seconds of --gpu in all; 230 by default")
    parser.add_argument("--rehearse", action="store_true", help="--gpu, tiny, on the CPU: times mean nothing")
    parser.add_argument("--blocks", default="128,256", help="tokens of a block on the CPU")
    parser.add_argument("--batch", type=int, default=16, help="blocks of a step on the CPU")
    parser.add_argument("--steps", type=int, default=14, help="steps of each participant on the CPU")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    wanted = parser.parse_args(arguments)
    facts = machine()
    facts["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    print(", ".join(f"{key} {value}" for key, value in facts.items()), flush=True)
    if wanted.rehearse:
        from headstart.engine.kind import force_device_engine

        with force_device_engine():
            found = measure_on_gpu(wanted.budget, "cpu", Size(16, 8, layers=1, width=16, vocabulary=200))
    elif wanted.gpu:
        found = measure_on_gpu(wanted.budget, "cuda", Size(256, 512))
    else:
        keep_freed_memory()
        found = [compare_on_cpu(Size(int(n), wanted.batch), wanted.steps) for n in wanted.blocks.split(",")]
    if wanted.json:
        wanted.json.write_text(json.dumps({"machine": facts, "found": found}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
