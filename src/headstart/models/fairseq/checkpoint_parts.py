"""Reads what a checkpoint says beside its weights: settings, keys, dictionary, sizes, head, labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from headstart.data.fairseq.dictionary import Dictionary, read_dictionary
from headstart.errors import ModelError
from headstart.models.fairseq.architecture import check_network, choose_family, measure_sizes
from headstart.models.fairseq.archive import CheckpointFile
from headstart.models.fairseq.checkpoint_paths import find_dictionary
from headstart.models.fairseq.foreign import refuse_fairseq2, refuse_other_models
from headstart.models.fairseq.heads import FairseqHead, Kind, choose_head
from headstart.models.fairseq.import_options import ImportOptions
from headstart.models.fairseq.keys import FairseqKeys, read_keys
from headstart.models.fairseq.labels import find_label_file, read_labels
from headstart.models.fairseq.settings import FairseqSettings, read_settings
from headstart.models.fairseq.sizes import Sizes


@dataclass(frozen=True)
class CheckpointParts:
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


def read_parts(file: CheckpointFile, folders: list[Path], options: ImportOptions) -> CheckpointParts:
    """All but the weights, which are then known to be those of a network that transformers has.

    Raises:
        ModelError: it is no checkpoint that transformers can compute.
        DataError: a dictionary is damaged.
    """
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
    return CheckpointParts(
        settings, keys, dictionary, dictionary_file, family, sizes, head, label_file, labels
    )


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
    if head.classes is None or head.classes == 1:
        return None, ()
    file = find_label_file(folders, given)
    if file is None:
        return None, tuple(f"LABEL_{i}" for i in range(head.classes))
    return file, read_labels(file, head.classes)
