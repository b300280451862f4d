"""What `headstart pretrain` does: trains a language model from text, or goes on where it was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from headstart.config.pretraining import Pretraining
from headstart.config.trackers import read_settings
from headstart.data.cache_folder import tell_of_temporary_cache
from headstart.device import choose_device
from headstart.errors import DamagedFileError, HeadstartError
from headstart.events import Event, Log, OnEvent, ignore_events, ignore_log
from headstart.files import read_file, write_text
from headstart.models.pretrained_model import PretrainedModel
from headstart.pretraining.open import open_blocks, open_corpora, open_model, open_tokenizer
from headstart.pretraining.run import forget_state, make_run, pretrain_model
from headstart.pretraining.save import save_language_model
from headstart.pretraining.schedule import check_warmup
from headstart.records.pretraining import PretrainingRecord
from headstart.report.pretraining_card import make_pretraining_card
from headstart.store.pretraining_folder import hold_pretraining_folder
from headstart.store.pretraining_layout import PretrainingLayout
from headstart.trackers.base import TrackedRun, TrackedStudy
from headstart.trackers.registry import RunTrackers, check_tracker_libraries, track

_NAME: Final = "pretraining"


def pretrain(
    settings: Pretraining,
    on_event: OnEvent = ignore_events,
    log: Log = ignore_log,
    *,
    wait: bool = False,
) -> PretrainedModel:
    """Train the language model, and write it to `settings.out`/model as transformers loads it.

    The same call goes on where a process was interrupted or killed, to the same bits on a CPU; where all is
    done it gives what was found.

    Example:
        settings = headstart.load_pretraining("pretrain.yaml")
        print(headstart.pretrain(settings))

    Args:
        on_event: is told of each step and validation (`headstart.events`).
        log: is told in sentences what else goes on.
        wait: for another process that uses the folder.

    Raises:
        HeadstartError: whatever keeps it from being trained.
    """
    if not isinstance(settings, Pretraining):
        raise HeadstartError(
            f"a {type(settings).__name__}",
            where="settings",
            expected="a Pretraining",
            fix="headstart.load_pretraining(...) makes one",
        )
    check_tracker_libraries(settings.trackers)
    layout = PretrainingLayout(Path(settings.out))
    with hold_pretraining_folder(settings, wait=wait, log=log) as fence:
        record = _read_record(layout)
        if record is None:
            record = _train(settings, layout, on_event, log, fence.check)
        else:
            log(f"{layout.out}: done before")
    return PretrainedModel(layout.model_folder, record)


def _read_record(layout: PretrainingLayout) -> PretrainingRecord | None:
    """The record of a pretraining that is done; None of one that is not."""
    if not layout.record_file.exists() or not layout.model_folder.is_dir():
        return None
    try:
        return PretrainingRecord.model_validate_json(read_file(layout.record_file))
    except (OSError, ValidationError) as error:
        raise DamagedFileError(
            "cannot be read", where=str(layout.record_file), fix="delete it to train again"
        ) from error


def _train(
    settings: Pretraining, layout: PretrainingLayout, on_event: OnEvent, log: Log, check_held: Any
) -> PretrainingRecord:
    choose_device(settings.device)  # one that is not there is told before anything is trained
    corpora = open_corpora(settings)
    tokenizer = open_tokenizer(settings, corpora[0], layout.tokenizer_folder, log)
    model = open_model(settings, tokenizer, log)
    blocks, valid = open_blocks(settings, corpora, tokenizer)
    for sentence in tell_of_temporary_cache():
        log(sentence)
    check_warmup(settings.training, len(blocks))
    with _tell_trackers(settings, layout, on_event, log) as tell:
        record = pretrain_model(
            settings,
            model=model,
            tokenizer=tokenizer,
            blocks=blocks,
            valid=valid,
            folder=layout.own_folder,
            on_event=tell,
            check_held=check_held,
            name=_NAME,
            log=log,
        )
    check_held()
    card = make_pretraining_card(record)
    save_language_model(model, tokenizer, layout.model_folder, card, settings.training.block)
    write_text(layout.record_file, record.model_dump_json(indent=1) + "\n")
    forget_state(layout.own_folder)
    return record


@contextmanager
def _tell_trackers(
    settings: Pretraining, layout: PretrainingLayout, on_event: OnEvent, log: Log
) -> Iterator[OnEvent]:
    """What tells trackers and the caller of events."""
    study = TrackedStudy(
        name=layout.out.resolve().name,
        folder=layout.out,
        metric="loss",
        metrics=("loss", "accuracy"),
        id_file=layout.own_folder / "tracking-id",
    )
    run, chosen = make_run(settings, _NAME), read_settings(settings.trackers)
    with track(study, chosen, (run,), log):
        trackers = RunTrackers(TrackedRun(study, run, layout.curves_folder), chosen)

        def tell(event: Event) -> None:
            trackers.on_event(event)
            on_event(event)

        try:
            yield tell
        finally:
            trackers.close()
            for sentence in trackers.faults:
                log(sentence)
