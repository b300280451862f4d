"""Which files of a model's folder go to the hub, and whether it is whole; nothing else of a study does."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headstart.errors import ModelError
from headstart.files import hash_file, read_file
from headstart.methods.word_files import load_words
from headstart.models.base_card import read_card_metadata
from headstart.models.checkpoint_files import ADAPTER_CONFIG, check_folder
from headstart.models.pushed_model import ModelFile
from headstart.models.strict_json import read_strict_json
from headstart.models.weight_files import check_weight_file, check_weights
from headstart.models.word_folders import is_word_model
from headstart.store.model_cards import CARD_FILE
from headstart.store.model_notes import NOTES_FILE, ModelNotes, read_model_notes
from headstart.store.model_use import INDEX_FILE

_ADAPTER_WEIGHTS: Final = "adapter_model.safetensors"
#: As `methods.linear_probe` writes it, which imports torch.
_PROBE_WEIGHTS: Final = "probe.safetensors"
_WEIGHTS: Final = re.compile(r"(model(-\d+-of-\d+)?|adapter_model|probe|words)\.safetensors")
_TOKENIZER: Final = re.compile(
    r"tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|chat_template\.jinja|"
    r"vocab\.(txt|json)|merges\.txt|[\w.-]+\.(model|tiktoken|spm|bpe|codes|vocab)"
)
#: What else belongs to a model. The keys of a file are those that may hold a path of this machine.
_PATH_KEYS: Final[dict[str, tuple[str, ...]]] = {
    NOTES_FILE: ("base",),
    ADAPTER_CONFIG: ("base_model_name_or_path",),
    "config.json": ("_name_or_path", "name_or_path"),
    "tokenizer_config.json": ("_name_or_path", "name_or_path", "tokenizer_file", "vocab_file", "merges_file"),
}
_OTHERS: Final = frozenset(
    {*_PATH_KEYS, CARD_FILE, INDEX_FILE, "generation_config.json", "words.json", "vocabulary.txt"}
)
#: How a path begins that is no hub id.
_PATHS: Final = ("/", "~", ".", "\\")
_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")


@dataclass(frozen=True)
class ModelFiles:
    """What goes out, and what stays; `base` is the folder of an adapter's base where others lack it."""

    files: tuple[ModelFile, ...]
    left_out: tuple[str, ...]
    card: str
    has_license: bool
    base: str | None


def is_model_file(name: str) -> bool:
    """Whether a push may write a file of this name."""
    return bool(name in _OTHERS or _WEIGHTS.fullmatch(name) or _TOKENIZER.fullmatch(name))


def collect_files(folder: Path) -> ModelFiles:
    """The files of the model in `folder`, which is whole, with their digests.

    Raises:
        ModelError: it is not whole, has no card that can be read, or tells of this machine's folders.
    """
    _check_whole(folder)
    notes, metadata = read_model_notes(folder), read_card_metadata(folder / CARD_FILE)
    if metadata is None:
        raise ModelError(
            f"{CARD_FILE}, the model card, is missing or its first block is no YAML",
            where=str(folder),
            fix="fix it; or delete it and run the study again, which writes it",
        )
    is_adapter = (folder / ADAPTER_CONFIG).is_file()
    wanted, left_out = [], []
    for entry in sorted(folder.iterdir()):
        # Beside an adapter it names files of this machine.
        is_wanted = is_model_file(entry.name) and not (is_adapter and entry.name == INDEX_FILE)
        if is_wanted and entry.is_file():
            wanted.append(entry)
        else:
            left_out.append(entry.name + "/" * entry.is_dir())
    files = tuple(_take_file(file) for file in wanted)
    _refuse_home(files, folder)
    card = read_file(folder / CARD_FILE).decode("utf-8", errors="replace")
    has_license = bool(metadata.get("license"))
    return ModelFiles(files, tuple(left_out), card, has_license, _find_local_base(folder, notes))


def _check_whole(folder: Path) -> None:
    """See that nothing is missing or cut."""
    check_folder(str(folder))
    if is_word_model(folder):
        load_words(folder)
        return
    if (folder / ADAPTER_CONFIG).is_file():
        _check_part(folder, _ADAPTER_WEIGHTS)
        return
    if not (folder / "config.json").is_file():
        raise ModelError(
            "no saved model (no config.json)", where=str(folder), expected="a folder such as OUT/models/ARM"
        )
    is_probe = (folder / _PROBE_WEIGHTS).is_file()
    if is_probe:
        check_weight_file(folder / _PROBE_WEIGHTS)
    if not is_probe or (folder / "model.safetensors").exists():  # of a random encoder
        check_weights(folder)
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        raise ModelError("no tokenizer", where=str(folder), expected="tokenizer.json beside the weights")


def _check_part(folder: Path, name: str) -> None:
    if not (folder / name).is_file():
        raise ModelError(f"{name} is missing", where=str(folder), expected="the weights of the adapter")
    check_weight_file(folder / name)


def _take_file(file: Path) -> ModelFile:
    """The file as it goes out."""
    changed = _name_paths(file)
    if changed is None:
        source: Path | bytes = file if _WEIGHTS.fullmatch(file.name) else read_file(file)
        return ModelFile(file.name, file.stat().st_size, hash_file(file), source)
    return ModelFile(file.name, len(changed), hashlib.sha256(changed).hexdigest(), changed, changed=True)


def _name_paths(file: Path) -> bytes | None:
    """A file's content with names in place of paths; None where it holds none."""
    keys = _PATH_KEYS.get(file.name, ())
    values = read_strict_json(file) if keys else {}
    paths = {key: values[key] for key in keys if _is_path(values.get(key))}
    if not paths:
        return None
    named = values | {key: re.split(r"[\\/]", path.rstrip("\\/"))[-1] for key, path in paths.items()}
    return (json.dumps(named, indent=2, ensure_ascii=False) + "\n").encode()


def _is_path(value: object) -> bool:
    """Whether it is a path of this machine, and no hub id."""
    return isinstance(value, str) and (value.startswith(_PATHS) or bool(_DRIVE.match(value)))


def _refuse_home(files: tuple[ModelFile, ...], folder: Path) -> None:
    """See that no text that people read has the home folder in it, wherever it stands."""
    home = f"{Path.home()}/".encode()
    for file in _list_texts(files):
        if len(home) > 2 and isinstance(file.source, bytes) and home in file.source:
            raise ModelError(
                f"{file.path} has the path of your home folder in it",
                where=str(folder),
                fix="remove it from the file; nothing was sent",
            )


def _list_texts(files: tuple[ModelFile, ...]) -> Iterator[ModelFile]:
    """All but weights and vocabularies."""
    return (file for file in files if file.path in _OTHERS and file.path != "vocabulary.txt")


def _find_local_base(folder: Path, notes: ModelNotes) -> str | None:
    """The folder, on this machine, of the base that an adapter or a probe is nothing without."""
    if not (folder / ADAPTER_CONFIG).is_file():
        return notes.base if notes.base and _is_path(notes.base) else None
    base = read_strict_json(folder / ADAPTER_CONFIG).get("base_model_name_or_path")
    is_local = isinstance(base, str) and (_is_path(base) or Path(base).is_dir())
    return str(base) if is_local else None
