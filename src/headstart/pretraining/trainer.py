"""Makes the steps of a pretraining, and between them validations and states; tells of all as events."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import torch

from headstart.config.pretraining import PretrainingSettings
from headstart.config.runs import Run
from headstart.data.token_blocks import TokenBlocks
from headstart.device import describe_device
from headstart.engine.memory import is_out_of_memory
from headstart.engine.optim.base import FixedOptimiser
from headstart.engine.step_ring import choose_read_interval
from headstart.errors import TrainingError
from headstart.events import EpochDone, OnEvent, StepDone, StepMeasured, ignore_events
from headstart.interrupts import Deferred
from headstart.pretraining.batches import BlockReader, StepBatch, draw_ahead
from headstart.pretraining.flops import StepCost, count_step_cost, find_peak
from headstart.pretraining.passes import PassMaker
from headstart.pretraining.schedule import count_total_blocks, count_total_steps, learning_rate
from headstart.pretraining.state import Progress, load_state, save_state
from headstart.pretraining.steps import Steps
from headstart.pretraining.validation import is_validation_due, measure_valid
from headstart.records import EpochPoint

#: Seconds of training that may be lost, and the share of the time that writing states may take.
_SAVE_INTERVAL, _MAX_TIME_SHARE = 60.0, 0.05


class DivergedError(TrainingError):
    """A loss or a gradient is no longer finite."""


@dataclass
class Trainer:
    """Makes the steps, and between them validations and states."""

    settings: PretrainingSettings
    reader: BlockReader
    passes: PassMaker
    steps: Steps
    optimiser: FixedOptimiser
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

    @cached_property
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
        progress = self.progress
        rate = learning_rate(self.settings.training, step, self.total)
        self._unread.append((step, self.steps.make_step(step, batch, rate)))
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
                raise DivergedError(
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
        share = self.compute_flops_share(speed)
        if share is not None:
            values["train/flops_share"] = share
        self.on_event(StepMeasured(self.run, step, values))

    def compute_flops_share(self, speed: float) -> float | None:
        """The share of the device's peak at so many tokens a second; None where that is not known."""
        peak = find_peak(describe_device(self.passes.device))
        if peak is None or self.passes.precision != "bf16":
            return None
        places = speed * self.progress.targets / max(1, self.progress.tokens)
        return (self.cost.per_token * speed + self.cost.per_place * places) / peak

    def _is_validation_due(self, steps: int) -> bool:
        return is_validation_due(steps, self.total, self.settings.eval_every)

    def _validate(self) -> None:
        progress = self.progress
        since = progress.points[-1].step if progress.points else 0
        recent = progress.losses[since:]
        point = EpochPoint(
            epoch=len(progress.points) + 1,
            step=progress.steps,
            train_loss=sum(recent) / max(1, len(recent)),
            learning_rate=learning_rate(self.settings.training, progress.steps - 1, self.total),
            valid=self._measure_valid(),
            seconds=progress.seconds,
        )
        progress.points.append(point)
        self._tell_point(point)
        self._take_time()  # which is not training's

    def _measure_valid(self) -> dict[str, float]:
        """As `measure_valid`; captured steps give their memory back where it does not suffice."""
        try:
            return measure_valid(self.passes, self.reader, self.valid)
        except RuntimeError as error:
            if not (is_out_of_memory(error) and self.steps.release_memory("validation needs the memory")):
                raise
        return measure_valid(self.passes, self.reader, self.valid)

    def _tell_point(self, point: EpochPoint) -> None:
        assert self.run is not None
        best = min(self.progress.points, key=lambda each: each.valid["loss"])
        self.on_event(EpochDone(self.run, point, best))

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
