"""Trains a language model on blocks of tokens, from the state that it finds; knows no files but that one."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from headstart.config.pretraining import PretrainingSettings
from headstart.config.runs import Run
from headstart.data.token_blocks import TokenBlocks, bits_per_byte, unigram_entropy
from headstart.device import (
    Precision,
    choose_device,
    choose_precision,
    choose_weights_dtype,
    describe_device,
)
from headstart.engine.kind import uses_device_engine
from headstart.engine.optim.base import Optimiser
from headstart.engine.optim.decay import find_decaying_parameters
from headstart.engine.step_ring import choose_read_interval
from headstart.engine.weights import Weights
from headstart.errors import TrainingError
from headstart.events import EpochDone, OnEvent, StepDone, StepMeasured, ignore_events
from headstart.interrupts import Deferred, defer_interrupts
from headstart.pretraining.batches import BlockReader, StepBatch, draw_ahead
from headstart.pretraining.block_masks import restore_masks
from headstart.pretraining.flops import StepCost, count_step_cost, find_peak
from headstart.pretraining.language_model import LanguageModel
from headstart.pretraining.optimiser import make_optimiser, make_training
from headstart.pretraining.schedule import count_total_blocks, count_total_steps, learning_rate
from headstart.pretraining.state import Progress, load_state, save_state
from headstart.pretraining.steps import PassMaker, keep_all_in_bf16
from headstart.records import EpochPoint
from headstart.records.pretraining import PretrainingRecord
from headstart.store.pretraining_folder import STATE_FILE
from headstart.store.provenance import read_version

#: Seconds of training that may be lost, and the share of the time that writing states may take.
_SAVE_INTERVAL, _MAX_TIME_SHARE = 60.0, 0.05
#: Validations in all, where the settings do not say how often.
_VALIDATIONS: Final = 10
_PACKAGES: Final = ("headstart", "torch", "transformers", "tokenizers")


def pretrain_model(
    settings: PretrainingSettings,
    *,
    model: nn.Module,
    tokenizer: Any,
    blocks: TokenBlocks,
    valid: TokenBlocks,
    folder: Path,
    on_event: OnEvent = ignore_events,
    check_held: Callable[[], None] = lambda: None,
    name: str = "pretraining",
) -> PretrainingRecord:
    """Train `model` in place on `blocks`, and give what is known of it; resumes from a state in `folder`.

    The model ends on the CPU, in float32 (float64 with `precision: fp64`), with the weights of the last step.
    The same call after a kill goes on to the same bits on a CPU. What the model is saved as is the caller's:
    `save_language_model`.

    Args:
        settings: task, masking, training, seed, device; a `Pretraining` is one too.
        model: of transformers, for masked-language or causal modelling, with its first weights, on the CPU.
        tokenizer: of the blocks; its mask, padding and special tokens are read.
        blocks: what is trained on; `valid`: what validation measures.
        folder: for the state; it is made, and the state in it removed by `forget_state` when all is saved.
        on_event: is told of each step (`StepDone`, `StepMeasured`) and validation (`EpochDone`).
        check_held: raises where the folder was taken over by another process; asked before each write.
        name: what events call the run.

    Raises:
        TrainingError: the loss is no longer finite.
        DamagedFileError: the state in the folder is damaged, or of another pretraining.
        Interrupted: a signal came; the state of the last step is saved.
    """
    device = choose_device(settings.device)
    trainer = _make_trainer(settings, model, tokenizer, blocks, valid, device)
    trainer.folder, trainer.check_held = folder, check_held
    trainer.on_event, trainer.run = on_event, make_run(settings, name)
    with defer_interrupts() as deferred:
        trainer.train(deferred)
    record = trainer.describe()
    _release(trainer.passes.weights, model)
    return record


def forget_state(folder: Path) -> None:
    """Remove the state of a pretraining that is done, once its model is saved."""
    (folder / STATE_FILE).unlink(missing_ok=True)


def count_validations(steps: int) -> int:
    """Validations of a pretraining of so many steps whose settings do not say how often."""
    return math.ceil(steps / max(1, steps // _VALIDATIONS))


def make_run(settings: PretrainingSettings, name: str) -> Run:
    """The pretraining as events and trackers know runs."""
    training = make_training(settings.training)
    return Run(name, "all", settings.seed, "full", name, False, training)


def _make_trainer(
    settings: PretrainingSettings,
    model: Any,
    tokenizer: Any,
    blocks: TokenBlocks,
    valid: TokenBlocks,
    device: torch.device,
) -> _Trainer:
    first = _hash_weights(model)
    wanted = settings.training.precision
    precision: Precision = "bf16" if wanted == "pure-bf16" else choose_precision(wanted, device)
    model.to(device, choose_weights_dtype(precision)).train()
    weights = Weights(model, find_decaying_parameters(model))
    if wanted == "pure-bf16":
        keep_all_in_bf16(weights)
    elif precision == "bf16" and uses_device_engine(device):
        weights.keep_narrow_copy()
    reader = BlockReader(settings, tokenizer, model.config.vocab_size, uses_device_engine(device))
    identity = _identify(settings, precision, first, blocks, valid)
    passes = PassMaker(LanguageModel(model), weights, settings, device, precision)
    optimiser = make_optimiser(weights, model, settings.training)
    return _Trainer(settings, reader, passes, optimiser, blocks, valid, identity)


def _hash_weights(model: nn.Module) -> str:
    sha = hashlib.sha256()
    for name, value in model.named_parameters():
        sha.update(name.encode())
        sha.update(value.detach().float().cpu().contiguous().numpy().data)
    return sha.hexdigest()


def _identify(
    settings: PretrainingSettings, precision: str, first: str, blocks: TokenBlocks, valid: TokenBlocks
) -> str:
    """The digest of all that a state is a function of."""
    own = settings.model_dump_json(include={"task", "masking", "training", "seed", "eval_every"})
    parts = ("1", own, precision, first, blocks.digest, valid.digest, read_version("torch"))
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _release(weights: Weights, model: Any) -> None:
    """Give each parameter memory of its own again, on the CPU, with what was trained."""
    values = weights.layout.view_parameters(weights.values[0])
    for name, parameter in model.named_parameters():
        parameter.data = values[name].detach().clone().cpu()
    restore_masks(model)
    model.to("cpu").eval()


@dataclass
class _Trainer:
    """Makes the steps, and between them validations and states."""

    settings: PretrainingSettings
    reader: BlockReader
    passes: PassMaker
    optimiser: Optimiser
    blocks: TokenBlocks
    valid: TokenBlocks
    identity: str
    folder: Path = Path()
    check_held: Callable[[], None] = lambda: None
    on_event: OnEvent = ignore_events
    run: Run | None = None
    progress: Progress = field(default_factory=Progress)
    _unread: list[tuple[int, torch.Tensor]] = field(default_factory=list)
    _began: float = 0.0
    _saved: float = 0.0
    _writing: float = 0.0

    @property
    def total(self) -> int:
        """Steps in all."""
        return count_total_steps(self.settings.training, len(self.blocks))

    @property
    def cost(self) -> StepCost:
        """Operations of its tokens."""
        return count_step_cost(self.passes.model.model, self.settings.training.block)

    def train(self, deferred: Deferred) -> None:
        """All steps that are left."""
        found = load_state(self.folder, self.identity, self.passes.weights, self.optimiser)
        if found is not None:
            self.progress = found
            self._repeat()
        self._began = self._saved = self._timed = time.perf_counter()
        training = self.settings.training
        total_blocks = count_total_blocks(training, len(self.blocks))
        draw = partial(self._draw, total_blocks=total_blocks)
        for step, batch in enumerate(draw_ahead(draw, self.progress.steps, self.total), self.progress.steps):
            self._make_step(step, batch)
            if deferred.seen is not None:
                self._read()
                self._save()
                deferred.raise_seen()

    def _draw(self, step: int, total_blocks: int) -> StepBatch:
        return self.reader.draw_step(self.blocks, step, total_blocks)

    def _make_step(self, step: int, batch: StepBatch) -> None:
        loss = self.passes.accumulate(step, batch)
        training, progress = self.settings.training, self.progress
        norms = self.optimiser.step([learning_rate(training, step, self.total)], [training.clip])
        self.passes.weights.zero_gradients()
        self._unread.append((step, torch.stack([loss, norms[0].double()])))
        progress.steps, progress.tokens = step + 1, progress.tokens + batch.tokens
        progress.targets += batch.targets
        is_due = self._is_validation_due(progress.steps)
        if is_due or progress.steps % choose_read_interval(self.passes.device) == 0:
            self._read()
        if is_due:
            self._validate()
        if self._is_save_due():
            self._read()
            self._save()

    def _read(self) -> None:
        """Read the losses of the steps since the last reading, and tell of them."""
        if not self._unread:
            return
        steps = [step for step, _ in self._unread]
        values = torch.stack([each for _, each in self._unread]).cpu().tolist()
        self._unread.clear()
        seconds = self._take_time()
        self.progress.seconds += seconds
        for step, (loss, norm) in zip(steps, values, strict=True):
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise TrainingError(
                    f"no longer finite at step {step + 1}: loss {loss:g}, gradient norm {norm:g}",
                    fix="set a lower learning_rate, a longer warmup, or precision: fp32",
                )
            self.progress.losses.append(loss)
            self._tell_step(step, loss)
        speed = len(steps) * self.progress.tokens / self.progress.steps / max(seconds, 1e-9)
        self._tell_speed(steps[-1] + 1, speed)

    def _take_time(self) -> float:
        """Seconds since the last call."""
        now = time.perf_counter()
        seconds, self._timed = now - self._timed, now
        return seconds

    def _tell_step(self, step: int, loss: float) -> None:
        assert self.run is not None
        rate = learning_rate(self.settings.training, step, self.total)
        self.on_event(StepDone(self.run, step + 1, self.total, loss, rate))

    def _tell_speed(self, step: int, speed: float) -> None:
        assert self.run is not None
        values = {"train/tokens_per_second": speed}
        share = self._compute_flops_share(speed)
        if share is not None:
            values["train/flops_share"] = share
        self.on_event(StepMeasured(self.run, step, values))

    def _compute_flops_share(self, speed: float) -> float | None:
        """The share of the device's peak at so many tokens a second; None where that is not known."""
        peak = find_peak(describe_device(self.passes.device))
        if peak is None or self.passes.precision != "bf16":
            return None
        places = speed * self.progress.targets / max(1, self.progress.tokens)
        return (self.cost.per_token * speed + self.cost.per_place * places) / peak

    def _is_validation_due(self, steps: int) -> bool:
        every = self.settings.eval_every or max(1, self.total // _VALIDATIONS)
        return steps == self.total or steps % every == 0

    def _validate(self) -> None:
        progress = self.progress
        since = progress.points[-1].step if progress.points else 0
        recent = progress.losses[since:]
        point = EpochPoint(
            epoch=len(progress.points) + 1,
            step=progress.steps,
            train_loss=sum(recent) / max(1, len(recent)),
            learning_rate=learning_rate(self.settings.training, progress.steps - 1, self.total),
            valid=self._measure(),
            seconds=progress.seconds,
        )
        progress.points.append(point)
        self._tell_point(point)
        self._take_time()  # which is not training's

    def _tell_point(self, point: EpochPoint) -> None:
        assert self.run is not None
        best = min(self.progress.points, key=lambda each: each.valid["loss"])
        self.on_event(EpochDone(self.run, point, best))

    def _measure(self) -> dict[str, float]:
        """Loss in nats per predicted token, accuracy, and bits per byte over the validation blocks."""
        model = self.passes.model
        model.eval()
        losses, hits, targets = 0.0, 0, 0
        for batch in self.reader.iterate_valid(self.valid):
            loss, hit = self.passes.measure(batch)
            losses, hits, targets = losses + float(loss), hits + int(hit), targets + batch.targets
        model.train()
        mean = losses / max(1, targets)
        return {
            "loss": mean,
            "accuracy": hits / max(1, targets),
            "bits_per_byte": bits_per_byte(mean, self.valid),
        }

    def _is_save_due(self) -> bool:
        progress = self.progress
        if progress.steps == self.total:  # the model is not saved yet
            return True
        if self.settings.save_every:
            return progress.steps % self.settings.save_every == 0
        now = time.perf_counter()
        is_cheap = self._writing <= _MAX_TIME_SHARE * (now - self._began)
        return now - self._saved >= _SAVE_INTERVAL and is_cheap

    def _save(self) -> None:
        self.check_held()
        began = time.perf_counter()
        save_state(self.folder, self.identity, self.progress, self.passes.weights, self.optimiser)
        self._saved = time.perf_counter()
        self._writing += self._saved - began
        self._take_time()

    def _repeat(self) -> None:
        """Tell again what was before the state."""
        points = {point.step: point for point in self.progress.points}
        for step, loss in enumerate(self.progress.losses):
            self._tell_step(step, loss)
            if step + 1 in points:
                self._tell_point(points[step + 1])

    def describe(self) -> PretrainingRecord:
        """The record of what is done."""
        progress, passes = self.progress, self.passes
        last = progress.points[-1]
        speed = progress.tokens / max(progress.seconds, 1e-9)
        special = self.reader.special_ids if self.settings.task == "masked-lm" else ()
        return PretrainingRecord(
            settings=self.settings.model_dump(mode="json"),
            versions={package: read_version(package) for package in _PACKAGES},
            device=describe_device(passes.device),
            precision=passes.precision,
            compiled=passes.is_compiled,
            eager_reason=passes.reason,
            parameters=sum(p.numel() for p in passes.model.model.parameters()),
            train_digest=self.blocks.digest,
            valid_digest=self.valid.digest,
            train_blocks=len(self.blocks),
            valid_blocks=len(self.valid),
            steps=progress.steps,
            tokens=progress.tokens,
            targets=progress.targets,
            seconds=progress.seconds,
            tokens_per_second=speed,
            flops_share=self._compute_flops_share(speed),
            train_loss=last.train_loss,
            valid_loss=last.valid["loss"],
            valid_accuracy=last.valid["accuracy"],
            bits_per_byte=last.valid["bits_per_byte"],
            unigram_entropy=unigram_entropy(self.blocks, special),
            points=tuple(progress.points),
        )
