"""Texts are tokenised once: the cache is keyed by all that the ids depend on."""

from __future__ import annotations

import errno
import json
import pickle
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

from headstart.data import tokenise as module
from headstart.data.cache_folder import leave_temporary_cache, tell_of_temporary_cache
from headstart.data.cache_use import release_entries
from headstart.data.tokenise import Tokens, encode_texts, tokenise
from headstart.errors import DataError
from headstart.os_faults import MachineError

TEXTS = ["good film", "bad", "the story was warm and witty"]


@pytest.fixture
def tokenizer(tiny_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_model)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of the test's own."""
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    yield tmp_path / "tokens"
    leave_temporary_cache()
    release_entries()


def list_entries(cache: Path) -> list[str]:
    """The names of what is kept, without marks of use."""
    return sorted(entry.name for entry in cache.iterdir() if not entry.name.startswith("."))


def ids(tokens: Tokens) -> list[list[int]]:
    return [tokens.input_ids[a:b].tolist() for a, b in zip(tokens.starts, tokens.starts[1:], strict=False)]


def test_ids_are_the_tokenizers(tokenizer: Any) -> None:
    assert ids(tokenise(TEXTS, tokenizer, 64)) == tokenizer(TEXTS)["input_ids"]


def test_lengths_are_those_of_the_texts(tokenizer: Any) -> None:
    tokens = tokenise(TEXTS, tokenizer, 64)
    assert (len(tokens), tokens.lengths.tolist(), tokens.truncated) == (3, [4, 3, 8], 0)


def test_texts_are_cut_and_counted(tokenizer: Any) -> None:
    tokens = tokenise(TEXTS, tokenizer, 4)
    assert (tokens.lengths.tolist(), tokens.truncated) == ([4, 3, 4], 1)


def test_text_of_just_the_limit_is_not_cut(tokenizer: Any) -> None:
    assert tokenise(TEXTS, tokenizer, 8).truncated == 0


def test_pairs_have_types(tokenizer: Any) -> None:
    tokens = tokenise([("good film", "bad")], tokenizer, 64)
    assert tokens.token_type_ids is not None
    assert tokens.token_type_ids.tolist() == [0, 0, 0, 0, 1, 1]


def test_roberta_has_no_types(tiny_roberta: Path) -> None:
    assert tokenise(TEXTS, AutoTokenizer.from_pretrained(tiny_roberta), 64).token_type_ids is None


def test_texts_met_before_are_not_encoded_again(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tokenise(TEXTS, tokenizer, 64)
    monkeypatch.setattr(module, "encode_texts", None)
    again = tokenise(TEXTS, tokenizer, 64)
    assert (again.folder, ids(again)) == (first.folder, ids(first))


@pytest.mark.parametrize(
    "texts", [["good film", "bad", "the story"], TEXTS[:2], TEXTS[::-1], [("good", "film")]]
)
def test_other_texts_have_another_key(tokenizer: Any, texts: list[Any]) -> None:
    assert tokenise(texts, tokenizer, 64).folder != tokenise(TEXTS, tokenizer, 64).folder


def test_pair_and_its_joined_text_have_different_keys(tokenizer: Any) -> None:
    pair = tokenise([("good", "film")], tokenizer, 64)
    assert pair.folder != tokenise(["good film"], tokenizer, 64).folder


def test_other_limit_has_another_key(tokenizer: Any) -> None:
    assert tokenise(TEXTS, tokenizer, 63).folder != tokenise(TEXTS, tokenizer, 64).folder


def test_other_tokenizer_has_another_key(tokenizer: Any, tiny_roberta: Path) -> None:
    other = AutoTokenizer.from_pretrained(tiny_roberta)
    assert tokenise(TEXTS, other, 64).folder != tokenise(TEXTS, tokenizer, 64).folder


def test_added_word_has_another_key(tokenizer: Any) -> None:
    before = tokenise(TEXTS, tokenizer, 64)
    tokenizer.add_tokens(["cinema"])
    assert tokenise(TEXTS, tokenizer, 64).folder != before.folder


def test_key_does_not_depend_on_what_was_encoded_before(tokenizer: Any, tiny_model: Path) -> None:
    encode_texts(TEXTS, tokenizer, 3)
    other_tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    assert tokenise(TEXTS, tokenizer, 64).folder == tokenise(TEXTS, other_tokenizer, 64).folder


def test_tokens_travel_by_the_name_of_their_folder(tokenizer: Any) -> None:
    long = tokenise(["good " * 50] * 200, tokenizer, 64)
    sent = pickle.dumps(long)
    assert len(sent) < 1000
    assert ids(pickle.loads(sent)) == ids(long)


def encode_with_masks(texts: Any, tokenizer: Any, max_length: int) -> Tokens:
    """Tokens of which the loss counts every second one."""
    tokens = encode_texts(texts, tokenizer, max_length)
    return replace(tokens, loss_mask=np.arange(len(tokens.input_ids)) % 2 == 0)


def test_mask_of_the_loss_is_kept_with_the_tokens(tokenizer: Any) -> None:
    tokens = tokenise(TEXTS, tokenizer, 64, encode_with_masks, "masked")
    assert tokens.loss_mask is not None
    assert tokens.loss_mask.tolist() == [True, False] * 7 + [True]
    assert tokens.folder != tokenise(TEXTS, tokenizer, 64).folder


def test_writer_that_fails_leaves_no_half_of_the_tokens(
    tokenizer: Any, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = np.save

    def fail_late(file: Path, values: Any) -> None:
        if file.name == "truncated.npy":
            raise OSError(errno.ENOSPC, "No space left on device")
        save(file, values)

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", fail_late)
        with pytest.raises(MachineError, match="the disk is full"):
            tokenise(TEXTS, tokenizer, 64)
    leave_temporary_cache()
    assert list_entries(cache) == []
    assert len(tokenise(TEXTS, tokenizer, 64)) == 3


def test_cache_that_cannot_be_written_is_told_of_once_and_done_without(
    tokenizer: Any, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("a file where a folder is needed")
    tokens = tokenise(TEXTS, tokenizer, 64)
    assert ids(tokens) == tokenizer(TEXTS)["input_ids"]
    assert ids(pickle.loads(pickle.dumps(tokens))) == ids(tokens)
    (sentence,) = tell_of_temporary_cache()
    assert f"the cache {cache} cannot be written: it is a file, where a folder is needed" in sentence
    tokenise(TEXTS, tokenizer, 63)
    assert list(tell_of_temporary_cache()) == []
    leave_temporary_cache()
    assert tokens.folder is not None
    assert not tokens.folder.exists()


@pytest.mark.parametrize("file", ["ids.npy", "starts.npy", "types.npy", "truncated.npy"])
@pytest.mark.parametrize("damage", ["bit", "cut", "empty", "gone"])
def test_damaged_tokens_are_noticed_and_made_again(tokenizer: Any, file: str, damage: str) -> None:
    folder = tokenise(TEXTS, tokenizer, 64).folder
    assert folder is not None
    content = (folder / file).read_bytes()
    damaged = {
        "bit": content[:-4] + bytes([content[-4] ^ 1]) + content[-3:],
        "cut": content[:-1],
        "empty": b"",
    }
    if damage == "gone":
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(damaged[damage])
    again = tokenise(TEXTS, tokenizer, 64)
    assert ids(again) == tokenizer(TEXTS)["input_ids"]
    assert again.truncated == 0
    assert (folder / file).read_bytes() == content


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"ids.npy": 1}', '{"../../x": "0"}', "null"])
def test_entry_without_a_manifest_of_ours_is_made_again(tokenizer: Any, content: str) -> None:
    folder = tokenise(TEXTS, tokenizer, 64).folder
    assert folder is not None
    (folder / "entry.json").write_text(content)
    assert ids(tokenise(TEXTS, tokenizer, 64)) == tokenizer(TEXTS)["input_ids"]
    assert "ids.npy" in json.loads((folder / "entry.json").read_text())


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_something_else_of_an_entrys_name_is_replaced(tokenizer: Any, tmp_path: Path, kind: str) -> None:
    folder = tokenise(TEXTS, tokenizer, 64).folder
    assert folder is not None
    shutil.rmtree(folder)
    if kind == "folder":
        folder.mkdir()
        (folder / "ids.npy").touch()
    elif kind == "file":
        folder.write_text("x")
    else:
        folder.symlink_to(tmp_path / "nowhere")
    assert ids(tokenise(TEXTS, tokenizer, 64)) == tokenizer(TEXTS)["input_ids"]


def test_entry_that_somebody_removed_is_written_again_for_another_process(tokenizer: Any) -> None:
    tokens = tokenise(TEXTS, tokenizer, 64)
    assert tokens.folder is not None
    shutil.rmtree(tokens.folder)
    assert ids(pickle.loads(pickle.dumps(tokens))) == ids(tokens)
    assert (tokens.folder / "ids.npy").is_file()
    (tokens.folder / "ids.npy").unlink()
    assert ids(pickle.loads(pickle.dumps(tokens))) == ids(tokens)


def test_removed_entry_that_cannot_be_written_travels_whole(
    tokenizer: Any, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = tokenise(TEXTS, tokenizer, 64)
    shutil.rmtree(cache)
    cache.write_text("no folder")
    again = pickle.loads(pickle.dumps(tokens))
    assert (ids(again), again.folder) == (ids(tokens), tokens.folder)


def test_entry_that_vanishes_on_the_way_is_said_to(tokenizer: Any) -> None:
    tokens = tokenise(TEXTS, tokenizer, 64)
    assert tokens.folder is not None
    sent = pickle.dumps(tokens)
    shutil.rmtree(tokens.folder)
    with pytest.raises(DataError, match="the cache entry was removed while the study ran"):
        pickle.loads(sent)


def test_tokens_in_memory_travel_whole(tokenizer: Any) -> None:
    tokens = encode_texts(TEXTS, tokenizer, 4)
    again = pickle.loads(pickle.dumps(tokens))
    assert (tokens.folder, ids(again), again.truncated) == (None, ids(tokens), 1)


def test_many_texts_are_encoded_in_chunks(tokenizer: Any) -> None:
    texts = [f"good {i}" for i in range(2500)]
    assert len(tokenise(texts, tokenizer, 64)) == 2500


def test_cache_forgets_what_nobody_uses_and_keeps_what_is_in_use(
    tokenizer: Any, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headstart.data.cache.MAX_ENTRIES", 2)
    sets = [tokenise([f"good {i}"], tokenizer, length) for i in range(5) for length in (8, 16)]
    assert len(list_entries(cache)) == 10
    assert [ids(pickle.loads(pickle.dumps(tokens))) for tokens in sets] == [ids(tokens) for tokens in sets]
    release_entries()
    last = tokenise(["bad"], tokenizer, 64).folder
    assert last is not None
    assert len(list_entries(cache)) == 2
    assert last.name in list_entries(cache)
