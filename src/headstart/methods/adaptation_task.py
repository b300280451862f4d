"""Chooses the task by which a checkpoint is adapted, and loads it with the head of that task."""

from __future__ import annotations

from typing import Any

import torch
from transformers import MODEL_FOR_MASKED_LM_MAPPING

from headstart.config.pretraining import PretrainingTask
from headstart.config.runs import Run
from headstart.errors import ModelError
from headstart.models.checkpoints import Checkpoint
from headstart.models.library import load_network, silence_logs
from headstart.pretraining.language_model import LIBRARIES
from headstart.seeds import derive_seed


def choose_task(checkpoint: Checkpoint) -> PretrainingTask:
    """Masked-language modelling where the family has it, unless the study's task is causal."""
    is_masked = type(checkpoint.config) in MODEL_FOR_MASKED_LM_MAPPING and not checkpoint.is_causal
    return "masked-lm" if is_masked else "causal-lm"


def check_adaptable(run: Run, checkpoint: Checkpoint) -> None:
    """See that the run's checkpoint can be pretrained further, where it is to be.

    Raises:
        ModelError: its tokenizer has no mask token.
    """
    if not run.adapted:
        return
    if choose_task(checkpoint) == "masked-lm" and checkpoint.tokenizer.mask_token_id is None:
        raise ModelError(
            f"the tokenizer of {checkpoint.name} has no mask token, which masked-language modelling needs",
            where=f"arms.{run.arm}.init",
            expected="a checkpoint whose tokenizer has one",
        )


def load_language_model(checkpoint: Checkpoint, task: PretrainingTask, seed: int) -> Any:
    """The checkpoint as a language model; a head that it lacks is drawn by the seed."""
    with silence_logs(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "head", "language model", bits=64) >> 1)
        return load_network(
            LIBRARIES[task], checkpoint.location, config=checkpoint.config, dtype=torch.float32
        )
