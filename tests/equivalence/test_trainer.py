"""The Hugging Face Trainer as the oracle: same weights, same batches, dropout off, float64, 20 steps."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Trainer, TrainingArguments

from headstart.config.study import Training
from headstart.config.traits import TaskName
from headstart.data.batches import collate
from headstart.engine.member import Member, PackContext, iter_step_batches
from headstart.engine.step import build_inputs
from headstart.engine.train import iter_training_steps
from tiny import PAD, make_tiny_context, make_tiny_model, make_tiny_run, make_tiny_weights, max_difference

STEPS = 20


def _batches(member: Member, context: PackContext) -> list[dict[str, torch.Tensor]]:
    """The forward passes that the member will make, as the Trainer wants them."""
    trainer_batches = []
    for turn in iter_step_batches(member, context):
        for index in turn.batches:
            texts = context.parts["train"]
            batch = collate(texts.tokens, index, texts.labels[index], PAD)
            labels = torch.from_numpy(batch.labels)
            labels = labels.double() if labels.is_floating_point() else labels
            trainer_batches.append({**build_inputs(batch, context.device), "labels": labels})
    return trainer_batches


class _GivenBatches(Trainer):  # type: ignore[misc]
    """A Trainer that takes its batches in the order given."""

    given: list[dict[str, torch.Tensor]]

    def get_train_dataloader(self) -> Any:
        batches: Any = self.given
        return torch.utils.data.DataLoader(batches, batch_size=None, shuffle=False)


def _train_with_trainer(
    model: Any, batches: list[dict[str, torch.Tensor]], settings: Training, out: Path
) -> None:
    schedule = {"constant": "constant_with_warmup"}.get(settings.schedule, settings.schedule)
    arguments = TrainingArguments(
        output_dir=str(out),
        max_steps=STEPS,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=schedule,
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        adam_beta1=settings.betas[0],
        adam_beta2=settings.betas[1],
        adam_epsilon=settings.epsilon,
        max_grad_norm=settings.clip,
        gradient_accumulation_steps=settings.accumulation,
        optim="adamw_torch",
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    trainer = _GivenBatches(model=model, args=arguments, train_dataset=[0] * len(batches))
    trainer.given = batches
    # transformers 5.23 takes any forward(**kwargs) for one that divides its loss by the accumulated batch;
    # classification heads do not, and accumulated gradients come out too large by that factor.
    trainer.model_accepts_loss_kwargs = False
    trainer.train()


@pytest.mark.parametrize("family", ["bert", "roberta"])
@pytest.mark.parametrize(
    ("task", "settings"),
    [
        ("classification", {}),
        ("classification", {"schedule": "cosine", "warmup": 3, "clip": 0.1}),
        ("classification", {"schedule": "constant", "weight_decay": 0.3}),
        ("classification", {"accumulation": 2, "clip": 0.5}),
        ("multi-label", {"learning_rate": 3e-3}),
        ("regression", {"betas": (0.8, 0.99), "epsilon": 1e-8}),
    ],
    ids=["linear", "cosine-clip", "constant-decay", "accumulation", "multi-label", "regression"],
)
def test_twenty_steps_end_with_the_trainers_weights(
    family: str, task: TaskName, settings: dict[str, Any], tmp_path: Path
) -> None:
    context = make_tiny_context(task)
    run = make_tiny_run(steps=STEPS, **settings)
    model = make_tiny_model(family, task)
    theirs, start = copy.deepcopy(model), copy.deepcopy(model)
    member = Member(run, np.arange(60))
    batches = _batches(member, context)

    n_steps = sum(1 for _ in iter_training_steps([member], make_tiny_weights([model]), context))
    _train_with_trainer(theirs, batches, run.training, tmp_path)

    assert n_steps == STEPS
    mine, other = dict(model.named_parameters()), dict(theirs.named_parameters())
    differences = {name: max_difference(mine[name], other[name]) for name in mine}
    assert max(max_difference(p, mine[name]) for name, p in start.named_parameters()) > 1e-3
    assert max(differences.values()) < 1e-9, max(differences, key=lambda name: differences[name])
