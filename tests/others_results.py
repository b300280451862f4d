"""Writes result files of other libraries, item by item, to the letter of their documentation and source.

lm-evaluation-harness: lm_eval/result_schema.py and loggers/evaluation_tracker.py. Inspect:
docs/eval-logs.qmd, inspect_ai/log/_log.py and log/_recorders/eval.py. lighteval:
docs/source/saving-and-reading-results.mdx and logging/info_loggers.py.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

DATE = "2024-11-05T13-31-45.123456"


def hash_string(text: str) -> str:
    """As lm_eval.utils."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def make_sample(
    doc_id: int, metrics: Mapping[str, Any], *, name: str = "none", question: str = ""
) -> dict[str, Any]:
    """A `SampleResult`."""
    doc = {"question": question or f"question {doc_id}", "answer": "4"}
    return {
        "doc_id": doc_id,
        "doc": doc,
        "target": "4",
        "arguments": {"gen_args_0": {"arg_0": f"Q: {doc['question']}", "arg_1": {"until": ["\n"]}}},
        "resps": [["4"]],
        "filtered_resps": ["4"],
        "filter": name,
        "metrics": list(metrics),
        "doc_hash": hash_string(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": hash_string(f"Q: {doc['question']}"),
        "target_hash": hash_string("4"),
        **metrics,
    }


def write_lm_eval(
    folder: Path, scores: Sequence[float], *, task: str = "arc_easy", metric: str = "acc", date: str = DATE
) -> Path:
    """`<model>/samples_<task>_<date>.jsonl`, with the results beside it."""
    samples = [make_sample(i, {metric: score, f"{metric}_norm": 1 - score}) for i, score in enumerate(scores)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"results_{date}.json").write_text(
        json.dumps({"results": {task: {"acc,none": 0.5}}, "config": {"model": "hf"}}, indent=2),
        encoding="utf-8",
    )
    return write_samples(folder / f"samples_{task}_{date}.jsonl", samples)


def write_samples(file: Path, samples: Sequence[Mapping[str, Any]]) -> Path:
    """One object a line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(sample) + "\n" for sample in samples), encoding="utf-8")
    return file


def make_log(
    model: str,
    epochs: Sequence[Mapping[Any, Any]],
    *,
    task: str = "security_guide",
    scorer: str = "match",
    status: str = "success",
) -> dict[str, Any]:
    """An `EvalLog`, of scores by sample id for each epoch."""
    samples = [
        {
            "id": sample_id,
            "epoch": epoch,
            "input": f"question {sample_id}",
            "target": "4",
            "messages": [],
            "scores": {scorer: {"value": value, "answer": "4"}},
            "metadata": {},
            "store": {},
        }
        for epoch, by_id in enumerate(epochs, start=1)
        for sample_id, value in by_id.items()
    ]
    return {
        "version": 2,
        "status": status,
        "eval": {
            "run_id": "BpiPFmbVcMCRUAXv8ovCTx",
            "created": "2024-10-15T12:53:13-04:00",
            "task": task,
            "task_id": "9eTnG3tV8jGRYoTPMH54Ee",
            "dataset": {"name": task, "samples": len(epochs[0])},
            "model": model,
            "config": {"epochs": len(epochs)},
        },
        "plan": {"name": "plan", "steps": []},
        "results": {"total_samples": len(samples), "completed_samples": len(samples), "scores": []},
        "stats": {},
        "samples": samples,
    }


def write_json_log(file: Path, log: Mapping[str, Any]) -> Path:
    """`.json`: one object, indented."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(log, indent=2), encoding="utf-8")
    return file


def write_eval_log(
    file: Path, log: Mapping[str, Any], *, summaries: bool = True, chunked: bool = False, header: bool = True
) -> Path:
    """`.eval`: a ZIP of `header.json`, samples, and their summaries."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in _list_entries(log, summaries=summaries, chunked=chunked, header=header).items():
            archive.writestr(name, json.dumps(value, indent=2))
    return file


def _list_entries(log: Mapping[str, Any], *, summaries: bool, chunked: bool, header: bool) -> dict[str, Any]:
    start = {name: log[name] for name in ("version", "eval", "plan")}
    entries: dict[str, Any] = {"_journal/start.json": start}
    for sample in log["samples"]:
        prefix = f"samples/{sample['id']}_epoch_{sample['epoch']}"
        if chunked:
            entries[f"{prefix}/sample.json"] = sample
            entries[f"{prefix}/messages/0.json"] = []
        else:
            entries[f"{prefix}.json"] = sample
    thin = ("id", "epoch", "input", "target", "scores")
    entries["_journal/summaries/1.json"] = [{name: s[name] for name in thin} for s in log["samples"]]
    if summaries:
        entries["summaries.json"] = entries["_journal/summaries/1.json"]
    if header:
        entries["header.json"] = {name: value for name, value in log.items() if name != "samples"}
    return entries


def write_zstandard_log(file: Path, log: Mapping[str, Any]) -> Path:
    """`.eval` as Inspect writes it since 0.3.206: entries are Zstandard, of two frames where they are long.

    Python 3.11's zipfile cannot write it, so entries are stored packed and their headers say what they are.
    """
    entries = _list_entries(log, summaries=True, chunked=False, header=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, value in entries.items():
            text = json.dumps(value).encode()
            half = len(text) // 2
            archive.writestr(name, _pack(text[:half]) + _pack(text[half:]))
            info = archive.infolist()[-1]
            info.compress_type, info.file_size = 93, len(text)
            info.CRC = zlib.crc32(text)
    return file


def _pack(text: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(text, asbytes=True))


def write_lighteval(
    file: Path,
    scores: Sequence[Mapping[str, Any]],
    *,
    layout: str = "new",
    questions: Sequence[str] | None = None,
) -> Path:
    """Details of one task: `doc` and `metric`, by the documentation `__doc__`, or `example` and `metrics`."""
    questions = questions or [f"Question: {i}\nAnswer:" for i in range(len(scores))]
    if layout == "old":
        rows = [
            {
                "choices": [" yes", " no"],
                "cont_tokens": [[1]],
                "example": question,
                "full_prompt": f"Answer.\n\n{question}",
                "gold_index": [0],
                "input_tokens": [[1, 2]],
                "instruction": "",
                "metrics": dict(metrics),
                "predictions": ["(-1.0, True)"],
            }
            for question, metrics in zip(questions, scores, strict=True)
        ]
    else:
        marks = "__" if layout == "documentation" else ""
        rows = [
            {
                f"{marks}doc{marks}": {
                    "query": question,
                    "choices": [" yes", " no"],
                    "gold_index": 0,
                    "id": str(i),
                },
                f"{marks}metric{marks}": dict(metrics),
                f"{marks}model_response{marks}": {"text": ["yes"], "input": question},
            }
            for i, (question, metrics) in enumerate(zip(questions, scores, strict=True))
        ]
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file
