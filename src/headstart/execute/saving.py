"""Saves a run's trained model in the format that its method has elsewhere; refuses to trust it unread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from headstart.config.expand import Run
from headstart.data.corpus import Text
from headstart.engine.device import Precision, compute_format
from headstart.errors import ModelError
from headstart.execute.assemble import whole
from headstart.execute.prepare import Prepared
from headstart.models.checkpoints import quiet
from headstart.models.save import TOLERANCE, save_model
from headstart.tuning.adapters import as_peft, merged, save_adapter
from headstart.tuning.probe import Probe, load_linear, save_linear

#: Test texts whose logits a saved model must give again.
_EXAMPLES = 8


def save_trained(model: Any, run: Run, prepared: Prepared, precision: Precision, folder: Path) -> None:
    """Write `model`, the run's at its best epoch, to `folder`, and load it again.

    An adapter over random weights is merged into them, and a probe of a random encoder brings it along, for
    these are nowhere else.

    Args:
        precision: what the run computed in.

    Raises:
        ModelError: what was saved does not give the same logits when loaded.
    """
    if isinstance(model, Probe):
        _save_probe(model, run, prepared, folder)
        return
    checkpoint = prepared.checkpoints[run.checkpoint]
    how: dict[str, Any] = {
        "examples": _examples(prepared),
        "max_length": checkpoint.length(run.training.max_length),
    }
    if run.method == "full":
        save_model(model, checkpoint, folder, **how)
        return
    adapter = model
    if run.lora is not None:
        adapter = as_peft(whole(run, prepared), model, run.lora, prepared.lacking(run))
    if run.pretrained:
        four_bits = compute_format(precision) if run.method == "qlora" else None
        save_adapter(adapter, model, checkpoint, folder, four_bits=four_bits, **how)
    else:
        save_model(merged(adapter), checkpoint, folder, **how)


def _examples(prepared: Prepared) -> Sequence[Text]:
    """Texts to compare logits with: of a conversation, the first message."""
    texts = prepared.corpus.parts["test"].texts[:_EXAMPLES]
    return [text[1] for text in texts] if prepared.study.task == "instruction" else texts


def _save_probe(model: Probe, run: Run, prepared: Prepared, folder: Path) -> None:
    assert run.probe is not None
    checkpoint = prepared.checkpoints[run.checkpoint]
    save_linear(model.linear, run.probe.pooling, folder)
    with quiet():
        own: Any = checkpoint.config if run.pretrained else whole(run, prepared)
        own.save_pretrained(folder)
        checkpoint.tokenizer.save_pretrained(folder)
    features = model.table.weight[:_EXAMPLES]
    loaded = load_linear(folder)[0].to(features.device)
    with torch.inference_mode():
        gap = float((loaded(features.float()) - model.linear(features)).abs().max())
    if not gap <= TOLERANCE:
        raise ModelError(
            f"the saved probe gives other logits when loaded again: they differ by up to {gap:g}",
            where=str(folder),
        )
