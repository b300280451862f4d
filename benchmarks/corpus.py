"""Measures tokens a second from a text file to blocks of tokens, beside run_mlm.py's way with datasets.

    python benchmarks/corpus.py --text books.txt --tokenizer folder --megabytes 50 --json corpus.json

The text is repeated up to that size, a line a document. Each participant runs in a fresh process with empty
caches, in turn; seconds count from after its imports until the blocks can be read. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

from machine import machine

#: What each participant gives: seconds, tokens in whole blocks, and the first block.
Measured = tuple[float, int, list[int]]


def build_blocks(text: Path, tokenizer: Path, block: int, workers: int, scratch: Path) -> Measured:
    """Headstart's own blocks, with its cache in `scratch`."""
    from transformers import AutoTokenizer

    from headstart.data.text_corpus import TextCorpus
    from headstart.data.token_blocks import build_token_blocks

    loaded = AutoTokenizer.from_pretrained(tokenizer)
    start = time.perf_counter()
    blocks = build_token_blocks(
        TextCorpus((text,)), loaded, block=block, folder=scratch / "cache", workers=workers
    )
    return time.perf_counter() - start, blocks.n_tokens, blocks.tokens[0].tolist()


def map_texts(text: Path, tokenizer: Path, block: int, workers: int, scratch: Path) -> Measured:
    """What run_mlm.py of transformers does without --line_by_line."""
    from datasets import load_dataset
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(tokenizer)
    start = time.perf_counter()
    raw = load_dataset("text", data_files=str(text), split="train", cache_dir=str(scratch / "datasets"))
    processes = {"batched": True, "num_proc": workers}
    tokens = raw.map(
        lambda rows: loaded(
            [line for line in rows["text"] if line.strip()], return_special_tokens_mask=True, verbose=False
        ),
        remove_columns=["text"],
        **processes,
    )
    blocks = tokens.map(lambda rows: _group_texts(rows, block), **processes)
    seconds = time.perf_counter() - start
    return seconds, len(blocks) * block, list(blocks[0]["input_ids"])


def _group_texts(rows: dict[str, list[Any]], block: int) -> dict[str, list[Any]]:
    """As in run_mlm.py."""
    joined = {key: list(chain(*values)) for key, values in rows.items()}
    total = len(joined["input_ids"]) // block * block
    return {key: [row[i : i + block] for i in range(0, total, block)] for key, row in joined.items()}


PARTICIPANTS: dict[str, Callable[..., Measured]] = {"headstart": build_blocks, "datasets": map_texts}


def measure(name: str, text: Path, options: argparse.Namespace) -> Measured:
    """One participant's figures, from a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        arguments = (text, options.tokenizer, options.block, options.workers, Path(scratch))
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            return pool.submit(PARTICIPANTS[name], *arguments).result()


def repeat_text(source: Path, target: Path, megabytes: float) -> None:
    """Write `source` again and again, until there are so many megabytes."""
    content = source.read_bytes().rstrip(b"\n") + b"\n"
    with target.open("wb") as file:
        for _ in range(max(1, round(megabytes * 1e6 / len(content)))):
            file.write(content)


def main(words: Sequence[str] | None = None) -> None:
    """Measure all participants in turn, and print a table and the ratio."""
    options = parse(words)
    facts = machine("datasets", "tokenizers")
    rounds: list[dict[str, Measured]] = []
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "corpus.txt"
        repeat_text(options.text, text, options.megabytes)
        size = text.stat().st_size / 1e6
        for i in range(options.rounds):
            names = [*PARTICIPANTS] if i % 2 == 0 else [*reversed(PARTICIPANTS)]
            rounds.append({name: measure(name, text, options) for name in names})
    firsts = {tuple(figures[2]) for one in rounds for figures in one.values()}
    print(f"{size:.0f} MB, blocks of {options.block}, {options.workers} workers; {facts}")
    for name in PARTICIPANTS:
        rates = [one[name][1] / one[name][0] for one in rounds]
        print(f"{name:10} {statistics.median(rates) / 1e6:6.2f} M tokens/s of {rounds[0][name][1]:,} tokens")
    ratios = [
        one["headstart"][1] / one["headstart"][0] / (one["datasets"][1] / one["datasets"][0])
        for one in rounds
    ]
    print(f"ratio      {statistics.median(ratios):6.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print("first blocks are equal" if len(firsts) == 1 else "FIRST BLOCKS DIFFER")
    if options.json:
        options.json.write_text(json.dumps({"machine": facts, "megabytes": size, "rounds": rounds}, indent=1))


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--megabytes", type=float, default=50)
    parser.add_argument("--block", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    return parser.parse_args(words)


if __name__ == "__main__":
    main()
