"""Makes a Hugging Face folder of a fairseq checkpoint: weights, configuration, tokenizer and label names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headstart.data.fairseq.folder import is_binarised_folder
from headstart.errors import ModelError
from headstart.models.fairseq.architecture import make_config
from headstart.models.fairseq.archive import open_checkpoint_file
from headstart.models.fairseq.checkpoint_parts import CheckpointParts, read_parts
from headstart.models.fairseq.checkpoint_paths import find_tokenizer_folder
from headstart.models.fairseq.describe_import import describe_import
from headstart.models.fairseq.import_options import NO_TOKENIZER, ImportOptions
from headstart.models.fairseq.imported import ImportedModel
from headstart.models.fairseq.labels import describe_outputs
from headstart.models.fairseq.proof import ProvenIds, prove_ids
from headstart.models.fairseq.tokenizer import build_tokenizer
from headstart.models.fairseq.weights import read_weights
from headstart.models.fairseq.write_network import BUILDABLE, write_network
from headstart.models.library import load_tokenizer, model_errors, silence_logs
from headstart.models.tokenizers import save_tokenizer
from headstart.stages import tell_stage


def import_checkpoint(path: Path, folder: Path, target: Path, options: ImportOptions) -> ImportedModel:
    """Fill `folder`, which is to be `target`, with a model made of the checkpoint in the file `path`.

    What was written is loaded again and compared with what was read, to the bit.

    Raises:
        ModelError: it is no checkpoint that transformers can compute; says which part is not.
        DataError: a dictionary is damaged.
    """
    folders = [*([options.data] if options.data else []), path.parent]
    tell_stage(f"reading {path}")
    with open_checkpoint_file(path) as file:
        parts = read_parts(file, folders, options)
        is_tied = not parts.settings.unties_head
        weights = read_weights(file, parts.keys, parts.family, parts.head, is_tied=is_tied)
    outputs = describe_outputs(parts.head.classes, parts.labels)
    with model_errors(str(path), BUILDABLE):
        config = make_config(parts.family, parts.settings, parts.sizes, parts.dictionary, **outputs)
    files = find_tokenizer_folder(folders)
    tokenizer = _build_tokenizer(files, parts, options.tokenizer)
    proven = None if tokenizer is None else _prove_ids(tokenizer, parts, folders, files)
    tell_stage(f"writing {target}")
    write_network(weights, config, parts.head.kind, folder, str(path))
    if tokenizer is not None:
        _write_tokenizer(tokenizer, folder, parts.family, str(path))
    return describe_import(parts, path, target, tokenizer, proven)


def _build_tokenizer(files: Path, parts: CheckpointParts, kind: str | None) -> Any:
    if kind == NO_TOKENIZER:
        return None
    tokenizer = build_tokenizer(files, parts.dictionary, kind=kind)
    # Positions are counted from behind the padding's row on.
    tokenizer.model_max_length = parts.sizes.positions - parts.dictionary.pad - 1
    return tokenizer


def _prove_ids(tokenizer: Any, parts: CheckpointParts, folders: list[Path], files: Path) -> ProvenIds | None:
    """Whether binarised texts, where there are some, get their ids again."""
    data = next((folder for folder in folders if is_binarised_folder(folder)), None)
    if data is None:
        return None
    tell_stage(f"comparing ids with {data}")
    proven = prove_ids(tokenizer, parts.dictionary, data, files)
    if proven.equal < proven.texts / 2:
        raise ModelError(
            f"its tokenizer is not that of the data: {proven}",
            where=str(data),
            expected="the tokenizer that the texts were divided with before fairseq-preprocess",
            fix="put its files beside dict.txt; --tokenizer none imports without",
        )
    return proven


def _write_tokenizer(tokenizer: Any, folder: Path, family: str, where: str) -> None:
    """Save the tokenizer, and see that transformers reads it again: some families take fast ones alone."""
    with silence_logs():
        save_tokenizer(tokenizer, folder)
        told = (
            f"transformers has only fast tokenizers for {family}, and its {type(tokenizer).__name__} is none"
        )
        with model_errors(where, "a fast tokenizer; --tokenizer none imports without", told):
            load_tokenizer(str(folder))
