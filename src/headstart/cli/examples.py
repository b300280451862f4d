"""Holds the examples in each command's `--help`: lines that work as they are, of at most 58 characters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "headstart": (
        "headstart demo",
        "headstart init reviews.csv",
        "headstart run study.yaml seeds=5",
        "headstart compare runs/study",
    ),
    "init": (
        "headstart init reviews.csv",
        "headstart init reviews/ --model roberta-base -o new.yaml",
        "headstart init pairs.jsonl --text premise,hypothesis",
    ),
    "plan": (
        "headstart plan study.yaml",
        "headstart plan study.yaml --probe --machines 8",
        "headstart plan study.yaml seeds=5 training.epochs=3 --json",
    ),
    "run": (
        "headstart run study.yaml",
        "headstart run study.yaml seeds=5 out=runs/five-seeds",
        "headstart run study.yaml --until-decided 2 --most-seeds 30",
    ),
    "work": (
        "headstart work runs/study",
        "headstart work runs/study --workers 4 --wait 600",
        "headstart work runs/study --most-packs 1 --json",
    ),
    "pretrain": (
        "headstart pretrain pretrain.yaml",
        "headstart pretrain pretrain.yaml training.steps=1000",
        "headstart pretrain pretrain.yaml task=causal-lm --quiet",
    ),
    "predict": (
        'headstart predict runs/study/models/tuned "I loved it"',
        "headstart predict MODEL new.csv -o labelled.csv",
        "cat reviews.txt | headstart predict MODEL - --json",
    ),
    "generate": (
        'headstart generate runs/study/models/lora "Who are you?"',
        "headstart generate MODEL --file ask.csv -o answers.csv",
        'headstart generate MODEL "Tell a joke" --temperature 0.8',
    ),
    "export": (
        "headstart export runs/study/models/lora -o merged",
        "headstart export runs/study/models/tuned --fairseq OUT",
        "headstart export study.yaml --fairseq books-bin",
    ),
    "import": (
        "headstart import fairseq checkpoint_best.pt models/mine",
        "headstart import fairseq camembert.v0 OUT",
        "headstart import fairseq ck OUT --data data-bin",
    ),
    "push": (
        "headstart push runs/study --arm lora --repo me/x --dry-run",
        "headstart push runs/study --arm lora --repo me/reviews",
    ),
    "compare": (
        "headstart compare runs/study",
        "headstart compare scores.csv --control random --margin 0.5",
        "headstart compare old=a.jsonl new=b.jsonl --gate",
    ),
    "report": (
        "headstart report runs/study",
        "headstart report runs/study --no-texts -o to-send",
        "headstart report runs/a runs/b -o report",
    ),
    "watch": (
        "headstart watch runs/study",
        "headstart watch runs/study --port 8000 --open",
    ),
    "replay": (
        "headstart replay runs/study pretrained/all/0",
        "headstart replay runs/study lora/all/1 --keep again",
        "headstart replay runs/study random/500/2 --json",
    ),
    "judge": (
        "headstart judge runs/study --arm lora -o sheet.csv",
        "headstart judge runs/study --read ann.csv --read bob.csv",
    ),
    "power": (
        "headstart power runs/study --difference 1",
        "headstart power --test-examples 2000 --seeds 5",
        "headstart power scores.csv --test-examples 500",
    ),
    "params": (
        "headstart params roberta-base",
        "headstart params roberta-base --lora r=8 --bits 4",
        "headstart params ./my-model --omit head,pooler --json",
    ),
    "explain": (
        "headstart explain lora",
        "headstart explain lora ./my-model --lora r=8,alpha=16",
    ),
    "schema": ("headstart schema > study.schema.json",),
    "demo": (
        "headstart demo",
        "headstart demo seeds=5 out=runs/demo",
    ),
}
