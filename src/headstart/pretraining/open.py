"""From a pretraining file's words to tokenizer, blocks and a model with its first weights; trains nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

from headstart.config.pretraining import Pretraining, TokenizerTraining
from headstart.data.documents import list_corpus_files
from headstart.data.text_corpus import Corpus, TextCorpus, divide_corpus
from headstart.data.token_blocks import FewTokensError, TokenBlocks, build_token_blocks
from headstart.errors import DataError, ModelError
from headstart.events import Log
from headstart.files import write_folder_atomically
from headstart.models.checkpoint_files import check_folder, refuse_adapter, refuse_quantised
from headstart.models.checkpoints import resolve_location
from headstart.models.initialise import cast_to_module, check_finite, draw_random_model
from headstart.models.language_presets import apply_sizes, check_block, make_preset_config
from headstart.models.library import build_network, load_network, model_errors, read_config, silence_logs
from headstart.models.size_checks import check_memory
from headstart.models.tokenizers import read_tokenizer, save_tokenizer
from headstart.models.train_tokenizer import train_tokenizer
from headstart.pretraining.language_model import LIBRARIES


def open_corpora(settings: Pretraining) -> tuple[Corpus, Corpus]:
    """The documents to train on, and those of validation."""
    for path in (*settings.data.train_paths, *settings.data.valid_paths):
        list_corpus_files(Path(path))  # what is absent is told before anything is trained
    train = _make_corpus(settings, settings.data.train_paths)
    if settings.data.valid_paths:
        return train, _make_corpus(settings, settings.data.valid_paths)
    return divide_corpus(train, settings.data.valid_share, settings.seed)


def _make_corpus(settings: Pretraining, paths: Sequence[str]) -> TextCorpus:
    data = settings.data
    return TextCorpus(tuple(map(Path, paths)), column=data.text, document=data.document)


def open_tokenizer(settings: Pretraining, corpus: Corpus, folder: Path, log: Log) -> Any:
    """The tokenizer that the settings name, or one that is trained and kept in `folder`.

    Raises:
        ModelError: it has no token that the task needs.
    """
    wanted = settings.tokenizer
    if wanted is None and settings.is_preset:
        wanted = TokenizerTraining(train="unigram" if settings.task == "masked-lm" else "bpe")
    if isinstance(wanted, TokenizerTraining):
        if not folder.is_dir():
            made = train_tokenizer(
                corpus.iterate(), wanted.train, wanted.size, causal=settings.task == "causal-lm"
            )
            with write_folder_atomically(folder) as temporary:
                save_tokenizer(made, temporary)
        return read_tokenizer(str(folder), str(folder))
    name = wanted or settings.model
    tokenizer = read_tokenizer(resolve_location(name, log), name)
    if settings.task == "masked-lm" and tokenizer.mask_token_id is None:
        raise ModelError(
            "its tokenizer has no mask token",
            where=name,
            expected="one, for task masked-lm",
            fix="set task: causal-lm, or another tokenizer",
        )
    return tokenizer


def open_blocks(
    settings: Pretraining, corpora: tuple[Corpus, Corpus], tokenizer: Any
) -> tuple[TokenBlocks, TokenBlocks]:
    """Blocks of training and of validation, from the cache where they were built before.

    Raises:
        DataError: one part does not fill a block.
    """
    block = settings.training.block
    try:
        train = build_token_blocks(corpora[0], tokenizer, block=block)
    except FewTokensError as error:
        raise error.name_key("training.block", "name more text as data.train") from error
    try:
        return train, build_token_blocks(corpora[1], tokenizer, block=block)
    except FewTokensError as error:
        own, shared = "name more data.valid", "name files as data.valid, or set a larger data.valid_share"
        told = error.name_key("training.block", own if settings.data.valid_paths else shared)
        raise DataError(
            f"validation text: {told.got}", where=told.where, expected=told.expected, fix=told.fix
        ) from error


def open_model(settings: Pretraining, tokenizer: Any, log: Log) -> nn.Module:
    """The model with its first weights, in float32 on the CPU: drawn by the seed, or the checkpoint's.

    Raises:
        ModelError: the checkpoint or its family does not fit.
    """
    if settings.is_preset:
        config = make_preset_config(settings.model, len(tokenizer), tokenizer)
        return _draw(settings, apply_sizes(config, settings.sizes))
    location = resolve_location(settings.model, log)
    check_folder(location)
    refuse_adapter(settings.model, location)
    with model_errors(settings.model), silence_logs():
        config = read_config(location)
    refuse_quantised(settings.model, config)
    _check_family(config, settings)
    apply_sizes(config, settings.sizes)
    if settings.init == "random":
        _fit_to_tokenizer(config, tokenizer)
        return _draw(settings, config)
    check_block(config, settings.training.block)
    with model_errors(settings.model), silence_logs():
        library = LIBRARIES[settings.task]
        model = cast_to_module(load_network(library, location, config=config, dtype="float32"))
    check_finite(model, settings.model)
    _check_rows(model, tokenizer, settings.model)
    return model


def _draw(settings: Pretraining, config: Any) -> nn.Module:
    check_block(config, settings.training.block)
    library = LIBRARIES[settings.task]
    with model_errors(settings.model), silence_logs(), torch.device("meta"):
        check_memory(build_network(library, config), settings.model)
    return cast_to_module(draw_random_model(config, settings.seed, "init", library))


def _check_family(config: Any, settings: Pretraining) -> None:
    """Encoders are in the library's list of causal models too, where they would see what they predict."""
    is_masked = type(config) in MODEL_FOR_MASKED_LM_MAPPING
    is_causal = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING and not is_masked
    if not (is_masked if settings.task == "masked-lm" else is_causal):
        kind = "masked-language" if settings.task == "masked-lm" else "causal"
        raise ModelError(
            f"{config.model_type} is no family of {kind} models",
            where=settings.model,
            expected=f"one that {settings.task} can train",
            fix=f"set task: {'causal-lm' if settings.task == 'masked-lm' else 'masked-lm'}, or another model",
        )


def _fit_to_tokenizer(config: Any, tokenizer: Any) -> None:
    config.vocab_size = len(tokenizer)
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        setattr(config, name, getattr(tokenizer, name))


def _check_rows(model: Any, tokenizer: Any, name: str) -> None:
    rows, largest = model.get_input_embeddings().num_embeddings, max(tokenizer.get_vocab().values())
    if largest >= rows:
        raise ModelError(
            f"its tokenizer has ids up to {largest:,}, its embedding {rows:,} rows",
            where=name,
            expected="a row for each id",
        )
