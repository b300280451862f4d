"""Makes the record of a pretraining that is done, of what its trainer knows."""

from __future__ import annotations

from typing import Final

from headstart.data.token_blocks import unigram_entropy
from headstart.device import describe_device
from headstart.pretraining.trainer import Trainer
from headstart.records.pretraining import PretrainingRecord
from headstart.store.provenance import read_version

_PACKAGES: Final = ("headstart", "torch", "transformers", "tokenizers")


def make_record(trainer: Trainer) -> PretrainingRecord:
    """The record of what is done."""
    progress, passes = trainer.progress, trainer.passes
    last = progress.points[-1]
    speed = progress.tokens / max(progress.seconds, 1e-9)
    special = trainer.reader.special_ids if trainer.settings.task == "masked-lm" else ()
    return PretrainingRecord(
        settings=trainer.settings.model_dump(mode="json"),
        versions={package: read_version(package) for package in _PACKAGES},
        device=describe_device(passes.device),
        precision=passes.precision,
        compiled=passes.is_compiled,
        captured=trainer.steps.captured,
        eager_reason=trainer.steps.reason,
        parameters=sum(p.numel() for p in passes.model.model.parameters()),
        train_digest=trainer.blocks.digest,
        valid_digest=trainer.valid.digest,
        train_blocks=len(trainer.blocks),
        valid_blocks=len(trainer.valid),
        steps=progress.steps,
        tokens=progress.tokens,
        targets=progress.targets,
        seconds=progress.seconds,
        tokens_per_second=speed,
        flops_share=trainer.compute_flops_share(speed),
        train_loss=last.train_loss,
        valid_loss=last.valid["loss"],
        valid_accuracy=last.valid["accuracy"],
        bits_per_byte=last.valid["bits_per_byte"],
        unigram_entropy=unigram_entropy(trainer.blocks, special),
        points=tuple(progress.points),
    )
