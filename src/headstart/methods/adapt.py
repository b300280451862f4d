"""Pretrains a checkpoint on a study's training examples, once a seed, and keeps its weights in the folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from headstart.data.cache_folder import tell_of_temporary_cache
from headstart.events import Log
from headstart.files import hash_file, write_folder_atomically
from headstart.methods.adaptation_settings import make_settings
from headstart.methods.adaptation_task import load_language_model
from headstart.methods.adaptation_texts import build_blocks
from headstart.methods.adapted import WEIGHTS, find_unadapted, identify_adapted
from headstart.prepared import PreparedRun
from headstart.pretraining.run import forget_state, pretrain_model
from headstart.pretraining.trainer import DivergedError
from headstart.records.pretraining import PretrainingRecord
from headstart.store.adapted import RECORD
from headstart.store.layout import StudyLayout
from headstart.store.set_aside import set_file_aside
from headstart.wording import format_count


def prepare_adapted(runs: Iterable[PreparedRun], log: Log) -> None:
    """Have the adapted weights of all runs that start from them in the study's folder."""
    for folder, prepared in find_unadapted(runs).items():
        _adapt(prepared, folder, log)


def _adapt(prepared: PreparedRun, folder: Path, log: Log) -> None:
    """Pretrain, from the state of a call that was interrupted where there is one, and keep the weights."""
    checkpoint, seed = prepared.checkpoint, prepared.run.seed
    settings = make_settings(prepared)
    train, valid = build_blocks(prepared, settings.training.block)
    for sentence in tell_of_temporary_cache():
        log(sentence)
    examples = format_count(len(prepared.study.corpus.parts["train"]), "training example")
    log(
        f"adapting {checkpoint.name} to {examples}, seed {seed}: {settings.task}, "
        f"{prepared.study.study.adapt.length}, of {train.n_tokens:,} tokens an epoch"
    )
    model = load_language_model(checkpoint, settings.task, seed)
    state = folder.with_name(f".{folder.name}-state")
    with _naming_key(seed):
        record = pretrain_model(
            settings,
            model=model,
            tokenizer=checkpoint.tokenizer,
            blocks=train,
            valid=valid,
            folder=state,
            name=f"adapted, seed {seed}",
            log=log,
        )
    _write_weights(prepared, model, record, folder)
    forget_state(state)
    with suppress(OSError):
        state.rmdir()
    log(
        f"adapted {checkpoint.name}, seed {seed}: loss {record.valid_loss:.3f} on training examples "
        f"held out, in {record.seconds:,.0f} s"
    )


@contextmanager
def _naming_key(seed: int) -> Iterator[None]:
    """Training that diverges is named by the study's key: the study's own learning rate is another one."""
    try:
        yield
    except DivergedError as error:
        raise DivergedError(
            f"seed {seed}: {error.got}", where="adapt", fix="set a lower adapt.learning_rate"
        ) from error


def _write_weights(prepared: PreparedRun, model: Any, record: PretrainingRecord, folder: Path) -> None:
    """Keep the body's weights and the record, with their digests."""
    set_file_aside(StudyLayout(Path(prepared.study.study.out)), folder)  # damaged, or of other texts
    with write_folder_atomically(folder) as target:
        body: Any = model if prepared.checkpoint.is_causal else model.base_model
        values = {name: value.detach().contiguous() for name, value in body.named_parameters()}
        save_file(values, target / WEIGHTS, metadata={"format": "pt"})
        kept = {"identity": identify_adapted(prepared), "sha256": hash_file(target / WEIGHTS)}
        text = json.dumps(kept | {"record": record.model_dump(mode="json")}, indent=1)
        (target / RECORD).write_text(text + "\n", encoding="utf-8")
