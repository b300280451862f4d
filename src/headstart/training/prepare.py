"""Prepares, once, what all runs of a study share: corpus, checkpoints and tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from headstart.config.arm_settings import resolve_training
from headstart.config.runs import Run
from headstart.config.study import Arm, Study
from headstart.config.traits import get_method_traits, get_task_traits
from headstart.data.cache_folder import tell_of_temporary_cache
from headstart.data.checks import load_corpus
from headstart.data.corpus import PARTS, Corpus, Part
from headstart.data.token_key import hashing_once
from headstart.data.tokenise import Tokens
from headstart.device import Precision, choose_device, choose_precision, supports_bf16
from headstart.events import Log, ignore_log
from headstart.methods import load_method
from headstart.methods.adapt import prepare_adapted
from headstart.methods.adaptation_note import describe_adaptation
from headstart.methods.adaptation_texts import check_files
from headstart.methods.corpus_embeddings import prepare_corpus_vectors
from headstart.models.checkpoints import Checkpoint, open_checkpoint
from headstart.models.initialise import find_missing_keys
from headstart.models.library import silence_logs
from headstart.models.vocabulary import find_used_ids
from headstart.prepared import PreparedRun, PreparedStudy, TokensKey
from headstart.records import RunRecord
from headstart.stages import tell_stage
from headstart.tasks import load_task
from headstart.training.check_runs import check_methods, check_packing
from headstart.training.check_tokens import check_ids, check_words
from headstart.training.other_checkpoints import describe_other_checkpoints
from headstart.training.prompts import measure_prompts, warn_of_positions
from headstart.training.reading_doubts import find_reading_doubts
from headstart.training.unwritten import naming_rows
from headstart.wording import Caution


def prepare_study(
    study: Study, runs: Sequence[Run], *, commit: str | None = None, log: Log = ignore_log
) -> PreparedStudy:
    """Read and check the data, open the checkpoints, tokenise.

    Raises:
        DataError, ModelError, AssetError: as their readers say, weights included.
    """
    corpus = load_corpus(study)
    neural = [run for run in runs if get_method_traits(run.method).has_checkpoint]
    checkpoints = _open_checkpoints(neural, study, corpus, log)
    checked = [load_task(study.task).check_checkpoint(one, study.prompts) for one in checkpoints.values()]
    # Fail early: whatever can be checked now must not fail after hours of training.
    loaded = [
        run.checkpoint for run in neural if run.reads_weights or get_method_traits(run.method).freezes_base
    ]
    missing_keys = {name: find_missing_keys(checkpoints[name]) for name in dict.fromkeys(loaded)}
    check_methods(neural, checkpoints, missing_keys)
    if any(run.adapted for run in neural):
        check_files(study)
    check_packing(study, neural)
    unknown_words = tuple(check_words(corpus, checkpoints))
    tokens = _tokenise(neural, study, corpus, checkpoints)
    for sentence in tell_of_temporary_cache():
        log(Caution(sentence))
    without_row = tuple(check_ids(tokens, checkpoints))
    prompts = measure_prompts(study, corpus, checkpoints)
    return PreparedStudy(
        study=study,
        corpus=corpus,
        checkpoints=checkpoints,
        tokens=tokens,
        used_ids=_find_used_ids(study, tokens, checkpoints),
        warnings=(
            *describe_other_checkpoints(study, neural, checkpoints),
            *describe_adaptation(neural, study, corpus),
            *corpus.warnings,
            *unknown_words,
            *without_row,
            *find_reading_doubts(corpus, checkpoints, tokens),
            *warn_of_positions(prompts),
        ),
        missing_keys=missing_keys,
        prompts=prompts,
        precision=_choose_precision(study, neural),
        commit=commit,
        prompt_formats=tuple(sentence for sentences in checked for sentence in sentences),
    )


def _open_checkpoints(runs: Sequence[Run], study: Study, corpus: Corpus, log: Log) -> dict[str, Checkpoint]:
    names = dict.fromkeys(run.checkpoint for run in runs)
    return {name: open_checkpoint(name, study.task, corpus.label_names, log) for name in names}


def _tokenise(
    runs: Sequence[Run], study: Study, corpus: Corpus, checkpoints: Mapping[str, Checkpoint]
) -> dict[TokensKey, dict[Part, Tokens]]:
    limits = [
        checkpoints[run.checkpoint].resolve_max_length(run.training.max_length, run.virtual_tokens)
        for run in runs
    ]
    keys = dict.fromkeys((run.checkpoint, limit) for run, limit in zip(runs, limits, strict=True))
    return _encode_parts(tuple(keys), study, corpus, checkpoints)


def tokenise_here(prepared: PreparedStudy, keys: Sequence[TokensKey]) -> PreparedStudy:
    """The same with these tokens, in the cache of this machine: those of another are not seen here."""
    tokens = _encode_parts(keys, prepared.study, prepared.corpus, prepared.checkpoints)
    return replace(prepared, tokens=tokens)


def _encode_parts(
    keys: Sequence[TokensKey], study: Study, corpus: Corpus, checkpoints: Mapping[str, Checkpoint]
) -> dict[TokensKey, dict[Part, Tokens]]:
    task = load_task(study.task)
    count = sum(len(corpus.parts[part]) for part in PARTS)
    tokens: dict[TokensKey, dict[Part, Tokens]] = {}
    # Tokenizers in Python log a line for each pair that is cut.
    with naming_rows(study), hashing_once(), silence_logs():
        for name, limit in keys:
            tell_stage(f"tokenising {count:,} texts for {name}")
            tokenizer = checkpoints[name].tokenizer
            tokens[name, limit] = {
                part: task.encode(corpus.parts[part].texts, tokenizer, limit, study.prompts) for part in PARTS
            }
    return tokens


def _find_used_ids(
    study: Study, tokens: Mapping[TokensKey, Mapping[Part, Tokens]], checkpoints: Mapping[str, Checkpoint]
) -> dict[TokensKey, np.ndarray | None]:
    """The ids that occur; None where all rows train, as those of a model that generates must."""
    if study.vocabulary != "used" or get_task_traits(study.task).generates:
        return dict.fromkeys(tokens)
    return {
        key: find_used_ids(parts.values(), checkpoints[key[0]].tokenizer.pad_token_id)
        for key, parts in tokens.items()
    }


def _choose_precision(study: Study, runs: Sequence[Run]) -> Precision:
    is_open = any(run.training.precision == "auto" for run in runs)
    return choose_precision("auto", choose_device(study.device)) if is_open else "fp32"


def keep_precision(
    prepared: PreparedStudy, done: Iterable[RunRecord], has_bf16: bool | None = None
) -> PreparedStudy:
    """The same, going on in the precision of runs that are `done`, so that arms stay comparable.

    Not where the hardware lacks it: to emulate bf16 can take many times as long.

    Args:
        has_bf16: whether it has instructions for that; None to look at this machine's.
    """
    study = prepared.study
    is_open = {name: _has_open_precision(study, arm) for name, arm in study.arms.items()}
    used = {r.execution.precision for r in done if r.execution and is_open.get(r.arm)}
    if used == {"fp32"}:
        return replace(prepared, precision="fp32")
    if used == {"bf16"} and (supports_bf16(choose_device(study.device)) if has_bf16 is None else has_bf16):
        return replace(prepared, precision="bf16")
    return prepared


def _has_open_precision(study: Study, arm: Arm) -> bool:
    return get_method_traits(arm.method).has_checkpoint and resolve_training(study, arm).precision == "auto"


def prepare_methods(runs: Iterable[PreparedRun], log: Log) -> None:
    """Have what runs share computed once: adapted weights in the folder, and the rest in the cache."""
    runs = list(runs)
    prepare_adapted(runs, log)
    prepare_cached(runs, log)


def prepare_cached(runs: Iterable[PreparedRun], log: Log) -> None:
    """Have in this user's cache what runs share: vectors that they start from, and what each method needs."""
    of_method: dict[str, list[PreparedRun]] = {}
    runs = list(runs)
    prepare_corpus_vectors(runs, log)
    for prepared in runs:
        of_method.setdefault(prepared.run.method, []).append(prepared)
    for name, prepared_runs in of_method.items():
        load_method(name).prepare_runs(prepared_runs, log)
    for sentence in tell_of_temporary_cache():
        log(Caution(sentence))


def load_libraries(runs: Iterable[Run]) -> None:
    """Import what the runs' methods need, so that a process's memory can be told before it has a model.

    Raises:
        MissingExtraError: a library is not installed.
    """
    for name in {run.method for run in runs}:
        load_method(name).load_libraries()
