"""What tests share: a cache of their own, tiny random checkpoints, invented reviews, and studies of them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# Before torch is imported, here and in each process that a test starts: products as small as those of tests
# gain nothing from threads, which on a busy machine wait for one another (half the suite's time on 2 cores).
os.environ["OMP_NUM_THREADS"] = "1"

import torch
from ruamel.yaml import YAML

# A shell's background jobs ignore Ctrl-C, and so would all that tests start and send it to.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# Before any test module imports transformers, which reads it once.
os.environ["HF_HUB_OFFLINE"] = "1"
# Before any test module imports triton, which reads it when a kernel is defined: without a GPU it interprets.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

GOOD = ("good", "lovely", "bright", "charming", "warm", "witty")
BAD = ("bad", "dreary", "dull", "clumsy", "cold", "flat")
PLAIN = ("the", "a", "film", "story", "actor", "ending", "music", "was", "felt", "and", "with", "scene")
WORDS = (*GOOD, *BAD, *PLAIN, "un", "##happy", "##s", "?", "one", "two", "three", "how", "many", "who", "is")
#: The usual initialisation of 0.02 leaves a body of 32 all but deaf to its texts.
SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64} | {
    "initializer_range": 0.2
}


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Assets and tokens of tests stay out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADSTART_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_syncing() -> Iterator[None]:
    """No test cuts the power, and what thousands of small files wait for is the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def _patience() -> Iterator[None]:
    """A slow machine adds no line to what a quick command says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("headstart.cli.stages._PATIENCE", 3600.0)
        yield


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of 2 layers, 32 wide, that takes 64 tokens."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification

    names = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    vocabulary = {word: i for i, word in enumerate((*names, *WORDS))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    folder = tmp_path_factory.mktemp("tiny-bert")
    kinds = dict(zip(("pad", "unk", "cls", "sep", "mask"), names, strict=True))
    _fast(tokenizer, kinds, types=True).save_pretrained(folder)
    config = BertConfig(vocab_size=len(vocabulary), max_position_embeddings=64, pad_token_id=0, **SHAPE)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random RoBERTa of 2 layers, 32 wide, with 66 positions: it takes 64 tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import RobertaConfig, RobertaForSequenceClassification

    names = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    vocabulary = {word: i for i, word in enumerate((*names, *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    folder = tmp_path_factory.mktemp("tiny-roberta")
    kinds = dict(zip(("cls", "pad", "sep", "unk", "mask"), names, strict=True))
    _fast(tokenizer, kinds, types=False).save_pretrained(folder)
    config = RobertaConfig(vocab_size=len(vocabulary), max_position_embeddings=66, pad_token_id=1, **SHAPE)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        RobertaForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_bloom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BLOOM of 2 layers, 32 wide, that reads bytes; its padding token is its end token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import BloomConfig, BloomForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {name: i for i, name in enumerate(["<unk>", "<s>", "</s>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    folder = tmp_path_factory.mktemp("tiny-bloom")
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
    config = BloomConfig(
        vocab_size=len(vocabulary), hidden_size=32, n_layer=2, n_head=2, initializer_range=0.1, **ids
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        BloomForCausalLM(config).save_pretrained(folder)
    return folder


def _fast(tokenizer: Any, names: dict[str, str], *, types: bool) -> PreTrainedTokenizerFast:
    from transformers import PreTrainedTokenizerFast

    inputs = ["input_ids", *(["token_type_ids"] if types else []), "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=64,
        model_input_names=inputs,
        **{f"{kind}_token": name for kind, name in names.items()},
    )


def review(i: int, words: tuple[str, ...]) -> str:
    """The i-th invented text, its opinion in `words`: of 3 to 11 words, and unlike all others."""
    digits = [PLAIN[i // len(PLAIN) ** power % len(PLAIN)] for power in range(2)]
    return " ".join([*digits, *[words[i % len(words)], "and"] * (i % 5), words[i // 6 % len(words)]])


def _rows(start: int, count: int) -> Iterator[dict[str, str]]:
    for i in range(start, start + count):
        yield {"text": review(i, (BAD, GOOD)[i % 2]), "label": ("bad", "good")[i % 2]}


def _write_reviews(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    start = 0
    for part, count in (("train", 60), ("valid", 20), ("test", 24)):
        lines = (json.dumps(row) + "\n" for row in _rows(start, count))
        (folder / f"{part}.jsonl").write_text("".join(lines), encoding="utf-8")
        start += count
    return folder


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A folder with train (60), valid (20) and test (24) `.jsonl` of two balanced, separable classes."""
    return _write_reviews(tmp_path / "reviews")


@pytest.fixture(scope="session")
def study_in(tiny_model: Path) -> Callable[..., Path]:
    """Writes, into a folder, invented reviews and a study of them with the tiny model.

    Top-level keys are changed, or taken out by None, with keyword arguments.
    """

    def write(folder: Path, name: str = "study.yaml", **changes: Any) -> Path:
        reviews = _write_reviews(folder / "reviews")
        study = {
            "data": {part: str(reviews / f"{part}.jsonl") for part in ("train", "valid", "test")},
            "model": str(tiny_model),
            "seeds": [0],
            "training": {"epochs": 1, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32"},
            "workers": 0,
            "device": "cpu",
            "report": False,  # drawing takes longer than training does here
            "out": str(folder / "out"),
        } | changes
        with (folder / name).open("w", encoding="utf-8") as stream:
            YAML().dump({key: value for key, value in study.items() if value is not None}, stream)
        return folder / name

    return write


@pytest.fixture
def study_file(tmp_path: Path, study_in: Callable[..., Path]) -> Callable[..., Path]:
    """As `study_in`, into the test's own folder."""
    return partial(study_in, tmp_path)
