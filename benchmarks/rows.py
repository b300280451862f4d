"""How much memory and time a table of many rows takes: planned, labelled, run and compared.

Growth is the peak of a command on the table over the peak of the same command on a hundred rows, with the
processes below it. Fails where it passes the limit. Everything is made here: nothing is downloaded.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from machine import machine

#: Rows of the table that a command's own memory is taken from.
FEW: Final = 100
#: Texts that a study learns from where its test is the table.
TRAIN_ROWS: Final = 200
WORDS: Final = [
    f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("lo", "ri", "sen", "ta", "mup")
]
FORMATS: Final = ("csv", "jsonl", "parquet")
_MIB: Final = 2**20


@dataclass(frozen=True)
class Measured:
    """One command on a table: its peak of memory in bytes, and its seconds."""

    peak: int
    seconds: float


# --- tables and models --------------------------------------------------------------------------------


def make_rows(count: int, characters: int, start: int = 0) -> Iterator[dict[str, Any]]:
    """Rows with a text of about so many characters, no two of them equal, and one of two labels."""
    draws = random.Random(start)
    for i in range(start, start + count):
        words = [f"w{i}"]
        while sum(map(len, words)) + len(words) < characters:
            words.append(draws.choice(WORDS))
        yield {"text": " ".join(words), "label": ("neg", "pos")[i % 2]}


def write_table(file: Path, count: int, characters: int, start: int = 0) -> None:
    """A table of such rows, in the format that its name says."""
    rows = make_rows(count, characters, start)
    if file.suffix == ".parquet":
        _write_parquet(file, rows)
        return
    with file.open("w", encoding="utf-8", newline="") as out:
        if file.suffix == ".jsonl":
            out.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(out, ("text", "label"), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def _write_parquet(file: Path, rows: Iterator[dict[str, Any]]) -> None:
    from itertools import islice

    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("text", pa.string()), ("label", pa.string())])
    with pq.ParquetWriter(file, schema) as writer:
        while chunk := list(islice(rows, 50_000)):
            writer.write_table(pa.Table.from_pylist(chunk, schema))


def write_scores(file: Path, count: int, columns: tuple[str, ...], shift: float) -> None:
    """A table of scores: `item` or `seed` counts up, and scores lie around a half."""
    draws = random.Random(shift)
    with file.open("w", encoding="utf-8", newline="") as out:
        out.write(",".join((*columns, "accuracy")) + "\n")
        for i in range(count):
            right = int(draws.random() < 0.5 + shift)
            out.write(f"{i},{right}\n" if columns == ("item",) else f"{'ab'[i % 2]},{i // 2},{right}\n")


def make_model(folder: Path) -> None:
    """A BERT of one layer with two labels, and a tokenizer of the words."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    torch.manual_seed(0)
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    digits = [str(i) for i in range(10)]
    vocabulary = {
        word: i for i, word in enumerate([*specials, "w", *digits, *(f"##{d}" for d in digits), *WORDS])
    }
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = dict(
        zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), specials, strict=True)
    )
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=16,
        max_position_embeddings=64,
        id2label={0: "neg", 1: "pos"},
        label2id={"neg": 0, "pos": 1},
    )
    BertForSequenceClassification(config).save_pretrained(folder)


def _write_study(folder: Path, data: dict[str, str], arms: str, seeds: str = "1") -> Path:
    """A study of one small run for each arm."""
    lines = [f"data: {json.dumps(data)}", arms, f"seeds: {seeds}", "out: out", "workers: 0"]
    (folder / "study.yaml").write_text("\n".join(lines) + "\n")
    return folder / "study.yaml"


# --- what is measured ---------------------------------------------------------------------------------


def prepare_plan(suffix: str, folder: Path, rows: int, characters: int, model: Path) -> list[list[str]]:
    """`plan` of a study whose data is one table."""
    write_table(folder / f"data.{suffix}", rows, characters)
    arms = f"model: {model}\narms: {{pretrained: {{}}, words: null}}"
    _write_study(folder, {"path": f"data.{suffix}"}, arms)
    return [["plan", "study.yaml"]]


def prepare_predict(suffix: str, folder: Path, rows: int, characters: int, model: Path) -> list[list[str]]:
    """`predict` of one table."""
    write_table(folder / f"data.{suffix}", rows, characters)
    return [["predict", str(model), f"data.{suffix}", "-o", f"labelled.{suffix}"]]


def prepare_study(_: str, folder: Path, rows: int, characters: int, model: Path) -> list[list[str]]:
    """`run` of a study that is tested on the table, and `compare` and `power` of its folder.

    Each seed learns from texts of its own: without randomness seeds would be one, and nothing to compare.
    """
    for part, count, start in (("train", TRAIN_ROWS, 2 * rows), ("valid", FEW, 3 * rows), ("test", rows, 0)):
        write_table(folder / f"{part}.csv", count, characters, start)
    arms = f"model: {model}\narms: {{words: {{method: bag-of-words}}, network: {{}}}}\nconfounded: true"
    arms += "\ntraining: {epochs: 1}"
    data = {part: f"{part}.csv" for part in ("train", "valid", "test")} | {"training_texts": "bootstrap"}
    _write_study(folder, data, arms, "2")
    return [["run", "study.yaml"], ["compare", "out"], ["power", "out"]]


def prepare_items(_: str, folder: Path, rows: int, __: int, ___: Path) -> list[list[str]]:
    """`compare` of two models by their scores on each row."""
    for name, shift in (("a", 0.0), ("b", 0.01)):
        write_scores(folder / f"{name}.csv", rows, ("item",), shift)
    return [["compare", "a.csv", "b.csv"]]


def prepare_scores(_: str, folder: Path, rows: int, __: int, ___: Path) -> list[list[str]]:
    """`compare` and `power` of a table of two arms' scores by seed."""
    write_scores(folder / "scores.csv", rows, ("arm", "seed"), 0.0)
    return [["compare", "scores.csv"], ["power", "scores.csv", "--test-examples", "1000"]]


Prepare = Callable[[str, Path, int, int, Path], list[list[str]]]
KINDS: Final[dict[str, tuple[Prepare, tuple[str, ...]]]] = {
    "plan": (prepare_plan, FORMATS),
    "predict": (prepare_predict, FORMATS),
    "study": (prepare_study, ("",)),
    "items": (prepare_items, ("",)),
    "scores": (prepare_scores, ("",)),
}


def measure(words: list[str], folder: Path, cache: Path, ceiling: int, patience: float) -> Measured:
    """The peak of the command's tree of processes (proportional set size, sampled), or of one of them.

    Raises:
        SystemExit: the command fails, or takes more than `ceiling` bytes of addresses or `patience` seconds.
    """
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HEADSTART_CACHE": str(cache)}
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "headstart", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling)),
    )
    killer = threading.Timer(patience, process.kill)
    killer.start()
    peak = 0
    try:
        while process.poll() is None:
            peak = max(peak, _measure_tree(process.pid))
            time.sleep(0.1)
    finally:
        killer.cancel()
    if process.returncode:
        said = process.stderr.read().decode().strip().splitlines()[-4:] if process.stderr else []
        raise SystemExit(f"{words[0]} in {folder}: {' '.join(said) or 'killed'}")
    return Measured(peak, time.monotonic() - began)


def _measure_tree(pid: int) -> int:
    """Bytes of a process and those below it: proportional set size, or the peak of one where that is more."""
    total, peak, todo = 0, 0, [pid]
    while todo:
        one = todo.pop()
        with suppress(OSError):
            total += _read_kib(Path(f"/proc/{one}/smaps_rollup"), "Pss:")
            peak = max(peak, _read_kib(Path(f"/proc/{one}/status"), "VmHWM:"))
            for task in Path(f"/proc/{one}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
    return max(total, peak)


def _read_kib(file: Path, name: str) -> int:
    line = next((line for line in file.read_text().splitlines() if line.startswith(name)), f"{name} 0 kB")
    return int(line.split()[1]) * 1024


def measure_kind(
    kind: str, suffix: str, arguments: argparse.Namespace, scratch: Path
) -> list[dict[str, Any]]:
    """Each command of a kind, on the table and on a hundred rows."""
    prepare, _ = KINDS[kind]
    results: dict[str, list[Measured]] = {}
    for rows in (FEW, arguments.rows):
        folder = scratch / f"{kind}-{suffix}-{rows}"
        folder.mkdir()
        for words in prepare(suffix, folder, rows, arguments.characters, scratch / "model"):
            result = measure(words, folder, folder / "cache", arguments.ceiling * 2**30, arguments.patience)
            results.setdefault(f"{words[0]} {suffix or kind}", []).append(result)
    return [
        {
            "what": what,
            "growth_mib": (many.peak - few.peak) / _MIB,
            "peak_mib": many.peak / _MIB,
            "seconds": many.seconds,
            "seconds_few": few.seconds,
        }
        for what, (few, many) in results.items()
    ]


def render(rows: list[dict[str, Any]]) -> str:
    """One line for each command."""
    head = f"{'command':<18}{'growth MiB':>12}{'peak MiB':>10}{'seconds':>9}{'of 100 rows':>13}"
    lines = [
        f"{row['what']:<18}{row['growth_mib']:>12,.0f}{row['peak_mib']:>10,.0f}{row['seconds']:>9.1f}"
        f"{row['seconds_few']:>13.1f}"
        for row in rows
    ]
    return "\n".join([head, *lines])


def parse_arguments() -> argparse.Namespace:
    """What to measure, and within what."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--characters", type=int, default=100, help="of a text")
    parser.add_argument("--only", default=",".join(KINDS), help="kinds, with commas between")
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--limit", type=int, default=1024, help="MiB that a command may grow by")
    parser.add_argument("--ceiling", type=int, default=16, help="GiB of addresses that a process may have")
    parser.add_argument("--patience", type=float, default=1800, help="seconds that a command may take")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> None:
    """Measure, print, and fail above the limit."""
    arguments = parse_arguments()
    about = machine("pyarrow", "tokenizers") | {"rows": f"{arguments.rows:,}"}
    print("  ".join(f"{name} {value}" for name, value in about.items()), flush=True)
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="rows-") as name:
        make_model(Path(name) / "model")
        for kind in arguments.only.split(","):
            for suffix in KINDS[kind][1]:
                if not suffix or suffix in arguments.formats.split(","):
                    of_kind = measure_kind(kind, suffix, arguments, Path(name))
                    print(render(of_kind), flush=True)
                    results += of_kind
    print(render(results))
    if arguments.json:
        arguments.json.write_text(json.dumps({"about": about, "results": results}, indent=1))
    above = [row["what"] for row in results if row["growth_mib"] > arguments.limit]
    if above:
        raise SystemExit(f"grew by more than {arguments.limit} MiB: {', '.join(above)}")


if __name__ == "__main__":
    main()
