"""Tells a checkpoint from others by every file that decides what it computes, and says which files differ."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from headstart.files import hash_file
from headstart.models.hub import fetch_snapshot, find_commit
from headstart.models.weight_files import find_weight_files
from headstart.records import CheckpointDigest
from headstart.stages import tell_stage
from headstart.store.same_sources import UNKNOWN_DIGEST

#: Before a digest of all deciding files; those of older versions, of weights alone, have nothing before them.
_PREFIX: Final = "files-2:"
#: Files beside the weights that decide: configurations, tokenizers, chat templates, adapters and probes.
_PATTERNS: Final = ("*.json", "*.txt", "*.model", "*.tiktoken", "*.codes", "*.jinja", "*.safetensors")
#: Files of tokenizers that earlier versions passed over: of their digests these are no part.
_LATER_PATTERNS: Final = ("*.spm", "*.bpe", "*.vocab", "*.model.v*")
#: What training leaves behind, and what says nothing of how texts are read or answered.
_PASSED_OVER: Final = frozenset(
    {
        "headstart.json",
        "trainer_state.json",
        "all_results.json",
        "train_results.json",
        "eval_results.json",
        "test_results.json",
        "predict_results.json",
        "requirements.txt",
        "LICENSE.txt",
        "license.txt",
        "modules.json",
        "config_sentence_transformers.json",
        "sentence_bert_config.json",
        "data_config.json",
    }
)
_SHOWN: Final = 16


def compute_digest(location: str, config: Any) -> CheckpointDigest:
    """The hub's commit, or the SHA-256 of a folder's files; the files of either by name."""
    folder = Path(location)
    if not folder.is_dir():
        commit = getattr(config, "_commit_hash", None) or find_commit(location)
        snapshot = fetch_snapshot(location, commit) if commit else None
        files = digest_files(snapshot) if snapshot else {}
        return CheckpointDigest(digest=str(commit or UNKNOWN_DIGEST), files=files)
    tell_stage(f"hashing the files of {folder}")
    hashes = {file: hash_file(file) for file in sorted(set(_iter_files(folder, _PATTERNS)))}
    later = {file: hash_file(file) for file in _match_files(folder, _LATER_PATTERNS)}
    return CheckpointDigest(
        digest=_join(folder, hashes | later),
        files={_name(file, folder): digest[:_SHOWN] for file, digest in sorted((hashes | later).items())},
        weights=_join_old(folder, hashes),
        former=_join(folder, hashes) if later else None,
    )


def digest_files(folder: Path) -> dict[str, str]:
    """The digests of a folder's deciding files, by name, as `compute_digest` notes them."""
    tell_stage(f"hashing the files of {folder}")
    files = sorted({*_iter_files(folder, (*_PATTERNS, *_LATER_PATTERNS))})
    return {_name(file, folder): hash_file(file)[:_SHOWN] for file in files}


def _join(folder: Path, hashes: dict[Path, str]) -> str:
    lines = "".join(f"{_name(file, folder)} {digest}\n" for file, digest in sorted(hashes.items()))
    return _PREFIX + hashlib.sha256(lines.encode()).hexdigest()


def _name(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()


def _iter_files(folder: Path, patterns: Iterable[str]) -> Iterator[Path]:
    """The deciding files that are there: of several kinds of weights those that are loaded."""
    yield from (file for file in find_weight_files(folder) if file.is_file())
    yield from _match_files(folder, patterns)
    yield from filter(Path.is_file, folder.glob("additional_chat_templates/*.jinja"))


def _match_files(folder: Path, patterns: Iterable[str]) -> Iterator[Path]:
    for pattern in patterns:
        for file in folder.glob(pattern):
            if file.name not in _PASSED_OVER and not file.name.startswith(".") and file.is_file():
                yield file


def _join_old(folder: Path, hashes: dict[Path, str]) -> str:
    """The digest of older versions: of all files of weights, by name."""
    sha = hashlib.sha256()
    for file in sorted(filter(Path.is_file, [*folder.glob("*.safetensors"), *folder.glob("*.bin")])):
        sha.update(bytes.fromhex(hashes.get(file) or hash_file(file)))
    return sha.hexdigest()
