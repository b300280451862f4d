"""What a checkpoint's folder can be filled with, by command: one message that names the file, and no hang."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from headstart.cli import main
from tiny_checkpoints import write_checkpoint

Damage = Callable[[Path], object]
#: Seconds after which a command counts as one that hangs; the usual one takes a part of one.
_LONG = 120
_WEIGHTS = "model.safetensors"


@pytest.fixture(autouse=True)
def _ends() -> Iterator[None]:
    """A command that waits for ever fails its test, and does not hold up all others."""

    def stop(*_: object) -> None:
        raise AssertionError("the command hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_LONG)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier, a causal model, an adapter of the first, rows, and studies of both models."""
    folder = tmp_path_factory.mktemp("wholes")
    names: dict[str, Any] = {"id2label": {0: "bad", 1: "good"}, "label2id": {"bad": 0, "good": 1}}
    write_checkpoint(folder / "classifier", "bert", **names)
    write_checkpoint(folder / "causal", "llama", causal=True)
    base = AutoModelForSequenceClassification.from_pretrained(folder / "classifier")
    settings = peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"])
    peft.get_peft_model(base, settings).save_pretrained(folder / "adapter")
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / "classifier" / name, folder / "adapter")
    rows = [f"good film {i},good\nbad film {i},bad\n" for i in range(20)]
    (folder / "rows.csv").write_text("text,label\n" + "".join(rows), encoding="utf-8")
    return folder


@pytest.fixture
def run_command(
    wholes: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Damages a copy of the model that a command takes, and runs that; gives its code and its message."""

    def run(command: str, damage: Damage, of: str = "") -> tuple[int, str]:
        of = of or _MODELS[command]
        model = shutil.copytree(wholes / of, tmp_path / "model")
        damage(model)
        words = [word.format(model=model, rows=wholes / "rows.csv", tmp=tmp_path) for word in _WORDS[command]]
        if command in ("plan", "run"):
            study: dict[str, Any] = {
                "data": {"path": str(wholes / "rows.csv")},
                "model": str(model),
                "arms": {"a": {}},
                "control": None,
                "training": {"max_length": 16, "epochs": 1},
                "workers": 0,
                "out": str(tmp_path / "out"),
            }
            (tmp_path / "study.yaml").write_text(json.dumps(study), encoding="utf-8")
        capfd.readouterr()
        code = main(words)
        out, message = capfd.readouterr()
        assert "Traceback" not in message
        assert "y/N" not in out + message
        return code, " ".join(message.split())

    return run


_MODELS = {"plan": "classifier", "run": "classifier", "predict": "classifier", "params": "classifier"} | {
    "generate": "causal",
    "export": "adapter",
}
_WORDS = {
    "plan": ["plan", "{tmp}/study.yaml"],
    "run": ["run", "{tmp}/study.yaml"],
    "predict": ["predict", "{model}", "{rows}", "-o", "{tmp}/out.csv"],
    "params": ["params", "{model}"],
    "generate": ["generate", "{model}", "good film", "--max-new-tokens", "2"],
    "export": ["export", "--merge", "{model}", "-o", "{tmp}/whole"],
}


# What damages a folder


def change(file: str, **values: Any) -> Damage:
    """Sets keys of a JSON file."""

    def damage(folder: Path) -> None:
        path = folder / file
        now = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        path.write_text(json.dumps(now | values), encoding="utf-8")

    return damage


def write(file: str, content: bytes | str) -> Damage:
    """Puts something else in a file's place."""
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / file).write_bytes(data)


def cut(file: str) -> Damage:
    """Leaves the first half of a file."""

    def damage(folder: Path) -> None:
        data = (folder / file).read_bytes()
        (folder / file).write_bytes(data[: len(data) // 2])

    return damage


def make(file: str, kind: str) -> Damage:
    """Puts what is no file in a file's place."""

    def damage(folder: Path) -> None:
        path = folder / file
        path.unlink(missing_ok=True)
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        elif kind == "socket":
            before = Path.cwd()
            os.chdir(folder)  # the name of a socket is short
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(file)
            os.chdir(before)
        else:
            path.symlink_to(kind)

    return damage


def change_header(edit: Callable[[dict[str, Any]], object]) -> Damage:
    """Edits the header of the safetensors, and leaves the rest as it is."""

    def damage(folder: Path) -> None:
        data = (folder / _WEIGHTS).read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8 : 8 + size])
        header.pop("__metadata__", None)
        edit(header)
        text = json.dumps(header).encode()
        (folder / _WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])

    return damage


def _first(header: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = header[min(header)]
    return value


def _overlap(header: dict[str, Any]) -> None:
    names = sorted(header)
    header[names[1]]["data_offsets"] = header[names[0]]["data_offsets"]


def write_index(edit: Callable[[dict[str, str], Path], object]) -> Damage:
    """Weights in two parts, with an index that was edited."""

    def damage(folder: Path) -> None:
        values = load_file(folder / _WEIGHTS)
        names = sorted(values)
        parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
        for file, own in parts.items():
            save_file({name: values[name] for name in own}, folder / file, metadata={"format": "pt"})
        (folder / _WEIGHTS).unlink()
        places = {name: file for file, own in parts.items() for name in own}
        edit(places, folder)
        text = json.dumps({"metadata": {}, "weight_map": places})
        (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8")

    return damage


def _repeat_part(places: dict[str, str], folder: Path) -> None:
    shutil.copy(folder / "a.safetensors", folder / "b.safetensors")


class _Evil:
    """Unpickled, it would make a folder."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("ran",)


def pickle_weights(value: object, **settings: Any) -> Damage:
    def damage(folder: Path) -> None:
        torch.save(value or load_file(folder / _WEIGHTS), folder / "pytorch_model.bin", **settings)
        (folder / _WEIGHTS).unlink()

    return damage


def compress_weights(folder: Path) -> None:
    """A zip whose tables are nothing but zeros, and are said in a thousandth of their bytes."""
    torch.save({"a": torch.zeros(1 << 20)}, folder / "plain.bin")
    with (
        zipfile.ZipFile(folder / "plain.bin") as plain,
        zipfile.ZipFile(folder / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for one in plain.infolist():
            packed.writestr(one.filename, plain.read(one))
    (folder / "plain.bin").unlink()
    (folder / _WEIGHTS).unlink()


def fill(name: str, value: float) -> Damage:
    def damage(folder: Path) -> None:
        values = load_file(folder / _WEIGHTS)
        values[next(one for one in values if name in one)].fill_(value)
        save_file(values, folder / _WEIGHTS, metadata={"format": "pt"})

    return damage


def drop(name: str) -> Damage:
    """Leaves weights of this name out."""

    def damage(folder: Path) -> None:
        kept = {key: value for key, value in load_file(folder / _WEIGHTS).items() if name not in key}
        save_file(kept, folder / _WEIGHTS, metadata={"format": "pt"})

    return damage


def point(place: str) -> Damage:
    """An index that has a weight in another place."""
    return write_index(lambda places, folder: places.update(x=place))


def write_deep(file: str) -> Damage:
    return write(file, '{"model_type": "bert", "a": ' + "[" * 100_000 + "]" * 100_000 + "}")


_CONFIG, _TOKENIZER = "config.json", "tokenizer.json"
_SETTINGS = "tokenizer_config.json"
_DOUBLING = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
_DAMAGED = "model.safetensors is cut or damaged"
#: A damage of what every command reads, and what is said.
EVERYWHERE: dict[str, tuple[Damage, str]] = {
    "no configuration": (lambda folder: (folder / _CONFIG).unlink(), "no config.json|no saved model"),
    "cut": (cut(_CONFIG), "config.json cannot be read"),
    "empty": (write(_CONFIG, ""), "config.json cannot be read"),
    "zeros": (write(_CONFIG, bytes(9)), "config.json cannot be read"),
    "a list": (write(_CONFIG, "[1]"), "config.json holds a list"),
    "deep": (write_deep(_CONFIG), "cannot be read: lists and objects nested more than 200 deep"),
    "a mark": (write(_CONFIG, b'\xef\xbb\xbf{"model_type": "bert"}'), "byte-order mark"),
    "Latin-1": (write(_CONFIG, b'{"model_type": "\xe9"}'), "config.json cannot be read"),
    "twice": (write(_CONFIG, '{"model_type": "bert", "model_type": "gpt2"}'), "'model_type' appears twice"),
    "nan": (write(_CONFIG, '{"model_type": "bert", "layer_norm_eps": NaN}'), "NaN is not a number"),
    "digits": (
        write(_CONFIG, '{"x": ' + "9" * 5000 + "}"),
        "config.json cannot be read",
    ),
    "large": (write(_CONFIG, b" " * (101 << 20)), "config.json has 105,906,176 bytes"),
    "pointer": (write(_CONFIG, "version https://git-lfs.github.com/spec/v1\n"), "Git LFS pointer"),
    "pipe": (make(_CONFIG, "pipe"), "config.json is a named pipe"),
    "socket": (make(_CONFIG, "socket"), "config.json is a socket"),
    "device": (make(_CONFIG, "/dev/zero"), "config.json is a device"),
    "folder": (make(_CONFIG, "folder"), "config.json is a folder"),
    "loop": (make(_CONFIG, _CONFIG), "config.json is a link that points back to itself"),
    "nowhere": (make(_CONFIG, "absent"), "config.json is a dangling link"),
    "other pipe": (make("x.safetensors", "pipe"), "x.safetensors is a named pipe"),
    "unknown family": (change(_CONFIG, model_type="nope"), "no usable checkpoint"),
    "family list": (change(_CONFIG, model_type=["bert"]), "model_type is"),
    "architectures": (change(_CONFIG, architectures="x"), "architectures is"),
    "architecture numbers": (change(_CONFIG, architectures=[1]), "architectures contains"),
    "own code": (change(_CONFIG, model_type="own", auto_map={"AutoConfig": "own.C"}), "code of its own"),
    "kernels": (change(_CONFIG, attn_implementation="kernels-community/x"), "code from the hub"),
    "own kernels": (change(_CONFIG, _attn_implementation="a/b"), "code from the hub"),
    "expert kernels": (change(_CONFIG, experts_implementation={"": "a/b"}), "code from the hub"),
    "no heads": (change(_CONFIG, num_attention_heads=0), "num_attention_heads is 0"),
    "odd heads": (change(_CONFIG, num_attention_heads=5), "multiple|divisible"),
    "negative": (change(_CONFIG, hidden_size=-32), "hidden_size is -32"),
    "text for a number": (change(_CONFIG, hidden_size="32"), "hidden_size"),
    "null": (change(_CONFIG, hidden_size=None), "hidden_size"),
    "format": (change(_CONFIG, dtype="float99"), "dtype is 'float99'"),
    "format of code": (change(_CONFIG, torch_dtype="load"), "torch_dtype is 'load'"),
    "function": (change(_CONFIG, hidden_act="__import__('os')"), "is not known"),
    "layers": (change(_CONFIG, num_hidden_layers=10**9), "num_hidden_layers is 1,000,000,000"),
    "many labels": (change(_CONFIG, num_labels=10**9), "num_labels is 1,000,000,000"),
    "vocabulary": (change(_CONFIG, vocab_size=10**12), "vocab_size is 1,000,000,000,000"),
    "positions": (change(_CONFIG, max_position_embeddings=10**12), "max_position_embeddings is"),
    "experts": (change(_CONFIG, num_hidden_layers=4000, num_experts=4000), "times num_experts"),
    "labels": (change(_CONFIG, id2label="x"), "id2label is 'x'"),
    "end tokens": (change(_CONFIG, eos_token_id="x"), "eos_token_id is 'x'"),
    "padding list": (change(_CONFIG, pad_token_id=[1]), "pad_token_id is"),
    "limit": (change(_SETTINGS, model_max_length="x"), "model_max_length is 'x'"),
    "padding number": (change(_SETTINGS, pad_token=5), "pad_token is '5'"),
    "template": (change(_SETTINGS, chat_template=5), "chat_template is 5"),
    "cut settings": (cut(_SETTINGS), "tokenizer_config.json cannot be read"),
    "generation": (change("generation_config.json", eos_token_id="x"), "eos_token_id is 'x'"),
    "generation list": (write("generation_config.json", "[]"), "generation_config.json holds a list"),
}
#: A damage of the tokenizer, which counts of parameters do not read.
OF_TOKENIZERS: dict[str, tuple[Damage, str]] = {
    "cut": (cut(_TOKENIZER), "its tokenizer cannot be read"),
    "empty": (write(_TOKENIZER, ""), "its tokenizer cannot be read"),
    "a list": (write(_TOKENIZER, "[]"), "its tokenizer cannot be read|no tokenizer"),
    "another": (write(_TOKENIZER, '{"model": 5}'), "its tokenizer cannot be read"),
    "deep": (write_deep(_TOKENIZER), "its tokenizer cannot be read"),
    "swelling": (
        change(_TOKENIZER, normalizer={"type": "Sequence", "normalizers": [_DOUBLING] * 24}),
        "up to 16,777,216 times longer",
    ),
    "pipe": (make(_TOKENIZER, "pipe"), "tokenizer.json is a named pipe"),
    "absent": (lambda folder: (folder / _TOKENIZER).unlink(), "tokenizer"),
    "tokens": (change(_SETTINGS, added_tokens_decoder={"x": 5}), "tokenizer"),
}
_OLD: dict[str, Any] = {"_use_new_zipfile_serialization": False}
#: A damage of weights.
OF_WEIGHTS: dict[str, tuple[Damage, str]] = {
    "absent": (lambda folder: (folder / _WEIGHTS).unlink(), "no weights found"),
    "cut": (cut(_WEIGHTS), _DAMAGED),
    "empty": (write(_WEIGHTS, b""), _DAMAGED),
    "page": (write(_WEIGHTS, "<!DOCTYPE html><title>404</title>"), "web page"),
    "pointer": (write(_WEIGHTS, "version https://git-lfs.github.com/spec/v1\n"), "Git LFS pointer"),
    "header": (write(_WEIGHTS, struct.pack("<Q", 1 << 40) + b"{}"), _DAMAGED),
    "overlap": (change_header(_overlap), _DAMAGED),
    "shape": (change_header(lambda header: _first(header).update(shape=[10**9, 10**9])), _DAMAGED),
    "offset": (change_header(lambda header: _first(header).update(data_offsets=[0, 10**15])), _DAMAGED),
    "kind": (change_header(lambda header: _first(header).update(dtype="F99")), _DAMAGED),
    "pipe": (make(_WEIGHTS, "pipe"), "model.safetensors is a named pipe"),
    "device": (make(_WEIGHTS, "/dev/zero"), "model.safetensors is a device"),
    "folder": (make(_WEIGHTS, "folder"), "model.safetensors is a folder"),
    "loop": (make(_WEIGHTS, _WEIGHTS), "model.safetensors is a link that points back"),
    "nan": (fill("word_embeddings.weight", float("nan")), "contain nan or infinity"),
    "infinite": (fill("query.weight", float("inf")), "contain nan or infinity"),
    "less": (drop("query.weight"), "missing or of the wrong size"),
    "smaller": (change(_CONFIG, vocab_size=10), "in the file, [10, 32] by config.json"),
    "wider": (change(_CONFIG, hidden_size=2**20, num_attention_heads=2), "this machine has|in the file"),
    "index": (write_index(lambda places, folder: places.clear()), "names no files"),
    "outside": (point("../b.safetensors"), "outside the folder"),
    "absolute": (point("/etc/passwd"), "outside the folder"),
    "part": (write_index(lambda places, folder: (folder / "b.safetensors").unlink()), "1 of 2 parts"),
    "two parts": (write_index(_repeat_part), "is in two parts"),
    "evil": (pickle_weights({"a": _Evil()}), "would run as code"),
    "old evil": (
        pickle_weights({"a": _Evil()}, **_OLD),
        "would run as code",
    ),
    "zip": (compress_weights, "is compressed"),
    "list": (pickle_weights([1]), "weights"),
}
#: A damage of an adapter.
OF_ADAPTERS: dict[str, tuple[Damage, str]] = {
    "configuration": (cut("adapter_config.json"), "adapter_config.json cannot be read"),
    "list": (write("adapter_config.json", "[]"), "adapter_config.json holds a list"),
    "base": (change("adapter_config.json", base_model_name_or_path=5), "names no base"),
    "gone": (change("adapter_config.json", base_model_name_or_path="/absent"), "its base model /absent"),
    "empty base": (change("adapter_config.json", base_model_name_or_path="."), "its base model ."),
    "type": (change("adapter_config.json", peft_type="NOPE"), "its type 'NOPE'"),
    "rank": (change("adapter_config.json", r=10**9), "r is 1,000,000,000"),
    "ranks": (change("adapter_config.json", rank_pattern={"query": 10**9}), "rank_pattern.query is"),
    "copies": (change("adapter_config.json", layer_replication=[[0, 10**9]]), "layer_replication is"),
    "rank text": (change("adapter_config.json", r="x"), "r is 'x'"),
    "module": (change("adapter_config.json", megatron_config={}, megatron_core="evil"), "megatron_c"),
    "weights": (cut("adapter_model.safetensors"), "adapter_model.safetensors is cut"),
    "pipe": (make("adapter_model.safetensors", "pipe"), "adapter_model.safetensors is a named pipe"),
    "absent": (
        lambda folder: (folder / "adapter_model.safetensors").unlink(),
        "the adapter's weights are missing",
    ),
    "notes": (write("headstart.json", "[]"), "headstart.json cannot be read"),
    "deep notes": (write("headstart.json", "[" * 100_000), "headstart.json cannot be read"),
    "notes' pipe": (make("headstart.json", "pipe"), "headstart.json is a named pipe"),
}
_OF_CAUSAL = ("cut", "deep", "pipe", "device", "kernels", "no heads", "layers", "end tokens", "generation")
CASES = [
    *(("generate", name, EVERYWHERE[name]) for name in _OF_CAUSAL),
    *((command, *pair) for pair in EVERYWHERE.items() for command in ("plan", "predict", "params")),
    *((command, *pair) for pair in OF_TOKENIZERS.items() for command in ("plan", "predict", "generate")),
    *((command, *pair) for pair in OF_WEIGHTS.items() for command in ("plan", "predict")),
    *((command, *pair) for pair in OF_ADAPTERS.items() for command in ("predict", "export")),
]


@pytest.mark.parametrize(("command", "name", "case"), CASES, ids=[f"{c}-{n}" for c, n, _ in CASES])
def test_a_damaged_folder_is_refused_by_one_message(
    command: str,
    name: str,
    case: tuple[Damage, str],
    run_command: Callable[..., tuple[int, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    damage, words = case
    monkeypatch.chdir(tmp_path)
    of = "adapter" if case in OF_ADAPTERS.values() else ""
    code, message = run_command(command, damage, of)
    assert code == 2, message
    assert message.count("error:") == 1
    assert any(one in message for one in words.split("|")), message
    assert not (tmp_path / "ran").exists()


def test_a_study_on_a_damaged_checkpoint_writes_no_folder(
    run_command: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    code, message = run_command("run", cut(_WEIGHTS))
    assert code == 2
    assert _DAMAGED in message
    assert not (tmp_path / "out").exists()


def test_logits_that_are_no_numbers_are_no_answers(
    wholes: Path, run_command: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    code, message = run_command("predict", fill("classifier.weight", 3e38))
    assert code == 2
    assert "rows.csv:2" in message
    assert "nan or infinite" in message
    assert not (tmp_path / "out.csv").exists()


def test_an_answer_from_logits_that_are_no_numbers_is_refused(
    run_command: Callable[..., tuple[int, str]],
) -> None:
    code, message = run_command("generate", fill("lm_head.weight", 3e38))
    assert code == 2
    assert "prompt 1" in message
    assert "nan or infinite" in message


def test_a_run_whose_logits_are_no_numbers_fails_and_leaves_no_model(
    run_command: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """Its own head, for these very labels: it is measured with it before anything trains."""
    code, _ = run_command("run", fill("classifier.weight", 3e38))
    assert code == 1
    saved = {file.parent.name for file in (tmp_path / "out").rglob("*.safetensors")}
    assert saved <= {"words"}, "a bag of words needs no checkpoint"
