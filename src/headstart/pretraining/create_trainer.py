"""Creates a pretraining's trainer: the model on its device, its optimiser, the digest of its state."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import nn

from headstart.config.pretraining import PretrainingSettings
from headstart.data.token_blocks import TokenBlocks
from headstart.device import Precision, choose_precision, choose_weights_dtype
from headstart.engine.graphs import Capture
from headstart.engine.kind import uses_device_engine
from headstart.engine.optim.base import FixedOptimiser
from headstart.engine.optim.decay import find_decaying_parameters
from headstart.engine.weights import Weights
from headstart.events import Log, ignore_log
from headstart.pretraining.batches import BlockReader
from headstart.pretraining.device_steps import DeviceSteps
from headstart.pretraining.host_steps import HostSteps
from headstart.pretraining.language_model import LanguageModel
from headstart.pretraining.optimiser import make_optimiser
from headstart.pretraining.passes import PassMaker, keep_all_in_bf16
from headstart.pretraining.steps import Steps
from headstart.pretraining.trainer import Trainer
from headstart.store.provenance import read_version


def create_trainer(
    settings: PretrainingSettings,
    model: Any,
    tokenizer: Any,
    blocks: TokenBlocks,
    valid: TokenBlocks,
    device: torch.device,
    capture: Capture | None = None,
    log: Log = ignore_log,
) -> Trainer:
    """A trainer before its first step; the model is moved to the device, into flat weights.

    Args:
        capture: of steps on a device.
        log: is told where steps are not made as they were to be.
    """
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
    steps = _choose_steps(passes, optimiser, capture, log)
    return Trainer(settings, reader, passes, steps, optimiser, blocks, valid, identity)


def _choose_steps(passes: PassMaker, optimiser: FixedOptimiser, capture: Capture | None, log: Log) -> Steps:
    """Steps for the device that the passes are made on."""
    if uses_device_engine(passes.device):
        return DeviceSteps(passes, optimiser, capture, log)
    return HostSteps(passes, optimiser)


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
    kept = {"task", "masking", "training", "seed", "eval_every"}
    # Captured or not, a step has the same bits; so states of before there was the choice are still good.
    own = settings.model_dump_json(include=kept, exclude={"training": {"graph"}})
    parts = ("1", own, precision, first, blocks.digest, valid.digest, read_version("torch"))
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
