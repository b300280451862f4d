"""Holds what Headstart expects of memory and time against what runs take: the table of docs/plan.md.

    python benchmarks/estimates.py --data ../shared/data/books_fr --model ../shared/models/roberta-small-fr

`--data` is a folder of train, valid and test `.jsonl` with `text` and `label`. Each case is a study of its
own in a fresh process, one worker. BERT-base is its shape with random weights; nothing is downloaded but
asset:minilm. The peer is the truth: ratios are of what was taken over the middle of what was expected.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from machine import machine

MIB = 2**20
#: Cases by name: what differs from full tuning in bf16 of the model given, batches of 8, at most 256 tokens.
CASES: dict[str, dict[str, Any]] = {
    "batch 8 x 256": {},
    "fp32": {"training": {"precision": "fp32"}, "sizes": [320]},
    "batch 32": {"training": {"batch_size": 32}},
    "at most 64 tokens": {"training": {"max_length": 64}},
    "whole vocabulary": {"vocabulary": "full", "sizes": [320]},
    "LoRA": {"arms": {"arm": {"method": "lora"}}, "sizes": [320]},
    "QLoRA": {"arms": {"arm": {"method": "qlora"}}, "sizes": [160]},
    "3 as one": {"seeds": 3, "pack": 3, "sizes": [320]},
    "checkpointing": {"training": {"gradient_checkpointing": True}, "sizes": [320]},
    "MiniLM, batch 16": {"model": "asset:minilm", "training": {"batch_size": 16}},
    "MiniLM, LoRA, 3 as one": {
        "model": "asset:minilm",
        "arms": {"arm": {"method": "lora"}},
        "seeds": 3,
        "pack": 3,
        "sizes": [320],
    },
    "BERT-base": {"model": "bert-base", "sizes": [80]},
    "BERT-base, fp32": {"model": "bert-base", "training": {"precision": "fp32"}, "sizes": [80]},
    "BERT-base, LoRA": {"model": "bert-base", "arms": {"arm": {"method": "lora"}}, "sizes": [80]},
    # Two arms, three seeds, as many workers as the probe chooses: time too.
    "study": {
        "arms": {"arm": {}, "random": {"init": "random"}},
        "seeds": 3,
        "workers": "auto",
        "pack": "auto",
        "training": {"epochs": 5},
    },
}


def study_of(case: str, data: Path, model: str, out: Path) -> dict[str, Any]:
    """The study of a case, as plain values."""
    values = CASES[case]
    name = values.get("model", model)
    base: dict[str, Any] = {
        "data": {part: str(data / f"{part}.jsonl") for part in ("train", "valid", "test")},
        "model": str(_bert_base(out)) if name == "bert-base" else name,
        "arms": {"arm": {}},
        "seeds": 1,
        "workers": 1,
        "pack": 1,
        "out": str(out / "out"),
    }
    usual: dict[str, Any] = {"batch_size": 8, "epochs": 2, "max_length": 256, "learning_rate": 1e-5}
    training = usual | values.get("training", {})
    changed = {key: value for key, value in values.items() if key not in ("model", "training")}
    study = base | changed | {"training": training}
    return study | {"arms": {**study["arms"], "words": None}}


def _bert_base(out: Path) -> Path:
    """BERT-base's shape with random weights and MiniLM's tokenizer, whose vocabulary it has."""
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

    from headstart.models.checkpoints import resolve_location

    folder = out / "bert-base"
    AutoTokenizer.from_pretrained(resolve_location("asset:minilm")).save_pretrained(folder)
    BertForMaskedLM(BertConfig()).save_pretrained(folder)
    return folder


def measure(case: str, data: Path, model: str) -> dict[str, Any]:
    """Run a case here and give, for each record, what was expected and what was taken."""
    import headstart
    from headstart.config.study import Study

    with tempfile.TemporaryDirectory() as scratch:
        results = headstart.run(Study.model_validate(study_of(case, data, model, Path(scratch))))
        runs = [
            record.model_dump(include={"estimate", "peak_memory_bytes", "seconds"})
            for record in results.records
        ]
    return {"case": case, "runs": runs}


def report(results: Mapping[str, Any]) -> str:
    """A case's line: of memory and time the range expected, what was taken, and the ratio to the middle."""
    expected = [run["estimate"] for run in results["runs"]]
    memory = _against(
        [e["memory_bytes"] for e in expected], [r["peak_memory_bytes"] for r in results["runs"]], MIB
    )
    seconds = _against([e["seconds"] for e in expected], [r["seconds"] for r in results["runs"]], 1)
    return f"| {results['case']} | {memory} | {seconds} |"


def _against(expected: list[Any], taken: list[float], unit: float) -> str:
    if not expected[0]:
        return "- | - | -"
    low, high = expected[0]["low"], expected[0]["high"]
    middle, mean = (low + high) / 2, sum(taken) / len(taken)
    spread = f" ({min(taken) / unit:.0f} to {max(taken) / unit:.0f})" if len(taken) > 1 else ""
    return f"{low / unit:.0f} to {high / unit:.0f} | {mean / unit:.0f}{spread} | {mean / middle:.2f}"


def main() -> None:
    """Run the cases one after the other, each in a fresh process, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--case", action="append", choices=CASES, help="one of the cases; all by default")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        folder = Path(arguments.model)
        model = str(folder.resolve()) if folder.is_dir() else arguments.model
        print(json.dumps(measure(arguments.one, arguments.data.resolve(), model)))
        return
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    print("| case | MiB expected | taken | ratio | seconds expected | taken | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    every = []
    for case in arguments.case or CASES:
        words = [
            sys.executable,
            __file__,
            "--data",
            arguments.data,
            "--model",
            arguments.model,
            "--one",
            case,
        ]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True)
        every.append(json.loads(done.stdout.splitlines()[-1]))
        print(report(every[-1]), flush=True)
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"machine": machine(), "cases": every}, indent=1), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
