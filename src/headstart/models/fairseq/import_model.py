"""Makes a Hugging Face folder of a fairseq checkpoint: weights, configuration, tokenizer and label names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification

from headstart.data.fairseq.dictionary import Dictionary, read_dictionary
from headstart.data.fairseq.folder import is_binarised_folder
from headstart.errors import ModelError
from headstart.models.fairseq.architecture import (
    check_network,
    choose_family,
    make_config,
    measure_sizes,
)
from headstart.models.fairseq.archive import CheckpointFile, open_checkpoint_file
from headstart.models.fairseq.checkpoint_paths import find_checkpoint, find_dictionary, find_tokenizer_folder
from headstart.models.fairseq.foreign import refuse_fairseq2, refuse_other_models
from headstart.models.fairseq.heads import FairseqHead, Kind, choose_head, describe_heads
from headstart.models.fairseq.imported import ImportedModel
from headstart.models.fairseq.keys import FairseqKeys, read_keys
from headstart.models.fairseq.labels import describe_outputs, find_label_file, read_labels
from headstart.models.fairseq.proof import ProvenIds, prove_ids
from headstart.models.fairseq.settings import FairseqSettings, read_settings
from headstart.models.fairseq.sizes import Sizes
from headstart.models.fairseq.tokenizer import build_tokenizer
from headstart.models.fairseq.weights import count_parameters, list_formats, read_weights
from headstart.models.library import (
    build_network,
    load_network,
    load_tokenizer,
    model_errors,
    silence_logs,
)
from headstart.models.tokenizers import save_tokenizer
from headstart.stages import tell_stage

#: In place of a kind of tokenizer: the folder is to have none.
NO_TOKENIZER: Final = "none"
_CLASSES: Final = {
    Kind.CLASSIFIER: AutoModelForSequenceClassification,
    Kind.MASKED_LM: AutoModelForMaskedLM,
    Kind.NONE: AutoModel,
}


@dataclass(frozen=True)
class ImportOptions:
    """What cannot be seen from a checkpoint, or is to be other than what is seen.

    `data` is the folder of binarised data, where dictionary, labels and tokenizer may lie; `tokenizer` its
    kind: sentencepiece, gpt2, fastbpe or none.
    """

    head: str | None = None
    data: Path | None = None
    labels: Path | None = None
    tokenizer: str | None = None
    family: str | None = None


@dataclass(frozen=True)
class _Parts:
    """What was read of a checkpoint beside its weights."""

    settings: FairseqSettings
    keys: FairseqKeys
    dictionary: Dictionary
    dictionary_file: Path
    family: str
    sizes: Sizes
    head: FairseqHead
    label_file: Path | None
    labels: tuple[str, ...]


def import_checkpoint(source: Path, folder: Path, target: Path, options: ImportOptions) -> ImportedModel:
    """Fill `folder`, which is to be `target`, with a model made of the checkpoint at `source`.

    What was written is loaded again and compared with what was read, to the bit.

    Raises:
        ModelError: it is no checkpoint that transformers can compute; says which part is not.
        DataError: a dictionary is damaged.
    """
    path = find_checkpoint(source)
    folders = [*([options.data] if options.data else []), path.parent]
    tell_stage(f"reading {path}")
    with open_checkpoint_file(path) as file:
        parts = _read_parts(file, folders, options)
        is_tied = not parts.settings.unties_head
        weights = read_weights(file, parts.keys, parts.family, parts.head, is_tied=is_tied)
    outputs = describe_outputs(parts.head.classes, parts.labels)
    with model_errors(str(path), "settings that transformers can build a network from"):
        config = make_config(parts.family, parts.settings, parts.sizes, parts.dictionary, **outputs)
    tokenizer = _build_tokenizer(folders, parts, options.tokenizer)
    proven = None if tokenizer is None else _prove_ids(tokenizer, parts, folders)
    tell_stage(f"writing {target}")
    _write_network(weights, config, parts.head.kind, folder, str(path))
    if tokenizer is not None:
        _write_tokenizer(tokenizer, folder, parts.family, str(path))
    return _describe(parts, path, target, tokenizer, proven)


def _read_parts(file: CheckpointFile, folders: list[Path], options: ImportOptions) -> _Parts:
    where, content = str(file.path), file.content
    if not isinstance(content, dict):
        raise ModelError("not a fairseq checkpoint: a file without parts by name", where=where)
    refuse_fairseq2(content, where)
    settings = read_settings(content, where)
    refuse_other_models(content, settings.arch, where)
    keys = read_keys(content.get("model"), where)
    check_network(settings, keys, _read_version(file, keys), where)
    sizes = measure_sizes(settings, keys, where)
    head = choose_head(keys, settings, options.head, where)
    dictionary_file = find_dictionary(folders, file.path)
    dictionary = _read_dictionary(dictionary_file, sizes.vocabulary)
    family = choose_family(settings, dictionary, options.family, where)
    label_file, labels = _read_labels(folders, head, options.labels)
    return _Parts(settings, keys, dictionary, dictionary_file, family, sizes, head, label_file, labels)


def _read_version(file: CheckpointFile, keys: FairseqKeys) -> float:
    """The encoder's version; 1 where it has none."""
    if keys.version is None or keys.version.size != 1:
        return 1.0
    return float(file.read_tensor(keys.version).reshape(1)[0])


def _read_dictionary(file: Path, rows: int) -> Dictionary:
    """The dictionary, as long as the embedding: with fairseq's mask, or, of a model without, as it is."""
    dictionary = read_dictionary(file)
    if len(dictionary) == rows:
        return dictionary
    plain = read_dictionary(file, with_mask=False)
    if len(plain) == rows:
        return plain
    raise ModelError(
        f"{len(dictionary):,} symbols, with fairseq's own and <mask>, for an embedding of {rows:,} rows",
        where=str(file),
        expected="the dictionary that the checkpoint was trained with, a symbol for each row",
        fix="--data DIR, with the folder of its binarised data",
    )


def _read_labels(
    folders: list[Path], head: FairseqHead, given: Path | None
) -> tuple[Path | None, tuple[str, ...]]:
    """The file and the names of a classifier's labels; a number has none."""
    if given is not None and (head.kind is not Kind.CLASSIFIER or head.classes == 1):
        raise ModelError("labels for a head without classes", where=str(given), fix="leave out --labels")
    if head.classes in (None, 1) or head.classes is None:
        return None, ()
    file = find_label_file(folders, given)
    if file is None:
        return None, tuple(f"LABEL_{i}" for i in range(head.classes))
    return file, read_labels(file, head.classes)


def _build_tokenizer(folders: list[Path], parts: _Parts, kind: str | None) -> Any:
    if kind == NO_TOKENIZER:
        return None
    tokenizer = build_tokenizer(find_tokenizer_folder(folders), parts.dictionary, kind=kind)
    # Positions are counted from behind the padding's row on.
    tokenizer.model_max_length = parts.sizes.positions - parts.dictionary.pad - 1
    return tokenizer


def _prove_ids(tokenizer: Any, parts: _Parts, folders: list[Path]) -> ProvenIds | None:
    """Whether binarised texts, where there are some, get their ids again."""
    data = next((folder for folder in folders if is_binarised_folder(folder)), None)
    if data is None:
        return None
    tell_stage(f"comparing ids with {data}")
    proven = prove_ids(tokenizer, parts.dictionary, data, find_tokenizer_folder(folders))
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


def _write_network(
    weights: Mapping[str, torch.Tensor], config: Any, kind: Kind, folder: Path, where: str
) -> None:
    """Write configuration and weights as `save_pretrained` does, and see that they load as they were."""
    settings: dict[str, Any] = {"add_pooling_layer": False} if kind is Kind.NONE else {}
    with model_errors(where), silence_logs(), torch.device("meta"):
        network = build_network(_CLASSES[kind], config, **settings)
    _check_shapes(weights, network, where)
    network.load_state_dict(weights, assign=True)
    network.tie_weights()
    with silence_logs():
        network.save_pretrained(folder)
        loaded = load_network(_CLASSES[kind], str(folder), dtype=torch.float32).state_dict()
    changed = [name for name, value in weights.items() if not torch.equal(loaded[name], value)]
    if changed:
        raise ModelError(f"{changed[0]} differs when it is loaded again", where=str(folder))


def _check_shapes(weights: Mapping[str, torch.Tensor], network: Any, where: str) -> None:
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        name = wrong[0]
        raise ModelError(
            f"{len(wrong)} weights are missing or of the wrong size, such as {name}: "
            f"{list(found[name]) if name in found else 'none'}",
            where=where,
            expected=f"{list(expected[name]) if name in expected else 'none'}, by its settings",
        )


def _describe(
    parts: _Parts, path: Path, target: Path, tokenizer: Any, proven: ProvenIds | None
) -> ImportedModel:
    settings, head = parts.settings, parts.head
    taken = {"body", "lm_head" if head.kind is Kind.MASKED_LM else f"head {head.name}"}
    parameters = count_parameters(parts.keys, is_tied=not settings.unties_head)
    return ImportedModel(
        path=target,
        source=path,
        settings_from=settings.source,
        arch=settings.arch,
        task=settings.task,
        family=parts.family,
        sizes=parts.sizes,
        parameters=parameters,
        heads=describe_heads(parts.keys),
        head=head.name,
        labels=parts.labels,
        label_file=parts.label_file,
        dictionary=parts.dictionary_file,
        tokenizer=None if tokenizer is None else type(tokenizer).__name__,
        dropped=parts.keys.dropped,
        left_out=tuple(part for part in parameters if part not in taken),
        notes=tuple(_list_notes(parts, proven, has_tokenizer=tokenizer is not None)),
    )


def _list_notes(parts: _Parts, proven: ProvenIds | None, *, has_tokenizer: bool) -> list[str]:
    settings, head = parts.settings, parts.head
    formats = list_formats(parts.keys)
    is_unnamed = head.kind is Kind.CLASSIFIER and head.classes != 1 and parts.label_file is None
    told = (
        (head.note is not None, str(head.note)),
        (head.classes == 1, "one output: a number (problem_type regression)"),
        (is_unnamed, "no label dictionary: classes are LABEL_0, LABEL_1, ...; --labels FILE names them"),
        (
            formats != ("float32",),
            f"weights in {', '.join(formats)}, written in float32 as fairseq loads them",
        ),
        (
            settings.activation_dropout > 0,
            f"activation dropout {settings.activation_dropout:g} has no counterpart",
        ),
        (settings.layer_dropout > 0, f"layer dropout {settings.layer_dropout:g} has no counterpart"),
        (proven is not None, str(proven)),
        (not has_tokenizer, "no tokenizer written: Headstart needs one beside the model"),
    )
    return [sentence for is_so, sentence in told if is_so]
