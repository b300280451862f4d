"""Makes a fairseq checkpoint of a transformers RoBERTa: `model.pt` with args, and its dictionaries."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification

from headstart.errors import ModelError
from headstart.models.checkpoint_files import check_folder, refuse_adapter, refuse_quantised
from headstart.models.fairseq.export_state import HEAD, check_exportable, make_arguments, make_state
from headstart.models.fairseq.export_words import copy_tokenizer_files, write_label_words, write_words
from headstart.models.fairseq.exported import ExportedCheckpoint
from headstart.models.library import load_network, model_errors, read_config, silence_logs
from headstart.models.tokenizers import read_tokenizer
from headstart.stages import tell_stage

_MODEL_FILE: Final = "model.pt"
_CLASSIFIER, _MASKED_LM = "ForSequenceClassification", "ForMaskedLM"


def export_checkpoint(model: Path, folder: Path, target: Path) -> ExportedCheckpoint:
    """Fill `folder`, which is to be `target`, with what fairseq 0.12 loads of the model in folder `model`.

    Raises:
        ModelError: no whole model is there, or fairseq's RoBERTa cannot compute it.
    """
    where = str(model)
    check_folder(where)
    refuse_adapter(where, where)
    with model_errors(where), silence_logs():
        config = read_config(where)
    refuse_quantised(where, config)
    check_exportable(config, where)
    tokenizer = read_tokenizer(where, where)
    tell_stage(f"loading {model}")
    kind = str((config.architectures or [""])[0])
    network = _load(kind, config, where)
    state, notes = make_state(config, dict(network.state_dict()), where)
    tell_stage(f"writing {target}")
    labels = int(config.num_labels) if kind.endswith(_CLASSIFIER) else None
    _save(_make_checkpoint(config, state, labels), folder / _MODEL_FILE)
    write_words(tokenizer, config.vocab_size, folder, where)
    if labels is not None and labels > 1:
        write_label_words([str(config.id2label[i]) for i in range(labels)], folder, where)
    if not copy_tokenizer_files(model, folder):
        notes += ("no files of SentencePiece or BPE are in its folder: fairseq needs them to encode texts",)
    files = tuple(sorted(file.name for file in folder.iterdir()))
    head = HEAD if labels is not None else "lm_head" if kind.endswith(_MASKED_LM) else None
    unread = ("lm_head.bias",) if head == "lm_head" and not config.tie_word_embeddings else ()
    counted = (v for n, v in network.named_parameters() if "token_type" not in n and n not in unread)
    count = sum(value.numel() for value in counted)
    return ExportedCheckpoint(target, model, config.model_type, head, count, files, notes)


def _save(checkpoint: dict[str, Any], file: Path) -> None:
    """As `torch.save`, but what the system said of a write that failed is the error."""
    try:
        with file.open("wb") as stream:  # given a path, torch writes by itself, and says no errno
            torch.save(checkpoint, stream)
    except RuntimeError as error:  # of the archive, which torch then cannot close
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def _load(kind: str, config: Any, where: str) -> Any:
    """The network that the configuration names, in float32."""
    settings: dict[str, Any] = {}
    auto_class: Any = AutoModel
    if kind.endswith(_CLASSIFIER):
        auto_class = AutoModelForSequenceClassification
    elif kind.endswith(_MASKED_LM):
        if config.hidden_act != "gelu":
            raise ModelError(
                f"its head computes by gelu, and fairseq's would by {config.hidden_act}",
                where=where,
                expected="a masked language model whose hidden_act is gelu",
            )
        auto_class = AutoModelForMaskedLM
    else:
        settings["add_pooling_layer"] = False
    with model_errors(where), silence_logs():
        return load_network(auto_class, where, dtype=torch.float32, **settings)


def _make_checkpoint(config: Any, state: Any, labels: int | None) -> dict[str, Any]:
    """What `fairseq-train` saves, without an optimiser's state; fairseq upgrades `args` to `cfg` itself."""
    criterion = "MaskedLmLoss" if labels is None else "SentencePredictionCriterion"
    history = {
        "criterion_name": criterion,
        "optimizer_name": "FairseqAdam",
        "lr_scheduler_state": {"best": None},
        "num_updates": 0,
    }
    iterator = {"version": 2, "epoch": 1, "iterations_in_epoch": 0, "shuffle": True}
    return {
        "args": make_arguments(config, labels=labels),
        "cfg": None,
        "model": state,
        "criterion": None,
        "optimizer_history": [history],
        "task_state": {},
        "extra_state": {"train_iterator": iterator, "val_loss": None},
        "last_optimizer_state": {},
    }
