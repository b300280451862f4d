"""A checkpoint's digest covers every file that decides what it computes, and tells which one was changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from headstart.models.digests import compute_digest
from tiny_checkpoints import write_checkpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = write_checkpoint(tmp_path, "llama", causal=True)
    (folder / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
    ],
)
def test_every_deciding_file_is_covered_and_named(name: str, folder: Path) -> None:
    before = compute_digest(str(folder), None)
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    after = compute_digest(str(folder), None)
    assert after.digest != before.digest
    assert {file for file in before.files if before.files[file] != after.files[file]} == {name}


@pytest.mark.parametrize("name", ["merges.txt", "spm.model", "added_tokens.json"])
def test_a_file_that_is_new_is_covered(name: str, folder: Path) -> None:
    before = compute_digest(str(folder), None)
    (folder / name).write_text("x", encoding="utf-8")
    after = compute_digest(str(folder), None)
    assert after.digest != before.digest
    assert after.files.keys() - before.files.keys() == {name}


@pytest.mark.parametrize("name", ["README.md", "headstart.json", "trainer_state.json", "training_args.bin"])
def test_what_decides_nothing_is_passed_over(name: str, folder: Path) -> None:
    before = compute_digest(str(folder), None).digest
    (folder / name).write_text("x", encoding="utf-8")
    assert compute_digest(str(folder), None).digest == before


@pytest.mark.parametrize("name", ["source.spm", "words.bpe", "dict.vocab", "tokenizer.model.v3"])
def test_files_that_earlier_versions_passed_over_are_covered_and_their_digest_is_known(
    name: str, folder: Path
) -> None:
    before = compute_digest(str(folder), None)
    assert before.former is None
    (folder / name).write_bytes(b"pieces")
    after = compute_digest(str(folder), None)
    assert after.former == before.digest != after.digest
    assert after.files.keys() - before.files.keys() == {name}
    (folder / name).write_bytes(b"other pieces")
    assert compute_digest(str(folder), None).digest != after.digest


def test_weights_alone_are_what_older_versions_noted(folder: Path) -> None:
    inner = hashlib.sha256((folder / "model.safetensors").read_bytes()).digest()
    source = compute_digest(str(folder), None)
    assert source.weights == hashlib.sha256(inner).hexdigest()
    assert source.digest not in (source.weights, None)
