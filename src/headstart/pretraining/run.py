"""Trains a language model on blocks of tokens, from the state that it finds; knows no files but that one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from headstart.config.pretraining import PretrainingSettings
from headstart.config.runs import Run
from headstart.data.token_blocks import TokenBlocks
from headstart.device import choose_device
from headstart.engine.graphs import Capture
from headstart.engine.runtime import open_capture
from headstart.engine.weights import Weights
from headstart.events import Log, OnEvent, ignore_events, ignore_log
from headstart.interrupts import defer_interrupts
from headstart.pretraining.block_masks import restore_masks
from headstart.pretraining.create_trainer import create_trainer
from headstart.pretraining.make_record import make_record
from headstart.pretraining.optimiser import make_training
from headstart.records.pretraining import PretrainingRecord
from headstart.store.pretraining_folder import STATE_FILE


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
    log: Log = ignore_log,
    capture: Capture | None = None,
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
        log: is told in a sentence where steps on a GPU are not captured or not compiled that were to be.
        capture: of steps on a device, by default CUDA's own.

    Raises:
        DivergedError: the loss is no longer finite.
        TrainingError: a GPU's kernels cannot be compiled here.
        DamagedFileError: the state in the folder is damaged, or of another pretraining.
        Interrupted: a signal came; the state of the last step is saved.
    """
    device = choose_device(settings.device)
    with (
        open_capture(device, capture, wanted=settings.training.graph == "auto") as chosen,
        defer_interrupts() as deferred,
    ):
        trainer = create_trainer(settings, model, tokenizer, blocks, valid, device, chosen, log)
        trainer.folder, trainer.check_held = folder, check_held
        trainer.on_event, trainer.run = on_event, make_run(settings, name)
        trainer.train(deferred)
    record = make_record(trainer)
    _release(trainer.passes.weights, model)
    return record


def forget_state(folder: Path) -> None:
    """Remove the state of a pretraining that is done, once its model is saved."""
    (folder / STATE_FILE).unlink(missing_ok=True)


def make_run(settings: PretrainingSettings, name: str) -> Run:
    """The pretraining as events and trackers know runs."""
    training = make_training(settings.training)
    return Run(name, "all", settings.seed, "full", name, False, training)


def _release(weights: Weights, model: Any) -> None:
    """Give each parameter memory of its own again, on the CPU, with what was trained."""
    values = weights.layout.view_parameters(weights.values[0])
    for name, parameter in model.named_parameters():
        parameter.data = values[name].detach().clone().cpu()
    restore_masks(model)
    model.to("cpu").eval()
